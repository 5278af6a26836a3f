//! The one pass over an update's bytes: copies them, but for the names and members that are edited.

use super::Edit;
use crate::json;
use crate::update::Member;

/// How many bytes of a name are copied at once, without a call: most are not longer.
const HEAD: usize = 16;

/// `"name":` as it is written.
#[derive(Clone, Debug)]
pub(super) struct Key {
    bytes: Box<[u8]>,
    /// Its first bytes, and zeros behind them if it is shorter.
    head: [u8; HEAD],
}

impl Key {
    pub(super) fn of(name: &str) -> Self {
        let mut bytes = Vec::new();
        json::write_string(name, &mut bytes);
        bytes.push(b':');
        let mut head = [0; HEAD];
        head.iter_mut().zip(&bytes).for_each(|(place, byte)| *place = *byte);
        Self { bytes: bytes.into(), head }
    }

    #[inline(always)]
    fn write(&self, out: &mut Vec<u8>) {
        if self.bytes.len() <= HEAD {
            let end = out.len() + self.bytes.len();
            out.extend_from_slice(&self.head);
            out.truncate(end);
        } else {
            out.extend_from_slice(&self.bytes);
        }
    }
}

/// A text that is being written with edits.
pub(super) struct Splice<'s> {
    text: &'s [u8],
    out: &'s mut Vec<u8>,
    /// How much of the text is written, or dropped.
    done: usize,
}

impl<'s> Splice<'s> {
    /// Appends `text` to `out`.
    pub(super) fn of(text: &'s [u8], out: &'s mut Vec<u8>) -> Self {
        Self { text, out, done: 0 }
    }

    /// Begins anew, with as much in `out` as was there before.
    pub(super) fn again(self, before: usize) -> Self {
        self.out.truncate(before);
        Self { done: 0, ..self }
    }

    /// Edits a member, which lies behind all that were edited before, or within the last one; of which one that is left out keeps
    /// nothing.
    #[inline]
    pub(super) fn edit(&mut self, member: &Member, edit: &Edit) {
        match edit {
            Edit::Keep => {}
            Edit::Rename { key, .. } => {
                if self.copy_before(member) {
                    key.write(self.out);
                    self.done = member.value_range().start;
                }
            }
            Edit::Omit => self.omit(member),
        }
    }

    /// Gives it a name.
    pub(super) fn rename(&mut self, member: &Member, name: &str) {
        if self.copy_before(member) {
            json::write_string(name, self.out);
            self.out.push(b':');
            self.done = member.value_range().start;
        }
    }

    /// Leaves it out, with one of the commas around it.
    pub(super) fn omit(&mut self, member: &Member) {
        if self.copy_before(member) {
            self.done = member.value_range().end;
            if self.text[self.done] == b',' {
                self.done += 1;
            } else if self.out.last() == Some(&b',') {
                self.out.pop();
            }
        }
    }

    /// Copies what stands before a member; not if that is inside of one that was left out.
    #[inline]
    fn copy_before(&mut self, member: &Member) -> bool {
        let before = self.text.get(self.done..member.key_start());
        if let Some(before) = before {
            self.out.extend_from_slice(before);
        }
        before.is_some()
    }

    /// Writes the rest.
    pub(super) fn end(self) {
        self.out.extend_from_slice(&self.text[self.done..]);
    }
}
