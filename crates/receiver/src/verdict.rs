//! The judgement of one request: every check that was asked for, each with what was expected and what came.

use std::borrow::Cow;
use std::fmt;

/// The checks of one request, in the order in which they are listed in [`Subject`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// One entry a check that was asked for; what is odd beside what is wrong has an entry of its own after it.
    pub checks: Vec<Check>,
}

/// One check and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub subject: Subject,
    /// What was found.
    pub finding: Finding,
}

/// What a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Whether a connection came as far as a request.
    Connection,
    /// The method.
    Method,
    /// The path.
    Path,
    /// Whether the body came whole and within the limit.
    Body,
    /// Basic credentials.
    Credentials,
    /// The content type.
    ContentType,
    /// Required header fields.
    Headers,
    /// The signature over id, time and body.
    Signature,
    /// Whether the body is JSON.
    Json,
    /// The fields of the body, their types and values.
    Shape,
    /// The order of the event's updates.
    Sequence,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All is well.
    Passed,
    /// Odd, but no reason to refuse.
    Noted(Vec<Problem>),
    /// Wrong.
    Failed(Vec<Problem>),
    /// It could not be looked at, for this reason; the check that failed before says why.
    Skipped(Cow<'static, str>),
}

/// One thing that is wrong or odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where or what: a header's name, a field's path, the subject itself.
    pub what: String,
    /// What should be there.
    pub expected: String,
    /// What came. Never a password.
    pub got: String,
}

impl Problem {
    pub(crate) fn new(what: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { what: cut(what.into()), expected: expected.into(), got: cut(got.into()) }
    }

    /// How much memory its texts hold, in bytes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.what.len() + self.expected.len() + self.got.len()
    }
}

/// How much of what came is repeated in one place of a verdict, in bytes: a member's name could be megabytes long.
pub const MAX_REPEATED: usize = 1024;

/// A text that is not longer than [`MAX_REPEATED`].
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MAX_REPEATED {
        text.truncate(text.floor_char_boundary(MAX_REPEATED));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

impl Finding {
    /// Its result in a word, as scripts read it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Noted(_) => "noted",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
        }
    }

    /// One problem that is a failure.
    pub(crate) fn failed(
        what: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self::Failed(vec![Problem::new(what, expected, got)])
    }

    /// Whether it is wrong.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// What is wrong or odd.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Noted(problems) | Self::Failed(problems) => problems,
            Self::Passed | Self::Skipped(_) => &[],
        }
    }
}

impl Verdict {
    /// Whether no check failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.checks.iter().any(|check| check.finding.is_failure())
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.finding.is_failure())
    }

    /// What a check found; `None` if it was not asked for.
    #[must_use]
    pub fn of(&self, subject: Subject) -> Option<&Finding> {
        self.checks.iter().find(|check| check.subject == subject).map(|check| &check.finding)
    }

    /// Whether a check failed.
    #[must_use]
    pub fn failed(&self, subject: Subject) -> bool {
        self.of(subject).is_some_and(Finding::is_failure)
    }
}

impl Subject {
    /// All of them, in their order.
    pub const ALL: [Self; 11] = [
        Self::Connection,
        Self::Method,
        Self::Path,
        Self::Body,
        Self::Credentials,
        Self::ContentType,
        Self::Headers,
        Self::Signature,
        Self::Json,
        Self::Shape,
        Self::Sequence,
    ];

    /// Its name, as scripts read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Method => "method",
            Self::Path => "path",
            Self::Body => "body",
            Self::Credentials => "credentials",
            Self::ContentType => "content-type",
            Self::Headers => "headers",
            Self::Signature => "signature",
            Self::Json => "json",
            Self::Shape => "shape",
            Self::Sequence => "sequence",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.what, self.expected, self.got)
    }
}

impl fmt::Display for Verdict {
    /// One line a check.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { subject, finding } in &self.checks {
            match finding {
                Finding::Passed => writeln!(f, "{subject}: passed")?,
                Finding::Skipped(reason) => writeln!(f, "{subject}: not checked, {reason}")?,
                Finding::Noted(problems) | Finding::Failed(problems) => {
                    let word = if finding.is_failure() { "failed" } else { "noted" };
                    for problem in problems {
                        writeln!(f, "{subject}: {word}, {problem}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
