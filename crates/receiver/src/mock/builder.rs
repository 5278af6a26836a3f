//! What a receiver is told before it starts.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use payload::FieldNames;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::capture::{Capture, Captures, MAX_CAPTURES};
use crate::check::headers::{Required, RequiredError};
use crate::check::signature::Signing;
use crate::check::{Checks, Strictness};
use crate::clock::{Tasks, Thread};
use crate::fault::{MAX_RULES, Rule};
use crate::inspector;
use crate::server::tls::made::{Flaw, Made, NAMES};
use crate::server::tls::{self, Identity, IdentityError};
use crate::server::{self, Desk, Limits, OnCapture};
use crate::verdict::Subject;

use super::{MockReceiver, Running};

/// What a receiver will check, what it will do wrong, and where it will listen.
pub struct Builder {
    listen: String,
    checks: Checks,
    limits: Limits,
    tls: Option<Identity>,
    tls_names: Vec<String>,
    ca: Option<String>,
    client: Option<String>,
    rules: Vec<Rule>,
    seed: u64,
    keep: usize,
    inspect: Option<String>,
    on_capture: Option<OnCapture>,
}

/// A receiver that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen}: {error}{}", hint(error.kind()))]
pub struct StartError {
    listen: String,
    #[source]
    error: io::Error,
}

fn hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrInUse => {
            "; another program listens there: choose another port, or 0 for a free one"
        }
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege: choose a higher one",
        io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
        _ => "",
    }
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            checks: Checks::default(),
            limits: Limits::default(),
            tls: None,
            tls_names: Vec::new(),
            ca: None,
            client: None,
            rules: Vec::new(),
            seed: 0,
            keep: MAX_CAPTURES,
            inspect: None,
            on_capture: None,
        }
    }

    /// Listens on `address`, `host:port`; port 0 takes a free one.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// Requires Basic credentials.
    #[must_use]
    pub fn credentials(mut self, username: &str, password: &str) -> Self {
        self.checks.require_credentials(Some(username), Some(password));
        self
    }

    /// Requires a header field: `Name`, or `Name: value`. May be called several times.
    ///
    /// # Errors
    /// If `line` names no header field.
    pub fn require_header(mut self, line: &str) -> Result<Self, RequiredError> {
        self.checks.headers.push(line.parse::<Required>()?);
        Ok(self)
    }

    /// Requires a path. The slash at its beginning may be left out.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.checks.require_path(path);
        self
    }

    /// Requires a content type other than `application/json`; `None` takes any.
    #[must_use]
    pub fn content_type(mut self, content_type: Option<&str>) -> Self {
        self.checks.content_type = content_type.map(str::to_owned);
        self
    }

    /// Requires a signature by one of the keys (Standard Webhooks).
    #[must_use]
    pub fn signing(mut self, signing: Signing) -> Self {
        self.checks.signing = Some(signing);
        self
    }

    /// Lets the time of a signature be this far from now, both ways, instead of
    /// [`DEFAULT_TOLERANCE`](crate::check::signature::DEFAULT_TOLERANCE).
    #[must_use]
    pub const fn signature_tolerance(mut self, tolerance: Duration) -> Self {
        self.checks.signature_tolerance = tolerance;
        self
    }

    /// Says what becomes of bodies that are odd.
    #[must_use]
    pub const fn strictness(mut self, strictness: Strictness) -> Self {
        self.checks.strictness = strictness;
        self
    }

    /// Reads bodies under these names.
    #[must_use]
    pub fn field_names(mut self, names: FieldNames) -> Self {
        self.checks.field_names = names;
        self
    }

    /// Leaves a check out, and those that cannot be without it: shape and sequence are read from the JSON.
    #[must_use]
    pub fn without(mut self, subject: Subject) -> Self {
        self.checks.leave_out(subject);
        self
    }

    /// Takes bodies up to `bytes` long, and at least one of these at once.
    #[must_use]
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.limits.body = bytes;
        let least = self.limits.under_way.max(bytes);
        self.max_under_way(least)
    }

    /// Reads so many bytes of bodies at once, over all connections; what is beyond is answered 503.
    #[must_use]
    pub fn max_under_way(mut self, bytes: usize) -> Self {
        self.limits.under_way = bytes.min(Semaphore::MAX_PERMITS);
        self
    }

    /// Waits this long for the end of a body.
    #[must_use]
    pub const fn body_timeout(mut self, limit: Duration) -> Self {
        self.limits.body_timeout = limit;
        self
    }

    /// Speaks TLS (HTTP/2 and HTTP/1.1 by ALPN) with this certificate.
    #[must_use]
    pub fn tls(mut self, identity: Identity) -> Self {
        self.tls = Some(identity);
        self
    }

    /// Has a certificate that is made be for this host name or address too. May be called several times, before
    /// [`Builder::make_tls`].
    #[must_use]
    pub fn tls_name(mut self, name: &str) -> Self {
        self.tls_names.push(name.to_owned());
        self
    }

    /// Speaks TLS with a certificate that is made now: a right one, or one that a sender should refuse. It is for the
    /// loopback's names, the address that it was told to listen on, and [`Builder::tls_name`].
    ///
    /// # Errors
    /// If one of these is no name, or the cryptography fails.
    pub fn make_tls(self, flaw: Flaw) -> Result<Self, IdentityError> {
        let made = tls::made::make(flaw, false, &self.names())?;
        Ok(self.made(made))
    }

    /// The same, and clients must show a certificate: [`MockReceiver::client_certificate`] is one.
    ///
    /// # Errors
    /// If the cryptography fails.
    pub fn make_tls_for_clients(self, flaw: Flaw) -> Result<Self, IdentityError> {
        let made = tls::made::make(flaw, true, &self.names())?;
        Ok(self.made(made))
    }

    /// What the certificate is for beside the loopback's names: what it was told, and where it listens.
    fn names(&self) -> Vec<String> {
        let host = self.listen.rsplit_once(':').map_or(&*self.listen, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let anywhere = host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
        let own = (!anywhere && !host.is_empty()).then(|| host.to_owned());
        self.tls_names.iter().cloned().chain(own).filter(|name| !NAMES.contains(&&**name)).collect()
    }

    fn made(mut self, made: Made) -> Self {
        (self.tls, self.ca, self.client) = (Some(made.identity), Some(made.ca), made.client);
        self
    }

    /// Does this wrong on purpose. May be called [`MAX_RULES`] times: the first rule that strikes decides.
    #[must_use]
    pub fn fault(mut self, rule: Rule) -> Self {
        if self.rules.len() < MAX_RULES {
            self.rules.push(rule);
        }
        self
    }

    /// Throws the dice of its faults from this seed on: the same requests meet the same faults.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Has an inspector on this address, `host:port`; port 0 takes a free one.
    #[must_use]
    pub fn inspect(mut self, address: &str) -> Self {
        self.inspect = Some(address.to_owned());
        self
    }

    /// Keeps at most so many captures; the oldest are dropped first, and counted.
    #[must_use]
    pub const fn keep(mut self, captures: usize) -> Self {
        self.keep = captures;
        self
    }

    /// What it will check.
    pub const fn checks(&mut self) -> &mut Checks {
        &mut self.checks
    }

    /// Calls `hook` with each capture, in their order, before its answer is sent. While it runs nothing else is judged: it
    /// must not block, nor ask anything of the receiver.
    #[must_use]
    pub fn on_capture(mut self, hook: impl Fn(&Arc<Capture>) + Send + Sync + 'static) -> Self {
        self.on_capture = Some(Box::new(hook));
        self
    }

    /// Starts it on the runtime that this is called on. It listens when this returns.
    ///
    /// # Errors
    /// If an address cannot be listened on.
    pub async fn start(self) -> Result<MockReceiver, StartError> {
        let listeners = Listeners::bind(&self.listen, self.inspect.as_deref())?;
        self.run(listeners, |listeners, served| {
            let mut tasks = Tasks::default();
            let (listener, inspector) = listeners.into_tokio()?;
            served.run(listener, inspector, &mut tasks);
            Ok(Running::Tasks { _tasks: tasks })
        })
    }

    /// Starts it on a thread of its own, for a test without a runtime. It listens when this returns.
    ///
    /// # Errors
    /// If an address cannot be listened on, or the system gives no thread.
    pub fn start_blocking(self) -> Result<MockReceiver, StartError> {
        let listeners = Listeners::bind(&self.listen, self.inspect.as_deref())?;
        self.run(listeners, |listeners, served| {
            let start = move || listeners.into_tokio();
            let thread = Thread::run(start, move |(listener, inspector)| async move {
                let mut tasks = Tasks::default();
                served.run(listener, inspector, &mut tasks);
                tasks.ended().await;
            });
            thread.map(|thread| Running::Thread { _thread: thread })
        })
    }

    fn run(
        self,
        listeners: Listeners,
        run: impl FnOnce(Listeners, Served) -> io::Result<Running>,
    ) -> Result<MockReceiver, StartError> {
        let captures = Captures::keeping(self.keep);
        let faults = (self.rules, self.seed);
        let path = self.checks.path.clone().unwrap_or_else(|| "/".to_owned());
        let desk = Arc::new(Desk::new(self.checks, self.limits, captures.clone(), self.on_capture, faults));
        let (address, inspector) =
            (listeners.address, listeners.inspector.as_ref().map(|(_, address)| *address));
        let secure = self.tls.is_some();
        let acceptor = self.tls.map(|identity| identity.acceptor());
        let url = super::url(secure, address, &path);
        let served = Served { acceptor, desk: Arc::clone(&desk), captures: captures.clone(), url };
        let running = run(listeners, served).map_err(|error| StartError { listen: self.listen, error })?;
        let (ca, client) = (self.ca, self.client);
        Ok(MockReceiver { address, path, secure, ca, client, captures, desk, inspector, _running: running })
    }
}

/// How many connections wait to be accepted at most; the system may allow fewer.
const BACKLOG: i32 = 4096;

/// The sockets of a receiver, before they belong to a runtime.
struct Listeners {
    listener: std::net::TcpListener,
    address: SocketAddr,
    inspector: Option<(std::net::TcpListener, SocketAddr)>,
}

impl Listeners {
    fn bind(listen: &str, inspect: Option<&str>) -> Result<Self, StartError> {
        let (listener, address) = bound(listen)?;
        Ok(Self { listener, address, inspector: inspect.map(bound).transpose()? })
    }

    fn into_tokio(self) -> io::Result<(TcpListener, Option<TcpListener>)> {
        let inspector = self.inspector.map(|(listener, _)| TcpListener::from_std(listener)).transpose()?;
        Ok((TcpListener::from_std(self.listener)?, inspector))
    }
}

fn bound(listen: &str) -> Result<(std::net::TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError { listen: listen.to_owned(), error };
    let listener = std::net::TcpListener::bind(listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    // The standard library lets 128 connections wait, which a burst of a load test overruns.
    rustix::net::listen(&listener, BACKLOG).map_err(|error| failed(error.into()))?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// What the sockets serve.
struct Served {
    acceptor: Option<TlsAcceptor>,
    desk: Arc<Desk>,
    captures: Captures,
    url: String,
}

impl Served {
    fn run(self, listener: TcpListener, inspector: Option<TcpListener>, tasks: &mut Tasks) {
        if let Some(inspector) = inspector {
            tasks.run(inspector::serve(inspector, self.captures, Arc::clone(&self.desk), self.url));
        }
        tasks.run(server::serve(listener, self.acceptor, self.desk));
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("listen", &self.listen)
            .field("checks", &self.checks)
            .finish_non_exhaustive()
    }
}
