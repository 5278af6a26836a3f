//! Questions to the records of what is not settled.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::archive::edge::edge;
use super::rows::{Broken, MESSAGE, MessageRow, PENDING, Pending, fanout_of, int, time};
use super::{SqliteStore, young};
use crate::clock::Timestamp;
use crate::message::{Message, MessageId, OrderKey};
use crate::store::{DeliveryId, Fault, LaneId, Wanted};

/// A query's one row, or that there is none, or that it is broken: a flipped bit can also make a column that is not of its
/// type.
pub(super) fn one<T>(
    result: rusqlite::Result<Result<T, Broken>>,
    what: impl FnOnce() -> String,
) -> rusqlite::Result<Option<Result<T, Broken>>> {
    match result {
        Err(
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..),
        ) => Ok(Some(Err(Broken(what())))),
        other => other.optional(),
    }
}

/// How many messages are looked at in one place for one that goes to a lane.
const MAX_PASSED: i64 = 256;

/// The message that became this delivery. It is found for certain if it is so late that a delivery without a record waits there:
/// this one must not come back as such. Others are found by halving, as in a lane numbers rise with messages; but one of a
/// lane which others far outnumber may not be.
fn message_with(
    connection: &Connection,
    lane: LaneId,
    n: DeliveryId,
    named: i64,
) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT seq, fanout FROM message WHERE seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT ?3",
    )?;
    // The first message that goes to the lane, and the delivery that it became there.
    let mut first = |from: i64, to: i64| -> rusqlite::Result<Option<(i64, DeliveryId)>> {
        let mut rows = select.query([from, to, MAX_PASSED])?;
        while let Some(row) = rows.next()? {
            let fanout: Vec<u8> = row.get(1).unwrap_or_default();
            if let Some((_, found)) = fanout_of(&fanout).find(|(of, _)| *of == lane) {
                return Ok(Some((row.get(0)?, found)));
            }
        }
        Ok(None)
    };
    if first(named, named.saturating_add(1))?.is_some_and(|(_, found)| found == n) {
        return Ok(Some(named));
    }
    if let Some(late) = young::message_of(connection, lane, n)? {
        return Ok(Some(late));
    }
    let ends = "SELECT min(seq), max(seq) FROM message";
    let ends: (Option<i64>, Option<i64>) =
        connection.prepare_cached(ends)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(low), Some(high)) = ends else { return Ok(None) };
    // Only damage makes a number that is negative, or the largest.
    let (low, high) = (low.max(0), high.saturating_add(1));
    let found = edge(low, high, |from, to| Ok(first(from, to)?.map(|(seq, found)| (seq, found < n))))?;
    Ok(first(found, high)?.filter(|(_, found)| *found == n).map(|(seq, _)| seq))
}

/// Numbers of heads that are due.
#[derive(Default)]
struct Due {
    /// By their times, which stand before them.
    by_time: Vec<(i64, i64)>,
    /// Because the receiver came back.
    back: Vec<i64>,
}

impl SqliteStore {
    /// The oldest delivery of a key that stands behind its head.
    pub(super) fn first_behind(&mut self, lane: LaneId, keyh: i64) -> Result<Option<DeliveryId>, Fault> {
        if self.lanes.get(&lane).is_some_and(|held| !held.has_followers()) {
            return Ok(None);
        }
        let found = self
            .begin()?
            .prepare_cached(
                "SELECT n FROM pending WHERE lane = ?1 AND keyh = ?2 AND head = 0 ORDER BY n LIMIT 1",
            )
            .and_then(|mut select| {
                select.query_row(params![int(lane.0), keyh], |row| row.get::<_, i64>(0)).optional()
            });
        Ok(self.checked(found)?.map(|n| DeliveryId(n.cast_unsigned())))
    }

    /// All deliveries of a key, oldest first.
    pub(super) fn of_key(&mut self, lane: LaneId, keyh: i64) -> Result<Vec<DeliveryId>, Fault> {
        let Some(head) = self.head(lane, keyh) else { return Ok(Vec::new()) };
        let behind = self
            .begin()?
            .prepare_cached("SELECT n FROM pending WHERE lane = ?1 AND keyh = ?2 AND head = 0 ORDER BY n")
            .and_then(|mut select| {
                let numbers = select.query_map(params![int(lane.0), keyh], |row| row.get::<_, i64>(0))?;
                numbers.collect::<rusqlite::Result<Vec<_>>>()
            });
        let behind = self.checked(behind)?.into_iter().map(|n| DeliveryId(n.cast_unsigned()));
        Ok(std::iter::once(head).chain(behind).collect())
    }

    /// Heads that are due and not claimed, oldest first.
    pub(super) fn due(&mut self, wanted: Wanted, now: Timestamp) -> Result<Vec<DeliveryId>, Fault> {
        let Due { by_time: mut due, back: mut found } =
            if self.is_in_file(wanted.lane) { self.due_in_file(wanted, now)? } else { Due::default() };
        let is_free = |n: &i64| !self.is_claimed(wanted.lane, DeliveryId(n.cast_unsigned()));
        due.retain(|(_, n)| is_free(n));
        found.retain(is_free);
        let young = self.young.of_lane(wanted.lane).filter(|young| young.due <= now);
        let young = young.map(|young| (time(young.due), int(young.n.0))).filter(|(_, n)| is_free(n));
        due.extend(young.take(wanted.limit));
        due.sort_unstable();
        found.extend(due.into_iter().take(wanted.limit).map(|(_, n)| n));
        found.sort_unstable();
        found.dedup();
        Ok(found.into_iter().take(wanted.limit).map(|n| DeliveryId(n.cast_unsigned())).collect())
    }

    /// Those of them that have a record, and the claimed ones.
    fn due_in_file(&mut self, wanted: Wanted, now: Timestamp) -> Result<Due, Fault> {
        let limit = int((wanted.limit + self.claims(wanted.lane)) as u64);
        let lane = int(wanted.lane.0);
        let connection = self.begin()?;
        let due = connection
            .prepare_cached(
                "SELECT due, n FROM pending WHERE lane = ?1 AND head = 1 AND due <= ?2 ORDER BY due, n LIMIT ?3",
            )
            .and_then(|mut select| {
                let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
                select.query_map(params![lane, time(now), limit], read)?.collect::<rusqlite::Result<Vec<_>>>()
            });
        let back = connection
            .prepare_cached(
                "SELECT n FROM pending WHERE lane = ?1 AND outage < ?2 AND outage IS NOT NULL
                 ORDER BY outage, n LIMIT ?3",
            )
            .and_then(|mut select| {
                let numbers =
                    select.query_map(params![lane, wanted.epoch, limit], |row| row.get::<_, i64>(0))?;
                numbers.collect::<rusqlite::Result<Vec<_>>>()
            });
        Ok(Due { by_time: self.checked(due)?, back: self.checked(back)? })
    }

    /// When the next head that is not claimed is due.
    pub(super) fn next_due(&mut self, wanted: Wanted, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
        let is_free = |young: &Pending| !self.is_claimed(young.lane, young.n);
        let young = self.young.of_lane(wanted.lane).find(is_free).map(|young| young.due);
        let written = if self.is_in_file(wanted.lane) { self.next_in_file(wanted, now)? } else { None };
        Ok(young.into_iter().chain(written).min())
    }

    /// The same of those that have a record.
    fn next_in_file(&mut self, wanted: Wanted, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
        let limit = int(self.claims(wanted.lane) as u64 + 1);
        let lane = int(wanted.lane.0);
        let connection = self.begin()?;
        let soonest = connection
            .prepare_cached(
                "SELECT n, due FROM pending WHERE lane = ?1 AND head = 1 ORDER BY due, n LIMIT ?2",
            )
            .and_then(|mut select| {
                let rows = select.query_map(params![lane, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect::<rusqlite::Result<Vec<(i64, i64)>>>()
            });
        let back = connection
            .prepare_cached(
                "SELECT n, ?3 FROM pending WHERE lane = ?1 AND outage < ?2 AND outage IS NOT NULL
                 ORDER BY outage, n LIMIT ?4",
            )
            .and_then(|mut select| {
                let rows = select.query_map(params![lane, wanted.epoch, time(now), limit], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
                rows.collect::<rusqlite::Result<Vec<(i64, i64)>>>()
            });
        let (soonest, back) = (self.checked(soonest)?, self.checked(back)?);
        if soonest.is_empty() {
            self.set_in_file(wanted.lane, false);
        }
        let free = |rows: Vec<(i64, i64)>| {
            rows.into_iter().find(|(n, _)| !self.is_claimed(wanted.lane, DeliveryId(n.cast_unsigned())))
        };
        let times = free(back).into_iter().chain(free(soonest)).map(|(_, due)| due);
        Ok(times.min().map(|due| Timestamp::from_micros(due.cast_unsigned())))
    }

    /// When the oldest unsettled delivery was accepted.
    pub(super) fn oldest(&self, lane: LaneId) -> Result<Option<Timestamp>, Fault> {
        let young = self.young.of_lane(lane).next().map(|young| young.accepted);
        if !self.is_in_file(lane) {
            return Ok(young);
        }
        let found = self
            .connection()?
            .prepare_cached("SELECT accepted FROM pending WHERE lane = ?1 ORDER BY n LIMIT 1")
            .and_then(|mut select| select.query_row([int(lane.0)], |row| row.get::<_, i64>(0)).optional());
        let written = self.checked(found)?.map(|accepted| Timestamp::from_micros(accepted.cast_unsigned()));
        Ok(written.into_iter().chain(young).min())
    }

    /// A delivery that is not settled.
    pub(super) fn pending(
        &mut self,
        lane: LaneId,
        n: DeliveryId,
    ) -> Result<Option<Result<Pending, Broken>>, Fault> {
        if let Some(young) = self.young.get(lane, n) {
            return Ok(Some(Ok(young.pending((lane, n)))));
        }
        let found = self
            .begin()?
            .prepare_cached(&format!("SELECT {PENDING} FROM pending WHERE lane = ?1 AND n = ?2"))
            .and_then(|mut select| {
                let row = select.query_row(params![int(lane.0), int(n.0)], Pending::read);
                one(row, || format!("pending delivery {} of {lane}", n.0))
            });
        self.checked(found)
    }

    pub(super) fn message_of(&mut self, seq: i64) -> Result<Result<Arc<Message>, Broken>, Fault> {
        let row = self.message(seq)?;
        Ok(row.map(|row| {
            Arc::new(Message {
                id: MessageId::from(row.id.as_str()),
                key: OrderKey::from(row.key.as_str()),
                supersedable: row.supersedable,
                body: row.body,
            })
        }))
    }

    /// The message of a delivery, where what its record says is not to be believed: the one that it names, if that knows it,
    /// or else the one that does; or the named one after all, if none is found.
    pub(super) fn true_message(&mut self, lane: LaneId, n: DeliveryId, named: i64) -> Result<i64, Fault> {
        let connection = self.begin()?;
        let found = message_with(connection, lane, n, named);
        Ok(self.checked(found)?.unwrap_or(named))
    }

    fn message(&mut self, seq: i64) -> Result<Result<MessageRow, Broken>, Fault> {
        let found =
            self.begin()?.prepare_cached(&format!("SELECT {MESSAGE} FROM message WHERE seq = ?1")).and_then(
                |mut select| one(select.query_row([seq], MessageRow::read), || format!("message {seq}")),
            );
        let missing = || Err(Broken(format!("message {seq} is missing")));
        Ok(self.checked(found)?.unwrap_or_else(missing))
    }
}
