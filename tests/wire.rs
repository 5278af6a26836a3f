//! The exact bytes of a request, as they stand on the wire.

use receiver::MockReceiver;

use crate::harness::{LIMIT, sample, send};

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
