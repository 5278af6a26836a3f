//! White space that is dropped while a text is read, and the text without it.

use crate::lookup::HEAD;

/// How many bytes are copied at once: most runs between white space are not longer.
const CHUNK: usize = 16;

/// What was dropped so far.
#[derive(Default)]
pub(super) struct Gaps<'a> {
    out: &'a mut [u8],
    /// Where what is still to be copied begins.
    kept: usize,
    dropped: usize,
}

impl<'a> Gaps<'a> {
    /// For the whole of `text`, which goes to `out`; that is longer than needed, so that whole chunks can be copied.
    pub(super) fn of(text: &[u8], out: &'a mut Vec<u8>) -> Self {
        // What an earlier reading has left need not go.
        if out.len() < text.len() + CHUNK {
            out.resize(text.len() + CHUNK, 0);
        }
        Self { out, kept: 0, dropped: 0 }
    }

    /// Where `at` lies in the text without white space.
    #[inline(always)]
    pub(super) const fn place(&self, at: usize) -> usize {
        at - self.dropped
    }

    /// Drops what lies between `at` and `end`, behind all that was dropped before.
    pub(super) fn drop(&mut self, text: &[u8], at: usize, end: usize) {
        self.keep(text, at);
        self.dropped += end - at;
        self.kept = end;
    }

    /// The same if what is kept before it is short, and there is room; else does nothing.
    #[inline(always)]
    pub(super) fn drop_short(&mut self, text: &[u8], at: usize, end: usize) -> bool {
        let chunk = text.get(self.kept..).and_then(<[u8]>::first_chunk::<CHUNK>);
        let room = self.out.get_mut(self.kept - self.dropped..).and_then(<[u8]>::first_chunk_mut::<CHUNK>);
        let (Some(chunk), Some(room), true) = (chunk, room, at - self.kept <= CHUNK) else { return false };
        *room = *chunk;
        self.dropped += end - at;
        self.kept = end;
        true
    }

    /// Drops the byte at `end`, before which a name that begins at `at` with `head` is kept; if that is all that is, and there
    /// is room.
    #[inline(always)]
    pub(super) fn drop_one(&mut self, at: usize, head: u128, end: usize) -> bool {
        let room = self.out.get_mut(at - self.dropped..).and_then(<[u8]>::first_chunk_mut::<HEAD>);
        let (Some(room), true) = (room, at == self.kept) else { return false };
        *room = head.to_le_bytes();
        self.dropped += 1;
        self.kept = end + 1;
        true
    }

    /// Keeps the rest; gives how long the text without white space is.
    pub(super) fn end(mut self, text: &[u8]) -> usize {
        self.keep(text, text.len());
        text.len() - self.dropped
    }

    /// Copies what is still to be copied before `end`.
    fn keep(&mut self, text: &[u8], end: usize) {
        let (start, place) = (self.kept, self.kept - self.dropped);
        self.out[place..place + end - start].copy_from_slice(&text[start..end]);
    }
}
