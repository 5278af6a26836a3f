//! Prints captures on a thread of its own: a terminal that is held, or a pipe that nobody reads, must not hold up senders.
//! What waits is bounded; what has no room is counted, and told once the rest was printed.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use receiver::Capture;
use receiver::capture::record::{Detail, Record, Secrets};
use serde_json::json;
use tokio::sync::Notify;

use super::print;
use crate::show;

/// How many captures wait to be printed, and how much memory they hold, in bytes.
const MAX_WAITING: usize = 10_000;
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// How a capture is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// For a person.
    Lines,
    /// One JSON object a line.
    Json,
    /// Not at all.
    Quiet,
}

/// What waits to be printed. Cloning gives the same queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    lost: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    captures: VecDeque<Arc<Capture>>,
    bytes: usize,
    /// How many had no room since one was printed.
    left_out: u64,
    ended: bool,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until it turned out that nobody reads what is printed.
    pub(super) async fn lost(&self) {
        self.0.lost.notified().await;
    }

    /// Adds a capture, if there is room. Does not block.
    pub(super) fn push(&self, capture: &Arc<Capture>) {
        let mut waiting = self.waiting();
        if !waiting.has_room(capture) {
            waiting.left_out += 1;
            return;
        }
        waiting.bytes += capture.weight();
        waiting.captures.push_back(Arc::clone(capture));
        drop(waiting);
        self.0.changed.notify_all();
    }

    /// Blocks until there is room for a capture: for what comes from a file, which has time.
    pub(super) fn wait_for_room(&self, capture: &Capture) {
        let waiting = self.waiting();
        let room = self.0.changed.wait_while(waiting, |waiting| !waiting.has_room(capture));
        drop(room.unwrap_or_else(PoisonError::into_inner));
    }

    /// The next capture and how many were left out before it; `None` at the end.
    fn pop(&self) -> Option<(Option<Arc<Capture>>, u64)> {
        let open =
            |waiting: &mut Waiting| waiting.captures.is_empty() && waiting.left_out == 0 && !waiting.ended;
        let waiting = self.0.changed.wait_while(self.waiting(), open);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let next = waiting.captures.pop_front();
        // What was left out is told when all that waited was printed.
        let left_out = if waiting.captures.is_empty() { std::mem::take(&mut waiting.left_out) } else { 0 };
        if let Some(next) = &next {
            waiting.bytes -= next.weight();
        }
        drop(waiting);
        self.0.changed.notify_all();
        (next.is_some() || left_out > 0).then_some((next, left_out))
    }
}

impl Waiting {
    /// Whatever its size, one has room.
    fn has_room(&self, capture: &Capture) -> bool {
        let bytes = self.bytes + capture.weight();
        self.captures.is_empty() || (self.captures.len() < MAX_WAITING && bytes <= MAX_WAITING_BYTES)
    }
}

/// The thread that prints.
#[derive(Debug)]
pub(super) struct Printer {
    queue: Queue,
    thread: JoinHandle<()>,
}

impl Printer {
    pub(super) fn start(queue: &Queue, manner: Manner) -> io::Result<Self> {
        let queue = queue.clone();
        let source = queue.clone();
        let print = move || {
            let mut told = false;
            while let Some((capture, left_out)) = source.pop() {
                if let Some(capture) = capture {
                    shown(&capture, manner);
                }
                if left_out > 0 {
                    not_shown(left_out, manner);
                }
                if show::is_lost() && !told {
                    told = true;
                    source.0.lost.notify_one();
                }
            }
        };
        let thread = std::thread::Builder::new().name("printer".to_owned()).spawn(print)?;
        Ok(Self { queue, thread })
    }

    /// Prints what still waits, and ends.
    pub(super) fn end(self) {
        self.queue.waiting().ended = true;
        self.queue.0.changed.notify_all();
        // A panic there was told by the panic itself.
        let _ = self.thread.join();
    }
}

fn shown(capture: &Capture, manner: Manner) {
    match manner {
        Manner::Quiet => {}
        Manner::Json => show::println(&Record::of(capture, Secrets::Masked, Detail::Plain).line()),
        Manner::Lines => print::exchange(capture),
    }
}

fn not_shown(count: u64, manner: Manner) {
    let odd = show::ODD;
    match manner {
        Manner::Quiet => {}
        Manner::Json => show::println(&json!({ "not_shown": count }).to_string()),
        Manner::Lines => {
            show::println(&format!(
                "{odd}{count} more came than this output could take, and are not shown{odd:#}"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use receiver::capture::Arrival;
    use receiver::request::Connection;
    use receiver::verdict::Verdict;

    use super::*;

    #[test]
    fn what_waits_is_bounded_and_what_has_no_room_is_counted() {
        let connection = Connection { number: 1, peer: ([127, 0, 0, 1], 1).into(), secure: false };
        let capture = Arc::new(Capture {
            number: 1,
            at: UNIX_EPOCH,
            connection,
            arrival: Arrival::Unused,
            event: None,
            verdict: Verdict { checks: Vec::new() },
            status: None,
            fault: None,
        });
        let queue = Queue::default();
        for _ in 0..MAX_WAITING + 3 {
            queue.push(&capture);
        }
        queue.waiting().ended = true;
        let popped: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(popped.len(), MAX_WAITING);
        assert_eq!(popped.iter().map(|(_, left_out)| left_out).sum::<u64>(), 3);
        assert_eq!(popped.last().unwrap().1, 3, "told after those that had room");
        assert_eq!(queue.waiting().bytes, 0);
    }
}
