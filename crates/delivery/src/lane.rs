//! A lane: what may be attempted next of one integration's deliveries. Pure.
//!
//! The backlog is in the store; here are only the few deliveries that were claimed from it, each the head of its key, and
//! the limits that say when the next may start. Because only heads are claimed, a failing key holds back itself and nothing
//! else, whatever the lane's limits are.

mod claim;
mod pace;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::breaker::Breaker;
use crate::clock::Timestamp;
use crate::outcome::Outcome;
use crate::retry::{Die, Disposition, Health, LaneEffect, Reason, Tried, judge};
use crate::store::{DeliveryId, Disposal, Gate, LaneRecord, LaneState, Settled};

pub use claim::{Arrived, Ask, Claimed, Share};
pub use pace::{Pace, PaceError};
pub use settings::LaneSettings;

/// What the end of an attempt led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The number of the attempt, from 1; a repeated one has the number of the one that was not sent.
    pub attempt: u32,
    /// What becomes of the delivery.
    pub disposition: Disposition,
    /// What the store is to be told; nothing if it is repeated at once.
    pub disposal: Option<Disposal>,
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
    epoch: u32,
    allowance: pace::Allowance,
    /// Deliveries that are not settled, here and in the store.
    backlog: u64,
    /// None of them was accepted before this.
    oldest: Option<Timestamp>,
    /// When the store has something that is due.
    stock: Option<Timestamp>,
    /// Whether heads may be in the store that wait for the outage of this epoch to end.
    awaiting: bool,
    asking: bool,
    reach: claim::Reach,
    sweeping: bool,
    /// What was claimed and is not back in the store yet.
    held: BTreeMap<DeliveryId, Entry>,
    ready: BTreeSet<DeliveryId>,
    bytes_held: u64,
    in_flight: usize,
    bytes_in_flight: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    attempts: u32,
    bytes: u64,
    accepted: Timestamp,
    repeated: bool,
    in_flight: bool,
}

impl Lane {
    /// A lane as the store has it.
    #[must_use]
    pub fn new(settings: LaneSettings, record: &LaneRecord, now: Timestamp) -> Self {
        let LaneState { gate, open, slow_until, epoch } = record.state;
        Self {
            settings,
            gate,
            breaker: Breaker::restored(open, now),
            slow_until,
            epoch,
            allowance: pace::Allowance::default(),
            backlog: record.backlog,
            oldest: record.oldest,
            stock: (record.backlog > 0).then_some(now),
            awaiting: open.is_some(),
            asking: false,
            reach: claim::Reach::default(),
            sweeping: false,
            held: BTreeMap::new(),
            ready: BTreeSet::new(),
            bytes_held: 0,
            in_flight: 0,
            bytes_in_flight: 0,
        }
    }

    /// Takes other settings; they hold for what waits too.
    pub fn change(&mut self, settings: LaneSettings) {
        self.settings = settings;
    }

    /// Its settings.
    #[must_use]
    pub const fn settings(&self) -> &LaneSettings {
        &self.settings
    }

    /// Opens or closes it. Attempts under way go on.
    pub fn set_gate(&mut self, gate: Gate) {
        self.gate = gate;
        if gate == Gate::Open {
            self.breaker = Breaker::default();
        }
    }

    /// What of its state is to be kept.
    #[must_use]
    pub const fn state(&self) -> LaneState {
        LaneState {
            gate: self.gate,
            open: self.breaker.open_since(),
            slow_until: self.slow_until,
            epoch: self.epoch,
        }
    }

    /// Its breaker.
    #[must_use]
    pub const fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// How many attempts are under way.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many bytes their bodies have.
    #[must_use]
    pub const fn bytes_in_flight(&self) -> u64 {
        self.bytes_in_flight
    }

    /// How many deliveries are not settled.
    #[must_use]
    pub const fn backlog(&self) -> u64 {
        self.backlog
    }

    /// When the oldest of them was accepted, or a little before.
    #[must_use]
    pub const fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// How many deliveries are claimed from the store.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The claimed ones that are not under way.
    pub fn idle(&self) -> impl Iterator<Item = DeliveryId> {
        self.ready.iter().copied()
    }

    /// Claimed deliveries that expired before they could start: they are to be settled.
    pub fn expire(&mut self, now: Timestamp) -> Vec<DeliveryId> {
        let expiry = self.settings.retry.expiry();
        let old =
            |id: &DeliveryId| self.held.get(id).is_some_and(|entry| entry.accepted.after(expiry) <= now);
        // A lane counts its deliveries in the order of their accepts: behind one that is not too old none is.
        std::iter::from_fn(|| self.ready.first().is_some_and(old).then(|| self.ready.pop_first()).flatten())
            .collect()
    }

    /// Everything in the store that was accepted then or before has expired.
    pub fn sweep(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.sweeping || self.next_sweep()? > now {
            return None;
        }
        self.sweeping = true;
        let expiry = u64::try_from(self.settings.retry.expiry().as_micros()).unwrap_or(u64::MAX);
        Some(Timestamp::from_micros(now.as_micros().saturating_sub(expiry)))
    }

    fn next_sweep(&self) -> Option<Timestamp> {
        if self.sweeping {
            None
        } else {
            self.oldest.map(|oldest| oldest.after(self.settings.retry.expiry()))
        }
    }

    /// What expired was settled; the oldest that is left and not claimed is `oldest`.
    pub fn swept(&mut self, settled: u64, oldest: Option<Timestamp>, now: Timestamp) {
        self.sweeping = false;
        self.backlog = self.backlog.saturating_sub(settled);
        self.oldest = oldest;
        if settled > 0 {
            self.stocked(now);
        }
    }

    /// Starts the next attempt, if one may start while at most `share` are under way.
    pub fn start(&mut self, share: Share, now: Timestamp) -> Option<DeliveryId> {
        if self.next_start(share)? > now {
            return None;
        }
        let id = self.ready.pop_first()?;
        let entry = self.held.get_mut(&id)?;
        entry.in_flight = true;
        if !entry.repeated {
            entry.attempts += 1;
        }
        self.in_flight += 1;
        self.bytes_in_flight += entry.bytes;
        self.breaker.started();
        if let Some(pace) = &self.settings.pace {
            self.allowance.take(pace, now);
        }
        Some(id)
    }

    /// When the next attempt may start, as far as time decides; `None` if there is none to start.
    fn next_start(&self, share: Share) -> Option<Timestamp> {
        let allowed =
            self.breaker.allows(self.settings.concurrency.get(), self.in_flight).min(share.attempts);
        let next = self.ready.first().and_then(|id| self.held.get(id))?;
        let too_much = self.in_flight > 0 && self.bytes_in_flight + next.bytes > share.bytes;
        if too_much || self.gate != Gate::Open || self.in_flight >= allowed {
            return None;
        }
        let paced = self.settings.pace.as_ref().map(|pace| self.allowance.due_at(pace));
        let barriers = [self.slow_until, self.breaker.opens_up_at(), paced].into_iter().flatten();
        Some(barriers.max().unwrap_or(Timestamp::from_micros(0)))
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
        let entry = self.held.get_mut(&id).filter(|entry| entry.in_flight)?;
        let expires = entry.accepted.after(self.settings.retry.expiry());
        let (attempts, repeated) = (entry.attempts, entry.repeated);
        let tried = Tried { attempts, repeated, expires, now, wall, die };
        let judged = judge(outcome, &self.settings.retry, &tried);
        entry.in_flight = false;
        entry.repeated = judged.disposition == Disposition::Repeat;
        self.in_flight -= 1;
        self.bytes_in_flight -= entry.bytes;
        let outage = (judged.health == Health::Bad).then_some(self.epoch);
        let disposal = match &judged.disposition {
            Disposition::Delivered => Some(Disposal::Settle(Settled::Delivered)),
            Disposition::Dead(reason) => Some(Disposal::Settle(Settled::Dead(reason.clone()))),
            Disposition::Repeat => {
                self.ready.insert(id);
                None
            }
            Disposition::Retry(until) => {
                self.awaiting |= outage.is_some();
                Some(Disposal::Park { until: *until, outage, coalesce: self.settings.coalesce })
            }
        };
        if self.breaker.finished(judged.health, self.settings.concurrency.get(), now) {
            // The receiver is back: all that waited for it is due.
            self.epoch += 1;
            self.awaiting = false;
            self.stocked(now);
        }
        match judged.lane {
            LaneEffect::None => {}
            LaneEffect::SlowUntil(until) => self.slow_until = self.slow_until.max(Some(until)),
            LaneEffect::Disable => self.gate = Gate::Disabled,
        }
        let disabled = judged.lane == LaneEffect::Disable;
        Some(Finished { attempt: attempts, disposition: judged.disposition, disposal, disabled })
    }

    /// The store has a delivery back: settled, or parked; `due` is when the head of its key is due.
    pub fn closed(&mut self, id: DeliveryId, settled: bool, due: Option<Timestamp>) {
        let Some(entry) = self.held.remove(&id) else { return };
        self.bytes_held -= entry.bytes;
        if settled {
            self.backlog = self.backlog.saturating_sub(1);
        } else {
            self.oldest = Some(self.oldest.map_or(entry.accepted, |oldest| oldest.min(entry.accepted)));
        }
        if let Some(due) = due {
            self.stocked(due);
        }
        // Where nothing is left in the store but what stands behind what is held, that is the oldest.
        let all_held = self.stock.is_none() && !self.asking;
        match self.held.first_key_value().filter(|_| all_held) {
            Some((_, first)) => self.oldest = Some(first.accepted),
            None if self.backlog == 0 => self.oldest = None,
            None => {}
        }
    }

    /// The reason why what the lane still holds is settled when it is removed.
    #[must_use]
    pub const fn removed() -> Settled {
        Settled::Dead(Reason::LaneRemoved)
    }

    /// When something will change by itself; `None` if only an event from outside can change anything.
    #[must_use]
    pub fn wake_at(&self, share: Share) -> Option<Timestamp> {
        let first = self.ready.first().and_then(|id| self.held.get(id));
        let expiry = first.map(|entry| entry.accepted.after(self.settings.retry.expiry()));
        [expiry, self.next_sweep(), self.next_start(share), self.next_ask(share)].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
