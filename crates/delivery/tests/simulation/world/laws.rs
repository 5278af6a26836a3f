//! The law book: what must hold at every start, at every settlement, and at the end.

use std::collections::VecDeque;
use std::time::Duration;

use delivery::store::{DeliveryId, LaneId, Settled};

use super::receivers::HANG;
use super::{BYTES, Event, World};

impl World {
    /// Enters in the account what the store settled.
    pub(super) fn read_settled(&mut self) {
        let news = self.store.settled()[self.read..].to_vec();
        self.read += news.len();
        for (lane, id, settled) in news {
            let key = self.keys[&(lane, id)].clone();
            let queue = self.unsettled.get_mut(&(lane, key)).unwrap();
            let position = queue.iter().position(|other| *other == id).expect("it is settled twice");
            queue.remove(position);
            let index = self.index(lane);
            self.lanes[index].busy -= 1;
            match settled {
                Settled::Delivered => {
                    assert!(self.received.contains(&(lane, id)), "{lane} {id:?} was never received");
                    self.lanes[index].delivered += 1;
                    self.note("delivered");
                }
                Settled::Superseded => self.note("superseded"),
                Settled::Dead(_) => self.note("dead"),
            }
        }
    }

    /// Every law about a start is read here.
    pub(super) fn start(&mut self, lane: LaneId, id: DeliveryId) {
        let key = self.keys[&(lane, id)].clone();
        let queue = &self.unsettled[&(lane, key.clone())];
        assert_eq!(queue.front(), Some(&id), "{lane}: an earlier one of its key is not settled");
        let busy = self.lanes.iter().filter(|lane| lane.busy > 0).count();
        let total: usize = self.lanes.iter().map(|lane| lane.in_flight.len()).sum();
        assert!(total < self.limit.get(), "more than the global limit");
        assert!(total as u64 * 10 < BYTES, "more bytes than all may have under way");
        let index = self.index(lane);
        let (now, share) = (self.now, (self.limit.get() / busy.max(1)).max(1));
        let here = &mut self.lanes[index];
        assert!(here.in_flight.insert(id), "it is under way already");
        assert!(here.in_flight.len() <= here.settings.concurrency.get(), "more than the lane's concurrency");
        assert!(here.in_flight.len() <= share, "more than the lane's share");
        assert!(!here.gate_closed, "the lane is closed");
        assert!(here.throttled_until <= now || self.life > 0, "the lane is throttled");
        here.starts.push_back(now);
        while here.starts.front().is_some_and(|start| now.since(*start) >= Duration::from_secs(1)) {
            here.starts.pop_front();
        }
        if let Some(pace) = &here.settings.pace {
            // A burst of a second's worth, and a second's worth that flows in: twice the rate in any second.
            let most = 2 * usize::try_from(pace.rate()).unwrap();
            assert!(here.starts.len() <= most || self.life > 0, "faster than the lane's pace");
        }
        let mood = here.mood;
        let status = *self.scripts.get(&(lane, key)).unwrap_or(&mood[self.rng.usize(0..mood.len())]);
        let millis = if status == 0 { HANG } else { self.rng.u64(0..40) };
        let life = self.life;
        self.at(millis, Event::AttemptEnds { life, lane, id, status });
    }

    /// Every receiver is well again, every lane open: now everything settles, in bounded time.
    pub(super) fn heal(&mut self) {
        self.healed = true;
        for lane in 0..self.lanes.len() {
            self.lanes[lane].mood = &[200];
            self.happen(Event::Gate { lane, open: true });
        }
        self.step();
        let deadline = self.now.after(Duration::from_secs(2 * 86_400));
        while !(self.schedule.is_empty() && self.requests.is_empty()) {
            assert!(!self.events.is_empty() && self.now < deadline, "something is never settled");
            self.next();
        }
        let left: usize = self.unsettled.values().map(VecDeque::len).sum();
        assert_eq!(left, 0, "accepted, and neither delivered nor superseded nor dead");
    }
}
