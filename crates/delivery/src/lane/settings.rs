//! What a lane may do at most, and how it retries.

use std::num::NonZeroUsize;

use super::Pace;
use crate::retry::RetryPolicy;
use crate::store::Coalesce;

/// The settings of a lane.
#[derive(Clone, Debug)]
pub struct LaneSettings {
    /// Attempts under way at once; at least 1.
    pub concurrency: NonZeroUsize,
    /// How many attempts may start in a time.
    pub pace: Option<Pace>,
    /// The retry policy.
    pub retry: RetryPolicy,
    /// Whether a later update of a key makes an earlier one superfluous, where the message allows it.
    pub coalesce: Coalesce,
}

/// Eight at once are enough to be fast, and few enough for a small receiver.
const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(8).expect("8 is not 0");

impl Default for LaneSettings {
    fn default() -> Self {
        Self {
            concurrency: DEFAULT_CONCURRENCY,
            pace: None,
            retry: RetryPolicy::standard(),
            coalesce: Coalesce::Nothing,
        }
    }
}
