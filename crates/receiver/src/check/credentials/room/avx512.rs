//! The same with the instructions of AVX-512, where the processor has them: 64 characters are one register, one instruction looks
//! all of them up in a table, two put their bits together and one their bytes (`VPERMI2B`, `VPMADDUBSW`, `VPMADDWD` and `VPERMB`,
//! in processors since 2019).

use std::arch::x86_64::{
    _mm512_cmpgt_epu8_mask, _mm512_madd_epi16, _mm512_maddubs_epi16, _mm512_maskz_permutexvar_epi8,
    _mm512_movepi8_mask, _mm512_or_si512, _mm512_permutex2var_epi8, _mm512_set_epi64, _mm512_set1_epi8,
    _mm512_set1_epi32, _mm512_sub_epi8, _mm512_test_epi8_mask,
};

use fearless_simd::prelude::SimdFrom;
use fearless_simd::{kernel, u8x64};

use super::{ALPHABET, Bytes, USUAL};

/// How many characters are decoded in one step, and the bytes that they are.
const STEP: usize = 64;
const STEP_BYTES: usize = STEP / 4 * 3;

/// A step puts a whole register down.
const _: () = assert!(USUAL.is_multiple_of(STEP_BYTES) && super::ROOM >= USUAL - STEP_BYTES + STEP);

/// How many characters are read together.
const WORD: usize = 8;

/// What stands for no bits.
const FILLING: u64 = u64::from_le_bytes([b'A'; WORD]);

/// What stands for no character of the alphabet. Those beyond ASCII have this bit themselves.
const NONE: u8 = 0x80;

/// The value of each character of ASCII.
const VALUES: [[u8; STEP]; 2] = {
    let (mut values, mut value) = ([[NONE; STEP]; 2], 0);
    while value < ALPHABET.len() {
        let character = ALPHABET[value] as usize;
        values[character / STEP][character % STEP] = value as u8;
        value += 1;
    }
    values
};

/// Where the bytes of a step lie, when each four of a register hold a group as a number.
const PLACES: [u8; STEP] = {
    let (mut places, mut at) = ([0; STEP], 0);
    while at < STEP_BYTES {
        places[at] = (at / 3 * 4 + 2 - at % 3) as u8;
        at += 1;
    }
    places
};

/// The characters of a step eight by eight, filled up with what stands for no bits. Put together here and not in memory: a
/// register cannot be read there before all that was written in pieces is.
#[inline(always)]
fn words(characters: &[u8]) -> [i64; STEP / WORD] {
    let (whole, rest) = characters.as_chunks::<WORD>();
    let last = match characters.last_chunk::<WORD>() {
        Some(&last) => u64::from_le_bytes(last).checked_shr(8 * (WORD - rest.len()) as u32).unwrap_or(0),
        None => rest.iter().rfold(0, |word, &character| word << 8 | u64::from(character)),
    };
    let last = last | FILLING << (8 * rest.len());
    let word = |at| match whole.get(at) {
        Some(&word) => u64::from_le_bytes(word),
        None if at == whole.len() => last,
        None => FILLING,
    };
    std::array::from_fn(|at| word(at).cast_signed())
}

kernel!(
    /// As [`super::decode_portably`].
    pub(super) fn decode(
        simd: Avx512,
        characters: &[u8],
        length: usize,
        room: &mut [u8; super::ROOM],
    ) -> Option<Bytes> {
        let [low, high] = VALUES.map(|values| u8x64::simd_from(simd, values).into());
        let places = u8x64::simd_from(simd, PLACES).into();
        let (mut wrong, mut odd) = (0, 0);
        for (at, characters) in (0..).step_by(STEP_BYTES).zip(characters.chunks(STEP)) {
            let [a, b, c, d, e, f, g, h] = words(characters);
            let step = _mm512_set_epi64(h, g, f, e, d, c, b, a);
            let values = _mm512_permutex2var_epi8(low, step, high);
            wrong |= _mm512_movepi8_mask(_mm512_or_si512(values, step));

            // Twelve bits of two characters, then 24 of four.
            let pairs = _mm512_maddubs_epi16(values, _mm512_set1_epi32(0x0140_0140));
            let groups = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x0001_1000));
            let bytes = _mm512_maskz_permutexvar_epi8((1 << STEP_BYTES) - 1, places, groups);
            let put: u8x64<_> = u8x64::simd_from(simd, bytes);
            *room.get_mut(at..)?.first_chunk_mut()? = put.into();

            // Bits that belong to no byte are wrong.
            let behind = u64::MAX << (length - at).min(STEP_BYTES);
            wrong |= _mm512_test_epi8_mask(bytes, bytes) & behind;
            let from_space = _mm512_sub_epi8(bytes, _mm512_set1_epi8(b' '.cast_signed()));
            let visible = _mm512_set1_epi8((b'~' - b' ').cast_signed());
            odd |= _mm512_cmpgt_epu8_mask(from_space, visible) & !behind;
        }
        (wrong == 0).then_some(if odd == 0 { Bytes::Plain } else { Bytes::Any })
    }
);
