//! What an accept is known by: a row of `once`.

use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::queries::one;
use super::rows::{Broken, Seal};
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
    let found = store
        .begin()?
        .prepare_cached(&format!("SELECT {ONCE} FROM once WHERE digest = ?1"))
        .and_then(|mut select| one(select.query_row([digest.as_slice()], OnceRow::read), String::new));
    match store.checked(found)? {
        None => Ok(None),
        Some(Ok(first)) if first.body != body => Ok(Some(Appended::Conflict)),
        Some(Ok(first)) => Ok(Some(Appended::Again {
            sequence: Sequence(first.seq.cast_unsigned()),
            id: MessageId::from(first.id.as_str()),
            deliveries: usize::try_from(first.deliveries).unwrap_or(0),
        })),
        Some(Err(_)) => {
            // Rather twice than never: what it said is not known any more.
            let removed = store
                .write()?
                .prepare_cached("DELETE FROM once WHERE digest = ?1")
                .and_then(|mut delete| delete.execute([digest.as_slice()]));
            store.checked(removed).map(|_| None)
        }
    }
}
