//! Takes white space out from between tokens, in one pass before the reading.
//!
//! Whether white space stands in a string is seen by the quotes before it. In what is no JSON that may be seen wrongly, but not
//! before the first byte that the reading refuses: no byte but white space is taken out.

#[cfg(target_arch = "x86_64")]
mod avx512;

use wide::u8x16;

use crate::blocks::{self, BLOCK, same};
use crate::json::is_white;

/// How many bytes are looked at at once: a bit of a word each.
const STRIDE: usize = u64::BITS as usize;

/// A stride with the byte before it, and as much behind it: whole blocks are copied, wherever they begin.
const WINDOW: usize = 1 + 2 * STRIDE;

/// By byte, whether what ends with it is no number or literal: these alone could grow by what follows. What begins with a quote
/// can follow neither.
const ENDS: [bool; 256] = {
    let (mut ends, mut byte) = ([false; 256], 0);
    while byte < ends.len() {
        ends[byte] =
            is_white(byte as u8) || matches!(byte as u8, b'{' | b'}' | b'[' | b']' | b':' | b',' | b'"');
        byte += 1;
    }
    ends
};

/// Puts a text without its white space between tokens at the beginning of `out`, and gives how long that is; what lies behind
/// means nothing. Gives up where white space is all that parts two tokens, which no JSON has.
pub(super) fn squeeze(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    // What an earlier text has left need not go. Whole strides are copied.
    if out.len() < text.len() + WINDOW {
        out.resize(text.len() + WINDOW, 0);
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = fearless_simd::Level::new().as_avx512() {
        return avx512::squeeze(simd, text, out);
    }
    squeeze_portably(text, out)
}

/// The same by what every processor has, with room for a stride and more behind the text.
fn squeeze_portably(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut length, mut quoted) = (0, Quoted::default());
    for begin in (0..text.len()).step_by(STRIDE) {
        let before = begin.checked_sub(1).and_then(|before| text.get(before..));
        let edge;
        let window = match before.and_then(<[u8]>::first_chunk) {
            Some(window) => window,
            None => {
                edge = window_at_edge(text, begin);
                &edge
            }
        };
        let out = out.get_mut(length..)?.first_chunk_mut()?;
        length += squeeze_stride(window, &mut quoted, out, |at| parts_values(text, begin + at))?;
    }
    (quoted.inside == 0).then_some(length)
}

/// The window of the stride at `begin`, near the text's beginning or its end; with white space around the text.
fn window_at_edge(text: &[u8], begin: usize) -> [u8; WINDOW] {
    let mut window = [b' '; WINDOW];
    let (before, text) = (usize::from(begin == 0), &text[begin.saturating_sub(1)..]);
    let length = text.len().min(WINDOW - before);
    window[before..before + length].copy_from_slice(&text[..length]);
    window
}

/// Puts what is kept of a stride at the beginning of `out`, and gives how long that is. `parts` says whether white space at a place of
/// the stride, behind a number or a literal, is all that parts it from another.
#[inline(always)]
fn squeeze_stride(
    window: &[u8; WINDOW],
    quoted: &mut Quoted,
    out: &mut [u8; WINDOW],
    parts: impl Fn(usize) -> bool,
) -> Option<usize> {
    /// Leaves a place in a stride as it is, and shows that it is one, so that nothing need be looked at.
    const PLACES: usize = STRIDE - 1;
    let white = white_between(window, quoted);
    let (mut kept, mut length) = (0, 0);
    // Where white space begins and ends, in turn.
    let mut edges = white ^ (white << 1);
    while edges != 0 {
        let at = edges.trailing_zeros() as usize & PLACES;
        edges &= edges - 1;
        let (from, to, run) = (kept & PLACES, length & PLACES, at - kept);
        out[to..to + BLOCK].copy_from_slice(&window[1 + from..1 + from + BLOCK]);
        if run > BLOCK {
            out[to + BLOCK..to + STRIDE].copy_from_slice(&window[1 + from + BLOCK..1 + from + STRIDE]);
        }
        length += run;
        // The byte before it.
        if !ENDS[usize::from(window[at])] && parts(at) {
            return None;
        }
        if edges == 0 {
            return Some(length);
        }
        kept = edges.trailing_zeros() as usize;
        edges &= edges - 1;
    }
    let (from, to) = (kept & PLACES, length & PLACES);
    out[to..to + STRIDE].copy_from_slice(&window[1 + from..1 + from + STRIDE]);
    Some(length + STRIDE - kept)
}

/// Whether white space that begins here, behind a number or a literal, is all that parts two tokens.
#[inline(never)]
fn parts_values(text: &[u8], at: usize) -> bool {
    let next = text[at..].iter().find(|byte| !is_white(**byte));
    next.is_some_and(|next| !ENDS[usize::from(*next)])
}

/// Where a stride has white space between tokens.
#[inline(always)]
fn white_between(window: &[u8; WINDOW], quoted: &mut Quoted) -> u64 {
    let (mut quotes, mut backslashes, mut white) = (0, blocks::all(0), 0);
    let (blocks, _) = window[1..1 + STRIDE].as_chunks::<BLOCK>();
    for (block, shift) in blocks.iter().zip((0..).step_by(BLOCK)) {
        let block = u8x16::from(*block);
        let is_white = same(block, b' ') | same(block, b'\n') | same(block, b'\r') | same(block, b'\t');
        white |= u64::from(is_white.to_bitmask()) << shift;
        quotes |= u64::from(same(block, b'"').to_bitmask()) << shift;
        backslashes |= same(block, b'\\');
    }
    if backslashes.to_bitmask() != 0 || quoted.escaped {
        let marks = blocks.iter().zip((0..).step_by(BLOCK));
        let backslashes = marks.fold(0, |marks, (block, shift)| {
            marks | u64::from(same(u8x16::from(*block), b'\\').to_bitmask()) << shift
        });
        quotes &= !quoted.escapes(backslashes);
    }
    white & !quoted.next(up_to_each(quotes))
}

/// Each bit is whether the bits up to it are odd in number.
#[inline(always)]
fn up_to_each(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
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
    /// The bytes of the next stride that are in strings; of the quotes around them the first is, and the last is not. Takes of each
    /// byte whether the quotes up to it are odd in number.
    #[inline(always)]
    fn next(&mut self, odd: u64) -> u64 {
        let inside = odd ^ self.inside;
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

    /// What the text reads as when its white space is dropped first, in the way of this processor and in that of every one.
    fn squeezed(text: &str) -> Option<String> {
        let (mut out, mut portable) = (Vec::new(), vec![0; text.len() + WINDOW]);
        let length = squeeze(text.as_bytes(), &mut out);
        assert_eq!(length, squeeze_portably(text.as_bytes(), &mut portable), "{text:?}");
        let length = length?;
        assert_eq!(out[..length], portable[..length], "{text:?}");
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
        fn strings_keep_their_white_space_wherever_they_lie(
            // Beyond ASCII, bytes that would be white space, a quote and a backslash without their highest bit.
            texts in vec("[ a\"\\\\{:,\u{a0}\u{a2}\u{700}]{0,40}", 1..12), space in "[ \n\t]{0,70}"
        ) {
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
