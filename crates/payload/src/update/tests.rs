use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::strategies::{update_text, whole_update_text};
use crate::{Event, FieldNames, Rule, SAMPLE, check};

/// The text without white space between tokens, made by another hand than the one under test.
fn squeezed(text: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for character in text.chars() {
        if quoted || !character.is_ascii_whitespace() {
            out.push(character);
        }
        quoted ^= character == '"' && !escaped;
        escaped = quoted && character == '\\' && !escaped;
    }
    out
}

fn refused(text: &str) -> (Fault, usize, usize) {
    let error = Update::parse(text.to_owned()).unwrap_err();
    (error.fault, error.line, error.column)
}

#[test]
fn the_sample_survives_reading_and_writing() {
    let update = Update::parse(SAMPLE).unwrap();
    let expected = squeezed(SAMPLE);
    assert_eq!(update.as_bytes(), expected.as_bytes());
    assert_eq!(Event::read_from(&update).unwrap().to_json(), expected.as_bytes());
    let identity = FieldNames::compile(&[Rule::rename("id", "id")]).unwrap();
    assert_eq!(identity.render(&update).unwrap(), expected.as_bytes());
    assert_eq!(check(&update, &identity), []);
}

#[test]
fn a_text_without_white_space_is_not_copied() {
    let bytes = Bytes::from(squeezed(SAMPLE));
    let update = Update::parse(bytes.clone()).unwrap();
    assert_eq!(update.as_bytes().as_ptr(), bytes.as_ptr());
}

#[test]
fn fields_can_be_asked_for() {
    let update = Update::parse(SAMPLE).unwrap();
    assert_eq!(update.id().as_deref(), Some("00edee24-bc66-4b37-803c-123456789012"));
    assert!(update.texts(Field::TRACK_BY).eq(["srcip", "dstip"]));
    let odd = r#"{"tags":["a\"]",[["b"],"]"],{"c":",d"},1,"\u0065",""],"srcip":7,"dstip":["f"]}"#;
    let odd = Update::parse(odd).unwrap();
    let texts = |path: &str| odd.texts(Field::at(path).unwrap()).collect::<Vec<_>>();
    assert_eq!(texts("tags"), ["a\"]", "e", ""]);
    assert_eq!((texts("srcip"), texts("dstip"), texts("track_by")), (vec![], vec!["f".into()], vec![]));
    assert_eq!(update.integer(Field::TIMESTAMP), Some(1_689_391_131));
    assert_eq!((update.flag(Field::BYPASSRULE), update.flag(Field::SUMMARY)), (Some(false), None));
    assert_eq!(Update::parse("{\"beta\":true}").unwrap().flag(Field::at("beta").unwrap()), Some(true));
    assert_eq!(update.raw(Field::RULES), Some("null"));
    assert_eq!(
        update.raw(Field::at("metrics.bits").unwrap()),
        None,
        "a nested field is no field of the update"
    );
    let escaped = Update::parse(r#"{"\u0069d":"a\u002fb"}"#).unwrap();
    assert_eq!(escaped.id().as_deref(), Some("a/b"));
}

#[test]
fn what_is_no_update_is_refused_with_its_place() {
    let unexpected = |expected, found| Fault::Unexpected { expected, found };
    for (text, fault) in [
        ("", (unexpected("a value", None), 1, 1)),
        ("[]", (Fault::NotAnObject, 1, 1)),
        ("{\"id\":\n  1,}", (unexpected("a member name in double quotes", Some('}')), 2, 5)),
        ("{\"id\":\"é\" x", (unexpected("a comma or the end of the object", Some('x')), 1, 11)),
        ("{\"id\":1,\n\"\\u0069d\":2}", (Fault::DuplicateField("id".to_owned()), 2, 1)),
        (
            "{\"metrics\":{\"bits\":{\"avg\":1,\"avg\":2}}}",
            (Fault::DuplicateField("metrics.bits.avg".to_owned()), 1, 29),
        ),
        ("{} {}", (unexpected("nothing more after the value", Some('{')), 1, 4)),
        ("{\"id\":\"a", (Fault::OpenString, 1, 7)),
    ] {
        assert_eq!(refused(text), fault, "{text:?}");
    }
    let error = Update::parse(&b"{\"id\":\"\xff\"}"[..]).unwrap_err();
    assert_eq!((error.fault, error.offset), (Fault::NotUtf8, 7));
}

#[test]
fn errors_are_for_people() {
    for (text, said) in [
        ("[]", "line 1, column 1: an update is a JSON object"),
        ("{\"id\":\n  1,}", "line 2, column 5: expected a member name in double quotes, found '}'"),
        ("{\"id\":1", "line 1, column 8: expected a comma or the end of the object, found the end"),
        ("{\"id\":\"a", "line 1, column 7: a string that is never closed"),
        ("{\"id\":\"\t\"}", "line 1, column 8: a control character in a string must be escaped"),
        ("{\"id\":\"\\x\"}", "line 1, column 8: a backslash that starts no JSON escape"),
        ("{\"id\":01}", "line 1, column 7: not a JSON number"),
        ("{\"id\":1,\"id\":2}", "line 1, column 9: the field id stands twice"),
    ] {
        assert_eq!(Update::parse(text).unwrap_err().to_string(), said);
    }
    let limits = [Fault::TooLarge, Fault::TooDeep, Fault::NotUtf8].map(|fault| fault.to_string());
    assert_eq!(limits, ["longer than 67108864 bytes", "nested deeper than 64 levels", "not UTF-8"]);
}

/// Whichever way a value is come to, it may lie as deep as any other.
#[test]
fn nesting_ends_at_the_limit_wherever_it_begins() {
    for (before, open, after) in [
        ("{\"x\":", 1, "}"),
        ("{\"id\":", 1, "}"),
        ("{\"metrics\":", 1, "}"),
        ("{\"metrics\":{\"bits\":{\"avg\":", 3, "}}}"),
        ("{\"metrics\":{\"x\":{\"y\":[", 4, "]}}}"),
        ("{\"ipinfo\":[", 2, "]}"),
        ("{\"ipinfo\":[{\"x\":", 3, "}]}"),
        ("{\"ipinfo\":[{\"geo\":{\"location\":{\"lat\":", 5, "}}}]}"),
    ] {
        for (opens, closes) in [("[", "]"), ("{\"a\":[", "]}")] {
            let text = |depth: usize| {
                let more = depth - open;
                // An object and the array in it count for two.
                let pairs = more / opens.matches(['[', '{']).count();
                let odd = more - pairs * opens.matches(['[', '{']).count();
                let (open, close) = (
                    format!("{}{}", opens.repeat(pairs), "[".repeat(odd)),
                    format!("{}{}", "]".repeat(odd), closes.repeat(pairs)),
                );
                format!("{before}{open}{close}{after}")
            };
            let whole = text(MAX_DEPTH);
            assert!(Update::parse(whole.clone()).is_ok(), "{before}");
            assert!(quick(&Bytes::from(whole.clone()), Lookup::standard()).is_some(), "{before}");
            assert!(plain(Bytes::from(whole), Lookup::standard()).is_ok(), "{before}");
            assert_eq!(Update::parse(text(MAX_DEPTH + 1)).unwrap_err().fault, Fault::TooDeep, "{before}");
        }
    }
}

#[test]
fn the_largest_update_is_read_and_one_byte_more_is_not() {
    let sized = |bytes: usize| {
        let mut text = b"{\"id\":\"".to_vec();
        text.resize(bytes - 2, b'x');
        text.extend_from_slice(b"\"}");
        text
    };
    assert!(Update::parse(sized(crate::MAX_BYTES)).is_ok());
    assert_eq!(Update::parse(sized(crate::MAX_BYTES + 1)).unwrap_err().fault, Fault::TooLarge);
}

/// The text with other white space between its tokens.
fn spaced(text: &str, space: &str) -> String {
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for character in squeezed(text).chars() {
        let token = !quoted && "{}[]:,".contains(character);
        out.push_str(if token && character != ':' { space } else { "" });
        out.push(character);
        out.push_str(if token { space } else { "" });
        quoted ^= character == '"' && !escaped;
        escaped = quoted && character == '\\' && !escaped;
    }
    out
}

#[test]
fn what_most_senders_write_is_read_the_quick_way() {
    let value: serde_json::Value = serde_json::from_str(SAMPLE).unwrap();
    let backwards: Vec<_> = value.as_object().unwrap().iter().rev().collect();
    let backwards: Vec<_> = backwards.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    let unknown = SAMPLE.replacen('{', "{\"é\":[{\"a\":-1.5e+3,\"b\":\"\\u00e9\\\"\"}],\"x\":{},", 1);
    for text in [
        SAMPLE.to_owned(),
        squeezed(SAMPLE),
        spaced(SAMPLE, " "),
        spaced(SAMPLE, "\r\n\t\t"),
        serde_json::to_string_pretty(&value).unwrap(),
        format!("{{{}}}", backwards.join(",")),
        spaced(&format!("{{{}}}", backwards.join(",")), "                  "),
        unknown,
        "{}".to_owned(),
    ] {
        assert!(quick(&Bytes::from(text.clone()), Lookup::standard()).is_some(), "{text}");
    }
    let long = FieldNames::compile(&[
        Rule::rename("start", "a_name_that_is_rather_long_1"),
        Rule::rename("end", "a_name_that_is_rather_long_2"),
        Rule::rename("id", "\u{e9}"),
    ]);
    let long = long.unwrap();
    let body = long.render(&Update::parse(SAMPLE).unwrap()).unwrap();
    assert_eq!(long.restore(body.clone()).unwrap().as_bytes(), squeezed(SAMPLE).as_bytes());
    long.both_readings(|lookup| {
        let (_, members) = quick(&body, lookup).unwrap();
        assert!(members.iter().all(|member| member.what != What::Unknown), "each name is found");
    });
}

/// Where a long name is expected it is looked for; what stands there may be anything.
#[test]
fn no_name_is_taken_for_granted() {
    let last = Node::ROOT.fields().last().unwrap().name();
    assert!(last.len() + 3 > 16, "{last}");
    for byte in [0, b'"', 0xff] {
        for rest in [&b"\xff300}"[..], b":\"300}"] {
            let text = [&b"{\"updatecount\":1,"[..], &[byte; 16], rest].concat();
            assert!(Update::parse(text.clone()).is_err(), "{text:?}");
            assert!(Reader::new().read(&text).is_err(), "{text:?}");
        }
    }
}

#[test]
fn items_are_counted_whatever_they_are() {
    for (list, count) in [
        ("[1,{\"ip\":\"a\",\"x\":[3,4]},null,[2]]", 4),
        ("[]", 0),
        ("{\"ip\":[1]}", 0),
        ("1", 0),
        ("null", 0),
    ] {
        for text in [format!("{{\"ipinfo\":{list},\"rules\":[1,2,3]}}"), format!("{{ \"ipinfo\": {list} }}")]
        {
            assert_eq!(Update::parse(text).unwrap().view().items(Field::IPINFO), count, "{list}");
        }
    }
}

proptest! {
    #[test]
    fn items_are_those_that_a_walk_over_the_list_finds(text in update_text()) {
        let update = Update::parse(text).unwrap();
        let walked = update.raw(Field::IPINFO).map_or(0, |raw| json::items(raw.as_bytes()).count());
        prop_assert_eq!(update.view().items(Field::IPINFO), walked);
    }

    #[test]
    fn a_reader_gives_what_a_reading_alone_gives(texts in proptest::collection::vec(update_text(), 1..5), broken: bool) {
        let mut reader = Reader::new();
        for text in texts {
            let text = if broken { text.replacen(':', ":\u{e9}", 1) } else { text };
            let alone = Update::parse(text.clone());
            match reader.read(text.as_bytes()) {
                Ok(view) => {
                    let alone = alone.unwrap();
                    prop_assert_eq!(view.as_bytes(), alone.as_bytes());
                    prop_assert_eq!(view.members(), alone.view().members());
                    prop_assert_eq!(view.top, alone.view().top);
                    prop_assert_eq!((view.id(), view.alerttype()), (alone.id(), alone.alerttype()));
                }
                Err(error) => prop_assert_eq!(Err(error), alone.map(drop)),
            }
        }
    }

    #[test]
    fn what_is_read_the_quick_way_is_read_alike_the_plain_way(
        text in whole_update_text(), space in "[ \n]{0,20}|[\n ][ \t\r\x1f]{0,2} {0,9}", at: proptest::sample::Index, other in "[\\]\\[{}\",:0-9a-z\\\\ \n\t.-]{0,2}"
    ) {
        let mut text = spaced(&text, &space);
        let alike = |text: &str| {
            let text = Bytes::from(text.to_owned());
            quick(&text, Lookup::standard()).is_none_or(|quick| plain(text, Lookup::standard()) == Ok(quick))
        };
        prop_assert!(alike(&text), "{}", text);
        // And with something in it that most often makes it none.
        let mut place = at.index(text.len());
        while !text.is_char_boundary(place) {
            place -= 1;
        }
        text.insert_str(place, &other);
        prop_assert!(alike(&text), "{}", text);
    }

    #[test]
    fn nothing_but_white_space_is_changed(text in update_text()) {
        let update = Update::parse(text.clone()).unwrap();
        prop_assert_eq!(std::str::from_utf8(update.as_bytes()).unwrap(), squeezed(&text));
        let again = Update::parse(update.bytes()).unwrap();
        prop_assert_eq!(again.as_bytes(), update.as_bytes());
    }

    #[test]
    fn any_text_is_read_or_refused_as_another_reader_does(text in "\\PC{0,40}|[\\[\\]{}\",:0-9a-z\\\\ \n-]{0,40}") {
        let judged = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        // Half surrogates and numbers beyond a double are JSON, but not to that reader.
        prop_assert!(judged.is_err() || Update::parse(text).is_ok());
    }

    #[test]
    fn a_typed_event_keeps_what_it_read(text in whole_update_text()) {
        let update = Update::parse(text).unwrap();
        let event = Event::read_from(&update).unwrap();
        let again = Event::parse(event.to_json()).unwrap();
        prop_assert_eq!(&again, &event);
        prop_assert_eq!(again.metrics.unknown.0.len(), event.metrics.unknown.0.len());
        for field in [Field::TIMESTAMP, Field::DURATION, Field::END] {
            let written = Update::parse(event.to_json()).unwrap();
            prop_assert_eq!(written.raw(field), update.raw(field), "number text is kept");
        }
    }
}
