//! What the receiver saw: each request with its verdict and its answer, in a log of bounded size that can be waited on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::Notify;

use crate::request::Request;
use crate::verdict::Verdict;

/// How many captures are kept.
pub const MAX_CAPTURES: usize = 10_000;

/// How many bytes the kept requests may hold together.
pub const MAX_CAPTURED_BYTES: usize = 64 * 1024 * 1024;

/// A request, its verdict and its answer.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Its number in this run, from 1: captures are numbered in the order in which they were judged.
    pub number: u64,
    /// What came.
    pub request: Request,
    /// What was found.
    pub verdict: Verdict,
    /// What was answered.
    pub status: StatusCode,
}

/// The captures of a run, oldest first. Cloning gives the same log.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    log: Mutex<Log>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Log {
    kept: VecDeque<Arc<Capture>>,
    bytes: usize,
    counts: Counts,
}

/// How many requests there were, also those that are no longer kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub received: u64,
    /// Those in which every check passed.
    pub passed: u64,
    /// Those in which a check failed.
    pub failed: u64,
    /// Those that were dropped from the log to keep it within its bounds.
    pub dropped: u64,
}

/// Fewer requests came than were waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("waited {} s for {wanted} requests, but only {received} came", waited.as_secs_f32())]
pub struct TooFew {
    /// How many were waited for.
    pub wanted: u64,
    /// How many came.
    pub received: u64,
    /// For how long.
    pub waited: Duration,
}

impl Captures {
    fn log(&self) -> MutexGuard<'_, Log> {
        // The log is consistent after every statement, so a panic elsewhere does not spoil it.
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, capture: Arc<Capture>) {
        let mut log = self.log();
        log.counts.received += 1;
        if capture.verdict.passed() {
            log.counts.passed += 1;
        } else {
            log.counts.failed += 1;
        }
        log.bytes += capture.request.weight();
        log.kept.push_back(capture);
        while log.kept.len() > MAX_CAPTURES || (log.bytes > MAX_CAPTURED_BYTES && log.kept.len() > 1) {
            if let Some(oldest) = log.kept.pop_front() {
                log.bytes -= oldest.request.weight();
                log.counts.dropped += 1;
            }
        }
        drop(log);
        self.shared.arrived.notify_waiters();
    }

    /// Those that are kept, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Capture>> {
        self.log().kept.iter().cloned().collect()
    }

    /// How many there were.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.log().counts
    }

    /// Waits until `wanted` requests came in all, and gives those that are kept. Cancel safe.
    ///
    /// # Errors
    /// If they did not come within `limit`.
    pub async fn wait_for(&self, wanted: u64, limit: Duration) -> Result<Vec<Arc<Capture>>, TooFew> {
        let arrived = async {
            loop {
                let next = self.shared.arrived.notified();
                tokio::pin!(next);
                // From here on an arrival is noticed, also one between the look and the wait.
                next.as_mut().enable();
                if self.counts().received >= wanted {
                    return;
                }
                next.await;
            }
        };
        match tokio::time::timeout(limit, arrived).await {
            Ok(()) => Ok(self.all()),
            Err(_) => Err(TooFew { wanted, received: self.counts().received, waited: limit }),
        }
    }
}
