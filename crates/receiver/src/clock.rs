//! The one place of this crate that reads a clock or spawns a task.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The wall clock, for captures.
#[expect(clippy::disallowed_methods, reason = "this is the named file that reads the clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// A pause that can be polled by hand.
pub(crate) type Pause = Pin<Box<tokio::time::Sleep>>;

/// Waits. What waits here does so on purpose (a fault) or for a machine out of resources, never for an event.
#[expect(clippy::disallowed_methods, reason = "this is the named file that waits")]
pub(crate) fn pause(duration: Duration) -> Pause {
    Box::pin(tokio::time::sleep(duration))
}

/// How long something took.
#[derive(Debug)]
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

    /// Until all of them ended.
    pub(crate) async fn ended(&mut self) {
        while self.0.join_next().await.is_some() {}
    }
}

/// A thread with a runtime of its own; dropping it stops what runs there, and waits for the thread's end.
#[derive(Debug)]
pub(crate) struct Thread {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    /// Runs `work` with what `start` makes there. Gives back once `start` succeeded.
    pub(crate) fn run<T, F>(
        start: impl FnOnce() -> io::Result<T> + Send + 'static,
        work: impl FnOnce(T) -> F + Send + 'static,
    ) -> io::Result<Self>
    where
        F: Future<Output = ()>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (told, started) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("mock-receiver".to_owned()).spawn(move || {
            runtime.block_on(async {
                let made = start();
                let _ = told.send(made.as_ref().map(drop).map_err(|error| io::Error::from(error.kind())));
                let Ok(made) = made else { return };
                tokio::select! {
                    () = work(made) => {}
                    _ = stopped => {}
                }
            });
        })?;
        started.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended")))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told by the panic itself; a second one here would end the program.
            let _ = thread.join();
        }
    }
}
