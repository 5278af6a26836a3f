use super::*;
use crate::SAMPLE;

#[test]
fn either_form_of_a_field_is_read_and_written_back() {
    let text = SAMPLE
        .replace("\"srcinternal\":\"\"", "\"srcinternal\":true")
        .replace("\"factors\":\"\"", "\"factors\":[\"a\",\"b\"]")
        .replace("\"factorcount\":\"\"", "\"factorcount\":2")
        .replace("\"input\":\"\"", "\"input\":7")
        .replace("\"rules\":null", "\"rules\":[\"r\"]")
        .replace("\"rulecount\":0", "\"rulecount\":1")
        .replace("\"severity\":\"medium\"", "\"severity\":\"critical\"")
        .replace("\"duration\":0,", "\"duration\":18446744073709551616,");
    let update = Update::parse(text).unwrap();
    let event = Event::read_from(&update).unwrap();
    assert_eq!(event.srcinternal, TextOr::Other(true));
    assert_eq!((event.tag, TextOr::<bool>::from("x")), (String::new(), TextOr::Text("x".to_owned())));
    let event = Event::read_from(&update).unwrap();
    assert_eq!(event.factors, TextOr::Other(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(event.severity, Severity::Other("critical".to_owned()));
    assert_eq!(event.rules.as_deref(), Some(&["r".to_owned()][..]));
    assert_eq!(event.to_json(), update.as_bytes());
}

#[test]
fn unknown_members_are_kept_at_every_level() {
    let text = r#"{"id":"a","new":{"b":[1, 2.50]},"metrics":{"bits":{"p95":1e3}},"ipinfo":[{"ip":"192.0.2.1","asn":1}]}"#;
    let event = Event::parse(text).unwrap();
    let written = String::from_utf8(event.to_json()).unwrap();
    for kept in [r#""new":{"b":[1,2.50]}"#, r#""p95":1e3"#, r#""asn":1"#] {
        assert!(written.contains(kept), "{written}");
    }
}

#[test]
fn a_wrong_type_is_named_with_its_path() {
    for (text, message) in [
        (r#"{"id":5}"#, "id: expected a string"),
        (r#"{"metrics":{"bits":{"sum":"1"}}}"#, "metrics.bits.sum: expected a number"),
        (
            r#"{"ipinfo":[{},{"geo":{"location":{"lat":null}}}]}"#,
            "ipinfo[1].geo.location.lat: expected a number",
        ),
        (r#"{"tags":["a",1]}"#, "tags[1]: expected a string"),
        (r#"{"metrics":[]}"#, "metrics: expected an object"),
    ] {
        assert_eq!(Event::parse(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn serde_json_reads_and_writes_it_unchanged() {
    #[derive(Serialize, Deserialize)]
    struct Envelope {
        event: Event,
    }
    let compact = String::from_utf8(Event::parse(SAMPLE).unwrap().to_json()).unwrap();
    let envelope = format!("{{\"event\":{compact}}}");
    let read: Envelope = serde_json::from_str(&envelope).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), envelope);
}
