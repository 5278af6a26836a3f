use super::*;
use crate::{Rule, SAMPLE};

/// Changes the sample in one place and lists what is then found.
fn found(from: &str, to: &str) -> Vec<String> {
    assert!(SAMPLE.contains(from), "{from}");
    let update = Update::parse(SAMPLE.replacen(from, to, 1)).unwrap();
    check(&update, &FieldNames::standard())
        .iter()
        .map(|finding| format!("{:?} {finding}", finding.weight).to_lowercase())
        .collect()
}

#[test]
fn findings_say_where_what_was_expected_and_what_came() {
    for (from, to, expected) in [
        ("\"id\":\"00edee24-bc66-4b37-803c-123456789012\"", "\"id\":5", "error id: expected a string, got 5"),
        (
            "\"id\":\"00edee24-bc66-4b37-803c-123456789012\"",
            "\"id\":\"\"",
            "error id: expected the event's id, got an empty string",
        ),
        ("\"alerttype\":\"start\",", "", "error alerttype: expected a string, got nothing"),
        ("\"site\":\"\",", "", "warning site: expected a string, got nothing"),
        ("\"beta\":false", "\"beta\":0", "error beta: expected true or false, got 0"),
        (
            "\"factors\":\"\"",
            "\"factors\":[1]",
            "error factors: expected a string or an array of strings, got [1]",
        ),
        ("\"duration\":0,", "\"duration\":1.5,", "error duration: expected an integer, got 1.5"),
        (
            "\"flow\":1",
            "\"flow\":1.5",
            "error metrics.count: expected an object of integers, got {\"flow\":1.5}",
        ),
        (
            "\"flow\":1",
            "\"flow\":\"1\"",
            "error metrics.count: expected an object of integers, got {\"flow\":\"1\"}",
        ),
        (
            "\"severity\":\"medium\"",
            "\"severity\":\"critical\"",
            "warning severity: expected low, medium, high, got critical",
        ),
        (
            "\"name\":\"\"",
            "\"name\":\"\",\"new\":1",
            "warning new: expected a known field, got an unknown one, kept as it is",
        ),
        (
            "\"ipinfocount\":0",
            "\"ipinfocount\":3",
            "warning ipinfocount: expected 0, as many as ipinfo has, got 3",
        ),
        ("\"updatecount\":1", "\"updatecount\":0", "warning updatecount: expected 1 or more, got 0"),
        ("\"end\":0", "\"end\":7", "warning end: expected 0 in a start, got 7"),
        (
            "\"alerttype\":\"start\"",
            "\"alerttype\":\"end\"",
            "warning end: expected 1689391131 or later, got 0",
        ),
    ] {
        assert_eq!(found(from, to), [expected]);
    }
}

#[test]
fn the_place_in_an_array_is_named() {
    let update = r#"{"id":"a","alerttype":"start","ipinfo":[{"ip":"a"},{"geo":{"city":1,"x":2}},3]}"#;
    let findings = check(&Update::parse(update).unwrap(), &FieldNames::standard());
    let paths: Vec<_> = findings.iter().take(2).map(|finding| finding.path.as_str()).collect();
    assert_eq!(paths, ["ipinfo[1].geo.city", "ipinfo[2]"]);
    assert!(findings.iter().any(|finding| finding.path == "ipinfo[1].geo.x"));
}

#[test]
fn what_a_mapping_leaves_out_is_not_missed_and_a_collision_is_found() {
    let update = Update::parse(r#"{"id":"a","alerttype":"start","event_id":"b"}"#).unwrap();
    let missed = |names: &FieldNames| check(&update, names).iter().any(|finding| finding.path == "site");
    assert!(missed(&FieldNames::standard()));
    assert!(!missed(&FieldNames::compile(&[Rule::omit("site")]).unwrap()));
    let colliding = FieldNames::compile(&[Rule::rename("id", "event_id")]).unwrap();
    let first = &check(&update, &colliding)[0];
    assert_eq!((first.weight, first.path.as_str()), (Weight::Error, "event_id"));
}

#[test]
fn findings_are_bounded() {
    let hostile: Vec<_> = (0..MAX_FINDINGS * 2).map(|name| format!("\"x{name}\":0")).collect();
    let update = Update::parse(format!("{{{}}}", hostile.join(","))).unwrap();
    let findings = check(&update, &FieldNames::standard());
    assert_eq!(findings.len(), MAX_FINDINGS);
    assert_eq!(findings[0].weight, Weight::Error);
}

#[test]
fn what_is_unknown_does_not_hide_what_is_wrong() {
    let unknown: String = (0..MAX_FINDINGS).map(|number| format!("\"u{number}\":0,")).collect();
    let update = Update::parse(format!("{{{unknown}\"alerttype\":\"start\",\"id\":7}}")).unwrap();
    let findings = check(&update, &FieldNames::standard());
    assert_eq!(findings[0].to_string(), "id: expected a string, got 7");
    assert_eq!(findings.len(), MAX_FINDINGS);
}
