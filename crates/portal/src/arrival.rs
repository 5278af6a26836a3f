//! Waiting for requests to arrive whole. Who sent the head of a change while they were let in, and its body much later, would
//! change something when they are let in no more; and a body that never ends would hold a connection for ever.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http::StatusCode;
use http_body_util::BodyExt;

use crate::access::{Caller, Refused};

/// How long the body of a form, or of whatever configures something, may be, in bytes.
pub(crate) const MAX_FORM: usize = 1024 * 1024;

/// How long the form of somebody who is not let in yet may be, in bytes.
pub(crate) const MAX_LOGIN: usize = 8 * 1024;

/// How long the body of a form may take to arrive.
pub(crate) const FORM_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the body of a request with updates may take: at a megabit a second that is a full one.
pub(crate) const UPDATES_TIMEOUT: Duration = Duration::from_secs(150);

/// Why a body is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is longer than it may be, or broke off, and then nobody reads the answer.
    TooLong,
    /// It took too long.
    TooSlow,
}

/// A body of at most so many bytes, that arrives within a time.
pub(crate) async fn whole(body: Body, limit: usize, within: Duration) -> Result<Bytes, Missing> {
    tokio::time::timeout(within, gather(body, limit)).await.unwrap_or(Err(Missing::TooSlow))
}

/// Puts each piece of a body where it belongs as it comes, so that the room in which the next one comes is free again.
async fn gather(mut body: Body, limit: usize) -> Result<Bytes, Missing> {
    let size = body.size_hint();
    let known = usize::try_from(size.lower()).ok().filter(|known| *known <= limit).ok_or(Missing::TooLong)?;
    let mut whole = Vec::with_capacity(known);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| Missing::TooLong)?.into_data() else { continue };
        if piece.len() > limit - whole.len() {
            return Err(Missing::TooLong);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

impl From<Missing> for Refused {
    fn from(missing: Missing) -> Self {
        let (status, why) = match missing {
            Missing::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than a form may be"),
            Missing::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"),
        };
        Self { status, why }
    }
}

/// Lets a change in when all of it is there: judged by its head, before anything of it is held, and then once more.
pub(crate) async fn admit(
    request: Request,
    judge: impl Fn(&Request) -> Result<Caller, Refused>,
) -> Result<Request, Refused> {
    judge(&request)?;
    let (head, body) = request.into_parts();
    let body = whole(body, MAX_FORM, FORM_TIMEOUT).await?;
    let mut request = Request::from_parts(head, Body::from(body));
    let caller = judge(&request)?;
    request.extensions_mut().insert(caller);
    Ok(request)
}
