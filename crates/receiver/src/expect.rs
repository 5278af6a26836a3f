//! Expectations of a test: what should come, how often, within what time; and, when it does not, what came near.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::{RangeFrom, RangeInclusive};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::capture::{Capture, Captures, Counts};
use crate::verdict::Subject;
use crate::wire;

/// How long an expectation waits if nothing else is said.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(10);

/// How many near misses are told.
pub const MAX_MISSES: usize = 3;

/// What one condition says of a capture: nothing, or how it misses.
type Condition = Box<dyn Fn(&Capture) -> Result<(), String> + Send + Sync>;

/// How many requests should meet the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    least: u64,
    most: Option<u64>,
}

impl From<u64> for Times {
    /// So many, and not more.
    fn from(times: u64) -> Self {
        Self { least: times, most: Some(times) }
    }
}

impl From<RangeFrom<u64>> for Times {
    fn from(times: RangeFrom<u64>) -> Self {
        Self { least: times.start, most: None }
    }
}

impl From<RangeInclusive<u64>> for Times {
    fn from(times: RangeInclusive<u64>) -> Self {
        Self { least: *times.start(), most: Some(*times.end()) }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, None) => write!(f, "at least {least}"),
            (least, Some(most)) if least == most => write!(f, "{least}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
        }
    }
}

/// What is expected of the requests that come. It is awaited, or waited for with [`Expectation::blocking`].
///
/// It is met as soon as enough requests meet all conditions; [`Expectation::throughout`] makes it wait its whole time, so
/// that one too many is noticed. One that none will do, `0` or `0..=2`, always waits its whole time.
#[must_use = "an expectation is looked at when it is awaited"]
pub struct Expectation {
    captures: Captures,
    times: Times,
    conditions: Vec<(String, Condition)>,
    limit: Duration,
    throughout: bool,
}

/// An expectation that was not met, or of which nobody knows.
///
/// `Debug` says the same as `Display`: a test that unwraps it, or gives it back, prints it so.
#[derive(Clone, PartialEq, Eq)]
pub struct Unmet {
    /// What was expected, in words.
    pub expected: String,
    /// How many requests met the conditions.
    pub met: u64,
    /// How many captures were dropped before they could be looked at: if there are any, nobody knows whether one of them
    /// would have met the expectation.
    pub dropped: u64,
    /// How many requests came in all.
    pub received: u64,
    /// The requests that came nearest, each with how it misses.
    pub misses: Vec<String>,
}

impl fmt::Debug for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Unmet {
    /// Whether nobody can know, because captures were dropped.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        self.dropped > 0
    }
}

impl std::error::Error for Unmet {}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unknown() {
            write!(
                f,
                "unknown whether there were {}: {} captures were dropped; of those that are kept {} fit",
                self.expected, self.dropped, self.met
            )?;
        } else {
            match (self.received, self.met) {
                (0, _) => write!(f, "expected {}, but nothing came", self.expected)?,
                (_, 0) => write!(
                    f,
                    "expected {}, but none of the {} that came is one",
                    self.expected, self.received
                )?,
                (_, met) => write!(
                    f,
                    "expected {}, but there {} {met}",
                    self.expected,
                    if met == 1 { "was" } else { "were" }
                )?,
            }
        }
        if !self.misses.is_empty() {
            write!(f, "; nearest:")?;
        }
        for miss in &self.misses {
            write!(f, "\n  {miss}")?;
        }
        Ok(())
    }
}

impl Expectation {
    pub(crate) fn new(captures: Captures, times: Times) -> Self {
        Self { captures, times, conditions: Vec::new(), limit: DEFAULT_LIMIT, throughout: false }
    }

    /// Waits this long.
    pub const fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Looks only at the end of the time, so that one too many is noticed.
    pub const fn throughout(mut self) -> Self {
        self.throughout = true;
        self
    }

    /// Adds a condition of one's own: a few words, and what it asks.
    pub fn that(self, words: &str, holds: impl Fn(&Capture) -> bool + Send + Sync + 'static) -> Self {
        let miss = format!("not {words}");
        self.condition(
            words.to_owned(),
            move |capture| if holds(capture) { Ok(()) } else { Err(miss.clone()) },
        )
    }

    /// Only requests to this path.
    pub fn path(self, path: &str) -> Self {
        self.equal("path", path, |capture| capture.request().map(|request| request.path().to_owned()))
    }

    /// Only requests with this method.
    pub fn method(self, method: &str) -> Self {
        self.equal("method", method, |capture| capture.request().map(|request| request.method.to_string()))
    }

    /// Only updates of this event.
    pub fn event(self, id: &str) -> Self {
        self.equal("event", id, |capture| capture.event.as_ref().and_then(|event| event.id.clone()))
    }

    /// Only updates of this alert type.
    pub fn alerttype(self, alerttype: &str) -> Self {
        self.equal("alert type", alerttype, |capture| {
            capture.event.as_ref().and_then(|event| event.alerttype.clone())
        })
    }

    /// Only requests that were answered with this status.
    pub fn status(self, status: u16) -> Self {
        let answered = |capture: &Capture| capture.status.map(|status| status.as_str().to_owned());
        self.equal("status", &status.to_string(), answered)
    }

    /// Only requests with this header field and value; the name ignores case. A value that is secret is not told.
    pub fn header(self, name: &str, value: &str) -> Self {
        let of = name.to_ascii_lowercase();
        if !wire::is_secret(&of) {
            return self.equal(name, value, move |capture| {
                capture.request().and_then(|request| request.header(&of))
            });
        }
        let (wanted, what) = (value.to_owned(), name.to_owned());
        self.condition(format!("{name} ***"), move |capture| {
            match capture.request().and_then(|request| request.header(&of)) {
                Some(came) if came == wanted => Ok(()),
                Some(_) => Err(format!("{what} is another")),
                None => Err(format!("no {what}")),
            }
        })
    }

    /// Only requests in which no check failed.
    pub fn verified(self) -> Self {
        self.condition("verified".to_owned(), |capture| {
            let failed: Vec<_> = capture.verdict.failures().map(|check| check.subject.as_str()).collect();
            if failed.is_empty() { Ok(()) } else { Err(format!("failed on {}", failed.join(", "))) }
        })
    }

    /// Only requests in which this check failed.
    pub fn failed(self, subject: Subject) -> Self {
        self.condition(format!("failed on {subject}"), move |capture| {
            if capture.verdict.failed(subject) { Ok(()) } else { Err(format!("{subject} did not fail")) }
        })
    }

    fn equal(
        self,
        what: &str,
        wanted: &str,
        came: impl Fn(&Capture) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let (name, value) = (what.to_owned(), wanted.to_owned());
        self.condition(format!("{what} {wanted:?}"), move |capture| match came(capture) {
            Some(came) if came == value => Ok(()),
            Some(came) => Err(format!("{name} is {came:?}")),
            None => Err(format!("no {name}")),
        })
    }

    fn condition(
        mut self,
        words: String,
        condition: impl Fn(&Capture) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.conditions.push((words, Box::new(condition)));
        self
    }

    /// Blocks the thread until it is known; for tests without a runtime.
    ///
    /// # Errors
    /// If it is not met in its time, or nobody can know.
    pub fn blocking(self) -> Result<Vec<Arc<Capture>>, Unmet> {
        let decided = self.captures.until_blocking(self.limit, |_| self.decided_early());
        decided.unwrap_or_else(|| self.conclude())
    }

    /// What is known before the time is over. That nothing comes, or not much, is known only at its end.
    fn decided_early(&self) -> Option<Result<Vec<Arc<Capture>>, Unmet>> {
        let met = self.matching().len() as u64;
        let too_many = self.times.most.is_some_and(|most| met > most);
        let throughout = self.throughout || (self.times.least == 0 && self.times.most.is_some());
        let enough = met >= self.times.least && !throughout;
        (too_many || enough).then(|| self.conclude())
    }

    fn matching(&self) -> Vec<Arc<Capture>> {
        let mut matching = self.captures.all();
        matching.retain(|capture| capture.is_request() && self.misses(capture).is_empty());
        matching
    }

    fn misses(&self, capture: &Capture) -> Vec<String> {
        self.conditions.iter().filter_map(|(_, condition)| condition(capture).err()).collect()
    }

    /// Decides by what is there.
    fn conclude(&self) -> Result<Vec<Arc<Capture>>, Unmet> {
        let matching = self.matching();
        let Counts { dropped, received, .. } = self.captures.counts();
        let met = matching.len() as u64;
        let too_many = self.times.most.is_some_and(|most| met > most);
        let bounded = self.times.most.is_some();
        // What was dropped may have fitted: it can fill what is missing, or break a bound that seems kept.
        let unknown = dropped > 0 && !too_many && (met < self.times.least || bounded);
        if met >= self.times.least && !too_many && !unknown {
            return Ok(matching);
        }
        let dropped = if unknown { dropped } else { 0 };
        let misses = self.nearest(met < self.times.least);
        Err(Unmet { expected: self.to_string(), met, dropped, received, misses })
    }

    /// Those that miss by the least, earliest first.
    fn nearest(&self, wanted: bool) -> Vec<String> {
        if !wanted {
            return Vec::new();
        }
        let requests = self.captures.all();
        let requests = requests.iter().filter(|capture| capture.is_request());
        let mut misses: Vec<_> = requests.map(|capture| (self.misses(capture), capture)).collect();
        misses.retain(|(misses, _)| !misses.is_empty());
        misses.sort_by_key(|(misses, capture)| (misses.len(), capture.number));
        let line = |(misses, capture): (Vec<String>, &Arc<Capture>)| {
            format!("#{} {}: {}", capture.number, capture.summary(), misses.join("; "))
        };
        misses.into_iter().take(MAX_MISSES).map(line).collect()
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = self.times.most == Some(1) && self.times.least == 1;
        write!(f, "{} {}", self.times, if one { "request" } else { "requests" })?;
        for (at, (words, _)) in self.conditions.iter().enumerate() {
            write!(f, "{}{words}", if at == 0 { " with " } else { " and " })?;
        }
        write!(f, " within {} s", self.limit.as_secs_f32())
    }
}

impl fmt::Debug for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expectation({self})")
    }
}

impl IntoFuture for Expectation {
    type Output = Result<Vec<Arc<Capture>>, Unmet>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Cancel safe.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let decided = self.captures.until(self.limit, |_| self.decided_early()).await;
            decided.unwrap_or_else(|| self.conclude())
        })
    }
}
