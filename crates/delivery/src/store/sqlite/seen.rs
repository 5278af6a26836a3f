//! Where an accept that came before may be found: one Bloom filter for each range of messages, and a small one for each part of it.
//!
//! Nearly every accept is new, and this says so without a look into the file, where its digest would lie anywhere. What it
//! says of ones that came before is always right, of new ones about once in a thousand wrong for a full range.

use std::collections::BTreeMap;

use super::rows::int;

/// How many messages a filter is for, as a power of two.
const RANGE: u32 = 16;

/// The bits of a filter, as a power of two: 16 a message, 128 KiB.
const BITS: u32 = 20;

/// Among how many messages, as a power of two, digests are ordered (`known.sql`): a part.
pub(super) const PART: u32 = 9;

/// The bits of a part's filter, as a power of two: 8 a message, so that of 128 parts of a range two or three are looked at in
/// vain.
const PART_BITS: u32 = PART + 3;

/// How many bits each digest sets, in both.
const HASHES: u32 = 6;

/// How many ranges there are at most, of 192 KiB each; accepts before the newest 67 million are not known again, so that memory has
/// a bound.
pub(super) const MAX_RANGES: usize = 1024;

/// The filters, by the numbers of their ranges.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ranges: BTreeMap<i64, Range>,
}

/// The filters of a range.
#[derive(Debug)]
struct Range {
    all: Box<[u64]>,
    /// Those of its parts, one behind the other.
    parts: Box<[u64]>,
}

/// What is asked for: a digest is evenly spread itself, so that its begin says all.
#[derive(Clone, Copy)]
struct Marks(u64);

impl Marks {
    fn of(digest: &[u8]) -> Self {
        Self(digest.first_chunk().map_or(0, |begin| u64::from_le_bytes(*begin)))
    }

    /// The same for parts: what is in one filter by chance must not be in the other for that.
    const fn for_parts(self) -> Self {
        Self(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32))
    }

    /// Which words of a filter with so many bits, and which bits of them.
    fn places(self, bits: u32) -> impl Iterator<Item = (usize, u64)> {
        let (first, step) = (self.0 as u32, (self.0 >> 32) as u32 | 1);
        (0..HASHES).map(move |hash| {
            let bit = first.wrapping_add(hash.wrapping_mul(step)) >> (32 - bits);
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    fn are_in(self, filter: &[u64], bits: u32) -> bool {
        self.places(bits).all(|(word, bit)| filter[word] & bit != 0)
    }

    fn put_into(self, filter: &mut [u64], bits: u32) {
        for (word, bit) in self.places(bits) {
            filter[word] |= bit;
        }
    }
}

/// How many words the filter of a part has.
const PART_WORDS: usize = 1 << (PART_BITS - 6);

/// How many parts a range has.
const PARTS: usize = 1 << (RANGE - PART);

impl Range {
    fn new() -> Self {
        Self { all: vec![0; 1 << (BITS - 6)].into(), parts: vec![0; PARTS * PART_WORDS].into() }
    }
}

impl Seen {
    pub(super) fn add(&mut self, seq: i64, digest: &[u8]) {
        let range = self.ranges.entry(seq >> RANGE).or_insert_with(Range::new);
        let marks = Marks::of(digest);
        marks.put_into(&mut range.all, BITS);
        let part = (seq >> PART) as usize % PARTS * PART_WORDS;
        marks.for_parts().put_into(&mut range.parts[part..part + PART_WORDS], PART_BITS);
        if self.ranges.len() > MAX_RANGES {
            self.ranges.pop_first();
        }
    }

    /// The parts in one of which an accept with this digest may have been, newest first: the numbers of their messages,
    /// without the bits of [`PART`].
    pub(super) fn parts(&self, digest: &[u8]) -> impl Iterator<Item = i64> {
        let marks = Marks::of(digest);
        let found = self.ranges.iter().rev().filter(move |(_, range)| marks.are_in(&range.all, BITS));
        found.flat_map(move |(number, range)| {
            let parts = range.parts.chunks_exact(PART_WORDS).enumerate().rev();
            let found = parts.filter(move |(_, filter)| marks.for_parts().are_in(filter, PART_BITS));
            found.map(move |(part, _)| (number << (RANGE - PART)) + int(part as u64))
        })
    }

    /// All that was accepted before this message is forgotten.
    pub(super) fn forget_before(&mut self, seq: i64) {
        self.ranges = self.ranges.split_off(&(seq >> RANGE));
    }
}

/// The oldest message that is still known, where nothing is known of what was before.
pub(super) fn oldest_known(newest: i64) -> i64 {
    let ranges = int(MAX_RANGES as u64) - 1;
    ((newest >> RANGE) - ranges).max(0) << RANGE
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn digests(seed: u64) -> impl Iterator<Item = [u8; 32]> {
        let mut dice = Rng::with_seed(seed);
        std::iter::from_fn(move || {
            let mut digest = [0; 32];
            dice.fill(&mut digest);
            Some(digest)
        })
    }

    const FULL: usize = 1 << RANGE;

    #[test]
    fn what_was_added_is_found_and_little_else() {
        let mut seen = Seen::default();
        for (seq, digest) in (0..).zip(digests(1)).take(3 * FULL) {
            seen.add(seq, &digest);
        }
        let mut parts = 0;
        for (seq, digest) in (0..).zip(digests(1)).take(3 * FULL).step_by(101) {
            assert!(seen.parts(&digest).any(|part| part == seq >> PART), "{seq}");
            parts += seen.parts(&digest).count();
        }
        let looked_at = 3 * FULL / 101;
        assert!(parts < 5 * looked_at, "{parts} parts for {looked_at} that are there");
        let wrong: usize = digests(2).take(100_000).map(|digest| seen.parts(&digest).count()).sum();
        assert!(wrong < 5 * 300, "{wrong} parts of 300,000 ranges");
        seen.forget_before(int(FULL as u64) + 1);
        let first = digests(1).next().unwrap();
        assert!(seen.parts(&first).all(|part| part >= int(PARTS as u64)));
    }

    #[test]
    fn so_many_ranges_are_known_and_the_oldest_go() {
        let (mut seen, digest) = (Seen::default(), [7; 32]);
        for range in 0..=int(MAX_RANGES as u64) {
            seen.add(range << RANGE, &digest);
        }
        let oldest = seen.parts(&digest).last().unwrap();
        assert_eq!((seen.parts(&digest).count(), oldest), (MAX_RANGES, int(PARTS as u64)));
        assert_eq!(oldest_known(int(MAX_RANGES as u64) << RANGE), 1 << RANGE);
    }
}
