//! The exact bytes of a request, as they stand on the wire.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery::clock::Clock;
use delivery::http::Client;
use receiver::MockReceiver;
use sender::Draft;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{LIMIT, sample, send, status};

#[tokio::test]
async fn a_request_reads_as_documented() {
    let receiver = MockReceiver::start().await.unwrap();
    let address = receiver.address();
    send(&format!("http://{address}/a?b=c"), &[sample()], |draft| {
        draft.headers.list = "X-Netography: Webhook, X-Empty:, X-Netography: twice".to_owned();
        draft.username = "u".to_owned();
    })
    .await;
    let captures = receiver.wait_for(1, LIMIT).await.unwrap();
    let raw = captures[0].request().unwrap().raw.clone().unwrap();
    let text = String::from_utf8(raw.bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.as_bytes(), sample().as_bytes());
    let mut lines: Vec<_> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /a?b=c HTTP/1.1");
    let (id, rest): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.starts_with("Webhook-"));
    assert_eq!(id.len(), 2, "{id:?}");
    assert_eq!(
        rest,
        [
            &format!("Host: {address}"),
            &format!("Content-Length: {}", sample().as_bytes().len()),
            "Content-Type: application/json",
            &format!("User-Agent: fusion-webhook/{}", env!("CARGO_PKG_VERSION")),
            "Authorization: Basic dTo=",
            "X-Netography: Webhook",
            "X-Netography: twice",
            "X-Empty: ",
        ]
    );
}

/// Reads requests on connections of their own, answers each, and hands its bytes over.
async fn listen(listener: TcpListener, heard: tokio::sync::mpsc::Sender<Vec<u8>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut bytes = Vec::new();
        while !bytes.ends_with(sample().as_bytes()) && stream.read_buf(&mut bytes).await.unwrap_or(0) > 0 {}
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        if heard.send(bytes).await.is_err() {
            return;
        }
    }
}

/// A field of the form, and how a text gets into it.
type Fill = fn(&mut Draft, String);

/// The fields in which somebody types something that stands in the head of a request.
const FIELDS: &[(&str, Fill)] = &[
    ("url", |draft, text| draft.url = format!("{}p{text}", draft.url)),
    ("header name", |draft, text| draft.headers.pairs.push((format!("X-{text}"), "v".to_owned()))),
    ("header value", |draft, text| draft.headers.pairs.push(("X-A".to_owned(), text))),
    ("header line", |draft, text| draft.headers.lines.push(format!("X-A: {text}"))),
    ("header list", |draft, text| draft.headers.list = format!("X-A: {text}")),
    ("content type", |draft, text| draft.content_type = Some(format!("a/{text}"))),
    ("user name", |draft, text| draft.username = text),
    ("password", |draft, text| draft.password = text.into()),
];

/// Every character of one byte and some that look like others, first, within and last.
fn texts() -> impl Iterator<Item = String> {
    let odd = ['\u{2028}', '\u{2029}', '\u{85}', '\u{ff1a}', '\u{10a}', '\u{10d}', '\u{200b}', '\u{fffd}'];
    let characters = (0..=u8::MAX).map(char::from).chain(odd);
    characters.flat_map(|odd| [format!("{odd}ab"), format!("a{odd}b"), format!("ab{odd}")])
}

/// Whatever is typed wherever: it is refused, or the request on the wire has its lines and no others, and says what was typed.
#[tokio::test(flavor = "multi_thread")]
async fn no_character_in_any_field_makes_another_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (heard, mut requests) = tokio::sync::mpsc::channel(1);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(listen(listener, heard));
    let (client, message) = (Client::new(Clock::start()), sender::message::message(&sample()));
    for (field, fill) in FIELDS {
        let mut accepted = 0;
        for text in texts() {
            let mut draft = Draft::new(&url);
            fill(&mut draft, text.clone());
            let Ok(integration) = draft.check("test") else { continue };
            accepted += 1;
            let attempt = client.attempt(&integration.target, &message).await;
            assert_eq!(status(&attempt.outcome), 200, "{field}: {text:?}");
            let bytes = requests.recv().await.unwrap();
            let head =
                bytes.strip_suffix(sample().as_bytes()).and_then(|head| head.strip_suffix(b"\r\n\r\n"));
            let head = std::str::from_utf8(head.unwrap()).expect("a head is ASCII");
            let lines: Vec<&str> = head.split("\r\n").collect();
            assert!(
                head.is_ascii() && lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])),
                "{head:?}"
            );
            assert_eq!(lines[0].split(' ').count(), 3, "{head:?}");
            let more = usize::from(!["url", "content type"].contains(field));
            assert_eq!(lines.len(), 7 + more, "{field}: {text:?}: {head:?}");
            let says = |line: &str| lines.iter().any(|other| other.eq_ignore_ascii_case(line));
            let typed = text.trim_matches([' ', '\t']);
            let credentials = |pair: String| format!("Authorization: Basic {}", STANDARD.encode(pair));
            assert!(
                match *field {
                    "url" => lines[0].starts_with("POST /p") && lines[0].ends_with(" HTTP/1.1"),
                    "header name" => says(&format!("X-{}: v", text.trim_end_matches([' ', '\t']))),
                    "content type" => says(&format!("Content-Type: a/{text}")),
                    "user name" => says(&credentials(format!("{text}:"))),
                    "password" => says(&credentials(format!(":{text}"))),
                    // What is an escape or ends an item in a list has its own law.
                    "header list" if text.contains(['\\', ',', '"']) => true,
                    _ => says(&format!("X-A: {typed}")),
                },
                "{field}: {text:?}: {head:?}"
            );
        }
        assert!(accepted > 100, "{field}: {accepted}");
    }
}
