//! The exact bytes of a request, as they stand on the wire.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::harness::{sample, send};
use crate::hostile::read_request;

#[tokio::test]
async fn a_request_reads_as_documented() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let peer = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let text = read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        text
    };
    let (_, text) = tokio::join!(
        send(&format!("http://{address}/a?b=c"), &[sample()], |draft| {
            draft.headers.list = "X-Netography: Webhook, X-Empty:, X-Netography: twice".to_owned();
            draft.username = "u".to_owned();
        }),
        peer
    );
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
