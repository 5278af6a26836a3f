//! Eight bytes at a time: what is too short for a block.

/// How many bytes a word has.
pub(crate) const WORD: usize = 8;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

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

/// Whether a word has neither a quote nor a backslash nor a control character.
pub(crate) const fn is_plain(word: [u8; WORD]) -> bool {
    let word = u64::from_le_bytes(word);
    let (quote, backslash) = (word ^ (ONES * b'"' as u64), word ^ (ONES * b'\\' as u64));
    // A byte that is less borrows its highest bit, which it had not; so does a zero when one is taken away. Bytes above such a
    // one may seem to be one too: it is enough that one is there.
    let below = word.wrapping_sub(ONES * b' ' as u64) & !word;
    let zero = (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
    (below | zero) & HIGHS == 0
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
        fn a_word_is_plain_if_all_its_bytes_are(bytes: [u8; WORD], near in any::<[bool; WORD]>()) {
            // Half of the bytes are such as stand in texts.
            let at = |place: usize| if near[place] { b"0!#[]\"\\ \x1f\x7f\x80"[usize::from(bytes[place]) % 11] } else { bytes[place] };
            let word = std::array::from_fn(at);
            let plain = |byte: &u8| *byte >= b' ' && *byte != b'"' && *byte != b'\\';
            prop_assert_eq!(is_plain(word), word.iter().all(plain));
        }
    }
}
