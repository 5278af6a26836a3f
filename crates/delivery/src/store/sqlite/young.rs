//! Deliveries that have no record of their own yet: their message is there, and that it has a delivery which no record says
//! anything of means that it waits.
//!
//! Most deliveries are settled soon after they were accepted; a record of each, and its place in an index, would be written
//! to be deleted. So the newest heads are known to the process alone, with what they deliver while there is room. One is written
//! down when it is parked, and when it gets old; what is one too many, and what stands behind a head, has a record from the
//! start. With every commit the floor is written: the message before which every delivery has a record. After a crash those
//! from there on are looked at.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use foldhash::HashMap;
use rusqlite::{Connection, Row, params};

use super::queries::one;
use super::rows::{Broken, MESSAGE, MessageRow, Pending, fanout_of, format, int};
use super::{Held, SqliteStore, Undo};
use crate::clock::Timestamp;
use crate::message::Message;
use crate::store::{DeliveryId, Fault, LaneId, Store};

/// How many there are at most. What comes when there are so many has a record from the start.
const MAX_YOUNG: usize = 16 * 1024;

/// How many bytes of bodies they hold in memory at most, but for one more. The bodies of others are left in the file, as those of
/// deliveries that were found there are.
const MAX_YOUNG_BYTES: usize = 6 * 1024 * 1024;

/// Among how many messages they are, the newest. What gets older has a record from then on, so that there is little to look at
/// after a crash, and in lists.
const MAX_SPAN: i64 = 16 * 1024;

/// The same for deliveries, with a record and without: a message may have thousands.
const MAX_SPAN_DELIVERIES: u64 = 32 * 1024;

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Bounds {
    pub(in crate::store) number: usize,
    pub(in crate::store) bytes: usize,
    pub(in crate::store) messages: i64,
    pub(in crate::store) deliveries: u64,
}

impl Bounds {
    pub(in crate::store) const USUAL: Self = Self {
        number: MAX_YOUNG,
        bytes: MAX_YOUNG_BYTES,
        messages: MAX_SPAN,
        deliveries: MAX_SPAN_DELIVERIES,
    };
}

/// A delivery without a record. It is the head of its key, was not attempted, and is due.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    seq: i64,
    keyh: i64,
    spare: bool,
    accepted: Timestamp,
    /// What it delivers; `None` if it was found in the file, or there was no room for it.
    pub(super) message: Option<Arc<Message>>,
    /// How many deliveries came before it in this run.
    pub(super) before: u64,
}

/// The deliveries without a record.
#[derive(Debug, Default)]
pub(super) struct Young {
    deliveries: BTreeMap<(LaneId, DeliveryId), Delivery>,
    /// By their messages.
    order: BTreeSet<(i64, LaneId, DeliveryId)>,
    bytes: usize,
    /// How many deliveries came in this run, with a record or without. What is taken back is counted too.
    pub(super) came: u64,
}

impl Young {
    pub(super) fn get(&self, lane: LaneId, n: DeliveryId) -> Option<&Delivery> {
        self.deliveries.get(&(lane, n))
    }

    /// Adds one, or takes it out; gives what was there.
    pub(super) fn set(
        &mut self,
        place: (LaneId, DeliveryId),
        delivery: Option<Delivery>,
    ) -> Option<Delivery> {
        let before = self.deliveries.remove(&place);
        if let Some(before) = &before {
            self.order.remove(&(before.seq, place.0, place.1));
            self.bytes -= before.length();
        }
        if let Some(delivery) = delivery {
            self.order.insert((delivery.seq, place.0, place.1));
            self.bytes += delivery.length();
            self.deliveries.insert(place, delivery);
        }
        before
    }

    /// Those of a lane, oldest first.
    pub(super) fn of_lane(&self, lane: LaneId) -> impl Iterator<Item = Pending> {
        let all = (lane, DeliveryId(0))..=(lane, DeliveryId(u64::MAX));
        self.deliveries.range(all).map(|(place, delivery)| delivery.pending(*place))
    }

    /// The message before which all have a record, where `next` is the next one.
    pub(super) fn floor(&self, next: i64) -> i64 {
        self.order.first().map_or(next, |(seq, ..)| *seq)
    }

    /// The oldest, if it is too old, where `next` is the next message.
    fn oldest_beyond(&self, bounds: Bounds, next: i64) -> Option<(LaneId, DeliveryId)> {
        let &(seq, lane, n) = self.order.first()?;
        let after = self.came - self.get(lane, n).map_or(0, |delivery| delivery.before);
        (next - seq > bounds.messages || after > bounds.deliveries).then_some((lane, n))
    }

    /// Whether there are as many as there may be.
    pub(super) fn is_full(&self, bounds: Bounds) -> bool {
        self.deliveries.len() >= bounds.number
    }

    /// Whether the body of one more may be kept.
    pub(super) fn has_room(&self, bounds: Bounds) -> bool {
        self.bytes < bounds.bytes
    }
}

impl Delivery {
    pub(super) fn new(pending: &Pending, message: Option<Arc<Message>>, before: u64) -> Self {
        let Pending { seq, keyh, spare, accepted, .. } = *pending;
        Self { seq, keyh, spare, accepted, message, before }
    }

    /// The record that it has not.
    pub(super) fn pending(&self, (lane, n): (LaneId, DeliveryId)) -> Pending {
        let Self { seq, keyh, spare, accepted, .. } = *self;
        let (attempts, head, due, outage) = (0, true, accepted, None);
        Pending { lane, n, seq, keyh, spare, accepted, attempts, head, due, outage }
    }

    fn length(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.body.len())
    }
}

impl SqliteStore {
    /// Adds a delivery without a record, or takes it out; gives what was there.
    pub(super) fn set_young(
        &mut self,
        place: (LaneId, DeliveryId),
        delivery: Option<Delivery>,
    ) -> Option<Delivery> {
        let is_added = delivery.is_some();
        let before = self.young.set(place, delivery);
        if is_added || before.is_some() {
            self.undo.push(Undo::Young(place, before.clone()));
        }
        before
    }

    /// Writes records of those that are too old to be without.
    pub(super) fn write_old(&mut self) -> Result<(), Fault> {
        while let Some(place) = self.young.oldest_beyond(self.young_bounds, self.next_message)
            && let Some(old) = self.set_young(place, None)
        {
            self.write_head(&old.pending(place))?;
        }
        Ok(())
    }

    /// Writes the record of a head that has none as a head.
    pub(super) fn write_head(&mut self, pending: &Pending) -> Result<(), Fault> {
        let written = pending.write(self.write()?);
        self.checked(written)?;
        self.set_in_file(pending.lane, true);
        Ok(())
    }
}

/// The column of `meta`, if the file has it.
pub(super) fn floor(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    if format(connection)? < WITH_FLOOR {
        return Ok(None);
    }
    connection.prepare_cached("SELECT floor FROM meta")?.query_row([], |row| row.get(0))
}

/// The format that brought it.
const WITH_FLOOR: i64 = 5;

/// Looks at messages before the end of a range, newest first, and at so many at most: tells of each whether a delivery of it, in
/// this lane or in any, has no record and so waits; gives the last one if there are more.
pub(super) fn find(
    connection: &Connection,
    lane: Option<LaneId>,
    range: &Range<i64>,
    limit: usize,
    mut found: impl FnMut(i64, bool),
) -> rusqlite::Result<Option<i64>> {
    let Some(floor) = floor(connection)? else { return Ok(None) };
    let mut select = connection.prepare_cached(
        "SELECT seq, fanout FROM message WHERE seq >= ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
    )?;
    let mut rows = select.query([floor.max(range.start), range.end, int(limit as u64)])?;
    let (mut looked, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        let seq = row.get(0)?;
        let mut waits = false;
        for (of, n) in fanout_of(fanout(row, 1)) {
            waits = lane.is_none_or(|lane| lane == of) && !has_record(connection, seq, of, n)?;
            if waits {
                break;
            }
        }
        found(seq, waits);
        (looked, last) = (looked + 1, Some(seq));
    }
    Ok(last.filter(|_| looked == limit))
}

/// The message that has this delivery, among those that may have one that no record says anything of.
pub(super) fn message_of(
    connection: &Connection,
    lane: LaneId,
    n: DeliveryId,
) -> rusqlite::Result<Option<i64>> {
    let Some(floor) = floor(connection)? else { return Ok(None) };
    let mut select =
        connection.prepare_cached("SELECT seq, fanout FROM message WHERE seq >= ?1 ORDER BY seq")?;
    let mut rows = select.query([floor])?;
    while let Some(row) = rows.next()? {
        if fanout_of(fanout(row, 1)).any(|place| place == (lane, n)) {
            return row.get(0).map(Some);
        }
    }
    Ok(None)
}

/// The column of a message's deliveries, as far as it is one.
fn fanout<'r>(row: &'r Row<'_>, column: usize) -> &'r [u8] {
    row.get_ref(column).ok().and_then(|column| column.as_bytes_or_null().ok().flatten()).unwrap_or_default()
}

fn has_record(connection: &Connection, seq: i64, lane: LaneId, n: DeliveryId) -> rusqlite::Result<bool> {
    let mut select = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM settled WHERE seq = ?1 AND lane = ?2 AND n = ?3)
             OR EXISTS (SELECT 1 FROM pending WHERE lane = ?2 AND n = ?3)",
    )?;
    select.query_row(params![seq, int(lane.0), int(n.0)], |row| row.get(0))
}

/// What is wrong with messages from the floor on.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Whether any is not what was written.
    any: bool,
    /// Those of them that no delivery which waits leads to, so that nobody else tells of them.
    broken: Vec<(i64, Broken)>,
    /// Deliveries without a record whose key has a head already.
    strays: Vec<Pending>,
}

/// Takes them from the file, and into what is held of their lanes.
pub(super) fn load(
    connection: &Connection,
    lanes: &mut HashMap<LaneId, Box<Held>>,
) -> rusqlite::Result<(Young, Damage)> {
    let (mut young, mut damage) = (Young::default(), Damage::default());
    let Some(floor) = floor(connection)? else { return Ok((young, damage)) };
    let mut select =
        connection.prepare(&format!("SELECT {MESSAGE} FROM message WHERE seq >= ?1 ORDER BY seq"))?;
    let mut rows = select.query([floor])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let read = one(MessageRow::read(row), || format!("message {seq}"))?;
        let mut broken = None;
        let message = match read.unwrap_or_else(|| Err(Broken(format!("message {seq}")))) {
            Ok(message) => message,
            // What waits of it is claimed at once, and then put aside.
            Err(found) => {
                (damage.any, broken) = (true, Some(found));
                MessageRow::hollow(seq, fanout_of(fanout(row, 7)).collect())
            }
        };
        let keyh = row.get(3).unwrap_or(0);
        for &(lane, n) in &message.fanout {
            // What a damaged message says of lanes and numbers can be anything.
            let Some(held) = lanes.get_mut(&lane).filter(|held| n.0 <= held.row.last) else { continue };
            if has_record(connection, seq, lane, n)? {
                continue;
            }
            let (spare, accepted) = (message.supersedable, message.accepted);
            let pending = Pending {
                lane,
                n,
                seq,
                keyh,
                spare,
                accepted,
                attempts: 0,
                head: true,
                due: accepted,
                outage: None,
            };
            broken = None;
            held.backlog += 1;
            match held.heads.entry(keyh) {
                Entry::Vacant(head) => {
                    head.insert(n);
                    young.set((lane, n), Some(Delivery::new(&pending, None, 0)));
                }
                Entry::Occupied(_) => damage.strays.push(Pending { head: false, ..pending }),
            }
        }
        damage.broken.extend(broken.map(|broken| (seq, broken)));
    }
    Ok((young, damage))
}

impl SqliteStore {
    /// Sees to it that everything that waits is found, whatever is damaged, and that a person is told.
    pub(super) fn mend(&mut self, damage: &Damage) -> Result<(), Fault> {
        if !damage.any && damage.strays.is_empty() {
            return Ok(());
        }
        let now = self.newest()?.unwrap_or(Timestamp::from_micros(0));
        for (seq, broken) in &damage.broken {
            let what = format!("message {seq}");
            let known = self.connection()?.query_row(
                "SELECT EXISTS (SELECT 1 FROM quarantine WHERE what = ?1)",
                [&what],
                |row| row.get(0),
            );
            if !self.checked(known)? {
                self.quarantine(broken, &what, now)?;
            }
        }
        for stray in &damage.strays {
            let written = stray.write(self.write()?);
            self.checked(written)?;
        }
        // A key whose head is not known any more would wait for ever.
        let behind = self
            .begin()?
            .prepare("SELECT lane, keyh, min(n) FROM pending WHERE head = 0 GROUP BY lane, keyh")
            .and_then(|mut select| {
                let number = |row: &Row<'_>, column| row.get::<_, i64>(column).map(i64::cast_unsigned);
                let read =
                    |row: &Row<'_>| Ok((LaneId(number(row, 0)?), row.get(1)?, DeliveryId(number(row, 2)?)));
                select.query_map([], read)?.collect::<rusqlite::Result<Vec<_>>>()
            });
        for (lane, keyh, n) in self.checked(behind)? {
            if self.head(lane, keyh).is_none()
                && let Some(Ok(pending)) = self.pending(lane, n)?
            {
                self.set_head(lane, keyh, Some(n));
                self.write_head(&Pending { head: true, ..pending })?;
            }
        }
        self.commit().map(drop)
    }
}

#[cfg(test)]
mod tests;
