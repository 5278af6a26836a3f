//! What a mapping does, done plainly: on values, by paths, with nothing compiled.

use serde_json::{Map, Value};

use crate::Rule;
use crate::field_names::Change;
use crate::schema::{Field, Kind};

/// The body under `rules`; `None` if an unknown member has a name that something is sent under.
pub(super) fn render(update: &Value, rules: &[Rule]) -> Option<Value> {
    let mut body = object(update.as_object()?, "", rules)?;
    for rule in rules {
        if let Change::Add(value) = &rule.change {
            let value = serde_json::from_str(value.as_str()).ok()?;
            if body.insert(rule.path.clone(), value).is_some() {
                return None;
            }
        }
    }
    Some(Value::Object(body))
}

fn object(members: &Map<String, Value>, prefix: &str, rules: &[Rule]) -> Option<Map<String, Value>> {
    let mut made = Map::new();
    for (name, value) in members {
        let path = format!("{prefix}{name}");
        let field = Field::at(&path).filter(|field| field.path() == path);
        // A rule that gives a field its own name is none.
        let change = rules.iter().filter(|rule| rule.path == path).map(|rule| &rule.change).find(|change| {
            matches!(change, Change::Omit) || matches!(change, Change::Rename(other) if other != name)
        });
        let name = match (field, change) {
            (None, _) if is_taken(name, prefix, rules) => return None,
            (None, _) | (Some(_), None | Some(Change::Add(_))) => name,
            (Some(_), Some(Change::Rename(name))) => name,
            (Some(_), Some(Change::Omit)) => {
                // What is left out is not looked into here, but what is in its way is still said.
                inner(value, field, &path, rules)?;
                continue;
            }
        };
        made.insert(name.clone(), inner(value, field, &path, rules)?);
    }
    Some(made)
}

/// A value with what is in it; only what the schema knows to have fields has some.
fn inner(value: &Value, field: Option<Field>, path: &str, rules: &[Rule]) -> Option<Value> {
    let prefix = format!("{path}.");
    match (field.map(Field::kind), value) {
        (Some(Kind::Object(_)), Value::Object(members)) => object(members, &prefix, rules).map(Value::Object),
        (Some(Kind::Items(_)), Value::Array(items)) => {
            let item = |item: &Value| match item {
                Value::Object(members) => object(members, &prefix, rules).map(Value::Object),
                other => Some(other.clone()),
            };
            items.iter().map(item).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        (_, other) => Some(other.clone()),
    }
}

/// Whether a field of the object is sent under this name.
fn is_taken(name: &str, prefix: &str, rules: &[Rule]) -> bool {
    rules.iter().any(|rule| match &rule.change {
        Change::Rename(other) => {
            let of_object = rule.path.strip_prefix(prefix).is_some_and(|last| !last.contains('.'));
            of_object && other == name
        }
        Change::Omit | Change::Add(_) => false,
    })
}
