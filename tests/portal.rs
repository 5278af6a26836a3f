//! The portal as somebody else would abuse it: pages of other sites, other names of this machine, no login, markup in every
//! field, and whoever looks for secrets.

mod commands;
mod forms;
mod markup;
mod secrets;

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;
use tokio::task::block_in_place;

use crate::server::Server;

/// An answer: its status, its head, its body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.to_ascii_lowercase().starts_with(&format!("{name}: "));
        self.head.lines().find(named).map(|line| &line[name.len() + 2..])
    }

    /// The word that the page's forms repeat.
    fn confirmation(&self) -> &str {
        let (_, rest) = self.body.split_once("name=\"csrf\" value=\"").expect("the page has a form");
        rest.split_once('"').unwrap().0
    }
}

/// Asks over a connection of its own, with exactly these header lines.
fn ask(server: &Server, request: &str, lines: &[&str], body: &str) -> Answer {
    block_in_place(|| {
        let address = server.url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        let mut text =
            format!("{request} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !lines.iter().any(|line| line.starts_with("Host:")) {
            text.push_str(&format!("Host: {address}\r\n"));
        }
        lines.iter().for_each(|line| text.push_str(&format!("{line}\r\n")));
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    })
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// Every page that shows something.
const PAGES: [&str; 12] = [
    "/",
    "/deliveries",
    "/dead",
    "/event?id=x",
    "/nowhere",
    "/settings/integrations",
    "/settings/add-integration",
    "/settings/add-integration/webhook",
    "/settings/policies",
    "/settings/add-policy",
    "/settings/access",
    "/settings/changes",
];

/// Makes somebody known who can log in, logs them in, and gives the line of their cookie.
fn logged_in(server: &Server) -> String {
    let person = json!({ "name": "ann", "password": "correct horse" });
    assert_eq!(server.ask("POST", "v1/people", Some(&person)).0, 201);
    let answer = log_in(server, "correct horse");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

fn log_in(server: &Server, password: &str) -> Answer {
    ask(server, "POST /login", &[FORM], &form(&[("name", "ann"), ("password", password)]))
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_and_other_names_of_this_machine_get_nothing() {
    let server = Server::fresh(&[]);
    let own = format!("Origin: {}", server.url.trim_end_matches('/'));
    let page = ask(&server, "GET /settings/access", &[], "");
    let csrf = page.confirmation().to_owned();
    let token = form(&[("csrf", &csrf), ("act", "add-token"), ("name", "x")]);
    let unconfirmed = form(&[("act", "add-token"), ("name", "x")]);
    let wrong = form(&[("csrf", "x"), ("act", "add-token"), ("name", "x")]);
    let post = "POST /settings/access";
    for (request, lines, body, status) in [
        ("GET /", &["Host: evil.example"][..], "", 421),
        ("GET /v1/status", &["Host: evil.example"], "", 421),
        ("GET /", &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"], "", 403),
        ("GET /", &["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"], "", 200),
        (post, &[FORM, "Origin: https://evil.example"], &token, 403),
        (post, &[FORM, "Origin: http://localhost:3000"], &token, 403),
        (post, &[FORM, "Origin: null"], &token, 403),
        (post, &[FORM, &own], &unconfirmed, 403),
        (post, &[FORM, &own], &wrong, 403),
        (
            "POST /v1/tokens",
            &["Origin: https://evil.example", "Content-Type: application/json"],
            "{\"name\":\"x\"}",
            403,
        ),
        (post, &[FORM, &own], &token, 200),
    ] {
        assert_eq!(ask(&server, request, lines, body).status, status, "{request} {lines:?}");
    }

    let cookie = logged_in(&server);
    let page = ask(&server, "GET /settings/access", &[&cookie], "");
    let token = form(&[("csrf", page.confirmation()), ("act", "add-token"), ("name", "y")]);
    let json = ["Content-Type: application/json", &cookie];
    let confirmed = format!("X-CSRF-Token: {}", page.confirmation());
    for (request, lines, body, status) in [
        (post, &[FORM, &cookie, "Origin: https://evil.example"][..], &*token, 403),
        ("GET /", &[&cookie, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors"], "", 403),
        (post, &[FORM, &cookie, &own], &form(&[("csrf", &csrf), ("act", "add-token"), ("name", "y")]), 403),
        ("POST /v1/tokens", &json, "{\"name\":\"z\"}", 403),
        ("POST /v1/tokens", &[json[0], &cookie, &confirmed], "{\"name\":\"z\"}", 201),
        ("GET /v1/tokens", &[&cookie], "", 200),
        ("POST /logout", &[FORM, &cookie], "", 403),
        (post, &[FORM, &cookie, &own], &token, 200),
    ] {
        assert_eq!(ask(&server, request, lines, body).status, status, "{request} {lines:?}");
    }
    let lost = ask(&server, "GET /astray", &["Accept: text/html"], "");
    assert!(lost.status == 404 && lost.body.contains("there is no such page"), "{}", lost.body);
    assert!(lost.header("content-security-policy").is_some());
    assert!(ask(&server, "GET /astray", &[], "").body.starts_with('{'));
    let page = ask(&server, "GET /", &[&cookie], "");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && page.header("cache-control") == Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_sees_nothing() {
    let server = Server::fresh(&["--token", "0123456789abcdef"]);
    for (line, to) in [("X-A: b", "/setup"), ("Authorization: Bearer 0123456789abcdeg", "/setup")] {
        for page in PAGES {
            let answer = ask(&server, &format!("GET {page}"), &[line], "");
            assert_eq!(
                (answer.status, answer.header("location"), &*answer.body),
                (303, Some(to), ""),
                "{page}"
            );
        }
        for path in
            ["/v1/status", "/v1/deliveries", "/v1/people", "/api/v1/integrations/response", "/metrics"]
        {
            assert_eq!(ask(&server, &format!("GET {path}"), &[line], "").status, 401, "{path}");
        }
    }
    let bearer = "Authorization: Bearer 0123456789abcdef";
    assert_eq!(ask(&server, "GET /", &[bearer], "").status, 200);
    let set_up = |token: &str, password: &str| {
        let body = form(&[("token", token), ("name", "ann"), ("password", password)]);
        ask(&server, "POST /setup", &[FORM], &body)
    };
    assert_eq!(set_up("0123456789abcdeg", "correct horse").status, 403);
    let short = set_up("0123456789abcdef", "short");
    assert!(short.status == 422 && short.body.contains("shorter than 12 characters"), "{}", short.body);
    assert_eq!(set_up("0123456789abcdef", "correct horse").header("location"), Some("/login?done=setup"));
    assert_eq!(set_up("0123456789abcdef", "correct horse").status, 403, "once");
    let answer = ask(&server, "GET /settings/access?x=1", &[], "");
    assert_eq!(answer.header("location"), Some("/login?to=%2Fsettings%2Faccess%3Fx%3D1"));
    for (to, goes) in [
        ("/settings/access", "/settings/access"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil", "/"),
        ("/\t/evil.example", "/"),
    ] {
        let body = form(&[("name", "ann"), ("password", "correct horse"), ("to", to)]);
        assert_eq!(ask(&server, "POST /login", &[FORM], &body).header("location"), Some(goes), "{to}");
    }
    for _ in 0..10 {
        assert_eq!(log_in(&server, "wrong horse").status, 403);
    }
    let late = log_in(&server, "correct horse");
    assert!(late.status == 429 && late.body.contains("too many tries"), "{}", late.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_this_machine_the_first_person_needs_the_token_that_was_printed() {
    let mut server = Server::fresh(&["--listen", "0.0.0.0:0"]);
    let token = server.way_in.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert!(
        server.way_in.contains("/setup and give this set-up token") && token.len() == 43,
        "{}",
        server.way_in
    );
    assert_eq!(server.get("v1/status").0, 401);
    assert_eq!(ask(&server, "GET /", &[], "").header("location"), Some("/setup"));
    let set_up = |server: &Server, token: &str| {
        let body = form(&[("token", token), ("name", "ann"), ("password", "correct horse")]);
        ask(server, "POST /setup", &[FORM], &body).status
    };
    assert_eq!((set_up(&server, "x"), set_up(&server, ""), set_up(&server, &token)), (403, 403, 303));
    assert_eq!(log_in(&server, "correct horse").status, 303);
    server.kill_and_restart();
    assert!(server.way_in.ends_with("asks who you are\n"), "{}", server.way_in);
    assert_eq!(log_in(&server, "correct horse").status, 303, "people outlive the server");
    assert_eq!(set_up(&server, &token), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_body_comes_late_is_judged_when_it_is_there() {
    let server = Server::fresh(&[]);
    let address = server.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let body = "{\"name\":\"mallory\",\"password\":\"correct horse\"}";
    let mut late = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /v1/people HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    block_in_place(|| late.write_all(format!("{head}{}", &body[..9]).as_bytes()).unwrap());
    logged_in(&server);
    let answer = block_in_place(|| {
        late.write_all(&body.as_bytes()[9..]).unwrap();
        let mut answer = String::new();
        late.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let long = format!("name=ann&password={}", "x".repeat(9_000));
    assert_eq!(ask(&server, "POST /login", &[FORM], &long).status, 413);
}
