//! The receiver as tests and the program start it: a builder, a running server, its captures.

mod builder;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use builder::{Builder, StartError};

use crate::capture::{Capture, Captures, Counts, Missed};
use crate::clock::{Tasks, Thread};
use crate::expect::{Expectation, Times};
use crate::fault::{MAX_RULES, Rule};
use crate::request::Request;
use crate::server::Desk;

/// A receiver that runs until it is dropped.
pub struct MockReceiver {
    address: SocketAddr,
    path: String,
    secure: bool,
    ca: Option<String>,
    client: Option<String>,
    captures: Captures,
    desk: Arc<Desk>,
    inspector: Option<SocketAddr>,
    _running: Running,
}

/// Where the server runs; dropping it stops it.
#[derive(Debug)]
enum Running {
    Tasks { _tasks: Tasks },
    Thread { _thread: Thread },
}

impl std::fmt::Debug for MockReceiver {
    /// Where it listens; its keys do not print.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MockReceiver")
            .field("url", &self.url())
            .field("inspector", &self.inspector)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl MockReceiver {
    /// A receiver on a free port of the loopback address that checks method, content type, JSON, shape and sequence.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A receiver that checks as [`MockReceiver::builder`] says.
    ///
    /// # Errors
    /// If no port of the loopback address is free.
    pub async fn start() -> Result<Self, StartError> {
        Self::builder().start().await
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, to point a sender at: with the path that is required, or `/`.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.secure, self.address, &self.path)
    }

    /// The URL of its inspector, if it has one.
    #[must_use]
    pub fn inspector_url(&self) -> Option<String> {
        self.inspector.map(|address| format!("http://{address}/"))
    }

    /// The authority to trust, as PEM, if its certificate was made at start.
    #[must_use]
    pub fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// A certificate and key that a client can show, as PEM, if clients must and they were made at start.
    #[must_use]
    pub fn client_certificate(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// What came so far, oldest first; connections that came to no request are among them.
    #[must_use]
    pub fn captures(&self) -> Vec<Arc<Capture>> {
        self.captures.all()
    }

    /// The log itself, to wait on and to look up in.
    #[must_use]
    pub const fn log(&self) -> &Captures {
        &self.captures
    }

    /// How much came.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.captures.counts()
    }

    /// Waits until `wanted` requests came in all, and gives the captures. Cancel safe.
    ///
    /// # Errors
    /// If they did not come within `limit`, or some are no longer kept.
    pub async fn wait_for(&self, wanted: u64, limit: Duration) -> Result<Vec<Arc<Capture>>, Missed> {
        self.captures.wait_for(wanted, limit).await
    }

    /// The same for a test without a runtime.
    ///
    /// # Errors
    /// If they did not come within `limit`, or some are no longer kept.
    pub fn wait_for_blocking(&self, wanted: u64, limit: Duration) -> Result<Vec<Arc<Capture>>, Missed> {
        self.captures.wait_for_blocking(wanted, limit)
    }

    /// Expects so many requests: `3`, `1..`, `2..=4`. Conditions are added to what is given back, and it is awaited.
    pub fn expect(&self, times: impl Into<Times>) -> Expectation {
        Expectation::new(self.captures.clone(), times.into())
    }

    /// Puts these rules in force in place of those that are, [`MAX_RULES`] at most; their counts begin anew.
    pub fn set_faults(&self, rules: impl IntoIterator<Item = Rule>) {
        self.desk.set_faults(rules.into_iter().take(MAX_RULES).collect(), None);
    }

    /// The rules in force, and the seed.
    #[must_use]
    pub fn faults(&self) -> (Vec<Rule>, u64) {
        self.desk.faults()
    }

    /// Takes no more connections, lets what is under way end, and returns when it has ended or `limit` is over. Cancel safe.
    pub async fn close(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.desk.close()).await;
    }

    /// Forgets captures and what was counted. Sequences stay, and rules go on as they were.
    pub fn clear(&self) {
        self.captures.clear();
    }

    /// Forgets captures and sequences; rules begin anew. An event that goes on is not accused of lacking its start.
    pub fn reset(&self) {
        self.desk.reset();
    }

    /// Judges a request that was captured before, as though it came now.
    pub fn replay(&self, request: Request) {
        self.desk.take(request, None);
    }

    /// Adds a capture of an earlier run as it is.
    pub fn adopt(&self, capture: Capture) {
        self.desk.adopt(capture);
    }
}

fn url(secure: bool, address: SocketAddr, path: &str) -> String {
    let scheme = if secure { "https" } else { "http" };
    format!("{scheme}://{address}{path}")
}

// The Rust in the README is compiled and run with the documentation's own examples.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
