//! Between hyper and the socket: what comes is recorded, and a connection can be ended by a reset instead of a close.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::Stopwatch;
use crate::wire::Tape;

/// A connection's tape, shared by the tap that records and the service that takes.
#[derive(Clone, Debug)]
pub(super) struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tape: Mutex<Tape>,
    first_byte: Mutex<Option<Stopwatch>>,
    /// What was answered in place of the service, 0 if nothing was.
    refused: AtomicU16,
}

impl Recorder {
    pub(super) fn new(limit: usize) -> Self {
        let (tape, first_byte) = (Mutex::new(Tape::new(limit)), Mutex::new(None));
        Self(Arc::new(Shared { tape, first_byte, refused: AtomicU16::new(0) }))
    }

    pub(super) fn tape(&self) -> MutexGuard<'_, Tape> {
        self.0.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago the first byte of this message came; zero when that is not known.
    pub(super) fn since_first_byte(&self) -> Duration {
        let first_byte = self.0.first_byte.lock().unwrap_or_else(PoisonError::into_inner).take();
        first_byte.map_or(Duration::ZERO, |first_byte| first_byte.elapsed())
    }

    /// What hyper answered by itself to what was no request. Whether it does depends on what it had read by then, so that it can
    /// only be seen.
    pub(super) fn refused(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.0.refused.load(Ordering::SeqCst)).ok()
    }

    fn saw(&self, written: &[u8]) {
        if let Some(status) = refusal(written) {
            self.0.refused.store(status.as_u16(), Ordering::SeqCst);
        }
    }

    fn record(&self, came: &[u8]) {
        if came.is_empty() {
            return;
        }
        let mut tape = self.tape();
        if tape.is_empty() {
            *self.0.first_byte.lock().unwrap_or_else(PoisonError::into_inner) = Some(Stopwatch::start());
        }
        tape.record(came);
    }
}

/// The status of a head that stands alone, ends the connection and promises nothing more: the service's answers have a body.
fn refusal(written: &[u8]) -> Option<StatusCode> {
    let head = written.strip_prefix(b"HTTP/1.1 ").filter(|rest| rest.ends_with(b"\r\n\r\n"))?;
    let has = |line: &[u8]| head.split(|byte| *byte == b'\n').any(|other| other.trim_ascii_end() == line);
    let alone = has(b"connection: close") && has(b"content-length: 0");
    let status = StatusCode::from_bytes(head.get(..3)?).ok()?;
    (alone && status.is_client_error()).then_some(status)
}

/// How much is read at once from a connection whose reader asks for little.
const READ_AHEAD: usize = 4096;

/// Records what is read through it. Above TLS, so that it sees what hyper sees.
///
/// It reads ahead: hyper looks at the first bytes by themselves, and gives up a broken head before it has read its rest.
pub(super) struct Tap<S> {
    stream: S,
    recorder: Recorder,
    ending: Ending,
    ahead: BytesMut,
}

impl<S> Tap<S> {
    pub(super) fn new(stream: S, recorder: Recorder, ending: Ending) -> Self {
        Self { stream, recorder, ending, ahead: BytesMut::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() && buffer.remaining() >= READ_AHEAD {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            self.recorder.record(&buffer.filled()[before..]);
            return Poll::Ready(Ok(()));
        }
        if self.ahead.is_empty() {
            let mut room = [0; READ_AHEAD];
            let mut read = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            self.recorder.record(read.filled());
            self.ahead.extend_from_slice(read.filled());
        }
        let piece = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(piece));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut raw = this.ending.raw();
        let Some(left) = raw.as_mut() else {
            drop(raw);
            this.recorder.saw(bytes);
            return Pin::new(&mut this.stream).poll_write(context, bytes);
        };
        while !left.is_empty() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(context, left))?;
            left.advance(written);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How a connection is to end, if not as hyper wants. Shared by the socket, the tap and the service.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending(Arc<End>);

#[derive(Debug, Default)]
struct End {
    reset: AtomicBool,
    /// What is written in place of what hyper writes; once it is there, what hyper writes is dropped.
    raw: Mutex<Option<Bytes>>,
}

impl Ending {
    /// From now on the end of the connection is a reset (RST), which the peer sees at once and as an error.
    pub(super) fn by_reset(&self) {
        self.0.reset.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_reset(&self) -> bool {
        self.0.reset.load(Ordering::SeqCst)
    }

    /// From now on these bytes are written, and nothing else.
    pub(super) fn by_raw(&self, bytes: Bytes) {
        *self.raw() = Some(bytes);
    }

    fn raw(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.0.raw.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The socket itself, below TLS: nothing that closes it in an orderly way gets past a reset that was asked for.
pub(super) struct Plug {
    stream: TcpStream,
    ending: Ending,
}

impl Plug {
    pub(super) const fn new(stream: TcpStream, ending: Ending) -> Self {
        Self { stream, ending }
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        if self.ending.is_reset() {
            // Closed with nothing to linger for, a socket is reset; if that fails it is closed, which is all there is left.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Plug {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Plug {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending.is_reset() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
