//! A load that keeps account: what was acknowledged, and what was not is handed in again until it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Dice, pause, request};
use crate::run::root;

/// The sample of the documentation page, in one line.
pub(crate) fn sample() -> Result<serde_json::Value, String> {
    let file = root().join("crates/payload/src/sample.json");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// An update of an event.
pub(crate) fn update(sample: &serde_json::Value, event: &str, count: u64) -> String {
    let mut update = sample.clone();
    update["id"] = event.into();
    update["updatecount"] = count.into();
    update["alerttype"] = if count == 1 { "start" } else { "ongoing" }.into();
    update.to_string()
}

pub(crate) struct Load {
    acknowledged: Arc<Mutex<Vec<(String, u64)>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Hands updates in at `address` from `threads` threads, each with events of its own, with `pace` between two of them.
    pub(crate) fn start(address: &str, threads: u64, pace: Duration, seed: u64) -> Result<Self, String> {
        Self::named(address, threads, pace, seed, "load")
    }

    /// The same with events of another name.
    pub(crate) fn named(
        address: &str,
        threads: u64,
        pace: Duration,
        seed: u64,
        name: &str,
    ) -> Result<Self, String> {
        let (acknowledged, stop): (Arc<Mutex<Vec<_>>>, Arc<AtomicBool>) = Default::default();
        let sample = sample()?;
        let run = |thread: u64| {
            let (log, stop, sample) = (Arc::clone(&acknowledged), Arc::clone(&stop), sample.clone());
            let (address, prefix) = (address.to_owned(), name.to_owned());
            let mut dice = Dice::new(seed + thread);
            std::thread::spawn(move || {
                let mut counts = [0_u64; 32];
                while !stop.load(Ordering::SeqCst) {
                    let event = usize::try_from(dice.below(counts.len() as u64)).unwrap_or(0);
                    counts[event] += 1;
                    let name = format!("{prefix} {thread}-{event}");
                    let body = update(&sample, &name, counts[event]);
                    // An answer that was lost says nothing: the same update again is taken in once only.
                    while !matches!(request(&address, "POST", "/v1/updates", &body), Ok((202, _))) {
                        if stop.load(Ordering::SeqCst) {
                            return;
                        }
                        pause(Duration::from_millis(2));
                    }
                    log.lock().unwrap_or_else(PoisonError::into_inner).push((name, counts[event]));
                    if !pace.is_zero() {
                        pause(pace);
                    }
                }
            })
        };
        let threads = (0..threads).map(run).collect();
        Ok(Self { acknowledged, stop, threads })
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Event and count of all that was acknowledged so far.
    pub(crate) fn so_far(&self) -> Vec<(String, u64)> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it; gives event and count of all that was acknowledged.
    pub(crate) fn stop(self) -> Vec<(String, u64)> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            let _ = thread.join();
        }
        std::mem::take(&mut *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
