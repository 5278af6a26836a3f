//! The law that a fuzzer plays against the whole way of a request, with no socket, replayable on any toolchain. It panics
//! when it is broken.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::header::CONTENT_LENGTH;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Desk, Limits, connection};
use crate::capture::record::{Detail, Record, Secrets};
use crate::capture::{Arrival, Capture, Captures};
use crate::check::Checks;
use crate::request::{Body, Request};
use crate::wire;

/// Bodies may be so long here: a fuzzer comes beyond it.
const MAX_BODY: usize = 1024;

/// What begins HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whatever comes on a connection, in whatever pieces: there is one capture for each request, with the bytes of that request
/// and no other; each is answered once, with what its capture says, in whole messages; and each reads back from its record.
pub fn exchange(data: &[u8]) {
    let Some((&piece, data)) = data.split_first() else { return };
    let checks = {
        let mut checks = Checks::default();
        checks.require_credentials(Some("u"), Some("p"));
        checks
    };
    let captures = Captures::keeping(1000);
    let limits = Limits { body: MAX_BODY, ..Limits::default() };
    let desk = Arc::new(Desk::new(checks, limits, captures.clone(), None, (Vec::new(), 0)));
    let written = Arc::new(Mutex::new(Vec::new()));
    let line = Line { unread: data.to_vec(), piece: usize::from(piece) + 1, written: Arc::clone(&written) };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
    runtime.block_on(connection::without_socket(line, desk));
    drop(runtime);
    let written = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
    let captures = captures.all();
    for (number, capture) in (1..).zip(&captures) {
        assert_eq!(capture.number, number, "captures are not numbered in their order");
        record(capture);
    }
    assert!(data.is_empty() || !captures.is_empty(), "something came, and there is no capture of it");
    if data.starts_with(PREFACE) {
        frames(&written);
    } else {
        bytes(data, &captures);
        answers(&written, &captures);
    }
}

/// Each byte is in one capture at most, and captures have them in the order in which they came.
fn bytes(data: &[u8], captures: &[Arc<Capture>]) {
    let mut at = 0;
    for capture in captures {
        let raw = match &capture.arrival {
            Arrival::Request(request) => request.raw.as_ref(),
            Arrival::Head { raw, .. } | Arrival::Evicted { raw } => raw.as_ref(),
            Arrival::Handshake { .. } | Arrival::Unused | Arrival::Turned => None,
        };
        let Some(raw) = raw.filter(|raw| !raw.cut) else { return };
        assert!(
            data[at..].starts_with(&raw.bytes),
            "capture {} has bytes that did not come there",
            capture.number
        );
        at += raw.bytes.len();
        if let Arrival::Request(request) = &capture.arrival {
            body(request, &raw.bytes);
        }
    }
}

/// A body that came whole is what its framing says.
fn body(request: &Request, raw: &[u8]) {
    let Body::Whole(body) = &request.body else { return };
    let Some(layout) = wire::layout(raw) else { panic!("a request has no head") };
    assert_eq!(layout.end, Some(raw.len()), "a request is not as long as its framing says");
    assert!(body.len() <= MAX_BODY, "a body is longer than the limit");
    match layout.chunks {
        None => assert_eq!(*body, raw[layout.head..], "a body is not what came"),
        Some(chunks) => {
            assert_eq!(body.len(), chunks.iter().sum::<usize>(), "a body is not what its chunks hold")
        }
    }
}

/// One answer for each capture that says that there was one, with its status, each a whole message.
fn answers(written: &[u8], captures: &[Arc<Capture>]) {
    let mut rest = written;
    for capture in captures {
        let Some(status) = capture.status else { continue };
        let head = capture.request().is_some_and(|request| request.method == http::Method::HEAD);
        loop {
            let Some((code, length)) = answer(rest, head) else {
                panic!("capture {} was not answered {status}: {}", capture.number, rest.escape_ascii());
            };
            rest = &rest[length..];
            if code != 100 {
                assert_eq!(code, status.as_u16(), "capture {} was answered otherwise", capture.number);
                break;
            }
        }
    }
    assert!(rest.is_empty(), "there is an answer to no request: {}", rest.escape_ascii());
}

/// The status and the length of the answer that stands first.
fn answer(bytes: &[u8], to_head: bool) -> Option<(u16, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; wire::MAX_LINES];
    let mut response = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(head)) = response.parse(bytes) else { return None };
    let code = response.code?;
    let mut lengths =
        response.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length =
        lengths.next().and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok());
    let end = head + length.filter(|_| !to_head).unwrap_or(0);
    (lengths.next().is_none() && end <= bytes.len()).then_some((code, end))
}

/// Whole frames of HTTP/2 (RFC 9113, section 4.1).
fn frames(mut written: &[u8]) {
    while !written.is_empty() {
        let length = written
            .first_chunk::<9>()
            .map(|[a, b, c, ..]| usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c));
        let rest = length.and_then(|length| written.get(9 + length..));
        let Some(rest) = rest else { panic!("half a frame was written: {}", written.escape_ascii()) };
        written = rest;
    }
}

/// What is written of a capture reads back as it was; times are kept to less than they are measured.
fn record(capture: &Capture) {
    let again = |capture: &Capture| {
        let line = Record::of(capture, Secrets::Kept, Detail::Full).line();
        let again = Record::read(&line).and_then(|record| record.capture());
        again.unwrap_or_else(|error| panic!("a record does not read back: {error}: {line}"))
    };
    let once = again(capture);
    assert_eq!(again(&once), once, "a capture changes with each record");
    let parts = |capture: &Capture| {
        // Of HTTP/2 the bytes are not kept, and values that are no text have only what JSON can say of them.
        let request = capture.request().filter(|request| request.raw.is_some())?;
        let mut headers = request.headers.clone();
        // Of lengths hyper keeps one, and none beside a transfer encoding; the bytes have all of them.
        headers.remove(CONTENT_LENGTH);
        Some((
            request.method.clone(),
            request.target.clone(),
            headers,
            request.body.clone(),
            request.raw.clone(),
        ))
    };
    assert_eq!(parts(&once), parts(capture), "a record keeps something else than came");
    assert_eq!((&once.verdict, once.status, &once.event), (&capture.verdict, capture.status, &capture.event));
    let _ = Record::of(capture, Secrets::Masked, Detail::Plain).line();
}

/// A connection in memory: what is to come, in pieces, and what was written.
struct Line {
    unread: Vec<u8>,
    piece: usize,
    written: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.piece.min(self.unread.len()).min(buffer.remaining());
        let piece: Vec<u8> = self.unread.drain(..length).collect();
        buffer.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
