//! The laws that a fuzzer plays against this crate, replayable on any toolchain. Each panics when its law is broken.
//!
//! Both have a twin: reading is held against serde_json, renaming against the same done plainly on its values.

mod plain;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::{Fault, MAX_DEPTH};
use crate::field_names::Change;
use crate::lookup::Lookup;
use crate::schema::{Field, Node};
use crate::update;
use crate::value::Json;
use crate::{Event, FieldNames, Rule, Update, check};

/// Reading agrees with another JSON reader on what is JSON and on what the fields hold, changes nothing when repeated, and
/// nothing downstream panics.
pub fn reading(data: &[u8]) {
    both_readings(data, Lookup::standard());
    let update = match Update::parse(data.to_vec()) {
        Ok(update) => update,
        Err(error) => return refusal(data, &error.fault),
    };
    assert!(serde_json::from_slice::<IgnoredAny>(data).is_ok(), "another reader refuses what was read");
    let again = Update::parse(update.bytes());
    assert!(again.is_ok_and(|again| again.as_bytes() == update.as_bytes()), "reading again changes the text");
    // The other reader takes no half of a surrogate pair and no number beyond a double.
    if let Ok(value) = serde_json::from_slice::<Value>(data) {
        fields(&update, &value);
    }
    let _ = check(&update, &FieldNames::standard());
    if let Ok(event) = Event::read_from(&update) {
        let again = Event::parse(event.to_json());
        assert!(again.is_ok_and(|again| again == event), "a typed event does not survive being written");
    }
}

/// What the quick reading takes, the plain one takes alike.
fn both_readings(data: &[u8], lookup: &Lookup) {
    let text = Bytes::copy_from_slice(data);
    if let Some(quick) = update::quick(&text, lookup) {
        assert_eq!(Ok(quick), update::plain(text, lookup), "the two readings differ");
    }
}

/// What is refused as no JSON is none to the other reader either; the rest are rules of ours.
fn refusal(data: &[u8], fault: &Fault) {
    let json = std::str::from_utf8(data).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    match fault {
        Fault::TooLarge | Fault::DuplicateField(_) => {}
        Fault::TooDeep => {
            let opened = data.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
            assert!(opened > MAX_DEPTH, "a text that opens {opened} is called too deep");
        }
        Fault::NotAnObject => {
            assert!(json && data.trim_ascii_start().first() != Some(&b'{'), "an object is called none");
        }
        fault => assert!(!json, "another reader takes what was refused: {fault}"),
    }
}

fn fields(update: &Update, value: &Value) {
    let compact = serde_json::from_slice::<Value>(update.as_bytes());
    assert!(compact.is_ok_and(|compact| compact == *value), "dropping white space changes a value");
    for field in Node::ROOT.fields() {
        let (ours, theirs) = (update.raw(field), value.get(field.name()));
        let same =
            ours.map(serde_json::from_str::<Value>).transpose().is_ok_and(|ours| ours.as_ref() == theirs);
        assert!(same, "{field}: {ours:?} is {theirs:?} to another reader");
        assert_eq!(update.text(field).as_deref(), theirs.and_then(Value::as_str), "{field} as text");
        assert_eq!(update.flag(field), theirs.and_then(Value::as_bool), "{field} as a flag");
        // Minus zero is an integer to us and a double to the other reader.
        if let Some(integer) = theirs.and_then(Value::as_i64) {
            assert_eq!(update.integer(field), Some(integer), "{field} as an integer");
        }
        let texts = theirs.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        assert!(update.texts(field).eq(texts), "{field} as texts");
    }
}

/// A mapping does what its plain twin does. What only renames and adds comes back byte for byte, unless an unknown member
/// stands in the way, and then it is said.
pub fn renaming(data: &[u8]) {
    let Some((rules, text)) = mapping(data) else { return };
    let (Ok(names), Ok(update)) = (FieldNames::compile(&rules), Update::parse(text.to_vec())) else { return };
    let rendered = names.render(&update);
    if let Ok(value) = serde_json::from_slice::<Value>(text) {
        match (&rendered, plain::render(&value, &rules)) {
            (Ok(body), Some(twin)) => {
                let body = serde_json::from_slice::<Value>(body);
                assert!(body.is_ok_and(|body| body == twin), "the twin makes something else of it: {twin}");
            }
            (Err(_), None) => {}
            (Ok(_), None) => panic!("a name stands twice, and it was not said"),
            (Err(collision), Some(_)) => panic!("the twin sees no collision: {collision}"),
        }
    }
    let Ok(body) = rendered else { return };
    names.both_readings(|lookup| both_readings(&body, lookup));
    let leaves_out = rules.iter().any(|rule| matches!(rule.change, Change::Omit));
    let restored = names.restore(body);
    assert!(
        leaves_out || restored.is_ok_and(|restored| restored.as_bytes() == update.as_bytes()),
        "renaming cannot be undone"
    );
}

/// A number of rules, each of two bytes, and what they are applied to.
fn mapping(data: &[u8]) -> Option<(Vec<Rule>, &[u8])> {
    let (&count, rest) = data.split_first()?;
    let (chosen, text) = rest.split_at_checked(2 * usize::from(count % 32))?;
    let fields: Vec<Field> = Field::all().collect();
    let rule = |pair: &[u8]| {
        let field = fields[usize::from(pair[0]) % fields.len()];
        let siblings: Vec<Field> = field.node().fields().collect();
        let sibling = siblings[usize::from(pair[1] / 8) % siblings.len()];
        match pair[1] % 8 {
            0..3 => Rule::rename(field.path(), sibling.name()),
            3 => Rule::rename(field.path(), &format!("n{}", pair[1] / 8)),
            4 => Rule::rename(
                field.path(),
                ["\"", "\\u0069d", "é\n", " ", "id", "a.b"][usize::from(pair[1] / 8) % 6],
            ),
            5 => Rule::omit(field.path()),
            6 => Rule::add(&format!("c{}", pair[0] % 4), Json::from(&Value::from(pair[1]))),
            _ => Rule::add(field.name(), Json::from(&Value::from(field.path()))),
        }
    };
    Some((chosen.chunks_exact(2).map(rule).collect(), text))
}
