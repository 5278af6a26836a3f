//! Receivers that are not there, slow, broken or malicious: our own, with a fault.

mod http2;
mod peer;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use delivery::outcome::{Outcome, Phase, Unreachable};
use receiver::fault::Fault;
use receiver::{MockReceiver, Rule};

use crate::harness::{LIMIT, outcome, sample, send, status, update};

/// A time-out that is what a test is about.
const SHORT: Duration = Duration::from_millis(200);

/// A receiver that does this to every request.
async fn faulty(fault: Fault) -> MockReceiver {
    MockReceiver::builder().fault(Rule { fault, ..Rule::default() }).start().await.unwrap()
}

async fn raw(answer: impl Into<Bytes>) -> MockReceiver {
    faulty(Fault::Raw(answer.into())).await
}

#[tokio::test]
async fn nobody_there_is_refused() {
    let receiver = MockReceiver::start().await.unwrap();
    let (address, url) = (receiver.address(), receiver.url());
    receiver.set_faults([Rule::parse("refuse").unwrap()]);
    let refused = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, refused).await.expect("nobody listens any more");
    assert_eq!(outcome(&url, |_| {}).await, Outcome::Unreachable(Unreachable::Refused(address)));
}

#[tokio::test]
async fn silence_ends_at_the_deadline_and_tells_where() {
    for (rule, phase) in [
        ("silent", Phase::ResponseHead),
        ("accept-only", Phase::ResponseHead),
        ("slow=1s", Phase::ResponseBody),
        ("delay=10s", Phase::ResponseHead),
    ] {
        let receiver = MockReceiver::builder().fault(Rule::parse(rule).unwrap()).start().await.unwrap();
        let met = outcome(&receiver.url(), |draft| draft.attempt_timeout = SHORT).await;
        assert_eq!(met, Outcome::TimedOut(phase), "{rule}");
    }
}

#[tokio::test]
async fn a_broken_exchange_is_told_apart_from_an_answer() {
    for (rule, phase) in [
        ("reset=within", Phase::ResponseHead),
        ("reset=after", Phase::ResponseHead),
        ("reset=answer", Phase::ResponseBody),
        ("truncate", Phase::ResponseBody),
        (r"raw=", Phase::ResponseHead),
        (r"raw=garbage\r\n\r\n", Phase::ResponseHead),
        (r"raw=HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Phase::ResponseBody),
        (r"raw=HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Phase::ResponseBody),
    ] {
        let receiver = MockReceiver::builder().fault(Rule::parse(rule).unwrap()).start().await.unwrap();
        match outcome(&receiver.url(), |_| {}).await {
            Outcome::Broken { phase: found, reason } => assert_eq!(found, phase, "{rule}: {reason}"),
            other => panic!("{rule}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(1000));
    for head in [long, many] {
        let receiver = raw(head).await;
        let met = outcome(&receiver.url(), |_| {}).await;
        assert!(matches!(met, Outcome::Broken { phase: Phase::ResponseHead, .. }), "{met:?}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_read_up_to_the_bound_only() {
    let receiver = faulty(Fault::Endless).await;
    let attempt = send(&receiver.url(), &[sample()], |_| {}).await.remove(0);
    assert_eq!(status(&attempt.outcome), 200, "the status is known");
    let response = attempt.response.unwrap();
    assert!(response.truncated && response.body.len() == delivery::http::MAX_KEPT_BODY);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_no_attempt() {
    // Each connection answers once, promises to stay open, and closes.
    let receiver = raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let life = [update("start", 1), update("ongoing", 2), update("end", 3)];
    let attempts = send(&receiver.url(), &life, |_| {}).await;
    let delivered =
        attempts.iter().filter(|attempt| matches!(&attempt.outcome, Outcome::Answered(_))).count();
    let unsent = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Unsent).count();
    assert_eq!((delivered, delivered + unsent), (3, attempts.len()), "{attempts:?}");
}
