//! The store: what was accepted and is not settled, in order per key, with what it takes to go on after a crash.
//!
//! The trait is what the engine needs and no more. Its calls are plain and synchronous: [`desk`] runs many of them in one
//! durable commit, on a thread of its own where the disk is slow. Two implementations keep the same contract, which
//! `tests` holds against both: [`memory`] for a process that outlives its work, [`sqlite`] for one that does not.
//!
//! **Heads.** Of each lane and key only the oldest unsettled delivery, the head, can be claimed. The others stand behind it
//! in the store, so that half a million of them cost no memory. A head that waits for its next attempt is *parked* until a
//! time.

mod attempt;
pub mod desk;
mod document;
mod fault;
pub mod memory;
pub mod sqlite;

use std::fmt;

use crate::clock::Timestamp;
use crate::message::{Message, MessageId};
use crate::retry::Reason;

pub use attempt::{AttemptRecord, Parts};
pub use document::{Change, Document, Documents};
pub use fault::Fault;

/// A lane, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId(pub u64);

/// A delivery, by its number in its lane: 1, 2, 3 and so on without a gap; a higher one was accepted later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// A message in the store, by its number: a higher one was accepted later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    #[default]
    Open,
    /// A person paused it.
    Paused,
    /// Its receiver answered 410.
    Disabled,
}

/// What of a lane's state outlives the process, beside its deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneState {
    /// Whether it may start attempts.
    pub gate: Gate,
    /// The breaker, if it is open: when the next probe is due, and the pause that led there.
    pub open: Option<(Timestamp, std::time::Duration)>,
    /// No attempts until then (429, 503).
    pub slow_until: Option<Timestamp>,
    /// How often the receiver came back. What was parked because of an outage in an earlier epoch is due.
    pub epoch: u32,
}

/// A lane as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRecord {
    /// Its number.
    pub id: LaneId,
    /// Its name, which an integration has.
    pub name: String,
    /// Its state when it was saved last.
    pub state: LaneState,
    /// Deliveries that are not settled.
    pub backlog: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
}

/// The digest of what makes two accepts the same: 32 bytes, made by whoever accepts.
pub type Digest = [u8; 32];

/// What is to be appended: a message with its fan-out.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The message.
    pub message: Message,
    /// The lanes it goes to; those that coalesce say so.
    pub lanes: Vec<(LaneId, Coalesce)>,
    /// What the accept is known by, and the digest of its body.
    pub once: Option<(Digest, Digest)>,
    /// For the listing of what went nowhere.
    pub route: Route,
}

/// Whether a lane spares superseded messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coalesce {
    /// An earlier supersedable message of the key is settled when a later one comes.
    Superseded,
    /// Every message is sent.
    Nothing,
}

/// Where a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To lanes.
    Lanes,
    /// Nowhere: no policy matches.
    Unmatched,
    /// Nowhere: policies do not apply to it.
    Bypassed,
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the store.
    New {
        /// The message's number.
        sequence: Sequence,
        /// To how many lanes it goes.
        deliveries: usize,
    },
    /// It was there already, under this id; nothing was added.
    Again {
        /// The number of the first.
        sequence: Sequence,
        /// The id of the first.
        id: MessageId,
        /// To how many lanes it went.
        deliveries: usize,
    },
    /// The same key came with another body; nothing was added.
    Conflict,
}

/// A batch that was appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendedBatch {
    /// What became of each entry.
    pub entries: Vec<Appended>,
    /// How many deliveries each lane got.
    pub added: Vec<(LaneId, u64)>,
    /// Deliveries that others superseded.
    pub superseded: Vec<(LaneId, DeliveryId)>,
}

/// What a lane asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The lane.
    pub lane: LaneId,
    /// At most so many.
    pub limit: usize,
    /// Heads parked because of an outage before this epoch are due.
    pub epoch: u32,
    /// Bodies of at most so many bytes together, but always one.
    pub bytes: u64,
}

/// What a lane got.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// Heads that are due, oldest first. They are not given again until they are settled or parked.
    pub offers: Vec<Offer>,
    /// When another head is due, if there is one that is not claimed.
    pub next: Option<Timestamp>,
    /// When the oldest unsettled delivery of the lane was accepted.
    pub oldest: Option<Timestamp>,
    /// Deliveries whose records are damaged: they were put aside and are dead.
    pub damaged: Vec<DeliveryId>,
}

/// How much of what is appended a lane takes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// At most so many.
    pub count: usize,
    /// Bodies of at most so many bytes together, but always one.
    pub bytes: u64,
}

/// What a lane got of what was appended.
#[derive(Clone, Debug, Default)]
pub struct Fresh {
    /// Heads, oldest first. They are not given again until they are settled or parked.
    pub offers: Vec<Offer>,
    /// Whether there are heads that the lane did not get.
    pub left: bool,
}

/// A delivery that may be attempted.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its number.
    pub id: DeliveryId,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// What is to be delivered.
    pub message: std::sync::Arc<Message>,
}

/// What becomes of a claimed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// It needs no further attempt.
    Settle(Settled),
    /// It waits.
    Park {
        /// Until then.
        until: Timestamp,
        /// For the receiver to come back, which it had done so many times.
        outage: Option<u32>,
        /// What the lane does with what is superseded.
        coalesce: Coalesce,
    },
}

/// A delivery that an attempt was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Its lane.
    pub lane: LaneId,
    /// Its number.
    pub id: DeliveryId,
    /// Attempts so far.
    pub attempts: u32,
    /// What becomes of it.
    pub disposal: Disposal,
    /// The attempt; `None` if it expired before one.
    pub attempt: Option<AttemptRecord>,
    /// Now.
    pub now: Timestamp,
}

/// What finishing a delivery led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Whether it left the backlog.
    pub settled: bool,
    /// Whether it was settled as superseded, although it was to be parked.
    pub superseded: bool,
    /// When the head of its key is due now, if there is one.
    pub due: Option<Timestamp>,
}

/// What was given up without an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// The deliveries.
    pub settled: Vec<DeliveryId>,
    /// When the oldest delivery that is left and not claimed was accepted.
    pub oldest: Option<Timestamp>,
}

/// The operations that the engine needs. All that was done since the last commit is done together or not at all.
pub trait Store: Send + 'static {
    /// All lanes, with what they hold. Claims of an earlier process are gone.
    ///
    /// # Errors
    /// A [`Fault`], as of every call here; after one, what was done since the last commit must be aborted.
    fn lanes(&mut self) -> Result<Vec<LaneRecord>, Fault>;

    /// The lane of this name, which is added if there is none.
    ///
    /// # Errors
    /// A [`Fault`].
    fn lane(&mut self, name: &str) -> Result<LaneRecord, Fault>;

    /// Keeps a lane's state.
    ///
    /// # Errors
    /// A [`Fault`].
    fn save(&mut self, lane: LaneId, state: &LaneState) -> Result<(), Fault>;

    /// Adds messages with their deliveries. A lane that does not exist is an error of the caller and gets nothing.
    ///
    /// # Errors
    /// A [`Fault`].
    fn append(&mut self, entries: &[Entry], now: Timestamp) -> Result<AppendedBatch, Fault>;

    /// Claims heads of those that the last call, which must have been [`Store::append`], added to a lane. What is appended is
    /// nearly always delivered next, and this is cheaper than to look for it.
    ///
    /// # Errors
    /// A [`Fault`].
    fn claim_appended(&mut self, lane: LaneId, room: Room) -> Result<Fresh, Fault>;

    /// Claims heads that are due.
    ///
    /// # Errors
    /// A [`Fault`].
    fn claim(&mut self, wanted: Wanted, now: Timestamp) -> Result<Claim, Fault>;

    /// Gives claims back, so that they can be claimed again. Nothing else changes, and it cannot fail.
    fn give_back(&mut self, lane: LaneId, ids: &[DeliveryId]);

    /// Settles or parks a delivery. One that is not there, or not claimed, is left alone: the call may be repeated.
    ///
    /// # Errors
    /// A [`Fault`].
    fn finish(&mut self, finish: &Finish) -> Result<Finished, Fault>;

    /// Settles, as dead for `reason`, at most `limit` unclaimed deliveries that were accepted at `until` or before,
    /// oldest first.
    ///
    /// # Errors
    /// A [`Fault`].
    fn sweep(
        &mut self,
        lane: LaneId,
        until: Timestamp,
        reason: &Reason,
        now: Timestamp,
        limit: usize,
    ) -> Result<Swept, Fault>;

    /// The records of a kind, by id.
    ///
    /// # Errors
    /// A [`Fault`].
    fn documents(&mut self, kind: &str) -> Result<Documents, Fault>;

    /// Changes records, in their order.
    ///
    /// # Errors
    /// A [`Fault`].
    fn change(&mut self, changes: &[Change]) -> Result<(), Fault>;

    /// Makes all since the last commit durable. Says whether there was anything.
    ///
    /// # Errors
    /// A [`Fault`]; what was done may then be there or not.
    fn commit(&mut self) -> Result<bool, Fault>;

    /// Undoes all since the last commit; claims made in it are given back.
    ///
    /// # Errors
    /// A [`Fault`].
    fn abort(&mut self) -> Result<(), Fault>;

    /// Opens it again after a fault, and verifies that what was committed is there. Claims stay.
    ///
    /// # Errors
    /// A [`Fault`], if it cannot be trusted yet.
    fn reopen(&mut self) -> Result<(), Fault>;

    /// The disk is full: frees what is kept for that case, so that deliveries can still be settled.
    fn relieve(&mut self) {}

    /// Whether there is room again for what is kept for a full disk.
    fn has_room(&mut self) -> bool {
        true
    }

    /// A small step of the work that can wait: giving space back, dropping old history. Says whether there is more of it.
    ///
    /// # Errors
    /// A [`Fault`].
    fn tidy(&mut self, _now: Timestamp) -> Result<bool, Fault> {
        Ok(false)
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lane {}", self.0)
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("delivered"),
            Self::Superseded => f.write_str("superseded by a later update"),
            Self::Dead(reason) => reason.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
