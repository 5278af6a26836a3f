use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;

use super::*;
use crate::outcome::Answer;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

fn lane(coalesce: bool) -> Lane {
    Lane::new(LaneSettings { coalesce, ..LaneSettings::default() })
}

fn enqueue(lane: &mut Lane, id: u64, key: &str, supersedable: bool) -> Vec<u64> {
    let superseded = lane.enqueue(DeliveryId(id), OrderKey::from(key), supersedable, NOW);
    superseded.into_iter().map(|id| id.0).collect()
}

fn started(lane: &mut Lane, now: Timestamp) -> Vec<u64> {
    std::iter::from_fn(|| lane.start(usize::MAX, now)).map(|id| id.0).collect()
}

fn finish(lane: &mut Lane, id: u64, status: u16, now: Timestamp) {
    let answer = Answer { status: StatusCode::from_u16(status).unwrap(), retry_after: None };
    lane.finished(DeliveryId(id), &Outcome::Answered(answer), now, UNIX_EPOCH, Die::new(1.0)).unwrap();
}

#[test]
fn only_the_head_of_a_key_starts_and_others_pass_it() {
    let mut lane = lane(false);
    for (id, key) in [(1, "a"), (2, "a"), (3, "b")] {
        enqueue(&mut lane, id, key, false);
    }
    assert_eq!(started(&mut lane, NOW), [1, 3]);
    finish(&mut lane, 1, 400, NOW);
    finish(&mut lane, 3, 200, NOW);
    assert_eq!(started(&mut lane, NOW), [0; 0], "the key waits for its head");
    let later = NOW.after(Duration::from_secs(5));
    assert_eq!(lane.wake_at(8), Some(later));
    assert_eq!(started(&mut lane, later), [1]);
    finish(&mut lane, 1, 200, later);
    assert_eq!(started(&mut lane, later), [2]);
}

#[test]
fn coalescing_spares_what_is_superseded_and_never_a_start_or_what_is_under_way() {
    let mut lane = lane(true);
    assert_eq!(enqueue(&mut lane, 1, "a", false), [0; 0]);
    assert_eq!(enqueue(&mut lane, 2, "a", true), [0; 0]);
    assert_eq!(enqueue(&mut lane, 3, "a", true), [2]);
    assert_eq!(enqueue(&mut lane, 4, "b", true), [0; 0]);
    assert_eq!(started(&mut lane, NOW), [1, 4]);
    assert_eq!(enqueue(&mut lane, 5, "b", true), [0; 0], "it is under way");
    assert_eq!(enqueue(&mut lane, 6, "a", false), [3]);
    finish(&mut lane, 1, 200, NOW);
    finish(&mut lane, 4, 200, NOW);
    assert_eq!(started(&mut lane, NOW), [5, 6]);
    let mut plain = self::lane(false);
    enqueue(&mut plain, 1, "a", true);
    assert_eq!(enqueue(&mut plain, 2, "a", true), [0; 0], "it is off unless asked for");
}

#[test]
fn an_outage_is_probed_and_its_end_releases_what_waited() {
    let mut lane = lane(false);
    for id in 1..=8 {
        enqueue(&mut lane, id, &format!("k{id}"), false);
    }
    assert_eq!(started(&mut lane, NOW).len(), 8);
    for id in 1..=8 {
        finish(&mut lane, id, 500, NOW);
    }
    assert_eq!(started(&mut lane, NOW), [0; 0]);
    let probe = NOW.after(Duration::from_secs(1));
    assert_eq!(lane.wake_at(8), Some(probe));
    assert_eq!(started(&mut lane, probe), [1], "one probe, the oldest, although its own retry is later");
    finish(&mut lane, 1, 200, probe);
    assert_eq!(started(&mut lane, probe), [2], "the rest is due at once, with a ramp");
    finish(&mut lane, 2, 200, probe);
    assert_eq!(started(&mut lane, probe), [3, 4]);
}

#[test]
fn a_paused_lane_starts_nothing_and_lets_things_expire() {
    let mut lane = lane(false);
    enqueue(&mut lane, 1, "a", false);
    lane.set_gate(Gate::Paused);
    assert_eq!(started(&mut lane, NOW), [0; 0]);
    let expiry = NOW.after(crate::retry::DEFAULT_EXPIRY);
    assert_eq!(lane.wake_at(8), Some(expiry));
    assert_eq!(lane.expire(expiry), [DeliveryId(1)]);
    assert_eq!(lane.backlog(), 0);
}
