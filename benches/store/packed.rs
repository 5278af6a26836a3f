//! What the store costs the processor a delivery, beside the least that others in SQLite could, which keep the same and promise
//! less. All write the bodies of a commit and as many ends, with a checksum each.
//!
//! What the rest buys is that each message, and each end, is found by what it has to be found by, and checked as it is read.

use delivery::message::Message;
use delivery::store::sqlite::{Retention, SqliteStore};
use delivery::store::{Digest, Entry, Store};
use fastrand::Rng;
use rusqlite::{Connection, params};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use super::{OnDisk, delivered, folder};

/// Deliveries a commit: a request of as many updates, and the end of those before.
const BATCH: usize = 1_000;

/// As the store has it (`sqlite/open.rs`).
const SETTINGS: &str = "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -4000; PRAGMA temp_store = MEMORY;
    PRAGMA cell_size_check = ON;";

/// What the store's tables hold, without what nobody looks for.
const TABLES: &str = "
    CREATE TABLE batch (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL, crc INTEGER NOT NULL) STRICT;
    CREATE TABLE message (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL, key TEXT NOT NULL, accepted INTEGER NOT NULL, fanout BLOB NOT NULL,
        body BLOB NOT NULL, digest BLOB NOT NULL, body_digest BLOB NOT NULL, crc INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE settled (
        seq INTEGER PRIMARY KEY, n INTEGER NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL, status INTEGER NOT NULL,
        took INTEGER NOT NULL, response TEXT NOT NULL, peer TEXT NOT NULL, crc INTEGER NOT NULL
    ) STRICT;";

const SHORT: [&str; 2] = [
    "INSERT INTO message (seq, id, key, accepted, fanout, body, digest, body_digest, crc)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    "INSERT INTO settled (seq, n, at, outcome, status, took, response, peer, crc)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
];

/// What the store writes of a delivery that arrived at once.
const WHOLE: [&str; 2] = [
    "INSERT INTO message (seq, id, key, accepted, fanout, body, digest, body_digest, crc, keyh, supersedable, route)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0)",
    "INSERT INTO settled (seq, n, at, outcome, status, took, response, peer, crc, lane, result, detail, attempts,
         accepted, number, ended, word, connect, tls, first_byte)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 0, '', 1, ?3, 1, ?3, 'delivered', NULL, NULL, NULL)",
];

/// After how many commits the log is written into the file: as often as the store does it with commits of this size, of which
/// two are 4 MiB of its log.
const COMMITS_A_CHECKPOINT: usize = 2;

/// Microseconds, as those of the store.
const BEGIN: i64 = 1_700_000_000_000_000;

/// Which records a delivery is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// All bodies of a commit are one, and all ends another, of a bit and a digest each.
    Packed,
    /// The bodies of a commit are one; a message and an end are a row each, found by their number.
    BodiesPacked,
    /// A message with its body and an end are a row each, found by their number.
    Rows,
    /// In the store's own tables, with its indexes.
    Same,
}

const LAYOUTS: [(Layout, &str); 4] = [
    (Layout::Packed, "bodies one record and ends another"),
    (Layout::BodiesPacked, "bodies one record, the rest a row each, without an index"),
    (Layout::Rows, "a row each, without an index"),
    (Layout::Same, "the store's own rows, by bare statements"),
];

/// Somewhere among all numbers, as a hash is.
fn spread(number: i64) -> i64 {
    number.wrapping_mul(0x2545_f491_4f6c_dd1d)
}

/// The processor's time that this process has taken, the system's for it included, in seconds.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

struct Bound {
    layout: Layout,
    connection: Connection,
    commits: usize,
    _folder: TempDir,
}

impl Bound {
    fn new(layout: Layout) -> rusqlite::Result<Self> {
        let folder = folder();
        if layout == Layout::Same {
            drop(SqliteStore::open(folder.path(), Retention::default()).expect("it is empty"));
        }
        let connection = Connection::open(folder.path().join("store.sqlite"))?;
        connection.execute_batch(SETTINGS)?;
        if layout != Layout::Same {
            connection.execute_batch(TABLES)?;
        }
        Ok(Self { layout, connection, commits: 0, _folder: folder })
    }

    fn write(&mut self, entries: &[Entry], number: i64) -> rusqlite::Result<()> {
        let transaction = self.connection.unchecked_transaction()?;
        if matches!(self.layout, Layout::Packed | Layout::BodiesPacked) {
            self.batch(&entries.iter().map(|entry| &*entry.message.body).collect::<Vec<_>>().concat())?;
        }
        if self.layout == Layout::Packed {
            self.batch(&vec![0; entries.len() / 8 + entries.len() * size_of::<Digest>()])?;
        } else {
            self.rows(entries, number)?;
        }
        transaction.commit()?;
        self.commits += 1;
        if self.commits.is_multiple_of(COMMITS_A_CHECKPOINT) {
            self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    fn batch(&self, bytes: &[u8]) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached("INSERT INTO batch (bytes, crc) VALUES (?1, ?2)")?;
        insert.execute(params![bytes, crc32c::crc32c(bytes)])?;
        Ok(())
    }

    fn rows(&self, entries: &[Entry], number: i64) -> rusqlite::Result<()> {
        let [message, settled] = if self.layout == Layout::Same { WHOLE } else { SHORT };
        let mut message = self.connection.prepare_cached(message)?;
        let mut settled = self.connection.prepare_cached(settled)?;
        let wanted = message.parameter_count();
        let elsewhere = self.layout == Layout::BodiesPacked;
        for (seq, Entry { message: Message { id, key, body, .. }, once, .. }) in (number..).zip(entries) {
            let (digest, body_digest) = once.unwrap_or_default();
            let body = if elsewhere { &[] } else { &**body };
            let crc = crc32c::crc32c_append(crc32c::crc32c(body), id.as_str().as_bytes());
            let fanout = [0_u8; 16];
            let (id, key) = (id.as_str(), key.as_str());
            let at = BEGIN + seq;
            let values = params![seq, id, key, at, fanout, body, digest, body_digest, crc, spread(seq)];
            message.execute(&values[..wanted])?;
            settled.execute(params![seq, seq, at, "200 OK", 200, 3000, "ok", "192.0.2.1:443", crc])?;
        }
        Ok(())
    }
}

/// Prints microseconds of processor a delivery, of each.
pub(super) fn compare(commits: usize) {
    let mut store = OnDisk::new();
    let mut bounds = LAYOUTS.map(|(layout, _)| Bound::new(layout).expect("the disk works"));
    let mut dice = Rng::with_seed(1);
    let (mut claimed, mut took) = (Vec::new(), [0.0; 1 + LAYOUTS.len()]);
    for number in (0..).step_by(BATCH).take(1 + commits) {
        let mut entries = store.entries(BATCH);
        for entry in &mut entries {
            let mut digest: Digest = [0; 32];
            dice.fill(&mut digest);
            entry.once = Some((digest, digest));
        }
        let now = store.now();
        let finishes: Vec<_> = claimed.drain(..).map(|id| delivered(store.lane, id, now)).collect();
        let [ours, others @ ..] = &mut took;
        let begun = processor();
        for finish in &finishes {
            assert!(store.store.finish(finish).expect("the disk works").settled);
        }
        claimed = store.append(&entries);
        *ours += processor() - begun;
        for (bound, took) in bounds.iter_mut().zip(others) {
            let begun = processor();
            bound.write(&entries, number).expect("the disk works");
            *took += processor() - begun;
        }
        // With the first nothing had come to its end before.
        if number == 0 {
            took.fill(0.0);
        }
    }
    println!("alone, {BATCH} a commit, µs of processor a delivery:");
    let names = ["the store"].into_iter().chain(LAYOUTS.map(|(_, name)| name));
    for (name, seconds) in names.zip(took) {
        println!("  {:>5.1} {name}", seconds * 1e6 / (commits * BATCH) as f64);
    }
}
