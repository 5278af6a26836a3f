//! White space that is dropped while a text is read, and the text without it.

use std::ops::Range;

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
    /// For the whole of `text`, which goes to `out`; that is longer than needed until the end, so that whole chunks can be copied.
    pub(super) fn of(text: &[u8], out: &'a mut Vec<u8>) -> Self {
        out.clear();
        out.resize(text.len() + CHUNK, 0);
        Self { out, kept: 0, dropped: 0 }
    }

    /// Where `at` lies in the text without white space.
    #[inline(always)]
    pub(super) const fn place(&self, at: usize) -> usize {
        at - self.dropped
    }

    /// Drops `gap`, which lies behind all that were dropped before.
    #[inline(always)]
    pub(super) fn drop(&mut self, text: &[u8], gap: Range<usize>) {
        self.keep(text, gap.start);
        self.dropped += gap.len();
        self.kept = gap.end;
    }

    /// Keeps the rest; gives how long the text without white space is.
    pub(super) fn end(mut self, text: &[u8]) -> usize {
        self.keep(text, text.len());
        text.len() - self.dropped
    }

    /// Copies what is still to be copied before `end`, and, where there is room, some of what follows it.
    #[inline(always)]
    fn keep(&mut self, text: &[u8], end: usize) {
        let (start, place) = (self.kept, self.kept - self.dropped);
        let chunk = text.get(start..).and_then(|rest| rest.first_chunk::<CHUNK>());
        let room = self.out.get_mut(place..).and_then(|rest| rest.first_chunk_mut::<CHUNK>());
        match (chunk, room) {
            (Some(chunk), Some(room)) if end - start <= CHUNK => *room = *chunk,
            _ => self.out[place..place + end - start].copy_from_slice(&text[start..end]),
        }
    }
}
