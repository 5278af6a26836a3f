//! Reads one request within the limits. What breaks off is a request too: its body says how.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request as HttpRequest, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::tap::Recorder;
use super::{DISCARD_TIMEOUT, Limits, MAX_DISCARDED};
use crate::clock::{Stopwatch, wall};
use crate::request::{Body, Connection, Request, Timing};
use crate::wire::Raw;

pub(super) async fn read(
    request: HttpRequest<Incoming>,
    (connection, turn): (Connection, u32),
    (limits, room): (&Limits, &Arc<Semaphore>),
    only_a_piece: bool,
    recorder: &Recorder,
) -> (Request, Room) {
    let (at, stopwatch) = (wall(), Stopwatch::start());
    let head_took = recorder.since_first_byte();
    let (head, body) = request.into_parts();
    let mut body_room = Room { of: Arc::clone(room), taken: None };
    let mut incoming = body;
    let reads = whole(&mut incoming, limits, only_a_piece, (head.version, &mut body_room));
    let body = match tokio::time::timeout(limits.body_timeout, reads).await {
        Ok(body) => body,
        Err(_) => Body::TooSlow { limit: limits.body_timeout },
    };
    if matches!(body, Body::TooLarge { .. } | Body::NoRoom { .. }) {
        recorder.tape().stop();
        discard(incoming).await;
    }
    let request = Request {
        at,
        timing: Timing { head: head_took, body: stopwatch.elapsed() },
        connection,
        turn,
        version: head.version,
        method: head.method,
        target: head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string),
        headers: head.headers,
        body,
        raw: None,
    };
    (request, body_room)
}

/// The room that a body takes among all that are under way; it is given back at the drop.
pub(super) struct Room {
    of: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Takes room for so many bytes more, if there is any.
    fn grow(&mut self, bytes: usize) -> bool {
        let more = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| Arc::clone(&self.of).try_acquire_many_owned(bytes).ok());
        let Some(more) = more else { return false };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        true
    }
}

async fn whole(
    body: &mut Incoming,
    limits: &Limits,
    only_a_piece: bool,
    (version, room): (Version, &mut Room),
) -> Body {
    let mut first: Option<Bytes> = None;
    let mut gathered = BytesMut::new();
    // What is announced to be too large is so, whatever comes of it; a sender that waits for the answer need not write it.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if !only_a_piece && announced > limits.body {
        return Body::TooLarge { limit: limits.body };
    }
    while let Some(frame) = body.frame().await {
        let data = match frame {
            Ok(frame) => frame.into_data().unwrap_or_default(),
            Err(error) => return Body::BrokenOff(error.to_string()),
        };
        if only_a_piece {
            return Body::Spoilt;
        }
        let before = first.as_ref().map_or(0, Bytes::len) + gathered.len();
        if before + data.len() > limits.body {
            return Body::TooLarge { limit: limits.body };
        }
        if !room.grow(data.len()) {
            return Body::NoRoom { limit: limits.under_way };
        }
        // Most bodies come in one piece, which is kept as it is.
        match first.take() {
            None if gathered.is_empty() => first = Some(data),
            None => gathered.extend_from_slice(&data),
            Some(earlier) => {
                gathered.reserve(earlier.len() + data.len());
                gathered.extend_from_slice(&earlier);
                gathered.extend_from_slice(&data);
            }
        }
    }
    // hyper ends a body at RST_STREAM with NO_ERROR as it does at END_STREAM; the first is no end (RFC 9113, section 8.1).
    if version == Version::HTTP_2 && !body.is_end_stream() {
        return Body::BrokenOff("the stream was reset before its end".to_owned());
    }
    Body::Whole(first.unwrap_or_else(|| gathered.freeze()))
}

/// Reads on for a moment, so that a sender that is still writing gets to its answer.
async fn discard(mut body: Incoming) {
    let mut left = MAX_DISCARDED;
    let reads = async {
        while let Some(Ok(frame)) = body.frame().await {
            let came = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(came) else { return };
            left = less;
        }
    };
    // Whether it came to its end or not, there is an answer now.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, reads).await;
}

/// Adds the bytes as they came. A body that lies in them in one piece is not kept twice; what else hyper gave is a part of
/// what it read from the socket, of which a capture would hold all.
pub(super) fn keep(request: &mut Request, raw: Option<Raw>) {
    for value in request.headers.values_mut() {
        if let Ok(mut own) = HeaderValue::from_bytes(value.as_bytes()) {
            own.set_sensitive(value.is_sensitive());
            *value = own;
        }
    }
    if let Body::Whole(body) = &mut request.body {
        let raw = raw.as_ref().map(|raw| &raw.bytes).filter(|raw| raw.ends_with(body));
        *body = raw.map_or_else(|| Bytes::copy_from_slice(body), |raw| raw.slice(raw.len() - body.len()..));
    }
    request.raw = raw;
}
