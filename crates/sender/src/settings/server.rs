//! How the server runs: the `[server]` table.

use std::time::Duration;

use delivery::engine::Limits;
use delivery::store::sqlite::Retention;
use secrecy::SecretString;

/// Where the server listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8090";

/// How long attempts under way may take to end after a SIGTERM unless told otherwise.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(20);

/// The shortest token of the API, in characters: shorter ones could be guessed.
pub const MIN_TOKEN: usize = 16;

/// How the server runs.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where the API listens.
    pub listen: String,
    /// The bearer token that the API wants.
    pub token: Option<SecretString>,
    /// What the engine may do at most.
    pub limits: Limits,
    /// For how long history is kept.
    pub retention: Retention,
    /// How long attempts under way may take to end after a SIGTERM.
    pub drain: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN.to_owned(),
            token: None,
            limits: Limits::default(),
            retention: Retention::default(),
            drain: DEFAULT_DRAIN,
        }
    }
}
