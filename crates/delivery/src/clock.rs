//! The one place of this crate that reads a clock or sleeps.
//!
//! Everyone else is given a [`Timestamp`]. It counts microseconds since the Unix epoch, but it is read from the wall
//! only once, at start, and then moved on by the monotonic clock: a wall clock that is set back or forward while the
//! process runs neither stalls a schedule nor makes everything due at once. What must be the true wall time (a
//! `webhook-timestamp`, an HTTP date) is read by [`Clock::wall`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// A point on the scheduler's time line, in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point this many microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This point moved into the future; the far end of the line instead of an overflow.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this point is; zero if it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// The clock that an engine runs by. Cloning it gives the same clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Instant,
    at_anchor: Timestamp,
}

impl Clock {
    /// A clock anchored to the wall clock now. Under tokio's paused time it stands still, as tests want it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the named file that reads the clock")]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { anchor: Instant::now(), at_anchor: Timestamp(0).after(since_epoch) }
    }

    /// The same, but not before `earliest`, which an earlier process has seen: after a wall clock was set back, what it
    /// stored would be due in a far future otherwise.
    #[must_use]
    pub fn not_before(self, earliest: Timestamp) -> Self {
        Self { at_anchor: self.at_anchor.max(earliest), ..self }
    }

    /// Now, on the scheduler's time line.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the named file that reads the clock")]
    pub fn now(&self) -> Timestamp {
        self.at_anchor.after(Instant::now() - self.anchor)
    }

    /// The wall clock, for what other machines read.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the named file that reads the clock")]
    pub fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Completes at `deadline`; at once if it has passed. Dropping the future cancels the wait.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        tokio::time::sleep_until(self.anchor + deadline.since(self.at_anchor)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_was_set_back_does_not_set_the_schedule_back() {
        let clock = Clock::start();
        let far = clock.now().after(Duration::from_secs(10 * 365 * 86_400));
        let later = clock.not_before(far);
        assert_eq!(later.now(), far);
        later.sleep_until(far.after(Duration::from_secs(5))).await;
        assert_eq!(later.now(), far.after(Duration::from_secs(5)));
        assert_eq!(clock.not_before(Timestamp::from_micros(0)).now(), clock.now());
    }
}
