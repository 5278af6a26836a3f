//! Why what was waited for cannot be given.

use std::time::Duration;

/// The requests that were waited for cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    /// Fewer came.
    #[error("waited {} s for {wanted} requests, but only {received} came", waited.as_secs_f32())]
    TooFew {
        /// How many were waited for.
        wanted: u64,
        /// How many came.
        received: u64,
        /// For how long.
        waited: Duration,
    },
    /// They came, but captures were dropped: what some of them were, nobody knows.
    #[error(
        "{wanted} requests came, but {dropped} captures were dropped, so that not all can be given: keep more"
    )]
    Dropped {
        /// How many were waited for.
        wanted: u64,
        /// How many captures were dropped.
        dropped: u64,
    },
}

impl Missed {
    /// Whether nobody can know, because captures were dropped.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Dropped { .. })
    }
}
