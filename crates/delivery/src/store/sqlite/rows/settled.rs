//! A row of `settled`.

use std::borrow::Cow;
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::super::attempts;
use super::{Broken, Seal, checked, format, int, small, time, timestamp, unsigned};
use crate::clock::Timestamp;
use crate::retry::Reason;
use crate::store::{AttemptRecord, DeliveryId, LaneId, Parts, Settled};

/// A row of `settled`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct SettledRow<'a> {
    pub(in super::super) lane: LaneId,
    pub(in super::super) n: DeliveryId,
    pub(in super::super) seq: i64,
    pub(in super::super) settled: Settled,
    pub(in super::super) attempts: u32,
    pub(in super::super) accepted: Timestamp,
    pub(in super::super) at: Timestamp,
    /// The attempt that it ended with. Those before it, and in files of earlier formats all, are rows of `attempt`.
    pub(in super::super) attempt: Option<Cow<'a, AttemptRecord>>,
}

pub(in super::super) const SETTLED: &str = "lane, n, seq, result, detail, attempts, accepted, at, crc, \
    number, ended, word, outcome, status, took, response, peer, connect, tls, first_byte";
const SETTLED_BEFORE: &str = "lane, n, seq, result, detail, attempts, accepted, at, crc, \
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL";

/// The columns of `settled`, as a file of this format has them. One that was not opened since may be of an earlier one.
pub(in super::super) fn settled_columns(connection: &Connection) -> rusqlite::Result<&'static str> {
    Ok(if format(connection)? < WITH_ATTEMPTS { SETTLED_BEFORE } else { SETTLED })
}

/// The format that brought ends that have their attempts.
const WITH_ATTEMPTS: i64 = 5;

/// Whether ends lie in the order of their messages, as a file of this format has them.
pub(in super::super) fn by_message(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(format(connection)? >= BY_MESSAGE)
}

/// The format that brought that order.
const BY_MESSAGE: i64 = 6;

/// What finds the end of a delivery of lane ?2 with number ?3, of message ?1. Where ends lie by lane, nothing else is asked.
pub(in super::super) fn settled_place(connection: &Connection) -> rusqlite::Result<&'static str> {
    Ok(if by_message(connection)? {
        "seq = ?1 AND lane = ?2 AND n = ?3"
    } else {
        "?1 IS NOT NULL AND lane = ?2 AND n = ?3"
    })
}

/// The numbers that results have on the disk. 2 and up are dead.
fn result_code(settled: &Settled) -> (i64, &str) {
    match settled {
        Settled::Delivered => (0, ""),
        Settled::Superseded => (1, ""),
        Settled::Dead(Reason::GaveUp) => (2, ""),
        Settled::Dead(Reason::Expired) => (3, ""),
        Settled::Dead(Reason::Unrenderable(why)) => (4, why),
        Settled::Dead(Reason::LaneRemoved) => (5, ""),
        Settled::Dead(Reason::Damaged) => (6, ""),
    }
}

fn result_of(code: i64, detail: String) -> Option<Settled> {
    Some(match code {
        0 => Settled::Delivered,
        1 => Settled::Superseded,
        2 => Settled::Dead(Reason::GaveUp),
        3 => Settled::Dead(Reason::Expired),
        4 => Settled::Dead(Reason::Unrenderable(detail)),
        5 => Settled::Dead(Reason::LaneRemoved),
        6 => Settled::Dead(Reason::Damaged),
        _ => return None,
    })
}

impl SettledRow<'_> {
    fn crc(&self) -> i64 {
        let (code, detail) = result_code(&self.settled);
        let seal = Seal::of("settled")
            .int(int(self.lane.0))
            .int(int(self.n.0))
            .int(self.seq)
            .int(code)
            .bytes(detail.as_bytes())
            .int(i64::from(self.attempts))
            .int(time(self.accepted))
            .int(time(self.at));
        self.attempt.iter().fold(seal, |seal, attempt| attempts::cover(seal, attempt)).crc()
    }

    pub(in super::super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let (code, detail) = result_code(&self.settled);
        let mut statement = connection.prepare_cached(
            "INSERT OR REPLACE INTO settled (lane, n, seq, result, detail, attempts, accepted, at, crc,
                 number, ended, word, outcome, status, took, response, peer, connect, tls, first_byte)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        )?;
        let attempt = self.attempt.as_deref();
        let parts = attempt.map(|attempt| &attempt.parts);
        let part = |part: fn(&Parts) -> Option<Duration>| parts.and_then(part).map(attempts::micros);
        statement.execute(params![
            int(self.lane.0),
            int(self.n.0),
            self.seq,
            code,
            detail,
            self.attempts,
            time(self.accepted),
            time(self.at),
            self.crc(),
            attempt.map(|attempt| attempt.number),
            attempt.map(|attempt| time(attempt.at)),
            attempt.map(|attempt| &*attempt.word),
            attempt.map(|attempt| &attempt.outcome),
            attempt.and_then(|attempt| attempt.status),
            attempt.map(|attempt| attempts::micros(attempt.took)),
            attempt.map(|attempt| &attempt.response),
            parts.and_then(|parts| parts.peer.as_ref()),
            part(|parts| parts.connect),
            part(|parts| parts.tls),
            part(|parts| parts.first_byte),
        ])?;
        Ok(())
    }

    pub(in super::super) fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, Broken>> {
        let (lane, n) = (LaneId(unsigned(row.get(0)?)), DeliveryId(unsigned(row.get(1)?)));
        let what = || format!("settled delivery {} of {lane}", n.0);
        let detail = row.get_ref(4)?.as_bytes_or_null()?.unwrap_or_default();
        let detail = String::from_utf8_lossy(detail).into_owned();
        let Some(settled) = result_of(row.get(3)?, detail) else { return Ok(Err(Broken(what()))) };
        let settled = Self {
            lane,
            n,
            seq: row.get(2)?,
            settled,
            attempts: small(row.get(5)?),
            accepted: timestamp(row.get(6)?),
            at: timestamp(row.get(7)?),
            attempt: attempts::from_row(row, 9)?.map(Cow::Owned),
        };
        let (found, expected) = (row.get(8)?, settled.crc());
        Ok(checked(|_| what(), found, expected, settled))
    }
}
