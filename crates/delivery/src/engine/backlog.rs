//! How many deliveries wait over all lanes, which [`Limits::backlog`](super::Limits) bounds.
//!
//! What is accepted is counted at once, as the store takes it; the rest as the loop hears of it. Lanes that are not open, not
//! yet or not any more, are counted here: the schedule does not know them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::LaneId;

pub(super) struct Backlog {
    total: Arc<AtomicU64>,
    /// What is counted of lanes that are not open.
    closed: HashMap<LaneId, u64>,
}

impl Backlog {
    pub(super) fn new(total: Arc<AtomicU64>) -> Self {
        Self { total, closed: HashMap::new() }
    }

    /// The loop heard of what was counted as it was accepted, and of how much of the lane that superseded.
    pub(super) fn heard(&mut self, lane: LaneId, open: bool, added: u64, superseded: u64) {
        if !open {
            *self.closed.entry(lane).or_default() += added;
        }
        self.gone(lane, open, superseded);
    }

    /// A lane is open from now on, with so many.
    pub(super) fn opened(&mut self, lane: LaneId, waiting: u64) {
        self.total.fetch_add(waiting, Ordering::Relaxed);
        self.less(self.closed.get(&lane).copied().unwrap_or_default());
        self.closed.remove(&lane);
    }

    /// A lane that was open with so many, if it was, is not any more.
    pub(super) fn closed(&mut self, lane: LaneId, waiting: Option<u64>) {
        self.closed.extend(waiting.map(|waiting| (lane, waiting)));
    }

    /// The store's own count of a lane, of which so many were counted if it is open.
    pub(super) fn recount(&mut self, lane: LaneId, open: Option<u64>, waiting: u64) {
        self.total.fetch_add(waiting, Ordering::Relaxed);
        let counted = open.or_else(|| self.closed.insert(lane, waiting));
        self.less(counted.unwrap_or_default());
    }

    /// So many are settled. Of a lane that is not open no more are taken off than were counted.
    pub(super) fn gone(&mut self, lane: LaneId, open: bool, settled: u64) {
        if open {
            return self.less(settled);
        }
        let counted = self.closed.entry(lane).or_default();
        let settled = settled.min(*counted);
        *counted -= settled;
        if *counted == 0 {
            self.closed.remove(&lane);
        }
        self.less(settled);
    }

    fn less(&self, settled: u64) {
        let less = |total: u64| Some(total.saturating_sub(settled));
        let _ = self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}
