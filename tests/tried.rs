//! A form is shown as a request, and tried out, before it is kept.

use receiver::MockReceiver;
use serde_json::{Value, json};

use crate::server::Server;

fn form(url: &str) -> Value {
    json!({
        "name": "new one",
        "url": url,
        "username": "u",
        "password": "s3cret",
        "headers": "X-Netography: Webhook, X-Api-Key: hidden",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_shown_as_the_request_that_it_makes_without_its_secrets() {
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    let mut renaming = form("http://127.0.0.1:9/hook?a=b");
    renaming["field_names"] = json!({ "id": "event_id" });
    let (status, shown) = server.ask("POST", "v1/preview", Some(&json!({ "form": renaming })));
    let request = &shown["request"];
    assert_eq!((status, &request["url"]), (200, &json!("http://127.0.0.1:9/hook?a=b")), "{shown}");
    let line = |name: &str| {
        let lines = request["headers"].as_array().unwrap().iter();
        lines.filter(|line| line[0] == name).map(|line| line[1].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(
        (line("Authorization"), line("X-Api-Key"), line("X-Netography"), line("Host")),
        (vec!["***"], vec!["***"], vec!["Webhook"], vec!["127.0.0.1:9"])
    );
    let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    assert!(body["event_id"].is_string() && body.get("id").is_none());
    assert!(!shown.to_string().contains("hidden") && !shown.to_string().contains("s3cret"));

    let own = json!({ "form": renaming, "update": { "id": "mine", "alerttype": "end" } });
    let (_, shown) = server.ask("POST", "v1/preview", Some(&own));
    assert_eq!(shown["request"]["body"], r#"{"alerttype":"end","event_id":"mine"}"#, "as it was given");
    assert!(!shown["findings"].as_array().unwrap().is_empty(), "it lacks fields: {shown}");

    let mut wrong = form("nowhere");
    wrong["headers"] = json!("X-A: b, oops");
    let (status, told) = server.ask("POST", "v1/preview", Some(&json!({ "form": wrong })));
    let told: Vec<_> = told["findings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(status, 400);
    assert!(
        ["url: ", "headers: "].iter().all(|field| told.iter().any(|told| told.starts_with(field))),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_tells_all_of_the_answer_and_what_to_do_and_keeps_nothing() {
    let receiver =
        MockReceiver::builder().credentials("u", "s3cret").require_header("X-Api-Key: hidden").unwrap();
    let receiver = receiver.start().await.unwrap();
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    let right = form(&receiver.url());
    let (status, told) = server.ask("POST", "v1/test", Some(&json!({ "form": right })));
    assert_eq!((status, &told["delivered"], &told["advice"]), (200, &json!(true), &Value::Null), "{told}");
    assert_eq!(told["connection"]["address"], receiver.address().to_string());
    assert_eq!((&told["connection"]["http"], &told["connection"]["tls"]), (&json!("HTTP/1.1"), &Value::Null));
    assert_eq!((&told["response"]["status"], &told["response"]["truncated"]), (&json!(200), &json!(false)));
    let timing = |name: &str| told["timings"][name].as_f64().unwrap();
    assert!(timing("connected") <= timing("first_byte") && timing("first_byte") <= timing("total"));

    let mut wrong = right.clone();
    wrong["password"] = json!("wrong");
    let (status, told) = server.ask("POST", "v1/test", Some(&json!({ "form": wrong })));
    assert_eq!((status, &told["delivered"], &told["response"]["status"]), (200, &json!(false), &json!(401)));
    assert_eq!(told["advice"], "the receiver wants other credentials");
    let challenge = told["response"]["headers"].as_array().unwrap();
    assert!(challenge.iter().any(|line| line[0] == "www-authenticate"), "{told}");

    let (_, told) = server.ask(
        "POST",
        "v1/test",
        Some(&json!({ "form": form(&receiver.url().replace("http", "https")) })),
    );
    assert!(told["word"] == "tls" && told["outcome"].as_str().unwrap().contains("not speak TLS"), "{told}");
    let (_, list) = server.get("v1/integrations");
    assert_eq!(list["integrations"].as_array().unwrap().len(), 1, "nothing of it is kept");

    // One that is kept is tried with the secrets that it has, whatever else is changed.
    let (_, added) = server.ask("POST", "v1/integrations", Some(&right));
    let mut shown = added["form"].clone();
    shown["headers"] = json!("X-Api-Key: ***, X-More: yes");
    let (_, told) = server.ask("POST", "v1/test", Some(&json!({ "id": added["id"], "form": shown })));
    assert_eq!(told["delivered"], true, "{told}");
    let (status, told) = server.ask("POST", "v1/test", Some(&json!({ "form": shown })));
    assert!(status == 400 && told["findings"][0].as_str().unwrap().contains("***"), "{told}");
    let (status, _) = server.ask("POST", "v1/test", Some(&json!({ "id": "none", "form": right })));
    assert_eq!(status, 404);
}

/// However an address of this machine is spelled, a server that was not told to allow it connects to nothing there: not for a try,
/// and not for an integration that is saved.
#[tokio::test(flavor = "multi_thread")]
async fn the_guard_holds_for_a_try_too_however_an_address_is_spelled() {
    let receiver = MockReceiver::start().await.unwrap();
    let port = receiver.address().port();
    let server = Server::fresh(&[]);
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "%31%32%37.0.0.1",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
        "\u{2460}\u{2461}\u{2466}.0.0.1",
        "127\u{3002}0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%25eth0]",
        "siem.example@127.0.0.1",
        "\\127.0.0.1",
        "127.0.\t0.1",
    ] {
        let form = form(&format!("http://{host}:{port}/"));
        for (path, body) in [("v1/test", json!({ "form": form })), ("v1/integrations", form.clone())] {
            let (status, told) = server.ask("POST", path, Some(&body));
            let why = told.to_string();
            assert!(status == 400 && why.contains("url: "), "{host}: {path}: {status} {why}");
        }
    }
    // What a name leads to is known only when it is connected to.
    let named = form(&format!("http://localhost:{port}/"));
    let (status, told) = server.ask("POST", "v1/test", Some(&json!({ "form": named })));
    assert!(status == 200 && told["outcome"].as_str().unwrap().contains("is loopback"), "{told}");
    assert_eq!(receiver.counts().received, 0);
    let mut allowed = named;
    allowed["allow"] = json!(["127.0.0.0/8", "::1"]);
    let (_, told) = server.ask("POST", "v1/test", Some(&json!({ "form": allowed })));
    assert_eq!(told["delivered"], true, "{told}");
}
