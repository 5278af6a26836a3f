//! All lanes together: which attempt starts next. Pure.
//!
//! It is told what happened, and answers what to do. Lanes take turns, and each is held to its share of the global limit,
//! so that lanes whose attempts hang for long leave room for the others. A step costs as much as it has to do, not as much as
//! there is waiting.
//!
//! Its promises are tested by `tests/simulation`, which plays it against receivers that fail in every way.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use foldhash::{HashMap, HashMapExt};

use crate::clock::Timestamp;
use crate::lane::{Arrived, Claimed, Finished, Lane, LaneSettings, Share};
use crate::outcome::Outcome;
use crate::retry::{Die, Reason};
use crate::store::{DeliveryId, Gate, LaneId, LaneRecord, LaneState, Room, Settled, Wanted};

/// How many deliveries are claimed at once over all lanes, but for twice what may be under way.
const MAX_CLAIMS: usize = 8192;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make an attempt, and tell [`Schedule::finished`] how it ended.
    Start(LaneId, DeliveryId),
    /// This claimed delivery has come to its end; tell [`Schedule::closed`] when the store has it.
    Settle(LaneId, DeliveryId, Settled),
    /// Claim from the store, and tell [`Schedule::took`] what it gave.
    Claim(Wanted),
    /// Settle as expired what the store has that was accepted then or before, and tell [`Schedule::swept`].
    Sweep(LaneId, Timestamp),
    /// From now on, claim so much of what is appended for this lane in the same commit, and tell [`Schedule::arrived`].
    Lend(LaneId, Room),
    /// Keep a lane's state.
    Save(LaneId, LaneState),
}

/// The state of all lanes.
#[derive(Debug)]
pub struct Schedule {
    /// Boxed: the table has up to twice as many places as there are lanes.
    lanes: HashMap<LaneId, Box<Slot>>,
    /// Lanes that may have something to do, in turn.
    turns: VecDeque<LaneId>,
    /// When lanes have something to do by themselves.
    timers: BTreeSet<(Timestamp, LaneId)>,
    /// Lanes that could do more if their share were larger.
    held: BTreeSet<LaneId>,
    limit: Share,
    in_flight: usize,
    bytes_in_flight: u64,
    /// Lanes with a backlog.
    busy: usize,
}

#[derive(Debug)]
struct Slot {
    lane: Lane,
    saved: LaneState,
    in_turn: bool,
    timer: Option<Timestamp>,
    busy: bool,
    lent: Room,
}

impl Schedule {
    /// Without lanes; at most `attempts` under way at once over all of them, and with them no more than `bytes` of bodies, but
    /// for the one that passes it.
    #[must_use]
    pub fn new(attempts: NonZeroUsize, bytes: u64) -> Self {
        Self {
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            timers: BTreeSet::new(),
            held: BTreeSet::new(),
            limit: Share { attempts: attempts.get(), claims: MAX_CLAIMS, bytes },
            in_flight: 0,
            bytes_in_flight: 0,
            busy: 0,
        }
    }

    /// Adds a lane as the store has it, or gives an existing one other settings, which hold for its backlog too.
    pub fn set_lane(&mut self, record: &LaneRecord, settings: LaneSettings, now: Timestamp) {
        match self.lanes.get_mut(&record.id) {
            Some(slot) => slot.lane.change(settings),
            None => {
                let lane = Lane::new(settings, record, now);
                let (saved, lent) = (record.state, Room::default());
                let slot = Slot { lane, saved, in_turn: false, timer: None, busy: false, lent };
                self.lanes.insert(record.id, Box::new(slot));
            }
        }
        self.touch(record.id);
    }

    /// Removes a lane; gives what it had claimed and not started. Attempts under way are no longer of interest, and what the
    /// store has is the caller's to settle.
    pub fn remove_lane(&mut self, id: LaneId) -> Vec<DeliveryId> {
        let Some(slot) = self.lanes.remove(&id) else { return Vec::new() };
        if let Some(timer) = slot.timer {
            self.timers.remove(&(timer, id));
        }
        self.in_flight -= slot.lane.in_flight();
        self.bytes_in_flight -= slot.lane.bytes_in_flight();
        self.busy -= usize::from(slot.busy);
        self.release_held();
        slot.lane.idle().collect()
    }

    /// Pauses a lane, or lets it go on, also after a 410.
    pub fn set_gate(&mut self, id: LaneId, gate: Gate) {
        self.with(id, |lane| lane.set_gate(gate));
    }

    /// A lane's state.
    #[must_use]
    pub fn lane(&self, id: LaneId) -> Option<&Lane> {
        self.lanes.get(&id).map(|slot| &slot.lane)
    }

    /// All lanes.
    pub fn lanes(&self) -> impl Iterator<Item = (LaneId, &Lane)> {
        self.lanes.iter().map(|(id, slot)| (*id, &slot.lane))
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

    fn with(&mut self, id: LaneId, change: impl FnOnce(&mut Lane)) {
        if let Some(slot) = self.lanes.get_mut(&id) {
            change(&mut slot.lane);
            self.touch(id);
        }
    }

    /// The store has more deliveries of a lane.
    pub fn arrived(&mut self, lane: LaneId, arrived: Arrived<'_>, now: Timestamp) {
        self.with(lane, |lane| lane.arrived(arrived, now));
    }

    /// The store's own count of a lane, after a fault in which something may have been added unheard.
    pub fn recount(&mut self, record: &LaneRecord, now: Timestamp) {
        self.with(record.id, |lane| lane.recount(record.backlog, record.oldest, now));
    }

    /// What a claim gave; `next` is when there is more, `gone` how many were damaged.
    pub fn took(
        &mut self,
        lane: LaneId,
        claimed: &[Claimed],
        next: Option<Timestamp>,
        oldest: Option<Timestamp>,
        gone: u64,
    ) {
        self.with(lane, |lane| lane.take(claimed, next, oldest, gone));
    }

    /// The store has a claimed delivery back: settled, or parked; `due` is when the head of its key is due.
    pub fn closed(&mut self, lane: LaneId, delivery: DeliveryId, settled: bool, due: Option<Timestamp>) {
        self.with(lane, |lane| lane.closed(delivery, settled, due));
    }

    /// What expired in the store was settled.
    pub fn swept(&mut self, lane: LaneId, settled: u64, oldest: Option<Timestamp>, now: Timestamp) {
        self.with(lane, |lane| lane.swept(settled, oldest, now));
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
    ) -> Option<Finished> {
        let slot = self.lanes.get_mut(&lane)?;
        let before = slot.lane.bytes_in_flight();
        let finished = slot.lane.finished(delivery, outcome, now, wall, die)?;
        self.in_flight -= 1;
        self.bytes_in_flight -= before - slot.lane.bytes_in_flight();
        self.touch(lane);
        Some(finished)
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

    /// What one lane may have under way: all, divided by those who have something to send.
    fn share(&self) -> Share {
        let busy = self.busy.max(1);
        Share {
            attempts: (self.limit.attempts / busy).max(1),
            claims: self.limit.claims / busy,
            bytes: self.limit.bytes / busy as u64,
        }
    }

    /// What is to be done now.
    pub fn step(&mut self, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        self.step_into(now, &mut actions);
        actions
    }

    /// The same, behind what is in `actions` already: one buffer does for all steps.
    pub fn step_into(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
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
        // A lane that could not start because of the global limit keeps its turn for the next step.
        while self.in_flight < self.limit.attempts && self.bytes_in_flight < self.limit.bytes {
            let Some(id) = self.turns.pop_front() else { break };
            self.turn(id, now, actions);
        }
    }

    /// One lane's turn: it may start one attempt, and then queues up again.
    fn turn(&mut self, id: LaneId, now: Timestamp, actions: &mut Vec<Action>) {
        let share = self.share();
        let Some(slot) = self.lanes.get_mut(&id) else { return };
        slot.in_turn = false;
        let dead = |delivery| Action::Settle(id, delivery, Settled::Dead(Reason::Expired));
        actions.extend(slot.lane.expire(now).into_iter().map(dead));
        actions.extend(slot.lane.sweep(now).map(|until| Action::Sweep(id, until)));
        let before = slot.lane.bytes_in_flight();
        if let Some(delivery) = slot.lane.start(share, now) {
            self.in_flight += 1;
            self.bytes_in_flight += slot.lane.bytes_in_flight() - before;
            actions.push(Action::Start(id, delivery));
            self.touch(id);
            return;
        }
        let ask = slot.lane.ask(share, now);
        actions.extend(ask.map(|ask| {
            Action::Claim(Wanted { lane: id, limit: ask.limit, epoch: ask.epoch, bytes: ask.bytes })
        }));
        let lent = slot.lane.lends(share, now);
        if lent.count > 0 || lent != slot.lent {
            slot.lent = lent;
            actions.push(Action::Lend(id, lent));
        }
        let state = slot.lane.state();
        if state != slot.saved {
            slot.saved = state;
            actions.push(Action::Save(id, state));
        }
        if slot.lane.in_flight() >= share.attempts || slot.lane.bytes_in_flight() >= share.bytes {
            self.held.insert(id);
        }
        let wake = slot.lane.wake_at(share).map(|at| at.max(now.after(Duration::from_micros(1))));
        if let Some(before) = std::mem::replace(&mut slot.timer, wake) {
            self.timers.remove(&(before, id));
        }
        self.timers.extend(wake.map(|at| (at, id)));
    }

    /// When to call [`Schedule::step`] again if nothing happens before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::outcome::Answer;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    /// How many of three lanes start, each of which has a body of 100 bytes.
    fn started(limit: u64) -> usize {
        let mut schedule = Schedule::new(NonZeroUsize::MAX, limit);
        for lane in (1..=3).map(LaneId) {
            let (name, state) = (format!("{lane:?}"), LaneState::default());
            let record = LaneRecord { id: lane, name, state, backlog: 1, oldest: Some(NOW) };
            schedule.set_lane(&record, LaneSettings::default(), NOW);
            let claimed = Claimed { id: DeliveryId(1), attempts: 0, accepted: NOW, bytes: 100 };
            schedule.took(lane, &[claimed], None, Some(NOW), 0);
        }
        let actions = schedule.step(NOW);
        actions.iter().filter(|action| matches!(action, Action::Start(..))).count()
    }

    #[test]
    fn over_all_lanes_the_body_that_passes_the_bound_is_the_last_that_goes() {
        for (limit, many) in [(1, 1), (100, 1), (101, 2), (200, 2), (201, 3)] {
            assert_eq!(started(limit), many, "{limit}");
        }
    }

    fn finish(schedule: &mut Schedule, lane: LaneId, delivery: u64) {
        let id = DeliveryId(delivery);
        let answer = Answer { status: http::StatusCode::OK, retry_after: None };
        let outcome = Outcome::Answered(answer);
        assert!(schedule.finished(lane, id, &outcome, NOW, UNIX_EPOCH, Die::new(1.0)).is_some());
        schedule.closed(lane, id, true, None);
    }

    /// Lanes from 1 on with two claimed bodies of 100 bytes each.
    fn with_lanes(lanes: u64, attempts: usize, bytes: u64) -> Schedule {
        let mut schedule = Schedule::new(NonZeroUsize::new(attempts).unwrap(), bytes);
        for lane in (1..=lanes).map(LaneId) {
            let (name, state) = (format!("{lane:?}"), LaneState::default());
            let record = LaneRecord { id: lane, name, state, backlog: 2, oldest: Some(NOW) };
            schedule.set_lane(&record, LaneSettings::default(), NOW);
            let claimed = |id| Claimed { id: DeliveryId(id), attempts: 0, accepted: NOW, bytes: 100 };
            schedule.took(lane, &[claimed(1), claimed(2)], None, Some(NOW), 0);
        }
        schedule
    }

    /// What is started now: lanes, and deliveries of theirs.
    fn starts(schedule: &mut Schedule) -> Vec<(u64, u64)> {
        let start = |action| match action {
            Action::Start(lane, delivery) => Some((lane.0, delivery.0)),
            _ => None,
        };
        schedule.step(NOW).into_iter().filter_map(start).collect()
    }

    #[test]
    fn what_a_lane_had_under_way_is_free_for_others_when_it_is_removed() {
        // Both lanes are at their share: of all attempts, of all bytes; and with all of them, nothing is left for a turn.
        for (attempts, bytes) in [(3, 100_000), (100, 201), (2, 200)] {
            let mut schedule = with_lanes(2, attempts, bytes);
            assert_eq!(starts(&mut schedule), [(1, 1), (2, 1)]);
            assert_eq!(schedule.in_flight(), 2);
            assert_eq!(
                schedule.remove_lane(LaneId(1)),
                [DeliveryId(2)],
                "what it had claimed and not started"
            );
            assert_eq!(schedule.remove_lane(LaneId(1)), []);
            assert_eq!(schedule.in_flight(), 1);
            assert_eq!(schedule.lanes().map(|(id, _)| id).collect::<Vec<_>>(), [LaneId(2)]);
            assert_eq!(starts(&mut schedule), [(2, 2)], "it has all that there is now");
            let gone = (LaneId(1), DeliveryId(1), &Outcome::Unsent);
            assert_eq!(schedule.finished(gone.0, gone.1, gone.2, NOW, UNIX_EPOCH, Die::new(1.0)), None);
            assert!(!schedule.is_empty());
            finish(&mut schedule, LaneId(2), 1);
            finish(&mut schedule, LaneId(2), 2);
            assert_eq!((schedule.in_flight(), schedule.is_empty()), (0, true));
        }
    }

    #[test]
    fn what_has_ended_makes_room_for_as_much() {
        let mut schedule = with_lanes(4, 100, 250);
        assert_eq!(starts(&mut schedule), [(1, 1), (2, 1), (3, 1)]);
        finish(&mut schedule, LaneId(1), 1);
        assert_eq!(starts(&mut schedule), [(4, 1)], "the one that passes the bound is the last again");
    }

    #[test]
    fn a_lane_claims_its_share_and_what_is_due_later_then() {
        let later = NOW.after(Duration::from_secs(5));
        let mut schedule = with_lanes(2, 8, 1000);
        assert_eq!(starts(&mut schedule).len(), 4);
        for (lane, delivery) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            schedule.closed(LaneId(lane), DeliveryId(delivery), false, Some(later));
        }
        schedule.step(NOW);
        assert_eq!(schedule.wake_at(), Some(later));
        let past = later.after(Duration::from_secs(1));
        let claimed: Vec<_> = schedule
            .step(past)
            .into_iter()
            .filter_map(|action| match action {
                Action::Claim(wanted) => Some((wanted.lane.0, wanted.bytes)),
                _ => None,
            })
            .collect();
        assert_eq!(claimed, [(1, 500), (2, 500)]);
    }

    #[test]
    fn what_the_store_counts_anew_is_claimed() {
        let lane = LaneId(1);
        let (name, state) = ("a".to_owned(), LaneState::default());
        let mut record = LaneRecord { id: lane, name, state, backlog: 0, oldest: None };
        let mut schedule = Schedule::new(NonZeroUsize::MIN, 200);
        schedule.set_lane(&record, LaneSettings::default(), NOW);
        let lends = |room| Action::Lend(lane, room);
        let room = Room { count: 2, bytes: 200 };
        assert_eq!((schedule.step(NOW), schedule.is_empty()), (vec![lends(room)], true));
        (record.backlog, record.oldest) = (3, Some(NOW));
        schedule.recount(&record, NOW);
        let wanted = Wanted { lane, limit: 2, epoch: 0, bytes: 200 };
        let actions = vec![Action::Claim(wanted), lends(Room::default())];
        assert_eq!(
            (schedule.step(NOW), schedule.is_empty()),
            (actions, false),
            "what was there before comes first"
        );
    }
}
