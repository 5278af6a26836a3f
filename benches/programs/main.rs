//! Whole programs side by side: the sender beside a client that is no more than hyper, the receiver beside a server that is no
//! more than hyper and beside wiremock, and how soon and in how much memory the server works. `cargo xtask bench programs`
//! runs this and prints the ratios.
//!
//! All that is compared runs in processes of its own, in turn, several times: what the machine does meanwhile hits all alike.
//! A row is the median of the ratios of the rounds. Everything is on loopback.

mod bare;
mod bodies;
mod deliver;
mod figures;
mod growth;
mod machine;
mod memory;
mod plot;
mod program;
mod receive;
mod role;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use figures::Figures;

/// The program's own: what is compared differs in what it does, not in who gives it memory.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a trial comes to; errors are for whoever watches.
type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// How often all of a comparison takes its turn.
    rounds: usize,
    /// Updates a turn.
    updates: usize,
    /// How many updates wait in the trials of memory.
    backlogs: [usize; 2],
}

/// As the goals are meant.
const FULL: Size = Size { rounds: 7, updates: 20_000, backlogs: [100_000, 1_000_000] };

/// Enough to see that it works.
const QUICK: Size = Size { rounds: 1, updates: 500, backlogs: [1_000, 2_000] };

/// A part of the trials.
type Trial = fn(Size, &mut Figures) -> Done;

const TRIALS: &[(&str, Trial)] = &[
    ("delivery", deliver::throughput),
    ("latency", deliver::latency),
    ("receiver", receive::throughput),
    ("start", memory::start),
    ("memory", memory::memory),
    ("growth", growth::growth),
];

/// Only where it is named.
const PROFILED: (&str, Trial) = ("profiled", deliver::profiled);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["role", rest @ ..] => role::play(rest),
        // A test run of all targets calls this too.
        words if words.contains(&"--bench") => trials(words),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `--quick`, `--only TRIAL` and `--to FOLDER`, in which figures are written as `programs.json`, and plots.
fn trials(words: &[&str]) -> Done {
    let after = |flag| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1));
    let size = if words.contains(&"--quick") { QUICK } else { FULL };
    let mut figures = Figures::default();
    let only = after("--only");
    for (name, trial) in TRIALS.iter().chain([&PROFILED]) {
        if only.map_or(*name != PROFILED.0, |only| only == name) {
            eprintln!("{name} …");
            trial(size, &mut figures).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    match after("--to") {
        Some(folder) => figures.save(Path::new(folder)),
        None => {
            println!("{:#}", figures.json());
            Ok(())
        }
    }
}
