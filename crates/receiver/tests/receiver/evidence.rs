//! What failed is a capture too, and a capture keeps the bytes as they came.

use receiver::capture::{Arrival, Capture};
use receiver::{MockReceiver, Subject};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{JSON, LIMIT, UPDATE, exchange, post};

/// The first capture of a connection that came to no request.
async fn evidence(receiver: &MockReceiver) -> std::sync::Arc<Capture> {
    let look = |captures: &receiver::capture::Captures| {
        captures.all().into_iter().find(|capture| capture.request().is_none())
    };
    receiver.log().until(LIMIT, look).await.expect("there is one")
}

#[tokio::test]
async fn bytes_are_kept_as_they_came_names_case_order_and_chunks() {
    let receiver = MockReceiver::start().await.unwrap();
    let (first, second) = UPDATE.split_at(5);
    let head =
        "POST /a?b=c HTTP/1.1\r\nX-B: 1\r\nHOST: a\r\nx-a:2\r\nX-B: 3\r\nContent-Type: application/json\r\n";
    let chunked = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{:x};ext=1\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    let fixed = format!("{head}Connection: close\r\nContent-Length: {}\r\n\r\n{UPDATE}", UPDATE.len());
    // Both in one write: the second message begins in the same packet as the first.
    exchange(&receiver, &format!("{chunked}{fixed}")).await;
    let captures = receiver.wait_for(2, LIMIT).await.unwrap();
    let request = |at: usize| captures[at].request().unwrap();
    assert_eq!(request(0).raw.as_ref().unwrap().bytes, chunked);
    assert_eq!(request(1).raw.as_ref().unwrap().bytes, fixed);
    let names: Vec<_> = request(1).lines().into_iter().map(|(name, _)| name).take(4).collect();
    assert_eq!(names, ["X-B", "HOST", "x-a", "X-B"]);
    assert_eq!((request(0).turn, request(1).turn), (1, 2));
    assert_eq!(request(0).connection, request(1).connection);
    assert_eq!(request(0).whole().unwrap(), UPDATE);
    assert_eq!(request(1).whole().unwrap(), UPDATE);
}

#[tokio::test]
async fn a_malformed_head_is_a_capture() {
    let receiver = MockReceiver::start().await.unwrap();
    for (bytes, why, status) in [
        ("nonsense\r\n\r\n", "invalid HTTP", Some(400)),
        ("GET / HTTP/1.1\r\nbad header\r\n\r\n", "invalid HTTP header", Some(400)),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\r\n\r\n", "a TLS handshake", Some(400)),
    ] {
        receiver.reset();
        exchange(&receiver, bytes).await;
        let capture = evidence(&receiver).await;
        let Arrival::Head { raw, why: told } = &capture.arrival else { panic!("{capture:?}") };
        assert!(told.contains(why), "{told}");
        assert_eq!(raw.as_ref().unwrap().bytes, bytes);
        assert_eq!(capture.status.map(|status| status.as_u16()), status);
        assert!(capture.verdict.failed(Subject::Connection));
        assert_eq!(receiver.counts().failed, 1);
    }
}

#[tokio::test]
async fn a_head_that_breaks_off_and_a_connection_closed_unused_are_captures() {
    let receiver = MockReceiver::start().await.unwrap();
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHo").await.unwrap();
    drop(stream);
    let capture = evidence(&receiver).await;
    assert!(
        matches!(&capture.arrival, Arrival::Head { why, .. } if why.contains("before its end")),
        "{capture:?}"
    );

    receiver.reset();
    drop(TcpStream::connect(receiver.address()).await.unwrap());
    let capture = evidence(&receiver).await;
    assert!(matches!(capture.arrival, Arrival::Unused), "{capture:?}");
    assert!(capture.verdict.passed(), "it may be what was wanted");
    assert_eq!((receiver.counts().received, receiver.counts().without_request), (0, 1));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_told() {
    let receiver = MockReceiver::start().await.unwrap();
    let long = "x".repeat(receiver::server::MAX_HEAD);
    let answer = exchange(&receiver, &format!("GET / HTTP/1.1\r\nX-Long: {long}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let capture = evidence(&receiver).await;
    assert!(
        matches!(&capture.arrival, Arrival::Head { why, .. } if why.contains("more than 65536 bytes")),
        "{capture:?}"
    );
}

#[tokio::test]
async fn the_rest_of_a_body_that_was_too_large_is_not_taken_for_a_request() {
    let receiver = MockReceiver::builder().max_body(10).start().await.unwrap();
    exchange(&receiver, &post(JSON, &"x".repeat(100_000))).await;
    let captures = receiver.wait_for(1, LIMIT).await.unwrap();
    assert_eq!(captures.len(), 1, "{captures:?}");
}

#[tokio::test]
async fn what_is_sent_after_the_last_request_of_a_connection_is_not_held_against_anybody() {
    let receiver = MockReceiver::start().await.unwrap();
    let last = post(JSON, UPDATE);
    exchange(&receiver, &format!("{last}{last}")).await;
    receiver.close(LIMIT).await;
    assert_eq!((receiver.captures().len(), receiver.counts().failed), (1, 0), "{:?}", receiver.captures());
}

#[tokio::test]
async fn a_connection_that_is_used_again_is_known_by_its_number() {
    let receiver = MockReceiver::start().await.unwrap();
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    for turn in 1..=3 {
        let request = format!("POST / HTTP/1.1\r\nhost: a\r\n{JSON}content-length: 2\r\n\r\n{{}}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let captures = receiver.wait_for(turn, LIMIT).await.unwrap();
        let request = captures.last().unwrap().request().unwrap();
        assert_eq!((u64::from(request.turn), request.connection.number), (turn, 1));
        // The answer is read, so that the next request is not pipelined.
        let mut answer = [0; 4096];
        assert!(stream.read(&mut answer).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_stream_of_http_2_that_is_reset_is_no_whole_body_whatever_the_reason() {
    let receiver = MockReceiver::start().await.unwrap();
    for (reason, number) in [(h2::Reason::CANCEL, 1), (h2::Reason::NO_ERROR, 2)] {
        let stream = TcpStream::connect(receiver.address()).await.unwrap();
        let (mut client, mut connection) = h2::client::handshake(stream).await.unwrap();
        let mut pings = connection.ping_pong().unwrap();
        let mut running = tokio::task::JoinSet::new();
        running.spawn(connection);
        let request = http::Request::post("http://a/").header("content-type", "application/json").body(());
        let (_answer, mut body) = client.send_request(request.unwrap(), false).unwrap();
        body.send_data(UPDATE.into(), false).unwrap();
        // Its answer says that what was sent before it came.
        pings.ping(h2::Ping::opaque()).await.unwrap();
        body.send_reset(reason);
        let captures = receiver.wait_for(number, LIMIT).await.unwrap();
        let verdict = &captures.last().unwrap().verdict;
        assert!(verdict.failed(Subject::Body), "{reason:?}: {verdict}");
    }
}

#[tokio::test]
async fn who_closes_its_half_after_the_request_gets_its_answer() {
    let receiver = MockReceiver::builder().without(Subject::Sequence).start().await.unwrap();
    let long = UPDATE.replace('}', &format!(",\"summary\":\"{}\"}}", "x".repeat(200_000)));
    for number in 1..=20 {
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
        stream.write_all(post(JSON, &long).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!((receiver.counts().received, receiver.counts().failed), (number, 0));
    }
}

#[tokio::test]
async fn what_follows_the_last_request_is_no_request_unless_one_was_begun() {
    let kept =
        format!("POST / HTTP/1.1\r\nhost: a\r\n{JSON}content-length: {}\r\n\r\n{UPDATE}", UPDATE.len());
    for (bytes, failed, why) in [
        (format!("{}\r\n", post(JSON, UPDATE)), 0, "old clients send one more line end (RFC 9112, 2.2)"),
        (format!("{kept}\r\n"), 0, "the same on a connection that is kept"),
        (format!("{}POST / HTTP", post(JSON, UPDATE)), 0, "the close was announced"),
        (format!("{kept}POST / HTTP"), 1, "it was begun on a connection that was still good"),
    ] {
        let receiver = MockReceiver::start().await.unwrap();
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        receiver.wait_for(1, LIMIT).await.unwrap();
        drop(stream);
        receiver.wait_for(1 + failed, LIMIT).await.unwrap();
        receiver.close(LIMIT).await;
        assert_eq!((receiver.counts().passed, receiver.counts().failed), (1, failed), "{why}");
        assert_eq!(receiver.captures().len() as u64, 1 + failed, "{why}");
    }
}

#[tokio::test]
async fn a_connection_of_http_2_that_carries_no_request_is_unused() {
    let receiver = MockReceiver::start().await.unwrap();
    let stream = TcpStream::connect(receiver.address()).await.unwrap();
    let (client, mut connection) = h2::client::handshake(stream).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(connection);
    pings.ping(h2::Ping::opaque()).await.unwrap();
    drop(client);
    running.join_next().await.unwrap().unwrap().unwrap();
    let capture = evidence(&receiver).await;
    assert!(matches!(capture.arrival, Arrival::Unused), "{capture:?}");
}

#[tokio::test]
async fn who_says_nothing_or_half_a_preface_is_cut_off_and_told() {
    for bytes in ["", "P", "PRI * HTTP/2.0\r\n"] {
        let receiver = MockReceiver::start().await.unwrap();
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        // The clock now runs to whatever is waited for next.
        tokio::time::pause();
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "it ended");
        let capture = evidence(&receiver).await;
        assert!(matches!(capture.arrival, Arrival::Unused | Arrival::Head { .. }), "{capture:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_refused_body_is_read_on_for_a_moment_so_that_the_answer_arrives() {
    let receiver = MockReceiver::builder().max_body(10).start().await.unwrap();
    // More than a socket's buffers hold: who is reset while it writes never reads its answer.
    let answer = exchange(&receiver, &post(JSON, &"x".repeat(12 << 20))).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn what_this_end_closes_unused_is_nobody_s_doing() {
    let receiver = MockReceiver::start().await.unwrap();
    for bytes in ["", "P"] {
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        // Once this one was answered the others were accepted.
        exchange(&receiver, &post(JSON, UPDATE)).await;
        if bytes == "P" {
            receiver.close(LIMIT).await;
        }
        drop(stream);
    }
    let without: Vec<_> =
        receiver.captures().into_iter().filter(|capture| capture.request().is_none()).collect();
    assert!(without.len() <= 1 && receiver.counts().failed == 0, "{without:?}");
}

#[tokio::test]
async fn while_it_closes_nobody_listens_though_something_is_under_way() {
    let receiver = MockReceiver::start().await.unwrap();
    let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{JSON}content-length: {}\r\n\r\n", UPDATE.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    // Once this one was answered the other was accepted.
    exchange(&receiver, &post(JSON, UPDATE)).await;
    let address = receiver.address();
    let ends = async {
        while TcpStream::connect(address).await.is_ok() {}
        stream.write_all(UPDATE.as_bytes()).await.unwrap();
    };
    tokio::join!(receiver.close(LIMIT), async { tokio::time::timeout(LIMIT, ends).await.unwrap() });
    assert_eq!(receiver.counts().passed, 2, "what was under way was taken to its end");
    drop(MockReceiver::builder().listen(&address.to_string()).start().await.unwrap());
}
