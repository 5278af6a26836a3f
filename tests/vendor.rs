//! What is configured by API: the vendor's own routes, ours beside them, and what outlives the server.

use receiver::MockReceiver;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::harness::{LIMIT, update};
use crate::server::Server;

const INTEGRATIONS: &str = "api/v1/integrations/response";
const JSON: (&str, &str) = ("content-type", "application/json");

fn webhook(url: &str) -> Value {
    json!({
        "adapter": "webhook",
        "name": "my siem",
        "description": "what the night shift looks at",
        "config": {
            "url": url,
            "authusername": "u",
            "authpassword": "s3cret",
            "headers": "X-Netography: Webhook, X-Api-Key: hidden",
            "skipsslverification": false,
        },
    })
}

fn body(kind: &str, count: u32) -> String {
    String::from_utf8(update(kind, count).as_bytes().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_for_the_vendor_s_api_adds_a_webhook_and_a_policy_and_they_work() {
    let receiver =
        MockReceiver::builder().credentials("u", "s3cret").require_header("X-Api-Key: hidden").unwrap();
    let receiver = receiver.start().await.unwrap();
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    server.configure("");
    server.until("v1/integrations", |list| list["integrations"].as_array().is_some_and(Vec::is_empty)).await;

    let wanted = webhook(&receiver.url());
    let (status, tested) = server.ask("POST", &format!("{INTEGRATIONS}/test"), Some(&wanted));
    assert_eq!(
        (status, &tested["meta"]["code"], &tested["data"][0]["delivered"]),
        (201, &json!(201), &json!(true)),
        "{tested}"
    );
    receiver.clear();
    let (status, added) = server.ask("POST", INTEGRATIONS, Some(&wanted));
    assert_eq!((status, &added["meta"]), (201, &json!({ "code": 201, "count": 1 })), "{added}");
    let shown = added["data"][0].clone();
    let id = shown["id"].as_str().unwrap().to_owned();
    assert_eq!(shown["config"]["headers"], "X-Netography: Webhook, X-Api-Key: ***");
    assert!(shown["config"].get("authpassword").is_none() && !added.to_string().contains("hidden"));

    let rule = json!({ "name": "grave", "config": { "severities": ["medium", "high"] }, "plugins": [id] });
    let (status, added) = server.ask("POST", "api/v1/rule-engine/rule", Some(&rule));
    assert_eq!((status, &added["data"][0]["plugins"][0]["name"]), (201, &json!("my siem")), "{added}");
    let policy = added["data"][0].clone();
    let rule = format!("api/v1/rule-engine/rule/{}", policy["id"].as_str().unwrap());

    assert_eq!(server.post(&body("start", 1), &[JSON]).1["deliveries"], 1);
    let came = receiver
        .expect(1)
        .event("00edee24-bc66-4b37-803c-123456789012")
        .verified()
        .header("x-netography", "Webhook")
        .within(LIMIT);
    came.await.unwrap();
    let list = server.until("v1/deliveries?state=delivered", |list| list["deliveries"][0].is_object()).await;
    assert_eq!(list["deliveries"][0]["delivery"], "my siem/1", "it is known by its name");

    // What was read can be sent back, changed: secrets stay, and so does what the vendor has no words for.
    let (status, _) = server.ask("PUT", &format!("v1/integrations/{id}"), Some(&json!({
        "name": "my siem", "url": receiver.url(), "username": "u", "headers": "X-Api-Key: ***", "field_names": { "name": "title" },
    })));
    assert_eq!(status, 200);
    let mut changed = shown;
    changed["config"]["headers"] = json!({ "X-Api-Key": "***", "X-New": "a, b" });
    let (status, answer) = server.ask("PUT", &format!("{INTEGRATIONS}/{id}"), Some(&changed));
    assert_eq!(
        (status, &answer["data"][0]["config"]["headers"]),
        (200, &json!("X-Api-Key: ***, X-New: a\\, b")),
        "{answer}"
    );
    assert_eq!(server.get(&format!("v1/integrations/{id}")).1["form"]["field_names"]["name"], "title");
    server.post(&body("ongoing", 2), &[JSON]);
    receiver.expect(1).alerttype("ongoing").status(200).header("x-new", "a, b").within(LIMIT).await.unwrap();

    ends(&server, &id, &rule, &policy);
}

/// Takes away again what was added.
fn ends(server: &Server, id: &str, rule: &str, policy: &Value) {
    assert_eq!(server.ask("PUT", &format!("{rule}/disable"), None).1["data"][0]["enabled"], false);
    assert_eq!(server.post(&body("end", 3), &[JSON]).1["result"], "unmatched");
    assert_eq!(
        server.ask("PUT", rule, Some(policy)).1["data"][0]["enabled"],
        true,
        "the read form was enabled"
    );
    let (status, refused) = server.ask("DELETE", &format!("{INTEGRATIONS}/{id}"), None);
    assert_eq!((status, &refused["name"]), (409, &json!("Conflict")), "{refused}");
    assert_eq!(server.ask("DELETE", rule, None), (204, json!("")));
    assert_eq!(server.ask("DELETE", &format!("{INTEGRATIONS}/{id}"), None), (204, json!("")));
    assert_eq!(server.get(INTEGRATIONS).1, json!({ "meta": { "code": 200, "count": 0 }, "data": [] }));
    let (_, list) = server.get("v1/deliveries?limit=1");
    assert_eq!(list["deliveries"][0]["integration"], "my siem", "it is still named when it is gone");

    let (_, audit) = server.get("v1/audit");
    let what: Vec<_> =
        audit["entries"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        [
            "integration removed",
            "policy removed",
            "policy changed",
            "policy disabled",
            "integration changed",
            "integration changed",
            "policy added",
            "integration added"
        ]
    );
    assert!(!audit.to_string().contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_in_the_vendor_s_words() {
    let server = Server::start("http://127.0.0.1:9/", &["--token", "0123456789abcdef"]);
    let (status, refused) = server.get(INTEGRATIONS);
    assert_eq!(
        (status, refused["status"].clone(), &refused["name"]),
        (401, json!(401), &json!("Unauthorized"))
    );
    drop(server);
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    let good = webhook("http://127.0.0.1:9/");
    let changed = |path: &[&str], value: Value| {
        let mut changed = good.clone();
        let place = path.iter().fold(&mut changed, |place, name| &mut place[*name]);
        *place = value;
        changed
    };
    for (wrong, told) in [
        (changed(&["config", "url"], json!("nowhere")), "url: "),
        (changed(&["config", "headers"], json!("X-A: b, oops")), "headers: "),
        (changed(&["config", "unheard"], json!(1)), "unknown field `unheard`"),
        (changed(&["adapter"], json!("slack")), "adapter: \"slack\" is none of webhook"),
        (changed(&["name"], json!("siem")), "there is an integration \"siem\" already"),
        (changed(&["description"], Value::Null), "description"),
        (json!([]), "expected struct"),
    ] {
        let (status, refused) = server.ask("POST", INTEGRATIONS, Some(&wrong));
        let message = refused["message"].as_str().unwrap_or_default();
        assert!(status == 400 && refused["status"] == 400 && message.contains(told), "{told}: {refused}");
        assert!(!message.contains("s3cret"), "{message}");
    }
    for (method, path, status) in [
        ("GET", format!("{INTEGRATIONS}/none"), 404),
        ("PUT", format!("{INTEGRATIONS}/siem"), 403),
        ("DELETE", "api/v1/rule-engine/rule/none".to_owned(), 404),
        ("GET", "api/v1/none".to_owned(), 404),
        ("PATCH", INTEGRATIONS.to_owned(), 405),
    ] {
        let (answered, refused) = server.ask(method, &path, Some(&good));
        assert_eq!((answered, &refused["status"]), (status, &json!(status)), "{method} {path}: {refused}");
    }
    let (status, failed) = server.ask("POST", &format!("{INTEGRATIONS}/test"), Some(&good));
    assert!(status == 400 && failed["message"].as_str().unwrap().contains("connection refused"), "{failed}");
    let (_, file) = server.get(INTEGRATIONS);
    assert_eq!(file["data"][0]["id"], "siem", "what the file holds is listed too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_configured_outlives_the_server_and_no_backlog_is_lost_when_it_is_no_longer_right() {
    let mut server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    let (_, added) = server.ask("POST", INTEGRATIONS, Some(&webhook("http://127.0.0.1:9/")));
    let id = added["data"][0]["id"].as_str().unwrap().to_owned();
    server.ask("POST", "api/v1/rule-engine/rule", Some(&json!({ "name": "all", "plugins": [id] })));
    assert_eq!(server.post(&body("start", 1), &[JSON]).1["deliveries"], 2);
    server.kill_and_restart();
    assert_eq!(server.get(&format!("v1/integrations/{id}")).1["form"]["name"], "my siem");

    // A server that may connect to public addresses only: the integration is wrong now, and what waits for it waits.
    server.flags.clear();
    server.kill_and_restart();
    let (_, list) = server.get("v1/integrations");
    let wrong = list["integrations"].as_array().unwrap().iter().find(|one| one["id"] == *id).unwrap().clone();
    assert!(wrong["mistakes"][0].as_str().unwrap().starts_with("url: "), "{wrong}");
    let (_, waits) = server.get("v1/deliveries/my%20siem/1");
    assert_eq!(waits["state"], "pending", "{waits}");
    assert_eq!(server.get(&format!("v1/integrations/{id}")).1["mistakes"], wrong["mistakes"]);
    assert_eq!(
        server.post(&body("ongoing", 2), &[JSON]).1["deliveries"],
        2,
        "what comes meanwhile waits too"
    );
    let (_, waits) = server.get("v1/deliveries?integration=my%20siem&state=pending");
    assert_eq!(waits["deliveries"].as_array().unwrap().len(), 2, "{waits}");

    let key = server.folder.path().join("data/key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&key.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    server.signal("-KILL");
    server.child.wait().unwrap();
    std::fs::write(&key, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n").unwrap();
    let refused = std::process::Command::new(crate::server::PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--data", "data"])
        .current_dir(server.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(
        refused.status.code() == Some(3) && told.contains("cannot be opened") && told.contains("--key-file"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_configured_goes_out_as_a_file_and_comes_in_from_one() {
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    let folder = server.folder.path().to_path_buf();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(crate::server::PROGRAM)
            .args(arguments)
            .current_dir(&folder)
            .env("FUSION_WEBHOOK_SERVER", &server.url)
            .env("SIEM_PASSWORD", "s3cret")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let file = "[integrations.other]\nurl = \"http://127.0.0.1:9/\"\nusername = \"u\"\npassword = { env = \"SIEM_PASSWORD\" }\nheaders = \"X-Api-Key: hidden\"\n[integrations.other.field_names]\nid = \"event_id\"\n[integrations.other.retry]\ndelays = [\"5s\"]\n[[policies]]\nname = \"grave\"\nseverities = [\"high\"]\nintegrations = [\"other\"]\n";
    std::fs::write(folder.join("more.toml"), file).unwrap();
    let (code, printed, errors) = block_in_place(|| run(&["integrations", "import", "more.toml"]));
    assert_eq!((code, printed.matches('✓').count()), (0, 2), "{printed}{errors}");
    let (code, printed, _) = block_in_place(|| run(&["integrations", "import", "more.toml"]));
    assert!(code == 1 && printed.contains("✗ integration other") && printed.contains("already"), "{printed}");
    assert!(printed.contains("✗ policy grave"), "a policy is not doubled: {printed}");
    let (code, shut, _) = run(&["integrations", "export", "--data", "data"]);
    assert!(code == 0 && !shut.contains("s3cret") && shut.contains("X-Api-Key: ***"), "{shut}");
    let (code, open, _) = run(&["integrations", "export", "--data", "data", "--with-secrets"]);
    assert!(
        code == 0 && open.contains("password = \"s3cret\"") && open.contains("X-Api-Key: hidden"),
        "{open}"
    );
    std::fs::write(folder.join("exported.toml"), &open).unwrap();
    let (code, _, errors) = run(&["check", "--allow-private", "--config", "exported.toml"]);
    assert_eq!(code, 0, "what is exported is a configuration: {errors}\n{open}");
    let (code, printed, _) =
        block_in_place(|| run(&["integrations", "import", "exported.toml", "--replace"]));
    assert_eq!(code, 0, "{printed}");
    let (_, again, _) = run(&["integrations", "export", "--data", "data", "--with-secrets"]);
    assert!(again.matches("[integrations.other]").count() == 1, "{again}");
    policies_by_command(|arguments| block_in_place(|| run(arguments)));
    let (code, _, errors) = block_in_place(|| run(&["integrations", "remove", "siem"]));
    assert!(code == 2 && errors.contains("in the file"), "{errors}");
    let (code, _, errors) = run(&["integrations", "export", "--data", "nowhere"]);
    assert!(code == 2 && errors.contains("there is no store in it"), "{errors}");
}

fn policies_by_command(run: impl Fn(&[&str]) -> (i32, String, String)) {
    assert_eq!(run(&["policies", "disable", "grave"]).0, 0);
    let (_, printed, _) = run(&["policies", "list"]);
    let line = printed.lines().find(|line| line.starts_with("grave")).unwrap();
    assert!(["disabled", "any", "high", "other"].iter().all(|part| line.contains(part)), "{printed}");
    assert_eq!(run(&["policies", "enable", "grave"]).0, 0);
    assert_eq!(run(&["policies", "remove", "grave"]).1, "grave is removed\n");
    let (code, _, errors) = run(&["policies", "remove", "grave"]);
    assert!(code == 2 && errors.contains("there is no policy \"grave\""), "{errors}");
    let (_, printed, _) = run(&["audit", "--limit", "1"]);
    assert!(printed.contains("policy removed") && printed.lines().count() == 2, "{printed}");
}
