//! The receiver as tests and the program start it: a builder, a running server, its captures.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use payload::FieldNames;
use tokio::net::TcpListener;

use crate::capture::{Capture, Captures, Counts, TooFew};
use crate::check::Checks;
use crate::check::credentials::Expected;
use crate::check::headers::{Required, RequiredError};
use crate::check::sequence::Sequences;
use crate::clock::Tasks;
use crate::server::tls::Identity;
use crate::server::{self, Desk, Limits, OnCapture};
use crate::verdict::Subject;

/// A receiver that runs until it is dropped.
#[derive(Debug)]
pub struct MockReceiver {
    address: SocketAddr,
    secure: bool,
    captures: Captures,
    _server: Tasks,
}

/// What a receiver will check, and where it will listen.
pub struct Builder {
    listen: String,
    checks: Checks,
    limits: Limits,
    tls: Option<Identity>,
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

impl MockReceiver {
    /// A receiver on a free port of the loopback address that checks method, content type, JSON, shape and sequence.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            listen: "127.0.0.1:0".to_owned(),
            checks: Checks::default(),
            limits: Limits::default(),
            tls: None,
            on_capture: None,
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, to point a sender at.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// What came so far, oldest first.
    #[must_use]
    pub fn captures(&self) -> Vec<Arc<Capture>> {
        self.captures.all()
    }

    /// How many requests there were.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.captures.counts()
    }

    /// Waits until `wanted` requests came in all, and gives the captures. Cancel safe.
    ///
    /// # Errors
    /// If they did not come within `limit`.
    pub async fn wait_for(&self, wanted: u64, limit: Duration) -> Result<Vec<Arc<Capture>>, TooFew> {
        self.captures.wait_for(wanted, limit).await
    }
}

impl Builder {
    /// Listens on `address`, `host:port`; port 0 takes a free one.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// Requires Basic credentials.
    #[must_use]
    pub fn credentials(mut self, username: &str, password: &str) -> Self {
        self.checks.credentials = Some(Expected::new(username, password));
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

    /// Requires a path.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.checks.path = Some(path.to_owned());
        self
    }

    /// Requires a content type other than `application/json`; `None` takes any.
    #[must_use]
    pub fn content_type(mut self, content_type: Option<&str>) -> Self {
        self.checks.content_type = content_type.map(str::to_owned);
        self
    }

    /// Reads bodies under these names.
    #[must_use]
    pub fn field_names(mut self, names: FieldNames) -> Self {
        self.checks.field_names = names;
        self
    }

    /// Leaves a check out.
    #[must_use]
    pub fn without(mut self, subject: Subject) -> Self {
        self.checks.without.insert(subject);
        self
    }

    /// Takes bodies up to `bytes` long.
    #[must_use]
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.limits.body = bytes;
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

    /// Calls `hook` with each capture, in their order, before its answer is sent. It must not block.
    #[must_use]
    pub fn on_capture(mut self, hook: impl Fn(&Capture) + Send + Sync + 'static) -> Self {
        self.on_capture = Some(Box::new(hook));
        self
    }

    /// Starts it. It listens when this returns.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn start(self) -> Result<MockReceiver, StartError> {
        let bound = match TcpListener::bind(&self.listen).await {
            Ok(listener) => listener.local_addr().map(|address| (listener, address)),
            Err(error) => Err(error),
        };
        let (listener, address) = bound.map_err(|error| StartError { listen: self.listen, error })?;
        let captures = Captures::default();
        let desk = Desk {
            checks: self.checks,
            limits: self.limits,
            captures: captures.clone(),
            on_capture: self.on_capture,
            sequences: Mutex::new(Sequences::default()),
        };
        let secure = self.tls.is_some();
        let acceptor = self.tls.map(|identity| identity.acceptor());
        let mut server = Tasks::default();
        server.run(server::serve(listener, acceptor, Arc::new(desk)));
        Ok(MockReceiver { address, secure, captures, _server: server })
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

// The Rust in the README is compiled and run with the documentation's own examples.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
