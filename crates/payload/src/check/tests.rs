use proptest::prelude::*;

use super::*;
use crate::strategies::{update_text, whole_update_text};
use crate::{Rule, SAMPLE};

/// Lists what is found, and sees to it that the errors alone are those among them.
fn listed(update: &Update) -> Vec<Finding> {
    let found = check(update, &FieldNames::standard());
    let wrong: Vec<_> = found.iter().filter(|finding| finding.weight == Weight::Error).cloned().collect();
    assert_eq!(errors(update, &FieldNames::standard()), wrong);
    found
}

proptest! {
    #[test]
    fn errors_are_those_among_the_findings(text in prop_oneof![update_text(), whole_update_text()]) {
        if let Ok(update) = Update::parse(text) {
            listed(&update);
        }
    }
}

/// JSON values of all forms, some of which look like the end of another.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        "[a,:\"\\\\}\\]]{0,6}".prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<Option<bool>>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::vec(("[a,:\"\\\\}]{0,4}", inner), 0..4)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn a_form_is_seen_in_the_text_as_in_the_value(value in value()) {
        let text = value.to_string();
        let is_integer = |value: &serde_json::Value| value.as_number().is_some_and(|number| !number.is_f64());
        for (form, is) in [
            (Form::Text, value.is_string()),
            (Form::Flag, value.is_boolean()),
            (Form::Null, value.is_null()),
            (Form::Decimal, value.is_number()),
            (Form::Integer, is_integer(&value)),
            (Form::List, value.is_array()),
            (Form::Texts, value.as_array().is_some_and(|items| items.iter().all(serde_json::Value::is_string))),
            (Form::Counts, value.as_object().is_some_and(|counts| counts.values().all(is_integer))),
        ] {
            prop_assert_eq!(form.allows(text.as_bytes()), is, "{:?} {}", form, text);
        }
    }
}

#[test]
fn integers_of_any_length_are_counts() {
    for (counts, are) in [
        (r"{}", true),
        (r#"{"a":123456789012345678901234567890,"b":-0}"#, true),
        (r#"{"a":1,"b":1e3}"#, false),
        (r#"{"a":1.0}"#, false),
        (r#"{"a":1.5,"a":1}"#, false),
    ] {
        assert_eq!(Form::Counts.allows(counts.as_bytes()), are, "{counts}");
    }
}

/// Changes the sample in one place and lists what is then found.
fn found(from: &str, to: &str) -> Vec<String> {
    assert!(SAMPLE.contains(from), "{from}");
    let update = Update::parse(SAMPLE.replacen(from, to, 1)).unwrap();
    listed(&update).iter().map(|finding| format!("{:?} {finding}", finding.weight).to_lowercase()).collect()
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
        ("\"beta\":false", "\"beta\":null", "error beta: expected true or false, got null"),
        (
            "\"alerttype\":\"start\"",
            "\"alerttype\":\"\"",
            "warning alerttype: expected start, ongoing, end, got an empty string",
        ),
    ] {
        assert_eq!(found(from, to), [expected]);
    }
}

#[test]
fn what_an_alert_type_says_of_its_times_is_held() {
    let found = |alerttype: &str, end: i64| {
        let text = SAMPLE.replace("\"start\",", &format!("{alerttype:?},"));
        let text = text.replace("\"end\":0", &format!("\"end\":{end}"));
        let findings = check(&Update::parse(text).unwrap(), &FieldNames::standard());
        findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (alerttype, end, expected) in [
        ("start", 0, None),
        ("ongoing", 0, None),
        ("ongoing", 5, Some("end: expected 0 while the event goes on, got 5")),
        ("end", 1_689_391_130, Some("end: expected 1689391131 or later, got 1689391130")),
        ("end", 1_689_391_131, None),
        ("end", 1_689_391_132, None),
    ] {
        assert_eq!(found(alerttype, end), expected.into_iter().collect::<Vec<_>>(), "{alerttype} {end}");
    }
}

#[test]
fn the_place_in_an_array_is_named() {
    let update = r#"{"id":"a","alerttype":"start","ipinfo":[{"ip":"a","y":0},{"geo":{"city":1,"x":2}},3]}"#;
    let findings = check(&Update::parse(update).unwrap(), &FieldNames::standard());
    let paths: Vec<_> = findings.iter().take(2).map(|finding| finding.path.as_str()).collect();
    assert_eq!(paths, ["ipinfo[1].geo.city", "ipinfo[2]"]);
    let named = |path: &str| findings.iter().any(|finding| finding.path == path);
    assert!(named("ipinfo[1].geo.x") && named("ipinfo[0].y"), "{findings:?}");
    let none = Update::parse(r#"{"id":"a","alerttype":"start","metrics":{"y":0},"ipinfo":1}"#).unwrap();
    let findings = check(&none, &FieldNames::standard());
    assert_eq!(findings[0].path, "ipinfo", "there is no item to be named");
    assert!(findings.iter().any(|finding| finding.path == "metrics.y"), "{findings:?}");
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
