//! Kept-alive connections, per target, of a bounded number and age.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};

use crate::clock::Timestamp;
use crate::outcome::Connection;
use crate::target::TargetId;
use crate::tasks::Task;

/// How many idle connections one target keeps.
pub(crate) const MAX_IDLE_PER_TARGET: usize = 16;

/// How many idle connections all targets keep together.
pub(crate) const MAX_IDLE: usize = 512;

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
    idle: Mutex<HashMap<TargetId, Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    live: Live,
    since: Timestamp,
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, HashMap<TargetId, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection of `target` that was used last, if one is still good.
    pub(super) fn take(&self, target: TargetId, now: Timestamp) -> Option<Live> {
        let mut idle = self.idle();
        let waiting = idle.get_mut(&target)?;
        waiting.retain(|idle| !idle.live.is_closed() && now.since(idle.since) < IDLE_TIMEOUT);
        let taken = match waiting.last_mut().map(|last| last.live.share()) {
            Some(Some(shared)) => Some(shared),
            Some(None) => waiting.pop().map(|idle| idle.live),
            None => None,
        };
        if waiting.is_empty() {
            idle.remove(&target);
        }
        taken
    }

    /// Keeps a connection whose exchange is over.
    pub(super) fn put(&self, target: TargetId, mut live: Live, now: Timestamp) {
        live.facts.reused = true;
        let mut idle = self.idle();
        let same = |idle: &&mut Idle| Arc::ptr_eq(&idle.live.driver, &live.driver);
        let waiting = idle.entry(target).or_default();
        if let Some(shared) = waiting.iter_mut().find(same) {
            shared.since = now;
            return;
        }
        // In the place of one of its own, or else of those that nobody has used for longest.
        if waiting.len() >= MAX_IDLE_PER_TARGET {
            waiting.remove(0);
        } else if idle.values().map(Vec::len).sum::<usize>() >= MAX_IDLE {
            let waiting = idle.iter().filter(|(_, waiting)| !waiting.is_empty());
            let oldest = waiting.min_by_key(|(_, waiting)| waiting.first().map(|idle| idle.since));
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                idle.remove(&oldest);
            }
        }
        idle.entry(target).or_default().push(Idle { live, since: now });
    }

    /// Closes all idle connections of `target`: where one was found dead, the others are not to be trusted.
    pub(super) fn forget(&self, target: TargetId) {
        self.idle().remove(&target);
    }
}

#[cfg(test)]
mod tests;
