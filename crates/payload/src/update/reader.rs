//! Reading one update after the other without allocating.

use super::{MEMBERS, Member, Top, View, fast, plain, top};
use crate::error::{MAX_BYTES, ParseError};
use crate::lookup::Lookup;

/// Reads updates into memory that it keeps: once that is as large as an update needs, nothing is allocated.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    members: Vec<Member>,
    compact: Vec<u8>,
    top: Top,
}

impl Reader {
    /// A reader with room for usual updates.
    #[must_use]
    pub fn new() -> Self {
        Self { members: Vec::with_capacity(MEMBERS), ..Self::default() }
    }

    /// Reads an update under the standard names. What is given borrows the text, or, where that has white space between
    /// tokens, the reader.
    ///
    /// # Errors
    /// As [`Update::parse`](super::Update::parse).
    pub fn read<'r>(&'r mut self, text: &'r [u8]) -> Result<View<'r>, ParseError> {
        let lookup = Lookup::standard();
        self.members.clear();
        let quick = text.len() <= MAX_BYTES;
        let text = if quick && fast::compact(text, lookup, &mut self.members).is_some() {
            text
        } else {
            self.members.clear();
            if !quick || fast::spaced(text, lookup, &mut self.members, &mut self.compact).is_none() {
                // What is odd is rare, and may cost.
                let (compact, members) = plain(bytes::Bytes::copy_from_slice(text), lookup)?;
                (self.compact, self.members) = (compact.into(), members);
            }
            &self.compact
        };
        self.top = top(&self.members);
        Ok(View { text, members: &self.members, top: &self.top })
    }
}
