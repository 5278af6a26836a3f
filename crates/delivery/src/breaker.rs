//! The breaker of a lane: after failures in a row it lets one delivery probe at a time, and after a success it lets the
//! others follow with a ramp.
//!
//! Pure. It counts failures of the receiver ([`Health::Bad`]) over all keys of the lane; one success forgives them all.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::retry::Health;

/// Failures in a row that open it.
pub const FAILURES_TO_OPEN: u32 = 5;

/// The pause before the first probe.
pub const FIRST_PROBE: Duration = Duration::from_secs(1);

/// The longest pause between probes.
pub const MAX_PROBE_PAUSE: Duration = Duration::from_secs(60);

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// All is well.
    Closed {
        /// Failures since the last success.
        failures: u32,
    },
    /// Nothing but a probe, and not before `until`.
    Open {
        /// When the next probe is due.
        until: Timestamp,
        /// The pause that led there.
        pause: Duration,
        /// Whether a probe is under way.
        probing: bool,
    },
    /// The receiver is back: as many at once as `allowed`, which doubles with each success.
    Ramping {
        /// How many at once.
        allowed: usize,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// How many attempts may be under way at once, of `limit`, when `in_flight` are. A probe is one more than what is
    /// still under way from before; whether it is due already is [`Breaker::opens_up_at`]'s to say.
    #[must_use]
    pub fn allows(&self, limit: usize, in_flight: usize) -> usize {
        match *self {
            Self::Closed { .. } => limit,
            Self::Open { probing: true, .. } => 0,
            Self::Open { probing: false, .. } => in_flight.saturating_add(1).min(limit),
            Self::Ramping { allowed } => allowed.min(limit),
        }
    }

    /// When it allows more by itself.
    #[must_use]
    pub const fn opens_up_at(&self) -> Option<Timestamp> {
        match *self {
            Self::Open { until, probing: false, .. } => Some(until),
            Self::Open { .. } | Self::Closed { .. } | Self::Ramping { .. } => None,
        }
    }

    /// An attempt starts.
    pub fn started(&mut self) {
        if let Self::Open { probing, .. } = self {
            *probing = true;
        }
    }

    /// An attempt ended; says whether the receiver has just come back. `limit` is where the ramp ends.
    pub fn finished(&mut self, health: Health, limit: usize, now: Timestamp) -> bool {
        let before = *self;
        *self = match (health, before) {
            (Health::Good, Self::Open { .. }) => Self::Ramping { allowed: 1 },
            (Health::Good, Self::Ramping { allowed }) if allowed.saturating_mul(2) < limit => {
                Self::Ramping { allowed: allowed * 2 }
            }
            (Health::Good, Self::Ramping { .. } | Self::Closed { .. }) => Self::Closed { failures: 0 },
            (Health::Bad, Self::Closed { failures }) if failures + 1 < FAILURES_TO_OPEN => {
                Self::Closed { failures: failures + 1 }
            }
            (Health::Bad, Self::Closed { .. } | Self::Ramping { .. }) => Self::open(FIRST_PROBE, now),
            (Health::Bad, Self::Open { pause, probing: true, .. }) => {
                Self::open(pause.saturating_mul(2).min(MAX_PROBE_PAUSE), now)
            }
            // An attempt from before it opened ends now: it tells nothing new.
            (Health::Bad, open @ Self::Open { .. }) => open,
            (Health::Unknown, Self::Open { pause, probing: true, .. }) => Self::open(pause, now),
            (Health::Unknown, unchanged) => unchanged,
        };
        matches!((before, *self), (Self::Open { .. }, Self::Ramping { .. }))
    }

    /// A breaker as it was kept: open after this pause, or closed. An open one probes at once: a process that starts cannot
    /// know what happened meanwhile, and one probe is little.
    #[must_use]
    pub fn restored(open: Option<(Timestamp, Duration)>, now: Timestamp) -> Self {
        open.map_or_else(Self::default, |(until, pause)| Self::Open {
            until: until.min(now),
            pause,
            probing: false,
        })
    }

    /// What is to be kept of it: when the next probe is due, and the pause that led there.
    #[must_use]
    pub const fn open_since(&self) -> Option<(Timestamp, Duration)> {
        match *self {
            Self::Open { until, pause, .. } => Some((until, pause)),
            Self::Closed { .. } | Self::Ramping { .. } => None,
        }
    }

    /// Whether it lets probes through only.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    fn open(pause: Duration, now: Timestamp) -> Self {
        Self::Open { until: now.after(pause), pause, probing: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(0);

    fn broken() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(breaker.allows(8, 0), 8);
            breaker.finished(Health::Bad, 8, NOW);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            for _ in 0..FAILURES_TO_OPEN - 1 {
                breaker.finished(Health::Bad, 8, NOW);
            }
            breaker.finished(Health::Good, 8, NOW);
        }
        assert_eq!(breaker, Breaker::default());
        assert_eq!(broken().opens_up_at(), Some(NOW.after(FIRST_PROBE)));
    }

    #[test]
    fn probes_come_one_at_a_time_and_further_apart() {
        let (mut breaker, mut now, mut pauses) = (broken(), NOW, Vec::new());
        for _ in 0..8 {
            let due = breaker.opens_up_at().unwrap();
            pauses.push(due.since(now).as_secs());
            now = due;
            assert_eq!(breaker.allows(8, 3), 4);
            breaker.started();
            assert_eq!(breaker.allows(8, 0), 0, "one probe at a time");
            assert!(!breaker.finished(Health::Bad, 8, now));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn after_a_success_the_others_follow_with_a_ramp() {
        let mut breaker = broken();
        breaker.started();
        assert!(breaker.finished(Health::Good, 8, NOW), "the receiver is back");
        let mut allowed = Vec::new();
        for _ in 0..4 {
            allowed.push(breaker.allows(8, 0));
            // At its limit it is closed: one failure opens it no more.
            assert_eq!(breaker == Breaker::default(), allowed.len() == 4, "{breaker:?}");
            assert!(!breaker.finished(Health::Good, 8, NOW));
        }
        assert_eq!(allowed, [1, 2, 4, 8]);
        assert_eq!(breaker, Breaker::default());
    }
}
