//! Receivers that are not there, slow, broken or malicious. Each is a few lines over a real socket.

use std::time::Duration;

use delivery::outcome::{Outcome, Phase, Unreachable};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{LIMIT, outcome, sample, send, status, update};

/// A time-out that is what a test is about.
const SHORT: Duration = Duration::from_millis(200);

/// Serves each connection by reading one request whole and writing `answer`; then closes if `close`, else holds it open.
async fn peer(listener: TcpListener, answer: Vec<u8>, close: bool) {
    let mut open = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let _ = stream.write_all(&answer).await;
        if !close {
            open.push(stream);
        }
    }
}

/// Reads one request with a `Content-Length`, and gives its text.
pub(crate) async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                return text;
            }
        }
        if read == 0 {
            return text;
        }
    }
}

async fn against(answer: &[u8], close: bool, timeout: Duration) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::select! {
        outcome = outcome(&url, |draft| draft.attempt_timeout = timeout) => outcome,
        () = peer(listener, answer.to_vec(), close) => unreachable!("the peer serves until the test is over"),
    }
}

#[tokio::test]
async fn nobody_there_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let refused = outcome(&format!("http://{address}/"), |_| {}).await;
    assert_eq!(refused, Outcome::Unreachable(Unreachable::Refused(address)));
}

#[tokio::test]
async fn silence_ends_at_the_deadline_and_tells_where() {
    assert_eq!(against(b"", false, SHORT).await, Outcome::TimedOut(Phase::ResponseHead));
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    assert_eq!(against(half, false, SHORT).await, Outcome::TimedOut(Phase::ResponseBody));
}

#[tokio::test]
async fn a_broken_exchange_is_told_apart_from_an_answer() {
    for (answer, phase) in [
        (&b""[..], Phase::ResponseHead),
        (b"garbage\r\n\r\n", Phase::ResponseHead),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", Phase::ResponseBody),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Phase::ResponseBody),
    ] {
        match against(answer, true, LIMIT).await {
            Outcome::Broken { phase: found, reason } => assert_eq!(found, phase, "{reason}"),
            other => panic!("{:?}: {other:?}", String::from_utf8_lossy(answer)),
        }
    }
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    assert!(matches!(
        against(head.as_bytes(), false, LIMIT).await,
        Outcome::Broken { phase: Phase::ResponseHead, .. }
    ));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(1000));
    assert!(matches!(
        against(many.as_bytes(), false, LIMIT).await,
        Outcome::Broken { phase: Phase::ResponseHead, .. }
    ));
}

#[tokio::test]
async fn a_body_without_end_is_read_up_to_the_bound_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let endless = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n").await;
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
        // The sender closed; it opens no further connection for this update.
        std::future::pending::<()>().await;
    };
    let attempt = tokio::select! {
        mut attempts = send(&url, &[sample()], |_| {}) => attempts.remove(0),
        () = endless => unreachable!("it never ends"),
    };
    assert_eq!(status(&attempt.outcome), 200, "the status is known");
    let response = attempt.response.unwrap();
    assert!(response.truncated && response.body.len() == delivery::http::MAX_KEPT_BODY);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_no_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    // Each connection answers once, promises to stay open, and closes.
    let peer = peer(listener, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(), true);
    let life = [update("start", 1), update("ongoing", 2), update("end", 3)];
    let attempts = tokio::select! {
        attempts = send(&url, &life, |_| {}) => attempts,
        () = peer => unreachable!("the peer serves until the test is over"),
    };
    let delivered =
        attempts.iter().filter(|attempt| matches!(&attempt.outcome, Outcome::Answered(_))).count();
    let unsent = attempts.iter().filter(|attempt| attempt.outcome == Outcome::Unsent).count();
    assert_eq!((delivered, delivered + unsent), (3, attempts.len()), "{attempts:?}");
}
