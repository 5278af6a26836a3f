//! How often passwords may be tried: so many times from one place within a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use delivery::clock::Timestamp;

/// How many tries one place has within [`WINDOW`]; one that succeeds gives them back.
pub(super) const MAX_TRIES: u32 = 10;

/// See [`MAX_TRIES`].
pub(super) const WINDOW: Duration = Duration::from_secs(300);

/// How many places are remembered; the one that began first is forgotten for another.
pub(super) const MAX_PLACES: usize = 4_096;

/// Tries by place.
#[derive(Debug, Default)]
pub(super) struct Limiter(HashMap<IpAddr, (u32, Timestamp)>);

impl Limiter {
    /// Counts a try, or says in how many seconds there can be one.
    pub(super) fn take(&mut self, from: IpAddr, now: Timestamp) -> Result<(), u32> {
        let place = place(from);
        self.0.retain(|_, (_, since)| now.since(*since) < WINDOW);
        if self.0.len() >= MAX_PLACES && !self.0.contains_key(&place) {
            let oldest = self.0.iter().min_by_key(|(_, (_, since))| *since).map(|(place, _)| *place);
            self.0.retain(|place, _| Some(*place) != oldest);
        }
        let (tries, since) = self.0.entry(place).or_insert((0, now));
        if *tries >= MAX_TRIES {
            let left = WINDOW.saturating_sub(now.since(*since));
            return Err(u32::try_from(left.as_secs() + 1).unwrap_or(u32::MAX));
        }
        *tries += 1;
        Ok(())
    }

    pub(super) fn forget(&mut self, from: IpAddr) {
        self.0.remove(&place(from));
    }
}

/// Whoever has one IPv6 address has the 2^64 beside it.
fn place(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}
