//! One connection from its first byte to its end: requests, and what is left to tell when there was none.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::SystemTime;

use http::{Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::InvalidMessage;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsAcceptor;

use super::answer::{self, Answer};
use super::desk::Desk;
use super::idle::{Idle, Seat};
use super::tap::{Ending, Plug, Recorder, Tap};
use super::{HANDSHAKE_TIMEOUT, HEAD_TIMEOUT, MAX_FRAMING, MAX_HEAD, read};
use crate::capture::Arrival;
use crate::clock::{self, wall};
use crate::fault::{Fault, Stage, Struck};
use crate::request::{Body, Connection};
use crate::wire::{self, Raw};

/// A connection that was accepted.
pub(super) struct Opened {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// Gives its place back at the end.
    pub(super) slot: Option<OwnedSemaphorePermit>,
    pub(super) idle: Arc<Idle>,
}

impl Opened {
    pub(super) async fn run(self, tls: Option<TlsAcceptor>, desk: Arc<Desk>) {
        let at = wall();
        let connection =
            Connection { number: desk.next_connection(), peer: self.peer, secure: tls.is_some() };
        // An answer is one small write; waiting to fill a packet would only delay it.
        let _ = self.stream.set_nodelay(true);
        let ending = Ending::default();
        let plug = Plug::new(self.stream, ending.clone());
        let seat = Arc::new(Seat::take(self.idle));
        let line = Arc::new(Line::new(connection, ending, Arc::clone(&seat), Arc::clone(&desk)));
        if let Some(struck) = desk.plan(Stage::Connection, "") {
            desk.note(at, connection, Arrival::Turned, (None, Some(struck.clone())));
            tokio::select! {
                () = line.turn_away(struck) => {}
                () = seat.wanted() => {}
            }
        } else if let Some(acceptor) = tls {
            let shaken = tokio::select! {
                shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(plug)) => shaken
                    .map_err(|_| format!("no end of it within {} s", HANDSHAKE_TIMEOUT.as_secs()))
                    .and_then(|shaken| shaken.map_err(|error| handshake_fault(&error))),
                () = seat.wanted() => Err("no end of it before others wanted its place".to_owned()),
            };
            match shaken {
                Ok(stream) => line.exchange(stream, at).await,
                Err(why) => line.note(at, Arrival::Handshake { why }, None),
            }
        } else {
            line.exchange(plug, at).await;
        }
        drop(self.slot);
    }
}

/// A connection that has no socket, for the laws: all but a socket's own affairs is as it is with one.
pub(super) async fn without_socket<S>(stream: S, desk: Arc<Desk>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let connection = Connection { number: desk.next_connection(), peer, secure: false };
    let seat = Arc::new(Seat::take(Arc::new(Idle::default())));
    Arc::new(Line::new(connection, Ending::default(), seat, desk)).exchange(stream, wall()).await;
}

fn handshake_fault(error: &io::Error) -> String {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match of_tls {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "something that is not TLS; does the sender speak plain HTTP?".to_owned()
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => "a close before its end".to_owned(),
        _ => error.to_string(),
    }
}

/// What the requests of one connection share.
struct Line {
    connection: Connection,
    recorder: Recorder,
    ending: Ending,
    seat: Arc<Seat>,
    desk: Arc<Desk>,
    turns: AtomicU32,
    /// Whether a request was left unread, so that what follows on the line is its rest.
    spoilt: AtomicBool,
}

impl Line {
    fn new(connection: Connection, ending: Ending, seat: Arc<Seat>, desk: Arc<Desk>) -> Self {
        let recorder = Recorder::new(desk.limits.body.saturating_add(MAX_FRAMING));
        let (turns, spoilt) = (AtomicU32::new(0), AtomicBool::new(false));
        Self { connection, recorder, ending, seat, desk, turns, spoilt }
    }

    fn note(&self, at: SystemTime, arrival: Arrival, status: Option<StatusCode>) {
        self.desk.note(at, self.connection, arrival, (status, None));
    }

    /// A fault that strikes before anything is read.
    async fn turn_away(&self, struck: Struck) {
        clock::pause(struck.delay).await;
        match struck.fault {
            Fault::AcceptOnly(hold) => clock::pause(hold).await,
            _ => self.ending.by_reset(),
        }
    }

    async fn exchange<S>(self: Arc<Self>, stream: S, at: SystemTime)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut server = auto::Builder::new(TokioExecutor::new());
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            // Who has sent its request may close its half at once, and still gets its answer (RFC 9112, section 9.6).
            .half_close(true)
            .keep_alive(true);
        server
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .max_concurrent_streams(100)
            .keep_alive_interval(HEAD_TIMEOUT)
            .keep_alive_timeout(HEAD_TIMEOUT);
        let line = Arc::clone(&self);
        let service = service_fn(move |request| Arc::clone(&line).answer(request));
        let stream = TokioIo::new(Tap::new(stream, self.recorder.clone(), self.ending.clone()));
        let ended = {
            let mut serving = pin!(server.serve_connection(stream, service));
            tokio::select! {
                ended = serving.as_mut() => ended.map_err(End::Broken),
                () = self.desk.closing() => {
                    serving.as_mut().graceful_shutdown();
                    serving.await.map_err(End::Broken)
                }
                () = self.says_nothing() => Err(End::Silent),
                () = self.seat.wanted() => Err(End::Evicted),
            }
        };
        self.tell_the_rest(at, ended.err().as_ref());
    }

    /// Until it is known that neither a head nor the beginning of HTTP/2 came in time. hyper looks at the clock only once it
    /// knows which of the two it has.
    async fn says_nothing(&self) {
        clock::pause(HEAD_TIMEOUT).await;
        if !self.recorder.tape().is_undecided() {
            std::future::pending::<()>().await;
        }
    }

    async fn answer(self: Arc<Self>, request: http::Request<Incoming>) -> io::Result<Response<Answer>> {
        let busy = self.seat.busy();
        let turn = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
        let early = self.desk.plan(Stage::Head, request.uri().path());
        let within = early.is_some();
        let limits = (&self.desk.limits, &self.desk.room);
        let (mut request, room) =
            read::read(request, (self.connection, turn), limits, within, &self.recorder).await;
        let (overflowed, raw) = {
            let mut tape = self.recorder.tape();
            (tape.overflowed(), tape.take())
        };
        read::keep(&mut request, raw);
        // A body that was not read to its end would be taken for the next request.
        let unread = !matches!(request.body, Body::Whole(_));
        self.spoilt.fetch_or(unread || overflowed, Ordering::Relaxed);
        let close = (unread || overflowed) && request.version <= Version::HTTP_11;
        let (mut response, struck) = self.desk.take(request, early);
        // From here on the captures' own limit holds.
        drop(room);
        if close {
            response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        }
        if struck.as_ref().is_some_and(holds) {
            // Nobody is served meanwhile, and perhaps nobody waits any more: its place is free for others.
            drop(busy);
            return answer::give(response, struck, &self.ending).await;
        }
        let answered = answer::give(response, struck, &self.ending).await;
        drop(busy);
        answered
    }

    /// What was left when the connection ended: a head that is none, or nothing at all.
    fn tell_the_rest(&self, at: SystemTime, end: Option<&End>) {
        if self.spoilt.load(Ordering::Relaxed) || self.ending.is_reset() {
            return;
        }
        let (total, raw) = {
            let mut tape = self.recorder.tape();
            (tape.total(), tape.take().filter(|raw| !raw.bytes.is_empty()))
        };
        let error = match end {
            Some(End::Broken(error)) => error.downcast_ref::<hyper::Error>(),
            _ => None,
        };
        let refused = error.filter(|error| error.is_parse()).and_then(|_| self.recorder.refused());
        // Line ends alone are nothing, unless hyper took them for a head and answered.
        let raw = raw.filter(|raw| refused.is_some() || !is_blank(&raw.bytes));
        let used = self.turns.load(Ordering::Relaxed) > 0;
        match (end, raw) {
            // What comes after the last request that the connection was good for is for nobody.
            (None, _) if used => {}
            // What was not begun when this end closed is nobody's doing.
            (Some(End::Broken(_)), _) if self.desk.is_closing() && !used => {}
            (Some(End::Broken(_)), _) if total == 0 => self.note(at, Arrival::Unused, None),
            (Some(End::Broken(_)), raw) => {
                // A request that was still to be read when the connection broke.
                let whole = |raw: &Raw| wire::layout(&raw.bytes).is_some_and(|layout| layout.end.is_some());
                if refused.is_none() && raw.as_ref().is_none_or(whole) && used {
                    return;
                }
                let why = head_fault(raw.as_ref(), error);
                self.note(wall(), Arrival::Head { raw, why }, refused);
            }
            (Some(End::Silent), Some(raw)) => {
                let why = format!("no end of it within {} s", HEAD_TIMEOUT.as_secs());
                self.note(at, Arrival::Head { raw: Some(raw), why }, None);
            }
            (Some(End::Evicted), None) if used => {}
            (Some(End::Evicted), raw) => self.note(at, Arrival::Evicted { raw }, None),
            (None, Some(raw)) => {
                let why = head_fault(Some(&raw), None);
                self.note(wall(), Arrival::Head { raw: Some(raw), why }, None);
            }
            (None | Some(End::Silent), None) if self.desk.is_closing() => {}
            (None | Some(End::Silent), None) => self.note(at, Arrival::Unused, None),
        }
    }
}

/// Why a connection ended, if not in the ordinary way.
enum End {
    /// It broke, or what came on it is no HTTP.
    Broken(Box<dyn Error + Send + Sync>),
    /// It did not come as far as to show which version of HTTP it speaks.
    Silent,
    /// Others wanted its place.
    Evicted,
}

/// Whether a fault holds a connection before anything is answered.
fn holds(struck: &Struck) -> bool {
    !struck.delay.is_zero() || matches!(struck.fault, Fault::Silent(_))
}

/// Whether there are line ends only: old clients send one more after a body (RFC 9112, section 2.2).
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

fn head_fault(raw: Option<&Raw>, error: Option<&hyper::Error>) -> String {
    // RFC 8446, section 5.1: a record of a handshake begins so.
    if raw.is_some_and(|raw| raw.bytes.starts_with(&[0x16, 0x03])) {
        return "a TLS handshake, and this receiver speaks plain HTTP".to_owned();
    }
    match error {
        Some(error) if error.is_parse_too_large() => format!("more than {MAX_HEAD} bytes, or too many lines"),
        Some(error) if error.is_parse() => error.to_string(),
        Some(error) if error.is_timeout() => format!("no end of it within {} s", HEAD_TIMEOUT.as_secs()),
        Some(error) if raw.is_none() => error.to_string(),
        _ => "a close before its end".to_owned(),
    }
}
