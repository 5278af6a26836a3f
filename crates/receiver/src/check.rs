//! The checks: what a request should be, and the one function that holds it against that.
//!
//! Every check that was asked for is run and reported, not the first that failed: who repairs a sender wants to see all
//! of it at once.

pub mod credentials;
pub mod headers;
pub mod sequence;
mod shape;
pub mod signature;

use std::collections::BTreeSet;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use payload::{FieldNames, Update};

use crate::request::{Body, Request};
use crate::verdict::{Check, Finding, Problem, Subject, Verdict};

use credentials::Expected;
use headers::Required;
use sequence::{Arrival, Marks, Sequences, Taken};
use signature::{DEFAULT_TOLERANCE, Signing};

/// What the `webhook-id` of a test delivery begins with: it is no part of an event's life.
pub const TEST_PREFIX: &str = "test_";

/// What a request should be.
#[derive(Clone, Debug)]
pub struct Checks {
    /// The method is always checked.
    pub method: Method,
    /// The path, if only one is right.
    pub path: Option<String>,
    /// The media type that the body should be declared as (RFC 9110, section 8.3.1); parameters do not matter.
    pub content_type: Option<String>,
    /// Basic credentials.
    pub credentials: Option<Expected>,
    /// Header fields that must be there.
    pub headers: Vec<Required>,
    /// The keys that requests must be signed with (Standard Webhooks).
    pub signing: Option<Signing>,
    /// How far the time of a signature may be from now, both ways.
    pub signature_tolerance: Duration,
    /// The names that the sender gives to the fields.
    pub field_names: FieldNames,
    /// What becomes of a body that is odd.
    pub strictness: Strictness,
    /// Checks that are left out.
    pub without: BTreeSet<Subject>,
}

/// What becomes of a body that is odd but readable: unknown fields, unusual values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// It is noted.
    #[default]
    Tolerant,
    /// It is refused.
    Strict,
}

impl Checks {
    /// Requires a path. The slash at its beginning may be left out: every path has one (RFC 9112, section 3.2.1).
    pub fn require_path(&mut self, path: &str) {
        let slash = if path.starts_with('/') { "" } else { "/" };
        self.path = Some(format!("{slash}{path}"));
    }

    /// Requires Basic credentials. What is not given stays as it is, and is empty at first.
    pub fn require_credentials(&mut self, username: Option<&str>, password: Option<&str>) {
        let before = self.credentials.take().unwrap_or_else(|| Expected::new("", ""));
        self.credentials = Some(before.with(username, password));
    }

    /// Leaves a check out, and those that cannot be without it.
    pub fn leave_out(&mut self, subject: Subject) {
        self.without.insert(subject);
        if subject == Subject::Json {
            self.without.extend([Subject::Shape, Subject::Sequence]);
        }
    }

    /// The checks that are run, in words, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let asked = [
            (Subject::Method, true, "method"),
            (Subject::Path, self.path.is_some(), "path"),
            (Subject::ContentType, self.content_type.is_some(), "content type"),
            (Subject::Credentials, self.credentials.is_some(), "Basic credentials"),
            (Subject::Headers, !self.headers.is_empty(), "required headers"),
            (Subject::Signature, self.signing.is_some(), "signature"),
            (Subject::Json, true, "JSON"),
            (Subject::Shape, true, "shape"),
            (Subject::Sequence, true, "sequence"),
        ];
        let run = |(subject, asked, name)| (asked && !self.without.contains(&subject)).then_some(name);
        asked.into_iter().filter_map(run).collect()
    }
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            method: Method::POST,
            path: None,
            content_type: Some("application/json".to_owned()),
            credentials: None,
            headers: Vec::new(),
            signing: None,
            signature_tolerance: DEFAULT_TOLERANCE,
            field_names: FieldNames::standard(),
            strictness: Strictness::Tolerant,
            without: BTreeSet::new(),
        }
    }
}

/// What the checks found in a request, and the update that they read in it.
pub(crate) struct Checked {
    pub(crate) verdict: Verdict,
    /// Under the standard names, and what it is known again by.
    pub(crate) update: Option<(Update, Marks)>,
    /// Whether it is a test delivery.
    is_test: bool,
}

/// Holds a request against what it should be: all of it but the order, which needs to know what is answered.
pub(crate) fn check(request: &Request, checks: &Checks) -> Checked {
    let shape = shape::read(request, &checks.field_names, checks.strictness);
    let credentials = |expected| credentials::check(request, expected);
    let content_type = |expected| content_type(request, expected);
    let headers = headers::check(request, &checks.headers);
    let signature = |signing| signature::check(request, signing, checks.signature_tolerance);
    let findings = [
        (Subject::Method, Some(method(request, &checks.method))),
        (Subject::Path, checks.path.as_deref().map(|expected| path(request, expected))),
        (Subject::Body, Some(body(request))),
        (Subject::Credentials, checks.credentials.as_ref().map(credentials)),
        (Subject::ContentType, checks.content_type.as_deref().map(content_type)),
        (Subject::Headers, headers),
        (Subject::Signature, checks.signing.as_ref().map(signature)),
        (Subject::Json, Some(shape.json)),
        (Subject::Shape, Some(shape.shape)),
        (Subject::Shape, shape.odd),
    ];
    let asked_for = |(subject, finding): (Subject, Option<Finding>)| {
        let finding = finding.filter(|_| !checks.without.contains(&subject))?;
        Some(Check { subject, finding })
    };
    let checks = findings.into_iter().filter_map(asked_for).collect();
    let delivery = request.webhook_id();
    let marked = |update: Update| {
        let marks = Marks::of(&update, delivery.as_deref());
        (update, marks)
    };
    Checked {
        verdict: Verdict { checks },
        update: shape.update.map(marked),
        is_test: delivery.as_deref().is_some_and(|id| id.starts_with(TEST_PREFIX)),
    }
}

/// Judges where a request stands among its event's updates, and adds that to its verdict. `taken` says whether the sender
/// will hold it to have arrived: what was not taken does not advance its event, and may come again.
pub(crate) fn follow(
    checked: &mut Checked,
    checks: &Checks,
    sequences: &mut Sequences,
    (number, status, taken): (u64, Option<StatusCode>, Taken),
) {
    if checks.without.contains(&Subject::Sequence) {
        return;
    }
    let refused = !checked.verdict.passed();
    let finding = match &checked.update {
        None if refused => Finding::Skipped("the request is refused".into()),
        None => Finding::Skipped("there is no update".into()),
        Some(_) if checked.is_test => Finding::Skipped("it is a test delivery".into()),
        Some((update, marks)) => {
            let arrival = Arrival { update, marks: *marks, number, status, taken };
            let finding = sequences.judge(&arrival);
            if refused { Finding::Skipped("the request is refused".into()) } else { finding }
        }
    };
    checked.verdict.checks.push(Check { subject: Subject::Sequence, finding });
}

fn method(request: &Request, expected: &Method) -> Finding {
    if request.method == *expected {
        return Finding::Passed;
    }
    Finding::failed("method", expected.as_str(), request.method.as_str())
}

fn path(request: &Request, expected: &str) -> Finding {
    if request.path() == expected {
        Finding::Passed
    } else {
        Finding::failed("path", expected, request.path())
    }
}

fn body(request: &Request) -> Finding {
    match &request.body {
        Body::Whole(_) => Finding::Passed,
        Body::TooLarge { limit } => Finding::failed("body", format!("at most {limit} bytes"), "more"),
        Body::BrokenOff(reason) => {
            Finding::failed("body", "the whole body", format!("a part of it: {reason}"))
        }
        Body::Spoilt => Finding::Skipped("a fault cut it off".into()),
        Body::TooSlow { limit } => {
            Finding::failed("body", format!("its end within {} s", limit.as_secs_f32()), "no end")
        }
        // That others are sending much is not this sender's doing.
        Body::NoRoom { limit } => {
            let expected = format!("at most {limit} bytes of all bodies under way together");
            Finding::Noted(vec![Problem::new("body", expected, "more")])
        }
    }
}

fn content_type(request: &Request, expected: &str) -> Finding {
    // RFC 9110, section 15.5.16: a coding that is not read here is refused as a media type is.
    if let Some(coding) =
        request.header("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity"))
    {
        return Finding::failed("Content-Encoding", "none: a body is read as it came", coding);
    }
    let Some(came) = request.header("content-type") else {
        return Finding::failed("Content-Type", expected, "none");
    };
    if request.headers.get_all(CONTENT_TYPE).iter().count() > 1 {
        return Finding::failed("Content-Type", expected, "more than one, of which receivers take either");
    }
    let essence =
        |media_type: &str| media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence(&came) == essence(expected) {
        Finding::Passed
    } else {
        Finding::failed("Content-Type", expected, came)
    }
}

#[cfg(test)]
pub(crate) mod tests;
