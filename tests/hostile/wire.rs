//! Receivers that write what is no answer, too much of one, or one too many.

use std::sync::atomic::Ordering;
use std::time::Duration;

use delivery::outcome::{Outcome, Phase};

use super::peer::{Play, Read, Then, peer};
use crate::harness::{LIMIT, outcome, sample, send, status, update};
use crate::server::Server;

/// The end of an attempt that a receiver would draw out for ever.
const SHORT: Duration = Duration::from_millis(300);

/// What a play comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    Status(u16),
    Broken,
    /// The deadline ends it.
    Late,
    /// Either of the two: what the system tells first.
    StatusOrBroken(u16),
}

fn is(outcome: &Outcome, comes: Comes) -> bool {
    let status_is = |wanted| matches!(outcome, Outcome::Answered(answer) if answer.status.as_u16() == wanted);
    let broken = matches!(outcome, Outcome::Broken { .. });
    match comes {
        Comes::Status(wanted) => status_is(wanted),
        Comes::Broken => broken,
        Comes::Late => matches!(outcome, Outcome::TimedOut(Phase::ResponseHead | Phase::ResponseBody)),
        Comes::StatusOrBroken(wanted) => status_is(wanted) || broken,
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What is written when the request was read, before the connection is closed.
fn answers() -> Vec<(Play, Comes)> {
    let all = |name, write: &str, comes| (Play::new(name, Read::All, write, Then::Close), comes);
    vec![
        all("good", OK, Comes::Status(200)),
        all("no length, ended by the close", "HTTP/1.1 200 OK\r\n\r\nok", Comes::Status(200)),
        all(
            "chunks",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Comes::Status(200),
        ),
        all(
            "compressed, unasked",
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x08zz",
            Comes::Status(200),
        ),
        all("204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", Comes::Status(204)),
        all(
            "a switch of protocols",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
            Comes::StatusOrBroken(101),
        ),
        all(
            "a few interim answers",
            &("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(3) + OK),
            Comes::Status(200),
        ),
    ]
}

/// What is written then and is no answer.
fn no_answers() -> Vec<(Play, Comes)> {
    let all = |name, write: &str, comes| (Play::new(name, Read::All, write, Then::Close), comes);
    vec![
        all(
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            Comes::Broken,
        ),
        all("a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", Comes::Broken),
        all("a status that is none", "HTTP/1.1 2x0 OK\r\n\r\n", Comes::Broken),
        all("a status beyond all", "HTTP/1.1 20000 OK\r\n\r\n", Comes::Broken),
        all("HTTP/0.9", "ok\r\n", Comes::Broken),
        all("HTTP/2 unasked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Comes::Broken),
        all("TLS unasked", "\x16\x03\x03\0\x02\x02\x28", Comes::Broken),
        all("a NUL in a field", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", Comes::Broken),
        all("a field without a colon", "HTTP/1.1 200 OK\r\nX\r\n\r\n", Comes::Broken),
        all(
            "a chunk beyond all",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nok",
            Comes::Broken,
        ),
        all(
            "a chunk that is none",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok",
            Comes::Broken,
        ),
        all("half a head", "HTTP/1.1 200 OK\r\nX:", Comes::Broken),
        all("half a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", Comes::Broken),
        all(
            "10 GB, and then nothing",
            "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\nok",
            Comes::Broken,
        ),
        all(
            "a head without end",
            &format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000)),
            Comes::Broken,
        ),
        all(
            "lines without end",
            &format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(10_000)),
            Comes::Broken,
        ),
        all("nothing", "", Comes::Broken),
    ]
}

/// What is not ended.
fn without_end() -> Vec<(Play, Comes)> {
    let hang = |name, write: &str, comes| (Play::new(name, Read::All, write, Then::Hang), comes);
    let endless = |name, write: String, comes| (Play::new(name, Read::All, write, Then::Endless), comes);
    vec![
        hang("silence", "", Comes::Late),
        hang("half a head, and silence", "HTTP/1.1 200 OK\r\nX:", Comes::Late),
        hang("half a body, and silence", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", Comes::Late),
        hang("an answer without an end", "HTTP/1.1 200 OK\r\n\r\nok", Comes::Late),
        endless(
            "a body without end",
            format!("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n{}", "x".repeat(4096)),
            Comes::Status(200),
        ),
        endless("interim answers without end", "HTTP/1.1 102 Processing\r\n\r\n".repeat(64), Comes::Late),
    ]
}

/// How connections end, and when.
fn endings() -> Vec<(Play, Comes)> {
    let other = |name, read, then, comes| (Play::new(name, read, OK, then), comes);
    vec![
        other("a reset after the answer", Read::All, Then::Reset, Comes::StatusOrBroken(200)),
        other("an answer before the request was read", Read::Head, Then::Close, Comes::Status(200)),
        other("an answer before there was a request", Read::Nothing, Then::Close, Comes::StatusOrBroken(200)),
        other("a reset of what was not read", Read::Nothing, Then::Reset, Comes::StatusOrBroken(200)),
        other("half closed after the answer", Read::All, Then::HalfClose, Comes::Status(200)),
        (Play::new("a reset at once", Read::Nothing, "", Then::Reset), Comes::Broken),
        (Play::new("a reset after the head", Read::Head, "", Then::Reset), Comes::Broken),
        (Play::new("closed at once", Read::Nothing, "", Then::Close), Comes::Broken),
        (Play::new("half closed before the answer", Read::All, "", Then::HalfClose), Comes::Broken),
    ]
}

/// Everything that a receiver may write, with what it comes to.
fn plays() -> Vec<(Play, Comes)> {
    [answers(), no_answers(), without_end(), endings()].concat()
}

#[tokio::test]
async fn whatever_a_receiver_writes_has_its_outcome() {
    for (play, comes) in plays() {
        let name = play.name;
        let peer = peer(vec![play]).await;
        let patience = if comes == Comes::Late { SHORT } else { LIMIT };
        let met =
            outcome(&format!("http://{}/", peer.address), |draft| draft.attempt_timeout = patience).await;
        assert!(is(&met, comes), "{name}: expected {comes:?}, met {met:?}");
        assert_eq!(peer.accepted.load(Ordering::SeqCst), 1, "{name}: one attempt is one connection");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_at_any_byte_is_broken_and_nothing_else() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok";
    for (then, cut) in
        [Then::Close, Then::Reset].into_iter().flat_map(|then| (0..answer.len()).map(move |cut| (then, cut)))
    {
        let peer = peer(vec![Play::new("cut", Read::All, &answer[..cut], then)]).await;
        let met = outcome(&format!("http://{}/", peer.address), |_| {}).await;
        assert!(is(&met, Comes::Broken), "cut at {cut}: {met:?}");
    }
}

#[tokio::test]
async fn what_follows_an_answer_is_not_taken_for_the_next_one() {
    let two = format!("{OK}HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    let peer = peer(vec![Play::new("one too many", Read::All, two, Then::Hang)]).await;
    let life = [update("start", 1), update("ongoing", 2), update("end", 3)];
    let attempts = send(&format!("http://{}/", peer.address), &life, |_| {}).await;
    let answers: Vec<_> = attempts.iter().filter(|attempt| attempt.outcome != Outcome::Unsent).collect();
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(|attempt| status(&attempt.outcome) == 200), "{attempts:?}");
    assert_eq!(peer.accepted.load(Ordering::SeqCst), 3, "no connection is used again behind such an answer");
}

#[tokio::test]
async fn a_compressed_answer_is_neither_asked_for_nor_expanded() {
    let zipped =
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\n\x1f\x8b\x08\x00ab".to_vec();
    let peer = peer(vec![Play::new("compressed", Read::All, zipped, Then::Close)]).await;
    let attempt = send(&format!("http://{}/", peer.address), &[sample()], |_| {}).await.remove(0);
    assert_eq!(&*attempt.response.unwrap().body, b"\x1f\x8b\x08\x00ab");
    let receiver = receiver::MockReceiver::start().await.unwrap();
    send(&receiver.url(), &[sample()], |_| {}).await;
    let head = receiver.captures()[0].clone();
    assert!(!format!("{head:?}").to_ascii_lowercase().contains("accept-encoding"), "{head:?}");
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_at_the_deadline() {
    let peer = peer(vec![Play::new("no handshake", Read::Nothing, "", Then::Hang)]).await;
    let met = outcome(&format!("https://{}/", peer.address), |draft| draft.attempt_timeout = SHORT).await;
    assert_eq!(met, Outcome::TimedOut(Phase::Tls));
}

/// Resident memory of a process in kilobytes, and how many files it has open.
fn held(process: u32) -> (u64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes = resident.trim().trim_end_matches(" kB").parse().unwrap();
    (kilobytes, std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count())
}

/// One server process among all of them, round after round.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_among_hostile_receivers_stays_as_it_was() {
    let plays: Vec<_> = plays().into_iter().map(|(play, _)| play).collect();
    let (count, peer) = (plays.len(), peer(plays).await);
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    server.configure(&format!(
        "[integrations.hostile]\nurl = \"http://{}/\"\nattempt_timeout = \"300ms\"\nconcurrency = 8\n[integrations.hostile.retry]\ndelays = []\n[[policies]]\nintegrations = [\"hostile\"]\n",
        peer.address
    ));
    server.until("v1/integrations", |list| list["integrations"][0]["id"] == "hostile").await;
    let mut before = None;
    for round in 0..4 {
        let events = (0..2 * count).map(|number| {
            payload::SAMPLE
                .replace("123456789012", &format!("{round:04}{number:08}"))
                .replace(['\n', '\r'], "")
        });
        let batch = events.collect::<Vec<_>>().join("\n");
        let (status, answer) = server.post(&batch, &[("content-type", "application/x-ndjson")]);
        assert_eq!(status, 202, "{answer}");
        server
            .until("v1/status", |status| {
                // A breaker that is open lets one through a second or less often: a person says that all is well.
                server.ask("POST", "v1/integrations/hostile/resume", None);
                status["backlog"] == 0
            })
            .await;
        assert_eq!(server.get("healthz").0, 200);
        let held = held(server.child.id());
        let (memory, files) = *before.get_or_insert(held);
        assert!(held.0 <= memory + memory / 10, "round {round}: {} kB, after the first {memory} kB", held.0);
        assert!(held.1 <= files + 4, "round {round}: {} files are open, after the first {files}", held.1);
    }
    let closed = async {
        while peer.open.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, closed).await.expect("no connection is left over");
}
