//! What waits, in memory: messages by delivery, and the targets of lanes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::lane::DeliveryId;
use crate::message::Message;
use crate::schedule::LaneId;

#[derive(Debug)]
pub(super) struct Queue<T> {
    next: u64,
    messages: HashMap<DeliveryId, Arc<Message>>,
    targets: HashMap<LaneId, Arc<T>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { next: 0, messages: HashMap::new(), targets: HashMap::new() }
    }
}

impl<T> Queue<T> {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn add(&mut self, message: Arc<Message>) -> DeliveryId {
        self.next += 1;
        let id = DeliveryId(self.next);
        self.messages.insert(id, message);
        id
    }

    pub(super) fn message(&self, id: DeliveryId) -> Option<Arc<Message>> {
        self.messages.get(&id).cloned()
    }

    pub(super) fn take(&mut self, id: DeliveryId) -> Option<Arc<Message>> {
        self.messages.remove(&id)
    }

    pub(super) fn set_target(&mut self, lane: LaneId, target: Arc<T>) {
        self.targets.insert(lane, target);
    }

    pub(super) fn target(&self, lane: LaneId) -> Option<Arc<T>> {
        self.targets.get(&lane).cloned()
    }

    pub(super) fn remove_target(&mut self, lane: LaneId) {
        self.targets.remove(&lane);
    }
}
