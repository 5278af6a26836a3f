//! Receivers: how they answer, and what an answer leads to.

use std::time::{Duration, UNIX_EPOCH};

use delivery::outcome::{Answer, Outcome, Phase, RetryAfter, Unreachable};
use delivery::retry::Die;
use delivery::store::{DeliveryId, LaneId};

use super::World;

/// How a receiver answers now: one of these statuses; 0 does not answer for long, 1 refuses, 2 resets, 3 is unsent.
pub(super) type Mood = &'static [u16];

pub(super) const MOODS: &[Mood] = &[
    &[200],
    &[200],
    &[200, 204, 500],
    &[500],
    &[503, 429],
    &[400, 200],
    &[1],
    &[0, 200],
    &[2, 301, 599],
    &[410, 200],
    &[3, 200],
];

/// A time-out of a receiver that does not answer, in milliseconds.
pub(super) const HANG: u64 = 15_000;

impl World {
    pub(super) fn attempt_ends(&mut self, life: u32, lane: LaneId, id: DeliveryId, status: u16) {
        let index = self.index(lane);
        if (200..300).contains(&status) {
            // Whoever hears of it: the receiver has it.
            self.received.insert((lane, id));
        }
        if life != self.life {
            return;
        }
        self.lanes[index].in_flight.remove(&id);
        let retry_after = (status == 429).then_some(RetryAfter::Seconds(2));
        if matches!(status, 429 | 503) {
            self.note("throttled");
            let pause = Duration::from_secs(if status == 429 { 2 } else { 1 });
            let until = self.now.after(pause);
            self.lanes[index].throttled_until = self.lanes[index].throttled_until.max(until);
        }
        let outcome = match status {
            0 => Outcome::TimedOut(Phase::ResponseHead),
            1 => Outcome::Unreachable(Unreachable::Refused(([127, 0, 0, 1], 1).into())),
            2 => Outcome::Broken { phase: Phase::Request, reason: String::new() },
            3 => Outcome::Unsent,
            code => {
                Outcome::Answered(Answer { status: http::StatusCode::from_u16(code).unwrap(), retry_after })
            }
        };
        let die = Die::new(self.rng.f64());
        let now = self.now;
        let finished =
            self.schedule.finished(lane, id, &outcome, now, UNIX_EPOCH, die).expect("it is under way");
        if finished.disabled {
            self.lanes[index].gate_closed = true;
            self.note("disabled");
        }
        if let Some(disposal) = finished.disposal {
            self.finish(lane, id, finished.attempt, disposal);
        }
    }
}
