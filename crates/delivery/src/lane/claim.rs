//! What passes between a lane and the store, and what a lane may use of what all share.

use crate::clock::Timestamp;
use crate::store::{DeliveryId, Offer};

/// What a lane wants from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// At most so many deliveries.
    pub limit: usize,
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

/// What one lane may use of what all share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Attempts under way at once.
    pub attempts: usize,
    /// Bytes of bodies under way at once; one body may always be.
    pub bytes: u64,
}
