//! A lane: the deliveries of one integration, in order per key, and what may start next. Pure.
//!
//! Of each key only the head can be under way or wait; the others stand behind it. So a failing key holds back itself
//! and nothing else, whatever the lane's other limits are.

mod pace;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::SystemTime;

use crate::breaker::Breaker;
use crate::clock::Timestamp;
use crate::message::OrderKey;
use crate::outcome::Outcome;
use crate::retry::{Die, Disposition, Health, LaneEffect, Reason, RetryPolicy, Tried, judge};

pub use pace::{Pace, PaceError};

/// A delivery, by its number; a higher one was accepted later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// What a lane may do at most, and how it retries.
#[derive(Clone, Debug)]
pub struct LaneSettings {
    /// Attempts under way at once; at least 1.
    pub concurrency: std::num::NonZeroUsize,
    /// How many attempts may start in a time.
    pub pace: Option<Pace>,
    /// The retry policy.
    pub retry: RetryPolicy,
    /// Whether a later update of a key makes an earlier one superfluous, where the message allows it.
    pub coalesce: bool,
}

/// Eight at once are enough to be fast, and few enough for a small receiver.
const DEFAULT_CONCURRENCY: std::num::NonZeroUsize = std::num::NonZeroUsize::new(8).expect("8 is not 0");

impl Default for LaneSettings {
    fn default() -> Self {
        Self { concurrency: DEFAULT_CONCURRENCY, pace: None, retry: RetryPolicy::standard(), coalesce: false }
    }
}

/// How a delivery came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It arrived.
    Delivered,
    /// A later update of its key took its place.
    Superseded,
    /// It was given up.
    Dead(Reason),
}

/// Whether a lane may start attempts at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// A person paused it.
    Paused,
    /// Its receiver answered 410.
    Disabled,
}

/// What the end of an attempt led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The number of the attempt, from 1; a repeated one has the number of the one that was not sent.
    pub attempt: u32,
    /// What becomes of the delivery.
    pub disposition: Disposition,
    /// Whether the lane has just been disabled.
    pub disabled: bool,
}

/// The state of a lane.
#[derive(Debug)]
pub struct Lane {
    settings: LaneSettings,
    gate: Gate,
    breaker: Breaker,
    slow_until: Option<Timestamp>,
    /// All that is not settled, oldest first.
    pending: BTreeMap<DeliveryId, Entry>,
    keys: HashMap<OrderKey, VecDeque<DeliveryId>>,
    /// Heads of keys that can start, oldest first.
    ready: BTreeSet<DeliveryId>,
    /// Heads that wait for a time, soonest first.
    waiting: BTreeSet<(Timestamp, DeliveryId)>,
    in_flight: usize,
    allowance: pace::Allowance,
}

#[derive(Debug)]
struct Entry {
    key: OrderKey,
    supersedable: bool,
    expires: Timestamp,
    attempts: u32,
    repeated: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Behind another of its key.
    Queued,
    Ready,
    /// `outage`: for a failure of the receiver, so that its return ends the wait.
    Waiting {
        until: Timestamp,
        outage: bool,
    },
    InFlight,
}

impl Lane {
    /// An empty lane.
    #[must_use]
    pub fn new(settings: LaneSettings) -> Self {
        Self {
            settings,
            gate: Gate::Open,
            breaker: Breaker::default(),
            slow_until: None,
            pending: BTreeMap::new(),
            keys: HashMap::new(),
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            in_flight: 0,
            allowance: pace::Allowance::default(),
        }
    }

    /// Takes other settings; they hold for what waits too.
    pub fn change(&mut self, settings: LaneSettings) {
        self.settings = settings;
    }

    /// Opens or closes it. Attempts under way go on.
    pub fn set_gate(&mut self, gate: Gate) {
        self.gate = gate;
        if gate == Gate::Open {
            self.breaker = Breaker::default();
        }
    }

    /// Whether it may start attempts at all.
    #[must_use]
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// How many attempts are under way.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many deliveries are not settled.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.pending.len()
    }

    /// Takes a delivery in; gives those that it supersedes.
    pub fn enqueue(
        &mut self,
        id: DeliveryId,
        key: OrderKey,
        supersedable: bool,
        now: Timestamp,
    ) -> Vec<DeliveryId> {
        let superseded = if self.settings.coalesce { self.superseded_by(&key) } else { Vec::new() };
        for &earlier in &superseded {
            self.settle(earlier);
        }
        let expires = now.after(self.settings.retry.expiry());
        let queue = self.keys.entry(key.clone()).or_default();
        queue.push_back(id);
        let head = queue.len() == 1;
        let state = State::Queued;
        self.pending.insert(id, Entry { key, supersedable, expires, attempts: 0, repeated: false, state });
        if head {
            self.set_state(id, State::Ready);
        }
        superseded
    }

    fn superseded_by(&self, key: &OrderKey) -> Vec<DeliveryId> {
        let earlier = self.keys.get(key).into_iter().flatten();
        let gone = |id: &&DeliveryId| {
            self.pending.get(id).is_some_and(|entry| entry.supersedable && entry.state != State::InFlight)
        };
        earlier.filter(gone).copied().collect()
    }

    /// Puts an entry, which is the head of its key, into a state, and its id into the index that belongs to it.
    fn set_state(&mut self, id: DeliveryId, state: State) {
        let Some(entry) = self.pending.get_mut(&id) else { return };
        match std::mem::replace(&mut entry.state, state) {
            State::Queued => {}
            State::Ready => {
                self.ready.remove(&id);
            }
            State::Waiting { until, .. } => {
                self.waiting.remove(&(until, id));
            }
            State::InFlight => self.in_flight -= 1,
        }
        match state {
            State::Queued => {}
            State::Ready => {
                self.ready.insert(id);
            }
            State::Waiting { until, .. } => {
                self.waiting.insert((until, id));
            }
            State::InFlight => self.in_flight += 1,
        }
    }

    /// Takes a delivery out, and lets the next of its key step forward.
    fn settle(&mut self, id: DeliveryId) {
        self.set_state(id, State::Queued);
        let Some(entry) = self.pending.remove(&id) else { return };
        let Some(queue) = self.keys.get_mut(&entry.key) else { return };
        let was_head = queue.front() == Some(&id);
        queue.retain(|&other| other != id);
        match queue.front().copied() {
            None => {
                self.keys.remove(&entry.key);
            }
            Some(next) if was_head => self.set_state(next, State::Ready),
            Some(_) => {}
        }
    }

    /// Settles what expired while it waited.
    pub fn expire(&mut self, now: Timestamp) -> Vec<DeliveryId> {
        let idle = self.pending.iter().filter(|(_, entry)| entry.state != State::InFlight);
        let expired: Vec<_> = idle.take_while(|(_, entry)| entry.expires <= now).map(|(id, _)| *id).collect();
        for &id in &expired {
            self.settle(id);
        }
        expired
    }

    /// Starts the next attempt, if one may start while at most `share` are under way.
    pub fn start(&mut self, share: usize, now: Timestamp) -> Option<DeliveryId> {
        self.release(now);
        if !self.has_room(share) || self.due_at()? > now {
            return None;
        }
        let id = self.candidate()?;
        self.set_state(id, State::InFlight);
        let entry = self.pending.get_mut(&id)?;
        if !entry.repeated {
            entry.attempts += 1;
        }
        self.breaker.started();
        if let Some(pace) = &self.settings.pace {
            self.allowance.take(pace, now);
        }
        Some(id)
    }

    /// Waits that are over become ready.
    fn release(&mut self, now: Timestamp) {
        while let Some(&(until, id)) = self.waiting.first() {
            if until > now {
                return;
            }
            self.set_state(id, State::Ready);
        }
    }

    /// Whether one more attempt may be under way.
    fn has_room(&self, share: usize) -> bool {
        let allowed = self.breaker.allows(self.settings.concurrency.get(), self.in_flight);
        self.in_flight < allowed.min(share)
    }

    /// The oldest head that is ready; for a probe one that waits for the outage to end will do too.
    fn candidate(&self) -> Option<DeliveryId> {
        let probe = || {
            let open = matches!(self.breaker, Breaker::Open { .. });
            open.then(|| self.outage_waits().min()).flatten()
        };
        self.ready.first().copied().or_else(probe)
    }

    fn outage_waits(&self) -> impl Iterator<Item = DeliveryId> {
        let outage = |id: &DeliveryId| {
            let state = self.pending.get(id).map(|entry| entry.state);
            matches!(state, Some(State::Waiting { outage: true, .. }))
        };
        self.waiting.iter().map(|(_, id)| *id).filter(outage)
    }

    /// An attempt ended. `None` if it is not one of this lane's.
    pub fn finished(
        &mut self,
        id: DeliveryId,
        outcome: &Outcome,
        now: Timestamp,
        wall: SystemTime,
        die: Die,
    ) -> Option<Finished> {
        let entry = self.pending.get_mut(&id).filter(|entry| entry.state == State::InFlight)?;
        let (attempts, repeated, expires) = (entry.attempts, entry.repeated, entry.expires);
        let tried = Tried { attempts, repeated, expires, now, wall, die };
        let judged = judge(outcome, &self.settings.retry, &tried);
        entry.repeated = judged.disposition == Disposition::Repeat;
        match judged.disposition {
            Disposition::Delivered | Disposition::Dead(_) => self.settle(id),
            Disposition::Repeat => self.set_state(id, State::Ready),
            Disposition::Retry(until) => {
                self.set_state(id, State::Waiting { until, outage: judged.health == Health::Bad });
            }
        }
        if self.breaker.finished(judged.health, self.settings.concurrency.get(), now) {
            let due: Vec<_> = self.outage_waits().collect();
            for id in due {
                self.set_state(id, State::Ready);
            }
        }
        match judged.lane {
            LaneEffect::None => {}
            LaneEffect::SlowUntil(until) => self.slow_until = self.slow_until.max(Some(until)),
            LaneEffect::Disable => self.gate = Gate::Disabled,
        }
        let disabled = judged.lane == LaneEffect::Disable;
        Some(Finished { attempt: attempts, disposition: judged.disposition, disabled })
    }

    /// When something will change by itself; `None` if only an event from outside can change anything.
    #[must_use]
    pub fn wake_at(&self, share: usize) -> Option<Timestamp> {
        let idle = |entry: &&Entry| entry.state != State::InFlight;
        let expiry = self.pending.values().find(idle).map(|entry| entry.expires);
        let start = if self.has_room(share) { self.due_at() } else { None };
        expiry.into_iter().chain(start).min()
    }

    /// When the next attempt may start, as far as time decides; `None` if there is none to start.
    fn due_at(&self) -> Option<Timestamp> {
        if self.gate != Gate::Open {
            return None;
        }
        let soonest = match (self.candidate(), self.waiting.first()) {
            (Some(_), _) => Timestamp::from_micros(0),
            (None, Some((until, _))) => *until,
            (None, None) => return None,
        };
        let paced = self.settings.pace.as_ref().map(|pace| self.allowance.due_at(pace));
        [Some(soonest), self.slow_until, self.breaker.opens_up_at(), paced].into_iter().flatten().max()
    }

    /// All that is not settled, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = DeliveryId> {
        self.pending.keys().copied()
    }
}

#[cfg(test)]
mod tests;
