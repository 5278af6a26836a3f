//! Secrets that somebody looks for in whatever the server answers.

use serde_json::json;

use super::{FORM, PAGES, ask, form};
use crate::harness::update;
use crate::server::Server;

/// Configures secrets and sends something with them; gives the id of the integration.
async fn filled(server: &Server) -> String {
    let wanted = json!({
        "name": "siem", "url": "http://127.0.0.1:9/", "username": "u", "password": "canary-password",
        "headers": "X-Api-Key: canary-key, X-Token: canary-token", "retry": { "delays": [] },
    });
    let (_, added) = server.ask("POST", "v1/integrations", Some(&wanted));
    let id = added["id"].as_str().unwrap().to_owned();
    server.ask("POST", "api/v1/rule-engine/rule", Some(&json!({ "name": "all", "plugins": [id] })));
    let body = String::from_utf8(update("start", 1).as_bytes().to_vec()).unwrap();
    server.post(&body, &[("content-type", "application/json")]);
    server.until("v1/deliveries?state=dead", |list| list["deliveries"][0].is_object()).await;
    server.ask("POST", "v1/people", Some(&json!({ "name": "bob", "password": "correct canary" })));
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_and_no_answer_holds_a_secret() {
    let server = Server::fresh(&["--allow-private"]);
    let id = filled(&server).await;
    let secrets = ["canary-password", "canary-key", "canary-token", "correct canary"];
    // Everybody has to log in by now.
    let answer =
        ask(&server, "POST /login", &[FORM], &form(&[("name", "bob"), ("password", "correct canary")]));
    let cookie = format!("Cookie: {}", answer.header("set-cookie").unwrap().split(';').next().unwrap());
    let mut pages: Vec<_> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    pages.extend([
        format!("/settings/integrations/{id}"),
        format!("/deliveries/{id}/1"),
        format!("/api/v1/integrations/response/{id}"),
        format!("/v1/integrations/{id}"),
        "/v1/status".to_owned(),
        "/v1/people".to_owned(),
        "/v1/tokens".to_owned(),
        "/v1/audit".to_owned(),
        "/metrics".to_owned(),
    ]);
    let path = format!("/settings/integrations/{id}");
    let page = ask(&server, &format!("GET {path}"), &[&cookie], "");
    let typed = |list: &str, act: &str| {
        form(&[
            ("csrf", page.confirmation()),
            ("act", act),
            ("name", ""),
            ("url", "http://127.0.0.1:9/"),
            ("username", "u"),
            ("password", "canary-password"),
            ("headers", list),
        ])
    };
    let mut answers = vec![];
    let asked =
        ask(&server, &format!("POST {path}"), &[FORM, &cookie], &typed("X-Token: canary-token", "look"));
    assert!(
        asked.body.contains("type it again") && asked.body.contains("write them again"),
        "{}",
        asked.body
    );
    let lines = [FORM, &cookie, "X-Live: 1"];
    let live = ask(&server, &format!("POST {path}"), &lines, &typed("X-Token: canary-token", "look"));
    assert!(!live.body.contains("type it again") && !live.body.contains("write them again"), "{}", live.body);
    for list in [
        "X-Api-Key: canary-key, oops",
        "Authorization canary-key",
        "X-Token: \"canary-token",
        "X-Token: canary-token",
    ] {
        for act in ["look", "try", "save"] {
            answers.push((
                list.to_owned(),
                ask(&server, &format!("POST {path}"), &[FORM, &cookie], &typed(list, act)),
            ));
        }
    }
    answers.extend(pages.into_iter().map(|path| {
        let answer = ask(&server, &format!("GET {path}"), &[&cookie], "");
        (path, answer)
    }));
    for (what, answer) in answers {
        assert!(answer.status < 500 && answer.status != 303, "{what}: {}", answer.status);
        for secret in secrets {
            assert!(!answer.body.contains(secret), "{what}: {}", answer.body);
        }
        assert!(!answer.body.contains("argon2"), "{what}: {}", answer.body);
    }
}
