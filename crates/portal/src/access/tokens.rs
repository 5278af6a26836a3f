//! Tokens that were made here, for programs. A token is 32 random bytes, so a plain SHA-256 of it is kept: there is nothing
//! to guess that a slow hash would have to slow down.

use aws_lc_rs::digest::SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use delivery::clock::Timestamp;
use delivery::store::{Change, Document};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::Denied;

/// The kind of the records.
pub(super) const TOKEN: &str = "token";

/// What a token begins with, so that scanners of published code know one.
const PREFIX: &str = "fwt_";

/// The longest name, in bytes.
const MAX_NAME: usize = 64;

/// A SHA-256.
pub(super) type Digest = [u8; 32];

pub(super) fn digest(bytes: &[u8]) -> Digest {
    let digest = aws_lc_rs::digest::digest(&SHA256, bytes);
    // A SHA-256 is 32 bytes.
    digest.as_ref().try_into().unwrap_or_default()
}

/// The digest of a token's text as it is kept.
pub(super) fn kept(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(text))
}

/// 32 random bytes, as text; none if the system gives none.
pub(super) fn random() -> Option<String> {
    let mut bytes = [0; 32];
    // As for the key: the TLS library would gather randomness of its own first.
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of a token.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    pub(crate) name: String,
    /// The base64url of its SHA-256.
    digest: String,
    /// Who made it.
    pub(crate) made_by: String,
    /// When, in microseconds since 1970.
    since: u64,
}

impl Token {
    /// A new one, and its text.
    pub(super) fn make(name: &str, who: &str, now: Timestamp) -> Option<(Self, String)> {
        let text = format!("{PREFIX}{}", random()?);
        let digest = kept(text.as_bytes());
        let token = Self { name: name.to_owned(), digest, made_by: who.to_owned(), since: now.as_micros() };
        Some((token, text))
    }

    /// Whether it is the one whose text has this digest, as it is kept.
    pub(super) fn is(&self, given: &str) -> bool {
        given.as_bytes().ct_eq(self.digest.as_bytes()).into()
    }

    pub(super) fn read(document: &Document) -> Option<Self> {
        serde_json::from_slice(&document.body).ok()
    }

    pub(super) fn put(&self, id: &str) -> Change {
        // Members of text and number can be written.
        Change::Put(Document::new(TOKEN, id, serde_json::to_vec(self).unwrap_or_default()))
    }

    pub(crate) fn since(&self) -> Timestamp {
        Timestamp::from_micros(self.since)
    }
}

/// What a token is known by, which tells nothing of it.
pub(super) fn id(text: &str) -> String {
    digest(text.as_bytes())[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn removed(id: &str) -> Change {
    Change::Remove { kind: TOKEN.to_owned(), id: id.to_owned() }
}

pub(super) fn check(name: &str) -> Result<(), Denied> {
    let fits = !name.trim().is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    let why = || Denied::Invalid(vec![format!("name: it is 1 to {MAX_NAME} bytes, to know it by")]);
    fits.then_some(()).ok_or_else(why)
}
