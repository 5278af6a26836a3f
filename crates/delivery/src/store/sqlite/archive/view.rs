//! What is asked for, and what is shown.

use crate::clock::Timestamp;
use crate::store::{AttemptRecord, DeliveryId, LaneId, Route, Sequence, Settled};

/// Says how a body is labelled, for whoever knows what bodies are.
pub type Labels = fn(&[u8]) -> Option<&'static str>;

/// What deliveries are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this lane only.
    pub lane: Option<LaneId>,
    /// Of this order key only.
    pub key: Option<String>,
    /// In this state only.
    pub state: Option<State>,
    /// Of messages before this one.
    pub before: Option<Sequence>,
    /// Accepted then or later.
    pub since: Option<Timestamp>,
    /// Accepted before then.
    pub until: Option<Timestamp>,
    /// How a body is labelled; it is asked for each message that is looked at.
    pub labels: Option<Labels>,
    /// Of messages whose body has this label only; none without `labels`.
    pub label: Option<&'static str>,
    /// At most so many, and one at least; the last message may bring a few more.
    pub limit: usize,
}

/// The states of deliveries, as people tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not settled.
    Pending,
    /// It arrived.
    Delivered,
    /// A later one took its place.
    Superseded,
    /// Given up.
    Dead,
}

/// Deliveries, newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Them. They may be fewer than were asked for, or none, although there are more: a call looks at so much only.
    pub deliveries: Vec<Delivery>,
    /// Where to go on, if there may be more.
    pub next: Option<Sequence>,
}

/// A delivery.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its lane.
    pub lane: LaneId,
    /// Its number.
    pub id: DeliveryId,
    /// Its message.
    pub sequence: Sequence,
    /// The message's id.
    pub message: String,
    /// The message's order key.
    pub key: String,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// How its body is labelled.
    pub label: Option<&'static str>,
    /// Attempts so far.
    pub attempts: u32,
    /// How it is.
    pub status: Status,
    /// How its last attempt ended.
    pub last: Option<AttemptRecord>,
}

/// How a delivery is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is due then.
    Due(Timestamp),
    /// It stands behind an earlier one of its key.
    Behind,
    /// It came to its end.
    Settled(Settled, Timestamp),
    /// Its record is damaged, or not there.
    Unreadable(String),
}

impl Status {
    /// The state that this is, for a filter.
    #[must_use]
    pub const fn state(&self) -> Option<State> {
        match self {
            Self::Due(_) | Self::Behind => Some(State::Pending),
            Self::Settled(settled, _) => Some(State::of(settled)),
            Self::Unreadable(_) => None,
        }
    }
}

impl State {
    /// The state that an end is.
    #[must_use]
    pub const fn of(settled: &Settled) -> Self {
        match settled {
            Settled::Delivered => Self::Delivered,
            Settled::Superseded => Self::Superseded,
            Settled::Dead(_) => Self::Dead,
        }
    }
}

/// A message that went nowhere.
#[derive(Clone, Debug)]
pub struct Unrouted {
    /// Its number.
    pub sequence: Sequence,
    /// Its id.
    pub message: String,
    /// Its order key.
    pub key: String,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Why.
    pub route: Route,
}

/// A delivery with all that is known of it.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The delivery.
    pub delivery: Delivery,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// The accepted bytes.
    pub body: Vec<u8>,
    /// Whether a later message of its key makes it superfluous.
    pub supersedable: bool,
}
