//! Header lines as they are filled in, and their secrets: shown as `***`, and put back where `***` comes.

use std::collections::BTreeMap;
use std::fmt;

use delivery::target::headers::{HeaderList, is_secret};
use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::MASK;

/// Header lines, in one of the two forms that the form and the API know.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "headers are a text like \"X-A: b, X-C: d\" or a table of names and values")]
pub enum HeaderText {
    /// A comma-separated list of `name: value` pairs.
    List(String),
    /// Names and values; nothing is an escape in them.
    Table(BTreeMap<String, String>),
}

impl Default for HeaderText {
    fn default() -> Self {
        Self::List(String::new())
    }
}

impl Serialize for HeaderText {
    /// Without secrets.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.masked() {
            Self::List(list) => serializer.serialize_str(&list),
            Self::Table(table) => table.serialize(serializer),
        }
    }
}

fn names_a_secret(name: &str) -> bool {
    name.trim().parse::<HeaderName>().is_ok_and(|name| is_secret(&name))
}

impl HeaderText {
    /// The same with `***` for secrets. A list that cannot be read shows nothing: where its secrets lie is not known.
    #[must_use]
    pub fn masked(&self) -> Self {
        self.mapped(|_, _| Some(MASK.to_owned()))
    }

    /// Whether a secret is only a mask.
    pub(super) fn is_masked(&self) -> bool {
        let masked = |name: &str, value: &str| value == MASK && names_a_secret(name);
        match self {
            Self::Table(table) => table.iter().any(|(name, value)| masked(name, value)),
            Self::List(list) => HeaderList::parse(list).is_ok_and(|list| {
                list.iter()
                    .any(|line| masked(line.name().as_str(), line.value().to_str().unwrap_or_default()))
            }),
        }
    }

    /// With the values of secrets replaced; `None` leaves one as it is.
    pub(super) fn mapped(&self, other: impl Fn(&str, &str) -> Option<String>) -> Self {
        let value = |name: &str, value: &str| {
            let replaced = if names_a_secret(name) { other(name, value) } else { None };
            replaced.unwrap_or_else(|| value.to_owned())
        };
        match self {
            Self::Table(table) => {
                Self::Table(table.iter().map(|(name, came)| (name.clone(), value(name, came))).collect())
            }
            Self::List(list) => Self::List(HeaderList::parse(list).map_or_else(
                |_| String::new(),
                |lines| {
                    if !lines.iter().any(|line| is_secret(line.name())) {
                        return list.clone();
                    }
                    lines
                        .with_values(|line| {
                            value(line.name().as_str(), line.value().to_str().unwrap_or_default())
                        })
                        .to_string()
                },
            )),
        }
    }

    pub(super) fn values(&self) -> Vec<(String, String)> {
        match self {
            Self::Table(table) => {
                table.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
            }
            Self::List(list) => HeaderList::parse(list).map_or_else(
                |_| Vec::new(),
                |lines| {
                    let pair = |line: &delivery::target::headers::HeaderLine| {
                        (
                            line.name().as_str().to_owned(),
                            line.value().to_str().unwrap_or_default().to_owned(),
                        )
                    };
                    lines.iter().map(pair).collect()
                },
            ),
        }
    }
}

impl fmt::Debug for HeaderText {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.masked() {
            Self::List(list) => list.fmt(f),
            Self::Table(table) => table.fmt(f),
        }
    }
}

impl fmt::Display for HeaderText {
    /// As the form shows it: a list, without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.masked() {
            Self::List(list) => f.write_str(&list),
            Self::Table(table) => match HeaderList::from_pairs(&table) {
                Ok(list) => list.fmt(f),
                Err(_) => Ok(()),
            },
        }
    }
}
