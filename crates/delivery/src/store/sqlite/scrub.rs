//! Verifies a whole store: every row's check, numbers without gaps, one head a key, and SQLite's own structures.
//!
//! It only reads, so it can look at a store that is in use. What it finds is a finding for a person, never a panic.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::documents::DOCUMENT;
use super::once::{ONCE, OnceRow};
use super::rows::{
    Broken, LANE, LaneRow, MessageRow, PENDING, Pending, SettledRow, int, key_hash, message_columns,
    settled_columns, settled_place,
};
use super::young;
use crate::store::LaneId;

/// How many findings are listed; the rest are counted.
pub const MAX_FINDINGS: usize = 100;

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows that were verified.
    pub rows: u64,
    /// Deliveries that are not settled.
    pub pending: u64,
    /// What is wrong, up to [`MAX_FINDINGS`].
    pub findings: Vec<String>,
    /// How much is wrong in all.
    pub wrong: u64,
}

impl Report {
    fn find(&mut self, finding: impl Into<String>) {
        self.wrong += 1;
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding.into());
        }
    }

    fn row<T>(&mut self, table: &str, row: rusqlite::Result<Result<T, Broken>>) -> Option<T> {
        self.rows += 1;
        match row {
            Ok(Ok(row)) => return Some(row),
            Ok(Err(broken)) => self.find(format!("{table}: a damaged record: {}", broken.0)),
            Err(error) => self.find(format!("{table}: a record that cannot be read: {error}")),
        }
        None
    }
}

/// Verifies the store in a folder.
///
/// # Errors
/// If there is none, or SQLite cannot open it.
pub fn scrub(folder: &Path) -> Result<Report, String> {
    let database = folder.join("store.sqlite");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| format!("{}: {error}", database.display());
    let connection = Connection::open_with_flags(&database, flags).map_err(failed)?;
    connection.execute_batch("BEGIN").map_err(failed)?;
    let mut report = Report::default();
    let looked = structure(&connection, &mut report)
        .and_then(|()| lanes(&connection, &mut report))
        .and_then(|lasts| messages(&connection, &mut report, &lasts))
        .and_then(|young| deliveries(&connection, &mut report, &young))
        .and_then(|()| attempts(&connection, &mut report))
        .and_then(|()| onces(&connection, &mut report))
        .and_then(|()| documents(&connection, &mut report));
    if let Err(error) = looked {
        report.find(format!("the file cannot be read further: {error}"));
    }
    Ok(report)
}

fn structure(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let mut check = connection.prepare("PRAGMA integrity_check(100)")?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines {
        let line = line?;
        if line != "ok" {
            report.find(format!("structure: {line}"));
        }
    }
    Ok(())
}

fn lanes(connection: &Connection, report: &mut Report) -> rusqlite::Result<HashMap<LaneId, u64>> {
    let mut select = connection.prepare(&format!("SELECT {LANE} FROM lane"))?;
    let mut rows = select.query([])?;
    let mut lasts = HashMap::new();
    while let Some(row) = rows.next()? {
        if let Some(lane) = report.row("lane", LaneRow::read(row)) {
            lasts.insert(lane.id, lane.last);
        }
    }
    Ok(lasts)
}

/// A lane, and the hash of a key.
type Key = (LaneId, i64);

/// Each key's oldest delivery is its head, and no other is. The heads of `young` have no record.
fn deliveries(
    connection: &Connection,
    report: &mut Report,
    young: &HashMap<Key, u64>,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare(&format!("SELECT {PENDING} FROM pending ORDER BY lane, keyh, n"))?;
    let mut rows = select.query([])?;
    let mut before: Option<Key> = None;
    while let Some(row) = rows.next()? {
        report.pending += 1;
        let Some(pending) = report.row("pending", Pending::read(row)) else { continue };
        let key = (pending.lane, pending.keyh);
        let before_all = young.get(&key).is_some_and(|head| pending.n.0 < *head);
        if before_all || pending.head == (before == Some(key) || young.contains_key(&key)) {
            report.find(format!("pending: delivery {} of {} is out of its place", pending.n.0, pending.lane));
        }
        before = Some(key);
    }
    let mut select = connection.prepare(&format!("SELECT {} FROM settled", settled_columns(connection)?))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        report.row("settled", SettledRow::read(row));
    }
    Ok(())
}

/// Each delivery of each message is either pending or settled, and each that is pending has its message. Gives the keys of
/// those that wait without a record.
fn messages(
    connection: &Connection,
    report: &mut Report,
    lasts: &HashMap<LaneId, u64>,
) -> rusqlite::Result<HashMap<Key, u64>> {
    let floor = young::floor(connection)?.unwrap_or(i64::MAX);
    let mut young = HashMap::new();
    let mut select =
        connection.prepare(&format!("SELECT {} FROM message ORDER BY seq", message_columns(connection)?))?;
    let mut rows = select.query([])?;
    let mut newest: HashMap<LaneId, u64> = HashMap::new();
    let mut kept = connection.prepare(&format!(
        "SELECT (SELECT count(*) FROM pending WHERE lane = ?2 AND n = ?3)
              + (SELECT count(*) FROM settled WHERE {})",
        settled_place(connection)?
    ))?;
    while let Some(row) = rows.next()? {
        let Some(message) = report.row("message", MessageRow::read(row)) else { continue };
        for (lane, n) in message.fanout {
            let records: i64 = kept.query_row([message.seq, int(lane.0), int(n.0)], |row| row.get(0))?;
            if records == 0 && message.seq >= floor {
                report.pending += 1;
                if young.insert((lane, key_hash(&message.key)), n.0).is_some() {
                    report.find(format!("delivery {} of {lane} has no record, nor has one before it", n.0));
                }
            } else if records != 1 {
                report.find(format!("delivery {} of {lane} has {records} records instead of one", n.0));
            }
            let last = newest.entry(lane).or_default();
            *last = n.0.max(*last);
        }
    }
    for (lane, newest) in newest {
        if lasts.get(&lane).is_none_or(|last| *last < newest) {
            report.find(format!("{lane}: its newest delivery is {newest}, but it counts fewer"));
        }
    }
    let orphan = "SELECT lane, n FROM pending WHERE NOT EXISTS (SELECT 1 FROM message WHERE message.seq = pending.seq)
                  UNION ALL SELECT lane, n FROM settled WHERE NOT EXISTS (SELECT 1 FROM message WHERE message.seq = settled.seq)";
    let mut orphans = connection.prepare(orphan)?;
    let mut rows = orphans.query([])?;
    while let Some(row) = rows.next()? {
        let (lane, n): (i64, i64) = (row.get(0)?, row.get(1)?);
        report.find(format!("message: that of delivery {n} of lane {lane} is missing"));
    }
    Ok(young)
}

fn attempts(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let columns = super::attempts::columns(connection)?;
    let mut select = connection.prepare(&format!("SELECT {columns} FROM attempt"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        report.row("attempt", super::attempts::read(row));
    }
    Ok(())
}

fn documents(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    if !super::documents::are_there(connection)? {
        return Ok(());
    }
    let mut select = connection.prepare(&format!("SELECT {DOCUMENT} FROM document"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        report.row("document", super::documents::read(row));
    }
    Ok(())
}

fn onces(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let mut select = connection.prepare(&format!("SELECT {ONCE} FROM once"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        report.row("once", OnceRow::read(row));
    }
    Ok(())
}
