use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

use super::*;
use crate::lane::Pace;
use crate::outcome::{Answer, RetryAfter};

const LIMIT: usize = 6;
const CONCURRENCY: usize = 3;

/// What can happen to a schedule.
#[derive(Clone, Debug)]
enum Happening {
    Enqueue { lane: u64, key: u8 },
    Finish { which: usize, status: u16 },
    Wait { millis: u64 },
    Pause { lane: u64 },
    Resume { lane: u64 },
}

fn happening(statuses: &'static [u16]) -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..4_u64, 0..3_u8).prop_map(|(lane, key)| Happening::Enqueue { lane, key }),
        5 => (any::<usize>(), proptest::sample::select(statuses))
            .prop_map(|(which, status)| Happening::Finish { which, status }),
        3 => prop_oneof![Just(0), 1..5_000_u64, Just(60_000)].prop_map(|millis| Happening::Wait { millis }),
        1 => (0..4_u64).prop_map(|lane| Happening::Pause { lane }),
        1 => (0..4_u64).prop_map(|lane| Happening::Resume { lane }),
    ]
}

/// A schedule beside a plain model of what it should keep to.
struct World {
    schedule: Schedule,
    now: Timestamp,
    next: u64,
    keys: HashMap<DeliveryId, (LaneId, OrderKey)>,
    /// Not settled, per lane and key, in order.
    model: HashMap<(LaneId, OrderKey), VecDeque<DeliveryId>>,
    in_flight: Vec<(LaneId, DeliveryId)>,
    paused: [bool; 4],
    throttled: HashMap<LaneId, Timestamp>,
    settled: Vec<(DeliveryId, Settled)>,
}

impl World {
    fn new() -> Self {
        let mut schedule = Schedule::new(NonZeroUsize::new(LIMIT).unwrap());
        for lane in 0..4 {
            let concurrency = NonZeroUsize::new(CONCURRENCY).unwrap();
            let pace = (lane == 3).then(|| Pace::per_second(5).unwrap());
            schedule.set_lane(LaneId(lane), LaneSettings { concurrency, pace, ..LaneSettings::default() });
        }
        Self {
            schedule,
            now: Timestamp::from_micros(1_000_000_000),
            next: 0,
            keys: HashMap::new(),
            model: HashMap::new(),
            in_flight: Vec::new(),
            paused: [false; 4],
            throttled: HashMap::new(),
            settled: Vec::new(),
        }
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Enqueue { lane, key } => self.enqueue(LaneId(*lane), *key),
            Happening::Finish { which, status } => {
                if !self.in_flight.is_empty() {
                    let index = which % self.in_flight.len();
                    self.finish(index, *status);
                }
            }
            Happening::Wait { millis } => self.now = self.now.after(Duration::from_millis(*millis)),
            Happening::Pause { lane } => {
                self.paused[usize::try_from(*lane).unwrap()] = true;
                self.schedule.set_gate(LaneId(*lane), Gate::Paused);
            }
            Happening::Resume { lane } => {
                self.paused[usize::try_from(*lane).unwrap()] = false;
                self.schedule.set_gate(LaneId(*lane), Gate::Open);
            }
        }
        self.step();
    }

    fn enqueue(&mut self, lane: LaneId, key: u8) {
        self.next += 1;
        let (id, key) = (DeliveryId(self.next), OrderKey::from(&*format!("k{key}")));
        self.keys.insert(id, (lane, key.clone()));
        self.model.entry((lane, key.clone())).or_default().push_back(id);
        self.schedule.enqueue(lane, id, key, false, self.now);
    }

    fn finish(&mut self, index: usize, status: u16) {
        let (lane, id) = self.in_flight.swap_remove(index);
        let retry_after = (status == 429).then_some(RetryAfter::Seconds(2));
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), retry_after };
        let outcome = Outcome::Answered(answer);
        if status == 429 {
            let until = self.now.after(Duration::from_secs(2));
            let before = self.throttled.entry(lane).or_insert(until);
            *before = until.max(*before);
        }
        let finished = self.schedule.finished(lane, id, &outcome, self.now, UNIX_EPOCH, Die::new(0.5));
        let (_, action) = finished.expect("the schedule knows what is in flight");
        action.into_iter().for_each(|action| self.act(action));
    }

    fn step(&mut self) {
        for action in self.schedule.step(self.now) {
            self.act(action);
        }
        assert_eq!(self.schedule.in_flight(), self.in_flight.len());
    }

    /// Every promise is checked here, at every start and every settlement.
    fn act(&mut self, action: Action) {
        match action {
            Action::Start(lane, id) => {
                let key = self.keys[&id].clone();
                assert_eq!(self.model[&key].front(), Some(&id), "an earlier one of its key is not settled");
                assert!(!self.in_flight.contains(&(lane, id)), "it is under way already");
                self.in_flight.push((lane, id));
                let here = self.in_flight.iter().filter(|(other, _)| *other == lane).count();
                assert!(here <= CONCURRENCY, "more than the lane's concurrency");
                assert!(self.in_flight.len() <= LIMIT, "more than the global limit");
                assert!(!self.paused[usize::try_from(lane.0).unwrap()], "the lane is paused");
                assert!(
                    self.throttled.get(&lane).is_none_or(|until| *until <= self.now),
                    "the lane is throttled"
                );
            }
            Action::Settle(_, id, settled) => {
                let queue = self.model.get_mut(&self.keys[&id]).unwrap();
                queue.retain(|other| *other != id);
                self.settled.push((id, settled));
            }
        }
    }

    /// Lets every receiver answer 200 from now on, until nothing is left. Each round either starts something or moves
    /// the time on, so that their number bounds the work.
    fn heal(&mut self) {
        for lane in 0..4 {
            self.happen(&Happening::Resume { lane });
        }
        for _ in 0..20_000 {
            while !self.in_flight.is_empty() {
                self.finish(0, 200);
            }
            self.step();
            if self.in_flight.is_empty() {
                match self.schedule.wake_at() {
                    Some(at) => {
                        assert!(at > self.now, "the time does not move on");
                        self.now = at;
                        self.step();
                    }
                    None => break,
                }
            }
        }
        assert!(self.schedule.is_empty(), "something is never settled");
        assert_eq!(self.settled.len(), self.keys.len(), "each is settled once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn promises_hold_whatever_happens(happenings in vec(happening(&[200, 200, 204, 301, 400, 410, 429, 500, 503]), 0..120)) {
        let mut world = World::new();
        for happening in &happenings {
            world.happen(happening);
        }
        world.heal();
    }

    #[test]
    fn a_failing_key_holds_back_no_other_key(others in 1..6_u64) {
        let mut world = World::new();
        world.enqueue(LaneId(0), 0);
        for _ in 0..others {
            world.enqueue(LaneId(0), 1);
        }
        world.step();
        for _ in 0..others * 2 {
            let poisoned = |id: &DeliveryId| *id == DeliveryId(1);
            let Some(index) = world.in_flight.iter().position(|(_, id)| !poisoned(id)) else { break };
            if let Some(poison) = world.in_flight.iter().position(|(_, id)| poisoned(id)) {
                world.finish(poison, 400);
            } else {
                world.finish(index, 200);
            }
            world.step();
        }
        assert_eq!(u64::try_from(world.settled.len()).unwrap(), others, "all but the poisoned one are settled");
    }

    #[test]
    fn lanes_that_hang_leave_room_for_the_others(hanging in 1..4_u64, updates in 1..20_u64) {
        let mut world = World::new();
        for _ in 0..CONCURRENCY {
            for lane in 0..hanging {
                for key in 0..3 {
                    world.enqueue(LaneId(lane), key);
                }
            }
        }
        for _ in 0..updates {
            world.enqueue(LaneId(3), 9);
        }
        world.step();
        for _ in 0..updates {
            let at = world.in_flight.iter().position(|(lane, _)| *lane == LaneId(3)).expect("the healthy lane goes on");
            world.finish(at, 200);
            world.now = world.now.after(Duration::from_millis(200));
            world.step();
        }
        assert_eq!(u64::try_from(world.settled.len()).unwrap(), updates);
    }
}
