use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};
use proptest::sample::{Index, subsequence};

use super::*;
use crate::Event;
use crate::strategies::update_text;

const BODY: &str = r#"{"alerttype":"start","id":"a","x":{"id":1},"metrics":{"bits":{"avg":0.00,"sum":1}},"ipinfo":[{"ip":"b","geo":{"city":"c"}},{"ip":"d"}],"site":""}"#;

fn rules(lines: &[(&str, &str)]) -> Vec<Rule> {
    lines
        .iter()
        .map(|(path, name)| if name.is_empty() { Rule::omit(path) } else { Rule::rename(path, name) })
        .collect()
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// Renders `BODY` under the rules, and restores it where nothing was left out.
fn rendered(rules: &[Rule]) -> String {
    let names = FieldNames::compile(rules).unwrap();
    let update = Update::parse(BODY).unwrap();
    let body = names.render(&update).unwrap();
    if !rules.iter().any(|rule| rule.change == Change::Omit) {
        assert_eq!(names.restore(body.clone()).unwrap().as_bytes(), update.as_bytes());
    }
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn names_change_and_nothing_else() {
    for (lines, from, to) in [
        (&[("id", "event \"id\"")][..], r#""id":"a""#, r#""event \"id\"":"a""#),
        (&[("metrics.bits.avg", "mean")], r#""avg":"#, r#""mean":"#),
        (&[("metrics", "m"), ("metrics.bits", "b")], r#""metrics":{"bits":"#, r#""m":{"b":"#),
        (&[("ipinfo.ip", "address")], r#""ip":"#, r#""address":"#),
        (&[("id", "site"), ("site", "id")], "", ""),
    ] {
        let expected = match from {
            "" => BODY.replace("\"id\":\"a\"", "\"site\":\"a\"").replace("\"site\":\"\"", "\"id\":\"\""),
            from => BODY.replace(from, to),
        };
        assert_eq!(rendered(&rules(lines)), expected);
    }
}

#[test]
fn fields_are_left_out_with_one_comma_wherever_they_stand() {
    for (paths, gone) in [
        (&["alerttype"][..], &[r#""alerttype":"start","#][..]),
        (&["site"], &[r#","site":"""#]),
        (&["metrics.bits"], &[r#""bits":{"avg":0.00,"sum":1}"#]),
        (&["metrics.bits.avg"], &[r#""avg":0.00,"#]),
        (&["metrics.bits.avg", "metrics.bits.sum"], &[r#""avg":0.00,"sum":1"#]),
        (&["metrics", "metrics.bits.avg"], &[r#""metrics":{"bits":{"avg":0.00,"sum":1}},"#]),
        (&["ipinfo.geo"], &[r#","geo":{"city":"c"}"#]),
        (&["ipinfo.ip"], &[r#""ip":"b","#, r#""ip":"d""#]),
        (&["ipinfo", "site"], &[r#","ipinfo":[{"ip":"b","geo":{"city":"c"}},{"ip":"d"}],"site":"""#]),
    ] {
        let rules: Vec<_> = paths.iter().map(|path| Rule::omit(path)).collect();
        let expected = gone.iter().fold(BODY.to_owned(), |body, gone| body.replacen(gone, "", 1));
        assert_eq!(rendered(&rules), expected);
    }
}

#[test]
fn constants_are_added_at_the_end() {
    let source = Rule::add("source", json("{\"product\": \"fusion\"}"));
    let expected = BODY.replace(r#""site":""}"#, r#""site":"","source":{"product":"fusion"}}"#);
    assert_eq!(rendered(std::slice::from_ref(&source)), expected);
    let names = FieldNames::compile(&[source, Rule::add("n", json("1"))]).unwrap();
    assert_eq!(
        names.render(&Update::parse("{}").unwrap()).unwrap(),
        r#"{"source":{"product":"fusion"},"n":1}"#
    );
}

#[test]
fn a_constant_may_have_the_name_that_a_field_gave_up() {
    let added = Rule::add("id", json("7"));
    let body = rendered(&[Rule::rename("id", "event"), added.clone()]);
    assert!(body.contains(r#""event":"a""#) && body.ends_with(r#","id":7}"#), "{body}");
    let names = FieldNames::compile(&[Rule::omit("id"), added]).unwrap();
    assert!(names.restore(r#"{"site":"","id":7}"#).is_ok());
    assert!(names.restore(r#"{"site":"","id":8}"#).is_err());
}

#[test]
fn every_mistake_is_reported_with_what_to_do() {
    let errors = FieldNames::compile(&[
        Rule::rename("metrics.bits.average", "mean"),
        Rule::rename("city", "town"),
        Rule::rename("qqq", "q"),
        Rule::rename("id", ""),
        Rule::rename("tag", &"n".repeat(MAX_NAME + 1)),
        Rule::rename("site", "name"),
        Rule::omit("beta"),
        Rule::rename("beta", "b"),
        Rule::add("customer", json("1")),
        Rule::add("", json("1")),
    ])
    .unwrap_err();
    let lines: Vec<_> = errors.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "metrics.bits.average: an update has no such field; did you mean metrics.bits.avg?",
            "city: an update has no such field; did you mean ipinfo.geo.city?",
            "qqq: an update has no such field; paths are like id, metrics.bits.avg, ipinfo.geo.city",
            "id: the name is empty; to leave a field out, omit it",
            "tag: the name is longer than 256 bytes",
            "beta: there is a rule for it already; keep one",
            ": the name is empty; to leave a field out, omit it",
            "site: would be sent as \"name\", and so would name; give one of them another name",
            "customer: would be sent as \"customer\", and so would customer; give one of them another name",
        ]
    );
}

#[test]
fn the_limits_are_where_they_say() {
    assert!(FieldNames::compile(&[Rule::rename("id", &"n".repeat(MAX_NAME))]).is_ok());
    let constants =
        |count: usize| -> Vec<_> { (0..count).map(|n| Rule::add(&format!("c{n}"), json("1"))).collect() };
    assert!(FieldNames::compile(&constants(MAX_RULES)).is_ok());
    let errors = FieldNames::compile(&constants(MAX_RULES + 1)).unwrap_err();
    assert_eq!(errors.0[0].fault, RuleFault::TooManyRules);
}

#[test]
fn an_unknown_member_that_would_stand_twice_is_refused() {
    for (rule, body, path) in [
        (Rule::rename("id", "event_id"), r#"{"id":"a","event_id":1}"#, "id"),
        (Rule::rename("id", "event_id"), r#"{"event\u005fid":1}"#, "id"),
        (Rule::add("source", json("1")), r#"{"source":1}"#, "a constant"),
    ] {
        let names = FieldNames::compile(&[rule]).unwrap();
        assert_eq!(names.render(&Update::parse(body).unwrap()).unwrap_err().path, path);
    }
    let names = FieldNames::compile(&[Rule::rename("metrics.bits", "event_id")]).unwrap();
    assert!(
        names.render(&Update::parse(r#"{"event_id":1}"#).unwrap()).is_ok(),
        "another object, another name"
    );
    let names = FieldNames::compile(&[Rule::add("source", json("1"))]).unwrap();
    assert!(
        names.render(&Update::parse(r#"{"metrics":{"source":2}}"#).unwrap()).is_ok(),
        "constants are added to the update itself"
    );
}

#[test]
fn without_a_mapping_the_bytes_are_shared() {
    let update = Update::parse(BODY).unwrap();
    let body = FieldNames::standard().render(&update).unwrap();
    assert_eq!(body.as_ptr(), update.as_bytes().as_ptr());
    for (rules, standard) in [
        (vec![], true),
        (vec![Rule::rename("id", "id")], true),
        (vec![Rule::rename("id", "event")], false),
        (vec![Rule::omit("id")], false),
        (vec![Rule::add("a", json("1"))], false),
    ] {
        let names = FieldNames::compile(&rules).unwrap();
        let mut out = b"before".to_vec();
        names.write(update.view(), &mut out).unwrap();
        assert_eq!(
            (names.is_standard(), out == [&b"before"[..], update.as_bytes()].concat()),
            (standard, standard)
        );
    }
}

#[test]
fn a_name_that_is_not_changed_stays_as_it_is_spelled() {
    let update = Update::parse(r#"{"\u0069d":"a","site":""}"#).unwrap();
    let names = FieldNames::compile(&[Rule::rename("site", "place")]).unwrap();
    let body = names.render(&update).unwrap();
    assert_eq!(body, r#"{"\u0069d":"a","place":""}"#);
    assert_eq!(names.restore(body).unwrap().as_bytes(), update.as_bytes());
}

#[test]
fn a_mapping_says_what_it_does() {
    let names = FieldNames::compile(&[
        Rule::rename("metrics.bits.avg", "mean"),
        Rule::omit("rules"),
        Rule::add("source", json("\"fusion\"")),
    ]);
    let lines = "metrics.bits.avg → mean\n";
    let names = names.unwrap().to_string();
    assert!(names.starts_with("rules left out\n") || names.starts_with(lines), "{names}");
    assert!(names.contains(lines) && names.ends_with("source = \"fusion\" added\n"), "{names}");
}

#[test]
fn a_body_under_the_wrong_names_is_told_apart() {
    let names = FieldNames::compile(&[
        Rule::rename("id", "event_id"),
        Rule::omit("site"),
        Rule::add("source", json("\"fusion\"")),
    ])
    .unwrap();
    for (body, message) in [
        (r#"{"id":"a"}"#, "id came under its standard name; expected \"event_id\""),
        (r#"{"event_id":"a","site":""}"#, "site came under its standard name; expected it to be left out"),
        (r#"{"event_id":"a"}"#, "\"source\" should be there with the constant value \"fusion\""),
        (r#"{"event_id":"a","source":"x"}"#, "\"source\" should be there with the constant value \"fusion\""),
    ] {
        assert_eq!(names.restore(body).unwrap_err().to_string(), message);
    }
    let restored = names.restore(r#"{"source":"fusion","event_id":"a","more":1}"#).unwrap();
    assert_eq!(restored.as_bytes(), br#"{"id":"a","more":1}"#);
}

fn renames() -> impl Strategy<Value = Vec<Rule>> {
    let all: Vec<Field> = Field::all().collect();
    (subsequence(all, 0..20), any::<Index>()).prop_map(|(fields, odd)| {
        let mut rules: Vec<_> =
            fields.iter().map(|field| Rule::rename(field.path(), &format!("n-{field}"))).collect();
        if !rules.is_empty() {
            let place = odd.index(rules.len());
            rules[place] = Rule::rename(fields[place].path(), "odd \"\\ é");
        }
        rules
    })
}

/// A mapping with an edit for each of these, and a constant; `omitted` has bits for those that are left out.
fn edited(fields: &[Field], omitted: u32) -> FieldNames {
    let rule = |(position, field): (usize, &Field)| {
        if omitted.rotate_right(u32::try_from(position).unwrap()) & 1 == 1 {
            Rule::omit(field.path())
        } else {
            Rule::rename(field.path(), &format!("{}{position}", "n".repeat(position)))
        }
    };
    let mut rules: Vec<_> = fields.iter().enumerate().map(rule).collect();
    rules.push(Rule::add("added", Json::from(&serde_json::Value::Null)));
    FieldNames::compile(&rules).unwrap()
}

#[test]
fn a_typed_event_that_cannot_be_written_says_why_and_leaves_nothing() {
    let names =
        FieldNames::compile(&[Rule::rename("metrics.bits.avg", "mean"), Rule::add("n", json("1"))]).unwrap();
    for (text, message) in [
        (
            r#"{"n":2}"#,
            "the update has an unknown member \"n\" where the mapping sends a constant under that name",
        ),
        (
            r#"{"metrics":{"bits":{"mean":1}}}"#,
            "the update has an unknown member \"mean\" where the mapping sends metrics.bits.avg under that name",
        ),
    ] {
        let mut out = b"before".to_vec();
        assert_eq!(
            names.write_event(&Event::parse(text).unwrap(), &mut out).unwrap_err().to_string(),
            message
        );
        assert_eq!(out, b"before");
    }
    let mut event = Event::default();
    event.unknown.0.push(("id".to_owned(), json("1")));
    let error = names.write_event(&event, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().ends_with("the field id stands twice"), "{error}");
}

/// Of a field that is left out nothing is sent, so that nothing in it can be in the way.
#[test]
fn what_is_left_out_of_a_typed_event_is_not_looked_at() {
    let names =
        FieldNames::compile(&[Rule::omit("metrics"), Rule::rename("metrics.bits.avg", "mean")]).unwrap();
    let plain = |event: &Event| {
        let mut out = Vec::new();
        names.write_event(event, &mut out).unwrap();
        out
    };
    let mut event = Event::default();
    let without = plain(&event);
    event.metrics.bits.unknown.0.push(("mean".to_owned(), json("1")));
    assert_eq!(plain(&event), without);
}

#[test]
fn a_name_with_a_backslash_is_itself_and_no_escape() {
    let names = FieldNames::compile(&[Rule::rename("alerttype", r"\u0069d")]).unwrap();
    for text in [r#"{"\u0069d":1}"#, r#"{"alerttype":1}"#, r#"{"alerttype":1,"\u0069d":2}"#] {
        let update = Update::parse(text).unwrap();
        let restored = names.restore(names.render(&update).unwrap()).unwrap();
        assert_eq!(restored.as_bytes(), text.as_bytes());
    }
    let names = FieldNames::compile(&[Rule::rename("id", "x")]).unwrap();
    let unknown = r#"{"\\u0069d":1}"#;
    assert_eq!(names.restore(unknown).unwrap().as_bytes(), unknown.as_bytes());
}

#[test]
fn an_object_of_which_all_is_left_out_is_empty() {
    let all: Vec<_> = Field::all()
        .filter(|field| field.path() != "metrics")
        .map(|field| Rule::omit(field.path()))
        .collect();
    let mut out = Vec::new();
    FieldNames::compile(&all).unwrap().write_event(&Event::default(), &mut out).unwrap();
    assert_eq!(out, b"{\"metrics\":{}}");
}

proptest! {
    #[test]
    fn a_typed_event_is_written_as_its_update_is(
        text in update_text(), fields in subsequence(Field::all().collect::<Vec<_>>(), 0..24), omitted: u32, standard: bool, seed: u64
    ) {
        let names = if standard { FieldNames::standard() } else { edited(&fields, omitted) };
        let read = Event::read_from(&Update::parse(text).unwrap()).unwrap();
        // Most of those have members that the schema does not have, and go another way than these.
        let made = crate::generate::Play::new(seed, 30, 1_689_391_131).next().unwrap();
        assert!(Out::append(&mut Vec::new(), |out| made.write(&labels(|field| names.name(field)), out)), "all are known");
        for event in [read, made] {
            let mut out = b"before".to_vec();
            names.write_event(&event, &mut out).unwrap();
            let body = names.render(&event.to_update().unwrap()).unwrap();
            prop_assert_eq!(String::from_utf8(out), String::from_utf8([b"before", &body[..]].concat()));
        }
    }

    #[test]
    fn restoring_undoes_rendering(text in update_text(), rules in renames()) {
        let names = FieldNames::compile(&rules).unwrap();
        let update = Update::parse(text).unwrap();
        let restored = names.restore(names.render(&update).unwrap()).unwrap();
        prop_assert_eq!(restored.as_bytes(), update.as_bytes());
    }

    #[test]
    fn a_rendered_body_is_json_whatever_is_left_out(text in update_text(), out in subsequence(Field::all().collect::<Vec<_>>(), 0..60)) {
        let rules: Vec<_> = out.iter().map(|field| Rule::omit(field.path())).collect();
        let names = FieldNames::compile(&rules).unwrap();
        let body = names.render(&Update::parse(text).unwrap()).unwrap();
        let again = Update::parse(body).unwrap();
        for field in out.iter().filter(|field| field.index() < crate::schema::TOP_LEVEL) {
            prop_assert_eq!(again.raw(*field), None);
        }
    }

    #[test]
    fn what_changes_is_found_as_a_look_at_every_member_finds_it(
        text in update_text(), fields in subsequence(Field::all().collect::<Vec<_>>(), 0..24), omitted: u32
    ) {
        let names = edited(&fields, omitted);
        let as_it_came = Update::parse(text).unwrap();
        // The same in the sample's order, and whole.
        let in_order = Event::read_from(&as_it_came).unwrap().to_update().unwrap();
        for update in [as_it_came, in_order] {
            let mut twin = b"before".to_vec();
            let mut splice = Splice::of(update.as_bytes(), &mut twin);
            for member in update.view().members() {
                if let What::Field(field) = member.what {
                    splice.edit(member, &names.edits[field.index()]);
                }
            }
            splice.end();
            names.append_constants(&mut twin);
            let mut out = b"before".to_vec();
            names.write(update.view(), &mut out).unwrap();
            prop_assert_eq!(String::from_utf8(out), String::from_utf8(twin));
        }
    }
}
