//! Whole numbers as JSON has them: `8`, and `8.0`, which is the same number to JSON and to those who write it by program.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Up to here a floating-point number says which whole number it is.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads one, or none.
pub(super) fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<Option<T>, D::Error> {
    from.deserialize_option(Whole(PhantomData))
}

struct Whole<T>(PhantomData<T>);

impl<'de, T: TryFrom<u64>> Visitor<'de> for Whole<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Option<T>, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<T>, E> {
        T::try_from(value).map(Some).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<T>, E> {
        u64::try_from(value)
            .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            .and_then(|value| self.visit_u64(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<T>, E> {
        if value.fract() == 0.0 && (0.0..=EXACT).contains(&value) {
            return self.visit_u64(value as u64);
        }
        Err(E::invalid_value(Unexpected::Float(value), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_is_eight_however_it_is_written() {
        let read = |text: &str| {
            let mut from = serde_json::Deserializer::from_str(text);
            whole::<_, u32>(&mut from).map_err(|error| error.to_string())
        };
        for (text, expected) in [("8", Some(8)), ("8.0", Some(8)), ("8e0", Some(8)), ("null", None)] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for text in ["8.5", "-1", "-1.0", "4294967296", "1e300", "\"8\"", "true"] {
            assert!(read(text).unwrap_err().contains("expected a whole number"), "{text}");
        }
    }
}
