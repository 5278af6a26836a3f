//! Our receiver against a client that is not ours: a bare hyper connection gets the same verdicts.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use receiver::MockReceiver;
use tokio::net::TcpStream;

/// Sends one request and gives the status and the body of its answer.
async fn request(receiver: &MockReceiver, lines: &[(&str, &str)], body: &'static str) -> (u16, String) {
    let stream = TokioIo::new(TcpStream::connect(receiver.address()).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    let mut request = http::Request::post("/").header("host", "receiver");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let exchange = async {
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    tokio::select! {
        answered = exchange => answered,
        _ = connection => panic!("the connection ended first"),
    }
}

#[tokio::test]
async fn a_foreign_sender_gets_the_same_verdicts() {
    let receiver =
        MockReceiver::builder().credentials("u", "p").require_header("X-Netography: Webhook").unwrap();
    let receiver = receiver.start().await.unwrap();
    let (json, auth, custom) =
        (("content-type", "application/json"), ("authorization", "Basic dTpw"), ("x-netography", "Webhook"));
    for (lines, body, status, said) in [
        (&[json, auth, custom][..], payload::SAMPLE, 200, "\"passed\":true"),
        (&[json, custom], payload::SAMPLE, 401, "credentials"),
        (&[json, ("authorization", "Basic dTp4"), custom], payload::SAMPLE, 401, "a wrong password"),
        (&[json, auth], payload::SAMPLE, 400, "no such header"),
        (&[json, auth, custom], "{\"id\":", 400, "a JSON object"),
        (&[json, auth, custom], "{\"id\":5,\"alerttype\":\"start\"}", 422, "a string"),
        (&[("content-type", "text/xml"), auth, custom], payload::SAMPLE, 415, "application/json"),
    ] {
        let (answered, text) = request(&receiver, lines, body).await;
        assert_eq!(answered, status, "{text}");
        assert!(text.contains(said), "{text}");
    }
}
