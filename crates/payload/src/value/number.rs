//! Numbers that keep their spelling: a double would lose integers beyond 2^53 and the zeros of `0.00`.

use std::fmt;

use super::{ReadError, Value};
use crate::json::Cursor;
use crate::out::Out;

/// A number: what fits an `i64` as such, anything else as the text that came (beyond 2^63, fractions, exponents).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(Repr);

/// The text is never one that `i64` prints, so that equal numbers of one spelling are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    Integer(i64),
    Text(Box<str>),
}

/// A number that is printed with at least two decimals when it is made here, and as it came when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(Number);

impl Number {
    fn from_text(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(value) if value != 0 || text == "0" => Self(Repr::Integer(value)),
            _ => Self(Repr::Text(text.into())),
        }
    }

    fn write_text(&self, out: &mut Out<'_>) {
        match &self.0 {
            // Many are, and copying a byte is less than calling for it.
            Repr::Integer(value @ 0..=9) => out.byte(b'0' + *value as u8),
            Repr::Integer(value) => {
                out.text(itoa::Buffer::new().format(*value).as_bytes());
            }
            Repr::Text(text) => out.text(text.as_bytes()),
        }
    }

    /// Its value, if it is an integer of 64 bits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Integer(value) => Some(*value),
            Repr::Text(text) => text.parse().ok(),
        }
    }

    /// Its value, as near as a double comes.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the documentation says that it is the nearest double")]
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            Repr::Integer(value) => *value as f64,
            Repr::Text(text) => text.parse().unwrap_or(f64::NAN),
        }
    }
}

impl Default for Number {
    fn default() -> Self {
        Self(Repr::Integer(0))
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(Repr::Integer(value))
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self(Repr::Integer(value.into()))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::from_text(&value.to_string())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Integer(value) => value.fmt(f),
            Repr::Text(text) => f.write_str(text),
        }
    }
}

impl Value for Number {
    type Inside = ();

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        match cursor.peek() {
            Some(b'-' | b'0'..=b'9') => Ok(Self::from_text(cursor.number()?)),
            _ => Err(ReadError::expected("a number")),
        }
    }

    #[inline(always)]
    fn write(&self, (): &(), out: &mut Out<'_>) -> bool {
        self.write_text(out);
        true
    }
}

impl Decimal {
    /// The number in its shortest exact spelling, filled up to two decimals: `0.00`, `12.50`, `1.23456`. `None` for
    /// what JSON has no spelling for (infinite, not a number).
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let mut text = value.to_string();
        let decimals = text.find('.').map_or(0, |point| text.len() - point - 1);
        if decimals == 0 {
            text.push('.');
        }
        text.extend(std::iter::repeat_n('0', 2_usize.saturating_sub(decimals)));
        Some(Self(Number(Repr::Text(text.into()))))
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> &Number {
        &self.0
    }
}

impl Default for Decimal {
    fn default() -> Self {
        Self(Number(Repr::Text("0.00".into())))
    }
}

impl Value for Decimal {
    type Inside = ();

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
        Number::read(cursor).map(Self)
    }

    #[inline(always)]
    fn write(&self, names: &(), out: &mut Out<'_>) -> bool {
        self.0.write(names, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_at_least_two_decimals_and_all_that_it_needs() {
        for (value, text) in [
            (0.0, "0.00"),
            (12.5, "12.50"),
            (1.23456, "1.23456"),
            (-0.1, "-0.10"),
            (1e21, "1000000000000000000000.00"),
            (1e-7, "0.0000001"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            let decimal = Decimal::new(value).unwrap();
            assert_eq!(decimal.number().to_string(), text);
            assert_eq!(decimal.number().as_f64().to_bits(), value.to_bits());
        }
        assert_eq!(Decimal::new(f64::NAN), None);
        assert_eq!(Decimal::new(f64::INFINITY), None);
    }

    #[test]
    fn numbers_keep_their_spelling() {
        for text in ["0", "-0", "9007199254740993", "18446744073709551615", "1e3", "1.50", "-7", "0.0"] {
            assert_eq!(Number::from_text(text).to_string(), text);
        }
        assert_eq!(Number::from(u64::MAX).to_string(), u64::MAX.to_string());
    }
}
