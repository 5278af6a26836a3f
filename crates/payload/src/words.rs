//! Eight bytes at a time: where in a word of text something of interest stands first.
//!
//! Each function marks bytes, mostly by their highest bit. Above the first mark there may be false ones, carried over from it; the
//! first is exact, and the only one that is asked for. A word is read in the order of the text (little endian).

/// How many bytes a word has.
pub(crate) const WORD: usize = 8;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The word at `at`, if that many bytes are left.
pub(crate) fn word(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// A word of bytes that are fewer: each of them is in it, some twice, and spaces may be.
pub(crate) fn filled(bytes: &[u8]) -> [u8; WORD] {
    let mut word = [b' '; WORD];
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        word[..4].copy_from_slice(first);
        word[4..].copy_from_slice(last);
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        word[..2].copy_from_slice(first);
        word[2..4].copy_from_slice(last);
    } else if let Some(only) = bytes.first() {
        word[0] = *only;
    }
    word
}

/// The place of the first mark.
pub(crate) const fn first(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// Marks what ends a run of plain characters in a string: a quote, a backslash, a control character.
pub(crate) const fn ends_of_plain(word: u64) -> u64 {
    let (quote, backslash) = (word ^ (ONES * b'"' as u64), word ^ (ONES * b'\\' as u64));
    // A byte that is less borrows its highest bit, which it had not; so does a zero when one is taken away.
    let below = word.wrapping_sub(ONES * b' ' as u64) & !word;
    let zero = (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    (below | zero) & HIGHS
}

/// Has bits in each byte that is no space, and in no other; all are exact.
pub(crate) const fn non_spaces(word: u64) -> u64 {
    word ^ (ONES * b' ' as u64)
}

/// Marks what is no decimal digit.
pub(crate) const fn non_digits(word: u64) -> u64 {
    let offset = word ^ (ONES * b'0' as u64);
    (offset | offset.wrapping_add(ONES * 0x76)) & HIGHS
}

/// Marks bytes beyond ASCII; all marks are exact.
pub(crate) const fn beyond_ascii(word: u64) -> u64 {
    word & HIGHS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn a_filled_word_has_all_bytes_and_no_others() {
        for length in 0..=WORD {
            let bytes = &b"abcdefgh"[..length];
            let (mut filled, mut bytes) = (filled(bytes).to_vec(), bytes.to_vec());
            filled.sort_unstable();
            filled.dedup();
            bytes.extend((length < 4).then_some(b' '));
            bytes.sort_unstable();
            assert_eq!(filled, bytes);
        }
    }

    proptest! {
        #[test]
        fn the_first_mark_is_where_the_first_such_byte_is(bytes: [u8; WORD], near in any::<[bool; WORD]>()) {
            // Half of the bytes are such as stand in texts.
            let text: Vec<u8> =
                bytes.iter().zip(near).map(|(byte, near)| if near { b"0189/:\"\\ !\x1f\x7f\x80"[usize::from(*byte) % 13] } else { *byte }).collect();
            let word = word(&text, 0).unwrap();
            for (marks, is) in [
                (ends_of_plain(word), (|byte| byte < b' ' || byte == b'"' || byte == b'\\') as fn(u8) -> bool),
                (non_spaces(word), |byte| byte != b' '),
                (non_digits(word), |byte| !byte.is_ascii_digit()),
                (beyond_ascii(word), |byte| !byte.is_ascii()),
            ] {
                let found = (marks != 0).then(|| first(marks));
                prop_assert_eq!(found, text.iter().position(|&byte| is(byte)));
            }
        }
    }

    #[test]
    fn there_is_a_word_as_long_as_eight_bytes_are_left() {
        assert_eq!(word(b"01234567", 0), Some(u64::from_le_bytes(*b"01234567")));
        assert_eq!((word(b"01234567", 1), word(b"01234567", 9)), (None, None));
    }
}
