//! What an accept is known by: a row of `once`.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use super::queries::one;
use super::rows::{Broken, Seal, int, time};
use super::seen::{self, Seen};
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
            "INSERT INTO once (digest, body, seq, id, deliveries, at, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
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
) -> Result<Option<Appended>, Fault> {
    let ranges: Vec<_> = store.seen.ranges(digest).collect();
    for part in ranges.iter().flat_map(seen::parts) {
        let found = store
            .begin()?
            .prepare_cached(&format!(
                "SELECT {ONCE} FROM once WHERE seq >> 12 = ?1 AND substr(digest, 1, 8) = ?2 AND digest = ?3"
            ))
            .and_then(|mut select| {
                let row = select.query_row(params![part, &digest[..8], digest.as_slice()], OnceRow::read);
                one(row, String::new)
            });
        match store.checked(found)? {
            None => {}
            Some(Ok(first)) if first.body != body => return Ok(Some(Appended::Conflict)),
            Some(Ok(first)) => {
                return Ok(Some(Appended::Again {
                    sequence: Sequence(first.seq.cast_unsigned()),
                    id: MessageId::from(first.id.as_str()),
                    deliveries: usize::try_from(first.deliveries).unwrap_or(0),
                }));
            }
            // Rather twice than never: what it said is not known any more, and the scrubber tells of it.
            Some(Err(_)) => {}
        }
    }
    Ok(None)
}

/// Forgets some accepts that were before this time, oldest first, or that are too many; says whether there may be more.
pub(super) fn forget(store: &mut SqliteStore, until: Timestamp, limit: usize) -> Result<bool, Fault> {
    let oldest = "SELECT seq, at FROM once ORDER BY seq LIMIT 1";
    let oldest = store.connection()?.prepare_cached(oldest).and_then(|mut select| {
        select.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()
    });
    let known = seen::oldest_known(store.next_message);
    let Some((seq, _)) = store.checked(oldest)?.filter(|(seq, at)| *at < time(until) || *seq < known) else {
        return Ok(false);
    };
    let deleted = store
        .write()?
        .prepare_cached(
            "DELETE FROM once WHERE seq IN
             (SELECT seq FROM (SELECT seq, at FROM once ORDER BY seq LIMIT ?3) WHERE at < ?1 OR seq < ?2)",
        )
        .and_then(|mut delete| delete.execute(params![time(until), known, int(limit as u64)]));
    let deleted = store.checked(deleted)?;
    store.seen.forget_before(seq);
    Ok(deleted == limit)
}

/// Where accepts may be found, as the file has them.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Seen> {
    let mut seen = Seen::default();
    let mut select = connection.prepare("SELECT seq, digest FROM once ORDER BY seq")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        // A damaged one is found by nobody, and reported by the scrubber.
        seen.add(row.get(0)?, row.get_ref(1)?.as_bytes_or_null()?.unwrap_or_default());
    }
    Ok(seen)
}
