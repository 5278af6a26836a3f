//! Who is logged in. Sessions are kept in memory: a start of the server ends them all.

use std::collections::HashMap;
use std::time::Duration;

use delivery::clock::Timestamp;

use super::tokens::{Digest, digest, random};

/// How long a session may rest.
pub(super) const IDLE: Duration = Duration::from_secs(8 * 3600);

/// How long a session lasts, however busy it is.
pub(super) const WHOLE: Duration = Duration::from_secs(24 * 3600);

/// How many sessions there are at once; the one that rested longest ends for another.
pub(super) const MAX_SESSIONS: usize = 1_000;

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) name: String,
    /// The word that changes must repeat.
    pub(super) confirmation: String,
    began: Timestamp,
    seen: Timestamp,
}

/// Sessions, by the digest of what their cookies hold: how long a look-up takes tells nothing of it.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Digest, Session>);

impl Sessions {
    /// Begins a session, and gives the value of its cookie; none if the system gives no random numbers.
    pub(super) fn begin(&mut self, name: &str, now: Timestamp) -> Option<String> {
        self.0.retain(|_, session| session.lasts(now));
        if self.0.len() >= MAX_SESSIONS {
            let oldest = self.0.iter().min_by_key(|(_, session)| session.seen).map(|(digest, _)| *digest);
            self.0.retain(|digest, _| Some(*digest) != oldest);
        }
        let (value, confirmation) = (random()?, random()?);
        let session = Session { name: name.to_owned(), confirmation, began: now, seen: now };
        self.0.insert(digest(value.as_bytes()), session);
        Some(value)
    }

    /// The session of a cookie; `by_hand` if somebody asks, and not their page by itself.
    pub(super) fn find(&mut self, value: &str, now: Timestamp, by_hand: bool) -> Option<Session> {
        let session = self.0.get_mut(&digest(value.as_bytes()))?;
        if !session.lasts(now) {
            return None;
        }
        if by_hand {
            session.seen = now;
        }
        Some(session.clone())
    }

    pub(super) fn end(&mut self, value: &str) {
        self.0.remove(&digest(value.as_bytes()));
    }

    /// Ends all sessions of somebody.
    pub(super) fn end_of(&mut self, name: &str) {
        self.0.retain(|_, session| session.name != name);
    }
}

impl Session {
    fn lasts(&self, now: Timestamp) -> bool {
        now.since(self.seen) < IDLE && now.since(self.began) < WHOLE
    }
}
