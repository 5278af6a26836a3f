//! The event as a type, for making updates and for taking them apart field by field.
//!
//! Writing is exact: the sample's order, empty values written, means with two decimals. Reading is tolerant: the forms
//! that the vendor's documents give, members that the schema does not have kept and written back after the known ones.
//! What must leave byte for byte as it came is an [`Update`], not an [`Event`].

use std::sync::LazyLock;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::json::{self, Cursor};
use crate::labels::{Inside, Label};
use crate::out::Out;
use crate::schema::{Field, Node, rows};
use crate::update::Update;
use crate::value::{AlertType, Counts, Decimal, Json, Number, ReadError, Severity, TextOr, Unknown, Value};

macro_rules! structs {
    ($($(#[$about:meta])* $NAME:ident $Type:ident $Names:ident {
        $($(#[$about_member:meta])* $name:literal $field:ident: $type:ty = $kind:tt,)*
    })*) => { $(
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $Type {
            $($(#[$about_member])* pub $field: $type,)*
            /// Members that the schema does not have.
            pub unknown: Unknown,
        }

        /// The names of its members.
        #[derive(Clone, Debug)]
        pub(crate) struct $Names {
            $($field: Label<<$type as Value>::Inside>,)*
        }

        impl Inside for $Names {
            fn new<'n>(node: Option<Node>, name_of: &impl Fn(Field) -> Option<&'n str>) -> Self {
                let mut fields = node.into_iter().flat_map(Node::fields);
                Self { $($field: Label::new(fields.next().expect("one for each row"), name_of),)* }
            }
        }

        impl Value for $Type {
            type Inside = $Names;

            fn read(cursor: &mut Cursor<'_>) -> Result<Self, ReadError> {
                let mut this = Self::default();
                if cursor.peek() != Some(b'{') {
                    return Err(ReadError::Mismatch { path: String::new(), expected: "an object" });
                }
                let mut more = cursor.open(b'{', b'}', "an object")?;
                while more {
                    match &*json::unescape(cursor.key()?.1) {
                        $($name => this.$field = Value::read(cursor).map_err(|error| error.under($name))?,)*
                        other => this.unknown.0.push((other.to_owned(), Json::read(cursor)?)),
                    }
                    more = cursor.more(b'}')?;
                }
                Ok(this)
            }

            fn write(&self, names: &Self::Inside, out: &mut Out<'_>) -> bool {
                let (begin, mut known) = (out.length(), self.unknown.0.is_empty());
                $(
                    if let Some(inside) = names.$field.begin(out) {
                        known &= self.$field.write(inside, out);
                    }
                )*
                for (name, value) in &self.unknown.0 {
                    out.byte(b',');
                    out.string(name);
                    out.byte(b':');
                    value.write(&(), out);
                }
                // A comma, if there is any member.
                if out.length() > begin {
                    out.put(begin, b'{');
                } else {
                    out.byte(b'{');
                }
                out.byte(b'}');
                known
            }
        }
    )* };
}
rows!(structs);

/// The names of all fields, of an object each.
pub(crate) type Labels = <Event as Value>::Inside;

static STANDARD: LazyLock<Labels> = LazyLock::new(|| labels(|field| Some(field.name())));

/// The names that `name_of` gives; a field without one is left out.
pub(crate) fn labels<'n>(name_of: impl Fn(Field) -> Option<&'n str>) -> Labels {
    Inside::new(Some(Node::ROOT), &name_of)
}

impl Event {
    /// Reads an event from JSON text. A field that is absent gets its empty value.
    ///
    /// # Errors
    /// If the text is no update ([`Update::parse`]), or a field holds what it cannot hold.
    pub fn parse(text: impl Into<Bytes>) -> Result<Self, ReadError> {
        Self::read_from(&Update::parse(text)?)
    }

    /// Takes an update apart.
    ///
    /// # Errors
    /// If a field holds what it cannot hold.
    pub fn read_from(update: &Update) -> Result<Self, ReadError> {
        Self::read(&mut Cursor::new(update.as_bytes())?)
    }

    /// The event as JSON text, without white space between tokens.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2048);
        self.write_json(&mut out);
        out
    }

    /// Appends the same to a buffer.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        Out::append(out, |out| self.write(&STANDARD, out));
    }

    /// The event as an update.
    ///
    /// # Errors
    /// If a value nests too deep, an `unknown` member has the name of a field, or all is longer than [`MAX_BYTES`](crate::MAX_BYTES).
    pub fn to_update(&self) -> Result<Update, crate::ParseError> {
        Update::parse(self.to_json())
    }
}

/// With `serde_json` only: the text passes through as it is, which other formats do not offer.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = String::from_utf8(self.to_json()).map_err(serde::ser::Error::custom)?;
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// With `serde_json` only, as for `Serialize`.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(text.get().to_owned()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
