//! The same with the instructions of AVX-512, where the processor has them: a stride is one register, one instruction looks all its
//! bytes up in a table, and one closes all its gaps (`VPERMI2B` and `VPCOMPRESSB`, in processors since 2019).

use std::arch::x86_64::{
    _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set1_epi8, _mm512_maskz_compress_epi8,
    _mm512_maskz_permutex2var_epi8, _mm512_movepi8_mask, _mm512_set1_epi8, _mm512_test_epi8_mask,
};

use fearless_simd::prelude::SimdFrom;
use fearless_simd::{kernel, u8x64};

use super::{ENDS, Quoted, STRIDE};
use crate::json::is_white;

/// What a byte is, a bit each.
const WHITE: u8 = 1;
const QUOTE: u8 = 2;
const BACKSLASH: u8 = 4;
/// Of a number or a literal, or beyond ASCII.
const VALUE: u8 = 8;

/// What each byte of ASCII is.
const KINDS: [[u8; STRIDE]; 2] = {
    let (mut kinds, mut at) = ([[0; STRIDE]; 2], 0);
    while at < 2 * STRIDE {
        let mut kind = if ENDS[at] { 0 } else { VALUE };
        if is_white(at as u8) {
            kind |= WHITE;
        } else if at as u8 == b'"' {
            kind |= QUOTE;
        } else if at as u8 == b'\\' {
            kind |= BACKSLASH;
        }
        kinds[at / STRIDE][at % STRIDE] = kind;
        at += 1;
    }
    kinds
};

kernel!(
    /// As [`super::squeeze_portably`].
    pub(super) fn squeeze(simd: Avx512, text: &[u8], out: &mut [u8]) -> Option<usize> {
        let [low, high] = KINDS.map(|kinds| u8x64::simd_from(simd, kinds).into());
        let (mut length, mut quoted) = (0, Quoted::default());
        // Whether the last byte was of a value, or white space behind such a one.
        let (mut value_before, mut white_before) = (0, false);
        for chunk in text.chunks(STRIDE) {
            let stride = chunk.first_chunk().copied().unwrap_or_else(|| {
                let mut last = [b' '; STRIDE];
                last[..chunk.len()].copy_from_slice(chunk);
                last
            });
            let stride = u8x64::simd_from(simd, stride).into();

            let beyond_ascii = _mm512_movepi8_mask(stride);
            let kinds = _mm512_maskz_permutex2var_epi8(!beyond_ascii, low, stride, high);
            let are = |kind: u8| _mm512_test_epi8_mask(kinds, _mm512_set1_epi8(kind.cast_signed()));
            let (mut quotes, backslashes) = (are(QUOTE), are(BACKSLASH));
            if backslashes != 0 || quoted.escaped {
                quotes &= !quoted.escapes(backslashes);
            }
            // Without carries, times all bits.
            let odd = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(quotes.cast_signed()), _mm_set1_epi8(-1));
            let white = are(WHITE) & !quoted.next(_mm_cvtsi128_si64(odd).cast_unsigned());

            // A carry runs from each value through the white space behind it, to what follows that.
            let values = are(VALUE) | beyond_ascii;
            let begin = white & (values << 1 | value_before);
            let (behind, carry) = white.carrying_add(begin, white_before);
            if behind & values & !white != 0 {
                return None;
            }
            (value_before, white_before) = (values >> (STRIDE - 1), carry);

            let kept = u8x64::simd_from(simd, _mm512_maskz_compress_epi8(!white, stride));
            *out.get_mut(length..)?.first_chunk_mut()? = kept.into();
            length += (!white).count_ones() as usize;
        }
        (quoted.inside == 0).then_some(length)
    }
);
