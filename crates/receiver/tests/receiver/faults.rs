//! Every fault over a real socket: what a sender meets, and what the capture says of it.

use std::io::ErrorKind;
use std::time::Duration;

use receiver::{MockReceiver, Rule, Subject};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{JSON, LIMIT, UPDATE, exchange, post};

async fn faulty(rules: &[&str]) -> MockReceiver {
    let rules = rules.iter().map(|rule| Rule::parse(rule).unwrap());
    rules.fold(MockReceiver::builder(), |builder, rule| builder.fault(rule)).start().await.unwrap()
}

/// What a sender reads until the end, and whether the end is a reset.
async fn met(receiver: &MockReceiver) -> (String, bool) {
    let Ok(mut stream) = TcpStream::connect(receiver.address()).await else { return (String::new(), true) };
    // Of the sample there is nothing to say, so that a slow answer is short.
    let _ = stream.write_all(post(JSON, payload::SAMPLE).as_bytes()).await;
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap();
    let reset = ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
    (String::from_utf8(answer).unwrap(), reset)
}

#[tokio::test]
async fn each_fault_is_met_as_it_is_named() {
    for (rule, begins, reset, told) in [
        ("status=503,retry-after=2", "HTTP/1.1 503", false, "status 503, Retry-After 2 (rule 1)"),
        ("status=204", "HTTP/1.1 204", false, "status 204 (rule 1)"),
        (
            "redirect=http://127.0.0.1:1/",
            "HTTP/1.1 307",
            false,
            "redirect 307 to http://127.0.0.1:1/ (rule 1)",
        ),
        ("reset=before", "", true, "reset before the request (rule 1)"),
        ("reset=within", "", true, "reset within the request (rule 1)"),
        ("reset", "", true, "reset after the request (rule 1)"),
        ("reset=answer", "", true, "reset within the answer (rule 1)"),
        ("truncate", "HTTP/1.1 200", false, "truncated answer (rule 1)"),
        (r"raw=not HTTP\r\n", "not HTTP\r\n", false, "raw answer \"not HTTP\\r\\n\" (rule 1)"),
        ("slow=1ms", "HTTP/1.1 200", false, "slow answer, 1ms a byte (rule 1)"),
        ("silent=30ms", "", false, "silent for 30ms (rule 1)"),
        ("accept-only=30ms", "", true, "accepted and not read for 30ms (rule 1)"),
        ("delay=30ms", "HTTP/1.1 200", false, "delayed 30 ms (rule 1)"),
        ("status=500,delay=30ms", "HTTP/1.1 500", false, "status 500, delayed 30 ms (rule 1)"),
    ] {
        let receiver = faulty(&[rule]).await;
        let (answer, ended_by_reset) = met(&receiver).await;
        assert!(answer.starts_with(begins), "{rule}: {answer}");
        assert_eq!(ended_by_reset, reset, "{rule}: {answer}");
        let capture = receiver.captures().pop().expect("it is captured");
        assert_eq!(capture.fault.as_ref().unwrap().to_string(), told);
        assert!(capture.verdict.passed(), "a fault is not held against the sender: {}", capture.verdict);
    }
}

#[tokio::test]
async fn answers_say_what_their_fault_wants() {
    let receiver =
        faulty(&["status=503,retry-after=2,nth=1", "redirect=/other,status=308,nth=2", "truncate,nth=3"])
            .await;
    assert!(exchange(&receiver, &post(JSON, UPDATE)).await.contains("retry-after: 2\r\n"));
    assert!(exchange(&receiver, &post(JSON, UPDATE)).await.contains("location: /other\r\n"));
    let truncated = exchange(&receiver, &post(JSON, UPDATE)).await;
    let (head, body) = truncated.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(body.len() < length.parse().unwrap(), "{truncated}");
}

#[tokio::test]
async fn an_endless_answer_goes_on() {
    const BURST: usize = 1 << 20;
    let receiver = faulty(&["endless"]).await;
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    stream.write_all(post(JSON, UPDATE).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while answer.len() < BURST + 50_000 {
        let mut piece = [0; 64 * 1024];
        let read = tokio::time::timeout(LIMIT, stream.read(&mut piece)).await.unwrap().unwrap();
        assert!(read > 0, "it ended after {} bytes", answer.len());
        answer.extend_from_slice(&piece[..read]);
    }
}

#[tokio::test]
async fn nobody_listens_while_connections_are_refused() {
    let receiver = faulty(&[]).await;
    receiver.set_faults([Rule::parse("refuse,for=200ms").unwrap()]);
    let refused = async {
        loop {
            match TcpStream::connect(receiver.address()).await {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(LIMIT, refused).await.expect("it is refused");
    let back = async {
        while TcpStream::connect(receiver.address()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, back).await.expect("it listens again");
}

#[tokio::test]
async fn the_first_three_of_each_event_get_503_and_then_succeed_without_blame() {
    let receiver = faulty(&["status=503,retry-after=2,first=3,per=event"]).await;
    for _ in 0..4 {
        exchange(&receiver, &post(JSON, UPDATE)).await;
    }
    let captures = receiver.wait_for(4, LIMIT).await.unwrap();
    let statuses: Vec<_> = captures.iter().map(|capture| capture.status.unwrap().as_u16()).collect();
    assert_eq!(statuses, [503, 503, 503, 200]);
    let last = captures[3].verdict.of(Subject::Sequence).unwrap();
    assert_eq!(last.problems()[0].what, "retry", "{last:?}");
    assert_eq!(receiver.counts().failed, 0);
}

#[tokio::test]
async fn rules_can_be_changed_while_it_runs() {
    let receiver = faulty(&["status=500"]).await;
    assert!(met(&receiver).await.0.starts_with("HTTP/1.1 500"));
    receiver.set_faults([]);
    assert!(met(&receiver).await.0.starts_with("HTTP/1.1 200"));
    // What strikes before a request is whole is looked for only while there are rules.
    for rule in ["reset=before", "reset=within"] {
        receiver.set_faults([Rule::parse(rule).unwrap()]);
        assert_eq!(met(&receiver).await, (String::new(), true), "{rule}");
    }
}

#[test]
fn a_delay_is_waited_without_holding_up_others() {
    let receiver =
        MockReceiver::builder().fault(Rule::parse("delay=300ms,nth=1").unwrap()).start_blocking().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut first = TcpStream::connect(receiver.address()).await.unwrap();
        first.write_all(post(JSON, UPDATE).as_bytes()).await.unwrap();
        receiver.wait_for(1, LIMIT).await.unwrap();
        let request = post(JSON, UPDATE);
        let second = exchange(&receiver, &request);
        let mut byte = [0];
        tokio::select! {
            biased;
            answer = second => assert!(answer.starts_with("HTTP/1.1 200"), "{answer}"),
            _ = first.read(&mut byte) => panic!("the delayed answer came first"),
        }
    });
    assert_eq!(receiver.captures()[0].fault.as_ref().unwrap().delay, Duration::from_millis(300));
}

#[tokio::test]
async fn a_start_that_a_fault_struck_unread_is_not_missed() {
    for rule in ["reset=within,nth=1", "reset=before,nth=1", "accept-only=10ms,nth=1"] {
        let receiver = faulty(&[rule]).await;
        met(&receiver).await;
        exchange(&receiver, &post(JSON, &UPDATE.replace("start", "ongoing"))).await;
        let last = receiver.captures().pop().unwrap();
        let finding = last.verdict.of(Subject::Sequence).unwrap();
        assert_eq!((finding.as_str(), &*finding.problems()[0].what), ("noted", "missing start"), "{rule}");
    }
}
