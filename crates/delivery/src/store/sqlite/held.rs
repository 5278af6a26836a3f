//! What is held of the lanes in memory, beside the file, and how it is taken back when a transaction is.

use foldhash::HashMap;

use super::SqliteStore;
use super::rows::{LaneRow, Pending};
use super::young::Delivery;
use crate::store::{DeliveryId, LaneId};

/// What is held of a lane in memory.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) row: LaneRow,
    pub(super) backlog: u64,
    /// Whether heads of it may have records: if not, there is no need to look for what is due in the file.
    pub(super) in_file: bool,
    /// The head of each key, by the key's hash.
    pub(super) heads: HashMap<i64, DeliveryId>,
    /// As they were read: nothing but [`Store::finish`] changes them.
    pub(super) claimed: HashMap<DeliveryId, Pending>,
}

/// How to take back what is held in memory when a transaction is.
#[derive(Debug)]
pub(super) enum Undo {
    Claimed(LaneId, DeliveryId),
    Released(Pending),
    Lane(LaneId, Option<(LaneRow, u64, bool)>),
    Head(LaneId, i64, Option<DeliveryId>),
    NextMessage(i64),
    Young((LaneId, DeliveryId), Option<Delivery>),
}

impl Held {
    /// Whether anything stands behind a head. Every head is in the backlog, and what else is there is no head: so it is asked
    /// before a head that is settled is taken out of either.
    pub(super) fn has_followers(&self) -> bool {
        self.backlog != self.heads.len() as u64
    }

    /// Gives the one that was there before.
    fn set_head(&mut self, keyh: i64, head: Option<DeliveryId>) -> Option<DeliveryId> {
        match head {
            Some(head) => self.heads.insert(keyh, head),
            None => self.heads.remove(&keyh),
        }
    }
}

impl SqliteStore {
    /// Once a transaction: the first is what an abort goes back to.
    pub(super) fn remember_lane(&mut self, id: LaneId) {
        if !self.remembered.insert(id) {
            return;
        }
        let before = self.lanes.get(&id).map(|held| (held.row.clone(), held.backlog, held.in_file));
        self.undo.push(Undo::Lane(id, before));
    }

    pub(super) fn forget_undo(&mut self) {
        self.undo.clear();
        self.remembered.clear();
    }

    /// The head of a key.
    pub(super) fn head(&self, lane: LaneId, keyh: i64) -> Option<DeliveryId> {
        self.lanes.get(&lane)?.heads.get(&keyh).copied()
    }

    pub(super) fn set_head(&mut self, lane: LaneId, keyh: i64, head: Option<DeliveryId>) {
        if let Some(held) = self.lanes.get_mut(&lane) {
            let before = held.set_head(keyh, head);
            self.undo.push(Undo::Head(lane, keyh, before));
        }
    }

    /// Whether heads of a lane may have records.
    pub(super) fn set_in_file(&mut self, lane: LaneId, in_file: bool) {
        self.remember_lane(lane);
        if let Some(held) = self.lanes.get_mut(&lane) {
            held.in_file = in_file;
        }
    }

    pub(super) fn is_in_file(&self, lane: LaneId) -> bool {
        self.lanes.get(&lane).is_some_and(|held| held.in_file)
    }

    pub(super) fn mark_claimed(&mut self, pending: Pending) {
        let (lane, id) = (pending.lane, pending.n);
        if let Some(held) = self.lanes.get_mut(&lane)
            && held.claimed.insert(id, pending).is_none()
        {
            self.undo.push(Undo::Claimed(lane, id));
        }
    }

    /// Ends a claim; gives what was claimed, if it was.
    pub(super) fn release(&mut self, lane: LaneId, id: DeliveryId) -> Option<Pending> {
        let pending = self.lanes.get_mut(&lane)?.claimed.remove(&id)?;
        self.undo.push(Undo::Released(pending.clone()));
        Some(pending)
    }

    pub(super) fn is_claimed(&self, lane: LaneId, id: DeliveryId) -> bool {
        self.lanes.get(&lane).is_some_and(|held| held.claimed.contains_key(&id))
    }

    pub(super) fn claims(&self, lane: LaneId) -> usize {
        self.lanes.get(&lane).map_or(0, |held| held.claimed.len())
    }

    /// Takes back what was done since the last commit.
    pub(super) fn take_back(&mut self) {
        self.fresh.clear();
        self.remembered.clear();
        for undo in std::mem::take(&mut self.undo).into_iter().rev() {
            match undo {
                Undo::Claimed(lane, id) => {
                    self.lanes.get_mut(&lane).map(|held| held.claimed.remove(&id));
                }
                Undo::Released(pending) => {
                    self.lanes.get_mut(&pending.lane).map(|held| held.claimed.insert(pending.n, pending));
                }
                Undo::Lane(lane, None) => {
                    self.lanes.remove(&lane);
                }
                Undo::Lane(lane, Some((row, backlog, in_file))) => {
                    if let Some(held) = self.lanes.get_mut(&lane) {
                        (held.row, held.backlog, held.in_file) = (row, backlog, in_file);
                    }
                }
                Undo::Head(lane, keyh, before) => {
                    if let Some(held) = self.lanes.get_mut(&lane) {
                        held.set_head(keyh, before);
                    }
                }
                Undo::NextMessage(next) => self.next_message = next,
                Undo::Young(place, before) => {
                    self.young.set(place, before);
                }
            }
        }
    }
}
