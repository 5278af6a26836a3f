//! Where decisions come from: a seed, or the bytes that a fuzzer gives.

use std::ops::Range;

use fastrand::Rng;

pub(super) enum Dice {
    Seeded(Rng),
    /// Taken from the end; when there is nothing left, everything is the least that it can be.
    Given(Vec<u8>),
}

impl Dice {
    pub(super) fn u64(&mut self, range: Range<u64>) -> u64 {
        match self {
            Self::Seeded(rng) => rng.u64(range),
            Self::Given(bytes) => {
                let width = range.end - range.start;
                // As many bytes as the range is wide.
                let mut taken = 0;
                let mut left = width.saturating_sub(1);
                while left > 0 {
                    taken = taken << 8 | u64::from(bytes.pop().unwrap_or(0));
                    left >>= 8;
                }
                range.start + taken % width
            }
        }
    }

    pub(super) fn usize(&mut self, range: Range<usize>) -> usize {
        match self {
            Self::Seeded(rng) => rng.usize(range),
            Self::Given(_) => usize::try_from(self.u64(range.start as u64..range.end as u64)).unwrap(),
        }
    }

    pub(super) fn u32(&mut self, range: Range<u32>) -> u32 {
        match self {
            Self::Seeded(rng) => rng.u32(range),
            Self::Given(_) => u32::try_from(self.u64(range.start.into()..range.end.into())).unwrap(),
        }
    }

    pub(super) fn u8(&mut self, range: Range<u8>) -> u8 {
        match self {
            Self::Seeded(rng) => rng.u8(range),
            Self::Given(_) => u8::try_from(self.u64(range.start.into()..range.end.into())).unwrap(),
        }
    }

    pub(super) fn bool(&mut self) -> bool {
        match self {
            Self::Seeded(rng) => rng.bool(),
            Self::Given(_) => self.u64(0..2) == 1,
        }
    }

    pub(super) fn f64(&mut self) -> f64 {
        match self {
            Self::Seeded(rng) => rng.f64(),
            Self::Given(_) => f64::from(self.u8(0..255)) / 254.0,
        }
    }
}
