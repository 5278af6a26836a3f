use std::process::Command;
use std::time::UNIX_EPOCH;

use http::{HeaderMap, Method, Version};

use super::*;
use crate::capture::Arrival;
use crate::request::{Body, Connection, Request, Timing};
use crate::verdict::Verdict;

fn capture(body: &[u8]) -> Capture {
    let connection = Connection { number: 1, peer: ([127, 0, 0, 1], 1).into(), secure: false };
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("content-type", "application/json"), ("x-note", "it's $HOME"), ("authorization", "Basic dTpw")]
    {
        headers.append(name, value.parse().unwrap());
    }
    let request = Request {
        at: UNIX_EPOCH,
        timing: Timing::default(),
        connection,
        turn: 1,
        version: Version::HTTP_11,
        method: Method::POST,
        target: "/hook?a=b&c".to_owned(),
        headers,
        body: Body::Whole(body.to_vec().into()),
        raw: None,
    };
    Capture {
        number: 1,
        at: UNIX_EPOCH,
        connection,
        arrival: Arrival::Request(Box::new(request)),
        event: None,
        verdict: Verdict { checks: Vec::new() },
        status: None,
        fault: None,
    }
}

/// What a shell makes of the command's words, with `curl` a function that prints them.
fn words(command: &str) -> Vec<String> {
    let script = format!(
        "AUTHORIZATION='Basic filled-in'\ncurl() {{ for word; do printf '%s\\036' \"$word\"; done; }}\n{command}"
    );
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split_terminator('\u{1e}').map(str::to_owned).collect()
}

#[test]
fn a_shell_reads_the_command_as_the_request_was() {
    let body = "{\"a\":\"it's\\n \\\\ $(false) `x` \n é\"}";
    let command = curl(&capture(body.as_bytes()), "127.0.0.1:1").unwrap();
    assert_eq!(
        words(&command),
        [
            "--request",
            "POST",
            "--http1.1",
            "http://127.0.0.1:1/hook?a=b&c",
            "--header",
            "Accept:",
            "--header",
            "User-Agent:",
            "--header",
            "content-type: application/json",
            "--header",
            "x-note: it's $HOME",
            "--header",
            "authorization: Basic filled-in",
            "--data-raw",
            body,
        ]
    );
    for body in [&b"\xff\x00"[..], b"\x1b[2J", &[b'x'; MAX_ARGUMENT + 1]] {
        let piped = curl(&capture(body), "127.0.0.1:1").unwrap();
        let begin = format!("printf %s {} | base64 -d | curl ", base64_of(body));
        assert!(piped.starts_with(&begin) && piped.ends_with("--data-binary @-"), "{piped}");
    }
}

#[test]
fn what_was_odd_about_a_request_is_odd_in_its_command() {
    let mut odd = capture(b"{}");
    odd.connection.secure = true;
    let Arrival::Request(request) = &mut odd.arrival else { unreachable!() };
    request.connection.secure = true;
    request.headers.remove("content-type");
    request.headers.insert("accept", "text/odd".parse().unwrap());
    request.target = "/a/../{b}".to_owned();
    let words = words(&curl(&odd, "127.0.0.1:1").unwrap());
    for wanted in
        ["--globoff", "--path-as-is", "https://127.0.0.1:1/a/../{b}", "Content-Type:", "accept: text/odd"]
    {
        assert!(words.iter().any(|word| word == wanted), "{wanted}: {words:?}");
    }
    let Arrival::Request(request) = &mut odd.arrival else { unreachable!() };
    request.body = Body::TooLarge { limit: 1 };
    assert!(curl(&odd, "127.0.0.1:1").unwrap().ends_with("# its body did not come whole"));
    let Arrival::Request(request) = &mut odd.arrival else { unreachable!() };
    (request.method, request.version, request.target) = (Method::HEAD, Version::HTTP_2, "*".to_owned());
    request.body = Body::Whole(bytes::Bytes::new());
    for (name, value) in
        [("host", "other.example"), ("content-length", "0"), ("transfer-encoding", "chunked")]
    {
        request.headers.insert(name, value.parse().unwrap());
    }
    let words = self::words(&curl(&odd, "127.0.0.1:1").unwrap());
    for wanted in [
        "--head",
        "--http2",
        "--request-target",
        "*",
        "https://127.0.0.1:1/",
        "host: other.example",
        "transfer-encoding: chunked",
        "--data-raw",
        "",
    ] {
        assert!(words.iter().any(|word| word == wanted), "{wanted}: {words:?}");
    }
}

#[test]
fn har_has_what_its_readers_want() {
    let har = har([&capture(b"{}")], "127.0.0.1:1");
    let entry = &har["log"]["entries"][0];
    assert_eq!(entry["request"]["url"], "http://127.0.0.1:1/hook?a=b&c");
    assert_eq!(entry["request"]["queryString"][0], json!({ "name": "a", "value": "b" }));
    assert_eq!(entry["request"]["postData"]["text"], "{}");
    assert_eq!(entry["startedDateTime"], "1970-01-01T00:00:00Z");
    assert!(!har.to_string().contains("dTpw"));
}
