//! Who may ask: whoever has a token, whoever is logged in, or, where nobody ever set that up, this machine.
//!
//! | request | let in as |
//! |---|---|
//! | `Authorization: Bearer …` with the server's token or one that was made here | that token |
//! | the cookie of a session, from a page of this server | the person who logged in |
//! | neither, from this machine, while there is no token of the server and nobody who could log in | this machine |
//!
//! A browser sends requests for whatever page it shows. So what comes without a bearer token must come from a page of this
//! server (`origin`), and what changes something must repeat a word that only such a page knows (`Caller::confirms`).

mod changes;
mod limiter;
pub(crate) mod origin;
mod people;
mod sessions;
mod tokens;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use delivery::clock::Timestamp;
use delivery::store::Fault;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use sender::{Book, Sender};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use limiter::Limiter;
use people::{PERSON, Person};
use sessions::{Session, Sessions};
use tokens::{TOKEN, Token};

pub use changes::Denied;
pub use people::{MAX_PASSWORD, MIN_PASSWORD};

/// How many people may log in, and how many tokens there may be.
pub const MAX_PEOPLE: usize = 100;
/// See [`MAX_PEOPLE`].
pub const MAX_TOKENS: usize = 1_000;

/// How many passwords are looked at at once, and how many more wait: each takes 19 MiB and some 20 ms.
const HASHES: usize = 1;
const MAX_WAITING: usize = 8;

/// What the audit log calls whoever has the set-up token, which is good for the first person only.
const SET_UP: &str = "the set-up token";

/// What the script of a page sends with what it asks by itself: nobody is there because of that.
pub(crate) const LIVE: &str = "x-live";

/// Who may ask.
#[derive(Debug)]
pub struct Access {
    address: SocketAddr,
    token: Option<SecretString>,
    /// What lets the first person in who is to have a password, until there is one.
    set_up: Option<SecretString>,
    /// What pages repeat while nobody logs in.
    confirmation: String,
    known: RwLock<Known>,
    /// Who changes what is known holds it.
    changing: tokio::sync::Mutex<()>,
    sessions: Mutex<Sessions>,
    limiter: Mutex<Limiter>,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Known {
    people: BTreeMap<String, Person>,
    tokens: BTreeMap<String, Token>,
    /// A record of a person could not be read: somebody wanted a login here.
    damaged: bool,
}

/// Who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What the audit log calls them.
    pub who: String,
    pub(crate) by: By,
}

/// What they were let in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Bearer,
    Session {
        name: String,
        confirmation: String,
    },
    /// Nobody needs to log in.
    Machine {
        confirmation: String,
    },
}

impl Caller {
    /// The word that a change from a page must repeat.
    #[must_use]
    pub(crate) fn confirmation(&self) -> &str {
        match &self.by {
            By::Bearer => "",
            By::Session { confirmation, .. } | By::Machine { confirmation } => confirmation,
        }
    }

    /// Whether a change is meant by them: it repeats the word that their pages know.
    #[must_use]
    pub(crate) fn confirms(&self, given: &[u8]) -> bool {
        let known = self.confirmation().as_bytes();
        self.by == By::Bearer || (!known.is_empty() && bool::from(known.ct_eq(given)))
    }

    /// Whether they are let in by a cookie, which a browser sends by itself.
    pub(crate) const fn is_logged_in(&self) -> bool {
        matches!(self.by, By::Session { .. })
    }
}

/// Where a request comes from: the address at the other end of its connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// With this status.
    pub status: StatusCode,
    /// For this reason.
    pub why: &'static str,
}

const fn refused(status: StatusCode, why: &'static str) -> Refused {
    Refused { status, why }
}

impl Access {
    /// What a server at `address` wants, with those that are known from before.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open(
        address: SocketAddr,
        token: Option<SecretString>,
        sender: &Sender,
    ) -> Result<Self, Fault> {
        let read =
            |store: &mut dyn delivery::store::Store| Ok([store.documents(PERSON)?, store.documents(TOKEN)?]);
        let [people, tokens] = sender.engine().desk().accept(read, |_| {}).await?;
        let mut known = Known { damaged: !people.damaged.is_empty(), ..Known::default() };
        for document in &people.found {
            match Person::read(document) {
                Some(person) => drop(known.people.insert(document.id.clone(), person)),
                None => known.damaged = true,
            }
        }
        // A token whose record is damaged lets nobody in.
        let tokens = tokens.found.iter();
        known.tokens = tokens.filter_map(|found| Some((found.id.clone(), Token::read(found)?))).collect();
        Ok(Self::new(address, token, known))
    }

    fn new(address: SocketAddr, token: Option<SecretString>, known: Known) -> Self {
        let wants_set_up =
            token.is_none() && known.people.is_empty() && !known.damaged && !address.ip().is_loopback();
        Self {
            address,
            token,
            // Without randomness nobody is let in by it.
            set_up: wants_set_up.then(|| SecretString::from(tokens::random().unwrap_or_default())),
            confirmation: tokens::random().unwrap_or_default(),
            known: RwLock::new(known),
            changing: tokio::sync::Mutex::default(),
            sessions: Mutex::default(),
            limiter: Mutex::default(),
            hashing: Arc::new(Semaphore::new(HASHES)),
            waiting: Arc::new(Semaphore::new(HASHES + MAX_WAITING)),
        }
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this machine is let in without a word.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let known = self.known();
        self.address.ip().is_loopback() && self.token.is_none() && known.people.is_empty() && !known.damaged
    }

    /// Whether the first who is to log in can still be made known with a set-up token, or the server's.
    #[must_use]
    pub fn wants_set_up(&self) -> bool {
        let known = self.known();
        known.people.is_empty() && !known.damaged && (self.set_up.is_some() || self.token.is_some())
    }

    /// The set-up token, to be shown to whoever started the server, as long as it is good for something.
    #[must_use]
    pub fn set_up_token(&self) -> Option<&SecretString> {
        self.set_up.as_ref().filter(|_| self.wants_set_up())
    }

    /// Judges the head of a request.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn judge(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Refused> {
        if let Some(given) = bearer_of(headers) {
            let why = "this token is not known here: Authorization: Bearer …";
            let caller = |who| Caller { who, by: By::Bearer };
            return self.bearer(given).map(caller).ok_or(refused(StatusCode::UNAUTHORIZED, why));
        }
        if let Some(session) = cookie(headers, &self.cookie_name())
            .and_then(|value| self.session(value, now, !headers.contains_key(LIVE)))
        {
            origin::of_this_server(headers)?;
            let by = By::Session { name: session.name.clone(), confirmation: session.confirmation };
            return Ok(Caller { who: session.name, by });
        }
        if self.is_open() {
            origin::of_this_machine(headers)?;
            origin::past_no_proxy(headers)?;
            origin::of_this_server(headers)?;
            let by = By::Machine { confirmation: self.confirmation.clone() };
            return Ok(Caller { who: "this machine".to_owned(), by });
        }
        let why = if self.wants_set_up() && self.token.is_none() {
            "nobody is let in yet: open /setup in a browser, with the set-up token that the server printed"
        } else {
            "this server wants a token: Authorization: Bearer …"
        };
        Err(refused(StatusCode::UNAUTHORIZED, why))
    }

    fn bearer(&self, given: &[u8]) -> Option<String> {
        let own =
            self.token.as_ref().is_some_and(|token| given.ct_eq(token.expose_secret().as_bytes()).into());
        if own {
            return Some("the token".to_owned());
        }
        let (known, given) = (self.known(), tokens::kept(given));
        let found = known.tokens.values().find(|token| token.is(&given));
        found.map(|token| format!("token {}", token.name))
    }

    fn session(&self, value: &str, now: Timestamp, by_hand: bool) -> Option<Session> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).find(value, now, by_hand)
    }

    /// What the cookie of a session is called. Browsers send a host's cookies to all its ports, so the port is part of it.
    pub(crate) fn cookie_name(&self) -> String {
        format!("fusion_webhook_{}", self.address.port())
    }

    /// Logs somebody in, and gives the value of the cookie.
    pub(crate) async fn log_in(
        &self,
        (name, password): (&str, SecretString),
        from: IpAddr,
        now: Timestamp,
    ) -> Result<String, Denied> {
        self.take_try(from, now)?;
        let hash = self.known().people.get(name).map(|person| person.hash.clone());
        let verified = hash.clone();
        let right = self.at_the_hash(move || people::verify(verified.as_deref(), &password)).await?;
        // Who gave it another one meanwhile has ended the sessions of the old one; they wait until this one has begun.
        let known = self.known();
        if !right || known.people.get(name).map(|person| &person.hash) != hash.as_ref() {
            return Err(Denied::Wrong);
        }
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner).forget(from);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.begin(name, now).ok_or(Denied::NoRandomness)
    }

    /// Ends the session of a request.
    pub(crate) fn log_out(&self, headers: &HeaderMap) {
        if let Some(value) = cookie(headers, &self.cookie_name()) {
            self.sessions.lock().unwrap_or_else(PoisonError::into_inner).end(value);
        }
    }

    /// Makes the first person known, by the set-up token or the server's.
    pub(crate) async fn set_up(
        &self,
        token: &str,
        (name, password): (&str, SecretString),
        book: &Book,
        (from, now): (IpAddr, Timestamp),
    ) -> Result<(), Denied> {
        self.take_try(from, now)?;
        let right = |known: &SecretString| {
            let known = known.expose_secret().as_bytes();
            !known.is_empty() && bool::from(known.ct_eq(token.as_bytes()))
        };
        if !self.wants_set_up() || !self.set_up.iter().chain(&self.token).any(right) {
            return Err(Denied::WrongSetUp);
        }
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner).forget(from);
        self.add_person((name, password), book, SET_UP, now).await
    }

    fn take_try(&self, from: IpAddr, now: Timestamp) -> Result<(), Denied> {
        if self.waiting.available_permits() == 0 {
            // It is not looked at, so it does not count.
            return Err(Denied::Later(1));
        }
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.take(from, now).map_err(Denied::Later)
    }

    /// Works on a password, on a thread that may block, within bounds.
    async fn at_the_hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Denied> {
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| Denied::Later(1))?;
        let turn = Arc::clone(&self.hashing).acquire_owned().await.map_err(|_| Denied::Later(1))?;
        // The work goes on if nobody waits for it any more; its turn is over when it is.
        let work = move || {
            let done = work();
            drop((place, turn));
            done
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(done) => Ok(done),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// The token of a request (RFC 6750, section 2.1). Other schemes are somebody else's, such as a proxy's.
fn bearer_of(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

/// A cookie of a request (RFC 6265, section 5.4); several fields may hold some.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    // Others of this host may hold any bytes: they are shared by all its ports.
    let fields = headers.get_all(COOKIE).iter().map(http::HeaderValue::as_bytes);
    let pairs = fields
        .flat_map(|field| field.split(|byte| *byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok());
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests;
