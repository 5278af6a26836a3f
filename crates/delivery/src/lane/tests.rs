use std::num::NonZeroUsize;
use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;

use super::*;
use crate::outcome::Answer;
use crate::store::{Coalesce, LaneId, Room};

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
const ALL: Share = Share { attempts: usize::MAX / 2, claims: usize::MAX, bytes: 1000 };

/// A lane that holds so many claimed deliveries, and whose store has no more.
fn lane(held: u64) -> Lane {
    let (name, state) = ("a".to_owned(), LaneState::default());
    let record = LaneRecord { id: LaneId(1), name, state, backlog: 0, oldest: None };
    let mut lane = Lane::new(LaneSettings::default(), &record, NOW);
    assert_eq!(lane.ask(ALL, NOW), None, "there is nothing to claim");
    lane.arrived(Arrived { added: held, superseded: 0, claimed: &[], left: true }, NOW);
    assert_eq!(lane.ask(ALL, NOW), Some(Ask { limit: 16, bytes: 1000, epoch: 0 }));
    assert_eq!(lane.ask(ALL, NOW), None, "one claim at a time");
    let claimed: Vec<_> = (1..=held).map(claimed_new).collect();
    lane.take(&claimed, None, Some(NOW), 0);
    lane
}

fn claimed_new(id: u64) -> Claimed {
    Claimed { id: DeliveryId(id), attempts: 0, accepted: NOW, bytes: 100 }
}

fn started(lane: &mut Lane, now: Timestamp) -> Vec<u64> {
    std::iter::from_fn(|| lane.start(ALL, now)).map(|id| id.0).collect()
}

/// An attempt ends, and the store has what came of it.
fn finish(lane: &mut Lane, id: u64, status: u16, now: Timestamp) -> Option<Disposal> {
    let answer = Answer { status: StatusCode::from_u16(status).unwrap(), retry_after: None };
    let finished =
        lane.finished(DeliveryId(id), &Outcome::Answered(answer), now, UNIX_EPOCH, Die::new(1.0)).unwrap();
    let due = match finished.disposal {
        Some(Disposal::Park { until, .. }) => Some(until),
        _ => None,
    };
    lane.closed(DeliveryId(id), due.is_none(), due);
    finished.disposal
}

fn after(millis: u64) -> Timestamp {
    NOW.after(Duration::from_millis(millis))
}

#[test]
fn what_fails_goes_back_to_the_store_until_its_time() {
    let mut lane = lane(1);
    assert_eq!(started(&mut lane, NOW), [1]);
    let parked = finish(&mut lane, 1, 400, NOW);
    let (until, coalesce) = (after(5000), Coalesce::Nothing);
    assert_eq!(parked, Some(Disposal::Park { until, outage: None, coalesce }));
    assert_eq!((lane.held(), lane.backlog(), lane.wake_at(ALL)), (0, 1, Some(until)));
    assert_eq!(lane.ask(ALL, after(4999)), None);
    assert_eq!(lane.ask(ALL, until), Some(Ask { limit: 16, bytes: 1000, epoch: 0 }));
}

#[test]
fn an_outage_is_probed_and_its_end_releases_what_waited() {
    let mut lane = lane(8);
    assert_eq!(started(&mut lane, NOW).len(), 8);
    for id in 1..=8 {
        let parked = finish(&mut lane, id, 500, NOW);
        assert!(matches!(parked, Some(Disposal::Park { outage: Some(0), .. })), "{parked:?}");
    }
    assert_eq!(lane.state().open, Some((after(1000), Duration::from_secs(1))));
    assert_eq!(lane.wake_at(ALL), Some(after(1000)));
    assert_eq!(lane.ask(ALL, after(999)), None);
    let probe = Some(Ask { limit: 1, bytes: 1000, epoch: 1 });
    assert_eq!(lane.ask(ALL, after(1000)), probe, "one probe, although its own retry is later");
    lane.take(&[Claimed { attempts: 1, ..claimed_new(1) }], Some(after(1000)), Some(NOW), 0);
    assert_eq!(started(&mut lane, after(1000)), [1]);
    finish(&mut lane, 1, 200, after(1000));
    assert_eq!(lane.state(), LaneState { epoch: 1, ..LaneState::default() });
    assert_eq!(lane.ask(ALL, after(1000)), probe, "the rest is due at once, with a ramp");
    lane.take(&[Claimed { attempts: 1, ..claimed_new(2) }], Some(after(1000)), Some(NOW), 0);
    started(&mut lane, after(1000));
    finish(&mut lane, 2, 200, after(1000));
    assert_eq!(lane.ask(ALL, after(1000)), Some(Ask { limit: 2, bytes: 1000, epoch: 1 }));
}

#[test]
fn an_open_breaker_is_open_again_after_a_restart() {
    let state =
        LaneState { open: Some((after(1000), Duration::from_secs(4))), epoch: 7, ..LaneState::default() };
    let record = LaneRecord { id: LaneId(1), name: "a".to_owned(), state, backlog: 3, oldest: Some(NOW) };
    let mut lane = Lane::new(LaneSettings::default(), &record, NOW);
    assert_eq!(lane.state().open, Some((NOW, Duration::from_secs(4))));
    assert_eq!(lane.ask(ALL, NOW), Some(Ask { limit: 1, bytes: 1000, epoch: 8 }), "it probes at once");
}

#[test]
fn a_paused_lane_starts_nothing_and_lets_things_expire() {
    let mut lane = lane(1);
    lane.set_gate(Gate::Paused);
    assert_eq!(started(&mut lane, NOW), [0; 0]);
    let expiry = NOW.after(crate::retry::DEFAULT_EXPIRY);
    assert_eq!(lane.wake_at(ALL), Some(expiry));
    assert_eq!(lane.expire(expiry), [DeliveryId(1)]);
    assert_eq!(lane.sweep(expiry), Some(NOW), "what the store holds expires too");
    lane.closed(DeliveryId(1), true, None);
    lane.swept(0, None, expiry);
    assert_eq!((lane.backlog(), lane.wake_at(ALL)), (0, None));
}

#[test]
fn bodies_under_way_are_bounded_but_one_always_goes() {
    let mut lane = lane(3);
    let share = |bytes| Share { bytes, ..ALL };
    assert_eq!(lane.start(share(50), NOW), Some(DeliveryId(1)), "one always goes");
    assert_eq!(lane.start(share(199), NOW), None);
    assert_eq!(lane.start(share(200), NOW), Some(DeliveryId(2)));
    assert_eq!(lane.bytes_in_flight(), 200);
    finish(&mut lane, 1, 200, NOW);
    assert_eq!(lane.bytes_in_flight(), 100);
    assert_eq!(lane.start(share(200), NOW), Some(DeliveryId(3)));
}

#[test]
fn an_attempt_that_was_not_sent_is_repeated_under_its_number() {
    let mut lane = lane(1);
    let mut numbers = Vec::new();
    for (outcome, disposed) in
        [(Outcome::Unsent, false), (Outcome::TimedOut(crate::outcome::Phase::Connect), true)]
    {
        assert_eq!(started(&mut lane, NOW), [1]);
        let finished = lane.finished(DeliveryId(1), &outcome, NOW, UNIX_EPOCH, Die::new(1.0)).unwrap();
        assert_eq!(finished.disposal.is_some(), disposed);
        numbers.push(finished.attempt);
    }
    lane.closed(DeliveryId(1), false, Some(NOW));
    lane.ask(ALL, NOW);
    lane.take(&[Claimed { attempts: 1, ..claimed_new(1) }], None, Some(NOW), 0);
    assert_eq!(started(&mut lane, NOW), [1]);
    let outcome = Outcome::TimedOut(crate::outcome::Phase::Connect);
    let finished = lane.finished(DeliveryId(1), &outcome, NOW, UNIX_EPOCH, Die::new(1.0)).unwrap();
    numbers.push(finished.attempt);
    assert_eq!(numbers, [1, 1, 2]);
}

#[test]
fn what_stood_behind_something_that_expired_is_claimed() {
    let mut lane = lane(1);
    started(&mut lane, NOW);
    finish(&mut lane, 1, 200, NOW);
    lane.recount(5, Some(NOW), NOW);
    lane.ask(ALL, NOW);
    lane.take(&[], None, Some(NOW), 0);
    let expiry = NOW.after(crate::retry::DEFAULT_EXPIRY);
    assert_eq!(lane.sweep(expiry), Some(NOW));
    lane.swept(0, Some(expiry), expiry);
    assert_eq!(lane.ask(ALL, expiry), None, "nothing expired, so that nothing new is at the head");
    assert!(lane.sweep(expiry.after(crate::retry::DEFAULT_EXPIRY)).is_some());
    lane.swept(2, Some(expiry), expiry);
    assert_eq!((lane.backlog(), lane.ask(ALL, expiry)), (3, Some(Ask { limit: 16, bytes: 1000, epoch: 0 })));
}

#[test]
fn a_probe_that_told_nothing_is_followed_by_another() {
    let mut lane = lane(8);
    started(&mut lane, NOW);
    for id in 1..=8 {
        finish(&mut lane, id, 500, NOW);
    }
    let probe = Some(Ask { limit: 1, bytes: 1000, epoch: 1 });
    assert_eq!(lane.ask(ALL, after(1000)), probe);
    // Nothing is due by itself; what is claimed waits for the outage to end.
    lane.take(&[Claimed { attempts: 1, ..claimed_new(1) }], None, Some(NOW), 0);
    assert_eq!(started(&mut lane, after(1000)), [1]);
    let unknown = Outcome::Unrenderable("for a test".to_owned());
    let wall = UNIX_EPOCH;
    lane.finished(DeliveryId(1), &unknown, after(1000), wall, Die::new(1.0)).unwrap();
    lane.closed(DeliveryId(1), true, None);
    assert!(lane.breaker().is_open(), "it said nothing of the receiver");
    assert_eq!(lane.ask(ALL, after(2000)), probe, "the others still wait for the outage to end");
    lane.take(&[], None, Some(NOW), 0);
    assert_eq!(lane.ask(ALL, after(3000)), None, "there was none of them");
}

#[test]
fn a_lane_tells_what_it_holds_and_takes_the_store_s_count() {
    let mut lane = lane(3);
    let told = |lane: &Lane| (lane.in_flight(), lane.held(), lane.backlog(), lane.oldest());
    let idle = |lane: &Lane| lane.idle().map(|id| id.0).collect::<Vec<_>>();
    assert_eq!((told(&lane), idle(&lane)), ((0, 3, 3, Some(NOW)), vec![1, 2, 3]));
    lane.start(ALL, NOW);
    assert_eq!((told(&lane), idle(&lane)), ((1, 3, 3, Some(NOW)), vec![2, 3]));
    lane.start(ALL, NOW);
    finish(&mut lane, 1, 200, NOW);
    assert_eq!((told(&lane), idle(&lane)), ((1, 2, 2, Some(NOW)), vec![3]));

    lane.recount(0, None, NOW);
    assert_eq!((lane.backlog(), lane.oldest(), lane.ask(ALL, NOW)), (0, None, None), "the store has nothing");
    lane.recount(7, Some(after(1)), NOW);
    assert_eq!((lane.backlog(), lane.oldest()), (7, Some(after(1))));
    assert_eq!(
        lane.ask(ALL, NOW),
        Some(Ask { limit: 14, bytes: 1000, epoch: 0 }),
        "what was added unheard is claimed"
    );
}

#[test]
fn a_gate_that_is_opened_forgets_the_outage_and_one_that_is_closed_does_not() {
    let mut lane = lane(8);
    started(&mut lane, NOW);
    for id in 1..=8 {
        finish(&mut lane, id, 500, NOW);
    }
    lane.set_gate(Gate::Paused);
    assert!(lane.breaker().is_open());
    lane.set_gate(Gate::Open);
    assert!(!lane.breaker().is_open());
}

#[test]
fn other_settings_hold_at_once() {
    let mut lane = lane(8);
    let concurrency = NonZeroUsize::new(2).unwrap();
    lane.change(LaneSettings { concurrency, ..LaneSettings::default() });
    assert_eq!(started(&mut lane, NOW), [1, 2]);
}

#[test]
fn what_is_appended_is_claimed_at_once_where_nothing_is_before_it() {
    let all = Room { count: 16, bytes: 1000 };
    let mut lane = lane(0);
    assert_eq!(lane.lends(ALL, NOW), all);
    let claimed: Vec<_> = (1..=3).map(claimed_new).collect();
    lane.arrived(Arrived { added: 3, superseded: 0, claimed: &claimed, left: false }, NOW);
    assert_eq!((lane.backlog(), lane.held(), lane.ask(ALL, NOW)), (3, 3, None), "nothing is left to claim");
    assert_eq!(started(&mut lane, NOW), [1, 2, 3]);
    assert_eq!(lane.lends(ALL, NOW), Room { count: 13, bytes: 700 });
    assert_eq!(lane.lends(Share { bytes: 300, ..ALL }, NOW), Room::default(), "all bytes are under way");
    finish(&mut lane, 1, 200, after(1));
    assert_eq!((lane.backlog(), lane.oldest()), (2, Some(NOW)));
    finish(&mut lane, 2, 200, after(1));
    lane.set_gate(Gate::Paused);
    assert_eq!(lane.lends(ALL, after(1)), Room::default());
    lane.set_gate(Gate::Open);
    lane.arrived(Arrived { added: 1, superseded: 0, claimed: &[], left: true }, after(2));
    assert_eq!(lane.lends(ALL, after(2)), Room::default(), "something is due before it");
    assert_eq!(lane.ask(ALL, after(2)), Some(Ask { limit: 15, bytes: 1000, epoch: 0 }));
    lane.take(&[], Some(after(9000)), Some(NOW), 0);
    assert_eq!(lane.lends(ALL, after(3)).count, 15, "what is due later may wait");
    assert_eq!(lane.lends(ALL, after(9000)), Room::default());
}

/// What a lane asks for when it has started all that it was given, and all of that is settled, after so many milliseconds.
fn asks_again(lane: &mut Lane, given: &mut u64, millis: &mut u64, pause: u64) -> usize {
    *millis += pause;
    let asked = lane.ask(ALL, after(*millis)).unwrap();
    let claimed: Vec<_> = (*given + 1..=*given + asked.limit as u64)
        .map(|id| Claimed { bytes: 0, ..claimed_new(id) })
        .collect();
    lane.take(&claimed, Some(after(*millis)), Some(NOW), 0);
    for claimed in &claimed {
        assert_eq!(lane.start(ALL, after(*millis)), Some(claimed.id));
        finish(lane, claimed.id.0, 200, after(*millis));
    }
    *given += claimed.len() as u64;
    asked.limit
}

#[test]
fn a_lane_that_runs_dry_claims_more_and_one_at_leisure_less() {
    let (mut lane, mut given, mut millis) = (lane(0), 0, 0);
    lane.recount(1_000_000, Some(NOW), NOW);
    let mut asks = |pause| asks_again(&mut lane, &mut given, &mut millis, pause);
    let hurried: Vec<_> = [1; 6].into_iter().map(&mut asks).collect();
    assert_eq!(hurried, [16, 32, 64, 128, 128, 128]);
    let leisurely: Vec<_> = [100; 5].into_iter().map(&mut asks).collect();
    assert_eq!(leisurely, [64, 32, 16, 16, 16]);
}

#[test]
fn what_is_claimed_ahead_has_bounds_that_lanes_share() {
    let (mut lane, mut given, mut millis) = (lane(0), 0, 0);
    lane.recount(1_000_000, Some(NOW), NOW);
    while asks_again(&mut lane, &mut given, &mut millis, 1) < 128 {}
    let asked = |lane: &mut Lane, share| {
        let asked = lane.ask(share, after(10)).map(|asked| (asked.limit, asked.bytes));
        lane.take(&[], Some(NOW), Some(NOW), 0);
        asked
    };
    assert_eq!(asked(&mut lane, Share { claims: 40, ..ALL }), Some((40, 1000)));
    assert_eq!(asked(&mut lane, Share { claims: 1, ..ALL }), Some((16, 1000)), "twice what may be under way");
    let large = |id| Claimed { bytes: 900, ..claimed_new(id) };
    lane.take(&[large(given + 1)], Some(NOW), Some(NOW), 0);
    assert_eq!(asked(&mut lane, ALL), Some((127, 1000)));
    lane.take(&[large(given + 2)], Some(NOW), Some(NOW), 0);
    assert_eq!(asked(&mut lane, ALL), None, "for 200 bytes a claim is not worth it");
    assert!(lane.start(ALL, NOW).is_some());
    assert_eq!(
        (asked(&mut lane, ALL), lane.wake_at(ALL)),
        (None, Some(after(110))),
        "but what is due does not wait for long"
    );
    finish(&mut lane, given + 1, 200, NOW);
    assert_eq!(asked(&mut lane, ALL), Some((127, 1000)));
}

#[test]
fn a_lane_whose_receiver_gets_slow_asks_for_nothing_until_it_holds_less() {
    let (mut lane, mut given, mut millis) = (lane(0), 0, 0);
    lane.recount(1_000_000, Some(NOW), NOW);
    while asks_again(&mut lane, &mut given, &mut millis, 1) < 128 {}
    let claimed: Vec<_> = (1..=100).map(|id| Claimed { bytes: 0, ..claimed_new(given + id) }).collect();
    lane.take(&claimed, Some(NOW), Some(NOW), 0);
    let asks = |lane: &mut Lane, millis| lane.ask(ALL, after(millis)).map(|asked| asked.limit);
    assert_eq!(asks(&mut lane, 20), None, "28 are not worth a claim");
    assert_eq!(asks(&mut lane, 1000), None, "with time between two claims it holds half as much");
    for claimed in &claimed[..80] {
        assert_eq!(lane.start(ALL, after(1000)), Some(claimed.id));
        finish(&mut lane, claimed.id.0, 200, after(1000));
    }
    assert_eq!(asks(&mut lane, 1050), Some(44));
}

#[test]
fn the_oldest_is_known_without_asking_the_store_where_all_is_held() {
    let mut lane = lane(0);
    for id in 1..=3 {
        let claimed = Claimed { accepted: after(id), ..claimed_new(id) };
        let arrived = Arrived { added: 1, superseded: 0, claimed: &[claimed], left: false };
        lane.arrived(arrived, after(id));
    }
    started(&mut lane, after(3));
    let mut oldest = Vec::new();
    for id in [2, 1, 3] {
        finish(&mut lane, id, 200, after(4));
        oldest.push(lane.oldest());
    }
    assert_eq!(oldest, [Some(after(1)), Some(after(3)), None]);
}
