use proptest::prelude::{prop_assert_eq, proptest};

use super::*;

fn lines(list: &HeaderList) -> Vec<String> {
    list.iter().map(|line| format!("{}={}", line.name(), line.value().to_str().unwrap())).collect()
}

fn check(text: &str, expected: &[&str]) {
    let list = HeaderList::parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    assert_eq!(lines(&list), expected, "{text}");
    assert_eq!(HeaderList::parse(&list.to_string()), Ok(list), "{text} is printed and read again");
}

#[test]
fn the_list_is_read_as_the_rule_says() {
    for (text, expected) in [
        ("", &[][..]),
        (" , ,\t", &[]),
        ("X-Netography: Webhook", &["x-netography=Webhook"]),
        ("X-Netography:Webhook", &["x-netography=Webhook"]),
        (" X-Netography \t: \t Webhook ,", &["x-netography=Webhook"]),
        ("A: 1, B: 2,,C:", &["a=1", "b=2", "c="]),
        ("A: 1, a: 2", &["a=1", "a=2"]),
        ("If-Match: \"a, b\"", &["if-match=\"a, b\""]),
        ("If-Match: \"a\\\", b\", B: 2", &["if-match=\"a\\\", b\"", "b=2"]),
        ("A: one\\, two", &["a=one, two"]),
        ("A: c:\\\\dir", &["a=c:\\dir"]),
        ("A: 5\\\" disk, B: 2", &["a=5\" disk", "b=2"]),
        ("X-Url: http://a/b:c", &["x-url=http://a/b:c"]),
        ("A: a\tb", &["a=a\tb"]),
        ("!#$%&'*+-.^_`|~a1: x", &["!#$%&'*+-.^_`|~a1=x"]),
    ] {
        check(text, expected);
    }
}

fn mistakes(text: &str) -> Vec<String> {
    let show = |error: HeaderError| match &error.place {
        Place::Span(span) => format!("{:?}: {error}", &text[span.clone()]),
        Place::Entry(..) => error.to_string(),
    };
    HeaderList::parse(text).unwrap_err().into_iter().map(show).collect()
}

#[test]
fn each_mistake_has_its_place_and_its_reason() {
    for (text, expected) in [
        ("A: 1, Webhook", "\"Webhook\": no colon between name and value"),
        (": x", "\":\": no name before the colon"),
        ("A: 1,  : x", "\":\": no name before the colon"),
        ("X Y: 1", "\" \": a space cannot stand in a header name"),
        ("Ä: 1", "\"Ä\": 'Ä' cannot stand in a header name"),
        ("A: é", "\"é\": 'é' cannot stand in a header value"),
        ("A: b\r\nC: d", "\"\\r\": a carriage return (CR) cannot stand in a header value"),
        ("A: b\nC: d", "\"\\n\": a line feed (LF) cannot stand in a header value"),
        ("A: \0", "\"\\0\": a NUL character cannot stand in a header value"),
        ("A: \u{7f}", "\"\\u{7f}\": a control character (U+007F) cannot stand in a header value"),
        ("A: \"b, C: d", "\"\\\"b, C: d\": a quote that is never closed"),
        ("A: \\n", "\"\\\\n\": a backslash before 'n' means nothing"),
        ("A: \\", "\"\\\\\": a backslash at the end means nothing"),
        ("Host: a", "\"Host\": Host is written by the sender itself"),
        ("content-LENGTH: 1", "\"content-LENGTH\": content-LENGTH is written by the sender itself"),
        ("Proxy-Anything: 1", "\"Proxy-Anything\": Proxy-Anything is written by the sender itself"),
        (
            "Authorization: a, authorization: b",
            "\"authorization\": authorization stands twice, and can stand once only",
        ),
    ] {
        assert_eq!(mistakes(text), [expected], "{text}");
    }
}

#[test]
fn what_the_sender_owns_is_refused_in_any_case() {
    for name in OWNED {
        for name in [(*name).to_owned(), name.to_uppercase()] {
            assert_eq!(
                HeaderList::parse(&format!("{name}: 1")).unwrap_err()[0].fault,
                HeaderFault::Owned(name)
            );
        }
    }
}

#[test]
fn all_mistakes_are_reported_together() {
    assert_eq!(mistakes("Host: a, B, C: \\x, D: é").len(), 4);
}

#[test]
fn an_item_without_colon_is_shown_in_both_readings() {
    let errors = HeaderList::parse("Accept: a, X-Netography Webhook").unwrap_err();
    assert_eq!(
        errors[0].help(),
        "if a colon was forgotten, write: X-Netography: Webhook\n\
         if the comma belongs to the value before it, write: Accept: a\\, X-Netography Webhook"
    );
    let alone = HeaderList::parse("Webhook").unwrap_err();
    assert_eq!(alone[0].help(), "put a colon after the name: Webhook:");
    for reading in ["Accept: a, X-Netography: Webhook", "Accept: a\\, X-Netography Webhook"] {
        assert!(HeaderList::parse(reading).is_ok(), "what the help says can be typed");
    }
}

#[test]
fn maps_and_lines_need_no_escapes() {
    let list = HeaderList::from_pairs([("A", "1, \"2\\"), ("B", "")]).unwrap();
    assert_eq!(lines(&list), ["a=1, \"2\\", "b="]);
    assert_eq!(HeaderList::parse(&list.to_string()), Ok(list.clone()));
    assert_eq!(HeaderList::from_lines(["A: 1, \"2\\", "B:"]), Ok(list));
    let errors = HeaderList::from_lines(["A: 1", "B", "Host: x"]).unwrap_err();
    let shown: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "header 2: no colon between name and value",
            "header 3 (Host): Host is written by the sender itself"
        ]
    );
}

#[test]
fn the_limits_are_where_they_say() {
    assert_eq!((MAX_TEXT, MAX_LINES), (16_384, 50), "as SECURITY.md says");
    let longest = format!("A: {}", "x".repeat(MAX_TEXT - 3));
    assert!(HeaderList::parse(&longest).is_ok());
    assert_eq!(HeaderList::parse(&format!("{longest}x")).unwrap_err()[0].fault, HeaderFault::TooLong);
    let lines = |count| vec!["A: 1"; count].join(",");
    assert!(HeaderList::parse(&lines(MAX_LINES)).is_ok());
    assert_eq!(HeaderList::parse(&lines(MAX_LINES + 1)).unwrap_err()[0].fault, HeaderFault::TooMany);
    // Longer than the HTTP library takes a name, which only a map can hold.
    let name = "n".repeat(70_000);
    assert_eq!(HeaderList::from_pairs([(&*name, "1")]).unwrap_err()[0].fault, HeaderFault::TooLong);
    assert!(HeaderList::from_pairs([(&*"n".repeat(30_000), "1")]).is_ok());
}

#[test]
fn lists_are_joined_asked_and_given_other_values() {
    let (first, second) = (HeaderList::parse("A: 1, B: 2").unwrap(), HeaderList::parse("B: 3").unwrap());
    let both = first.clone().followed_by(second).unwrap();
    assert_eq!(lines(&both), ["a=1", "b=2", "b=3"]);
    let date = HeaderList::parse("Date: x").unwrap();
    let twice = date.clone().followed_by(date).unwrap_err();
    assert_eq!(twice[0].fault, HeaderFault::Repeated("Date".to_owned()));
    let many = HeaderList::parse(&vec!["A: 1"; MAX_LINES].join(",")).unwrap();
    assert_eq!(many.followed_by(first.clone()).unwrap_err()[0].fault, HeaderFault::TooMany);

    let name = |text: &str| text.parse::<HeaderName>().unwrap();
    assert!(
        both.contains(&name("B"))
            && !both.contains(&name("C"))
            && !HeaderList::default().contains(&name("A"))
    );

    let masked =
        both.with_values(|line| if *line.name() == "b" { "***".to_owned() } else { "\n".to_owned() });
    assert_eq!(lines(&masked), ["a=1", "b=***", "b=***"], "what no value can be changes nothing");
    assert_eq!(masked.to_string(), "A: 1, B: ***, B: ***", "names are as they were typed");
}

#[test]
fn an_escape_has_the_place_of_both_its_characters() {
    for (text, place) in [
        ("A: x\\\\\u{e9}", 6..8),
        ("A: \\,\u{e9}", 5..7),
        ("A: \"\\\u{e9}\"", 5..7),
        ("\u{e9}\\,: 1", 0..2),
        ("A: \"\\\"\u{e9}\"", 6..8),
    ] {
        let errors = HeaderList::parse(text).unwrap_err();
        assert_eq!(errors[0].place, Place::Span(place), "{text}: {errors:?}");
    }
    // The name's own characters, with an escape at its end.
    let errors = HeaderList::parse("Host\\,: 1").unwrap_err();
    assert_eq!(errors[0].place, Place::Span(4..6), "{errors:?}");
}

#[test]
fn a_quote_that_stands_alone_is_printed_escaped_and_one_in_quotes_is_not() {
    for (value, printed) in [
        ("a\"b", "A: a\\\"b"),
        ("\"a\\\"b\"", "A: \"a\\\"b\""),
        ("\"a\\\\\"", "A: \"a\\\\\""),
        ("\"a\\\\\" \\ ,", "A: \"a\\\\\" \\\\ \\,"),
        ("\"a\\", "A: \\\"a\\\\"),
    ] {
        let list = HeaderList::from_pairs([("A", value)]).unwrap();
        assert_eq!(list.to_string(), printed);
        assert_eq!(HeaderList::parse(printed), Ok(list));
    }
}

#[test]
fn secrets_do_not_print() {
    let list = HeaderList::parse("Authorization: Bearer hidden, X-Api-Key: hidden, Cookie: hidden, X: seen")
        .unwrap();
    let printed = format!("{list:?}");
    assert!(!printed.contains("hidden") && printed.contains("seen"), "{printed}");
}

#[test]
fn the_lines_of_most_lists_are_read_where_they_stand() {
    let text = " X-Netography: Webhook ,,If-Match:\"a, b\" c, \t,C : , D:\t1\t2 ";
    let lines: Result<Vec<_>, _> = PlainLines::of(text).collect();
    assert_eq!(
        lines,
        Ok(vec![("X-Netography", "Webhook"), ("If-Match", "\"a, b\" c"), ("C", ""), ("D", "1\t2")])
    );
    for odd in [
        "A",
        "A b: 1",
        ": 1",
        "A: \\,",
        "A: \"a\\\"\"",
        "A: \"",
        "A: \u{e9}",
        "\u{e9}: 1",
        "A: \n",
        "A: \"\n\"",
        "\"A\": 1",
    ] {
        let text = format!("X: 1, {odd}, Y: 2");
        let lines: Vec<_> = PlainLines::of(&text).collect();
        assert_eq!(lines, [Ok(("X", "1")), Err(Odd)], "{odd:?}");
    }
}

/// What [`PlainLines`] does, done plainly: item after item, with nothing looked up.
fn plain_twin(text: &str) -> Vec<Result<(&str, &str), Odd>> {
    let is_value = |byte: u8| matches!(byte, b'\t' | b' '..=b'~') && byte != b'\\';
    let line = |item| {
        let (name, value) = str::split_once(item, ':')?;
        let (name, value) = (name.trim_end_matches([' ', '\t']), value.trim_start_matches([' ', '\t']));
        let right = !name.is_empty() && name.chars().all(is_token) && value.bytes().all(is_value);
        (right && value.matches('"').count() % 2 == 0).then_some((name, value))
    };
    let mut in_quotes = false;
    let items = text.split(|character| {
        in_quotes ^= character == '"';
        character == ',' && !in_quotes
    });
    let mut lines = Vec::new();
    for item in items.map(|item| item.trim_matches([' ', '\t'])).filter(|item| !item.is_empty()) {
        lines.push(line(item).ok_or(Odd));
        if lines.ends_with(&[Err(Odd)]) {
            break;
        }
    }
    lines
}

/// Whether a name may have it (RFC 9110, section 5.6.2).
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

proptest! {
    #[test]
    fn lines_are_read_as_their_plain_twin_reads_them(
        text in "([!-+.-~]{0,12}[ \t]?: ?([ -!#-+--\\[\\]-~]{0,12}|\"[a, ]{0,9}\"){0,3}, ?|[\"\\\\,: \t\x1f\x7fé]){0,6}"
    ) {
        prop_assert_eq!(PlainLines::of(&text).collect::<Vec<_>>(), plain_twin(&text));
    }

    #[test]
    fn a_list_that_is_read_where_it_stands_is_read_alike_any_way(text in "([A-C:, \t]|: |\\\\|\"|\u{e9}|Host|date: 1,){0,16}") {
        if let Some(list) = parse::plain(&text) {
            prop_assert_eq!(parse::any(&text), Ok(list));
        }
    }

    #[test]
    fn any_list_survives_being_printed(pairs in proptest::collection::vec(("[a-z-]{1,8}", "[ -~\t]{0,12}|[\"\\\\, a]{0,8}"), 0..6)) {
        if let Ok(list) = HeaderList::from_pairs(pairs) {
            prop_assert_eq!(HeaderList::parse(&list.to_string()), Ok(list));
        }
    }

    #[test]
    fn no_text_breaks_the_laws(text in "[\"\\\\,: \ta-cA-C\r\né]{0,24}") {
        properties::reading(text.as_bytes());
    }
}
