//! Who can log in. Of a password its argon2id hash is kept (RFC 9106), with the least parameters that OWASP's password
//! storage sheet names: 19 MiB, two passes, one lane.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use delivery::clock::Timestamp;
use delivery::store::{Change, Document};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::Denied;

/// The kind of the records.
pub(super) const PERSON: &str = "person";

/// How short a password may be, in characters (NIST SP 800-63B asks for 8 at least), and how long, in bytes.
pub const MIN_PASSWORD: usize = 12;
/// See [`MIN_PASSWORD`].
pub const MAX_PASSWORD: usize = 1_024;

/// The longest name, in bytes.
const MAX_NAME: usize = 64;

/// Somebody, by name.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Person {
    /// The hash as a PHC string.
    pub(super) hash: String,
    /// When they were made known, in microseconds since 1970.
    since: u64,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person")
    }
}

impl Person {
    pub(super) fn new(hash: String, now: Timestamp) -> Self {
        Self { hash, since: now.as_micros() }
    }

    pub(super) fn with(self, hash: String) -> Self {
        Self { hash, ..self }
    }

    pub(super) fn read(document: &Document) -> Option<Self> {
        serde_json::from_slice(&document.body).ok()
    }

    pub(super) fn put(&self, name: &str) -> Change {
        // Two members of text and number can be written.
        Change::Put(Document::new(PERSON, name, serde_json::to_vec(self).unwrap_or_default()))
    }

    pub(super) fn since(&self) -> Timestamp {
        Timestamp::from_micros(self.since)
    }
}

pub(super) fn removed(name: &str) -> Change {
    Change::Remove { kind: PERSON.to_owned(), id: name.to_owned() }
}

/// What is wrong with a name or a password.
pub(super) fn check(name: &str, password: &SecretString) -> Result<(), Denied> {
    let mut mistakes = Vec::new();
    let fits = |c: char| c.is_alphanumeric() || "._-@".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
        mistakes.push(format!("name: it is 1 to {MAX_NAME} letters, digits and . _ - @"));
    }
    let password = password.expose_secret();
    if password.chars().count() < MIN_PASSWORD {
        mistakes.push(format!("password: it is shorter than {MIN_PASSWORD} characters"));
    }
    if password.len() > MAX_PASSWORD {
        mistakes.push(format!("password: it is longer than {MAX_PASSWORD} bytes"));
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Denied::Invalid(mistakes)) }
}

/// The hash of a password; none if the system gives no random numbers.
pub(super) fn hash(password: &SecretString) -> Option<String> {
    let hashed = Argon2::default().hash_password(password.expose_secret().as_bytes());
    hashed.ok().map(|hash| hash.to_string())
}

/// Whether it is the password of the hash. Without one it takes as long, so that nobody learns which names there are.
pub(super) fn verify(hash: Option<&str>, password: &SecretString) -> bool {
    let password = password.expose_secret();
    if password.len() > MAX_PASSWORD {
        return false;
    }
    let Some(parsed) = hash.and_then(|hash| argon2::PasswordHash::new(hash).ok()) else {
        let _ = Argon2::default().hash_password(password.as_bytes());
        return false;
    };
    Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok()
}
