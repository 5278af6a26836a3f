//! What the schedule asks the store, and how the store answers.

use bytes::Bytes;
use delivery::clock::Timestamp;
use delivery::lane::{Arrived, Claimed};
use delivery::message::{Message, MessageId, OrderKey};
use delivery::retry::Reason;
use delivery::store::{DeliveryId, Disposal, Entry, Finish, LaneId, LaneState, Route, Store, Wanted};

use super::{Event, World};

/// What the store was asked and has not committed.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Append(usize, String, bool),
    Claim(Wanted),
    Finish(Finish),
    Sweep(LaneId, Timestamp),
    Save(LaneId, LaneState),
}

impl World {
    pub(super) fn ask(&mut self, request: Request) {
        self.requests.push_back(request);
        if !self.committing {
            self.committing = true;
            let millis = self.rng.u64(0..15);
            self.at(millis, Event::Commit { life: self.life });
        }
    }

    /// Everything that was asked is done and durable at once, and answered in order.
    pub(super) fn commit(&mut self) {
        self.committing = false;
        for request in std::mem::take(&mut self.requests) {
            match request {
                Request::Append(lane, key, supersedable) => self.appended(lane, &key, supersedable),
                Request::Claim(wanted) => {
                    let claim = self.store.claim(wanted, self.now).unwrap();
                    let claimed: Vec<_> = claim.offers.iter().map(Claimed::from).collect();
                    self.schedule.took(wanted.lane, &claimed, claim.next, claim.oldest, 0);
                }
                Request::Finish(finish) => {
                    let finished = self.store.finish(&finish).unwrap();
                    self.read_settled();
                    self.schedule.closed(finish.lane, finish.id, finished.settled, finished.due);
                }
                Request::Sweep(lane, until) => {
                    let swept = self.store.sweep(lane, until, &Reason::Expired, self.now, 3).unwrap();
                    self.read_settled();
                    self.schedule.swept(lane, swept.settled.len() as u64, swept.oldest, self.now);
                }
                Request::Save(lane, state) => self.store.save(lane, &state).unwrap(),
            }
        }
    }

    pub(super) fn appended(&mut self, lane: usize, key: &str, supersedable: bool) {
        let (id, coalesce) = (self.lanes[lane].id, self.lanes[lane].settings.coalesce);
        let key = OrderKey::from(key);
        let message = Message {
            id: MessageId::from("m"),
            key: key.clone(),
            supersedable,
            body: Bytes::from_static(&[0; 10]),
        };
        let entry = Entry { message, lanes: vec![(id, coalesce)], once: None, route: Route::Lanes };
        let batch = self.store.append(&[entry], self.now).unwrap();
        let number = DeliveryId(self.keys.keys().filter(|(other, _)| *other == id).count() as u64 + 1);
        self.keys.insert((id, number), key.clone());
        self.unsettled.entry((id, key)).or_default().push_back(number);
        self.lanes[lane].busy += 1;
        self.read_settled();
        let room = std::mem::take(&mut self.lanes[lane].room);
        let fresh = self.store.claim_appended(id, room).unwrap();
        if !fresh.offers.is_empty() {
            self.note("claimed as it was appended");
        }
        let claimed: Vec<_> = fresh.offers.iter().map(Claimed::from).collect();
        let superseded = batch.superseded.len() as u64;
        let arrived = Arrived { added: 1, superseded, claimed: &claimed, left: fresh.left };
        self.schedule.arrived(id, arrived, self.now);
    }

    pub(super) fn finish(&mut self, lane: LaneId, id: DeliveryId, attempts: u32, disposal: Disposal) {
        self.ask(Request::Finish(Finish { lane, id, attempts, disposal, attempt: None, now: self.now }));
    }
}
