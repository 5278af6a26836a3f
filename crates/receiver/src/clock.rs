//! The one place of this crate that reads a clock or spawns a task.

use std::future::Future;
use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use tokio::time::Instant;

/// The wall clock, for captures.
#[expect(clippy::disallowed_methods, reason = "this is the named file that reads the clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// How long something took.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the named file that reads the clock")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The tasks of a server; dropping it stops them all.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<()>);

impl Tasks {
    /// Runs `work`, and gives up the memory of those that ended. A panic in one ends that one: the server goes on.
    pub(crate) fn run(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        while self.0.try_join_next().is_some() {}
        self.0.spawn(work);
    }
}
