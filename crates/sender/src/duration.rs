//! Durations as people type them.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Reads `15s`, `2m`, `1h 30m`, `250ms`.
///
/// # Errors
/// A sentence that says what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let read = text.parse::<jiff::SignedDuration>().ok().and_then(|read| Duration::try_from(read).ok());
    read.ok_or_else(|| format!("{text:?} is no duration, such as 15s, 2m or 24h"))
}

/// A duration that is read and written as `15s`, `2m` or `24h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

/// What schemas say of one that is read; other spellings are read too, and a long one is written in more digits.
const PATTERN: &str =
    "^[0-9]{1,6}h( ?[0-9]{1,6}m)?( ?[0-9]{1,6}s)?$|^[0-9]{1,6}m( ?[0-9]{1,6}s)?$|^[0-9]{1,6}(s|ms|us|ns)$";

/// The units in which a time is written, the largest first.
const UNITS: &[(&str, u128)] = &[
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl fmt::Display for Time {
    /// In the largest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let whole = |(_, size): &&(&str, u128)| nanos >= *size && nanos.is_multiple_of(*size);
        let (unit, size) = UNITS.iter().find(whole).unwrap_or(&("s", 1));
        write!(f, "{}{unit}", nanos / size)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = json_schema!({
            "type": "string",
            "description": "A duration: whole numbers with their units, the largest first.",
            "examples": ["250ms", "15s", "2m", "24h", "1h 30m"],
        });
        if generator.contract().is_deserialize() {
            schema.insert("pattern".to_owned(), PATTERN.into());
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_read() {
        for text in ["0s", "1ns", "500us", "250ms", "15s", "90s", "2m", "24h", "1500ms"] {
            assert_eq!(Time(duration(text).unwrap()).to_string(), text);
        }
        assert_eq!(Time(duration("1h 30m").unwrap()).to_string(), "90m");
    }
}
