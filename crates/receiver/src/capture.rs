//! What the receiver saw: each request with its verdict and its answer, and each connection that came to none, in a log
//! of bounded size that can be waited on.

pub mod export;
mod missed;
pub mod record;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use tokio::sync::Notify;

use crate::fault::Struck;
use crate::request::{Connection, Request};
use crate::verdict::{Check, Finding, Problem, Subject, Verdict};
use crate::wire::Raw;

pub use missed::Missed;

/// How many captures are kept, if nothing else is said.
pub const MAX_CAPTURES: usize = 10_000;

/// How many bytes the kept captures may hold together.
pub const MAX_CAPTURED_BYTES: usize = 64 * 1024 * 1024;

/// What came, its verdict and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Its number in this run, from 1: captures are numbered in the order in which they were judged.
    pub number: u64,
    /// When it came.
    pub at: SystemTime,
    /// The connection it came on.
    pub connection: Connection,
    /// What came.
    pub arrival: Arrival,
    /// The event that an update names; `None` if there is no update, or it says neither whose it is nor what happened.
    pub event: Option<Event>,
    /// What was found.
    pub verdict: Verdict,
    /// What was answered, if anything.
    pub status: Option<StatusCode>,
    /// What went wrong on purpose.
    pub fault: Option<Struck>,
}

/// What came on a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrival {
    /// A request.
    Request(Box<Request>),
    /// Something that was meant to be a request, perhaps: a head that is malformed, too large, too slow or broke off.
    Head {
        /// The bytes; `None` for HTTP/2.
        raw: Option<Raw>,
        /// What is wrong with it, for a person.
        why: String,
    },
    /// A TLS handshake that did not come to its end. That a sender refuses a certificate is often what should happen.
    Handshake {
        /// How it ended, for a person.
        why: String,
    },
    /// Nothing: the connection was closed unused.
    Unused,
    /// No request in time, and others wanted its place.
    Evicted {
        /// What had come of one, if anything.
        raw: Option<Raw>,
    },
    /// A connection that met a fault before anything was read from it.
    Turned,
}

/// The event of an update, by its standard names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its id; one that is longer than [`MAX_REPEATED`](crate::verdict::MAX_REPEATED) is cut.
    pub id: Option<String>,
    /// `start`, `ongoing` or `end`, if the sender keeps to it.
    pub alerttype: Option<String>,
}

impl Capture {
    /// The request, if one came.
    #[must_use]
    pub fn request(&self) -> Option<&Request> {
        match &self.arrival {
            Arrival::Request(request) => Some(request),
            Arrival::Head { .. }
            | Arrival::Handshake { .. }
            | Arrival::Unused
            | Arrival::Evicted { .. }
            | Arrival::Turned => None,
        }
    }

    /// When it came, in seconds since 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> f64 {
        self.at.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }

    /// Whether it counts as a request: a broken head is one, a connection without any is not.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.arrival, Arrival::Request(_) | Arrival::Head { .. })
    }

    /// In a few words: method, target, alert type and event; or what there was instead of a request.
    #[must_use]
    pub fn summary(&self) -> String {
        let request = match &self.arrival {
            Arrival::Request(request) => request,
            Arrival::Head { .. } => return "(a head that is none)".to_owned(),
            Arrival::Handshake { .. } => return "(a TLS handshake that ended)".to_owned(),
            Arrival::Unused => return "(closed unused)".to_owned(),
            Arrival::Evicted { .. } => return "(closed to make room)".to_owned(),
            Arrival::Turned => return "(a connection that was not read)".to_owned(),
        };
        let event = self.event.as_ref();
        let of = |part: Option<&String>| part.map_or_else(String::new, |part| format!(" {part}"));
        let (kind, id) =
            (event.and_then(|event| event.alerttype.as_ref()), event.and_then(|event| event.id.as_ref()));
        format!("{} {}{}{}", request.method, request.target, of(kind), of(id))
    }

    /// Makes a capture of a connection that came to no request.
    pub(crate) fn without_request(
        number: u64,
        at: SystemTime,
        connection: Connection,
        arrival: Arrival,
    ) -> Self {
        let verdict =
            Verdict { checks: vec![Check { subject: Subject::Connection, finding: judge(&arrival) }] };
        let status = None;
        Self { number, at, connection, arrival, event: None, verdict, status, fault: None }
    }

    /// About how much memory it holds, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let arrival = match &self.arrival {
            Arrival::Request(request) => request.weight(),
            Arrival::Head { raw, .. } | Arrival::Evicted { raw } => {
                raw.as_ref().map_or(0, |raw| raw.bytes.len())
            }
            Arrival::Handshake { .. } | Arrival::Unused | Arrival::Turned => 0,
        };
        let texts = |event: &Event| {
            event.id.as_ref().map_or(0, String::len) + event.alerttype.as_ref().map_or(0, String::len)
        };
        let problems = self.verdict.checks.iter().flat_map(|check| check.finding.problems());
        size_of::<Self>()
            + arrival
            + self.event.as_ref().map_or(0, texts)
            + self.verdict.checks.len() * size_of::<Check>()
            + problems.map(Problem::weight).sum::<usize>()
    }
}

/// A broken head is a failure; a connection that came to nothing may be what was wanted.
fn judge(arrival: &Arrival) -> Finding {
    let problem = |what: &str, expected: &str, got: &str| vec![Problem::new(what, expected, got)];
    match arrival {
        Arrival::Request(_) => Finding::Passed,
        Arrival::Head { why, .. } => Finding::Failed(problem("head", "the head of a request", why)),
        Arrival::Handshake { why } => {
            Finding::Noted(problem("TLS handshake", "one that comes to its end", why))
        }
        Arrival::Unused => Finding::Noted(problem("connection", "a request", "a close, unused")),
        Arrival::Evicted { .. } => {
            let got = "none before others wanted the connection's place";
            Finding::Noted(problem("connection", "a request", got))
        }
        Arrival::Turned => Finding::Skipped("nothing was read from it".into()),
    }
}

/// The captures of a run, oldest first. Cloning gives the same log.
#[derive(Clone, Debug)]
pub struct Captures {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: usize,
    log: Mutex<Log>,
    arrived: Notify,
    /// The same for threads without a runtime.
    arrived_blocking: Condvar,
}

#[derive(Debug, Default)]
struct Log {
    /// Each with its weight.
    kept: VecDeque<(Arc<Capture>, usize)>,
    bytes: usize,
    /// How many threads wait on the condition: telling it is a call of the system, whether somebody listens or not.
    blocked: usize,
    counts: Counts,
    /// The number of the latest capture.
    latest: u64,
    /// How often all were forgotten.
    epoch: u64,
}

/// How much came, also what is no longer kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests, broken ones among them.
    pub received: u64,
    /// Those in which no check failed.
    pub passed: u64,
    /// Those in which a check failed.
    pub failed: u64,
    /// Connections that came to no request.
    pub without_request: u64,
    /// Captures that were dropped from the log to keep it within its bounds.
    pub dropped: u64,
}

impl Captures {
    /// An empty log that keeps at most `limit` captures, and [`MAX_CAPTURED_BYTES`].
    #[must_use]
    pub fn keeping(limit: usize) -> Self {
        let (log, arrived, arrived_blocking) = (Mutex::default(), Notify::new(), Condvar::new());
        Self { shared: Arc::new(Shared { limit: limit.max(1), log, arrived, arrived_blocking }) }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // The log is consistent after every statement, so a panic elsewhere does not spoil it.
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number that the next capture will have. Only whoever records may rely on it.
    pub(crate) fn next_number(&self) -> u64 {
        self.log().latest + 1
    }

    /// Gives back what had to go, so that it is dropped where nobody waits for a lock.
    pub(crate) fn record(&self, capture: Arc<Capture>) -> Vec<Arc<Capture>> {
        let (weight, mut dropped) = (capture.weight(), Vec::new());
        let mut log = self.log();
        log.latest = capture.number;
        match (capture.is_request(), capture.verdict.passed()) {
            (false, _) => log.counts.without_request += 1,
            (true, true) => log.counts.passed += 1,
            (true, false) => log.counts.failed += 1,
        }
        log.counts.received = log.counts.passed + log.counts.failed;
        log.bytes += weight;
        log.kept.push_back((capture, weight));
        while log.kept.len() > self.shared.limit || (log.bytes > MAX_CAPTURED_BYTES && log.kept.len() > 1) {
            if let Some((oldest, weight)) = log.kept.pop_front() {
                log.bytes -= weight;
                log.counts.dropped += 1;
                dropped.push(oldest);
            }
        }
        self.tell(log);
        dropped
    }

    fn tell(&self, log: MutexGuard<'_, Log>) {
        let blocked = log.blocked > 0;
        drop(log);
        self.shared.arrived.notify_waiters();
        if blocked {
            self.shared.arrived_blocking.notify_all();
        }
    }

    /// Those that are kept, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Capture>> {
        self.log().kept.iter().map(|(capture, _)| Arc::clone(capture)).collect()
    }

    /// At most `limit` of those with a number above `number`, oldest first.
    #[must_use]
    pub fn after(&self, number: u64, limit: usize) -> Vec<Arc<Capture>> {
        let log = self.log();
        let first = log.kept.partition_point(|(capture, _)| capture.number <= number);
        log.kept.range(first..).take(limit).map(|(capture, _)| Arc::clone(capture)).collect()
    }

    /// One by its number, if it is kept.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Arc<Capture>> {
        let log = self.log();
        let at = log.kept.binary_search_by_key(&number, |(capture, _)| capture.number).ok()?;
        log.kept.get(at).map(|(capture, _)| Arc::clone(capture))
    }

    /// How many there were.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.log().counts
    }

    /// Forgets all of them, and what was counted; numbers go on.
    pub fn clear(&self) {
        let mut log = self.log();
        *log = Log { latest: log.latest, epoch: log.epoch + 1, blocked: log.blocked, ..Log::default() };
        self.tell(log);
    }

    /// How often all of them were forgotten.
    pub(crate) fn epoch(&self) -> u64 {
        self.log().epoch
    }

    /// Waits until something changed after `look` gave nothing, and looks again, until `limit`. Cancel safe.
    pub async fn until<T>(&self, limit: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let found = async {
            loop {
                let next = self.shared.arrived.notified();
                tokio::pin!(next);
                // From here on an arrival is noticed, also one between the look and the wait.
                next.as_mut().enable();
                if let Some(found) = look(self) {
                    return found;
                }
                next.await;
            }
        };
        tokio::time::timeout(limit, found).await.ok()
    }

    /// The same for a thread without a runtime, which it blocks.
    pub fn until_blocking<T>(&self, limit: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        let watch = crate::clock::Stopwatch::start();
        loop {
            let latest = self.log().latest;
            if let Some(found) = look(self) {
                return Some(found);
            }
            let left = limit.checked_sub(watch.elapsed()).filter(|left| !left.is_zero())?;
            let mut log = self.log();
            if log.latest == latest {
                log.blocked += 1;
                let waited = self.shared.arrived_blocking.wait_timeout(log, left);
                waited.unwrap_or_else(PoisonError::into_inner).0.blocked -= 1;
            }
        }
    }

    /// Waits until `wanted` requests came in all, and gives the captures. Cancel safe.
    ///
    /// # Errors
    /// If they did not come within `limit`, or some are no longer kept.
    pub async fn wait_for(&self, wanted: u64, limit: Duration) -> Result<Vec<Arc<Capture>>, Missed> {
        let found = self.until(limit, |captures| captures.enough(wanted)).await;
        found.unwrap_or_else(|| Err(self.too_few(wanted, limit)))
    }

    /// The same for a thread without a runtime, which it blocks.
    ///
    /// # Errors
    /// If they did not come within `limit`, or some are no longer kept.
    pub fn wait_for_blocking(&self, wanted: u64, limit: Duration) -> Result<Vec<Arc<Capture>>, Missed> {
        let found = self.until_blocking(limit, |captures| captures.enough(wanted));
        found.unwrap_or_else(|| Err(self.too_few(wanted, limit)))
    }

    fn enough(&self, wanted: u64) -> Option<Result<Vec<Arc<Capture>>, Missed>> {
        let Counts { received, dropped, .. } = self.counts();
        let given = || if dropped > 0 { Err(Missed::Dropped { wanted, dropped }) } else { Ok(self.all()) };
        (received >= wanted).then(given)
    }

    fn too_few(&self, wanted: u64, waited: Duration) -> Missed {
        Missed::TooFew { wanted, received: self.counts().received, waited }
    }
}

#[cfg(test)]
mod tests;
