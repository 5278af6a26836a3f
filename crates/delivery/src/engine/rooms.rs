//! What lanes lent to the store: how much of what is appended it may claim for them in the same commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{AppendedBatch, Fault, Fresh, LaneId, Room, Store};

/// Set by the loop, used up by who appends. Cloning gives the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Rooms(Arc<Mutex<HashMap<LaneId, Room>>>);

impl Rooms {
    fn rooms(&self) -> MutexGuard<'_, HashMap<LaneId, Room>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, lane: LaneId, room: Room) {
        if room == Room::default() {
            self.rooms().remove(&lane);
        } else {
            self.rooms().insert(lane, room);
        }
    }

    fn of(&self, lane: LaneId) -> Room {
        // One body may always be claimed, so that none is asked for where there is no room for bytes.
        self.rooms().get(&lane).copied().filter(|room| room.bytes > 0).unwrap_or_default()
    }

    fn use_up(&self, lane: LaneId, fresh: &Fresh) {
        if let Some(room) = self.rooms().get_mut(&lane) {
            let bytes: u64 = fresh.offers.iter().map(|offer| offer.message.body.len() as u64).sum();
            room.count = room.count.saturating_sub(fresh.offers.len());
            room.bytes = room.bytes.saturating_sub(bytes);
        }
    }

    /// Claims of a batch that was appended just now what there is room for; gives by lane how many came, and what of them.
    pub(super) fn claim(
        &self,
        store: &mut dyn Store,
        batch: &AppendedBatch,
    ) -> Result<Vec<(LaneId, u64, Fresh)>, Fault> {
        let claim = |&(lane, added): &(LaneId, u64)| {
            let fresh = store.claim_appended(lane, self.of(lane))?;
            self.use_up(lane, &fresh);
            Ok((lane, added, fresh))
        };
        batch.added.iter().map(claim).collect()
    }
}
