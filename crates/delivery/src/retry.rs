//! What follows from an outcome: the schedule of retries, and the one function that judges.
//!
//! Pure: the time, the wall clock that a date is held against, and the throw of a die are arguments.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use crate::clock::Timestamp;
use crate::outcome::{Answer, Outcome, RetryAfter};

/// The delays before the first retries unless a policy says otherwise.
pub const DEFAULT_DELAYS: &[Duration] = &[
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(4 * 3600),
    Duration::from_secs(8 * 3600),
];

/// How long after the accept a delivery is given up unless a policy says otherwise.
pub const DEFAULT_EXPIRY: Duration = Duration::from_secs(24 * 3600);

/// The longest `Retry-After` that is honoured unless a policy says otherwise.
pub const DEFAULT_RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);

/// How a lane pauses after a 429 or 503 that names no time.
pub const DEFAULT_THROTTLE: Duration = Duration::from_secs(1);

/// When to try again, and when to give up. The last delay repeats until the expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    delays: Arc<[Duration]>,
    expiry: Duration,
    retry_after_cap: Duration,
}

/// Why a policy cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It would retry without a pause.
    #[error(
        "a delay of 0 between attempts would be a storm; leave the list of delays empty for a single attempt"
    )]
    NoDelay,
    /// It would give up before it began.
    #[error("an expiry of 0 leaves no time for an attempt")]
    NoTime,
}

/// One for all policies that have them.
static STANDARD_DELAYS: LazyLock<Arc<[Duration]>> = LazyLock::new(|| DEFAULT_DELAYS.into());

impl RetryPolicy {
    /// A policy with these delays, the last of which repeats; without delays there is one attempt only.
    ///
    /// # Errors
    /// If a delay or the expiry is 0.
    pub fn new(
        delays: Vec<Duration>,
        expiry: Duration,
        retry_after_cap: Duration,
    ) -> Result<Self, PolicyError> {
        if delays.iter().any(Duration::is_zero) {
            return Err(PolicyError::NoDelay);
        }
        if expiry.is_zero() {
            return Err(PolicyError::NoTime);
        }
        Ok(Self { delays: delays.into(), expiry, retry_after_cap })
    }

    /// The default: at once, after 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, then every 8 h for 24 h.
    #[must_use]
    pub fn standard() -> Self {
        let (expiry, retry_after_cap) = (DEFAULT_EXPIRY, DEFAULT_RETRY_AFTER_CAP);
        Self { delays: Arc::clone(&STANDARD_DELAYS), expiry, retry_after_cap }
    }

    /// One attempt.
    #[must_use]
    pub fn once() -> Self {
        Self { delays: Arc::default(), ..Self::standard() }
    }

    /// For someone who waits: quick retries, until `limit` has passed.
    ///
    /// # Errors
    /// If `limit` is 0.
    pub fn lasting(limit: Duration) -> Result<Self, PolicyError> {
        Self::new([1, 2, 4, 8, 15].map(Duration::from_secs).to_vec(), limit, limit)
    }

    /// How long after the accept a delivery is given up.
    #[must_use]
    pub const fn expiry(&self) -> Duration {
        self.expiry
    }

    /// The pause after so many counted attempts: 50 to 100 % of the step, as `die` falls. `None`: no more attempts.
    fn delay(&self, attempts: u32, die: Die) -> Option<Duration> {
        let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let step = self.delays.get(step).or(self.delays.last())?;
        Some(step.mul_f64(0.5 + 0.5 * die.0))
    }
}

/// A throw: evenly from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Die(f64);

impl Die {
    /// A throw; what is outside 0 to 1 is moved to its edge.
    #[must_use]
    pub const fn new(throw: f64) -> Self {
        Self(throw.clamp(0.0, 1.0))
    }
}

/// What an outcome means for its delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It arrived.
    Delivered,
    /// Try again at once; this one did not count.
    Repeat,
    /// Try again then.
    Retry(Timestamp),
    /// Never again.
    Dead(Reason),
}

/// Why a delivery is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There are no more attempts, or the next would come after the expiry.
    GaveUp,
    /// The expiry passed while it waited.
    Expired,
    /// No body can be made for the target.
    Unrenderable(String),
    /// Its lane was removed.
    LaneRemoved,
    /// Its record in the store is damaged, so that it cannot be sent.
    Damaged,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GaveUp => f.write_str("given up after its last attempt"),
            Self::Expired => f.write_str("expired while it waited"),
            Self::Unrenderable(reason) => write!(f, "the body cannot be made: {reason}"),
            Self::LaneRemoved => f.write_str("its integration was removed"),
            Self::Damaged => f.write_str("its record in the store is damaged"),
        }
    }
}

/// What an outcome means for its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneEffect {
    /// Nothing.
    None,
    /// No attempts until then (429, 503).
    SlowUntil(Timestamp),
    /// No attempts until a person says so (410).
    Disable,
}

/// What an outcome says of the receiver, for the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works: it took the message, or judged it.
    Good,
    /// It does not.
    Bad,
    /// It says nothing of the receiver.
    Unknown,
}

/// All that follows from an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// For the delivery.
    pub disposition: Disposition,
    /// For the lane.
    pub lane: LaneEffect,
    /// For the breaker.
    pub health: Health,
}

/// What was tried, when.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// Counted attempts, this one included.
    pub attempts: u32,
    /// Whether an attempt of this delivery went unsent just before.
    pub repeated: bool,
    /// When the delivery expires.
    pub expires: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// Now by the wall clock, which dates are held against.
    pub wall: SystemTime,
    /// A throw of the die.
    pub die: Die,
}

/// Says what follows from an outcome.
///
/// A 4xx other than 408, 425 and 429 is retried like the rest, since receivers get redeployed, but is no sign of an
/// outage: one update that a receiver cannot bear must not stop the others.
#[must_use]
pub fn judge(outcome: &Outcome, policy: &RetryPolicy, tried: &Tried) -> Judgement {
    let failed =
        |health| Judgement { disposition: again(policy, tried, None), lane: LaneEffect::None, health };
    match outcome {
        Outcome::Answered(answer) => judge_answer(answer, policy, tried),
        Outcome::Unsent if !tried.repeated => {
            let (disposition, lane) = (Disposition::Repeat, LaneEffect::None);
            Judgement { disposition, lane, health: Health::Unknown }
        }
        Outcome::Unsent
        | Outcome::Unreachable(_)
        | Outcome::Tls(_)
        | Outcome::TimedOut(_)
        | Outcome::Broken { .. } => failed(Health::Bad),
        Outcome::Unrenderable(reason) => Judgement {
            disposition: Disposition::Dead(Reason::Unrenderable(reason.clone())),
            lane: LaneEffect::None,
            health: Health::Unknown,
        },
    }
}

fn judge_answer(answer: &Answer, policy: &RetryPolicy, tried: &Tried) -> Judgement {
    let retry = |not_before| again(policy, tried, not_before);
    let (disposition, lane, health) = match answer.status.as_u16() {
        200..=299 => (Disposition::Delivered, LaneEffect::None, Health::Good),
        410 => (retry(None), LaneEffect::Disable, Health::Unknown),
        429 | 503 => {
            let pause = answer.retry_after.map_or(DEFAULT_THROTTLE, |after| wait(after, policy, tried.wall));
            let until = tried.now.after(pause);
            (retry(Some(until)), LaneEffect::SlowUntil(until), Health::Unknown)
        }
        408 | 425 => (retry(None), LaneEffect::None, Health::Bad),
        400..=499 => (retry(None), LaneEffect::None, Health::Good),
        // Redirects are not followed; 1xx is never a final answer; what is beyond 599 has no meaning.
        _ => (retry(None), LaneEffect::None, Health::Bad),
    };
    Judgement { disposition, lane, health }
}

/// The next attempt, not before `not_before`, or the end.
fn again(policy: &RetryPolicy, tried: &Tried, not_before: Option<Timestamp>) -> Disposition {
    let Some(delay) = policy.delay(tried.attempts, tried.die) else {
        return Disposition::Dead(Reason::GaveUp);
    };
    let at = tried.now.after(delay).max(not_before.unwrap_or(tried.now));
    if at >= tried.expires { Disposition::Dead(Reason::GaveUp) } else { Disposition::Retry(at) }
}

/// `Retry-After` as a wait of at most the policy's cap; a date that has passed is none.
fn wait(after: RetryAfter, policy: &RetryPolicy, wall: SystemTime) -> Duration {
    let asked = match after {
        RetryAfter::Seconds(seconds) => Duration::from_secs(seconds),
        RetryAfter::Date(date) => date.duration_since(wall).unwrap_or_default(),
    };
    asked.min(policy.retry_after_cap)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::StatusCode;

    use super::*;
    use crate::outcome::{Phase, TlsFault, Unreachable};

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn tried(attempts: u32) -> Tried {
        let wall = UNIX_EPOCH + Duration::from_secs(1000);
        let expires = NOW.after(DEFAULT_EXPIRY);
        Tried { attempts, repeated: false, expires, now: NOW, wall, die: Die::new(1.0) }
    }

    fn answered(status: u16, retry_after: Option<RetryAfter>) -> Outcome {
        Outcome::Answered(Answer { status: StatusCode::from_u16(status).unwrap(), retry_after })
    }

    fn after(seconds: u64) -> Timestamp {
        NOW.after(Duration::from_secs(seconds))
    }

    #[test]
    fn each_reason_is_said() {
        for (reason, said) in [
            (Reason::GaveUp, "given up after its last attempt"),
            (Reason::Expired, "expired while it waited"),
            (Reason::Unrenderable("x".to_owned()), "the body cannot be made: x"),
            (Reason::LaneRemoved, "its integration was removed"),
            (Reason::Damaged, "its record in the store is damaged"),
        ] {
            assert_eq!(reason.to_string(), said);
        }
    }

    #[test]
    fn every_outcome_has_its_consequence() {
        use Disposition::{Dead, Delivered, Repeat, Retry};
        use Health::{Bad, Good, Unknown};
        use LaneEffect::{Disable, None as Nothing, SlowUntil};
        let retry = || Retry(after(5));
        let seconds = |seconds| Some(RetryAfter::Seconds(seconds));
        let date = |seconds| Some(RetryAfter::Date(UNIX_EPOCH + Duration::from_secs(seconds)));
        for (outcome, disposition, lane, health) in [
            (answered(200, None), Delivered, Nothing, Good),
            (answered(204, None), Delivered, Nothing, Good),
            (answered(299, None), Delivered, Nothing, Good),
            (answered(301, None), retry(), Nothing, Bad),
            (answered(400, None), retry(), Nothing, Good),
            (answered(401, None), retry(), Nothing, Good),
            (answered(404, seconds(60)), retry(), Nothing, Good),
            (answered(408, None), retry(), Nothing, Bad),
            (answered(410, None), retry(), Disable, Unknown),
            (answered(425, None), retry(), Nothing, Bad),
            (answered(429, None), retry(), SlowUntil(after(1)), Unknown),
            (answered(429, seconds(60)), Retry(after(60)), SlowUntil(after(60)), Unknown),
            (answered(503, date(1060)), Retry(after(60)), SlowUntil(after(60)), Unknown),
            (answered(503, date(10)), retry(), SlowUntil(NOW), Unknown),
            (answered(503, seconds(u64::MAX)), Retry(after(3600)), SlowUntil(after(3600)), Unknown),
            (answered(500, None), retry(), Nothing, Bad),
            (answered(599, None), retry(), Nothing, Bad),
            (answered(999, None), retry(), Nothing, Bad),
            (Outcome::Unreachable(Unreachable::Failed(String::new())), retry(), Nothing, Bad),
            (Outcome::Unreachable(Unreachable::NameNotFound(String::new())), retry(), Nothing, Bad),
            (Outcome::Tls(TlsFault::Expired), retry(), Nothing, Bad),
            (Outcome::TimedOut(Phase::ResponseHead), retry(), Nothing, Bad),
            (Outcome::Broken { phase: Phase::Request, reason: String::new() }, retry(), Nothing, Bad),
            (Outcome::Unsent, Repeat, Nothing, Unknown),
            (
                Outcome::Unrenderable("x".to_owned()),
                Dead(Reason::Unrenderable("x".to_owned())),
                Nothing,
                Unknown,
            ),
        ] {
            let judged = judge(&outcome, &RetryPolicy::standard(), &tried(1));
            assert_eq!(judged, Judgement { disposition, lane, health }, "{outcome:?}");
        }
    }

    #[test]
    fn an_unsent_attempt_is_repeated_once_only() {
        let again = Tried { repeated: true, ..tried(1) };
        let judged = judge(&Outcome::Unsent, &RetryPolicy::standard(), &again);
        assert_eq!(judged.disposition, Disposition::Retry(after(5)));
    }

    #[test]
    fn the_schedule_is_the_design_s_until_the_expiry() {
        let policy = RetryPolicy::standard();
        let (mut now, mut attempts, mut waits) = (NOW, 1, Vec::new());
        loop {
            let tried = Tried { attempts, now, ..tried(1) };
            match judge(&answered(500, None), &policy, &tried).disposition {
                Disposition::Retry(at) => {
                    waits.push(at.since(now).as_secs());
                    (now, attempts) = (at, attempts + 1);
                }
                end => {
                    assert_eq!(end, Disposition::Dead(Reason::GaveUp));
                    break;
                }
            }
        }
        assert_eq!(waits, [5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800]);
    }

    #[test]
    fn delays_are_drawn_from_half_to_all_of_their_step() {
        for (throw, millis) in [(0.0, 2500), (0.5, 3750), (1.0, 5000), (7.0, 5000), (-1.0, 2500)] {
            let tried = Tried { die: Die::new(throw), ..tried(1) };
            let judged = judge(&answered(500, None), &RetryPolicy::standard(), &tried);
            assert_eq!(judged.disposition, Disposition::Retry(NOW.after(Duration::from_millis(millis))));
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_is_honoured_up_to_the_cap() {
        assert_eq!(DEFAULT_RETRY_AFTER_CAP, Duration::from_secs(3600));
        for (asked, waits) in [(3599, 3599), (3600, 3600), (3601, 3600)] {
            let date = UNIX_EPOCH + Duration::from_secs(1000 + asked);
            for asked in [RetryAfter::Seconds(asked), RetryAfter::Date(date)] {
                let judged = judge(&answered(429, Some(asked)), &RetryPolicy::standard(), &tried(1));
                assert_eq!(judged.lane, LaneEffect::SlowUntil(after(waits)), "{asked:?}");
            }
        }
    }

    #[test]
    fn a_single_attempt_is_the_last() {
        let judged = judge(&answered(500, None), &RetryPolicy::once(), &tried(1));
        assert_eq!(judged.disposition, Disposition::Dead(Reason::GaveUp));
    }

    #[test]
    fn a_policy_that_would_storm_cannot_be_made() {
        let hour = Duration::from_secs(3600);
        assert_eq!(RetryPolicy::new(vec![Duration::ZERO], hour, hour), Err(PolicyError::NoDelay));
        assert_eq!(RetryPolicy::new(vec![hour], Duration::ZERO, hour), Err(PolicyError::NoTime));
        assert_eq!(RetryPolicy::lasting(Duration::ZERO), Err(PolicyError::NoTime));
    }
}
