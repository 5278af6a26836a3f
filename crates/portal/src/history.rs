//! The last hour, for plots: what was counted by then, looked at every few seconds and kept in memory. A start begins anew.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often it is looked at.
pub(crate) const EVERY: Duration = Duration::from_secs(10);

/// How many looks are kept: an hour of them.
pub(crate) const LOOKS: usize = 361;

/// Bounds of how long it takes from an accept to its delivery, in milliseconds: each is about a third more than the one
/// before, so that a quantile is wrong by at most that.
const BOUNDS: [f64; 40] = bounds();

const fn bounds() -> [f64; 40] {
    let (mut bounds, mut at, mut bound) = ([0.0; 40], 0, 1.0);
    while at < bounds.len() {
        bounds[at] = bound;
        bound *= 1.35;
        at += 1;
    }
    bounds
}

/// What is counted from the start on.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) accepted: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) dead: AtomicU64,
    /// Taken in, and sent to nobody.
    pub(crate) nowhere: AtomicU64,
    waits: [AtomicU64; BOUNDS.len() + 1],
}

impl Default for Totals {
    fn default() -> Self {
        let none = AtomicU64::default;
        let waits = std::array::from_fn(|_| none());
        Self { accepted: none(), delivered: none(), failed: none(), dead: none(), nowhere: none(), waits }
    }
}

impl Totals {
    /// Counts how long a delivery took, waits and all.
    pub(crate) fn took(&self, took: Duration) {
        let milliseconds = took.as_secs_f64() * 1000.0;
        let slot = BOUNDS.iter().position(|bound| milliseconds <= *bound).unwrap_or(BOUNDS.len());
        self.waits[slot].fetch_add(1, Ordering::Relaxed);
    }

    fn look(&self, backlog: u64) -> Look {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Look {
            accepted: of(&self.accepted),
            delivered: of(&self.delivered),
            failed: of(&self.failed),
            dead: of(&self.dead),
            backlog,
            waits: self.waits.iter().map(of).collect(),
        }
    }
}

#[derive(Clone, Debug)]
struct Look {
    accepted: u64,
    delivered: u64,
    failed: u64,
    dead: u64,
    backlog: u64,
    waits: Box<[u64]>,
}

/// The looks, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<Look>>);

/// What happened between two looks; rates are a second's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) accepted: f64,
    pub(crate) delivered: f64,
    pub(crate) failed: f64,
    pub(crate) dead: f64,
    /// How many wait at the end of it.
    pub(crate) backlog: f64,
    /// In milliseconds, if anything was delivered.
    pub(crate) median: Option<f64>,
    pub(crate) slow: Option<f64>,
}

impl History {
    pub(crate) fn look(&self, totals: &Totals, backlog: u64) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() == LOOKS {
            looks.pop_front();
        }
        looks.push_back(totals.look(backlog));
    }

    /// What happened since, up to this moment, oldest first: an hour at most.
    pub(crate) fn steps(&self, totals: &Totals, backlog: u64) -> Vec<Step> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if looks.len() < 2 {
            looks.push_back(totals.look(backlog));
        }
        looks.iter().zip(looks.iter().skip(1)).map(|(before, after)| step(before, after)).collect()
    }
}

fn step(before: &Look, after: &Look) -> Step {
    let rate = |before: u64, after: u64| after.saturating_sub(before) as f64 / EVERY.as_secs_f64();
    let waits: Vec<u64> =
        before.waits.iter().zip(&after.waits).map(|(before, after)| after.saturating_sub(*before)).collect();
    Step {
        accepted: rate(before.accepted, after.accepted),
        delivered: rate(before.delivered, after.delivered),
        failed: rate(before.failed, after.failed),
        dead: rate(before.dead, after.dead),
        backlog: after.backlog as f64,
        median: quantile(&waits, 0.5),
        slow: quantile(&waits, 0.99),
    }
}

/// The bound below which so many lie.
fn quantile(waits: &[u64], share: f64) -> Option<f64> {
    let all: u64 = waits.iter().sum();
    let wanted = (all as f64 * share).ceil();
    let mut seen = 0;
    let slot = waits.iter().position(|count| {
        seen += count;
        seen > 0 && seen as f64 >= wanted
    })?;
    Some(BOUNDS[slot.min(BOUNDS.len() - 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_rates_between_looks_and_an_hour_is_kept() {
        let (history, totals) = (History::default(), Totals::default());
        assert_eq!(history.steps(&totals, 0), []);
        history.look(&totals, 0);
        totals.accepted.store(50, Ordering::Relaxed);
        for milliseconds in [1, 1, 2, 500] {
            totals.delivered.fetch_add(1, Ordering::Relaxed);
            totals.took(Duration::from_millis(milliseconds));
        }
        let now = history.steps(&totals, 7)[0];
        assert_eq!((now.accepted, now.delivered, now.backlog), (5.0, 0.4, 7.0));
        assert_eq!(now.median, Some(1.0));
        assert!(now.slow.is_some_and(|slow| (500.0..700.0).contains(&slow)), "{now:?}");
        for _ in 0..2 * LOOKS {
            history.look(&totals, 7);
        }
        let steps = history.steps(&totals, 7);
        assert_eq!((steps.len(), steps[0].accepted, steps[0].median), (LOOKS - 1, 0.0, None));
        totals.took(Duration::from_secs(1_000_000));
        history.look(&totals, 7);
        assert!(history.steps(&totals, 7).last().unwrap().median.is_some(), "beyond all bounds is the last");
    }
}
