//! Which connections have nothing under way, and since when: when room is wanted, the one that is idle for longest goes.
//!
//! Room is seldom wanted, and requests come all the time: each connection keeps its own account, and who wants room asks all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// A number for each connection, and for each moment at which one became idle.
    ticks: AtomicU64,
    places: Mutex<BTreeMap<u64, Arc<Place>>>,
}

#[derive(Debug)]
struct Place {
    end: Notify,
    state: Mutex<Occupied>,
}

#[derive(Debug)]
struct Occupied {
    under_way: usize,
    /// The tick since which nothing is under way; none either once it was told to end.
    since: Option<u64>,
}

/// A connection's place; it leaves it when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    idle: Arc<Idle>,
    number: u64,
    place: Arc<Place>,
}

impl Idle {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the connection that has been idle for longest to end.
    pub(super) fn end_longest(&self) {
        let places = self.places();
        let idle = places.values().filter_map(|place| Some((place.state().since?, place)));
        if let Some((_, place)) = idle.min_by_key(|(since, _)| *since) {
            place.state().since = None;
            place.end.notify_one();
        }
    }
}

impl Place {
    fn state(&self) -> MutexGuard<'_, Occupied> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// A new connection is idle.
    pub(super) fn take(idle: Arc<Idle>) -> Self {
        let number = idle.tick();
        let state = Mutex::new(Occupied { under_way: 0, since: Some(number) });
        let place = Arc::new(Place { end: Notify::new(), state });
        idle.places().insert(number, Arc::clone(&place));
        Self { idle, number, place }
    }

    /// Until the connection should end to make room.
    pub(super) async fn wanted(&self) {
        loop {
            self.place.end.notified().await;
            // A request may have come between the choice and the word; it is idle again when that has ended.
            if self.place.state().under_way == 0 {
                return;
            }
        }
    }

    /// A request is under way until what is given back is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        let mut state = self.place.state();
        state.under_way += 1;
        state.since = None;
        drop(state);
        Busy(Arc::clone(self))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.idle.places().remove(&self.number);
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.place.state();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.since = Some(self.0.idle.tick());
        }
    }
}
