//! Markup in whatever can be filled in, sent or answered.

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{FORM, PAGES, ask, form};
use crate::harness::update;
use crate::server::Server;

const MARKUP: &str = "\"'><img src=x onerror=alert(1)>";

/// A name that an HTTP field can have, and markup.
fn integration(url: &str) -> Value {
    json!({
        "name": format!("name{MARKUP}").replace('/', ""), "description": MARKUP, "url": url, "username": MARKUP,
        "headers": { "X-Markup": MARKUP }, "field_names": { "name": MARKUP }, "constants": { format!("more{MARKUP}"): MARKUP },
        "content_type": "text/html;<script>",
    })
}

/// Configures and sends markup; gives the ids of an integration and a policy.
async fn filled(server: &Server, receiver: &MockServer) -> (String, String) {
    let mut wanted = integration(&format!("{}/?q=%3Cimg", receiver.uri()));
    wanted["retry"] = json!({ "delays": [] });
    let (status, added) = server.ask("POST", "v1/integrations", Some(&wanted));
    assert_eq!(status, 201, "{added}");
    let id = added["id"].as_str().unwrap().to_owned();
    let rule =
        json!({ "name": MARKUP, "description": MARKUP, "config": { "algorithms": [] }, "plugins": [id] });
    assert_eq!(server.ask("POST", "api/v1/rule-engine/rule", Some(&rule)).0, 201);
    let odd = json!({ "name": MARKUP, "config": { "algorithms": [MARKUP], "categories": [MARKUP] } });
    let (_, odd) = server.ask("POST", "api/v1/rule-engine/rule", Some(&odd));
    let odd = odd["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(server.ask("POST", "v1/tokens", Some(&json!({ "name": MARKUP }))).0, 201);
    let body = String::from_utf8(update("start", 1).as_bytes().to_vec()).unwrap();
    let event = MARKUP.replace('"', "");
    let body =
        body.replace("00edee24-bc66-4b37-803c-123456789012", &event).replace("Knownbotnet", "<img src=x>");
    assert_eq!(server.post(&body, &[("content-type", "application/json")]).1["deliveries"], 1);
    server.until("v1/deliveries?state=dead", |list| list["deliveries"][0].is_object()).await;
    (id, odd)
}

/// The id of an event, with markup.
fn event() -> String {
    MARKUP.replace('"', "")
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_every_field_is_shown_as_text() {
    let receiver = MockServer::start().await;
    let answer = ResponseTemplate::new(400).insert_header("x-markup", MARKUP).set_body_string(MARKUP);
    Mock::given(any()).respond_with(answer).mount(&receiver).await;
    let server = Server::fresh(&["--allow-private"]);
    let (id, odd) = filled(&server, &receiver).await;

    let quoted = form(&[("q", MARKUP)]).replace("q=", "");
    let page = ask(&server, "GET /settings/add-integration/webhook", &[], "");
    let mut fields: Vec<_> = [
        "name",
        "description",
        "url",
        "headers",
        "username",
        "content_type",
        "constants",
        "delays",
        "allow",
        "ca",
        "name:id",
        "concurrency",
        "attempt_timeout",
    ]
    .iter()
    .map(|name| (*name, MARKUP))
    .collect();
    fields.extend([("csrf", page.confirmation()), ("act", "look")]);
    let looked = ask(&server, "POST /settings/add-integration/webhook", &[FORM], &form(&fields));
    assert_eq!(looked.status, 200);
    let test = form(&[("csrf", page.confirmation()), ("act", "try"), ("url", &receiver.uri())]);
    let tried = ask(&server, "POST /settings/add-integration/webhook", &[FORM], &test);
    assert!(tried.body.contains("400 Bad Request") && tried.body.contains("x-markup"), "{}", tried.body);
    let event = form(&[("id", &event())]);
    let mut shown: Vec<_> = PAGES.iter().map(|page| (*page).to_owned()).collect();
    shown.extend([
        format!("/settings/integrations/{id}"),
        format!("/settings/policies/{odd}"),
        format!("/deliveries/{id}/1"),
        format!("/event?{event}"),
        format!("/deliveries?integration={quoted}&event={quoted}&state={quoted}&since={quoted}"),
        format!("/deliveries?event={quoted}&alerttype={quoted}"),
        format!("/settings/changes?before={quoted}&done={quoted}"),
        format!("/settings/integrations/{quoted}"),
        format!("/login?to={quoted}"),
    ]);
    let pages = shown.iter().map(|path| (path.as_str(), ask(&server, &format!("GET {path}"), &[], "")));
    for (path, answer) in pages.chain([("look", looked), ("try", tried)]) {
        assert!(answer.status < 500, "{path}: {}", answer.status);
        for sign in ["<img", "onerror=alert(1)>", "<script>"] {
            assert!(!answer.body.contains(sign), "{path}: {}", answer.body);
        }
    }
}
