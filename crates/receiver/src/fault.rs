//! Faults: what the receiver does wrong on purpose, by rule. Pure: the time and the seed are handed in.
//!
//! ```text
//! connection ─plan─▶ reset before, accept-only    head ─plan─▶ reset within    request ─plan─▶ everything else
//! ```
//!
//! A rule looks at the requests that its conditions name, counts them, and strikes at those that its *when* names. The
//! first rule that strikes decides; the others count on. A run with the same seed and the same requests is the same run.

pub mod latency;
mod rule;

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

pub use latency::Latency;
pub use rule::{Pairs, RuleError};

/// How many rules there may be.
pub const MAX_RULES: usize = 256;

/// How many events a rule counts apart; those beyond share one count.
pub const MAX_COUNTED_EVENTS: usize = 100_000;

/// The longest that one answer is held back, dripped or kept endless.
pub const MAX_HOLD: Duration = Duration::from_secs(10 * 60);

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Nothing but a delay: the answer is the right one, late.
    None,
    /// Another status than the right one.
    Status {
        /// The status.
        status: StatusCode,
        /// The `Retry-After` field, in its own syntax (RFC 9110, section 10.2.3).
        retry_after: Option<HeaderValue>,
    },
    /// A redirect (RFC 9110, section 15.4).
    Redirect {
        /// One of 301, 302, 303, 307, 308.
        status: StatusCode,
        /// Where to.
        location: HeaderValue,
    },
    /// The connection is reset.
    Reset(Moment),
    /// The answer announces its whole length and stops half-way.
    Truncate,
    /// The answer never ends: a megabyte at once, and a piece every tenth of a second until [`MAX_HOLD`].
    Endless,
    /// These bytes in place of an answer, whatever they are; then the connection is closed.
    Raw(Bytes),
    /// The answer comes a byte at a time, with this pause after each.
    Slow(Duration),
    /// The request is read, and nothing is answered for this time; then the connection is closed.
    Silent(Duration),
    /// The connection is accepted and nothing is read for this time; then it is closed.
    AcceptOnly(Duration),
    /// Nobody listens: connections are refused while the rule is in force.
    Refuse,
}

/// When a connection is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As soon as it is accepted.
    Before,
    /// After the head of a request, within its body.
    Within,
    /// After the whole request, without an answer.
    After,
    /// In the middle of the answer.
    Answer,
}

/// When in an exchange a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before there is a connection.
    Listening,
    /// When a connection was accepted.
    Connection,
    /// When a head was read.
    Head,
    /// When a request was read.
    Request,
}

/// Whose requests a rule counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// All of them together.
    #[default]
    Run,
    /// Those of each event apart.
    Event,
}

/// A rule: which requests, which of those, and what happens to them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// Only requests to this path.
    pub path: Option<String>,
    /// Only updates of this event.
    pub event: Option<String>,
    /// Only updates of this alert type.
    pub alerttype: Option<String>,
    /// Of those the n-th, from 1.
    pub nth: Option<u64>,
    /// Of those every n-th.
    pub every: Option<u64>,
    /// Of those the first n.
    pub first: Option<u64>,
    /// Of those one with this probability.
    pub probability: Option<f64>,
    /// What is counted apart.
    pub per: Per,
    /// For how long the rule is in force, from when it was set.
    pub lasts: Option<Duration>,
    /// How long the answer is held back.
    pub delay: Option<Latency>,
    /// What goes wrong.
    pub fault: Fault,
}

#[expect(
    clippy::derivable_impls,
    reason = "`None` reads as nothing here, and a derived default hides which it is"
)]
impl Default for Fault {
    fn default() -> Self {
        Self::None
    }
}

/// What a rule decided for one request or connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Struck {
    /// Which rule, from 1.
    pub rule: usize,
    /// How long to hold back what follows.
    pub delay: Duration,
    /// What goes wrong.
    pub fault: Fault,
}

/// What is known of a request when its faults are planned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its event's id.
    pub event: Option<&'a str>,
    /// Its alert type.
    pub alerttype: Option<&'a str>,
}

/// The rules in force, and what they counted.
#[derive(Debug)]
pub struct Faults {
    rules: Vec<Counted>,
    seed: u64,
    dice: fastrand::Rng,
}

#[derive(Debug)]
struct Counted {
    rule: Rule,
    /// When it was set, on the receiver's own clock.
    since: Duration,
    seen: u64,
    /// By a hash of the event's id, however long that is.
    seen_of: HashMap<u64, u64>,
}

impl Faults {
    /// Rules that are in force from `now` on.
    #[must_use]
    pub fn new(rules: Vec<Rule>, seed: u64, now: Duration) -> Self {
        let counted = |rule| Counted { rule, since: now, seen: 0, seen_of: HashMap::new() };
        Self { rules: rules.into_iter().map(counted).collect(), seed, dice: fastrand::Rng::with_seed(seed) }
    }

    /// The rules in their order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|counted| &counted.rule)
    }

    /// What the dice began with.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Decides what goes wrong at `stage`, at the time `now`.
    pub fn plan(&mut self, stage: Stage, facts: &Facts<'_>, now: Duration) -> Option<Struck> {
        let mut struck = None;
        for (number, counted) in (1..).zip(&mut self.rules) {
            let concerned =
                counted.rule.fault.stage() == stage && counted.in_force(now) && counted.names(facts);
            if !concerned || !counted.strikes(facts.event, &mut self.dice) || struck.is_some() {
                continue;
            }
            let delay =
                counted.rule.delay.as_ref().map_or(Duration::ZERO, |delay| delay.draw(&mut self.dice));
            struck = Some(Struck { rule: number, delay, fault: counted.rule.fault.clone() });
        }
        struck
    }

    /// For how long nobody listens from `now` on; `None` if somebody should. A rule that does not end by itself is asked
    /// about again after [`MAX_HOLD`].
    #[must_use]
    pub fn refusing(&self, now: Duration) -> Option<Duration> {
        let refusing = |counted: &&Counted| counted.rule.fault == Fault::Refuse && counted.in_force(now);
        let left = |counted: &Counted| match counted.rule.lasts {
            Some(lasts) => (counted.since + lasts).saturating_sub(now),
            None => MAX_HOLD,
        };
        self.rules.iter().filter(refusing).map(left).max()
    }
}

impl Counted {
    fn in_force(&self, now: Duration) -> bool {
        self.rule.lasts.is_none_or(|lasts| now.saturating_sub(self.since) < lasts)
    }

    fn names(&self, facts: &Facts<'_>) -> bool {
        let is = |wanted: &Option<String>, came: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| came == Some(wanted))
        };
        is(&self.rule.path, Some(facts.path))
            && is(&self.rule.event, facts.event)
            && is(&self.rule.alerttype, facts.alerttype)
    }

    /// Counts one more, and says whether it is one of those that the rule strikes at.
    fn strikes(&mut self, event: Option<&str>, dice: &mut fastrand::Rng) -> bool {
        let number = self.count(event);
        let rule = &self.rule;
        rule.nth.is_none_or(|nth| number == nth)
            && rule.every.is_none_or(|every| number.is_multiple_of(every))
            && rule.first.is_none_or(|first| number <= first)
            && rule.probability.is_none_or(|probability| dice.f64() < probability)
    }

    fn count(&mut self, event: Option<&str>) -> u64 {
        let counts = &mut self.seen_of;
        let key = event.filter(|_| self.rule.per == Per::Event).map(hash);
        let number = match key {
            Some(key) if counts.contains_key(&key) || counts.len() < MAX_COUNTED_EVENTS => {
                counts.entry(key).or_default()
            }
            _ => &mut self.seen,
        };
        *number += 1;
        *number
    }
}

fn hash(event: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.hash(&mut hasher);
    hasher.finish()
}

impl Fault {
    /// When it strikes.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Refuse => Stage::Listening,
            Self::AcceptOnly(_) | Self::Reset(Moment::Before) => Stage::Connection,
            Self::Reset(Moment::Within) => Stage::Head,
            Self::None
            | Self::Status { .. }
            | Self::Redirect { .. }
            | Self::Reset(Moment::After | Moment::Answer)
            | Self::Truncate
            | Self::Endless
            | Self::Raw(_)
            | Self::Slow(_)
            | Self::Silent(_) => Stage::Request,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::Status { status, retry_after: None } => write!(f, "status {}", status.as_u16()),
            Self::Status { status, retry_after: Some(after) } => {
                let after = String::from_utf8_lossy(after.as_bytes());
                write!(f, "status {}, Retry-After {after}", status.as_u16())
            }
            Self::Redirect { status, location } => {
                let location = String::from_utf8_lossy(location.as_bytes());
                write!(f, "redirect {} to {location}", status.as_u16())
            }
            Self::Reset(Moment::Before) => write!(f, "reset before the request"),
            Self::Reset(Moment::Within) => write!(f, "reset within the request"),
            Self::Reset(Moment::After) => write!(f, "reset after the request"),
            Self::Reset(Moment::Answer) => write!(f, "reset within the answer"),
            Self::Truncate => write!(f, "truncated answer"),
            Self::Endless => write!(f, "endless answer"),
            Self::Raw(bytes) => {
                let shown = &bytes[..bytes.len().min(60)];
                write!(f, "raw answer {:?}", String::from_utf8_lossy(shown))
            }
            Self::Slow(pause) => write!(f, "slow answer, {pause:?} a byte"),
            Self::Silent(hold) => write!(f, "silent for {hold:?}"),
            Self::AcceptOnly(hold) => write!(f, "accepted and not read for {hold:?}"),
            Self::Refuse => write!(f, "refused"),
        }
    }
}

impl fmt::Display for Struck {
    /// In a few words: `status 503, Retry-After 2 after 100 ms (rule 1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.fault, self.delay.is_zero()) {
            (Fault::None, _) => write!(f, "delayed {} ms", self.delay.as_millis())?,
            (fault, true) => write!(f, "{fault}")?,
            (fault, false) => write!(f, "{fault}, delayed {} ms", self.delay.as_millis())?,
        }
        write!(f, " (rule {})", self.rule)
    }
}

#[cfg(test)]
mod tests;
