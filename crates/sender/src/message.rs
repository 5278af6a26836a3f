//! An update as a message: its bytes, its event as the key of order, and whether it may be superseded.

use delivery::message::{Message, MessageId, OrderKey};
use payload::Update;

/// The message that carries an update. Its order key is the event's id; an update without one is in order with nothing.
#[must_use]
pub fn message(update: &Update) -> Message {
    let id = MessageId::new();
    let key = match update.id() {
        Some(event) => OrderKey::from(&*event),
        None => OrderKey::from(id.as_str()),
    };
    // A start or an end says what no later update says again.
    let supersedable = update.alerttype().as_deref() == Some("ongoing");
    Message { id, key, supersedable, body: update.bytes() }
}

/// The same for a try: its id begins with `test_`, so that a receiver does not look for its place in an event's life.
#[must_use]
pub fn test_message(update: &Update) -> Message {
    let message = message(update);
    let id = message.id.as_str().replacen("msg_", "test_", 1);
    Message { id: MessageId::from(id.as_str()), ..message }
}
