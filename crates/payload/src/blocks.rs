//! Sixteen bytes at a time: which of a block of text are of interest, a bit for each, the lowest for the first.
//!
//! The processor's own instructions for this are reached through `wide`, which has them for what this is built for, or does
//! the same without.

use wide::u8x16;

/// How many bytes a block has.
pub(crate) const BLOCK: usize = 16;

/// The block at `at`, if that many bytes are left.
#[inline(always)]
pub(crate) fn block(text: &[u8], at: usize) -> Option<u8x16> {
    text.get(at..)?.first_chunk::<BLOCK>().map(|bytes| u8x16::from(*bytes))
}

/// All bytes of a block are this one.
#[inline(always)]
pub(crate) const fn all(byte: u8) -> u8x16 {
    u8x16::splat(byte)
}

/// Those that are this byte.
#[inline(always)]
pub(crate) fn same(block: u8x16, byte: u8) -> u8x16 {
    block.simd_eq(all(byte))
}

/// Those that end a run of plain characters in a string: a quote, a backslash, a control character.
#[inline(always)]
pub(crate) fn ends_of_plain(block: u8x16) -> u32 {
    let control = block.min(all(b' ' - 1)).simd_eq(block);
    (same(block, b'"') | same(block, b'\\') | control).to_bitmask()
}

/// Those that are no decimal digits.
#[inline(always)]
pub(crate) fn non_digits(block: u8x16) -> u32 {
    let digit = block - all(b'0');
    digit.max(all(10)).simd_eq(digit).to_bitmask()
}

/// Whether any is beyond ASCII.
#[inline(always)]
pub(crate) fn beyond_ascii(block: u8x16) -> bool {
    block.to_bitmask() != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn each_byte_is_judged_by_itself(bytes: [u8; BLOCK], near in any::<[bool; BLOCK]>()) {
            // Half of the bytes are such as stand in texts.
            let at = |place: usize| if near[place] { b"0189/:\"\\ !\x1f\x7f\x80"[usize::from(bytes[place]) % 13] } else { bytes[place] };
            let bytes: [u8; BLOCK] = std::array::from_fn(at);
            let block = block(&bytes, 0).unwrap();
            for (marks, is) in [
                (ends_of_plain(block), (|byte| byte < b' ' || byte == b'"' || byte == b'\\') as fn(u8) -> bool),
                (non_digits(block), |byte| !byte.is_ascii_digit()),
                (same(block, b'"').to_bitmask(), |byte| byte == b'"'),
            ] {
                let plain = (0..).zip(bytes).fold(0_u32, |marks, (place, byte)| marks | u32::from(is(byte)) << place);
                prop_assert_eq!(marks, plain);
            }
            prop_assert_eq!(beyond_ascii(block), !bytes.is_ascii());
        }
    }

    #[test]
    fn there_is_a_block_as_long_as_sixteen_bytes_are_left() {
        let text = *b"0123456789abcdefg";
        assert_eq!([0, 1, 2, 17, 18].map(|at| block(&text, at).is_some()), [true, true, false, false, false]);
    }
}
