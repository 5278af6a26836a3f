//! What is not settled: adding it, claiming what is due, and what becomes of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::once;
use super::rows::{Broken, MessageRow, Pending, SettledRow, int, key_hash, time};
use super::young::Delivery;
use super::{SqliteStore, Undo, attempts};
use crate::clock::Timestamp;
use crate::message::Message;
use crate::retry::Reason;
use crate::store::{
    Appended, AppendedBatch, AttemptRecord, Claim, Coalesce, DeliveryId, Disposal, Entry, Fault, Finish,
    Finished, Fresh, LaneId, Offer, Room, Sequence, Settled, Wanted,
};

pub(super) fn append(
    store: &mut SqliteStore,
    entries: &[Entry],
    now: Timestamp,
) -> Result<AppendedBatch, Fault> {
    let mut batch = AppendedBatch::default();
    let mut added: BTreeMap<LaneId, u64> = BTreeMap::new();
    store.fresh.clear();
    for entry in entries {
        if let Some((digest, body)) = &entry.once
            && let Some(before) = once::before(store, digest, body, now)?
        {
            batch.entries.push(before);
            continue;
        }
        let seq = store.next_message;
        store.undo.push(Undo::NextMessage(seq));
        store.next_message += 1;
        store.write_old()?;
        let message = &Arc::new(entry.message.clone());
        let mut fanout = Vec::with_capacity(entry.lanes.len());
        for (lane, coalesce) in &entry.lanes {
            if !store.lanes.contains_key(lane) {
                continue;
            }
            if *coalesce == Coalesce::Superseded {
                store.supersede(*lane, message.key.as_str(), now, &mut batch)?;
            }
            fanout.push((*lane, store.enqueue(*lane, seq, message, now)?));
            *added.entry(*lane).or_default() += 1;
        }
        let deliveries = fanout.len();
        let row = MessageRow {
            seq,
            id: message.id.as_str().to_owned(),
            key: message.key.as_str().to_owned(),
            supersedable: message.supersedable,
            accepted: now,
            route: entry.route,
            fanout,
            body: message.body.clone(),
            once: entry.once,
        };
        let written = row.write(store.write()?);
        store.checked(written)?;
        if let Some((digest, _)) = &entry.once {
            store.seen.add(seq, digest);
        }
        batch.entries.push(Appended::New { sequence: Sequence(seq.cast_unsigned()), deliveries });
    }
    for &lane in added.keys() {
        let Some(row) = store.lanes.get(&lane).map(|held| held.row.clone()) else { continue };
        let written = row.write(store.write()?);
        store.checked(written)?;
    }
    batch.added = added.into_iter().collect();
    Ok(batch)
}

pub(super) fn claim_appended(store: &mut SqliteStore, lane: LaneId, room: Room) -> Result<Fresh, Fault> {
    let heads = store.fresh.remove(&lane).unwrap_or_default();
    let (many, mut fresh, mut bytes) = (heads.len(), Fresh::default(), 0);
    for (pending, message) in heads.into_iter().take(room.count) {
        let size = message.body.len() as u64;
        if !fresh.offers.is_empty() && bytes + size > room.bytes {
            break;
        }
        bytes += size;
        let (id, attempts, accepted) = (pending.n, pending.attempts, pending.accepted);
        fresh.offers.push(Offer { id, attempts, accepted, message });
        store.mark_claimed(pending);
    }
    fresh.left = fresh.offers.len() < many;
    Ok(fresh)
}

pub(super) fn claim(store: &mut SqliteStore, wanted: Wanted, now: Timestamp) -> Result<Claim, Fault> {
    let (mut claim, mut bytes) = (Claim::default(), 0);
    for n in store.due(wanted, now)? {
        match store.offer(wanted.lane, n, now)? {
            Some((pending, offer)) => {
                let size = offer.message.body.len() as u64;
                if !claim.offers.is_empty() && bytes + size > wanted.bytes {
                    break;
                }
                bytes += size;
                store.mark_claimed(pending);
                claim.offers.push(offer);
            }
            None => claim.damaged.push(n),
        }
    }
    claim.next = store.next_due(wanted, now)?;
    claim.oldest = store.oldest(wanted.lane)?;
    Ok(claim)
}

pub(super) fn finish(store: &mut SqliteStore, finish: &Finish) -> Result<Finished, Fault> {
    let (lane, id) = (finish.lane, finish.id);
    // What was claimed changes by this call only, so that it need not be read again.
    let Some(pending) = store.release(lane, id) else { return Ok(Finished::default()) };
    // It was settled by a commit whose answer was lost in a fault.
    let gone = Finished { settled: true, superseded: false, due: Some(finish.now) };
    let settled = match &finish.disposal {
        Disposal::Settle(settled) => settled.clone(),
        Disposal::Park { coalesce: Coalesce::Superseded, .. }
            if pending.spare && store.first_behind(lane, pending.keyh)?.is_some() =>
        {
            Settled::Superseded
        }
        Disposal::Park { until, outage, .. } => {
            if let Some(attempt) = &finish.attempt {
                let written = attempts::write(store.write()?, lane, id, attempt);
                store.checked(written)?;
            }
            let parked = Pending { attempts: finish.attempts, due: *until, outage: *outage, ..pending };
            let there = store.park(&parked)?;
            let finished = Finished { settled: false, superseded: false, due: Some(*until) };
            return Ok(if there { finished } else { gone });
        }
    };
    let superseded = finish.disposal != Disposal::Settle(settled.clone());
    let attempts = finish.attempts.max(pending.attempts);
    let end = End { settled, attempts, attempt: finish.attempt.as_ref() };
    let due = store.settle(&pending, end, finish.now)?;
    Ok(Finished { settled: true, superseded, due })
}

/// How a delivery ends.
pub(super) struct End<'a> {
    settled: Settled,
    attempts: u32,
    /// The attempt that it ends with.
    attempt: Option<&'a AttemptRecord>,
}

impl End<'_> {
    /// One that no attempt leads to.
    pub(super) fn without(settled: Settled, attempts: u32) -> Self {
        Self { settled, attempts, attempt: None }
    }
}

impl SqliteStore {
    /// Adds a delivery at the end of its key.
    fn enqueue(
        &mut self,
        lane: LaneId,
        seq: i64,
        message: &Arc<Message>,
        now: Timestamp,
    ) -> Result<DeliveryId, Fault> {
        self.remember_lane(lane);
        self.young.came += 1;
        let keyh = key_hash(message.key.as_str());
        let head = self.head(lane, keyh).is_none();
        let Some(held) = self.lanes.get_mut(&lane) else { return Ok(DeliveryId(0)) };
        held.row.last += 1;
        held.backlog += 1;
        let n = DeliveryId(held.row.last);
        let pending = Pending {
            lane,
            n,
            seq,
            keyh,
            spare: message.supersedable,
            accepted: now,
            attempts: 0,
            head,
            due: now,
            outage: None,
        };
        if head {
            self.set_head(lane, keyh, Some(n));
            if self.young.is_full(self.young_bounds) {
                self.write_head(&pending)?;
            } else {
                let kept = self.young.has_room(self.young_bounds).then(|| Arc::clone(message));
                self.set_young((lane, n), Some(Delivery::new(&pending, kept, self.young.came)));
            }
            self.fresh.entry(lane).or_default().push((pending, Arc::clone(message)));
        } else {
            let written = pending.write(self.write()?);
            self.checked(written)?;
        }
        Ok(n)
    }

    /// Keeps what becomes of a delivery that was tried; says whether it is there.
    fn park(&mut self, parked: &Pending) -> Result<bool, Fault> {
        if self.set_young((parked.lane, parked.n), None).is_some() {
            return self.write_head(parked).map(|()| true);
        }
        let there = parked.park(self.write()?);
        self.checked(there)
    }

    /// Settles what a new message of the key makes superfluous.
    fn supersede(
        &mut self,
        lane: LaneId,
        key: &str,
        now: Timestamp,
        batch: &mut AppendedBatch,
    ) -> Result<(), Fault> {
        for n in self.of_key(lane, key_hash(key))? {
            let Some(Ok(pending)) = self.pending(lane, n)? else { continue };
            if pending.spare && !self.is_claimed(lane, n) {
                self.settle(&pending, End::without(Settled::Superseded, pending.attempts), now)?;
                batch.superseded.push((lane, n));
                if let Some(fresh) = self.fresh.get_mut(&lane) {
                    fresh.retain(|(fresh, _)| fresh.n != n);
                }
            }
        }
        Ok(())
    }

    /// A delivery with its message; `None` if a record of it is broken, which was put aside.
    pub(super) fn offer(
        &mut self,
        lane: LaneId,
        n: DeliveryId,
        now: Timestamp,
    ) -> Result<Option<(Pending, Offer)>, Fault> {
        if let Some(young) = self.young.get(lane, n)
            && let Some(message) = &young.message
        {
            let pending = young.pending((lane, n));
            let (attempts, accepted) = (pending.attempts, pending.accepted);
            let offer = Offer { id: n, attempts, accepted, message: Arc::clone(message) };
            return Ok(Some((pending, offer)));
        }
        let broken = match self.pending(lane, n)? {
            None => return Ok(None),
            Some(Err(broken)) => broken,
            Some(Ok(pending)) => match self.message_of(pending.seq)? {
                Err(broken) => broken,
                Ok(message) => {
                    let (attempts, accepted) = (pending.attempts, pending.accepted);
                    return Ok(Some((pending, Offer { id: n, attempts, accepted, message })));
                }
            },
        };
        self.set_aside(lane, n, &broken, now)?;
        Ok(None)
    }

    /// A delivery one of whose records is broken: it is dead, and the next of its key steps forward.
    pub(super) fn set_aside(
        &mut self,
        lane: LaneId,
        n: DeliveryId,
        broken: &Broken,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Fault> {
        self.quarantine(broken, &format!("delivery {} of {lane}", n.0), now)?;
        // Of a broken row nothing is believed but where it was found, and the key it is indexed by.
        let indexed = self
            .begin()?
            .prepare_cached("SELECT seq, keyh, accepted, attempts FROM pending WHERE lane = ?1 AND n = ?2")
            .and_then(|mut select| {
                let integer = |row: &rusqlite::Row<'_>, index| row.get::<_, i64>(index).unwrap_or(0);
                let row = select.query_row(params![int(lane.0), int(n.0)], |row| {
                    Ok([integer(row, 0), integer(row, 1), integer(row, 2), integer(row, 3)])
                });
                row.optional()
            });
        let young = self.young.get(lane, n).map(|young| young.pending((lane, n)));
        let young = young.map(|young| [young.seq, young.keyh, time(young.accepted), 0]);
        let Some([seq, keyh, accepted, attempts]) = self.checked(indexed)?.or(young) else { return Ok(None) };
        let seq = self.true_message(lane, n, seq)?;
        // A head's true key is known.
        let held = self.lanes.get(&lane);
        let key =
            held.and_then(|held| held.heads.iter().find_map(|(keyh, head)| (*head == n).then_some(*keyh)));
        let keyh = key.unwrap_or(keyh);
        let pending = Pending {
            lane,
            n,
            seq,
            keyh,
            spare: false,
            accepted: Timestamp::from_micros(u64::try_from(accepted).unwrap_or(0)),
            attempts: 0,
            head: true,
            due: now,
            outage: None,
        };
        let attempts = u32::try_from(attempts).unwrap_or(0);
        self.settle(&pending, End::without(Settled::Dead(Reason::Damaged), attempts), now)
    }

    /// Takes a delivery out of the backlog into the history, and lets the next of its key step forward; gives the time when
    /// that one is due.
    pub(super) fn settle(
        &mut self,
        pending: &Pending,
        end: End<'_>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Fault> {
        let Pending { lane, n, seq, accepted, .. } = *pending;
        self.remember_lane(lane);
        let is_head = self.head(lane, pending.keyh) == Some(n);
        if self.set_young((lane, n), None).is_none() {
            let deleted = self
                .write()?
                .prepare_cached("DELETE FROM pending WHERE lane = ?1 AND n = ?2")
                .and_then(|mut delete| delete.execute(params![int(lane.0), int(n.0)]));
            if self.checked(deleted)? == 0 {
                // It was settled by a commit whose answer was lost in a fault: the same once more changes nothing.
                return Ok(Some(now));
            }
        }
        let End { settled, attempts, attempt } = end;
        let attempt = attempt.map(Cow::Borrowed);
        let row = SettledRow { lane, n, seq, settled, attempts, accepted, at: now, attempt };
        let written = row.write(self.write()?);
        self.checked(written)?;
        // While it is in the backlog and among the heads, where it is counted (`Held::has_followers`).
        let next = if is_head { self.first_behind(lane, pending.keyh)? } else { None };
        if let Some(held) = self.lanes.get_mut(&lane) {
            held.backlog = held.backlog.saturating_sub(1);
        }
        // Of a broken record it is not known.
        if !is_head {
            return Ok(None);
        }
        self.set_head(lane, pending.keyh, next);
        let Some(next) = next else { return Ok(None) };
        match self.pending(lane, next)? {
            Some(Ok(follower)) => {
                self.write_head(&Pending { head: true, due: now, ..follower })?;
                Ok(Some(now))
            }
            Some(Err(broken)) => self.set_aside(lane, next, &broken, now),
            None => Ok(None),
        }
    }
}
