use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::message::{MessageId, OrderKey};
use crate::target::address::Address;
use crate::target::headers::HeaderList;
use crate::target::tls::{Tls, TlsSettings, Trust};
use crate::target::{AsAccepted, DEFAULT_ATTEMPT_TIMEOUT, DEFAULT_CONNECT_TIMEOUT, Parts};

/// How far a paused clock goes on at a time.
const STEP: Duration = Duration::from_millis(1);

/// A target with the defaults, which trusts anybody.
pub(super) fn target(url: &str) -> Target {
    let tls = TlsSettings { trust: Trust::DangerSkipVerification, ..TlsSettings::default() };
    let parts = Parts {
        address: Address::parse(url).unwrap(),
        headers: HeaderList::default(),
        credentials: None,
        content_type: None,
        guard: None,
        tls: Tls::new(&tls).unwrap(),
        attempt_timeout: DEFAULT_ATTEMPT_TIMEOUT,
        connect_timeout: DEFAULT_CONNECT_TIMEOUT,
        render: Arc::new(AsAccepted),
    };
    Target::new(parts).unwrap()
}

fn message() -> Message {
    let (id, key) = (MessageId::new(), OrderKey::from("a"));
    Message { id, key, supersedable: false, body: Bytes::from_static(b"{}") }
}

/// Somebody who listens, and a target that is there.
async fn receiver(scheme: &str) -> (TcpListener, Target) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(&format!("{scheme}://{}/", listener.local_addr().unwrap()));
    (listener, target)
}

/// A connection of which the request was read.
async fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut came = Vec::new();
    while !came.ends_with(b"{}") {
        assert!(stream.read_buf(&mut came).await.unwrap() > 0);
    }
    stream
}

/// How an attempt ends that is answered with these bytes and a close, and whether its connection is kept.
async fn met(answer: &[u8]) -> (Attempt, bool) {
    let (listener, target) = receiver("http").await;
    let (client, message) = (Client::new(Clock::start()), message());
    let answering = async {
        let mut stream = accept(&listener).await;
        // Who has read enough closes.
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
        stream
    };
    let (attempt, _stream) = tokio::join!(client.attempt(&target, &message), answering);
    let kept = client.pool.take(target.id(), client.clock.now()).is_some();
    (attempt, kept)
}

fn is_broken_at(attempt: &Attempt, phase: Phase) -> bool {
    matches!(&attempt.outcome, Outcome::Broken { phase: found, .. } if *found == phase)
}

fn is_answered(attempt: &Attempt) -> bool {
    matches!(&attempt.outcome, Outcome::Answered(answer) if answer.status == 200)
}

/// An answer whose head has so many bytes.
fn head_of(bytes: usize) -> Vec<u8> {
    let (begin, end) = ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ", "\r\n\r\n");
    format!("{begin}{}{end}", "x".repeat(bytes - begin.len() - end.len())).into_bytes()
}

fn lines(count: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{}\r\n", "X: y\r\n".repeat(count - 1)).into_bytes()
}

fn body_of(bytes: usize, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(bytes)).into_bytes()
}

#[tokio::test]
async fn the_head_of_an_answer_ends_at_its_bound() {
    assert!(is_answered(&met(&head_of(MAX_HEAD)).await.0));
    assert!(is_broken_at(&met(&head_of(MAX_HEAD + 1)).await.0, Phase::ResponseHead));
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_bounds() {
    assert!(is_answered(&met(&lines(MAX_HEADERS)).await.0));
    assert!(is_broken_at(&met(&lines(MAX_HEADERS + 1)).await.0, Phase::ResponseHead));
    for (bytes, cut) in [(MAX_KEPT_BODY, false), (MAX_KEPT_BODY + 1, true)] {
        let response = met(&body_of(bytes, bytes)).await.0.response.unwrap();
        assert_eq!((response.truncated, response.body.len()), (cut, MAX_KEPT_BODY), "{bytes}");
    }
    // Of what is longer the end is not waited for.
    let (attempt, _) = met(&body_of(MAX_READ_BODY, MAX_READ_BODY + 2)).await;
    assert!(is_broken_at(&attempt, Phase::ResponseBody), "{attempt:?}");
    let (attempt, kept) = met(&body_of(MAX_READ_BODY + 1, MAX_READ_BODY + 2)).await;
    assert!(is_answered(&attempt) && !kept, "{attempt:?}");
}

#[tokio::test]
async fn behind_a_body_that_was_read_to_its_end_the_connection_is_used_again() {
    for (bytes, again) in [(MAX_READ_BODY, true), (MAX_READ_BODY + 1, false)] {
        let (listener, target) = receiver("http").await;
        let (client, message) = (Client::new(Clock::start()), message());
        let answering = async {
            let mut stream = accept(&listener).await;
            let _ = stream.write_all(&body_of(bytes, bytes)).await;
            stream
        };
        let (attempt, _stream) = tokio::join!(client.attempt(&target, &message), answering);
        assert!(is_answered(&attempt));
        assert_eq!(client.pool.take(target.id(), client.clock.now()).is_some(), again, "{bytes}");
    }
}

/// How an attempt ends at a receiver that reads and never says anything, while the clock goes on step by step.
async fn at_silence(scheme: &str) -> Attempt {
    let (listener, target) = receiver(scheme).await;
    let (client, message) = (Client::new(Clock::start()), message());
    let silence = async {
        let _stream = match scheme {
            "http" => accept(&listener).await,
            _ => listener.accept().await.unwrap().0,
        };
        loop {
            tokio::time::advance(STEP).await;
        }
    };
    // A paused clock runs on as soon as everybody waits, also for a socket.
    let spinning = async {
        loop {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        attempt = client.attempt(&target, &message) => attempt,
        () = silence => unreachable!("it goes on for ever"),
        () = spinning => unreachable!("it goes on for ever"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_and_its_connecting_end_when_their_time_is_over() {
    assert_eq!([DEFAULT_ATTEMPT_TIMEOUT, DEFAULT_CONNECT_TIMEOUT], [15, 5].map(Duration::from_secs));
    for (scheme, phase, limit) in [
        ("http", Phase::ResponseHead, DEFAULT_ATTEMPT_TIMEOUT),
        ("https", Phase::Tls, DEFAULT_CONNECT_TIMEOUT),
    ] {
        let attempt = at_silence(scheme).await;
        assert_eq!(attempt.outcome, Outcome::TimedOut(phase));
        let total = attempt.timings.total;
        assert!(limit <= total && total <= limit + STEP, "{scheme}: {total:?}");
    }
}

/// Where it is made it is moved into a task, and with it whatever it may hold at any time.
#[test]
fn an_attempt_is_small_to_move() {
    let client = Client::new(Clock::start());
    let (target, message) = (target("http://127.0.0.1:9/"), message());
    let size = size_of_val(&client.attempt(&target, &message));
    assert!(size <= 2048, "{size} bytes");
}
