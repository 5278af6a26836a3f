//! Who works off what is asked of the store: its one thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Class, Health, Job, Shared, lock};
use crate::clock::{Clock, Timestamp};
use crate::store::{Fault, Store};

/// How many requests one commit may hold.
const MAX_GROUP: usize = 1024;

/// From how many requests on that are all the engine's more are gathered, and for how long: each commit writes a page at least of
/// every table and index, however little is in it. A lane with few connections has fewer than that to settle, and would wait for them.
const MANY: usize = 64;
const GATHER: Duration = Duration::from_millis(1);

/// How often there is a look at what nobody asked for: old history, room on a full disk.
const IDLE: Duration = Duration::from_millis(500);

/// How often while the last look left work: often enough that history goes as fast as it comes.
const BUSY: Duration = Duration::from_millis(25);

/// The pauses between attempts to open the store again, the last of which repeats.
const REOPEN_PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(5)];

/// Who sits at the desk.
pub(super) struct Clerk {
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
    pub(super) fn new(
        store: impl Store + 'static,
        inbox: Receiver<Job>,
        shared: Arc<Mutex<Shared>>,
        clock: Clock,
    ) -> Self {
        Self { store: Box::new(store), inbox, shared, clock, idled: clock.now(), pause: IDLE }
    }

    /// Until there are no more callers.
    pub(super) fn run(mut self) {
        loop {
            let first = match self.inbox.recv_timeout(self.pause) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.idle();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut group: Vec<Job> = std::iter::once(first).collect();
            self.fill(&mut group);
            if is_busy(&group) {
                pause(GATHER);
                self.fill(&mut group);
            }
            if self.work_off(group).is_err() {
                return;
            }
            // What nobody asks for has its turn under a load without a pause too.
            if self.clock.now().since(self.idled) >= self.pause {
                self.idle();
            }
        }
    }

    /// Takes what was handed in by now.
    fn fill(&self, group: &mut Vec<Job>) {
        group.extend(self.inbox.try_iter().take(MAX_GROUP - group.len()));
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

/// Whether more is gathered before these are worked off.
fn is_busy(group: &[Job]) -> bool {
    (MANY..MAX_GROUP).contains(&group.len()) && group.iter().all(|job| job.class == Class::Deliver)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it waits for nothing: who hands in meanwhile need not wake it"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::super::Request;
    use super::*;

    #[test]
    fn more_is_gathered_where_the_engine_alone_asks_for_much() {
        let job = |class| {
            let (call, tell) = (|_: &mut dyn Store| Ok(()), |_: Result<(), Fault>| ());
            Job { class, work: Box::new(Request { call, answer: None, tell }) }
        };
        for (deliveries, accepts, busy) in [
            (1, 0, false),
            (MANY - 1, 0, false),
            (MANY, 0, true),
            (MANY, 1, false),
            (0, MANY, false),
            (MAX_GROUP - 1, 0, true),
            (MAX_GROUP, 0, false),
        ] {
            let deliver = (0..deliveries).map(|_| job(Class::Deliver));
            let group: Vec<_> = deliver.chain((0..accepts).map(|_| job(Class::Accept))).collect();
            assert_eq!(is_busy(&group), busy, "{deliveries} of the engine's, {accepts} accepts");
        }
    }
}
