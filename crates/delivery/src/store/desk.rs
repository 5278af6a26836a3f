//! Group commit: whatever was asked of the store while one commit ran goes into the next one together.
//!
//! A lone request waits for no timer: it is committed at once. Where the engine alone asks for much, more is gathered for a
//! millisecond, and what somebody outside asks for meanwhile waits for as long. Nobody is answered before the commit that
//! holds his work is durable. What the store's faults mean for those who wait is decided by the clerk, and by nobody else:
//!
//! | fault | accepts | deliveries | ends |
//! |---|---|---|---|
//! | full | refused | go on from the reserve | by itself, when there is room |
//! | input or output, damage | refused | wait | when the store was reopened and verified |
//!
//! A failed sync is never repeated as if it had worked: the store is opened anew, and the work is done anew.

mod clerk;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::{Fault, Store};
use crate::clock::Clock;

use clerk::Clerk;

/// How many accepts may wait for their commit; more wait before they are handed in.
const MAX_ACCEPTS: usize = 1024;

/// How the store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    #[default]
    Well,
    /// There is no room: nothing is accepted, deliveries go on.
    Full(String),
    /// It failed and is being reopened: nothing is accepted or settled.
    Poisoned(String),
}

/// What the store did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commits that made something durable; each took one sync.
    pub commits: u64,
    /// Requests that were answered, many of them in one commit.
    pub requests: u64,
    /// Faults.
    pub faults: u64,
}

/// The way to a store. Cloning gives the same; the store is closed when the last is gone.
#[derive(Clone)]
pub struct Desk {
    way: Way,
    accepts: Arc<Semaphore>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Clone)]
enum Way {
    /// Runs in the caller: for a store that never waits.
    Inline(Arc<Mutex<Box<dyn Store>>>),
    Thread(Sender<Job>),
}

#[derive(Default)]
struct Shared {
    health: Health,
    counts: Counts,
    hooks: Vec<Box<dyn Fn() + Send>>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Somebody who can be refused.
    Accept,
    /// The engine, whose work must be done.
    Deliver,
}

struct Job {
    class: Class,
    work: Box<dyn Work>,
}

/// What the store is asked, perhaps several times, and who is told then.
trait Work: Send {
    fn call(&mut self, store: &mut dyn Store) -> Result<(), Fault>;
    fn tell(self: Box<Self>, committed: Result<(), Fault>);
}

/// A request whose answer waits for its commit.
struct Request<T, C, F> {
    call: C,
    answer: Option<T>,
    tell: F,
}

impl<T, C, F> Work for Request<T, C, F>
where
    T: Send,
    C: FnMut(&mut dyn Store) -> Result<T, Fault> + Send,
    F: FnOnce(Result<T, Fault>) + Send,
{
    fn call(&mut self, store: &mut dyn Store) -> Result<(), Fault> {
        self.answer = Some((self.call)(store)?);
        Ok(())
    }

    fn tell(self: Box<Self>, committed: Result<(), Fault>) {
        let Self { answer, tell, .. } = *self;
        tell(committed.and_then(|()| answer.ok_or(Fault::Closed)));
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk that does what it is asked in the caller's own thread.
    #[must_use]
    pub fn inline(store: impl Store) -> Self {
        Self::over(Way::Inline(Arc::new(Mutex::new(Box::new(store)))), Arc::default())
    }

    /// A desk with a thread of its own, which ends when the last handle is gone and all is committed.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn threaded(store: impl Store, clock: Clock) -> std::io::Result<Self> {
        let (jobs, inbox) = channel();
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let clerk = Clerk::new(store, inbox, Arc::clone(&shared), clock);
        std::thread::Builder::new().name("store".to_owned()).spawn(move || clerk.run())?;
        Ok(Self::over(Way::Thread(jobs), shared))
    }

    fn over(way: Way, shared: Arc<Mutex<Shared>>) -> Self {
        Self { way, accepts: Arc::new(Semaphore::new(MAX_ACCEPTS)), shared }
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> Health {
        lock(&self.shared).health.clone()
    }

    /// What the store did.
    #[must_use]
    pub fn counts(&self) -> Counts {
        lock(&self.shared).counts
    }

    /// Asks for something that may be refused, and waits until it is durable. `then` is called with what came of it as soon
    /// as it is, whether or not somebody still waits. If the future is dropped, it may be done or not.
    ///
    /// # Errors
    /// The store's [`Fault`]; the call's work may then be there or not.
    pub async fn accept<T: Send + 'static>(
        &self,
        call: impl FnMut(&mut dyn Store) -> Result<T, Fault> + Send + 'static,
        then: impl FnOnce(&mut T) + Send + 'static,
    ) -> Result<T, Fault> {
        let permit = Arc::clone(&self.accepts).acquire_owned().await.map_err(|_| Fault::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.hand_in(Class::Accept, call, move |mut result| {
            if let Ok(done) = &mut result {
                then(done);
            }
            drop(answer.send(result));
            drop(permit);
        });
        answered.await.unwrap_or(Err(Fault::Closed))
    }

    /// Asks for something that the engine must have; `tell` is called when it is durable, however long that takes. How
    /// many of these wait is bounded by the engine: a few a lane, and one for each delivery that is claimed.
    pub fn ask<T: Send + 'static>(
        &self,
        call: impl FnMut(&mut dyn Store) -> Result<T, Fault> + Send + 'static,
        tell: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) {
        self.hand_in(Class::Deliver, call, tell);
    }

    /// Calls `hook` each time when the store goes on after a fault: what was asked before may have been done once unheard, and
    /// then again.
    pub fn on_recovery(&self, hook: impl Fn() + Send + 'static) {
        lock(&self.shared).hooks.push(Box::new(hook));
    }

    fn hand_in<T: Send + 'static>(
        &self,
        class: Class,
        call: impl FnMut(&mut dyn Store) -> Result<T, Fault> + Send + 'static,
        tell: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) {
        let work = Box::new(Request { call, answer: None, tell });
        let job = Job { class, work };
        match &self.way {
            Way::Inline(store) => inline(&mut **lock(store), job.work),
            // The thread is gone only if it panicked; dropping the job tells whoever waits.
            Way::Thread(jobs) => drop(jobs.send(job)),
        }
    }
}

fn inline(store: &mut dyn Store, mut work: Box<dyn Work>) {
    let done = work.call(store).and_then(|()| store.commit());
    work.tell(done.map(drop));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole after every statement, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
