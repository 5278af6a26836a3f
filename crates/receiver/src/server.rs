//! The sockets: accepts connections, reads requests within limits, and passes each to the checks.
//!
//! Everything a peer can make grow has a bound here, and every wait for it a deadline.

mod read;
pub mod tls;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use crate::capture::{Capture, Captures};
use crate::check::sequence::Sequences;
use crate::check::{self, Checks};
use crate::clock::Tasks;
use crate::reply;
use crate::request::Body;

/// How many connections are open at once; more wait in the listen queue.
pub const MAX_CONNECTIONS: usize = 1024;

/// How long the head of a request may take, the wait on a kept-alive connection included.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a TLS handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How large the head of a request may be, in bytes.
pub const MAX_HEAD: usize = 64 * 1024;

/// Limits that are chosen by whoever starts the receiver.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How large a body may be, in bytes.
    pub body: usize,
    /// How long a body may take.
    pub body_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 16 * 1024 * 1024, body_timeout: Duration::from_secs(30) }
    }
}

/// What is called with each capture, in their order. It must not block.
pub type OnCapture = Box<dyn Fn(&Capture) + Send + Sync>;

/// What every connection shares.
pub(crate) struct Desk {
    pub(crate) checks: Checks,
    pub(crate) limits: Limits,
    pub(crate) captures: Captures,
    pub(crate) on_capture: Option<OnCapture>,
    pub(crate) sequences: Mutex<Sequences>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("checks", &self.checks)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Accepts connections until it is dropped.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, desk: Arc<Desk>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tasks = Tasks::default();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => tasks.run(connection(stream, peer, tls.clone(), Arc::clone(&desk), slot)),
            Err(error) if is_of_one_connection(&error) => {}
            // Out of file descriptors or memory: give what runs a moment to end instead of spinning.
            Err(_) => pause().await,
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

#[expect(clippy::disallowed_methods, reason = "the accept loop is the one loop of this crate that sleeps")]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    desk: Arc<Desk>,
    slot: OwnedSemaphorePermit,
) {
    // An answer is one small write; waiting to fill a packet would only delay it.
    let _ = stream.set_nodelay(true);
    match tls {
        None => exchange(stream, peer, desk).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                exchange(stream, peer, desk).await;
            }
        }
    }
    drop(slot);
}

async fn exchange<S>(stream: S, peer: SocketAddr, desk: Arc<Desk>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .keep_alive(true);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_concurrent_streams(100)
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(HEAD_TIMEOUT);
    let service = service_fn(move |request| answer(request, peer, Arc::clone(&desk)));
    // What breaks below a request (a reset, a malformed head) ends the connection; there is no request to judge.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: http::Request<Incoming>,
    peer: SocketAddr,
    desk: Arc<Desk>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let request = read::read(request, peer, &desk.limits).await;
    let too_slow = matches!(request.body, Body::TooSlow { .. });
    // A body that was not read to its end would be taken for the next request.
    let close = !matches!(request.body, Body::Whole(_)) && request.version <= Version::HTTP_11;
    let mut sequences = desk.sequences.lock().unwrap_or_else(PoisonError::into_inner);
    let verdict = check::check(&request, &desk.checks, &mut sequences);
    let mut response = reply::reply(&verdict, &desk.checks, too_slow);
    if close {
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    // Still under the lock, so that captures are numbered, told and logged in the order in which they were judged.
    let number = desk.captures.counts().received + 1;
    let capture = Arc::new(Capture { number, request, verdict, status: response.status() });
    if let Some(on_capture) = &desk.on_capture {
        on_capture(&capture);
    }
    desk.captures.record(capture);
    drop(sequences);
    Ok(response.map(Full::new))
}
