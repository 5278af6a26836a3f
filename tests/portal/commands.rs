//! What can be done on a page, by command.

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::log_in;
use crate::server::Server;

const TOKEN: &str = "0123456789abcdef";

/// Runs the program against a server; gives its exit code and all that it says.
async fn run_at(server: &Server, arguments: &str, token: &str, input: &str) -> (i32, String) {
    let mut arguments: Vec<&str> = arguments.split(' ').collect();
    let (_kept, token) = kept(token);
    arguments.extend(["--server", server.url.trim_end_matches('/'), "--token", &token]);
    let (code, out, err) = crate::program::run(&arguments, input).await;
    (code, format!("{out}{err}"))
}

/// A secret in a file of its own, as a flag names it.
fn kept(secret: &str) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, secret).unwrap();
    let named = format!("file:{}", file.path().display());
    (file, named)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_and_a_policy_are_added_and_replaced() {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&receiver).await;
    let server = Server::fresh(&["--allow-private", "--token", TOKEN]);
    let run = async |arguments: &str| run_at(&server, arguments, TOKEN, "").await;
    let url = receiver.uri();
    let (_kept, password) = kept("s3cret");
    let add = format!(
        "integrations add siem --url {url} --headers X-Api-Key:hidden --username u --password {password} --rename id=event_id --constant n=1"
    );
    assert_eq!(run(&add).await, (0, "siem is in force\n".to_owned()));
    let (code, said) = run(&add).await;
    assert!(code == 2 && said.contains("there is an integration \"siem\" already"), "{said}");
    let (code, said) = run("integrations add siem --url nowhere --replace").await;
    assert!(code == 2 && said.contains("url: "), "{said}");
    assert_eq!(run(&format!("{add} --replace")).await.0, 0);
    let policy = "policies add grave --integration siem --severity medium --severity high --alert-type start";
    assert_eq!(run(policy).await, (0, "grave is in force\n".to_owned()));
    assert_eq!(run(policy).await.0, 2);
    assert_eq!(run(&format!("{policy} --replace")).await.0, 0);
    assert!(run("policies add odd --severity grave").await.1.contains("none of all, low, medium, high"));
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_tokens_are_made_known_and_unknown() {
    let server = Server::fresh(&["--token", TOKEN]);
    let run =
        async |arguments: &str, token: &str, input: &str| run_at(&server, arguments, token, input).await;
    let url = "http://203.0.113.1/";
    assert_eq!(
        run(&format!("integrations add siem --url {url}"), TOKEN, "").await.0,
        2,
        "it is no public address"
    );
    assert_eq!(run("integrations add siem --url https://siem.example/", TOKEN, "").await.0, 0);
    assert_eq!(run("people add ann", TOKEN, "correct horse\n").await, (0, "ann can log in\n".to_owned()));
    assert_eq!(log_in(&server, "correct horse").status, 303);
    assert_eq!(run("people password ann", TOKEN, "correct donkey").await.0, 0);
    assert_eq!(
        (log_in(&server, "correct horse").status, log_in(&server, "correct donkey").status),
        (403, 303)
    );
    let (code, said) = run("people add bob", TOKEN, "short\n").await;
    assert!(code == 2 && said.contains("password: it is shorter than 12 characters"), "{said}");
    let (code, said) = run("people remove ann", TOKEN, "").await;
    assert!(code == 2 && said.contains("the last one who can log in"), "{said}");
    assert!(run("people list", TOKEN, "").await.1.contains("ann"));

    let (code, made) = run("tokens add ci", TOKEN, "").await;
    let made = made.trim().to_owned();
    assert!(code == 0 && made.starts_with("fwt_") && made.len() == 47, "{made}");
    assert_eq!(run("status", &made, "").await.0, 0);
    let (_, said) = run("tokens list", &made, "").await;
    assert!(said.contains("ci") && said.contains("the token") && !said.contains(&made), "{said}");
    assert_eq!(run("integrations pause siem", &made, "").await.0, 0);
    assert_eq!(run("integrations resume siem", &made, "").await.0, 0);
    let (_, audit) = run("audit", &made, "").await;
    for line in [
        "token ci",
        "integration paused",
        "integration resumed",
        "token added",
        "person added",
        "password changed",
    ] {
        assert!(audit.contains(line), "{line}: {audit}");
    }
    assert!(!audit.contains("s3cret") && !audit.contains(&made), "{audit}");
    assert_eq!(run("tokens remove ci", TOKEN, "").await.0, 0);
    assert_eq!(run("status", &made, "").await.0, 2, "it is good for nothing any more");
}
