//! Seals what is secret before it is stored: AES-256-GCM (NIST SP 800-38D) with a random nonce, bound to what it belongs to.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

/// How long a key is, in bytes.
pub const KEY_LENGTH: usize = 32;

/// A key that seals. It does not print.
pub struct SealingKey(RandomizedNonceKey);

/// Why a text is no key, or what was sealed cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is no base64 of 32 bytes.
    #[error("a key is the base64 of 32 bytes, such as `openssl rand -base64 32` prints")]
    Key,
    /// The key is another than the one that sealed it, or it was changed.
    #[error("it was sealed with another key, or changed since")]
    Open,
    /// The system gave no randomness.
    #[error("it cannot be sealed: the system gives no random numbers")]
    Seal,
}

impl SealingKey {
    /// A new key, as text.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn generate() -> Result<String, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        // From the system: the TLS library gathers randomness of its own first, for as long as the rest of a start takes.
        getrandom::fill(bytes.as_mut()).map_err(|_| SealError::Seal)?;
        Ok(STANDARD.encode(*bytes))
    }

    /// Reads a key from its text.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| SealError::Key)?);
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).map(Self).map_err(|_| SealError::Key)
    }

    /// Seals a text that belongs to `owner`.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn seal(&self, owner: &str, text: &str) -> Result<String, SealError> {
        let mut bytes = text.as_bytes().to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut bytes)
            .map_err(|_| SealError::Seal)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&bytes);
        Ok(STANDARD.encode(sealed))
    }

    /// Opens what was sealed for `owner`.
    ///
    /// # Errors
    /// If it was sealed with another key, for another owner, or changed since.
    pub fn open(&self, owner: &str, sealed: &str) -> Result<String, SealError> {
        let mut sealed = Zeroizing::new(STANDARD.decode(sealed).map_err(|_| SealError::Open)?);
        let (nonce, bytes) = sealed.split_at_mut_checked(NONCE_LEN).ok_or(SealError::Open)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Open)?;
        let opened =
            self.0.open_in_place(nonce, Aad::from(owner.as_bytes()), bytes).map_err(|_| SealError::Open)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SealError::Open)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_for_the_same_owner_only() {
        let key = SealingKey::parse(&SealingKey::generate().unwrap()).unwrap();
        let other = SealingKey::parse(&SealingKey::generate().unwrap()).unwrap();
        let sealed = key.seal("a", "s3cret").unwrap();
        assert_eq!(key.open("a", &sealed).unwrap(), "s3cret");
        assert_ne!(sealed, key.seal("a", "s3cret").unwrap(), "each has a nonce of its own");
        for wrong in [
            key.open("b", &sealed),
            other.open("a", &sealed),
            key.open("a", &sealed[..20]),
            key.open("a", "?"),
        ] {
            assert_eq!(wrong.unwrap_err(), SealError::Open);
        }
        assert_eq!(SealingKey::parse("short").unwrap_err(), SealError::Key);
        assert_eq!(format!("{key:?}"), "SealingKey");
    }
}
