use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;

use super::super::tests::target;
use super::*;
use crate::target::Target;
use crate::tasks::spawn;

/// A connection of HTTP/2, and its other end.
async fn shared() -> (Live, DuplexStream) {
    let (near, far) = tokio::io::duplex(1024);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (sender, connection) = http2::handshake(executor, TokioIo::new(near)).await.unwrap();
    let (mut live, _) = live(0).await;
    live.driver = Arc::new(spawn(async { drop(connection.await) }));
    (Live { sender: Sender::Http2(sender), ..live }, far)
}

/// A connection without a socket, known by its number, and its other end.
async fn live(number: u16) -> (Live, DuplexStream) {
    let (near, far) = tokio::io::duplex(64);
    let (sender, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
    let driver = Arc::new(spawn(async { drop(connection.await) }));
    let facts = Connection {
        peer: ([127, 0, 0, 1], number).into(),
        reused: false,
        version: http::Version::HTTP_11,
        tls: None,
        unverified: false,
    };
    (Live { sender: Sender::Http1(sender), facts, driver }, far)
}

/// Keeps so many connections of a target, which are numbered.
async fn keep(pool: &Pool, target: &Target, numbers: std::ops::Range<u16>) -> Vec<DuplexStream> {
    let mut ends = Vec::new();
    for number in numbers {
        let (live, far) = live(number).await;
        pool.put(target.id(), live, Timestamp::from_micros(number.into()));
        ends.push(far);
    }
    ends
}

fn idle_of(pool: &Pool, target: &Target) -> usize {
    pool.shelf().targets.get(&target.id()).map_or(0, VecDeque::len)
}

/// The numbers of a target's connections that were kept, the last first.
fn kept(pool: &Pool, target: &Target) -> Vec<u16> {
    let now = Timestamp::from_micros(0);
    std::iter::from_fn(|| pool.take(target.id(), now)).map(|live| live.facts.peer.port()).collect()
}

#[tokio::test]
async fn so_many_connections_are_kept_idle_and_the_oldest_goes() {
    let limit = u16::try_from(MAX_IDLE_PER_TARGET).unwrap();
    let (pool, one) = (Pool::default(), target("http://127.0.0.1:9/"));
    let _ends = keep(&pool, &one, 0..limit).await;
    assert_eq!(kept(&pool, &one), (0..limit).rev().collect::<Vec<_>>());
    let _ends = keep(&pool, &one, 0..limit + 1).await;
    assert_eq!(kept(&pool, &one), (1..limit + 1).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn over_all_targets_so_many_connections_are_kept_and_those_of_the_stillest_go() {
    let pool = Pool::default();
    let (each, all) = (u16::try_from(MAX_IDLE_PER_TARGET).unwrap(), u16::try_from(MAX_IDLE).unwrap());
    let targets: Vec<_> = (0..all / each).map(|_| target("http://127.0.0.1:9/")).collect();
    let mut ends = Vec::new();
    for (number, target) in (0..).zip(&targets) {
        ends.extend(keep(&pool, target, number * each..(number + 1) * each).await);
    }
    let count = || targets.iter().map(|target| idle_of(&pool, target)).sum::<usize>();
    assert_eq!(count(), MAX_IDLE);
    // In the place of one of its own a target keeps another, and nobody else's goes.
    ends.extend(keep(&pool, &targets[1], all..all + 1).await);
    assert_eq!((count(), idle_of(&pool, &targets[0])), (MAX_IDLE, MAX_IDLE_PER_TARGET));
    let late = target("http://127.0.0.1:9/");
    ends.extend(keep(&pool, &late, all + 1..all + 2).await);
    assert_eq!(idle_of(&pool, &targets[0]), 0, "its connections have been idle for longest");
    assert_eq!((count() + 1, kept(&pool, &late)), (MAX_IDLE - MAX_IDLE_PER_TARGET + 1, vec![all + 1]));
}

#[tokio::test]
async fn for_one_that_is_kept_already_nobody_goes() {
    let (pool, stillest) = (Pool::default(), target("http://127.0.0.1:9/"));
    let mut ends = keep(&pool, &stillest, 1..2).await;
    let ((live, end), of) = (shared().await, target("https://127.0.0.1:9/"));
    let again = live.share().unwrap();
    pool.put(of.id(), live, Timestamp::from_micros(2));
    ends.push(end);
    for number in 2..u16::try_from(MAX_IDLE).unwrap() {
        ends.extend(keep(&pool, &target("http://127.0.0.1:9/"), number..number + 1).await);
    }
    pool.put(of.id(), again, Timestamp::from_micros(u64::MAX));
    assert_eq!((idle_of(&pool, &stillest), idle_of(&pool, &of)), (1, 1));
    let late = target("http://127.0.0.1:9/");
    ends.extend(keep(&pool, &late, 0..1).await);
    assert_eq!((idle_of(&pool, &stillest), idle_of(&pool, &of), idle_of(&pool, &late)), (0, 1, 1));
}

#[tokio::test]
async fn what_was_idle_for_too_long_goes_when_another_is_taken() {
    let (pool, one) = (Pool::default(), target("http://127.0.0.1:9/"));
    let second = |seconds| Timestamp::from_micros(0).after(Duration::from_secs(seconds));
    let mut ends = Vec::new();
    for number in 0..3 {
        let (live, far) = live(number).await;
        pool.put(one.id(), live, second(u64::from(number) * 10));
        ends.push(far);
    }
    let taken = pool.take(one.id(), second(10).after(IDLE_TIMEOUT));
    assert_eq!(taken.map(|live| live.facts.peer.port()), Some(2));
    assert_eq!((idle_of(&pool, &one), pool.shelf().count), (0, 0), "the other two are gone");
}
