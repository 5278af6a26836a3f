//! What the machine says: the time, what a process takes, how long a sync takes. The one file here that reads the clock.

use std::fs::OpenOptions;
use std::io::{Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Done;
use crate::figures::median;

/// The ticks in which Linux counts a process's time (`getconf CLK_TCK`, 100 on all that it runs on today).
const TICK: Duration = Duration::from_millis(10);

/// Now.
#[expect(clippy::disallowed_methods, reason = "this is the named file that reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets a while pass, so that a load is spread over time.
#[expect(clippy::disallowed_methods, reason = "a load is spread over time")]
pub(crate) fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// How long a process has run on processors (proc_pid_stat(5), fields 14 and 15).
pub(crate) fn cpu(process: u32) -> Done<Duration> {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is a name in parentheses that may hold spaces.
    let rest = line.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u32>().ok());
    Ok(TICK * ticks.sum::<u32>())
}

/// The resident memory of a process, in bytes (proc_pid_status(5)).
pub(crate) fn resident(process: u32) -> Done<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// How much is written before each sync.
const BLOCK: usize = 16 * 1024;

/// How much of a file is written over and over, as a log is.
const FILE: u64 = 4 * 1024 * 1024;

/// How long it takes in this folder to write a little in the midst of a file and have it on disk, in seconds.
pub(crate) fn sync_time(folder: &Path, times: usize) -> Done<f64> {
    let path = folder.join("sync");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    file.write_all(&vec![1; usize::try_from(FILE)?])?;
    file.sync_all()?;
    let mut taken = Vec::new();
    for round in 0..times as u64 {
        file.seek(std::io::SeekFrom::Start(round * BLOCK as u64 % FILE))?;
        let began = now();
        file.write_all(&vec![2; BLOCK])?;
        file.sync_data()?;
        taken.push(began.elapsed().as_secs_f64());
    }
    std::fs::remove_file(path)?;
    Ok(median(&mut taken))
}
