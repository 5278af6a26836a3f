//! How records are written and read: one place for each table's columns, and the check over each row.
//!
//! SQLite notices few flipped bits by itself. So every row carries a CRC32C (RFC 3720, appendix B.4) over the name of its
//! table, its key and its record, and a row whose check fails is no row but a [`Broken`].

mod lane;
#[doc(hidden)]
pub mod properties;
mod settled;

use bytes::Bytes;
use rusqlite::{Row, params};

use crate::clock::Timestamp;
use crate::store::{DeliveryId, Digest, LaneId, Route};

pub(super) use lane::{LANE, LaneRow};
pub(super) use settled::{SETTLED, SettledRow, by_message, settled_columns, settled_place};

/// A row that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken(pub(super) String);

/// Gathers what a row's check covers. Lengths are part of it, so that no two records look alike.
pub(super) struct Seal(u32);

impl Seal {
    pub(super) fn of(table: &str) -> Self {
        Self(crc32c::crc32c(table.as_bytes()))
    }

    pub(super) fn int(self, value: i64) -> Self {
        Self(crc32c::crc32c_append(self.0, &value.to_le_bytes()))
    }

    pub(super) fn maybe(self, value: Option<i64>) -> Self {
        match value {
            None => self.int(0),
            Some(value) => self.int(1).int(value),
        }
    }

    pub(super) fn bytes(self, value: &[u8]) -> Self {
        Self(crc32c::crc32c_append(self.int(int(value.len() as u64)).0, value))
    }

    pub(super) fn crc(self) -> i64 {
        i64::from(self.0)
    }
}

/// As SQLite keeps it. Numbers of ours stay far below the edge.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn time(at: Timestamp) -> i64 {
    int(at.as_micros())
}

fn timestamp(value: i64) -> Timestamp {
    Timestamp::from_micros(u64::try_from(value).unwrap_or(0))
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn small(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The format of a file.
pub(super) fn format(connection: &rusqlite::Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))
}

/// A hash of an order key that is the same in every process (FNV-1a, 64 bits). Keys that share one are in order with each
/// other, which is more than was promised.
pub(super) fn key_hash(key: &str) -> i64 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.cast_signed()
}

fn checked<T>(what: impl FnOnce(&T) -> String, found: i64, expected: i64, value: T) -> Result<T, Broken> {
    if found == expected { Ok(value) } else { Err(Broken(what(&value))) }
}

/// A row of `pending`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) lane: LaneId,
    pub(super) n: DeliveryId,
    pub(super) seq: i64,
    pub(super) keyh: i64,
    pub(super) spare: bool,
    pub(super) accepted: Timestamp,
    pub(super) attempts: u32,
    pub(super) head: bool,
    pub(super) due: Timestamp,
    pub(super) outage: Option<u32>,
}

pub(super) const PENDING: &str = "lane, n, seq, keyh, spare, accepted, attempts, head, due, outage, crc";

impl Pending {
    fn crc(&self) -> i64 {
        Seal::of("pending")
            .int(int(self.lane.0))
            .int(int(self.n.0))
            .int(self.seq)
            .int(self.keyh)
            .int(i64::from(self.spare))
            .int(time(self.accepted))
            .int(i64::from(self.attempts))
            .int(i64::from(self.head))
            .int(time(self.due))
            .maybe(self.outage.map(i64::from))
            .crc()
    }

    /// Writes what becomes of a delivery that was tried; says whether it is there.
    pub(super) fn park(&self, connection: &rusqlite::Connection) -> rusqlite::Result<bool> {
        let mut statement = connection.prepare_cached(
            "UPDATE pending SET attempts = ?3, due = ?4, outage = ?5, crc = ?6 WHERE lane = ?1 AND n = ?2",
        )?;
        let place = (int(self.lane.0), int(self.n.0));
        let due = time(self.due);
        let changed =
            statement.execute(params![place.0, place.1, self.attempts, due, self.outage, self.crc()])?;
        Ok(changed > 0)
    }

    pub(super) fn write(&self, connection: &rusqlite::Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT OR REPLACE INTO pending (lane, n, seq, keyh, spare, accepted, attempts, head, due, outage, crc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        statement.execute(params![
            int(self.lane.0),
            int(self.n.0),
            self.seq,
            self.keyh,
            self.spare,
            time(self.accepted),
            self.attempts,
            self.head,
            time(self.due),
            self.outage,
            self.crc(),
        ])?;
        Ok(())
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, Broken>> {
        let pending = Self {
            lane: LaneId(unsigned(row.get(0)?)),
            n: DeliveryId(unsigned(row.get(1)?)),
            seq: row.get(2)?,
            keyh: row.get(3)?,
            spare: row.get::<_, i64>(4)? != 0,
            accepted: timestamp(row.get(5)?),
            attempts: small(row.get(6)?),
            head: row.get::<_, i64>(7)? != 0,
            due: timestamp(row.get(8)?),
            outage: row.get::<_, Option<i64>>(9)?.map(small),
        };
        let (found, expected) = (row.get(10)?, pending.crc());
        Ok(checked(|pending| format!("{pending:?}"), found, expected, pending))
    }
}

/// A row of `message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageRow {
    pub(super) seq: i64,
    pub(super) id: String,
    pub(super) key: String,
    pub(super) supersedable: bool,
    pub(super) accepted: Timestamp,
    pub(super) route: Route,
    pub(super) fanout: Vec<(LaneId, DeliveryId)>,
    /// Shared with whatever is delivered of it.
    pub(super) body: Bytes,
    /// What it is known by, and the digest of its body as it was given.
    pub(super) once: Option<(Digest, Digest)>,
}

pub(super) const MESSAGE: &str =
    "seq, id, key, keyh, supersedable, accepted, route, fanout, body, crc, digest, body_digest";
const MESSAGE_BEFORE: &str =
    "seq, id, key, keyh, supersedable, accepted, route, fanout, body, crc, NULL, NULL";

/// The columns of `message`, as a file of this format has them. One that was not opened since may be of an earlier one.
pub(super) fn message_columns(connection: &rusqlite::Connection) -> rusqlite::Result<&'static str> {
    Ok(if format(connection)? < WITH_DIGESTS { MESSAGE_BEFORE } else { MESSAGE })
}

/// Among how many messages, as a power of two, the hashes of keys are ordered in a file of this format.
pub(super) fn keys_together(connection: &rusqlite::Connection) -> rusqlite::Result<u32> {
    Ok(if format(connection)? < WITH_DIGESTS { 12 } else { 11 })
}

/// The format that brought messages which have what they are known by.
const WITH_DIGESTS: i64 = 7;

const fn route_code(route: Route) -> i64 {
    match route {
        Route::Lanes => 0,
        Route::Unmatched => 1,
        Route::Bypassed => 2,
    }
}

fn route_of(code: i64) -> Option<Route> {
    [Route::Lanes, Route::Unmatched, Route::Bypassed].into_iter().find(|route| route_code(*route) == code)
}

/// The deliveries that a message became, as its column has them.
pub(super) fn fanout_of(column: &[u8]) -> impl Iterator<Item = (LaneId, DeliveryId)> {
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
    column.chunks_exact(16).map(move |pair| (LaneId(word(&pair[..8])), DeliveryId(word(&pair[8..]))))
}

impl MessageRow {
    /// One of which nothing is believed but what waits of it.
    pub(super) fn hollow(seq: i64, fanout: Vec<(LaneId, DeliveryId)>) -> Self {
        let (id, key, body) = (String::new(), String::new(), Bytes::new());
        let (supersedable, accepted, route) = (false, Timestamp::from_micros(0), Route::Lanes);
        Self { seq, id, key, supersedable, accepted, route, fanout, body, once: None }
    }

    fn crc(&self, fanout: &[u8]) -> i64 {
        let seal = Seal::of("message")
            .int(self.seq)
            .bytes(self.id.as_bytes())
            .bytes(self.key.as_bytes())
            .int(key_hash(&self.key))
            .int(i64::from(self.supersedable))
            .int(time(self.accepted))
            .int(route_code(self.route))
            .bytes(fanout)
            .bytes(&self.body);
        self.once.iter().fold(seal, |seal, (digest, body)| seal.bytes(digest).bytes(body)).crc()
    }

    pub(super) fn write(&self, connection: &rusqlite::Connection) -> rusqlite::Result<()> {
        let fanout: Vec<u8> = self
            .fanout
            .iter()
            .flat_map(|(lane, n)| [lane.0.to_le_bytes(), n.0.to_le_bytes()])
            .flatten()
            .collect();
        let mut statement = connection.prepare_cached(
            "INSERT INTO message (seq, id, key, keyh, supersedable, accepted, route, fanout, body, crc, digest, body_digest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        statement.execute(params![
            self.seq,
            self.id,
            self.key,
            key_hash(&self.key),
            self.supersedable,
            time(self.accepted),
            route_code(self.route),
            fanout,
            &*self.body,
            self.crc(&fanout),
            self.once.as_ref().map(|(digest, _)| digest.as_slice()),
            self.once.as_ref().map(|(_, body)| body.as_slice()),
        ])?;
        Ok(())
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, Broken>> {
        let seq: i64 = row.get(0)?;
        // A flipped bit can make text that is no text: the bytes are checked before anything is made of them.
        let text = |index| -> rusqlite::Result<String> {
            Ok(String::from_utf8_lossy(row.get_ref(index)?.as_bytes_or_null()?.unwrap_or_default())
                .into_owned())
        };
        let fanout: Vec<u8> = row.get(7)?;
        let Some(route) = route_of(row.get(6)?) else {
            return Ok(Err(Broken(format!("message {seq}: a route that is none"))));
        };
        let once = match (row.get_ref(10)?.as_bytes_or_null()?, row.get_ref(11)?.as_bytes_or_null()?) {
            (None, None) => None,
            (Some(digest), Some(body)) => digest.try_into().ok().zip(body.try_into().ok()),
            _ => None,
        };
        let message = Self {
            seq,
            id: text(1)?,
            key: text(2)?,
            supersedable: row.get::<_, i64>(4)? != 0,
            accepted: timestamp(row.get(5)?),
            route,
            fanout: fanout_of(&fanout).collect(),
            body: row.get::<_, Vec<u8>>(8)?.into(),
            once,
        };
        let (hash, found): (i64, i64) = (row.get(3)?, row.get(9)?);
        let expected = message.crc(&fanout);
        let what =
            |message: &Self| format!("message {seq}, {} bytes, key {:?}", message.body.len(), message.key);
        if hash != key_hash(&message.key) {
            return Ok(Err(Broken(what(&message))));
        }
        Ok(checked(what, found, expected, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_differ_have_seals_that_differ() {
        let seal = |a: &[u8], b: &[u8]| Seal::of("t").bytes(a).bytes(b).crc();
        assert_ne!(seal(b"ab", b"c"), seal(b"a", b"bc"));
        assert_ne!(Seal::of("t").maybe(None).crc(), Seal::of("t").maybe(Some(0)).crc());
        assert_ne!(Seal::of("a").int(1).crc(), Seal::of("b").int(1).crc());
    }

    #[test]
    fn the_hash_of_a_key_never_changes() {
        // Values of the FNV reference for the empty text and "a".
        assert_eq!(key_hash("").cast_unsigned(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(key_hash("a").cast_unsigned(), 0xaf63_dc4c_8601_ec8c);
    }
}
