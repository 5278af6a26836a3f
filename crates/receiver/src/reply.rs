//! What the receiver answers: a verdict in, a response out.
//!
//! The status is that of the first failure in a fixed order; the body lists all of them, so that whoever reads the
//! sender's log sees as much as whoever sits at the receiver.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::check::Checks;
use crate::fault::Fault;
use crate::request::Body;
use crate::verdict::{Check, Subject, Verdict};

/// Which status a failed check leads to; the first that applies wins. Findings on the sequence never refuse a request.
const REFUSALS: &[(Subject, StatusCode)] = &[
    (Subject::Path, StatusCode::NOT_FOUND),
    (Subject::Method, StatusCode::METHOD_NOT_ALLOWED),
    (Subject::Credentials, StatusCode::UNAUTHORIZED),
    (Subject::Body, StatusCode::PAYLOAD_TOO_LARGE),
    (Subject::ContentType, StatusCode::UNSUPPORTED_MEDIA_TYPE),
    (Subject::Headers, StatusCode::BAD_REQUEST),
    (Subject::Signature, StatusCode::UNAUTHORIZED),
    (Subject::Json, StatusCode::BAD_REQUEST),
    (Subject::Shape, StatusCode::UNPROCESSABLE_ENTITY),
];

/// The status that answers a verdict; how the body ended tells what is wrong with it.
#[must_use]
pub fn status(verdict: &Verdict, body: &Body) -> StatusCode {
    let refusal = REFUSALS.iter().find(|(subject, _)| verdict.failed(*subject));
    match refusal {
        None if matches!(body, Body::NoRoom { .. }) => StatusCode::SERVICE_UNAVAILABLE,
        None => StatusCode::OK,
        Some((Subject::Body, status)) => match body {
            Body::TooLarge { .. } => *status,
            Body::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Body::BrokenOff(_) | Body::Whole(_) | Body::Spoilt | Body::NoRoom { .. } => {
                StatusCode::BAD_REQUEST
            }
        },
        Some((_, status)) => *status,
    }
}

/// The whole answer: the right one, with the status of its verdict, or that of a fault.
pub(crate) fn reply(
    verdict: &Verdict,
    checks: &Checks,
    status: StatusCode,
    fault: Option<&Fault>,
) -> Response<Bytes> {
    match fault {
        Some(Fault::Status { status, retry_after }) => {
            return answered(*status, (RETRY_AFTER, retry_after.as_ref()));
        }
        Some(Fault::Redirect { status, location }) => return answered(*status, (LOCATION, Some(location))),
        _ => {}
    }
    let mut response = Response::new(body(verdict));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED {
        // RFC 7617, section 2.1: `charset` tells the client to encode the credentials as UTF-8.
        let challenge = HeaderValue::from_static("Basic realm=\"fusion-webhook\", charset=\"UTF-8\"");
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED
        && let Ok(method) = HeaderValue::from_str(checks.method.as_str())
    {
        headers.insert(ALLOW, method);
    }
    response
}

/// The answer of a fault: so that nobody looks for the reason at the sender, it says that it is one.
fn answered(status: StatusCode, (name, value): (HeaderName, Option<&HeaderValue>)) -> Response<Bytes> {
    let mut response = Response::new(format!("{}\n", json!({ "fault": status.as_u16() })).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(value) = value {
        headers.insert(name, value.clone());
    }
    response
}

/// The body of most answers.
const ALL_WELL: &str = "{\"failed\":[],\"noted\":[],\"passed\":true}\n";

fn body(verdict: &Verdict) -> Bytes {
    if verdict.checks.iter().all(|check| check.finding.problems().is_empty() && !check.finding.is_failure()) {
        return Bytes::from_static(ALL_WELL.as_bytes());
    }
    told(verdict)
}

fn told(verdict: &Verdict) -> Bytes {
    let problem = |check: &Check| -> Vec<_> {
        let problems = check.finding.problems().iter();
        let entry = |problem: &crate::verdict::Problem| json!({ "check": check.subject.as_str(), "what": problem.what, "expected": problem.expected, "got": problem.got });
        problems.map(entry).collect()
    };
    let (failed, noted): (Vec<_>, Vec<_>) =
        verdict.checks.iter().partition(|check| check.finding.is_failure());
    let list = |checks: Vec<&Check>| checks.into_iter().flat_map(problem).collect::<Vec<_>>();
    let body = json!({ "passed": verdict.passed(), "failed": list(failed), "noted": list(noted) });
    format!("{body}\n").into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verdict::Finding;

    fn status_of(failed: &[Subject], body: &Body) -> StatusCode {
        let check = |&subject| Check { subject, finding: Finding::failed("a", "b", "c") };
        status(&Verdict { checks: failed.iter().map(check).collect() }, body)
    }

    #[test]
    fn what_is_answered_when_all_is_well_is_what_would_be_written() {
        let problem = || vec![crate::verdict::Problem::new("a", "b", "c")];
        for (finding, is_well) in [
            (Finding::Passed, true),
            (Finding::Skipped("x".into()), true),
            (Finding::Noted(problem()), false),
            (Finding::Failed(problem()), false),
            (Finding::Failed(Vec::new()), false),
        ] {
            let verdict = Verdict { checks: vec![Check { subject: Subject::Json, finding }] };
            assert_eq!(body(&verdict), told(&verdict));
            assert_eq!(body(&verdict) == ALL_WELL, is_well, "{verdict:?}");
        }
    }

    #[test]
    fn the_status_of_a_body_tells_how_it_ended() {
        for (body, status) in [
            (Body::TooLarge { limit: 1 }, 413),
            (Body::TooSlow { limit: Duration::from_secs(1) }, 408),
            (Body::BrokenOff(String::new()), 400),
        ] {
            assert_eq!(status_of(&[Subject::Body, Subject::Headers], &body).as_u16(), status, "{body:?}");
        }
        assert_eq!(status_of(&[], &Body::NoRoom { limit: 1 }), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status_of(&[Subject::Credentials], &Body::NoRoom { limit: 1 }), StatusCode::UNAUTHORIZED);
    }

    #[test]
    fn the_status_is_that_of_the_first_failure() {
        for (failed, status) in [
            (&[][..], 200),
            (&[Subject::Sequence], 200),
            (&[Subject::Path, Subject::Method], 404),
            (&[Subject::Method, Subject::Credentials], 405),
            (&[Subject::Credentials, Subject::Headers, Subject::Json], 401),
            (&[Subject::ContentType, Subject::Shape], 415),
            (&[Subject::Headers], 400),
            (&[Subject::Json], 400),
            (&[Subject::Shape, Subject::Sequence], 422),
        ] {
            assert_eq!(status_of(failed, &Body::Whole(Bytes::new())).as_u16(), status, "{failed:?}");
        }
    }
}
