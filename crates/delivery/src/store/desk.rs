//! Group commit: whatever was asked of the store while one commit ran goes into the next one together.
//!
//! A lone request waits for no timer: it is committed at once. Nobody is answered before the commit that holds his work is
//! durable. What the store's faults mean for those who wait is decided here, and only here:
//!
//! | fault | accepts | deliveries | ends |
//! |---|---|---|---|
//! | full | refused | go on from the reserve | by itself, when there is room |
//! | input or output, damage | refused | wait | when the store was reopened and verified |
//!
//! A failed sync is never repeated as if it had worked: the store is opened anew, and the work is done anew.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::{Fault, Store};
use crate::clock::{Clock, Timestamp};

/// How many requests one commit may hold.
const MAX_GROUP: usize = 1024;

/// How many accepts may wait for their commit; more wait before they are handed in.
const MAX_ACCEPTS: usize = 1024;

/// How often there is a look at what nobody asked for: old history, room on a full disk.
const IDLE: Duration = Duration::from_millis(500);

/// How often while the last look left work: often enough that history goes as fast as it comes.
const BUSY: Duration = Duration::from_millis(25);

/// The pauses between attempts to open the store again, the last of which repeats.
const REOPEN_PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(5)];

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
        let clerk = Clerk {
            store: Box::new(store),
            inbox,
            shared: Arc::clone(&shared),
            clock,
            idled: clock.now(),
            pause: IDLE,
        };
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
    /// many of these wait is bounded by the engine: one a lane, and one an attempt under way.
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

/// Who sits at the desk.
struct Clerk {
    store: Box<dyn Store>,
    inbox: Receiver<Job>,
    shared: Arc<Mutex<Shared>>,
    clock: Clock,
    /// When there was a look at what nobody asked for.
    idled: Timestamp,
    /// How long after it there is the next.
    pause: Duration,
}

/// The desk has no more callers.
struct Closed;

impl Clerk {
    fn run(mut self) {
        loop {
            let first = match self.inbox.recv_timeout(self.pause) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.idle();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let group = std::iter::once(first).chain(self.inbox.try_iter().take(MAX_GROUP - 1)).collect();
            if self.work_off(group).is_err() {
                return;
            }
            // What nobody asks for has its turn under a load without a pause too.
            if self.clock.now().since(self.idled) >= self.pause {
                self.idle();
            }
        }
    }

    fn health(&self) -> Health {
        lock(&self.shared).health.clone()
    }

    fn set_health(&self, health: Health) {
        lock(&self.shared).health = health;
    }

    /// Commits a group, however often it takes.
    fn work_off(&mut self, mut group: Vec<Job>) -> Result<(), Closed> {
        loop {
            self.look_for_room();
            self.refuse_accepts(&mut group);
            if group.is_empty() {
                return Ok(());
            }
            match self.commit(&mut group) {
                Ok(wrote) => {
                    let mut shared = lock(&self.shared);
                    shared.counts.commits += u64::from(wrote);
                    shared.counts.requests += group.len() as u64;
                    drop(shared);
                    group.into_iter().for_each(|job| job.work.tell(Ok(())));
                    return Ok(());
                }
                Err(fault) => {
                    lock(&self.shared).counts.faults += 1;
                    self.recover(&fault, &mut group)?;
                }
            }
        }
    }

    fn commit(&mut self, group: &mut [Job]) -> Result<bool, Fault> {
        for job in group {
            job.work.call(&mut *self.store)?;
        }
        self.store.commit()
    }

    /// After this the group can be tried again.
    fn recover(&mut self, fault: &Fault, group: &mut Vec<Job>) -> Result<(), Closed> {
        let full = matches!(fault, Fault::Full(_));
        let was_full = matches!(self.health(), Health::Full(_));
        if full && self.store.abort().is_ok() {
            self.set_health(Health::Full(fault.why()));
            self.store.relieve();
            // Where the commit itself was durable, and what came after it found no room, more is there than was told.
            self.tell_of_doubt();
            // The reserve was used up too: all that is left is to wait for room.
            return if was_full { self.wait(IDLE, group) } else { Ok(()) };
        }
        self.set_health(Health::Poisoned(fault.why()));
        for tries in 0.. {
            self.refuse_accepts(group);
            self.wait(REOPEN_PAUSES[tries.min(REOPEN_PAUSES.len() - 1)], group)?;
            match self.store.reopen() {
                Ok(()) => break,
                Err(fault) => self.set_health(Health::Poisoned(fault.to_string())),
            }
        }
        self.set_health(Health::Well);
        self.tell_of_doubt();
        Ok(())
    }

    fn tell_of_doubt(&self) {
        lock(&self.shared).hooks.iter().for_each(|hook| hook());
    }

    /// Lets a pause pass, in which accepts are refused and the engine's requests are gathered.
    fn wait(&mut self, pause: Duration, group: &mut Vec<Job>) -> Result<(), Closed> {
        let end = self.clock.now().after(pause);
        loop {
            let left = end.since(self.clock.now());
            if left.is_zero() {
                return Ok(());
            }
            match self.inbox.recv_timeout(left) {
                Ok(job) => group.push(job),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(Closed),
            }
            self.refuse_accepts(group);
        }
    }

    fn refuse_accepts(&self, group: &mut Vec<Job>) {
        let fault = match self.health() {
            Health::Well => return,
            Health::Full(why) => Fault::Full(why),
            Health::Poisoned(why) => Fault::Poisoned(why),
        };
        let (accepts, others) = group.drain(..).partition(|job| job.class == Class::Accept);
        *group = others;
        for job in accepts {
            job.work.tell(Err(fault.clone()));
        }
    }

    fn look_for_room(&mut self) {
        if matches!(self.health(), Health::Full(_)) && self.store.has_room() {
            self.set_health(Health::Well);
        }
    }

    /// Nobody asks for anything: time for what can wait, a little at a time.
    fn idle(&mut self) {
        self.idled = self.clock.now();
        self.look_for_room();
        let done = self.store.tidy(self.clock.now()).and_then(|more| Ok((more, self.store.commit()?)));
        self.pause = if matches!(done, Ok((true, _))) { BUSY } else { IDLE };
        match done {
            Ok((_, wrote)) => lock(&self.shared).counts.commits += u64::from(wrote),
            Err(fault) => {
                lock(&self.shared).counts.faults += 1;
                // Whoever comes meanwhile is held in this group, and worked off after it.
                let mut group = Vec::new();
                if self.recover(&fault, &mut group).is_ok() {
                    let _ = self.work_off(group);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
