//! What passes between a lane and the store, and what a lane may use of what all share.

use std::time::Duration;

use super::{Entry, Lane};
use crate::clock::Timestamp;
use crate::store::{DeliveryId, Gate, Offer, Room};

/// What part of its room a lane claims at once, while it has something to start.
const WORTHWHILE: usize = 4;

/// How long a lane that has something to start waits until a claim is worthwhile, at most; and what it needs between two to go on
/// with less. Longer than a store is busy with one request.
const LEISURE: Duration = Duration::from_millis(100);

/// How many times what may be under way a lane holds.
///
/// Twice are enough where attempts take long. Where they are over sooner than the store, which may be busy with a large
/// request, answers, a lane would stand idle: so it claims more once it ran dry, and less again when it has time between two
/// claims. What is claimed cannot be superseded any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    times: u16,
    asked: Timestamp,
    hurried: bool,
}

impl Default for Reach {
    fn default() -> Self {
        Self { times: Self::SHORT, asked: Timestamp::from_micros(0), hurried: false }
    }
}

impl Reach {
    const SHORT: u16 = 2;
    const LONG: u16 = 16;

    fn asks(&mut self, now: Timestamp) {
        self.hurried = now.since(self.asked) < LEISURE;
        if !self.hurried {
            self.times = (self.times / 2).max(Self::SHORT);
        }
        self.asked = now;
    }

    /// Nothing was left to start when the answer came.
    fn ran_dry(&mut self) {
        if self.hurried {
            self.times = (self.times * 2).min(Self::LONG);
        }
    }
}

/// What a lane wants from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// At most so many deliveries.
    pub limit: usize,
    /// With at most so many bytes of bodies, but for the first.
    pub bytes: u64,
    /// What waits for an outage of an earlier epoch to end is due.
    pub epoch: u32,
}

/// A delivery that the store gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its number.
    pub id: DeliveryId,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// How long its body is, in bytes.
    pub bytes: u64,
}

impl From<&Offer> for Claimed {
    fn from(offer: &Offer) -> Self {
        let bytes = offer.message.body.len() as u64;
        Self { id: offer.id, attempts: offer.attempts, accepted: offer.accepted, bytes }
    }
}

/// What was appended for a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// How many deliveries.
    pub added: u64,
    /// How many earlier ones they superseded.
    pub superseded: u64,
    /// Those of them that are claimed already.
    pub claimed: &'a [Claimed],
    /// Whether others of them may be claimed.
    pub left: bool,
}

/// What one lane may use of what all share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Attempts under way at once.
    pub attempts: usize,
    /// Deliveries claimed at once; twice as many as may be under way may always be.
    pub claims: usize,
    /// Bytes of bodies under way at once; one body may always be.
    pub bytes: u64,
}

impl Lane {
    /// The store has more deliveries.
    pub fn arrived(&mut self, arrived: Arrived<'_>, now: Timestamp) {
        self.backlog = (self.backlog + arrived.added).saturating_sub(arrived.superseded);
        self.oldest = self.oldest.or(Some(now));
        self.hold(arrived.claimed);
        // Behind what was superseded stands perhaps another head.
        if arrived.left || arrived.superseded > 0 {
            self.stocked(now);
        }
    }

    fn hold(&mut self, claimed: &[Claimed]) {
        for &Claimed { id, attempts, accepted, bytes } in claimed {
            self.bytes_held += bytes;
            self.held.insert(id, Entry { attempts, bytes, accepted, repeated: false, in_flight: false });
            self.ready.insert(id);
        }
    }

    /// The store's own count, after a fault in which something may have been added unheard.
    pub fn recount(&mut self, backlog: u64, oldest: Option<Timestamp>, now: Timestamp) {
        self.backlog = backlog;
        self.oldest = oldest;
        if backlog > 0 {
            self.stocked(now);
        }
    }

    /// The store has something that is due at `at`.
    pub(super) fn stocked(&mut self, at: Timestamp) {
        self.stock = Some(self.stock.map_or(at, |stock| stock.min(at)));
    }

    /// What to claim, if there is room for it and the store may have something that is due. There is one claim at a time:
    /// the lane asks no more until it was given something.
    pub fn ask(&mut self, share: Share, now: Timestamp) -> Option<Ask> {
        if self.asking || self.next_ask(share)? > now {
            return None;
        }
        self.reach.asks(now);
        // There may be less room than there was.
        let limit = self.room(share).checked_sub(self.held.len()).filter(|limit| *limit > 0)?;
        let bytes = self.free_bytes(share);
        self.asking = true;
        let epoch = self.epoch + u32::from(self.breaker.is_open());
        Some(Ask { limit, bytes, epoch })
    }

    fn allowed(&self, share: Share) -> usize {
        self.breaker.allows(self.settings.concurrency.get(), self.in_flight).min(share.attempts)
    }

    /// How many may be held: more than may be under way, so that the next is there when one ends.
    fn room(&self, share: Share) -> usize {
        let allowed = self.allowed(share);
        let at_full = allowed >= self.settings.concurrency.get().min(share.attempts);
        if !at_full || self.breaker.is_open() {
            return allowed;
        }
        let times = |times: u16| allowed.saturating_mul(times.into());
        times(self.reach.times).min(share.claims).max(times(Reach::SHORT))
    }

    /// How many bytes of bodies may be claimed: of those that are held there may be twice what may be under way.
    fn free_bytes(&self, share: Share) -> u64 {
        share.bytes.saturating_mul(2).saturating_sub(self.bytes_held).min(share.bytes)
    }

    pub(super) fn next_ask(&self, share: Share) -> Option<Timestamp> {
        let room = self.room(share);
        let free = room.saturating_sub(self.held.len());
        let full = free == 0 || (self.free_bytes(share) == 0 && !self.held.is_empty());
        if self.gate != Gate::Open || self.asking || full {
            return None;
        }
        // A claim costs by itself, so while something is ready to start, it waits until it is worth it, but not for long.
        let few = !self.ready.is_empty()
            && (free < room / WORTHWHILE || self.free_bytes(share) < share.bytes / WORTHWHILE as u64);
        let worthwhile = few.then(|| self.reach.asked.after(LEISURE));
        // A probe takes what waits for the outage to end, whenever it is due.
        let probe = (self.breaker.is_open() && self.awaiting).then_some(Timestamp::from_micros(0));
        let stock = [self.stock, probe].into_iter().flatten().min()?;
        [Some(stock), self.slow_until, self.breaker.opens_up_at(), worthwhile].into_iter().flatten().max()
    }

    /// What the store gave; `next` is when it has more, `gone` what was damaged.
    pub fn take(
        &mut self,
        claimed: &[Claimed],
        next: Option<Timestamp>,
        oldest: Option<Timestamp>,
        gone: u64,
    ) {
        self.asking = false;
        if self.ready.is_empty() && !claimed.is_empty() && self.in_flight < self.settings.concurrency.get() {
            self.reach.ran_dry();
        }
        self.stock = next;
        self.oldest = oldest;
        self.backlog = self.backlog.saturating_sub(gone);
        if claimed.is_empty() && self.breaker.is_open() {
            self.awaiting = false;
        }
        self.hold(claimed);
    }

    /// How much of what is appended from now on is claimed at once: nothing while something else is due before it, or may not
    /// start. Until the lane hears of what was claimed, it may lend the same room again, and hold more than it has room for.
    #[must_use]
    pub fn lends(&self, share: Share, now: Timestamp) -> Room {
        let slow = self.slow_until.is_some_and(|until| until > now);
        let stocked = self.asking || self.stock.is_some_and(|at| at <= now);
        if self.gate != Gate::Open || self.breaker.is_open() || slow || stocked {
            return Room::default();
        }
        let count = self.room(share).saturating_sub(self.held.len());
        let bytes = share.bytes.saturating_sub(self.bytes_in_flight).min(self.free_bytes(share));
        if bytes == 0 { Room::default() } else { Room { count, bytes } }
    }
}
