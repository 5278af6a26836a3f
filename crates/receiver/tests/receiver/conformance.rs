//! Header fields as the RFCs have them, over a real socket: what is one value, what is another, and what is no request.

use receiver::{MockReceiver, Subject};

use crate::{JSON, UPDATE, exchange};

#[tokio::test]
async fn header_fields_are_read_as_rfc_9110_and_9112_say() {
    let receiver = MockReceiver::builder()
        .require_header("X-A: b c")
        .unwrap()
        .without(Subject::Sequence)
        .start()
        .await
        .unwrap();
    for (lines, status, rule) in [
        ("Host: a\r\nX-A: b c\r\n", 200, ""),
        ("Host: a\r\nx-a:b c\r\n", 200, "names ignore case (RFC 9110, 5.1)"),
        ("Host: a\r\nX-A:\t b c \t\r\n", 200, "white space around a value is none of it (RFC 9110, 5.5)"),
        ("Host: a\r\nX-A: B C\r\n", 400, "values keep their case"),
        ("Host: a\r\nX-A: b  c\r\n", 400, "white space within a value is a part of it"),
        ("Host: a\r\nX-A: x\r\nX-A: b c\r\n", 200, "a field may stand more than once (RFC 9110, 5.3)"),
        ("Host: a\r\nX-A:\r\n", 400, "an empty value is a value"),
        ("Host: a\r\nX-A: \"b c\"\r\n", 400, "quotes belong to a value (RFC 9110, 5.6.4)"),
        ("Host: a\r\nX-B: b c\r\n", 400, "another field"),
        ("Host: a\r\nX-A : b c\r\n", 400, "no white space before the colon (RFC 9112, 5.1)"),
        ("Host: a\r\n X-A: b c\r\n", 400, "no white space before the first field (RFC 9112, 2.2)"),
        ("Host: a\r\nX-A: b\r\n c\r\n", 400, "no line folding (RFC 9112, 5.2)"),
        ("Host: a\r\nX A: b c\r\n", 400, "a name is a token (RFC 9110, 5.6.2)"),
        ("Host: a\r\nX-A\r\n", 400, "a field has a colon"),
        ("Host: a\r\nX-A: b\0c\r\n", 400, "no NUL (RFC 9110, 5.5)"),
        ("X-A: b c\r\n", 400, "one Host (RFC 9112, 3.2)"),
        ("Host: a\r\nHost: a\r\nX-A: b c\r\n", 400, "one Host (RFC 9112, 3.2)"),
        ("Host: a\r\nX-A: b c\r\nContent-Length: 5\r\n", 400, "one length (RFC 9112, 6.3)"),
    ] {
        let length = UPDATE.len();
        let head =
            format!("POST / HTTP/1.1\r\nConnection: close\r\n{JSON}Content-Length: {length}\r\n{lines}");
        let answer = exchange(&receiver, &format!("{head}\r\n{UPDATE}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{rule}: {lines:?} {answer}");
    }
    let old =
        format!("POST / HTTP/1.0\r\n{JSON}X-A: b c\r\nContent-Length: {}\r\n\r\n{UPDATE}", UPDATE.len());
    assert!(exchange(&receiver, &old).await.starts_with("HTTP/1.0 200"), "HTTP/1.0 has no Host");
}
