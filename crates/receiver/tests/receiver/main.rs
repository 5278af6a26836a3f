//! The receiver over real sockets, with requests written by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod conformance;
mod evidence;
mod expectations;
mod faults;
mod inspector;
mod tls;

use std::time::Duration;

use receiver::verdict::Subject;
use receiver::{Capture, MockReceiver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const LIMIT: Duration = Duration::from_secs(10);
pub(crate) const UPDATE: &str = r#"{"id":"a","alerttype":"start"}"#;

/// Sends `bytes` as they are, and reads until the receiver closes.
pub(crate) async fn exchange(receiver: &MockReceiver, bytes: &str) -> String {
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is as good an end as a close.
    let _ = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

pub(crate) const JSON: &str = "content-type: application/json\r\n";

pub(crate) fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn last(receiver: &MockReceiver) -> std::sync::Arc<Capture> {
    receiver.captures().pop().expect("a request was captured")
}

#[tokio::test]
async fn a_good_request_is_answered_with_200_and_captured() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let answer = exchange(&receiver, &post("Content-Type: application/json\r\n", UPDATE)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let captures = receiver.wait_for(1, LIMIT).await.unwrap();
    assert_eq!(captures[0].request().unwrap().whole().unwrap(), UPDATE.as_bytes());
    assert!(captures[0].verdict.passed());
}

#[tokio::test]
async fn a_refusal_says_why_and_challenges() {
    let receiver = MockReceiver::builder().credentials("u", "p4ss").start().await.unwrap();
    let headers = "content-type: application/json\r\nauthorization: Basic dTp4\r\n";
    let answer = exchange(&receiver, &post(headers, UPDATE)).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(
        answer.contains("www-authenticate: Basic realm=\"fusion-webhook\", charset=\"UTF-8\""),
        "{answer}"
    );
    assert!(answer.contains("a wrong password for user"), "{answer}");
    assert!(!answer.contains("p4ss"), "{answer}");
}

#[tokio::test]
async fn bodies_are_bounded_in_size_and_time() {
    let small = MockReceiver::builder().max_body(UPDATE.len()).start().await.unwrap();
    let headers = "content-type: application/json\r\n";
    assert!(exchange(&small, &post(headers, UPDATE)).await.starts_with("HTTP/1.1 200"));
    let answer = exchange(&small, &post(headers, &format!("{UPDATE} "))).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(last(&small).verdict.failed(Subject::Body));

    let hasty = MockReceiver::builder().body_timeout(Duration::from_millis(50)).start().await.unwrap();
    let answer = exchange(&hasty, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn bodies_under_way_have_a_bound_together() {
    let receiver = MockReceiver::builder().max_under_way(1000).start().await.unwrap();
    let mut slow = TcpStream::connect(receiver.address()).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{JSON}content-length: 901\r\n\r\n");
    slow.write_all(format!("{head}{}", "x".repeat(900)).as_bytes()).await.unwrap();
    // Once the slow one is being read, a small body has no room beside it.
    let refused = async {
        loop {
            let answer = exchange(&receiver, &post(JSON, &"x".repeat(101))).await;
            if answer.starts_with("HTTP/1.1 503") {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(LIMIT, refused).await.unwrap();
    assert!(
        answer.contains("retry-after: 1") && answer.contains("at most 1000 bytes of all bodies"),
        "{answer}"
    );
    slow.write_all(b"x").await.unwrap();
    let is_whole = |capture: &Capture| {
        capture.request().is_some_and(|request| request.whole().is_some_and(|body| body.len() == 901))
    };
    let whole = receiver.log().until(LIMIT, |log| log.all().into_iter().rfind(|capture| is_whole(capture)));
    whole.await.expect("it was taken");
    assert!(
        exchange(&receiver, &post(JSON, &"x".repeat(101))).await.starts_with("HTTP/1.1 400"),
        "there is room again"
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_capture() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    drop(stream);
    let captures = receiver.wait_for(1, LIMIT).await.unwrap();
    assert!(captures[0].verdict.failed(Subject::Body), "{}", captures[0].verdict);
    assert_eq!(captures[0].status.unwrap(), 400, "it was not too large");
}

#[tokio::test]
async fn waiting_for_more_than_comes_says_how_many_came() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let error = receiver.wait_for(1, Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(error.to_string(), "waited 0.01 s for 1 requests, but only 0 came");
}

#[tokio::test]
async fn a_taken_port_is_explained() {
    let first = MockReceiver::builder().start().await.unwrap();
    let error = MockReceiver::builder().listen(&first.address().to_string()).start().await.unwrap_err();
    assert!(error.to_string().contains("another program listens there"), "{error}");
}

#[tokio::test]
async fn a_dropped_receiver_lets_go_of_its_port() {
    let first = MockReceiver::builder().start().await.unwrap();
    let address = first.address().to_string();
    drop(first);
    // The task is stopped at the drop; its socket goes when the runtime gets to it.
    for _ in 0..100 {
        if MockReceiver::builder().listen(&address).start().await.is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{address} is still taken");
}
