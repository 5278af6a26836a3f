//! Messages that were appended just now, as most of them are claimed at once.
//!
//! What is kept here needs no reading, copying and checking. All of it may be forgotten at any time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::message::Message;

/// How many bytes of bodies are kept; of more, the oldest go.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How many messages are kept, whatever their length.
const MAX_MESSAGES: usize = 8192;

/// The newest messages, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Recent {
    messages: HashMap<i64, Arc<Message>>,
    order: VecDeque<i64>,
    bytes: usize,
}

impl Recent {
    /// Keeps a message, and lets older ones go.
    pub(super) fn keep(&mut self, seq: i64, message: &Message) {
        self.bytes += message.body.len();
        self.order.push_back(seq);
        self.messages.insert(seq, Arc::new(message.clone()));
        while self.bytes > MAX_BYTES || self.order.len() > MAX_MESSAGES {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.messages.remove(&oldest).map_or(0, |message| message.body.len());
        }
    }

    /// The message with this number, if it is still kept.
    pub(super) fn get(&self, seq: i64) -> Option<Arc<Message>> {
        self.messages.get(&seq).cloned()
    }
}
