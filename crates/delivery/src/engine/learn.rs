//! What the loop makes of what the store did.

use std::sync::Arc;

use super::run::{FAR, Loop, SWEEP};
use super::{Observer, Opening, SettledReport, Transport};
use crate::clock::Timestamp;
use crate::lane::{Arrived, Claimed, Lane};
use crate::retry::Reason;
use crate::store::{
    Claim, DeliveryId, Disposal, Finish, Finished, Fresh, LaneId, LaneRecord, Offer, Settled, Swept,
};

/// What the store did.
#[derive(Debug)]
pub(super) enum Event {
    /// How many deliveries each lane got, and what of them was claimed in the same commit; and those that were superseded.
    Appended(Vec<(LaneId, u64, Fresh)>, Vec<(LaneId, DeliveryId)>),
    Claimed(LaneId, Claim),
    Closed(Arc<Finish>, Finished),
    Swept(LaneId, Reason, Swept),
    /// The store may hold more than the loop was told.
    Doubt,
    /// All lanes as they are in the store: the end of a doubt.
    Lanes(Vec<LaneRecord>),
    /// A lane as it was when the store was asked for it: what is appended later is told later.
    Lane(LaneRecord),
}

impl<X: Transport, O: Observer> Loop<X, O> {
    pub(super) fn learn(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Appended(arrived, superseded) => self.appended(arrived, &superseded, now),
            Event::Claimed(lane, claim) => {
                let claimed = self.hold(lane, claim.offers);
                self.backlog.gone(lane, self.is_open(lane), claim.damaged.len() as u64);
                self.schedule.took(lane, &claimed, claim.next, claim.oldest, claim.damaged.len() as u64);
                for _ in claim.damaged {
                    self.ended_in_store(lane, &Settled::Dead(Reason::Damaged));
                }
            }
            Event::Doubt => self.doubt(),
            Event::Lanes(records) => {
                self.doubting = false;
                for record in records {
                    let before = self.schedule.lane(record.id).map(Lane::backlog);
                    self.backlog.recount(record.id, before, record.backlog);
                    self.schedule.recount(&record, now);
                }
            }
            Event::Lane(record) => self.opened(&record),
            Event::Closed(finish, finished) => self.closed(&finish, finished),
            Event::Swept(lane, reason, swept) => {
                self.backlog.gone(lane, self.is_open(lane), swept.settled.len() as u64);
                self.schedule.swept(lane, swept.settled.len() as u64, swept.oldest, now);
                for _ in &swept.settled {
                    self.ended_in_store(lane, &Settled::Dead(reason.clone()));
                }
                // A removed lane is swept until nothing is left; the schedule asks for the others by itself.
                match reason {
                    Reason::LaneRemoved if swept.settled.len() == SWEEP => self.sweep(lane, FAR, reason),
                    Reason::LaneRemoved => self.removing.retain(|removed| *removed != lane),
                    Reason::Expired | Reason::GaveUp | Reason::Unrenderable(_) | Reason::Damaged => {}
                }
            }
        }
    }

    fn appended(
        &mut self,
        arrived: Vec<(LaneId, u64, Fresh)>,
        gone: &[(LaneId, DeliveryId)],
        now: Timestamp,
    ) {
        for (lane, added, fresh) in arrived {
            let superseded = gone.iter().filter(|(other, _)| *other == lane).count() as u64;
            self.backlog.heard(lane, self.is_open(lane), added, superseded);
            let claimed = self.hold(lane, fresh.offers);
            let arrived = Arrived { added, superseded, claimed: &claimed, left: fresh.left };
            self.schedule.arrived(lane, arrived, now);
        }
        for (lane, _) in gone {
            self.ended_in_store(*lane, &Settled::Superseded);
        }
    }

    /// Holds what was claimed for a lane; what was claimed while it was removed is dead.
    fn hold(&mut self, lane: LaneId, offers: Vec<Offer>) -> Vec<Claimed> {
        let claimed: Vec<Claimed> = offers.iter().map(Claimed::from).collect();
        let open = self.is_open(lane);
        for Offer { id, message, accepted, .. } in offers {
            self.held.insert((lane, id), (message, accepted));
            if !open {
                self.settle(lane, id, Lane::removed());
            }
        }
        claimed
    }

    /// Asks the store for its own count, once for all doubts that come meanwhile: its answer comes when it works again.
    fn doubt(&mut self) {
        if !std::mem::replace(&mut self.doubting, true) {
            self.ask(|store| store.lanes(), Event::Lanes);
        }
    }

    fn opened(&mut self, record: &LaneRecord) {
        let Some(at) = self.opening.iter().position(|opening| opening.name == record.name) else { return };
        let Opening { target, settings, reply, .. } = self.opening.remove(at);
        if !self.is_open(record.id) {
            self.backlog.opened(record.id, record.backlog);
        }
        self.targets.insert(record.id, target);
        self.schedule.set_lane(record, settings, self.clock.now());
        let _ = reply.send(record.id);
    }

    fn is_open(&self, lane: LaneId) -> bool {
        self.schedule.lane(lane).is_some()
    }

    fn closed(&mut self, finish: &Finish, finished: Finished) {
        let (lane, id) = (finish.lane, finish.id);
        let held = self.held.remove(&(lane, id));
        self.schedule.closed(lane, id, finished.settled, finished.due);
        if !finished.settled {
            return;
        }
        self.backlog.gone(lane, self.is_open(lane), 1);
        let settled = match &finish.disposal {
            Disposal::Settle(settled) => settled.clone(),
            Disposal::Park { .. } => Settled::Superseded,
        };
        let claimed = held.as_ref().map(|(message, accepted)| (&**message, finish.now.since(*accepted)));
        self.observer.settled(&SettledReport { lane, settled: &settled, claimed });
    }

    fn ended_in_store(&mut self, lane: LaneId, settled: &Settled) {
        self.observer.settled(&SettledReport { lane, settled, claimed: None });
    }
}
