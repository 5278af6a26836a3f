//! The store on disk: one folder, one process, SQLite with a check layer of ours.
//!
//! SQLite brings atomic commits and a file that an operator can ask in SQL (`schema.sql` is its description,
//! with the scripts beside it: what is newest waits without a record of its own, says `records.sql`). What it does
//! not bring stands here: a check on every row that is read, numbers without gaps, a commit counter that is mirrored
//! outside, and no trust in a file after a failed sync: [`Store::reopen`] begins anew and writes what the log holds into the
//! file again before anything is acknowledged.

pub mod archive;
mod attempts;
mod documents;
mod ends;
mod files;
mod held;
mod once;
mod open;
mod pending;
mod queries;
mod rows;
pub mod scrub;
mod seen;
mod sweep;
pub(super) mod young;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::{
    AppendedBatch, Change, Claim, DeliveryId, Documents, Entry, Fault, Finish, Finished, Fresh, LaneId,
    LaneRecord, LaneState, Room, Store, Swept, Wanted,
};
use crate::clock::Timestamp;
use crate::message::Message;
use crate::retry::Reason;

pub use files::RESERVE;
use files::{Folder, Mark};
use held::{Held, Undo};
#[doc(hidden)]
pub use rows::properties;
use rows::{Broken, LaneRow};
use seen::Seen;
pub use sweep::Retention;
use young::Young;

/// How many bytes the log may grow to before it is written into the file: what is written often is written into the file once
/// then, and on a full disk the reserve has room for both.
const CHECKPOINT_EVERY: u64 = 4 * 1024 * 1024;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or used.
    #[error("{} cannot hold the store: {}; choose a folder that this user can write to", .0.display(), .1)]
    Folder(PathBuf, #[source] std::io::Error),
    /// Another process has it open.
    #[error("{} is in use by {}; stop that one first, or choose another folder", .0.display(), .1)]
    Held(PathBuf, String),
    /// It was made by a newer version.
    #[error("{} has format {found}, and this version knows formats up to {known}; use the newer version that made it", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// Something that was committed is not there.
    #[error("{0}")]
    Lost(String),
    /// Anything else.
    #[error("{0}")]
    Fault(#[from] Fault),
}

impl OpenError {
    /// What it is for a store that was open.
    fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            other => Fault::Damaged(other.to_string()),
        }
    }
}

/// An open store.
#[derive(Debug)]
pub struct SqliteStore {
    folder: Folder,
    connection: Option<Connection>,
    generation: [u8; 16],
    /// Commits that are durable.
    commits: u64,
    /// Boxed: the table has up to twice as many places as there are lanes.
    lanes: HashMap<LaneId, Box<Held>>,
    undo: Vec<Undo>,
    /// Lanes that [`Undo`] has.
    remembered: HashSet<LaneId>,
    /// Whether anything was written since the last commit.
    dirty: bool,
    /// Whether what [`Undo`] would take back is on disk: the commit worked, and what came after it failed.
    unheard: bool,
    /// How many bytes of pages the log had after the last commit, as SQLite told.
    logged: Arc<AtomicU64>,
    next_message: i64,
    /// Also of what was taken back: it is wrong of some more then.
    seen: Seen,
    young: Young,
    young_bounds: young::Bounds,
    /// The heads that the last append added.
    fresh: HashMap<LaneId, Vec<(rows::Pending, Arc<Message>)>>,
    retention: Retention,
    sweeper: sweep::Sweeper,
}

impl SqliteStore {
    /// A commit that is durable and then fails, as when the checkpoint after it does. For tests.
    ///
    /// # Errors
    /// If the commit itself fails.
    #[doc(hidden)]
    pub fn commit_unheard(&mut self) -> Result<(), Fault> {
        let undo = std::mem::take(&mut self.undo);
        self.commit()?;
        (self.undo, self.unheard) = (undo, true);
        Ok(())
    }

    /// Opens the store in a folder, which is made if there is none. History is kept for `retention`.
    ///
    /// # Errors
    /// If it is in use, newer than this version, or not whole.
    pub fn open(path: &Path, retention: Retention) -> Result<Self, OpenError> {
        let folder = Folder::open(path)?;
        let mut store = Self {
            folder,
            connection: None,
            generation: [0; 16],
            commits: 0,
            lanes: HashMap::new(),
            undo: Vec::new(),
            remembered: HashSet::new(),
            dirty: false,
            unheard: false,
            logged: Arc::default(),
            next_message: 1,
            seen: Seen::default(),
            young: Young::default(),
            young_bounds: young::Bounds::USUAL,
            fresh: HashMap::new(),
            retention,
            sweeper: sweep::Sweeper::default(),
        };
        store.connect()?;
        store.folder.fill_reserve();
        Ok(store)
    }

    /// When the newest message was accepted: time has come so far at least.
    ///
    /// # Errors
    /// If the store fails.
    pub fn newest(&self) -> Result<Option<Timestamp>, Fault> {
        let newest = "SELECT accepted FROM message ORDER BY seq DESC LIMIT 1";
        let found = self.connection()?.query_row(newest, [], |row| row.get::<_, i64>(0)).optional();
        Ok(self.checked(found)?.map(|at| Timestamp::from_micros(at.cast_unsigned())))
    }

    fn connection(&self) -> Result<&Connection, Fault> {
        self.connection.as_ref().ok_or_else(|| Fault::Io("it is closed".to_owned()))
    }

    /// Begins a transaction, if there is none. It is taken for writing at once: nobody else writes.
    fn begin(&mut self) -> Result<&Connection, Fault> {
        let connection = self.connection()?;
        if connection.is_autocommit() {
            let begun = connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
            begun.map_err(|error| self.fault(&error))?;
        }
        self.connection()
    }

    /// The same for writing.
    fn write(&mut self) -> Result<&Connection, Fault> {
        self.dirty = true;
        self.begin()
    }

    /// What an error of SQLite means. Limits other than free space (a quota, a file size) come as plain write errors, so a
    /// write is tried.
    fn fault(&self, error: &rusqlite::Error) -> Fault {
        let code = error.sqlite_error_code();
        let text = error.to_string();
        match code {
            Some(ErrorCode::DiskFull) => Fault::Full(text),
            Some(ErrorCode::SystemIoFailure) if !self.folder.writes() => Fault::Full(text),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Fault::Damaged(text),
            _ => Fault::Io(text),
        }
    }

    fn checked<T>(&self, result: rusqlite::Result<T>) -> Result<T, Fault> {
        result.map_err(|error| self.fault(&error))
    }

    /// Puts a broken record aside, where a person finds it.
    fn quarantine(&mut self, broken: &Broken, what: &str, now: Timestamp) -> Result<(), Fault> {
        let written = self
            .write()?
            .prepare_cached("INSERT INTO quarantine (at, what, record) VALUES (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![rows::time(now), what, broken.0]));
        self.checked(written).map(|_| ())
    }

    /// So many deliveries have no record of their own from now on: the usual bounds are far off.
    #[cfg(test)]
    pub(super) fn limit_young(&mut self, bounds: young::Bounds) {
        self.young_bounds = bounds;
    }

    fn record_of(&self, held: &Held) -> Result<LaneRecord, Fault> {
        let LaneRow { id, name, state, .. } = held.row.clone();
        Ok(LaneRecord { id, name, state, backlog: held.backlog, oldest: self.oldest(id)? })
    }
}

impl Store for SqliteStore {
    fn lanes(&mut self) -> Result<Vec<LaneRecord>, Fault> {
        let mut records: Vec<_> =
            self.lanes.values().map(|held| self.record_of(held)).collect::<Result<_, _>>()?;
        records.sort_by_key(|record| record.id);
        Ok(records)
    }

    fn lane(&mut self, name: &str) -> Result<LaneRecord, Fault> {
        if let Some(held) = self.lanes.values().find(|held| held.row.name == name) {
            return self.record_of(held);
        }
        let id = LaneId(self.lanes.keys().map(|id| id.0).max().unwrap_or(0) + 1);
        let row = LaneRow { id, name: name.to_owned(), state: LaneState::default(), last: 0 };
        let written = row.write(self.write()?);
        self.checked(written)?;
        self.undo.push(Undo::Lane(id, None));
        let held = Held { row, backlog: 0, in_file: false, heads: HashMap::new(), claimed: HashMap::new() };
        let record = self.record_of(&held)?;
        self.lanes.insert(id, Box::new(held));
        Ok(record)
    }

    fn save(&mut self, lane: LaneId, state: &LaneState) -> Result<(), Fault> {
        self.remember_lane(lane);
        let Some(held) = self.lanes.get_mut(&lane) else { return Ok(()) };
        held.row.state = *state;
        let row = held.row.clone();
        let written = row.write(self.write()?);
        self.checked(written)
    }

    fn documents(&mut self, kind: &str) -> Result<Documents, Fault> {
        let found = documents::all(self.connection()?, kind);
        self.checked(found)
    }

    fn change(&mut self, changes: &[Change]) -> Result<(), Fault> {
        documents::change(self, changes)
    }

    fn append(&mut self, entries: &[Entry], now: Timestamp) -> Result<AppendedBatch, Fault> {
        pending::append(self, entries, now)
    }

    fn claim_appended(&mut self, lane: LaneId, room: Room) -> Result<Fresh, Fault> {
        pending::claim_appended(self, lane, room)
    }

    fn claim(&mut self, wanted: Wanted, now: Timestamp) -> Result<Claim, Fault> {
        pending::claim(self, wanted, now)
    }

    fn give_back(&mut self, lane: LaneId, ids: &[DeliveryId]) {
        for id in ids {
            self.release(lane, *id);
        }
    }

    fn finish(&mut self, finish: &Finish) -> Result<Finished, Fault> {
        pending::finish(self, finish)
    }

    fn sweep(
        &mut self,
        lane: LaneId,
        until: Timestamp,
        reason: &Reason,
        now: Timestamp,
        limit: usize,
    ) -> Result<Swept, Fault> {
        sweep::sweep(self, lane, until, reason, now, limit)
    }

    fn commit(&mut self) -> Result<bool, Fault> {
        self.fresh.clear();
        if self.connection()?.is_autocommit() {
            self.forget_undo();
            return Ok(false);
        }
        let commits = self.commits + u64::from(self.dirty);
        if self.dirty {
            let floor = self.young.floor(self.next_message);
            open::write_meta(self.connection()?, self.generation, commits, floor)
                .map_err(|error| self.fault(&error))?;
        }
        let done = self.connection()?.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        self.checked(done)?;
        let wrote = std::mem::take(&mut self.dirty);
        if wrote {
            self.commits = commits;
            self.folder.set_mark(Mark { generation: self.generation, commits });
            self.unheard = true;
            if self.logged.load(Ordering::Relaxed) >= CHECKPOINT_EVERY {
                open::checkpoint(self.connection()?, "PASSIVE").map_err(|error| self.fault(&error))?;
            }
        }
        // Not before the last call that can fail: a group that is done again must find the claims as it found them first,
        // or a claim in it takes what a later park in it has released.
        self.unheard = false;
        self.forget_undo();
        Ok(wrote)
    }

    fn abort(&mut self) -> Result<(), Fault> {
        self.dirty = false;
        self.take_back();
        if std::mem::take(&mut self.unheard) {
            return self.look_again();
        }
        let connection = self.connection()?;
        if connection.is_autocommit() {
            return Ok(());
        }
        let undone = connection.execute_batch("ROLLBACK");
        self.checked(undone)
    }

    fn reopen(&mut self) -> Result<(), Fault> {
        // What the group claimed or released is undone with it.
        let _ = self.abort();
        self.connection = None;
        self.connect().map_err(OpenError::into_fault)?;
        self.folder.fill_reserve();
        Ok(())
    }

    fn relieve(&mut self) {
        self.folder.free_reserve();
    }

    fn has_room(&mut self) -> bool {
        self.folder.has_room()
    }

    fn tidy(&mut self, now: Timestamp) -> Result<bool, Fault> {
        sweep::tidy(self, now)
    }
}

#[cfg(test)]
mod tests;
