//! What is delivered: bytes with an identity, a key and an order. Their meaning belongs to whoever hands them in.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use uuid::{Builder, NoContext};

/// The `webhook-id` of a message: the same for every lane and every attempt, a resend included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Arc<str>);

impl MessageId {
    /// A new id, `msg_` and a UUID (version 7, RFC 9562): in the order of time, those of one millisecond in any.
    #[must_use]
    pub fn new() -> Self {
        let (seconds, nanos) = uuid::Timestamp::now(NoContext).to_unix();
        let millis = seconds * 1_000 + u64::from(nanos / 1_000_000);
        let id = Builder::from_unix_timestamp_millis(millis, &random()).into_uuid();
        let mut text = *b"msg_00000000000000000000000000000000";
        id.simple().encode_lower(&mut text[4..]);
        Self(String::from_utf8_lossy(&text).into())
    }

    /// The id as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Random bytes of the system's, asked for many at once: each time is a call of it.
fn random() -> [u8; RANDOM] {
    thread_local!(static AHEAD: RefCell<Vec<[u8; RANDOM]>> = const { RefCell::new(Vec::new()) });
    AHEAD.with_borrow_mut(|ahead| {
        if let Some(bytes) = ahead.pop() {
            return bytes;
        }
        let mut bytes = [[0; RANDOM]; AT_ONCE];
        getrandom::fill(bytes.as_flattened_mut()).expect("the system has random numbers");
        let [first, rest @ ..] = bytes;
        ahead.extend(rest);
        first
    })
}

/// How many of them an id takes.
const RANDOM: usize = 10;

/// For how many ids they are asked for at once.
const AT_ONCE: usize = 64;

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_id_is_another_and_a_uuid_of_its_time() {
        let new = |_| MessageId::new().as_str().strip_prefix("msg_").map(str::to_owned);
        let ids: BTreeSet<_> = (0..20 * AT_ONCE).filter_map(new).collect();
        assert_eq!(ids.len(), 20 * AT_ONCE);
        for id in ids {
            let id = uuid::Uuid::parse_str(&id).unwrap();
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            let age = uuid::Timestamp::now(NoContext).to_unix().0 - id.get_timestamp().unwrap().to_unix().0;
            assert!(age < 60, "{id} is {age} s old");
        }
    }
}
