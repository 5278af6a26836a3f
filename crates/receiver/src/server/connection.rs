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
        let work = async {
            if let Some(struck) = desk.plan(Stage::Connection, "") {
                desk.note(at, connection, Arrival::Turned, (None, Some(struck.clone())));
                return line.turn_away(struck).await;
            }
            match tls {
                None => line.exchange(plug, at).await,
                Some(acceptor) => {
                    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(plug)).await {
                        Ok(Ok(stream)) => line.exchange(stream, at).await,
                        Ok(Err(error)) => {
                            line.note(at, Arrival::Handshake { why: handshake_fault(&error) }, None)
                        }
                        Err(_) => {
                            let why = format!("no end of it within {} s", HANDSHAKE_TIMEOUT.as_secs());
                            line.note(at, Arrival::Handshake { why }, None);
                        }
                    }
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = seat.wanted() => {}
        }
        drop(self.slot);
    }
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
                ended = serving.as_mut() => ended,
                () = self.desk.closing() => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            }
        };
        self.tell_the_rest(at, ended.err().as_deref());
    }

    async fn answer(self: Arc<Self>, request: http::Request<Incoming>) -> io::Result<Response<Answer>> {
        let busy = self.seat.busy();
        let turn = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
        let early = self.desk.plan(Stage::Head, request.uri().path());
        let within = early.is_some();
        let mut request =
            read::read(request, (self.connection, turn), &self.desk.limits, within, &self.recorder).await;
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
        if close {
            response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        }
        let answered = answer::give(response, struck, &self.ending).await;
        drop(busy);
        answered
    }

    /// What was left when the connection ended: a head that is none, or nothing at all.
    fn tell_the_rest(&self, at: SystemTime, error: Option<&(dyn Error + Send + Sync + 'static)>) {
        if self.spoilt.load(Ordering::Relaxed) || self.ending.is_reset() {
            return;
        }
        let (total, raw) = {
            let mut tape = self.recorder.tape();
            (tape.total(), tape.take())
        };
        let error = error.and_then(|error| error.downcast_ref::<hyper::Error>());
        let used = self.turns.load(Ordering::Relaxed) > 0;
        // A request that was sent after the last one that the connection was good for.
        let too_late = |raw: &Raw| used && error.is_none() && wire::layout(&raw.bytes).is_some();
        match (raw, error) {
            (Some(raw), _) if too_late(&raw) => {}
            (Some(raw), error) if !raw.bytes.is_empty() => {
                let status = error.and_then(status_of);
                let why = head_fault(&raw, error);
                let arrival = Arrival::Head { raw: Some(raw), why };
                self.desk.note(wall(), self.connection, arrival, (status, None));
            }
            (None, Some(error)) if !used => {
                let arrival = Arrival::Head { raw: None, why: error.to_string() };
                self.desk.note(at, self.connection, arrival, (None, None));
            }
            _ if total == 0 && !self.desk.is_closing() => self.note(at, Arrival::Unused, None),
            _ => {}
        }
    }
}

/// What hyper answers by itself.
fn status_of(error: &hyper::Error) -> Option<StatusCode> {
    match (error.is_parse_too_large(), error.is_parse()) {
        (true, _) => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (false, true) => Some(StatusCode::BAD_REQUEST),
        (false, false) => None,
    }
}

fn head_fault(raw: &Raw, error: Option<&hyper::Error>) -> String {
    // RFC 8446, section 5.1: a record of a handshake begins so.
    if raw.bytes.starts_with(&[0x16, 0x03]) {
        return "a TLS handshake, and this receiver speaks plain HTTP".to_owned();
    }
    match error {
        Some(error) if error.is_parse_too_large() => format!("more than {MAX_HEAD} bytes, or too many lines"),
        Some(error) if error.is_parse() => error.to_string(),
        Some(error) if error.is_timeout() => format!("no end of it within {} s", HEAD_TIMEOUT.as_secs()),
        _ => "a close before its end".to_owned(),
    }
}
