//! Where credentials are decoded into, without an allocation for such as are usual.
//!
//! Decoding here takes canonical base64 only and says nothing about the rest: what it does not take, the crate decides.

#[cfg(target_arch = "x86_64")]
mod avx512;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine};

/// How many characters are decoded in one step, and the bytes that they are.
const STEP: usize = 8;
const STEP_BYTES: usize = 6;

/// How many steps the usual ones take at most, and the bytes that they are.
const STEPS: usize = 32;
const USUAL: usize = STEPS * STEP_BYTES;

/// How many bytes are looked at together to see whether they are UTF-8.
const BLOCK: usize = 16;

/// A step puts more down than it has, of which the next step puts others over the last bytes.
const ROOM: usize = USUAL + BLOCK;

/// Memory for one reading of credentials. It is not printed, because it holds a password.
// Aligned, so that whole blocks are looked at from the beginning.
#[repr(align(16))]
pub struct Room {
    usual: [u8; ROOM],
    long: Vec<u8>,
}

impl Default for Room {
    #[inline]
    fn default() -> Self {
        Self { usual: [0; ROOM], long: Vec::new() }
    }
}

/// What a token encodes.
#[derive(Clone, Copy)]
pub(super) enum Decoded<'r> {
    /// Visible ASCII and spaces.
    Plain(&'r str),
    /// Bytes, which may be anything.
    Any(&'r [u8]),
}

impl Room {
    /// What `token` encodes, padding and all.
    #[inline]
    pub(super) fn decode(&mut self, token: &[u8]) -> Result<Decoded<'_>, DecodeError> {
        match decode(token, &mut self.usual) {
            Some((length, Bytes::Plain)) => Ok(self.plain(length)),
            Some((length, Bytes::Any)) => Ok(Decoded::Any(&self.usual[..length])),
            None => self.decode_odd(token),
        }
    }

    /// The first bytes as text. That ASCII is UTF-8 is known; only the compiler wants it to be found out once more, which goes
    /// quickly by whole blocks. An earlier reading may have left anything behind the text.
    #[inline]
    fn plain(&self, length: usize) -> Decoded<'_> {
        let blocks = std::str::from_utf8(&self.usual[..length.next_multiple_of(BLOCK)]);
        let text = blocks.ok().and_then(|blocks| blocks.get(..length));
        text.map_or(Decoded::Any(&self.usual[..length]), Decoded::Plain)
    }

    /// What is longer, or wrong.
    #[cold]
    fn decode_odd(&mut self, token: &[u8]) -> Result<Decoded<'_>, DecodeError> {
        self.long.clear();
        STANDARD.decode_vec(token, &mut self.long)?;
        Ok(Decoded::Any(&self.long))
    }
}

/// The characters of base64, by their values (RFC 4648, section 4).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What stands for no character of the alphabet: a bit beyond the three bytes of a group.
const NONE: u32 = 0x8000_0000;

/// The bits of a character at each of the four places of a group, where they lie in its three bytes when
/// those are taken as a number, the first byte lowest.
const BITS: [[u32; 256]; 4] = {
    let mut bits = [[NONE; 256]; 4];
    let mut value = 0;
    while value < ALPHABET.len() {
        let mut place = 0;
        while place < 4 {
            let group = (value as u32) << (18 - 6 * place);
            bits[place][ALPHABET[value] as usize] = group.swap_bytes() >> 8;
            place += 1;
        }
        value += 1;
    }
    bits
};

/// The three bytes of four characters as a number.
#[inline(always)]
fn group(a: u8, b: u8, c: u8, d: u8) -> u32 {
    let [first, second, third, fourth] = &BITS;
    first[usize::from(a)] | second[usize::from(b)] | third[usize::from(c)] | fourth[usize::from(d)]
}

/// The bytes of a step as a number, if all its characters are of the alphabet, of which `seen` tells.
#[inline(always)]
fn step(&[a, b, c, d, e, f, g, h]: &[u8; STEP], seen: &mut u32) -> u64 {
    let (low, high) = (group(a, b, c, d), group(e, f, g, h));
    *seen |= low | high;
    u64::from(low) | u64::from(high) << 24
}

/// Each byte of a step as one.
const ONES: u64 = 0x0101_0101_0101;

/// Marks bytes that are neither visible ASCII nor spaces by their highest bit; above one of those, also others. The bits below
/// mean nothing.
#[inline(always)]
const fn odd(word: u64) -> u64 {
    word.wrapping_sub(ONES * b' ' as u64) | word.wrapping_add(ONES) | word
}

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bytes {
    /// Visible ASCII and spaces.
    Plain,
    /// Not looked at any closer.
    Any,
}

/// The characters of a token that there is room for, without its padding, and how many bytes they encode.
#[inline]
fn shape(token: &[u8]) -> Option<(&[u8], usize)> {
    if token.is_empty() || !token.len().is_multiple_of(4) || token.len() > STEPS * STEP {
        return None;
    }
    let padding = match token {
        [.., b'=', b'='] => 2,
        [.., b'='] => 1,
        _ => 0,
    };
    let length = token.len() / 4 * 3 - padding;
    Some((&token[..token.len() - padding], length))
}

/// Decodes a token that is canonical and no longer than there is room for; gives how many bytes it encodes, and of what kind.
#[inline]
fn decode(token: &[u8], room: &mut [u8; ROOM]) -> Option<(usize, Bytes)> {
    let (characters, length) = shape(token)?;
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = fearless_simd::Level::new().as_avx512() {
        return Some((length, avx512::decode(simd, characters, length, room)?));
    }
    Some((length, decode_portably(characters, length, room)?))
}

/// The same by what every processor has: so many characters, which encode so many bytes.
#[inline]
fn decode_portably(characters: &[u8], length: usize, room: &mut [u8; ROOM]) -> Option<Bytes> {
    let (steps, rest) = characters.as_chunks::<STEP>();
    let (mut at, mut seen, mut odds) = (0, 0, 0);
    for characters in steps {
        let word = step(characters, &mut seen);
        *room.get_mut(at..)?.first_chunk_mut()? = word.to_le_bytes();
        (at, odds) = (at + STEP_BYTES, odds | odd(word));
    }
    // The rest is filled up with what stands for no bits.
    let mut characters = [b'A'; STEP];
    for (place, character) in characters.iter_mut().zip(rest) {
        *place = *character;
    }
    let word = step(&characters, &mut seen);
    *room.get_mut(at..)?.first_chunk_mut()? = word.to_le_bytes();
    let behind = 8 * (length - at);
    // A character beyond the alphabet, or bits that belong to no byte.
    if seen & NONE != 0 || word >> behind != 0 {
        return None;
    }
    let blanks = u64::from_le_bytes([b' '; 8]) << behind;
    let plain = (odds | odd(word | blanks)) & (ONES << 7) == 0;
    Some(if plain { Bytes::Plain } else { Bytes::Any })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};
    use proptest::sample::Index;

    use super::*;

    fn bytes_of(decoded: Decoded<'_>) -> Vec<u8> {
        match decoded {
            Decoded::Plain(text) => text.as_bytes().to_vec(),
            Decoded::Any(bytes) => bytes.to_vec(),
        }
    }

    /// As many as are usual, and more; most often such as are plain.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            vec(b' '..=b'~', 1..2 * USUAL),
            vec(b'\x1f'..=b'\x7f', 1..64),
            vec(any::<u8>(), 1..2 * USUAL)
        ]
    }

    proptest! {
        #[test]
        fn any_token_is_decoded_as_the_crate_decodes_it(token in "[A-Za-z0-9+/]{0,24}[AQgw=+\\-é]{0,4}") {
            let (mut room, token) = (Room::default(), token.as_bytes());
            prop_assert_eq!(room.decode(token).map(bytes_of), STANDARD.decode(token));
        }

        /// Where the processor has one way only, both are the same.
        #[test]
        fn both_ways_decode_alike(
            token in "[A-Za-z0-9+/]{0,254}[AQgw=]{0,2}",
            odd in proptest::option::of((any::<Index>(), any::<u8>())),
        ) {
            let mut rooms = [Room::default(), Room::default()];
            let mut token = token.into_bytes();
            token.truncate(token.len() / 4 * 4);
            if let (Some((at, byte)), false) = (odd, token.is_empty()) {
                *at.get_mut(&mut token) = byte;
            }
            let token = token.as_slice();
            let decoded = decode(token, &mut rooms[0].usual);
            let portably = shape(token).and_then(|(characters, length)| {
                Some((length, decode_portably(characters, length, &mut rooms[1].usual)?))
            });
            prop_assert_eq!(decoded, portably);
            let length = decoded.map_or(0, |(length, _)| length);
            prop_assert_eq!(&rooms[0].usual[..length], &rooms[1].usual[..length]);
        }

        #[test]
        fn what_is_encoded_is_decoded_in_place_if_it_is_usual(bytes in bytes()) {
            let (mut room, token) = (Room::default(), STANDARD.encode(&bytes));
            let usual = decode(token.as_bytes(), &mut room.usual);
            let plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
            let kind = if plain { Bytes::Plain } else { Bytes::Any };
            prop_assert_eq!(usual, (bytes.len() <= USUAL).then_some((bytes.len(), kind)));
            prop_assert_eq!(room.decode(token.as_bytes()).map(bytes_of), Ok(bytes));
        }
    }
}
