//! A schedule under way: lanes that are all at work, in which one attempt after the other ends well and a new delivery comes
//! for each. What the store would answer later is answered at once.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use delivery::clock::Timestamp;
use delivery::lane::{Arrived, Claimed, LaneSettings};
use delivery::outcome::{Answer, Outcome};
use delivery::retry::Die;
use delivery::schedule::{Action, Schedule};
use delivery::store::{DeliveryId, LaneId, LaneRecord, LaneState};

/// Lanes, which share the backlog.
const LANES: u64 = 20;

/// Attempts under way at once over all lanes: twice what their settings allow, so that they never wait for one another.
const ATTEMPTS: NonZeroUsize = NonZeroUsize::new(320).expect("320 is not 0");

/// What a lane holds of its backlog: twice what it may have under way, which it may always.
const HELD: u64 = 16;

/// The length of a body.
const BODY: u64 = 2000;

/// The schedule, and what it started.
pub(crate) struct Traffic {
    schedule: Schedule,
    actions: Vec<Action>,
    under_way: VecDeque<(LaneId, DeliveryId)>,
    claimed: Vec<Claimed>,
    /// Deliveries claimed so far. A number is given once over all lanes.
    last: u64,
    now: Timestamp,
    delivered: Outcome,
}

impl Traffic {
    /// All lanes at work, with so many deliveries in the store behind what they hold.
    pub(crate) fn new(waiting: u64) -> Self {
        let backlog = waiting / LANES + HELD;
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let mut schedule = Schedule::new(ATTEMPTS, u64::MAX);
        for id in (1..=LANES).map(LaneId) {
            let (name, state) = (id.to_string(), LaneState::default());
            let record = LaneRecord { id, name, state, backlog, oldest: Some(now) };
            schedule.set_lane(&record, LaneSettings::default(), now);
        }
        let delivered = Outcome::Answered(Answer { status: http::StatusCode::OK, retry_after: None });
        let (actions, under_way, claimed) = (Vec::new(), VecDeque::new(), Vec::new());
        let mut traffic = Self { schedule, actions, under_way, claimed, last: 0, now, delivered };
        traffic.go_on();
        traffic
    }

    /// An attempt ends, its delivery is settled and another comes; then whatever may start does.
    pub(crate) fn turn(&mut self) {
        let Some((lane, delivery)) = self.under_way.pop_front() else { return };
        self.now = self.now.after(Duration::from_micros(1));
        let (wall, die) = (SystemTime::UNIX_EPOCH, Die::new(0.5));
        self.schedule.finished(lane, delivery, &self.delivered, self.now, wall, die);
        self.schedule.closed(lane, delivery, true, None);
        let arrived = Arrived { added: 1, superseded: 0, claimed: &[], left: true };
        self.schedule.arrived(lane, arrived, self.now);
        self.go_on();
    }

    /// Steps until there is nothing to do but to wait.
    fn go_on(&mut self) {
        let (mut actions, mut again) = (std::mem::take(&mut self.actions), true);
        while std::mem::take(&mut again) {
            self.schedule.step_into(self.now, &mut actions);
            for action in actions.drain(..) {
                match action {
                    Action::Start(lane, delivery) => self.under_way.push_back((lane, delivery)),
                    Action::Claim(wanted) => {
                        self.claim(wanted.lane, wanted.limit);
                        again = true;
                    }
                    Action::Settle(..) | Action::Sweep(..) | Action::Lend(..) | Action::Save(..) => {}
                }
            }
        }
        self.actions = actions;
    }

    /// The store gives all that is asked for, and has more.
    fn claim(&mut self, lane: LaneId, limit: usize) {
        let (last, accepted) = (self.last, self.now);
        self.last += limit as u64;
        let heads = (last + 1..=self.last).map(DeliveryId);
        self.claimed.clear();
        self.claimed.extend(heads.map(|id| Claimed { id, attempts: 0, accepted, bytes: BODY }));
        self.schedule.took(lane, &self.claimed, Some(self.now), Some(self.now), 0);
    }

    /// How many attempts are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.len()
    }
}
