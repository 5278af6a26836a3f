//! `certify` and `explain` as scripts use them: exit codes, and what is printed.

use serde_json::Value;

use crate::program::run;

#[tokio::test]
async fn certify_passes_ours_and_fails_in_the_right_places_where_credentials_are_ignored() {
    let credentials = ["--username", "u", "--password", "p"];
    let header = ["--header", "X-Netography: Webhook"];
    let careful = receiver::MockReceiver::builder()
        .credentials("u", "p")
        .require_header("X-Netography: Webhook")
        .unwrap();
    let careful = careful.start().await.unwrap();
    let careless = receiver::MockReceiver::start().await.unwrap();
    let held_up = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let one_by_one = format!("http://{}/", held_up.local_addr().unwrap());
    std::thread::spawn(move || held_up.incoming().flatten().for_each(|stream| drop(take_all(stream))));
    for (url, code, failed) in [
        (
            one_by_one,
            1,
            &[
                "GET in place of POST",
                "broken JSON",
                "an empty body",
                "a slow body, and another update meanwhile",
            ][..],
        ),
        (careful.url(), 0, &[][..]),
        (
            careless.url(),
            1,
            &["no credentials", "a wrong password", "an unknown user", "credentials that are not base64"],
        ),
    ] {
        let known: &[&str] = if url == careful.url() || url == careless.url() { &credentials } else { &[] };
        let arguments = [&["certify", &url, "--json"][..], known, &header].concat();
        let (ended, printed, errors) = run(&arguments, "").await;
        assert_eq!(ended, code, "{printed}{errors}");
        let results: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let failures: Vec<_> = results.iter().filter(|result| result["result"] == "failed").collect();
        let names: Vec<_> = failures.iter().map(|result| result["trial"].as_str().unwrap()).collect();
        assert_eq!(names, failed);
        assert!(
            results.len() == if known.is_empty() { 17 } else { 21 }
                && failures.iter().all(|failure| failure["why"].is_string())
        );
    }
    let (code, printed, _) = run(&["certify", &careful.url()], "").await;
    assert!(code == 1 && printed.contains("refuses a right update: 401; are --username"), "{printed}");
    let (code, _, errors) = run(&["certify", "http://127.0.0.1:1/"], "").await;
    assert!(code == 3 && errors.contains("cannot be reached"), "{errors}");
}

/// A receiver that reads one request after the other, and answers 200 to whatever has an end.
fn take_all(mut stream: std::net::TcpStream) -> std::io::Result<()> {
    use std::io::{Read, Write};
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
    let (mut came, mut piece) = (Vec::new(), [0; 65536]);
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut fields);
        if let Ok(httparse::Status::Complete(head)) = request.parse(&came) {
            let length =
                request.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
            let length =
                length.and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok());
            if length.map_or_else(|| came.ends_with(b"0\r\n\r\n"), |length| came.len() >= head + length) {
                return stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        }
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            read => came.extend_from_slice(&piece[..read]),
        }
    }
}

#[tokio::test]
async fn explain_shows_readings_and_no_secret() {
    let (code, printed, _) = run(&["explain", "headers", "A: 1\\, 2, Api-Key: hidden"], "").await;
    assert_eq!(code, 0);
    assert!(
        printed.contains("  a: 1, 2")
            && printed.contains("every comma separates: otherwise")
            && !printed.contains("hidden")
    );
    let (code, printed, _) =
        run(&["explain", "authorization", "-"], "Authorization: Basic dTpzM2NyZXQ=\n").await;
    assert_eq!(code, 0);
    assert!(printed.contains("user name      \"u\"") && !printed.contains("s3cret"), "{printed}");
    assert_eq!(run(&["explain", "authorization", "Basic dTpzM2NyZXQ"], "").await.0, 1);
}
