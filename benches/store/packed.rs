//! What the store costs the processor a delivery, beside the least that one in SQLite could: the same bodies as one record a
//! commit, and all that is settled with it as another, without an index. What the rest buys is that each message, and each end,
//! is found by itself.

use delivery::store::{Digest, Entry, Store};
use fastrand::Rng;
use rusqlite::{Connection, params};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use super::{OnDisk, delivered, folder};

/// Deliveries a commit: a request of as many updates, and the end of those before.
const BATCH: usize = 1_000;

/// As the store has it (`sqlite/open.rs`), and one table for all.
const PACKED: &str = "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -4000;
    CREATE TABLE batch (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL, crc INTEGER NOT NULL) STRICT;";

/// How many bytes of bodies go by before the log is written into the file.
const CHECKPOINT_EVERY: usize = 4 * 1024 * 1024;

/// The processor's time that this process has taken, the system's for it included, in seconds.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

struct Packed {
    connection: Connection,
    logged: usize,
    _folder: TempDir,
}

impl Packed {
    fn new() -> rusqlite::Result<Self> {
        let folder = folder();
        let connection = Connection::open(folder.path().join("packed"))?;
        connection.execute_batch(PACKED)?;
        Ok(Self { connection, logged: 0, _folder: folder })
    }

    fn write(&mut self, entries: &[Entry]) -> rusqlite::Result<()> {
        let bodies = entries.iter().map(|entry| &*entry.message.body).collect::<Vec<_>>().concat();
        // A bit each, and a digest to know it again by.
        let ends = vec![0_u8; entries.len() / 8 + entries.len() * size_of::<Digest>()];
        let transaction = self.connection.unchecked_transaction()?;
        let mut insert = transaction.prepare("INSERT INTO batch (bytes, crc) VALUES (?1, ?2)")?;
        for bytes in [&bodies, &ends] {
            insert.execute(params![bytes, crc32c::crc32c(bytes)])?;
        }
        drop(insert);
        transaction.commit()?;
        self.logged += bodies.len();
        if self.logged >= CHECKPOINT_EVERY {
            self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
            self.logged = 0;
        }
        Ok(())
    }
}

/// Prints microseconds of processor a delivery, of both.
pub(super) fn compare(commits: usize) {
    let (mut store, mut packed) = (OnDisk::new(), Packed::new().expect("the disk works"));
    let mut dice = Rng::with_seed(1);
    let (mut claimed, mut took) = (Vec::new(), [0.0; 2]);
    for _ in 0..commits {
        let mut entries = store.entries(BATCH);
        for entry in &mut entries {
            let mut digest: Digest = [0; 32];
            dice.fill(&mut digest);
            entry.once = Some((digest, digest));
        }
        let now = store.now();
        let finishes: Vec<_> = claimed.drain(..).map(|id| delivered(store.lane, id, now)).collect();
        let begun = processor();
        for finish in &finishes {
            assert!(store.store.finish(finish).expect("the disk works").settled);
        }
        claimed = store.append(&entries);
        took[0] += processor() - begun;
        let begun = processor();
        packed.write(&entries).expect("the disk works");
        took[1] += processor() - begun;
    }
    let [ours, packed] = took.map(|seconds| seconds * 1e6 / (commits * BATCH) as f64);
    println!("alone, {BATCH} a commit: {ours:.1} µs of processor a delivery, {packed:.1} as one record");
}
