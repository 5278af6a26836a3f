//! The checks: what a request should be, and the one function that holds it against that.
//!
//! Every check that was asked for is run and reported, not the first that failed: who repairs a sender wants to see all
//! of it at once.

pub mod credentials;
pub mod headers;
pub mod sequence;
mod shape;

use std::collections::BTreeSet;

use http::Method;
use payload::FieldNames;

use crate::request::{Body, Request};
use crate::verdict::{Check, Finding, Subject, Verdict};

use credentials::Expected;
use headers::Required;
use sequence::Sequences;

/// What a request should be.
#[derive(Debug)]
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
    /// The names that the sender gives to the fields.
    pub field_names: FieldNames,
    /// Checks that are left out.
    pub without: BTreeSet<Subject>,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            method: Method::POST,
            path: None,
            content_type: Some("application/json".to_owned()),
            credentials: None,
            headers: Vec::new(),
            field_names: FieldNames::standard(),
            without: BTreeSet::new(),
        }
    }
}

/// Holds a request against what it should be. A request that is refused does not advance the sequence of its event.
pub fn check(request: &Request, checks: &Checks, sequences: &mut Sequences) -> Verdict {
    let shape = shape::read(request, &checks.field_names);
    let mut verdict = Verdict { checks: Vec::new() };
    let findings = [
        (Subject::Method, Some(method(request, &checks.method))),
        (Subject::Path, checks.path.as_deref().map(|expected| path(request, expected))),
        (Subject::Body, Some(body(request))),
        (
            Subject::Credentials,
            checks.credentials.as_ref().map(|expected| credentials::check(request, expected)),
        ),
        (
            Subject::ContentType,
            checks.content_type.as_deref().map(|expected| content_type(request, expected)),
        ),
        (Subject::Headers, (!checks.headers.is_empty()).then(|| headers::check(request, &checks.headers))),
        (Subject::Json, Some(shape.json)),
        (Subject::Shape, Some(shape.shape)),
        (Subject::Shape, shape.odd),
    ];
    let asked_for = |subject: &Subject| !checks.without.contains(subject);
    for (subject, finding) in findings.into_iter().filter(|(subject, _)| asked_for(subject)) {
        verdict.checks.extend(finding.map(|finding| Check { subject, finding }));
    }
    if asked_for(&Subject::Sequence) {
        let finding = match &shape.update {
            _ if !verdict.passed() => Finding::Skipped("the request is refused"),
            Some(update) => sequences.judge(update, request.header("webhook-id").as_deref()),
            None => Finding::Skipped("there is no update"),
        };
        verdict.checks.push(Check { subject: Subject::Sequence, finding });
    }
    verdict
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
        Body::TooSlow { limit } => {
            Finding::failed("body", format!("its end within {} s", limit.as_secs_f32()), "no end")
        }
    }
}

fn content_type(request: &Request, expected: &str) -> Finding {
    let Some(came) = request.header("content-type") else {
        return Finding::failed("Content-Type", expected, "none");
    };
    let essence = came.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        Finding::Passed
    } else {
        Finding::failed("Content-Type", expected, came)
    }
}

#[cfg(test)]
mod tests;
