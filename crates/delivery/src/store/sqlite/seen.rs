//! Where an accept that came before may be found: one Bloom filter for each range of messages.
//!
//! Nearly every accept is new, and this says so without a look into the file, where its digest would lie anywhere. What it
//! says of ones that came before is always right, of new ones about once in a thousand wrong for a full range.

use std::collections::BTreeMap;

use super::rows::int;

/// How many messages a filter is for, as a power of two.
const RANGE: u32 = 16;

/// The bits of a filter, as a power of two: 16 a message, 128 KiB.
const BITS: u32 = 20;

/// How many bits each digest sets.
const HASHES: u32 = 6;

/// How many filters there are at most; accepts before the newest 67 million are not known again, so that memory has a bound.
pub(super) const MAX_RANGES: usize = 1024;

/// The filters, by the numbers of their ranges.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ranges: BTreeMap<i64, Box<[u64]>>,
}

/// Which words and which bits of them a digest sets. It is evenly spread itself: two halves of its begin make all.
fn places(digest: &[u8]) -> impl Iterator<Item = (usize, u64)> + use<> {
    let half = |at: usize| {
        let bytes = digest.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    };
    let (first, step) = (half(0), half(4) | 1);
    (0..HASHES).map(move |hash| {
        let bit = first.wrapping_add(hash.wrapping_mul(step)) >> (32 - BITS);
        ((bit / 64) as usize, 1 << (bit % 64))
    })
}

impl Seen {
    pub(super) fn add(&mut self, seq: i64, digest: &[u8]) {
        let filter = self.ranges.entry(seq >> RANGE).or_insert_with(|| vec![0; 1 << (BITS - 6)].into());
        for (word, bit) in places(digest) {
            filter[word] |= bit;
        }
        if self.ranges.len() > MAX_RANGES {
            self.ranges.pop_first();
        }
    }

    /// The ranges of messages in one of which an accept with this digest may have been, newest first.
    pub(super) fn ranges(&self, digest: &[u8]) -> impl Iterator<Item = std::ops::Range<i64>> {
        let may = |filter: &[u64]| places(digest).all(|(word, bit)| filter[word] & bit != 0);
        let found = self.ranges.iter().rev().filter(move |(_, filter)| may(filter));
        found.map(|(range, _)| (range << RANGE)..((range + 1) << RANGE))
    }

    /// All that was accepted before this message is forgotten.
    pub(super) fn forget_before(&mut self, seq: i64) {
        self.ranges = self.ranges.split_off(&(seq >> RANGE));
    }
}

/// Where digests are ordered among so many messages (`places.sql`), the numbers of such parts of a range.
pub(super) fn parts(range: &std::ops::Range<i64>) -> impl Iterator<Item = i64> + use<> {
    ((range.start >> PART)..(range.end >> PART)).rev()
}

/// Messages of one part, as a power of two.
const PART: u32 = 12;

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

    #[test]
    fn what_was_added_is_found_and_little_else() {
        const FULL: usize = 1 << RANGE;
        let mut seen = Seen::default();
        for (seq, digest) in (0..).zip(digests(1)).take(3 * FULL) {
            seen.add(seq, &digest);
        }
        for (seq, digest) in (0..).zip(digests(1)).take(3 * FULL).step_by(101) {
            assert!(seen.ranges(&digest).any(|range| range.contains(&seq)), "{seq}");
        }
        let wrong: usize = digests(2).take(100_000).map(|digest| seen.ranges(&digest).count()).sum();
        assert!(wrong < 600, "{wrong} of 300,000 looks");
        seen.forget_before(int(FULL as u64) + 1);
        let first = digests(1).next().unwrap();
        assert!(seen.ranges(&first).all(|range| range.start >= int(FULL as u64)));
    }

    #[test]
    fn so_many_ranges_are_known_and_the_oldest_go() {
        let (mut seen, digest) = (Seen::default(), [7; 32]);
        for range in 0..=int(MAX_RANGES as u64) {
            seen.add(range << RANGE, &digest);
        }
        let oldest = seen.ranges(&digest).last().unwrap();
        assert_eq!((seen.ranges(&digest).count(), oldest.start), (MAX_RANGES, 1 << RANGE));
        assert_eq!(oldest_known(int(MAX_RANGES as u64) << RANGE), 1 << RANGE);
        assert_eq!(parts(&(0..1 << RANGE)).collect::<Vec<_>>(), (0..16).rev().collect::<Vec<_>>());
    }
}
