//! Looking at a store: lists for people, over connections that only read and that do not disturb the one that writes.
//!
//! The calls block; whoever is asynchronous makes them on a thread for that. Every row is verified; a broken one is shown as
//! such, in its place.

pub(super) mod edge;
mod lanes;
pub(super) mod search;
mod view;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::documents::DOCUMENT;
use super::queries::one;
use super::rows::{
    Broken, LANE, LaneRow, MessageRow, PENDING, Pending, SettledRow, by_message, int, message_columns,
    settled_columns, settled_place,
};
use super::young;
use crate::clock::Timestamp;
use crate::store::{AttemptRecord, DeliveryId, Document, LaneId, LaneState, Parts, Sequence};

pub use view::{Delivery, Detail, Labels, Page, State, Status, Unrouted, Wanted};

use lanes::Group;
pub use search::MAX_WORK;
use search::of_key;

/// How many idle connections are kept.
const MAX_IDLE: usize = 4;

/// How many statements a connection keeps prepared: more than there are here.
const STATEMENTS: usize = 64;

/// Why a look failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot be read: {0}")]
pub struct ReadError(String);

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Broken> for ReadError {
    fn from(broken: Broken) -> Self {
        Self(format!("a damaged record: {}", broken.0))
    }
}

/// The records of a store, to read.
#[derive(Debug)]
pub struct Archive {
    database: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Archive {
    /// The archive of the store in a folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { database: folder.join("store.sqlite"), idle: Mutex::default() }
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let made = Connection::open_with_flags(&self.database, flags)?;
                made.busy_timeout(std::time::Duration::from_secs(2))?;
                made.set_prepared_statement_cache_capacity(STATEMENTS);
                made
            }
        };
        // One look sees one state of the store, however long it takes.
        connection.execute_batch("BEGIN")?;
        let result = work(&connection);
        connection.execute_batch("COMMIT")?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_ok() && idle.len() < MAX_IDLE {
            idle.push(connection);
        }
        result
    }

    /// Lanes by number, with their names and states.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn lanes(&self) -> Result<Vec<(LaneId, String, LaneState)>, ReadError> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(&format!("SELECT {LANE} FROM lane ORDER BY id"))?;
            let rows = select.query_map([], LaneRow::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
            rows.into_iter()
                .map(|row| row.map(|row| (row.id, row.name, row.state)).map_err(ReadError::from))
                .collect()
        })
    }

    /// The records of a kind that are sound, latest id first, at most so many of those before an id.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn documents(
        &self,
        kind: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, ReadError> {
        self.read(|connection| {
            if !super::documents::are_there(connection)? {
                return Ok(Vec::new());
            }
            // Every blob comes after every text, so that this is one range of the key, with an id and without.
            let sql = format!(
                "SELECT {DOCUMENT} FROM document WHERE kind = ?1 AND id < coalesce(?2, x'') ORDER BY id DESC LIMIT ?3"
            );
            let mut select = connection.prepare_cached(&sql)?;
            let rows = select.query_map(params![kind, before, int(limit as u64)], super::documents::read)?;
            Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
        })
    }

    /// Deliveries, newest message first. One call does [`MAX_WORK`] at most; whoever wants more goes on at the page's `next`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn deliveries(&self, wanted: &Wanted) -> Result<Page, ReadError> {
        self.read(|connection| Ok(search::deliveries(connection, wanted, MAX_WORK)?))
    }

    /// One delivery with its attempts and its body; `None` if there is none, or none any more.
    ///
    /// # Errors
    /// If the file cannot be read, or the record is damaged.
    pub fn delivery(&self, lane: LaneId, id: DeliveryId) -> Result<Option<Detail>, ReadError> {
        self.read(|connection| {
            let place = params![int(lane.0), int(id.0)];
            let waits = "SELECT seq FROM pending WHERE lane = ?1 AND n = ?2";
            let mut waits = connection.prepare_cached(waits)?;
            let mut seq: Option<i64> = waits.query_row(place, |row| row.get(0)).optional()?;
            if seq.is_none() {
                seq = ended(connection, lane, id)?;
            }
            if seq.is_none() {
                seq = young::message_of(connection, lane, id)?;
            }
            let Some(seq) = seq else { return Ok(None) };
            detail(connection, seq, (lane, id))
        })
    }

    /// All that is known of a delivery that was listed; `None` if it is not there any more.
    ///
    /// # Errors
    /// If the file cannot be read, or the record is damaged.
    pub fn detail(&self, listed: &Delivery) -> Result<Option<Detail>, ReadError> {
        self.read(|connection| detail(connection, int(listed.sequence.0), (listed.lane, listed.id)))
    }

    /// The attempts of a delivery that was listed, oldest first.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn attempts(&self, listed: &Delivery) -> Result<Vec<AttemptRecord>, ReadError> {
        self.read(|connection| Ok(attempts(connection, int(listed.sequence.0), (listed.lane, listed.id))?))
    }

    /// For each delivery the latest one of its lane whose message has the same id, came later, and has the order key that
    /// `key` makes of its own: what it was sent again as.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn sent_again(
        &self,
        deliveries: &[Delivery],
        key: impl Fn(&str) -> String,
    ) -> Result<Vec<Option<DeliveryId>>, ReadError> {
        self.read(|connection| {
            let later = |delivery: &Delivery| later(connection, delivery, &key(&delivery.key));
            Ok(deliveries.iter().map(later).collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Messages that went nowhere, newest first, and where to go on, if there may be more. One call does [`MAX_WORK`] at most.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn unrouted(
        &self,
        before: Option<Sequence>,
        limit: usize,
    ) -> Result<(Vec<Unrouted>, Option<Sequence>), ReadError> {
        self.read(|connection| Ok(search::unrouted(connection, before, limit, MAX_WORK)?))
    }

    /// How many keys of each lane are blocked: their oldest delivery waits for its next attempt. Lanes without one are left
    /// out. The index alone is read, and of it what waits.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn blocked(&self, now: Timestamp) -> Result<HashMap<LaneId, u64>, ReadError> {
        self.read(|connection| {
            let sql = "SELECT lane, count(*) FROM pending WHERE head = 1 AND due > ?1 GROUP BY lane";
            let mut select = connection.prepare_cached(sql)?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
            let counted = select.query_map([super::rows::time(now)], read)?;
            let of = |(lane, count): (i64, i64)| (LaneId(lane.cast_unsigned()), count.cast_unsigned());
            Ok(counted.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().map(of).collect())
        })
    }
}

fn message(connection: &Connection, seq: i64) -> rusqlite::Result<Option<Result<MessageRow, Broken>>> {
    let columns = message_columns(connection)?;
    let mut select = connection.prepare_cached(&format!("SELECT {columns} FROM message WHERE seq = ?1"))?;
    one(select.query_row([seq], MessageRow::read), || format!("message {seq}"))
}

fn detail(
    connection: &Connection,
    seq: i64,
    (lane, id): (LaneId, DeliveryId),
) -> Result<Option<Detail>, ReadError> {
    let Some(message) = message(connection, seq)?.transpose()? else { return Ok(None) };
    Ok(Some(Detail {
        delivery: delivery(connection, &message, (lane, id), None)?,
        attempts: attempts(connection, seq, (lane, id))?,
        supersedable: message.supersedable,
        body: message.body.into(),
    }))
}

/// How many messages of a key are looked at for one that was sent again.
const MAX_LATER: u64 = 64;

fn later(connection: &Connection, delivery: &Delivery, key: &str) -> rusqlite::Result<Option<DeliveryId>> {
    let after = int(delivery.sequence.0).saturating_add(1);
    let (mut left, mut found) = (MAX_LATER, None);
    of_key(connection, key, &(after..i64::MAX), |seq| {
        let Some(seq) = seq else { return Ok(ControlFlow::Continue(())) };
        if let Some(Ok(message)) = message(connection, seq)?
            && message.key == key
            && message.id == delivery.message
        {
            found = message.fanout.iter().find(|(lane, _)| *lane == delivery.lane).map(|(_, id)| *id);
            return Ok(ControlFlow::Break(()));
        }
        left -= 1;
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}

/// The number of a lane's newest delivery.
fn last(connection: &Connection, lane: i64) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached("SELECT last FROM lane WHERE id = ?1")?;
    select.query_row([lane], |row| row.get(0)).optional()
}

/// The message of a delivery that came to its end.
fn ended(connection: &Connection, lane: LaneId, id: DeliveryId) -> rusqlite::Result<Option<i64>> {
    let (lane, n) = (int(lane.0), int(id.0));
    if last(connection, lane)?.is_some_and(|last| n > last) {
        return Ok(None);
    }
    if !by_message(connection)? {
        let mut select = connection.prepare_cached("SELECT seq FROM settled WHERE lane = ?1 AND n = ?2")?;
        return select.query_row([lane, n], |row| row.get(0)).optional();
    }
    let mut select = connection.prepare_cached(
        "SELECT seq FROM settled INDEXED BY settled_of_lane WHERE seq >> 12 = ?1 AND lane = ?2 AND n = ?3",
    )?;
    let mut group = Group::before(connection, i64::MAX)?;
    while let Some(messages) = group {
        let found = select.query_row([messages.number, lane, n], |row| row.get(0)).optional()?;
        if found.is_some() {
            return Ok(found);
        }
        group = Group::before(connection, messages.first())?;
    }
    Ok(None)
}

fn settled(
    connection: &Connection,
    seq: i64,
    (lane, id): (LaneId, DeliveryId),
) -> rusqlite::Result<Option<Result<SettledRow<'static>, Broken>>> {
    let columns = settled_columns(connection)?;
    let sql = format!("SELECT {columns} FROM settled WHERE {}", settled_place(connection)?);
    let mut select = connection.prepare_cached(&sql)?;
    one(select.query_row([seq, int(lane.0), int(id.0)], SettledRow::read), || "a record".to_owned())
}

/// How a delivery of a message is.
fn delivery(
    connection: &Connection,
    message: &MessageRow,
    (lane, id): (LaneId, DeliveryId),
    label: Option<&'static str>,
) -> rusqlite::Result<Delivery> {
    let place = params![int(lane.0), int(id.0)];
    let mut select =
        connection.prepare_cached(&format!("SELECT {PENDING} FROM pending WHERE lane = ?1 AND n = ?2"))?;
    let pending = one(select.query_row(place, Pending::read), || "a record".to_owned())?;
    let settled = settled(connection, message.seq, (lane, id))?;
    let mut last = None;
    let (attempts, status) = match (pending, settled) {
        (Some(Ok(pending)), _) if pending.head => (pending.attempts, Status::Due(pending.due)),
        (Some(Ok(pending)), _) => (pending.attempts, Status::Behind),
        (None, Some(Ok(settled))) => {
            last = settled.attempt.map(Cow::into_owned);
            (settled.attempts, Status::Settled(settled.settled, settled.at))
        }
        (Some(Err(broken)), _) | (None, Some(Err(broken))) => (0, Status::Unreadable(broken.0)),
        (None, None) if young::floor(connection)?.is_some_and(|floor| message.seq >= floor) => {
            (0, Status::Due(message.accepted))
        }
        (None, None) => (0, Status::Unreadable("it has no record".to_owned())),
    };
    if last.is_none() {
        // What was tried for days has hundreds of attempts: a list reads one of each.
        let mut select = connection.prepare_cached(&format!(
            "SELECT {} FROM attempt WHERE lane = ?1 AND n = ?2 ORDER BY number DESC, at DESC LIMIT 1",
            super::attempts::columns(connection)?
        ))?;
        let found = one(select.query_row(place, super::attempts::read), || "an attempt".to_owned())?;
        last = found.map(|attempt| attempt.unwrap_or_else(damaged));
    }
    Ok(Delivery {
        lane,
        id,
        sequence: Sequence(message.seq.cast_unsigned()),
        message: message.id.clone(),
        key: message.key.clone(),
        accepted: message.accepted,
        label,
        attempts,
        status,
        last,
    })
}

fn attempts(
    connection: &Connection,
    seq: i64,
    (lane, id): (LaneId, DeliveryId),
) -> rusqlite::Result<Vec<AttemptRecord>> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT {} FROM attempt WHERE lane = ?1 AND n = ?2 ORDER BY number, at",
        super::attempts::columns(connection)?
    ))?;
    // A flipped bit can also make a column that is not of its type: then too the others are shown.
    let read = |row: &rusqlite::Row<'_>| Ok(one(super::attempts::read(row), || "an attempt".to_owned()));
    let rows = select.query_map(params![int(lane.0), int(id.0)], read)?;
    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter();
    let rows = rows.filter_map(Result::transpose);
    let mut attempts: Vec<_> =
        rows.map(|row| Ok(row?.unwrap_or_else(damaged))).collect::<rusqlite::Result<_>>()?;
    if let Some(Ok(settled)) = settled(connection, seq, (lane, id))? {
        attempts.extend(settled.attempt.map(Cow::into_owned));
    }
    Ok(attempts)
}

/// Stands in the place of an attempt whose record is not what was written.
fn damaged(Broken(what): Broken) -> AttemptRecord {
    AttemptRecord {
        number: 0,
        at: Timestamp::from_micros(0),
        word: "damaged".into(),
        outcome: format!("a damaged record: {what}"),
        status: None,
        took: std::time::Duration::ZERO,
        response: String::new(),
        parts: Parts::default(),
    }
}

#[cfg(test)]
mod tests;
