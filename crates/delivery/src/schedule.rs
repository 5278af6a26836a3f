//! All lanes together: which attempt starts next. Pure.
//!
//! It is told what happened, and answers what to do. Lanes take turns, and each is held to its share of the global limit,
//! so that lanes whose attempts hang for long leave room for the others. A step costs as much as it has to do, not as much as
//! there is waiting.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::SystemTime;

use crate::clock::Timestamp;
use crate::lane::{DeliveryId, Finished, Gate, Lane, LaneSettings, Settled};
use crate::message::OrderKey;
use crate::outcome::Outcome;
use crate::retry::{Die, Disposition, Reason};

/// A lane, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u64);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make an attempt, and tell [`Schedule::finished`] how it ended.
    Start(LaneId, DeliveryId),
    /// This delivery has come to its end.
    Settle(LaneId, DeliveryId, Settled),
}

/// The state of all lanes.
#[derive(Debug)]
pub struct Schedule {
    lanes: HashMap<LaneId, Slot>,
    /// Lanes that may have something to start, in turn.
    turns: VecDeque<LaneId>,
    /// When lanes have something to do by themselves.
    timers: BTreeSet<(Timestamp, LaneId)>,
    /// Lanes that could do more if their share were larger.
    held: Vec<LaneId>,
    limit: usize,
    in_flight: usize,
    /// Lanes with a backlog.
    busy: usize,
}

#[derive(Debug)]
struct Slot {
    lane: Lane,
    in_turn: bool,
    timer: Option<Timestamp>,
    busy: bool,
}

impl Schedule {
    /// Without lanes; at most `limit` attempts under way at once over all of them.
    #[must_use]
    pub fn new(limit: NonZeroUsize) -> Self {
        Self {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            timers: BTreeSet::new(),
            held: Vec::new(),
            limit: limit.get(),
            in_flight: 0,
            busy: 0,
        }
    }

    /// Adds a lane, or gives an existing one other settings, which hold for its backlog too.
    pub fn set_lane(&mut self, id: LaneId, settings: LaneSettings) {
        match self.lanes.get_mut(&id) {
            Some(slot) => slot.lane.change(settings),
            None => {
                let lane = Lane::new(settings);
                self.lanes.insert(id, Slot { lane, in_turn: false, timer: None, busy: false });
            }
        }
        self.touch(id);
    }

    /// Removes a lane; all that it held is dead. Attempts under way are no longer of interest.
    pub fn remove_lane(&mut self, id: LaneId) -> Vec<Action> {
        let Some(slot) = self.lanes.remove(&id) else { return Vec::new() };
        if let Some(timer) = slot.timer {
            self.timers.remove(&(timer, id));
        }
        self.in_flight -= slot.lane.in_flight();
        self.busy -= usize::from(slot.busy);
        self.release_held();
        let dead = |delivery| Action::Settle(id, delivery, Settled::Dead(Reason::LaneRemoved));
        slot.lane.pending().map(dead).collect()
    }

    /// Pauses a lane, or lets it go on, also after a 410.
    pub fn set_gate(&mut self, id: LaneId, gate: Gate) {
        if let Some(slot) = self.lanes.get_mut(&id) {
            slot.lane.set_gate(gate);
            self.touch(id);
        }
    }

    /// A lane's state.
    #[must_use]
    pub fn lane(&self, id: LaneId) -> Option<&Lane> {
        self.lanes.get(&id).map(|slot| &slot.lane)
    }

    /// How many attempts are under way.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether nothing waits in any lane.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.busy == 0
    }

    /// A delivery was accepted. It is lost on a lane that does not exist.
    pub fn enqueue(
        &mut self,
        lane: LaneId,
        delivery: DeliveryId,
        key: OrderKey,
        supersedable: bool,
        now: Timestamp,
    ) -> Vec<Action> {
        let Some(slot) = self.lanes.get_mut(&lane) else { return Vec::new() };
        let superseded = slot.lane.enqueue(delivery, key, supersedable, now);
        self.touch(lane);
        superseded.into_iter().map(|earlier| Action::Settle(lane, earlier, Settled::Superseded)).collect()
    }

    /// An attempt ended. `None` if its lane is gone.
    pub fn finished(
        &mut self,
        lane: LaneId,
        delivery: DeliveryId,
        outcome: &Outcome,
        now: Timestamp,
        wall: SystemTime,
        die: Die,
    ) -> Option<(Finished, Option<Action>)> {
        let slot = self.lanes.get_mut(&lane)?;
        let finished = slot.lane.finished(delivery, outcome, now, wall, die)?;
        self.in_flight -= 1;
        self.touch(lane);
        let settled = match &finished.disposition {
            Disposition::Delivered => Some(Settled::Delivered),
            Disposition::Dead(reason) => Some(Settled::Dead(reason.clone())),
            Disposition::Repeat | Disposition::Retry(_) => None,
        };
        let action = settled.map(|settled| Action::Settle(lane, delivery, settled));
        Some((finished, action))
    }

    /// Something changed in a lane: it gets its turn.
    fn touch(&mut self, id: LaneId) {
        let Some(slot) = self.lanes.get_mut(&id) else { return };
        if !slot.in_turn {
            slot.in_turn = true;
            self.turns.push_back(id);
        }
        let busy = slot.lane.backlog() > 0;
        if busy != slot.busy {
            slot.busy = busy;
            if busy {
                self.busy += 1;
            } else {
                self.busy -= 1;
                self.release_held();
            }
        }
    }

    fn release_held(&mut self) {
        for id in std::mem::take(&mut self.held) {
            self.touch(id);
        }
    }

    /// How many attempts one lane may have under way: all, divided by those who have something to send.
    fn share(&self) -> usize {
        (self.limit / self.busy.max(1)).max(1)
    }

    /// What is to be done now: attempts to start, deliveries that expired.
    pub fn step(&mut self, now: Timestamp) -> Vec<Action> {
        while let Some(&(at, id)) = self.timers.first() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            if let Some(slot) = self.lanes.get_mut(&id) {
                slot.timer = None;
            }
            self.touch(id);
        }
        let mut actions = Vec::new();
        // A lane that could not start because of the global limit keeps its turn for the next step.
        while self.in_flight < self.limit {
            let Some(id) = self.turns.pop_front() else { break };
            self.turn(id, now, &mut actions);
        }
        actions
    }

    /// One lane's turn: it may start one attempt, and then queues up again.
    fn turn(&mut self, id: LaneId, now: Timestamp, actions: &mut Vec<Action>) {
        let share = self.share();
        let Some(slot) = self.lanes.get_mut(&id) else { return };
        slot.in_turn = false;
        let expired = slot.lane.expire(now);
        actions.extend(
            expired.iter().map(|&delivery| Action::Settle(id, delivery, Settled::Dead(Reason::Expired))),
        );
        if let Some(delivery) = slot.lane.start(share, now) {
            self.in_flight += 1;
            actions.push(Action::Start(id, delivery));
            self.touch(id);
            return;
        }
        if slot.lane.in_flight() >= share {
            self.held.push(id);
        }
        let wake = slot.lane.wake_at(share).map(|at| at.max(now.after(std::time::Duration::from_micros(1))));
        if let Some(before) = std::mem::replace(&mut slot.timer, wake) {
            self.timers.remove(&(before, id));
        }
        self.timers.extend(wake.map(|at| (at, id)));
        if !expired.is_empty() {
            // The count of busy lanes follows the backlog.
            self.touch(id);
        }
    }

    /// When to call [`Schedule::step`] again if nothing happens before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests;
