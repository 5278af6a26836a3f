//! Takes white space out from between tokens, in one pass before the reading.
//!
//! Whether white space stands in a string is seen by the quotes before it. In what is no JSON that may be seen wrongly, but not
//! before the first byte that the reading refuses: no byte but white space is taken out.

use wide::u8x16;

use crate::blocks::{BLOCK, same};

/// How many bytes are looked at at once: a bit of a word each.
const STRIDE: usize = u64::BITS as usize;

/// How many bytes are copied at once: most runs are not longer.
const CHUNK: usize = 2 * BLOCK;

/// White space (RFC 8259, section 2).
const WHITE: [u8; 4] = *b" \n\r\t";

/// By byte, whether what ends with it is no number or literal: these alone could grow by what follows. What begins with a quote
/// can follow neither.
const ENDS: [bool; 256] = {
    let mut is = [false; 256];
    let (all, mut at) = (b"{}[]:,\" \n\r\t", 0);
    while at < all.len() {
        is[all[at] as usize] = true;
        at += 1;
    }
    is
};

/// Puts a text without its white space between tokens at the beginning of `out`, and gives how long that is; what lies behind
/// means nothing. Gives up where white space is all that parts two tokens, which no JSON has.
pub(super) fn squeeze(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    // What an earlier text has left need not go. Whole chunks are copied.
    if out.len() < text.len() + CHUNK {
        out.resize(text.len() + CHUNK, 0);
    }
    let (mut squeezed, mut quoted, mut kept) = (Squeezed { text, out, length: 0 }, Quoted::default(), 0);
    let (strides, rest) = text.as_chunks::<STRIDE>();
    // White space behind the end has the last run end, unless that is in a string that never ends.
    let mut last = [b' '; STRIDE];
    last[..rest.len()].copy_from_slice(rest);
    for (stride, begin) in strides.iter().chain([&last]).zip((0..).step_by(STRIDE)) {
        let [quotes, backslashes, white] = marks(stride);
        let white = white & !quoted.next(quotes, backslashes);
        // Where white space begins and ends, in turn.
        let mut edges = white ^ (white << 1);
        while edges != 0 {
            let at = begin + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            squeezed.keep(kept, at);
            if parts(text, at) {
                return None;
            }
            // All of the rest, if it does not end here.
            kept = begin + edges.trailing_zeros() as usize;
            edges &= edges.wrapping_sub(1);
        }
    }
    (quoted.inside == 0).then_some(squeezed.length)
}

/// Whether white space that begins here is all that parts two tokens.
#[inline(always)]
fn parts(text: &[u8], at: usize) -> bool {
    let before = text.get(at.wrapping_sub(1));
    before.is_some_and(|before| !ENDS[usize::from(*before)] && parts_values(text, at))
}

/// The same behind a number or a literal.
#[inline(never)]
fn parts_values(text: &[u8], at: usize) -> bool {
    let next = text[at..].iter().find(|byte| !WHITE.contains(byte));
    next.is_some_and(|next| !ENDS[usize::from(*next)])
}

/// What is kept of a text.
struct Squeezed<'a> {
    text: &'a [u8],
    out: &'a mut [u8],
    /// How long that is.
    length: usize,
}

impl Squeezed<'_> {
    #[inline(always)]
    fn keep(&mut self, from: usize, to: usize) {
        let run = to - from;
        let chunk = self.text.get(from..).and_then(<[u8]>::first_chunk::<CHUNK>);
        let room = self.out.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut::<CHUNK>);
        match (chunk, room) {
            (Some(chunk), Some(room)) if run <= CHUNK => *room = *chunk,
            _ => self.out[self.length..self.length + run].copy_from_slice(&self.text[from..to]),
        }
        self.length += run;
    }
}

/// Where a stride has quotes, backslashes, and white space.
#[inline(always)]
fn marks(stride: &[u8; STRIDE]) -> [u64; 3] {
    let mut marks = [0; 3];
    for (block, shift) in stride.as_chunks::<BLOCK>().0.iter().zip((0..).step_by(BLOCK)) {
        let block = u8x16::from(*block);
        let white = same(block, b' ') | same(block, b'\n') | same(block, b'\r') | same(block, b'\t');
        let found = [same(block, b'"'), same(block, b'\\'), white];
        for (marks, found) in marks.iter_mut().zip(found) {
            *marks |= u64::from(found.to_bitmask()) << shift;
        }
    }
    marks
}

/// Where one is in strings.
#[derive(Default)]
struct Quoted {
    /// All bits, if the stride begins in a string.
    inside: u64,
    /// Whether its first byte is escaped.
    escaped: bool,
}

impl Quoted {
    /// The bytes of the next stride that are in strings; of the quotes around them the first is, and the last is not.
    #[inline(always)]
    fn next(&mut self, mut quotes: u64, backslashes: u64) -> u64 {
        if backslashes != 0 || self.escaped {
            quotes &= !self.escapes(backslashes);
        }
        // Each bit is whether the quotes up to it are odd in number.
        let mut inside = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        inside ^= self.inside;
        self.inside = 0_u64.wrapping_sub(inside >> (STRIDE - 1));
        inside
    }

    /// The bytes that are escaped, each by the backslash before it that is not itself.
    #[cold]
    fn escapes(&mut self, backslashes: u64) -> u64 {
        let mut escaped = u64::from(std::mem::take(&mut self.escaped));
        let mut left = backslashes & !escaped;
        while left != 0 {
            let next = (left & left.wrapping_neg()) << 1;
            // None, if it is the first byte of the next stride.
            self.escaped = next == 0;
            escaped |= next;
            left &= (left - 1) & !next;
        }
        escaped
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;
    use crate::json::compact_text;

    /// What the text reads as when its white space is dropped first.
    fn squeezed(text: &str) -> Option<String> {
        let mut out = Vec::new();
        let length = squeeze(text.as_bytes(), &mut out)?;
        let text = std::str::from_utf8(&out[..length]).ok()?;
        let read = compact_text(text).ok()?;
        (read == text).then_some(read)
    }

    #[test]
    fn white_space_is_no_part_of_a_token() {
        for (text, without) in [
            (" { \"a b\" : [ 1 , -2.5e3 ] , \"\" : true } ", Some("{\"a b\":[1,-2.5e3],\"\":true}")),
            ("\r\n\t [\r\n\t ]\r\n\t ", Some("[]")),
            ("\"\\\" \\\\\" ", Some("\"\\\" \\\\\"")),
            ("1", Some("1")),
            (" 1 ", Some("1")),
            ("", None),
            (" ", None),
            ("1 2", None),
            ("[1 2]", None),
            ("[tr ue]", None),
            ("[- 1]", None),
            ("[1. 5]", None),
            ("[\"a\" \"b\"]", None),
            ("{\"a\":1} \"", None),
            ("[] \\\" \"", None),
            ("[1\x0c]", None),
        ] {
            assert_eq!(squeezed(text).as_deref(), without, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn strings_keep_their_white_space_wherever_they_lie(texts in vec("[ a\"\\\\{:,]{0,40}", 1..12), space in "[ \n\t]{0,70}") {
            let written: Vec<_> = texts.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
            let spaced = format!("{space}[{space}{}{space}]", written.join(&format!("{space},{space}")));
            prop_assert_eq!(squeezed(&spaced), Some(format!("[{}]", written.join(","))));
        }

        #[test]
        fn a_text_reads_alike_with_its_white_space_dropped_first(
            before in "[ \"]{0,70}", text in "([ \n]{0,9}|[\"\\\\]{1,3}|[\\]\\[{}\",:0-9a-z. \t\r-]){0,60}", long in any::<bool>()
        ) {
            // Strings and white space that end in another stride than they begin.
            let text = if long { format!("[{before}\"{text}\",\"{before}\"]") } else { format!("[{text}]") };
            prop_assert_eq!(squeezed(&text), compact_text(&text).ok());
        }
    }
}
