//! Kept-alive connections, per target, of a bounded number and age.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use foldhash::HashMap;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};

use crate::clock::Timestamp;
use crate::outcome::Connection;
use crate::target::TargetId;
use crate::tasks::Task;

/// How many idle connections one target keeps: as many as are under way at once unless settings say otherwise. With fewer, a
/// lane that has more at once would make connections anew all the time.
pub(crate) const MAX_IDLE_PER_TARGET: usize = 256;

/// How many idle connections all targets keep together: one and more for each of a thousand.
pub(crate) const MAX_IDLE: usize = 2048;

/// How long a connection is kept idle: less than the 60 s after which common servers close one.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// An open connection.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) sender: Sender,
    pub(super) facts: Connection,
    /// Moves its bytes; the connection closes when the last holder lets go.
    pub(super) driver: Arc<Task<()>>,
}

/// Either protocol.
#[derive(Debug)]
pub(super) enum Sender {
    /// One exchange at a time.
    Http1(http1::SendRequest<Full<Bytes>>),
    /// Many at once.
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Why no response came.
pub(super) enum Unanswered {
    /// Not a byte of the request was written.
    Unsent,
    /// It broke on the way, for a person.
    Broken(String),
}

impl Live {
    /// Waits until the connection takes a request.
    pub(super) async fn ready(&mut self) -> Result<(), ()> {
        let ready = match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await,
            Sender::Http2(sender) => sender.ready().await,
        };
        // Why it takes none any more does not matter: nothing was written.
        ready.map_err(drop)
    }

    /// Sends a request and waits for the head of its response.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Unanswered> {
        let sent = match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        };
        sent.map_err(|mut error| match error.take_message() {
            Some(_) => Unanswered::Unsent,
            None => Unanswered::Broken(reason(error.error())),
        })
    }

    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Another handle to the same connection, if its protocol carries several exchanges at once.
    fn share(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(Self {
                sender: Sender::Http2(sender.clone()),
                facts: self.facts.clone(),
                driver: Arc::clone(&self.driver),
            }),
        }
    }
}

/// The innermost cause says what happened; the library's words around it say only that something did.
pub(super) fn reason(error: &hyper::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[derive(Debug, Default)]
pub(super) struct Pool {
    shelf: Mutex<Shelf>,
}

/// The idle connections, each target's in the order in which they were put there.
#[derive(Debug, Default)]
struct Shelf {
    targets: HashMap<TargetId, VecDeque<Idle>>,
    /// How many there are of all targets.
    count: usize,
}

#[derive(Debug)]
struct Idle {
    live: Live,
    since: Timestamp,
}

impl Shelf {
    fn remove(&mut self, target: TargetId) {
        self.count -= self.targets.remove(&target).map_or(0, |idle| idle.len());
    }

    /// Makes room for one more of `target`: in the place of one of its own, or else of those that nobody has used for longest.
    fn make_room(&mut self, target: TargetId) {
        if let Some(own) = self.targets.get_mut(&target)
            && own.len() >= MAX_IDLE_PER_TARGET
        {
            self.count -= usize::from(own.pop_front().is_some());
        } else if self.count >= MAX_IDLE {
            let since = |(_, idle): &(&TargetId, &VecDeque<Idle>)| idle.front().map(|idle| idle.since);
            if let Some(stillest) = self.targets.iter().min_by_key(since).map(|(id, _)| *id) {
                self.remove(stillest);
            }
        }
    }
}

impl Pool {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection of `target` that was used last, if one is still good.
    pub(super) fn take(&self, target: TargetId, now: Timestamp) -> Option<Live> {
        let mut shelf = self.shelf();
        let idle = shelf.targets.get_mut(&target)?;
        let before = idle.len();
        // Who was put there first has waited longest.
        while idle.pop_front_if(|first| now.since(first.since) >= IDLE_TIMEOUT).is_some() {}
        while idle.pop_back_if(|last| last.live.is_closed()).is_some() {}
        let taken = match idle.back().map(|last| last.live.share()) {
            Some(None) => idle.pop_back().map(|idle| idle.live),
            shared => shared.flatten(),
        };
        let (gone, none) = (before - idle.len(), idle.is_empty());
        shelf.count -= gone;
        if none {
            shelf.targets.remove(&target);
        }
        taken
    }

    /// Keeps a connection whose exchange is over.
    pub(super) fn put(&self, target: TargetId, mut live: Live, now: Timestamp) {
        live.facts.reused = true;
        let mut shelf = self.shelf();
        let idle = shelf.targets.get_mut(&target).filter(|_| matches!(live.sender, Sender::Http2(_)));
        if let Some(idle) = idle
            && let Some(at) = idle.iter().position(|idle| Arc::ptr_eq(&idle.live.driver, &live.driver))
        {
            idle.remove(at);
            shelf.count -= 1;
        }
        shelf.make_room(target);
        shelf.targets.entry(target).or_default().push_back(Idle { live, since: now });
        shelf.count += 1;
    }

    /// Closes all idle connections of `target`: where one was found dead, the others are not to be trusted.
    pub(super) fn forget(&self, target: TargetId) {
        self.shelf().remove(target);
    }
}

#[cfg(test)]
mod tests;
