//! How many attempts may start in a time: a leaky bucket kept as one point in time (the generic cell rate algorithm).

use std::time::Duration;

use crate::clock::Timestamp;

/// So many attempts a time, with a burst that may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    interval: Duration,
    burst: u32,
}

/// Why a pace cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate of 0 would never send anything; leave it out for no limit")]
pub struct PaceError;

impl Pace {
    /// `per_second` attempts a second, of which a second's worth may come at once.
    ///
    /// # Errors
    /// If it is 0.
    pub fn per_second(per_second: u32) -> Result<Self, PaceError> {
        if per_second == 0 {
            return Err(PaceError);
        }
        Ok(Self { interval: Duration::from_secs(1) / per_second, burst: per_second })
    }

    /// Attempts a second.
    #[must_use]
    pub const fn rate(&self) -> u32 {
        self.burst
    }
}

/// What of a pace is used up: the time at which all is as if nothing had ever started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Allowance {
    clear_at: Option<Timestamp>,
}

impl Allowance {
    /// When the next attempt may start.
    pub(super) fn due_at(&self, pace: &Pace) -> Timestamp {
        let ahead = (pace.interval * (pace.burst - 1)).as_micros();
        let clear_at = self.clear_at.map_or(0, Timestamp::as_micros);
        Timestamp::from_micros(clear_at.saturating_sub(u64::try_from(ahead).unwrap_or(u64::MAX)))
    }

    pub(super) fn take(&mut self, pace: &Pace, now: Timestamp) {
        let from = self.clear_at.map_or(now, |clear_at| clear_at.max(now));
        self.clear_at = Some(from.after(pace.interval));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_comes_at_once_and_the_rest_evenly() {
        let pace = Pace::per_second(4).unwrap();
        let (mut allowance, mut now) = (Allowance::default(), Timestamp::from_micros(9_000_000));
        let begin = now;
        let mut starts = Vec::new();
        for _ in 0..8 {
            now = now.max(allowance.due_at(&pace));
            allowance.take(&pace, now);
            starts.push(now.since(begin).as_millis());
        }
        assert_eq!(starts, [0, 0, 0, 0, 250, 500, 750, 1000]);
        assert_eq!(Pace::per_second(0), Err(PaceError));
    }
}
