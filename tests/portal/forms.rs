//! What a form holds and what becomes of it.

use serde_json::json;

use super::{FORM, ask, form};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_keeps_an_integration_that_is_not_there_for_now() {
    let server = Server::start("http://127.0.0.1:9/", &[]);
    let rule = json!({ "name": "all", "plugins": ["siem"], "config": { "algorithms": ["a, b"] } });
    let (_, added) = server.ask("POST", "api/v1/rule-engine/rule", Some(&rule));
    let id = added["data"][0]["id"].as_str().unwrap().to_owned();
    server.configure("");
    server.until("v1/integrations", |list| list["integrations"] == json!([])).await;
    let page = ask(&server, &format!("GET /settings/policies/{id}"), &[], "");
    assert!(page.body.contains("value=\"siem\" checked> siem (gone)"), "{}", page.body);
    assert!(page.body.contains(">a, b</textarea>"), "a model's name may hold a comma: {}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_attempt_only_stays_one_attempt_only() {
    let server = Server::fresh(&[]);
    let wanted = json!({ "name": "siem", "url": "https://siem.example/", "retry": { "delays": [] }, "description": "two\nlines" });
    let (_, added) = server.ask("POST", "v1/integrations", Some(&wanted));
    let path = format!("/settings/integrations/{}", added["id"].as_str().unwrap());
    let page = ask(&server, &format!("GET {path}"), &[], "");
    assert!(
        page.body.contains("name=\"delays\" value=\"none\"") && page.body.contains(">two\nlines</textarea>")
    );
    let typed = [
        ("csrf", page.confirmation()),
        ("name", "siem"),
        ("url", "https://siem.example/"),
        ("delays", "none"),
    ];
    assert_eq!(ask(&server, &format!("POST {path}"), &[FORM], &form(&typed)).status, 303);
    let (_, kept) = server.get(&format!("v1{}", path.trim_start_matches("/settings")));
    assert_eq!(kept["form"]["retry"]["delays"], json!([]), "{kept}");
}
