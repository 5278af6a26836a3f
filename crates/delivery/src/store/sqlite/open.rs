//! Opening the file: its format, and whether what was committed is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldhash::{HashMap, HashMapExt};
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::files::Mark;
use super::once;
use super::rows::{LANE, LaneRow, Seal, int};
use super::young::Damage;
use super::{Held, OpenError, SqliteStore, ends, young};
use crate::store::{DeliveryId, Fault, LaneId};

/// A step from one format to the next: a script, and what else is done.
type Step = (&'static str, fn(&Connection) -> rusqlite::Result<()>);

/// A file of format N has had the first N of them.
const MIGRATIONS: &[Step] = &[
    (include_str!("schema.sql"), |_| Ok(())),
    (include_str!("documents.sql"), |_| Ok(())),
    (include_str!("parts.sql"), |_| Ok(())),
    (include_str!("places.sql"), |_| Ok(())),
    (include_str!("records.sql"), |_| Ok(())),
    (include_str!("ends.sql"), ends::take_over),
    (include_str!("known.sql"), |_| Ok(())),
];

/// Marks the file as ours ("FWst").
const APPLICATION_ID: i64 = 0x4657_7374;

/// Set before the first table is made; a file keeps its pages. In one of 8 KiB lie four messages of the usual length. The log
/// takes two calls for a page, and every index that a commit touches gives it a page at least: larger ones make lone commits
/// dear.
const NEW_FILE: &str = "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;";

/// Set for every connection that writes. The log is written into the file by us, so that a failure is seen.
const WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
    PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -4000; PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = OFF;";

impl SqliteStore {
    /// Connects, brings the format up, and verifies. Claims that are held stay.
    pub(super) fn connect(&mut self) -> Result<(), OpenError> {
        let path = self.folder.database();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags)
            .map_err(|error| OpenError::Fault(self.fault(&error)))?;
        plan_once(&connection).map_err(|error| OpenError::Fault(self.fault(&error)))?;
        connection.set_prepared_statement_cache_capacity(64);
        let format = self.prepare(&connection).map_err(|error| OpenError::Fault(self.fault(&error)))?;
        // Not before: the pragma that has SQLite write no log into the file by itself takes the hook's place.
        let page = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0));
        let page = page.map_err(|error| OpenError::Fault(self.fault(&error)))?;
        let bytes = Arc::clone(&self.logged);
        let hook = move |_: &mut Wal, pages: i32| {
            bytes.store(u64::from(page) * u64::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook)).map_err(|error| OpenError::Fault(self.fault(&error)))?;
        let known = int(MIGRATIONS.len() as u64);
        if format > known {
            return Err(OpenError::Newer { path, found: format, known });
        }
        self.migrate(&connection, format)?;
        let mark = self.verify(&connection)?;
        // After a failed sync the log may be in the system's memory only. What it holds is written into the file anew,
        // and the file is synced, before anything is built on it.
        checkpoint(&connection, "TRUNCATE").map_err(|error| OpenError::Fault(self.fault(&error)))?;
        let damage = self.load(&connection)?;
        self.folder.set_mark(mark);
        (self.generation, self.commits) = (mark.generation, mark.commits);
        self.connection = Some(connection);
        Ok(self.mend(&damage)?)
    }

    fn prepare(&self, connection: &Connection) -> rusqlite::Result<i64> {
        connection.execute_batch(NEW_FILE)?;
        connection.execute_batch(WRITER)?;
        connection.query_row("PRAGMA user_version", [], |row| row.get(0))
    }

    fn migrate(&self, connection: &Connection, format: i64) -> Result<(), OpenError> {
        let done = usize::try_from(format).unwrap_or(0);
        for (number, (script, more)) in (1..).zip(MIGRATIONS).skip(done) {
            let begun = connection.execute_batch(&format!("BEGIN IMMEDIATE; {script}"));
            begun.and_then(|()| more(connection)).map_err(|error| OpenError::Fault(self.fault(&error)))?;
            let mut steps =
                format!("PRAGMA user_version = {number}; PRAGMA application_id = {APPLICATION_ID};");
            if number == 1 {
                let generation = *uuid::Uuid::now_v7().as_bytes();
                let text: String = generation.iter().map(|byte| format!("{byte:02x}")).collect();
                let crc = meta_crc(&generation, 0, None);
                steps.push_str(&format!("INSERT INTO meta VALUES (1, x'{text}', 0, {crc});"));
            }
            steps.push_str("COMMIT;");
            connection.execute_batch(&steps).map_err(|error| OpenError::Fault(self.fault(&error)))?;
        }
        Ok(())
    }

    /// Compares the file with the mark, and with what this process knows to be committed.
    fn verify(&self, connection: &Connection) -> Result<Mark, OpenError> {
        let row = connection.query_row("SELECT generation, commits, floor, crc FROM meta", [], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?, row.get(2)?, row.get::<_, i64>(3)?))
        });
        let row = row.optional().map_err(|error| OpenError::Fault(self.fault(&error)))?;
        let damaged = || Fault::Damaged("its first record is not what was written".to_owned());
        let (generation, commits, floor, crc) = row.ok_or_else(damaged)?;
        let commits = u64::try_from(commits).map_err(|_| damaged())?;
        let generation: [u8; 16] = generation.try_into().map_err(|_| damaged())?;
        if crc != meta_crc(&generation, commits, floor) {
            return Err(OpenError::Fault(damaged()));
        }
        let mark = Mark { generation, commits };
        let known = self.connection_known().or_else(|| self.folder.mark());
        let file = self.folder.database();
        match known {
            Some(known) if known.generation != generation => Err(OpenError::Lost(format!(
                "{} is another store than the one that was here; put the right file back, or delete \"high-water\" \
                 beside it to go on with this one",
                file.display()
            ))),
            Some(known) if known.commits > commits => Err(OpenError::Lost(format!(
                "{} ends at commit {commits}, but commit {} was made: it was truncated, or replaced by an older copy. Put \
                 the right file back; or delete \"high-water\" beside it to go on without the {} commits that are missing",
                file.display(),
                known.commits,
                known.commits - commits
            ))),
            _ => Ok(mark),
        }
    }

    /// What this process committed itself, if it had the store open before.
    fn connection_known(&self) -> Option<Mark> {
        (self.generation != [0; 16]).then_some(Mark { generation: self.generation, commits: self.commits })
    }

    /// Takes what is held in memory from the file, but for claims.
    pub(super) fn look_again(&mut self) -> Result<(), Fault> {
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let loaded = self.load(&connection);
        self.connection = Some(connection);
        self.mend(&loaded.map_err(OpenError::into_fault)?)
    }

    fn load(&mut self, connection: &Connection) -> Result<Damage, OpenError> {
        let failed = |error: &rusqlite::Error| OpenError::Fault(self.fault(error));
        let mut select =
            connection.prepare(&format!("SELECT {LANE} FROM lane")).map_err(|error| failed(&error))?;
        let found: rusqlite::Result<Vec<_>> = select.query_map([], LaneRow::read).and_then(Iterator::collect);
        let mut lanes = HashMap::new();
        for row in found.map_err(|error| failed(&error))? {
            let row =
                row.map_err(|broken| Fault::Damaged(format!("the record of {} is broken", broken.0)))?;
            let backlog = backlog(connection, row.id).map_err(|error| failed(&error))?;
            let heads = heads(connection, row.id).map_err(|error| failed(&error))?;
            let claimed = self.lanes.get(&row.id).map_or_else(HashMap::new, |held| held.claimed.clone());
            let in_file = backlog > 0;
            lanes.insert(row.id, Box::new(Held { row, backlog, in_file, heads, claimed }));
        }
        let last: Option<i64> = connection
            .query_row("SELECT max(seq) FROM message", [], |row| row.get(0))
            .map_err(|error| failed(&error))?;
        let newest: Option<i64> = connection
            .query_row("SELECT max(seq) FROM once", [], |row| row.get(0))
            .map_err(|error| failed(&error))?;
        drop(select);
        let (young, damage) = young::load(connection, &mut lanes).map_err(|error| failed(&error))?;
        let seen = once::load(connection).map_err(|error| failed(&error))?;
        (self.young, self.seen) = (young, seen);
        self.next_message = last.max(newest).unwrap_or(0) + 1;
        self.lanes = lanes;
        Ok(damage)
    }
}

fn backlog(connection: &Connection, lane: LaneId) -> rusqlite::Result<u64> {
    let counted: i64 =
        connection
            .query_row("SELECT count(*) FROM pending WHERE lane = ?1", [int(lane.0)], |row| row.get(0))?;
    Ok(u64::try_from(counted).unwrap_or(0))
}

fn heads(connection: &Connection, lane: LaneId) -> rusqlite::Result<HashMap<i64, DeliveryId>> {
    let mut select = connection.prepare_cached("SELECT keyh, n FROM pending WHERE lane = ?1 AND head = 1")?;
    let head = |row: &Row<'_>| Ok((row.get(0)?, DeliveryId(row.get::<_, i64>(1)?.cast_unsigned())));
    select.query_map([int(lane.0)], head)?.collect()
}

/// Before the first commit of a format that has it there is no floor, and the CRC was made without.
fn meta_crc(generation: &[u8; 16], commits: u64, floor: Option<i64>) -> i64 {
    let seal = Seal::of("meta").bytes(generation).int(int(commits));
    floor.into_iter().fold(seal, Seal::int).crc()
}

pub(super) fn write_meta(
    connection: &Connection,
    generation: [u8; 16],
    commits: u64,
    floor: i64,
) -> rusqlite::Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE meta SET commits = ?1, floor = ?2, crc = ?3 WHERE id = 1")?;
    update.execute(params![int(commits), floor, meta_crc(&generation, commits, Some(floor))])?;
    Ok(())
}

/// Without this, SQLite looks at the values of parameters when it plans a statement that may use a partial index, and so
/// compiles it anew for each value.
fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Writes the log into the file.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    let mut pragma = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
    pragma.query_row([], |_| Ok(()))
}

#[cfg(test)]
mod tests;
