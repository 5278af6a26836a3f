//! Reading one update after the other without allocating.

use super::fast::{self, Found};
use super::{View, plain, top};
use crate::error::{MAX_BYTES, ParseError};
use crate::lookup::Lookup;

/// Reads updates into memory that it keeps: once that is as large as an update needs, nothing is allocated.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    found: Found,
    /// A text without white space, and what earlier ones have left behind it.
    compact: Vec<u8>,
}

impl Reader {
    /// A reader with room for usual updates.
    #[must_use]
    pub fn new() -> Self {
        Self { found: Found::new(), compact: Vec::new() }
    }

    /// Reads an update under the standard names. What is given borrows the text, or, where that has white space between
    /// tokens, the reader.
    ///
    /// # Errors
    /// As [`Update::parse`](super::Update::parse).
    pub fn read<'r>(&'r mut self, text: &'r [u8]) -> Result<View<'r>, ParseError> {
        let lookup = Lookup::standard();
        self.found.clear();
        let quick = text.len() <= MAX_BYTES;
        let text = if quick && fast::compact(text, lookup, &mut self.found).is_some() {
            text
        } else {
            self.found.clear();
            let quick = quick.then(|| fast::spaced(text, lookup, &mut self.found, &mut self.compact));
            let length = match quick.flatten() {
                Some(length) => length,
                None => {
                    // What is odd is rare, and may cost.
                    let (compact, members) = plain(bytes::Bytes::copy_from_slice(text), lookup)?;
                    self.found = Found { top: top(&members), members };
                    self.compact = compact.into();
                    self.compact.len()
                }
            };
            &self.compact[..length]
        };
        Ok(View { text, members: &self.found.members, top: &self.found.top })
    }
}
