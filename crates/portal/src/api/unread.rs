//! What to do with a body that nobody wanted to read to its end. What is left of it would be taken for the next request, and
//! who is still sending would see a reset connection instead of the answer: so it is read on for a while and thrown away, and
//! where that is not enough the answer says that the connection ends (RFC 9112, section 9.6).

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONNECTION, EXPECT};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// How much of such a body is thrown away, in bytes, and for how long.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;
const DISCARD: Duration = Duration::from_secs(5);

/// Reads on what the routes left, before the answer goes out.
pub(crate) async fn discard(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    // Who waits for a word before sending the body has sent none yet, and need not (RFC 9110, section 10.1.1).
    let waits = head.headers.contains_key(EXPECT);
    let left = Arc::new(Mutex::new(None));
    let body = Body::new(Watched { body, asked: false, left: Arc::clone(&left) });
    let mut response = next.run(Request::from_parts(head, body)).await;
    let left = left.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((left, asked)) = left
        && ((waits && !asked) || !read_on(left).await)
    {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether the end was reached.
async fn read_on(mut body: Body) -> bool {
    let reading = async {
        let mut left = MAX_DISCARDED;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(DISCARD, reading).await.unwrap_or(false)
}

/// A body that is given back when it is dropped before its end.
struct Watched {
    body: Body,
    /// Whether something of it was asked for; it comes then, also from who waited for that.
    asked: bool,
    left: Arc<Mutex<Option<(Body, bool)>>>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            let left = (std::mem::take(&mut self.body), self.asked);
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.asked = true;
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
