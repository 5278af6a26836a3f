//! Who is connected, and who of them has nothing under way: when there is no place for another, the one that has been still
//! for longest goes. Otherwise whoever opens connections and says nothing would keep everybody else out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The places that are taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    /// Counts what happens, so that it is known who has been still for longer.
    turn: u64,
    places: HashMap<u64, Still>,
}

#[derive(Debug)]
struct Still {
    under_way: usize,
    since: u64,
    leave: Arc<Notify>,
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, until it is dropped.
    pub(super) fn take(&self) -> Place {
        let mut taken = self.taken();
        taken.turn += 1;
        let (id, leave) = (taken.turn, Arc::new(Notify::new()));
        taken.places.insert(id, Still { under_way: 0, since: id, leave: Arc::clone(&leave) });
        Place { of: self.clone(), id, leave }
    }

    /// Asks the connection that has been still for longest to leave; there may be none.
    pub(super) fn make_room(&self) {
        let taken = self.taken();
        let still = taken.places.values().filter(|place| place.under_way == 0);
        if let Some(longest) = still.min_by_key(|place| place.since) {
            longest.leave.notify_one();
        }
    }

    fn count(&self, id: u64, change: impl FnOnce(&mut usize)) {
        let mut taken = self.taken();
        taken.turn += 1;
        let turn = taken.turn;
        if let Some(place) = taken.places.get_mut(&id) {
            change(&mut place.under_way);
            place.since = turn;
        }
    }
}

/// The place of a connection.
#[derive(Debug)]
pub(super) struct Place {
    of: Places,
    id: u64,
    leave: Arc<Notify>,
}

impl Place {
    /// A request is under way until what is given back is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.of.count(self.id, |under_way| *under_way += 1);
        Busy(Arc::clone(self))
    }

    /// Until it is wanted for another.
    pub(super) async fn wanted(&self) {
        loop {
            self.leave.notified().await;
            // A request may have come between the choice and the word.
            if self.of.taken().places.get(&self.id).is_none_or(|place| place.under_way == 0) {
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.taken().places.remove(&self.id);
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Busy(Arc<Place>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.of.count(self.0.id, |under_way| *under_way -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(place: &Place) -> bool {
        let mut wanted = std::pin::pin!(place.wanted());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        wanted.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn who_has_been_still_for_longest_goes_and_nobody_who_is_busy() {
        let places = Places::default();
        let [first, second, third] = [0; 3].map(|_| Arc::new(places.take()));
        let busy = first.busy();
        places.make_room();
        assert_eq!([&first, &second, &third].map(|place| leaves(place)), [false, true, false]);
        drop(busy);
        drop(second);
        places.make_room();
        assert_eq!(
            [&first, &third].map(|place| leaves(place)),
            [false, true],
            "the first was busy until now"
        );
        let (one, other) = (first.busy(), third.busy());
        places.make_room();
        assert_eq!([&first, &third].map(|place| leaves(place)), [false, false]);
        drop((one, other, first, third));
        assert!(places.taken().places.is_empty());
    }
}
