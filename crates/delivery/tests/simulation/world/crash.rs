//! The process is killed, and starts again.

use std::cmp::Reverse;
use std::time::Duration;

use delivery::clock::Timestamp;

use super::World;

impl World {
    pub(super) fn crash(&mut self) {
        self.note("crashes");
        self.life += 1;
        self.requests.clear();
        self.committing = false;
        self.store.restart();
        self.jump();
        self.open();
    }

    /// While nothing ran the clock was set forward, or much time passed: to the process that starts it is the same.
    fn jump(&mut self) {
        let hours = [0, 0, 1, 10 * 365 * 24][self.rng.usize(0..4)];
        if hours == 0 {
            return;
        }
        self.note("jumps of the clock");
        let later = |at: Timestamp| at.after(Duration::from_secs(hours * 3600));
        (self.now, self.end) = (later(self.now), later(self.end));
        let events = std::mem::take(&mut self.events).into_iter();
        self.events = events.map(|Reverse((at, order, event))| Reverse((later(at), order, event))).collect();
    }
}
