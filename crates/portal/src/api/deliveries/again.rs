//! Sending again. A resend is a person's act: at once, whatever waits. So it has an order key of its own, which those of one
//! event share: what is sent again of an event comes in its order too.

use std::collections::HashMap;

use bytes::Bytes;
use delivery::message::{Message, MessageId, OrderKey};
use delivery::store::sqlite::archive::{Archive, Delivery, Detail, Page, ReadError, State, Wanted};
use delivery::store::{DeliveryId, LaneId, Sequence};

use crate::portal::Portal;

/// What the order key of a resend begins with; the event's own stands behind it.
const AGAIN: &str = "resend ";

/// The event of a delivery, also of a resend, by its order key.
pub(crate) fn event_of(key: &str) -> &str {
    key.strip_prefix(AGAIN).unwrap_or(key)
}

/// Whether it is a resend.
pub(crate) fn is_again(key: &str) -> bool {
    key.starts_with(AGAIN)
}

fn key_again(key: &str) -> String {
    format!("{AGAIN}{}", event_of(key))
}

/// The message of a delivery, to be sent once more. Its id stays.
pub(super) fn again(detail: Detail) -> Message {
    let key = key_again(&detail.delivery.key);
    Message {
        id: MessageId::from(detail.delivery.message.as_str()),
        key: OrderKey::from(key.as_str()),
        supersedable: false,
        body: Bytes::from(detail.body),
    }
}

/// How many dead letters are sent again by one commit, and about how many bytes of them.
pub(super) const BATCH: usize = 256;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The first of these deliveries as messages to be sent again, and how many of them that are. What was lost to damage cannot
/// be sent.
pub(super) fn batch(archive: &Archive, listed: &[Delivery]) -> (usize, Vec<(LaneId, Message)>) {
    let (mut read, mut bytes, mut messages) = (0, 0, Vec::new());
    for delivery in listed {
        read += 1;
        if let Ok(Some(detail)) = archive.detail(delivery) {
            bytes += detail.body.len();
            messages.push((delivery.lane, again(detail)));
        }
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    (read, messages)
}

/// Deliveries as they are listed, and which of the dead ones were sent again since, as what.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    pub(crate) page: Page,
    again: HashMap<(LaneId, DeliveryId), DeliveryId>,
}

impl Looked {
    /// The delivery as which a dead one was sent again.
    pub(crate) fn again(&self, delivery: &Delivery) -> Option<DeliveryId> {
        self.again.get(&(delivery.lane, delivery.id)).copied()
    }

    /// Those that nobody has dealt with yet: what was sent again is dead no more, or is so as another delivery.
    pub(crate) fn still_dead(mut self) -> Self {
        let again = std::mem::take(&mut self.again);
        self.page.deliveries.retain(|one| !again.contains_key(&(one.lane, one.id)));
        self
    }
}

/// Looks for deliveries; those of an event are also those that were sent again.
pub(crate) fn look(archive: &Archive, wanted: &Wanted) -> Result<Looked, ReadError> {
    let page = match &wanted.key {
        None => archive.deliveries(wanted)?,
        Some(event) => {
            let again = Wanted { key: Some(key_again(event)), ..wanted.clone() };
            joined(archive.deliveries(wanted)?, archive.deliveries(&again)?, wanted.limit)
        }
    };
    let dead: Vec<_> =
        page.deliveries.iter().filter(|one| one.status.state() == Some(State::Dead)).cloned().collect();
    let found = archive.sent_again(&dead, key_again)?;
    let again = dead.iter().zip(found).filter_map(|(one, found)| Some(((one.lane, one.id), found?)));
    Ok(Looked { again: again.collect(), page })
}

/// The delivery as which one was sent again since it was given up.
pub(crate) async fn sent_again(
    portal: &Portal,
    delivery: &Delivery,
) -> Result<Option<DeliveryId>, ReadError> {
    if delivery.status.state() != Some(State::Dead) {
        return Ok(None);
    }
    let one = [delivery.clone()];
    Ok(portal.read(move |archive| archive.sent_again(&one, key_again)).await?.into_iter().next().flatten())
}

/// Two lists as one, newest first, down to where the one that was looked at less far ends.
fn joined(one: Page, other: Page, limit: usize) -> Page {
    let lowest = |page: &Page| page.next.map_or(0, |next| next.0);
    let down_to = lowest(&one).max(lowest(&other));
    let mut deliveries = [one.deliveries, other.deliveries].concat();
    deliveries.retain(|delivery| delivery.sequence.0 >= down_to);
    deliveries.sort_by_key(|delivery| std::cmp::Reverse((delivery.sequence.0, delivery.lane.0)));
    // The deliveries of one message stay together: it is where one goes on.
    let cut = deliveries.get(limit.saturating_sub(1)).map(|last| last.sequence.0);
    let longer = cut.is_some_and(|cut| deliveries.last().is_some_and(|last| last.sequence.0 < cut));
    if let Some(cut) = cut.filter(|_| longer) {
        deliveries.retain(|delivery| delivery.sequence.0 >= cut);
        return Page { deliveries, next: Some(Sequence(cut)) };
    }
    Page { deliveries, next: (down_to > 0).then_some(Sequence(down_to)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sequences: &[u64], next: Option<u64>) -> Page {
        let one = |&sequence: &u64| Delivery {
            lane: LaneId(1),
            id: DeliveryId(sequence),
            sequence: Sequence(sequence),
            message: String::new(),
            key: String::new(),
            accepted: delivery::clock::Timestamp::from_micros(0),
            label: None,
            attempts: 0,
            status: delivery::store::sqlite::archive::Status::Behind,
            last: None,
        };
        Page { deliveries: sequences.iter().map(one).collect(), next: next.map(Sequence) }
    }

    #[test]
    fn two_lists_are_joined_without_a_gap() {
        for (one, other, limit, shown, next) in [
            (page(&[9, 5], None), page(&[8, 1], None), 10, &[9, 8, 5, 1][..], None),
            (page(&[9, 8], Some(8)), page(&[7, 1], None), 2, &[9, 8], Some(8)),
            (page(&[9, 7], None), page(&[8, 6], Some(6)), 2, &[9, 8], Some(8)),
            (page(&[], Some(4)), page(&[9, 3], None), 5, &[9], Some(4)),
            (page(&[], None), page(&[], None), 5, &[], None),
        ] {
            let joined = joined(one, other, limit);
            let sequences: Vec<_> = joined.deliveries.iter().map(|one| one.sequence.0).collect();
            assert_eq!((sequences.as_slice(), joined.next), (shown, next.map(Sequence)));
        }
        assert_eq!((event_of("resend e"), event_of("e"), &*key_again("resend e")), ("e", "e", "resend e"));
    }
}
