use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Version};
use payload::{Rule, SAMPLE};

use super::*;
use crate::request::{Connection, Timing};

pub(super) fn request(body: &str, lines: &[(&'static str, &str)]) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("host", "receiver".parse().unwrap());
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    Request {
        at: SystemTime::UNIX_EPOCH,
        timing: Timing::default(),
        connection: Connection { number: 1, peer: ([127, 0, 0, 1], 1).into(), secure: false },
        turn: 1,
        raw: None,
        version: Version::HTTP_11,
        method: Method::POST,
        target: "/hook?a=b".to_owned(),
        headers,
        body: Body::Whole(Bytes::copy_from_slice(body.as_bytes())),
    }
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

/// The verdict of a request that is answered as the checks say.
fn judge(request: &Request, checks: &Checks, sequences: &mut Sequences) -> Verdict {
    let mut checked = check(request, checks);
    let taken = if checked.verdict.passed() { Taken::Yes } else { Taken::Refused };
    follow(&mut checked, checks, sequences, (1, None, taken));
    checked.verdict
}

fn failures(request: &Request, checks: &Checks) -> Vec<String> {
    let verdict = judge(request, checks, &mut Sequences::default());
    let line = |check: &Check| format!("{}: {}", check.subject, check.finding.problems()[0]);
    verdict.failures().map(line).collect()
}

#[test]
fn a_good_request_passes_every_check() {
    let checks = Checks {
        credentials: Some(Expected::new("u", "p")),
        headers: vec!["X-Netography: Webhook".parse().unwrap()],
        path: Some("/hook".to_owned()),
        ..Checks::default()
    };
    let good = request(SAMPLE, &[JSON, ("authorization", "Basic dTpw"), ("x-netography", "Webhook")]);
    let verdict = judge(&good, &checks, &mut Sequences::default());
    assert!(verdict.checks.iter().all(|check| check.finding == Finding::Passed), "{verdict}");
    assert_eq!(verdict.checks.len(), 9, "every subject is listed");
}

#[test]
fn all_that_is_wrong_is_listed() {
    let checks = Checks {
        credentials: Some(Expected::new("u", "p")),
        headers: vec!["X-Netography: Webhook".parse().unwrap(), "X-Other".parse().unwrap()],
        path: Some("/other".to_owned()),
        ..Checks::default()
    };
    let mut bad = request("{", &[("content-type", "text/plain"), ("x-netography", "webhook")]);
    bad.method = Method::PUT;
    assert_eq!(
        failures(&bad, &checks),
        [
            "method: method: expected POST, got PUT",
            "path: path: expected /other, got /hook",
            "credentials: Authorization: expected Basic credentials, got none",
            "content-type: Content-Type: expected application/json, got text/plain",
            "headers: x-netography: expected \"Webhook\", got \"webhook\"",
            "json: body: expected a JSON object, got line 1, column 2: expected a member name in double quotes, found the end",
        ]
    );
}

#[test]
fn credentials_are_told_apart_without_the_password() {
    let checks = Checks { credentials: Some(Expected::new("u", "p4ss")), ..Checks::default() };
    for (lines, got) in [
        (&[JSON][..], "none"),
        (&[JSON, ("authorization", "Basic dTp4")], "a wrong password for user \"u\""),
        (&[JSON, ("authorization", "Basic eDpwNHNz")], "unknown user \"x\""),
        (&[JSON, ("authorization", "Bearer t")], "scheme Bearer instead of Basic"),
        (
            &[JSON, ("authorization", "Basic dTpwNHNz"), ("authorization", "x")],
            "more than one Authorization field",
        ),
    ] {
        let found = failures(&request(SAMPLE, lines), &checks);
        assert_eq!(found, [format!("credentials: Authorization: expected Basic credentials, got {got}")]);
    }
}

#[test]
fn a_body_that_is_coded_is_refused_for_its_coding() {
    let coded = request(SAMPLE, &[JSON, ("content-encoding", "gzip")]);
    let expected = "content-type: Content-Encoding: expected none: a body is read as it came, got gzip";
    assert_eq!(failures(&coded, &Checks::default()), [expected]);
}

#[test]
fn the_content_type_stands_once() {
    let twice = request(SAMPLE, &[JSON, ("content-type", "text/plain")]);
    let problem = "more than one, of which receivers take either";
    let expected = format!("content-type: Content-Type: expected application/json, got {problem}");
    assert_eq!(failures(&twice, &Checks::default()), [expected]);
}

#[test]
fn bodies_are_read_under_the_sender_s_names() {
    let names = || FieldNames::compile(&[Rule::rename("id", "event_id")]).unwrap();
    let checks = Checks { field_names: names(), ..Checks::default() };
    let update = payload::Update::parse(SAMPLE).unwrap();
    let body = String::from_utf8(names().render(&update).unwrap().to_vec()).unwrap();
    assert_eq!(failures(&request(&body, &[JSON]), &checks), [""; 0]);
    assert_eq!(
        failures(&request(SAMPLE, &[JSON]), &checks),
        ["shape: id: expected the name \"event_id\", got its standard name"]
    );
    assert_eq!(
        failures(&request("{\"alerttype\":\"start\",\"id\":7}", &[JSON]), &Checks::default()),
        ["shape: id: expected a string, got 7"]
    );
}

#[test]
fn a_refused_request_does_not_advance_the_sequence() {
    let mut sequences = Sequences::default();
    let checks = Checks { credentials: Some(Expected::new("u", "p")), ..Checks::default() };
    let refused = judge(&request(SAMPLE, &[JSON]), &checks, &mut sequences);
    assert_eq!(refused.of(Subject::Sequence), Some(&Finding::Skipped("the request is refused".into())));
    let taken = judge(&request(SAMPLE, &[JSON, ("authorization", "Basic dTpw")]), &checks, &mut sequences);
    let problem = &taken.of(Subject::Sequence).unwrap().problems()[0];
    assert_eq!(problem.what, "retry", "it is no duplicate: the first was not taken");
}

#[test]
fn a_test_delivery_is_not_held_to_a_sequence() {
    let mut sequences = Sequences::default();
    let end = r#"{"alerttype":"end","id":"a"}"#;
    let test = request(end, &[JSON, ("webhook-id", "test_1")]);
    for _ in 0..2 {
        let verdict = judge(&test, &Checks::default(), &mut sequences);
        assert_eq!(verdict.of(Subject::Sequence), Some(&Finding::Skipped("it is a test delivery".into())));
    }
}

#[test]
fn strictly_what_is_odd_is_wrong() {
    let body = r#"{"alerttype":"start","id":"a","unheard_of":1}"#;
    let strict = Checks { strictness: Strictness::Strict, ..Checks::default() };
    let tolerant = judge(&request(body, &[JSON]), &Checks::default(), &mut Sequences::default());
    assert!(tolerant.passed() && !tolerant.of(Subject::Shape).unwrap().problems().is_empty());
    assert!(judge(&request(body, &[JSON]), &strict, &mut Sequences::default()).failed(Subject::Shape));
}

#[test]
fn a_check_can_be_left_out() {
    let checks = Checks { without: [Subject::Shape, Subject::Sequence].into(), ..Checks::default() };
    assert_eq!(failures(&request("{\"any\":1}", &[JSON]), &checks), [""; 0]);
}
