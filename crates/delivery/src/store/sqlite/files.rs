//! The store's folder: who may open it, the reserve for a full disk, and the high-water mark.
//!
//! | file | is |
//! |---|---|
//! | `store.sqlite`, `-wal`, `-shm` | the records |
//! | `lock` | held by the one process that has the store open, with its process id |
//! | `reserve` | blocks that are given back when the disk is full |
//! | `high-water` | which store this is and its last commit: 16 bytes generation, 8 bytes commits, 4 bytes CRC32C, little-endian |
//!
//! The mark is written after each commit and never synced: after a kill it is at most one commit behind, and what it says
//! is never ahead of the records, unless records were lost.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::OpenError;

/// What is kept for a full disk, in bytes.
pub const RESERVE: u64 = 16 * 1024 * 1024;

/// How much more than the reserve must be free before the disk counts as not full, in bytes.
const MARGIN: u64 = 16 * 1024 * 1024;

/// The folder of a store, locked for this process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
    mark: File,
}

/// Which store, and how many commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) generation: [u8; 16],
    pub(super) commits: u64,
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

impl Folder {
    /// Makes the folder if there is none, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |error: io::Error| OpenError::Folder(path.to_path_buf(), error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let mut lock = private(OpenOptions::new().read(true).write(true).create(true))
            .open(path.join("lock"))
            .map_err(failed)?;
        if let Err(error) = lock.try_lock() {
            let mut holder = String::new();
            let _ = lock.read_to_string(&mut holder);
            return Err(match error {
                std::fs::TryLockError::WouldBlock => {
                    OpenError::Held(path.to_path_buf(), holder.trim().to_owned())
                }
                std::fs::TryLockError::Error(error) => failed(error),
            });
        }
        lock.set_len(0).map_err(failed)?;
        lock.write_all(format!("process {}\n", std::process::id()).as_bytes()).map_err(failed)?;
        let database = path.join("store.sqlite");
        let mark_path = path.join("high-water");
        if mark_path.exists() && !database.exists() {
            return Err(OpenError::Lost(format!(
                "{} is gone, although {} says that there was a store; put it back, or delete {} to begin anew",
                database.display(),
                mark_path.display(),
                mark_path.display(),
            )));
        }
        // SQLite gives its other files the mode of this one.
        let made = private(OpenOptions::new().write(true).create(true).truncate(false)).open(&database);
        let made = made.map_err(failed)?;
        made.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let mark = private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
            .open(&mark_path)
            .map_err(failed)?;
        Ok(Self { path: path.to_path_buf(), _lock: lock, mark })
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join("store.sqlite")
    }

    /// The mark, if it is whole.
    pub(super) fn mark(&self) -> Option<Mark> {
        let mut bytes = [0; 28];
        self.mark.read_exact_at(&mut bytes, 0).ok()?;
        let (record, check) = bytes.split_at(24);
        if crc32c::crc32c(record).to_le_bytes() != check {
            return None;
        }
        let (generation, commits) = record.split_at(16);
        Some(Mark {
            generation: generation.try_into().ok()?,
            commits: u64::from_le_bytes(commits.try_into().ok()?),
        })
    }

    /// Moves the mark on. What cannot be written is no loss: the mark only falls behind.
    pub(super) fn set_mark(&self, mark: Mark) {
        let mut bytes = [0; 28];
        bytes[..16].copy_from_slice(&mark.generation);
        bytes[16..24].copy_from_slice(&mark.commits.to_le_bytes());
        let check = crc32c::crc32c(&bytes[..24]).to_le_bytes();
        bytes[24..].copy_from_slice(&check);
        let _ = self.mark.write_all_at(&bytes, 0);
    }

    fn reserve(&self) -> PathBuf {
        self.path.join("reserve")
    }

    /// Sets blocks aside. Says whether they are there.
    pub(super) fn fill_reserve(&self) -> bool {
        let file = private(OpenOptions::new().write(true).create(true).truncate(false)).open(self.reserve());
        let Ok(file) = file else { return false };
        if file.metadata().is_ok_and(|metadata| metadata.len() >= RESERVE) {
            return true;
        }
        let set_aside = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE);
        if set_aside.is_err() {
            self.free_reserve();
        }
        set_aside.is_ok()
    }

    pub(super) fn free_reserve(&self) {
        let _ = std::fs::remove_file(self.reserve());
    }

    /// Whether the disk has room for the reserve and more; if so, the reserve is there again.
    pub(super) fn has_room(&self) -> bool {
        let free = rustix::fs::statvfs(&self.path).map_or(0, |disk| disk.f_bavail * disk.f_frsize);
        free >= RESERVE + MARGIN && self.writes() && self.fill_reserve()
    }

    /// Whether a write works, for the limits that no free space shows (quota, file size).
    pub(super) fn writes(&self) -> bool {
        let probe = self.path.join("probe");
        let written = private(OpenOptions::new().write(true).create(true).truncate(true))
            .open(&probe)
            .and_then(|mut file| file.write_all(&[0; 64 * 1024]));
        let _ = std::fs::remove_file(probe);
        !matches!(
            written.map_err(|error| error.kind()),
            Err(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
        )
    }
}
