//! What is delivered: bytes with an identity, a key and an order. Their meaning belongs to whoever hands them in.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// The `webhook-id` of a message: the same for every lane and every attempt, a resend included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Arc<str>);

impl MessageId {
    /// A new id, `msg_` and a time-ordered UUID (version 7, RFC 9562).
    #[must_use]
    pub fn new() -> Self {
        Self(format!("msg_{}", uuid::Uuid::now_v7().simple()).into())
    }

    /// The id as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for MessageId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl Default for MessageId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is to be kept in order: messages of one key go to one lane strictly one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey(Arc<str>);

impl From<&str> for OrderKey {
    fn from(key: &str) -> Self {
        Self(key.into())
    }
}

impl OrderKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message: its body is shared, so that many lanes cost one copy. The body is what was accepted; what is sent is
/// rendered from it when an attempt starts.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its identity on the wire.
    pub id: MessageId,
    /// What it is in order with.
    pub key: OrderKey,
    /// Whether a later message of the same key makes this one worthless (only `ongoing` updates may say so).
    pub supersedable: bool,
    /// The accepted bytes.
    pub body: Bytes,
}
