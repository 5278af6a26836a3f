//! Updates, and the names that they are sent under: what is read, asked, written and renamed, the same for every bench.

use payload::generate::Play;
use payload::value::Json;
use payload::{Field, FieldNames, Rule};
use serde_json::Value;

/// Updates as a platform would send them, `ipinfo` included.
pub(crate) fn bodies() -> Vec<Vec<u8>> {
    let events = Play::new(7, 30, 1_689_391_131);
    let bodies: Vec<_> = events.map(|event| event.to_json()).take(64).collect();
    assert_eq!(bodies.len(), 64);
    bodies
}

/// The same members in another order, with white space between all tokens.
pub(crate) fn in_another_way(body: &[u8]) -> Vec<u8> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut members: Vec<_> = value.as_object().into_iter().flatten().collect();
    // Any order that is not the page's.
    members.sort_by_key(|(name, _)| name.bytes().rev().collect::<Vec<_>>());
    let lines = members.iter().map(|(name, value)| format!("   {name:?}: {value:#}"));
    format!("{{\n{}\n}}", lines.collect::<Vec<_>>().join(",\n")).into_bytes()
}

/// The members that are sent under another name.
pub(crate) const RENAMED: [(&str, &str); 7] = [
    ("id", "event_id"),
    ("severity", "level"),
    ("summary", "message"),
    ("start", "began"),
    ("timestamp", "at"),
    ("track_by", "keys"),
    ("site", "place"),
];

/// A mapping that gives every field, wherever it stands, a name that is as long as its own.
pub(crate) fn names_as_long() -> FieldNames {
    let rule = |field: Field| {
        let (name, last) = field.name().split_at(field.name().len() - 1);
        Rule::rename(field.path(), &format!("{name}{}", last.to_uppercase()))
    };
    let names = FieldNames::compile(&Field::all().map(rule).collect::<Vec<_>>()).unwrap_or_default();
    assert!(!names.is_standard());
    names
}

/// These renamed, and one more within another; two left out, one added.
pub(crate) fn mapping() -> FieldNames {
    let mut rules: Vec<Rule> = RENAMED.iter().map(|(path, name)| Rule::rename(path, name)).collect();
    rules.extend([Rule::rename("metrics.bits.avg", "mean"), Rule::omit("rules"), Rule::omit("tag")]);
    rules.extend(Json::parse("\"fusion\"").map(|value| Rule::add("source", value)));
    FieldNames::compile(&rules).unwrap_or_default()
}
