//! What an accept is known by: two digests in the record of its message, and when that goes, a row of `once`.

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, ToSql, params};

use super::SqliteStore;
use super::archive::edge::accepted_since;
use super::queries::one;
use super::rows::{Broken, MESSAGE, MessageRow, Seal, int, time};
use super::seen::{self, PART, Seen};
use super::sweep::{ONCE_FOR, earlier};
use crate::clock::Timestamp;
use crate::message::MessageId;
use crate::store::{Appended, Digest, Fault, Sequence};

/// A row of `once`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OnceRow {
    pub(super) digest: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) seq: i64,
    pub(super) id: String,
    pub(super) deliveries: i64,
    pub(super) at: i64,
}

pub(super) const ONCE: &str = "digest, body, seq, id, deliveries, at, crc";

impl OnceRow {
    /// What is to be known of a message without it.
    pub(super) fn of(message: &MessageRow) -> Option<Self> {
        let (digest, body) = message.once?;
        Some(Self {
            digest: digest.to_vec(),
            body: body.to_vec(),
            seq: message.seq,
            id: message.id.clone(),
            deliveries: int(message.fanout.len() as u64),
            at: time(message.accepted),
        })
    }

    fn crc(&self) -> i64 {
        Seal::of("once")
            .bytes(&self.digest)
            .bytes(&self.body)
            .int(self.seq)
            .bytes(self.id.as_bytes())
            .int(self.deliveries)
            .int(self.at)
            .crc()
    }

    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut insert = connection.prepare_cached(
            "INSERT OR REPLACE INTO once (digest, body, seq, id, deliveries, at, crc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        insert.execute(params![
            self.digest,
            self.body,
            self.seq,
            self.id,
            self.deliveries,
            self.at,
            self.crc()
        ])?;
        Ok(())
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, Broken>> {
        let once = Self {
            digest: row.get(0)?,
            body: row.get(1)?,
            seq: row.get(2)?,
            id: row.get(3)?,
            deliveries: row.get(4)?,
            at: row.get(5)?,
        };
        let whole = once.crc() == row.get::<_, i64>(6)?;
        Ok(if whole { Ok(once) } else { Err(Broken(format!("that of message {}", once.seq))) })
    }
}

/// What became of an accept with this digest before, if there was one.
pub(super) fn before(
    store: &mut SqliteStore,
    digest: &Digest,
    body: &Digest,
    now: Timestamp,
) -> Result<Option<Appended>, Fault> {
    let parts: Vec<_> = store.seen.parts(digest).collect();
    if parts.is_empty() {
        return Ok(None);
    }
    let connection = store.begin()?;
    let found = parts.into_iter().find_map(|part| find(connection, part, digest, until(now)).transpose());
    let Some(first) = store.checked(found.transpose())? else { return Ok(None) };
    Ok(Some(if first.body == body {
        Appended::Again {
            sequence: Sequence(first.seq.cast_unsigned()),
            id: MessageId::from(first.id.as_str()),
            deliveries: usize::try_from(first.deliveries).unwrap_or(0),
        }
    } else {
        Appended::Conflict
    }))
}

/// What was accepted before then is not known any more.
fn until(now: Timestamp) -> i64 {
    time(earlier(now, ONCE_FOR))
}

/// The newest accept with this digest in one part, that was not before `until`.
fn find(
    connection: &Connection,
    part: i64,
    digest: &Digest,
    until: i64,
) -> rusqlite::Result<Option<OnceRow>> {
    let place = format!("WHERE seq >> {PART} = ?1 AND substr(digest, 1, 8) = ?2 AND digest = ?3");
    let wanted = params![part, &digest[..8], digest.as_slice(), until];
    let sql = format!(
        "SELECT {MESSAGE} FROM message INDEXED BY message_of_digest {place} AND accepted >= ?4 ORDER BY seq DESC"
    );
    let message = |row: &Row<'_>| Ok(MessageRow::read(row)?.map(|message| OnceRow::of(&message)));
    if let Some(once) = first_sound(connection, &sql, wanted, message)? {
        return Ok(Some(once));
    }
    let sql = format!("SELECT {ONCE} FROM once {place} AND at >= ?4 ORDER BY seq DESC");
    first_sound(connection, &sql, wanted, |row| Ok(OnceRow::read(row)?.map(Some)))
}

/// The first row that says something. What a damaged one says is not known: rather twice than never, and the scrubber tells of it.
fn first_sound(
    connection: &Connection,
    sql: &str,
    wanted: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Result<Option<OnceRow>, Broken>>,
) -> rusqlite::Result<Option<OnceRow>> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(wanted)?;
    while let Some(row) = or_if_corrupt(rows.next(), None)? {
        if let Some(Ok(Some(once))) = or_if_corrupt(one(read(row), String::new), None)? {
            return Ok(Some(once));
        }
    }
    Ok(None)
}

/// What stands on a page that is none any more is not known either, and holds nobody.
fn or_if_corrupt<T>(found: rusqlite::Result<T>, instead: T) -> rusqlite::Result<T> {
    match found {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(instead),
        other => other,
    }
}

/// Keeps what a message is known by that is about to go, if it is not to be forgotten yet.
pub(super) fn keep(connection: &Connection, message: &MessageRow, now: Timestamp) -> rusqlite::Result<()> {
    match OnceRow::of(message) {
        Some(once) if once.at >= until(now) => once.write(connection),
        _ => Ok(()),
    }
}

/// Forgets some accepts that were long before, oldest first, or that are too many; says whether there may be more.
pub(super) fn forget(store: &mut SqliteStore, now: Timestamp, limit: usize) -> Result<bool, Fault> {
    let (until, known) = (until(now), seen::oldest_known(store.next_message));
    let oldest = "SELECT seq, at FROM once ORDER BY seq LIMIT 1";
    let connection = store.connection()?;
    let oldest = connection.prepare_cached(oldest).and_then(|mut select| {
        select.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()
    });
    let oldest = store.checked(oldest)?;
    if oldest.is_none_or(|(seq, at)| at >= until && seq >= known) {
        return Ok(false);
    }
    let deleted = store
        .write()?
        .prepare_cached(
            "DELETE FROM once WHERE seq IN
             (SELECT seq FROM (SELECT seq, at FROM once ORDER BY seq LIMIT ?3) WHERE at < ?1 OR seq < ?2)",
        )
        .and_then(|mut delete| delete.execute(params![until, known, int(limit as u64)]));
    Ok(store.checked(deleted)? == limit)
}

/// Forgets where accepts may be found that are not known any more.
pub(super) fn forget_places(store: &mut SqliteStore, now: Timestamp) -> Result<(), Fault> {
    let connection = store.connection()?;
    let oldest = connection.query_row("SELECT min(seq) FROM once", [], |row| row.get::<_, Option<i64>>(0));
    let of_messages = or_if_corrupt(accepted_since(connection, earlier(now, ONCE_FOR)), 0);
    let (oldest, of_messages) = (store.checked(oldest)?, store.checked(of_messages)?);
    store.seen.forget_before(oldest.map_or(of_messages, |oldest| oldest.min(of_messages)));
    Ok(())
}

/// Where accepts may be found, as the file has them. Of messages the index alone is read.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Seen> {
    let mut seen = Seen::default();
    let mut add = |sql: &str, from: i64| -> rusqlite::Result<()> {
        let mut select = connection.prepare(sql)?;
        let mut rows = select.query([from])?;
        while let Some(row) = rows.next()? {
            // A damaged one is found by nobody, and reported by the scrubber.
            if let Some(digest) = row.get_ref(1)?.as_bytes_or_null()? {
                seen.add(row.get(0)?, digest);
            }
        }
        Ok(())
    };
    add("SELECT seq, digest FROM once WHERE seq >= ?1 ORDER BY seq", i64::MIN)?;
    let first = match or_if_corrupt(newest(connection), None)? {
        Some(newest) => or_if_corrupt(accepted_since(connection, earlier(newest, ONCE_FOR)), 0)?,
        None => 0,
    };
    add(&format!("{OF_INDEX} WHERE seq >> {PART} >= ?1"), first >> PART)?;
    Ok(seen)
}

/// When the newest message was accepted, as far as one of the newest few is sound.
fn newest(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    const FEW: usize = 9;
    let mut select =
        connection.prepare(&format!("SELECT {MESSAGE} FROM message ORDER BY seq DESC LIMIT {FEW}"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(Ok(message)) = one(MessageRow::read(row), String::new)? {
            return Ok(Some(message.accepted));
        }
    }
    Ok(None)
}

/// As much of a digest as the index has.
pub(super) const OF_INDEX: &str =
    "SELECT seq, substr(digest, 1, 8) FROM message INDEXED BY message_of_digest";
