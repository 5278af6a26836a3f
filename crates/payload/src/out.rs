//! Where a typed event is written: bytes with room ahead, so that a piece is copied where it goes after one look at the room.

use crate::json;

/// How many bytes there is room for ahead when there was none: most events are not longer.
const ROOM: usize = 2048;

/// What is being appended to bytes.
pub(crate) struct Out<'b> {
    /// What is written, and the room.
    bytes: &'b mut Vec<u8>,
    /// Where the room begins.
    at: usize,
}

impl<'b> Out<'b> {
    /// Appends what `write` writes; gives what it gives.
    pub(crate) fn append<T>(bytes: &'b mut Vec<u8>, write: impl FnOnce(&mut Self) -> T) -> T {
        let mut out = Self { at: bytes.len(), bytes };
        out.make_room();
        let given = write(&mut out);
        out.bytes.truncate(out.at);
        given
    }

    /// How many bytes there are.
    pub(crate) fn length(&self) -> usize {
        self.at
    }

    /// Puts another byte in the place of one that is there.
    pub(crate) fn put(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.bytes.get_mut(at) {
            *place = byte;
        }
    }

    /// Appends the first bytes of a block, which is copied whole.
    #[inline(always)]
    pub(crate) fn head<const BLOCK: usize>(&mut self, block: &[u8; BLOCK], length: usize) {
        match self.bytes.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut) {
            Some(room) => {
                *room = *block;
                self.at += length;
            }
            None => self.in_new_room(|bytes| bytes.extend_from_slice(&block[..length])),
        }
    }

    #[inline(always)]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.head(&[byte], 1);
    }

    #[inline(always)]
    pub(crate) fn text(&mut self, text: &[u8]) {
        match self.bytes.get_mut(self.at..self.at + text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
                self.at += text.len();
            }
            None => self.in_new_room(|bytes| bytes.extend_from_slice(text)),
        }
    }

    /// Appends a JSON string, quotes included.
    pub(crate) fn string(&mut self, text: &str) {
        if text.is_empty() {
            return self.head(b"\"\"", 2);
        }
        match self.bytes.get_mut(self.at..self.at + text.len() + 2) {
            Some([first, room @ .., last]) if json::is_plain(text.as_bytes()) => {
                (*first, *last) = (b'"', b'"');
                room.copy_from_slice(text.as_bytes());
                self.at += text.len() + 2;
            }
            _ => self.in_new_room(|bytes| json::write_string(text, bytes)),
        }
    }

    /// Appends what has no room, or is rare and of no known length (a string with escapes), and makes room behind it.
    #[cold]
    fn in_new_room(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.truncate(self.at);
        append(self.bytes);
        self.at = self.bytes.len();
        self.make_room();
    }

    fn make_room(&mut self) {
        self.bytes.resize(self.at + ROOM, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Strategy, any, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    #[derive(Clone, Debug)]
    enum Piece {
        Head([u8; 32], usize),
        Byte(u8),
        Text(Vec<u8>),
        String(String),
    }

    fn piece() -> impl Strategy<Value = Piece> {
        prop_oneof![
            (any::<[u8; 32]>(), 0..=32_usize).prop_map(|(block, length)| Piece::Head(block, length)),
            any::<u8>().prop_map(Piece::Byte),
            vec(any::<u8>(), 0..1_500).prop_map(Piece::Text),
            "[a-z]{0,600}|[ -~\u{0}-\u{ff}]{0,20}".prop_map(Piece::String),
        ]
    }

    proptest! {
        #[test]
        fn pieces_stand_one_behind_the_other_as_in_a_plain_buffer(before in vec(any::<u8>(), 0..9), pieces in vec(piece(), 0..24)) {
            let (mut bytes, mut plain) = (before.clone(), before);
            Out::append(&mut bytes, |out| {
                for piece in &pieces {
                    match piece {
                        Piece::Head(block, length) => {
                            out.head(block, *length);
                            plain.extend_from_slice(&block[..*length]);
                        }
                        Piece::Byte(byte) => {
                            out.byte(*byte);
                            plain.push(*byte);
                        }
                        Piece::Text(text) => {
                            out.text(text);
                            plain.extend_from_slice(text);
                        }
                        Piece::String(text) => {
                            out.string(text);
                            serde_json::to_writer(&mut plain, text).unwrap();
                        }
                    }
                }
                assert_eq!(out.length(), plain.len());
            });
            prop_assert_eq!(bytes, plain);
        }
    }
}
