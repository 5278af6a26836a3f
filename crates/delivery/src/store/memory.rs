//! The store in memory, for a process that outlives its work, and the model that the one on disk is held against.
//!
//! It keeps the contract as plainly as it can be said. Nothing here can fail, so there is nothing to undo either.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::{
    Appended, AppendedBatch, Change, Claim, Coalesce, DeliveryId, Digest, Disposal, Document, Documents,
    Entry, Fault, Finish, Finished, Fresh, LaneId, LaneRecord, LaneState, Offer, Room, Sequence, Settled,
    Store, Swept, Wanted,
};
use crate::clock::Timestamp;
use crate::message::{Message, MessageId, OrderKey};
use crate::retry::Reason;

/// A store that is gone with the process.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    lanes: BTreeMap<LaneId, Lane>,
    messages: u64,
    seen: HashMap<Digest, (Digest, Sequence, MessageId, usize)>,
    settled: Option<Vec<(LaneId, DeliveryId, Settled)>>,
    documents: BTreeMap<(String, String), Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Lane {
    name: String,
    state: LaneState,
    last: u64,
    pending: BTreeMap<DeliveryId, Pending>,
    keys: HashMap<OrderKey, VecDeque<DeliveryId>>,
    /// Heads by the time when they are due, and those that wait for an outage to end by its epoch.
    due: std::collections::BTreeSet<(Timestamp, DeliveryId)>,
    outage: std::collections::BTreeSet<(u32, DeliveryId)>,
    claimed: HashSet<DeliveryId>,
    /// The last before the last append.
    before: u64,
}

#[derive(Clone, Debug)]
struct Pending {
    message: Arc<Message>,
    accepted: Timestamp,
    attempts: u32,
    due: Timestamp,
    outage: Option<u32>,
}

impl MemoryStore {
    /// One that remembers how deliveries were settled, for tests.
    #[must_use]
    pub fn remembering() -> Self {
        Self { settled: Some(Vec::new()), ..Self::default() }
    }

    /// How deliveries were settled, if it remembers.
    #[must_use]
    pub fn settled(&self) -> &[(LaneId, DeliveryId, Settled)] {
        self.settled.as_deref().unwrap_or_default()
    }

    /// Forgets claims, as a process that starts anew does.
    pub fn restart(&mut self) {
        for lane in self.lanes.values_mut() {
            for id in std::mem::take(&mut lane.claimed) {
                lane.index(id);
            }
        }
    }

    fn note(&mut self, lane: LaneId, id: DeliveryId, settled: &Settled) {
        if let Some(list) = &mut self.settled {
            list.push((lane, id, settled.clone()));
        }
    }
}

impl Lane {
    fn record(&self, id: LaneId) -> LaneRecord {
        LaneRecord {
            id,
            name: self.name.clone(),
            state: self.state,
            backlog: self.pending.len() as u64,
            oldest: self.oldest(),
        }
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.pending.values().next().map(|pending| pending.accepted)
    }

    fn is_head(&self, id: DeliveryId) -> bool {
        let key = self.pending.get(&id).map(|pending| &pending.message.key);
        key.and_then(|key| self.keys.get(key)).and_then(VecDeque::front) == Some(&id)
    }

    /// A head that is not claimed can be found by its times.
    fn index(&mut self, id: DeliveryId) {
        if !self.is_head(id) || self.claimed.contains(&id) {
            return;
        }
        if let Some(pending) = self.pending.get(&id) {
            self.due.insert((pending.due, id));
            self.outage.extend(pending.outage.map(|epoch| (epoch, id)));
        }
    }

    fn unindex(&mut self, id: DeliveryId) {
        if let Some(pending) = self.pending.get(&id) {
            self.due.remove(&(pending.due, id));
            if let Some(epoch) = pending.outage {
                self.outage.remove(&(epoch, id));
            }
        }
    }

    /// Claims the first of these that there is room for.
    fn offer(&mut self, ids: &[DeliveryId], room: Room) -> Vec<Offer> {
        let (mut offers, mut bytes) = (Vec::new(), 0);
        for &id in ids.iter().take(room.count) {
            let size = self.pending.get(&id).map_or(0, |pending| pending.message.body.len() as u64);
            if !offers.is_empty() && bytes + size > room.bytes {
                break;
            }
            bytes += size;
            self.unindex(id);
            self.claimed.insert(id);
            if let Some(pending) = self.pending.get(&id) {
                let (attempts, accepted) = (pending.attempts, pending.accepted);
                offers.push(Offer { id, attempts, accepted, message: Arc::clone(&pending.message) });
            }
        }
        offers
    }

    /// Takes a delivery out, and gives the time when the new head of its key is due.
    fn settle(&mut self, id: DeliveryId, now: Timestamp) -> Option<Timestamp> {
        let was_head = self.is_head(id);
        self.unindex(id);
        self.claimed.remove(&id);
        let gone = self.pending.remove(&id)?;
        let queue = self.keys.get_mut(&gone.message.key)?;
        queue.retain(|other| *other != id);
        let Some(&next) = queue.front() else {
            self.keys.remove(&gone.message.key);
            return None;
        };
        if !was_head {
            return None;
        }
        if let Some(pending) = self.pending.get_mut(&next) {
            pending.due = now;
        }
        self.index(next);
        Some(now)
    }

    fn superseded(&self, key: &OrderKey) -> Vec<DeliveryId> {
        let spared = |id: &&DeliveryId| {
            self.pending.get(id).is_some_and(|pending| pending.message.supersedable)
                && !self.claimed.contains(id)
        };
        self.keys.get(key).into_iter().flatten().filter(spared).copied().collect()
    }

    fn has_later(&self, id: DeliveryId) -> bool {
        let key = self.pending.get(&id).map(|pending| &pending.message.key);
        let last = key.and_then(|key| self.keys.get(key)).and_then(VecDeque::back);
        last.is_some_and(|last| *last > id)
    }
}

impl Store for MemoryStore {
    fn lanes(&mut self) -> Result<Vec<LaneRecord>, Fault> {
        Ok(self.lanes.iter().map(|(id, lane)| lane.record(*id)).collect())
    }

    fn lane(&mut self, name: &str) -> Result<LaneRecord, Fault> {
        if let Some((id, lane)) = self.lanes.iter().find(|(_, lane)| lane.name == name) {
            return Ok(lane.record(*id));
        }
        let id = LaneId(self.lanes.len() as u64 + 1);
        let lane = Lane {
            name: name.to_owned(),
            state: LaneState::default(),
            last: 0,
            pending: BTreeMap::new(),
            keys: HashMap::new(),
            due: Default::default(),
            outage: Default::default(),
            claimed: HashSet::new(),
            before: 0,
        };
        let record = lane.record(id);
        self.lanes.insert(id, lane);
        Ok(record)
    }

    fn save(&mut self, lane: LaneId, state: &LaneState) -> Result<(), Fault> {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.state = *state;
        }
        Ok(())
    }

    fn documents(&mut self, kind: &str) -> Result<Documents, Fault> {
        let of_kind = self.documents.iter().filter(|((of, _), _)| of == kind);
        let found = of_kind.map(|((kind, id), body)| Document::new(kind, id, body.clone())).collect();
        Ok(Documents { found, damaged: Vec::new() })
    }

    fn change(&mut self, changes: &[Change]) -> Result<(), Fault> {
        for change in changes.iter().cloned() {
            match change {
                Change::Put(Document { kind, id, body }) => self.documents.insert((kind, id), body),
                Change::Remove { kind, id } => self.documents.remove(&(kind, id)),
            };
        }
        Ok(())
    }

    fn append(&mut self, entries: &[Entry], now: Timestamp) -> Result<AppendedBatch, Fault> {
        let mut batch = AppendedBatch::default();
        let mut added: BTreeMap<LaneId, u64> = BTreeMap::new();
        for lane in self.lanes.values_mut() {
            lane.before = lane.last;
        }
        for entry in entries {
            if let Some((digest, body)) = &entry.once
                && let Some((first_body, sequence, id, deliveries)) = self.seen.get(digest)
            {
                let (sequence, id, deliveries) = (*sequence, id.clone(), *deliveries);
                let same = first_body == body;
                batch.entries.push(match same {
                    true => Appended::Again { sequence, id, deliveries },
                    false => Appended::Conflict,
                });
                continue;
            }
            self.messages += 1;
            let (sequence, message) = (Sequence(self.messages), Arc::new(entry.message.clone()));
            let mut deliveries = 0;
            for (id, coalesce) in &entry.lanes {
                let Some(lane) = self.lanes.get_mut(id) else { continue };
                deliveries += 1;
                *added.entry(*id).or_default() += 1;
                let spared = match coalesce {
                    Coalesce::Superseded => lane.superseded(&message.key),
                    Coalesce::Nothing => Vec::new(),
                };
                for &earlier in &spared {
                    lane.settle(earlier, now);
                    batch.superseded.push((*id, earlier));
                }
                lane.last += 1;
                let number = DeliveryId(lane.last);
                let (message, accepted) = (Arc::clone(&message), now);
                lane.keys.entry(message.key.clone()).or_default().push_back(number);
                let pending = Pending { message, accepted, attempts: 0, due: now, outage: None };
                lane.pending.insert(number, pending);
                lane.index(number);
                for earlier in spared {
                    self.note(*id, earlier, &Settled::Superseded);
                }
            }
            if let Some((digest, body)) = entry.once {
                self.seen.insert(digest, (body, sequence, message.id.clone(), deliveries));
            }
            batch.entries.push(Appended::New { sequence, deliveries });
        }
        batch.added = added.into_iter().collect();
        Ok(batch)
    }

    fn claim_appended(&mut self, lane: LaneId, room: Room) -> Result<Fresh, Fault> {
        let Some(lane) = self.lanes.get_mut(&lane) else { return Ok(Fresh::default()) };
        let fresh = lane.pending.range(DeliveryId(lane.before + 1)..).map(|(id, _)| *id);
        let heads: Vec<_> = fresh.filter(|id| lane.is_head(*id)).collect();
        let offers = lane.offer(&heads, room);
        Ok(Fresh { left: offers.len() < heads.len(), offers })
    }

    fn claim(&mut self, wanted: Wanted, now: Timestamp) -> Result<Claim, Fault> {
        let Some(lane) = self.lanes.get_mut(&wanted.lane) else { return Ok(Claim::default()) };
        let back = lane.outage.iter().take_while(|(epoch, _)| *epoch < wanted.epoch).map(|(_, id)| *id);
        let due = lane.due.iter().take_while(|(due, _)| *due <= now).map(|(_, id)| *id);
        let mut found: Vec<_> = back.take(wanted.limit).chain(due.take(wanted.limit)).collect();
        found.sort_unstable();
        found.dedup();
        let offers = lane.offer(&found, Room { count: wanted.limit, bytes: wanted.bytes });
        let back = lane.outage.first().is_some_and(|(epoch, _)| *epoch < wanted.epoch);
        let next = lane.due.first().map(|(due, _)| *due).into_iter().chain(back.then_some(now)).min();
        Ok(Claim { offers, next, oldest: lane.oldest(), damaged: Vec::new() })
    }

    fn give_back(&mut self, lane: LaneId, ids: &[DeliveryId]) {
        let Some(lane) = self.lanes.get_mut(&lane) else { return };
        for id in ids {
            if lane.claimed.remove(id) {
                lane.index(*id);
            }
        }
    }

    fn finish(&mut self, finish: &Finish) -> Result<Finished, Fault> {
        let Some(lane) = self.lanes.get_mut(&finish.lane) else { return Ok(Finished::default()) };
        if !lane.claimed.contains(&finish.id) {
            return Ok(Finished::default());
        }
        let settled = match &finish.disposal {
            Disposal::Settle(settled) => Some(settled.clone()),
            Disposal::Park { coalesce: Coalesce::Superseded, .. }
                if lane.has_later(finish.id)
                    && lane.pending.get(&finish.id).is_some_and(|pending| pending.message.supersedable) =>
            {
                Some(Settled::Superseded)
            }
            Disposal::Park { .. } => None,
        };
        if let Some(settled) = settled {
            let due = lane.settle(finish.id, finish.now);
            self.note(finish.lane, finish.id, &settled);
            let superseded = finish.disposal != Disposal::Settle(settled);
            return Ok(Finished { settled: true, superseded, due });
        }
        let Disposal::Park { until, outage, .. } = finish.disposal else { return Ok(Finished::default()) };
        if let Some(pending) = lane.pending.get_mut(&finish.id) {
            (pending.attempts, pending.due, pending.outage) = (finish.attempts, until, outage);
        }
        lane.claimed.remove(&finish.id);
        lane.index(finish.id);
        Ok(Finished { settled: false, superseded: false, due: Some(until) })
    }

    fn sweep(
        &mut self,
        id: LaneId,
        until: Timestamp,
        reason: &Reason,
        now: Timestamp,
        limit: usize,
    ) -> Result<Swept, Fault> {
        let Some(lane) = self.lanes.get_mut(&id) else { return Ok(Swept::default()) };
        let idle = lane.pending.iter().filter(|(id, _)| !lane.claimed.contains(id));
        let old = idle.take_while(|(_, pending)| pending.accepted <= until).take(limit);
        let settled: Vec<_> = old.map(|(id, _)| *id).collect();
        for &delivery in &settled {
            lane.settle(delivery, now);
        }
        let idle = lane.pending.iter().find(|(id, _)| !lane.claimed.contains(id));
        let oldest = idle.map(|(_, pending)| pending.accepted);
        for &delivery in &settled {
            self.note(id, delivery, &Settled::Dead(reason.clone()));
        }
        Ok(Swept { settled, oldest })
    }

    /// Memory is as durable as it gets here.
    fn commit(&mut self) -> Result<bool, Fault> {
        Ok(false)
    }

    /// No call here fails, so there is nothing to undo.
    fn abort(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}
