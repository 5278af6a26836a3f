//! The laws that a fuzzer plays against this crate, replayable on any toolchain. Each panics when its law is broken.

use serde::de::IgnoredAny;

use crate::schema::Field;
use crate::{Event, FieldNames, Rule, Update, check};

/// Reading agrees with another JSON reader on what is JSON, changes nothing when repeated, and nothing downstream panics.
pub fn reading(data: &[u8]) {
    let Ok(update) = Update::parse(data.to_vec()) else { return };
    assert!(serde_json::from_slice::<IgnoredAny>(data).is_ok(), "another reader refuses what was read");
    let again = Update::parse(update.bytes());
    assert!(again.is_ok_and(|again| again.as_bytes() == update.as_bytes()), "reading again changes the text");
    let _ = check(&update, &FieldNames::standard());
    if let Ok(event) = Event::read_from(&update) {
        let again = Event::parse(event.to_json());
        assert!(again.is_ok_and(|again| again == event), "a typed event does not survive being written");
    }
}

/// Whatever is renamed comes back as it was, unless an unknown member stands in the way, and then it is said.
pub fn renaming(data: &[u8]) {
    let Some((&seed, text)) = data.split_first() else { return };
    let Ok(update) = Update::parse(text.to_vec()) else { return };
    let chosen = Field::all().filter(|field| (field.index() * 7 + usize::from(seed)) % 5 == 0);
    let rules: Vec<_> =
        chosen.map(|field| Rule::rename(field.path(), &format!("n_{}", field.index()))).collect();
    let names = FieldNames::compile(&rules).unwrap_or_default();
    let Ok(body) = names.render(&update) else { return };
    let restored = names.restore(body);
    assert!(
        restored.is_ok_and(|restored| restored.as_bytes() == update.as_bytes()),
        "renaming cannot be undone"
    );
}
