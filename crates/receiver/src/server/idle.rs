//! Which connections have nothing under way, longest first: when room is wanted, the first of them goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    tick: u64,
    connections: BTreeMap<u64, Arc<Notify>>,
}

/// A connection's place among those that are idle; it leaves it when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    idle: Arc<Idle>,
    end: Arc<Notify>,
    state: Mutex<Occupied>,
}

#[derive(Debug)]
struct Occupied {
    under_way: usize,
    /// The tick since which nothing is under way.
    since: Option<u64>,
}

impl Idle {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the connection that has been idle for longest to end.
    pub(super) fn end_longest(&self) {
        if let Some((_, end)) = self.waiting().connections.pop_first() {
            end.notify_one();
        }
    }

    fn enter(&self, end: &Arc<Notify>) -> u64 {
        let mut waiting = self.waiting();
        waiting.tick += 1;
        let tick = waiting.tick;
        waiting.connections.insert(tick, Arc::clone(end));
        tick
    }
}

impl Seat {
    /// A new connection is idle.
    pub(super) fn take(idle: Arc<Idle>) -> Self {
        let end = Arc::new(Notify::new());
        let since = Some(idle.enter(&end));
        Self { idle, end, state: Mutex::new(Occupied { under_way: 0, since }) }
    }

    fn state(&self) -> MutexGuard<'_, Occupied> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the connection should end to make room.
    pub(super) async fn wanted(&self) {
        loop {
            self.end.notified().await;
            // A request may have come between the choice and the word; it is idle again when that has ended.
            if self.state().under_way == 0 {
                return;
            }
        }
    }

    /// A request is under way until what is given back is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        let mut state = self.state();
        state.under_way += 1;
        if let Some(since) = state.since.take() {
            self.idle.waiting().connections.remove(&since);
        }
        drop(state);
        Busy(Arc::clone(self))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(since) = self.state().since.take() {
            self.idle.waiting().connections.remove(&since);
        }
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.since = Some(self.0.idle.enter(&self.0.end));
        }
    }
}
