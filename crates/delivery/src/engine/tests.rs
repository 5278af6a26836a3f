use std::sync::Mutex;

use bytes::Bytes;

use super::*;
use crate::message::{MessageId, OrderKey};
use crate::outcome::{Answer, Outcome, Timings};
use crate::retry::{Reason, RetryPolicy};
use crate::store::memory::MemoryStore;
use crate::store::{Coalesce, Route};

/// Answers with a status a lane, or what a script of statuses says first.
struct Scripted(Mutex<Vec<u16>>);

impl Transport for Scripted {
    type Target = u16;

    async fn attempt(&self, target: &u16, _: &Message) -> Attempt {
        tokio::task::yield_now().await;
        let status = self.0.lock().unwrap().pop().unwrap_or(*target);
        let answer = Answer { status: http::StatusCode::from_u16(status).unwrap(), retry_after: None };
        Attempt {
            outcome: Outcome::Answered(answer),
            timings: Timings::default(),
            connection: None,
            response: None,
        }
    }
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Observer for Seen {
    fn attempted(&mut self, report: &AttemptReport<'_>) {
        let body = String::from_utf8_lossy(&report.message.body).into_owned();
        self.0.lock().unwrap().push(format!("{body} {} {}", report.number, report.attempt.outcome));
    }

    fn settled(&mut self, report: &SettledReport<'_>) {
        let text = |(message, _): (&Message, Duration)| String::from_utf8_lossy(&message.body).into_owned();
        let body = report.claimed.map_or("-".into(), text);
        self.0.lock().unwrap().push(format!("{body} {:?}", report.settled));
    }

    fn disabled(&mut self, lane: LaneId) {
        self.0.lock().unwrap().push(format!("{lane:?} disabled"));
    }
}

fn entry(key: &str, body: &'static str) -> Entry {
    let message = Message {
        id: MessageId::new(),
        key: OrderKey::from(key),
        supersedable: false,
        body: Bytes::from_static(body.as_bytes()),
    };
    Entry { message, lanes: vec![(LaneId(1), Coalesce::Nothing)], once: None, route: Route::Lanes }
}

async fn engine(script: &[u16], status: u16, retry: RetryPolicy) -> (Engine<u16>, Seen) {
    let seen = Seen::default();
    let script = Scripted(Mutex::new(script.iter().rev().copied().collect()));
    let limits = Limits { backlog: 100, ..Limits::default() };
    let desk = Desk::inline(MemoryStore::default());
    let engine = Engine::start(script, Clock::start(), 1, limits, desk, seen.clone());
    let settings = LaneSettings { retry, ..LaneSettings::default() };
    assert_eq!(engine.set_lane("a", Arc::new(status), settings).await, Ok(LaneId(1)));
    (engine, seen)
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_and_its_key_waits() {
    let (engine, seen) = engine(&[500, 404], 200, RetryPolicy::standard()).await;
    engine.accept(vec![entry("a", "a1"), entry("a", "a2")]).await.unwrap();
    engine.drained().await;
    assert_eq!(
        *seen.0.lock().unwrap(),
        [
            "a1 1 500 Internal Server Error",
            "a1 2 404 Not Found",
            "a1 3 200 OK",
            "a1 Delivered",
            "a2 1 200 OK",
            "a2 Delivered"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_gone_receiver_disables_its_lane_until_it_is_resumed() {
    let (engine, seen) = engine(&[410], 200, RetryPolicy::standard()).await;
    engine.accept(vec![entry("a", "a1")]).await.unwrap();
    let drained = tokio::time::timeout(Duration::from_secs(3600), engine.drained()).await;
    assert!(drained.is_err(), "nothing is sent for an hour");
    engine.resume(LaneId(1)).await;
    engine.drained().await;
    let seen = seen.0.lock().unwrap();
    assert_eq!(*seen, ["a1 1 410 Gone", "LaneId(1) disabled", "a1 2 200 OK", "a1 Delivered"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_or_too_old_is_dead_with_its_reason() {
    let (engine, seen) = engine(&[], 200, RetryPolicy::standard()).await;
    engine.pause(LaneId(1)).await;
    engine.accept(vec![entry("a", "a1")]).await.unwrap();
    engine.drained().await;
    engine.accept(vec![entry("a", "a2")]).await.unwrap();
    engine.remove_lane(LaneId(1)).await;
    engine.drained().await;
    let dead = |reason: Reason| format!("{:?}", Settled::Dead(reason));
    let expected = [format!("- {}", dead(Reason::Expired)), format!("- {}", dead(Reason::LaneRemoved))];
    assert_eq!(*seen.0.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_lane_that_is_not_open_is_counted_once() {
    let (engine, _) = engine(&[], 200, RetryPolicy::standard()).await;
    let waiting = || engine.backlog.load(Ordering::Relaxed);
    let late = engine.desk.accept(|store| store.lane("late"), |_| {}).await.unwrap().id;
    let entries = |count| {
        let late = |entry: Entry| Entry { lanes: vec![(late, Coalesce::Nothing)], ..entry };
        (0..count).map(|_| late(entry("b", "x"))).collect::<Vec<_>>()
    };
    engine.accept(entries(3)).await.unwrap();
    assert_eq!(waiting(), 3);
    assert_eq!(engine.set_lane("late", Arc::new(200), LaneSettings::default()).await, Ok(late));
    engine.drained().await;
    assert_eq!(waiting(), 0, "it was delivered, and counted once");
    engine.pause(late).await;
    engine.pause(LaneId(1)).await;
    engine.accept(entries(2)).await.unwrap();
    engine.accept(vec![entry("a", "a1")]).await.unwrap();
    engine.remove_lane(late).await;
    while waiting() > 1 {
        tokio::task::yield_now().await;
    }
    engine.look().await;
    assert_eq!(waiting(), 1, "what waits elsewhere is still counted");
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_and_takes_all_or_nothing() {
    let (engine, _) = engine(&[], 200, RetryPolicy::standard()).await;
    engine.pause(LaneId(1)).await;
    let many = |count| (0..count).map(|_| entry("a", "x")).collect::<Vec<_>>();
    assert_eq!(engine.accept(many(101)).await, Err(AcceptError::Full(0)));
    engine.accept(many(100)).await.unwrap();
    assert_eq!(engine.accept(many(1)).await, Err(AcceptError::Full(100)));
    engine.shut_down(Duration::ZERO).await;
    assert_eq!(engine.accept(many(1)).await, Err(AcceptError::ShutDown));
}

#[tokio::test]
async fn what_is_claimed_while_its_lane_is_removed_is_dead_too() {
    let desk = Desk::threaded(MemoryStore::default(), Clock::start()).unwrap();
    let script = Scripted(Mutex::default());
    let engine = Engine::start(script, Clock::start(), 1, Limits::default(), desk, Seen::default());
    let lane = engine.set_lane("a", Arc::new(200), LaneSettings::default()).await.unwrap();
    engine.pause(lane).await;
    engine.accept(vec![entry("a", "a1")]).await.unwrap();
    // The store is busy while the lane asks it for more and is removed.
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let busy = move |_: &mut dyn crate::store::Store| {
        let _ = wait.recv();
        Ok(())
    };
    engine.desk.ask(busy, |_| {});
    engine.resume(lane).await;
    engine.remove_lane(lane).await;
    drop(go_on);
    engine.drained().await;
    engine.shut_down(Duration::from_secs(60)).await;
    let lanes = engine.desk.accept(|store| store.lanes(), |_| {}).await.unwrap();
    assert_eq!(lanes[0].backlog, 0, "it is neither swept nor delivered, but it is settled");
}
