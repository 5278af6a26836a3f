//! What is configured changes while things wait, names are used again, people hang up: nothing goes astray.

use std::io::Write;
use std::net::TcpStream;

use receiver::MockReceiver;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::harness::{LIMIT, update};
use crate::server::Server;

const JSON: (&str, &str) = ("content-type", "application/json");
const INTEGRATIONS: &str = "api/v1/integrations/response";
const RULES: &str = "api/v1/rule-engine/rule";

fn body(kind: &str, count: u32) -> String {
    String::from_utf8(update(kind, count).as_bytes().to_vec()).unwrap()
}

/// Adds an integration and a policy of the same name to it, and gives the ids of both.
fn add(server: &Server, form: &Value) -> (String, String) {
    let (status, added) = server.ask("POST", "v1/integrations", Some(form));
    assert_eq!(status, 201, "{added}");
    let id = added["id"].as_str().unwrap().to_owned();
    let (_, added) = server.ask("POST", RULES, Some(&json!({ "name": form["name"], "plugins": [id] })));
    (id, added["data"][0]["id"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_integration_left_behind_is_not_sent_to_another_of_its_name() {
    let receiver = MockReceiver::start().await.unwrap();
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    server.configure("");
    server.until("v1/integrations", |list| list["integrations"] == json!([])).await;
    let once = json!({ "name": "siem", "url": "http://127.0.0.1:9/", "retry": { "delays": [] } });
    let (id, policy) = add(&server, &once);
    server.post(&body("start", 1), &[JSON]);
    server.until("v1/deliveries?state=dead", |list| list["deliveries"][0]["delivery"] == "siem/1").await;
    server.ask("DELETE", &format!("{RULES}/{policy}"), None);
    assert_eq!(server.ask("DELETE", &format!("v1/integrations/{id}"), None).0, 204);

    add(&server, &json!({ "name": "siem", "url": receiver.url() }));
    assert_eq!(server.ask("POST", "v1/dead/resend", None).1["resent"], 0, "its integration is gone");
    let (status, told) = server.ask("POST", "v1/deliveries/siem/1/resend", None);
    assert_eq!(status, 404, "{told}");
    assert_eq!(server.post(&body("ongoing", 2), &[JSON]).1["deliveries"], 1);
    receiver.wait_for(1, LIMIT).await.unwrap();
    let (_, list) = server.get("v1/deliveries?integration=siem");
    assert_eq!(list["deliveries"].as_array().unwrap().len(), 1, "the name is the new one's: {list}");
    let (_, list) = server.get("v1/deliveries?state=dead");
    assert_eq!(list["deliveries"][0]["delivery"], format!("{id}/1"), "the old one's is told by its id");
    assert_eq!(server.get(&format!("v1/deliveries/{id}/1")).1["state"], "dead");
    server.until("v1/status", |status| status["backlog"] == 0).await;
    assert_eq!(receiver.counts().received, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_leaves_no_change_half_done() {
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    let address = server.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    block_in_place(|| {
        for number in 0..40 {
            let form = json!({ "name": format!("n{number}"), "url": "http://127.0.0.1:9/" }).to_string();
            let length = form.len();
            let request = format!(
                "POST /v1/integrations HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{form}"
            );
            TcpStream::connect(&address).unwrap().write_all(request.as_bytes()).unwrap();
        }
    });
    let names = |list: &Value, member: &str| -> std::collections::BTreeSet<String> {
        list.as_array().unwrap().iter().map(|one| one[member].as_str().unwrap().to_owned()).collect()
    };
    // Serialised behind all of them that were read by now; what is on disk must be in force.
    add(&server, &json!({ "name": "last", "url": "http://127.0.0.1:9/" }));
    let (_, audit) = server.get("v1/audit?limit=1000");
    let written = names(&audit["entries"], "name");
    server.until("v1/status", |status| names(&status["integrations"], "name").is_superset(&written)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_secret_goes_to_no_other_server_and_can_be_taken_away() {
    let (receiver, other) = (MockReceiver::start().await.unwrap(), MockReceiver::start().await.unwrap());
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    let form = json!({ "name": "one", "url": receiver.url(), "username": "u", "password": "s3cret", "headers": "X-Api-Key: hidden, Content-Type: text/plain" });
    let (id, _) = add(&server, &form);
    let (_, shown) = server.get(&format!("{INTEGRATIONS}/{id}"));
    let mut shown = shown["data"][0].clone();
    assert_eq!(
        server.ask("PUT", &format!("{INTEGRATIONS}/{id}"), Some(&shown)).0,
        200,
        "what was read can be sent back"
    );

    let away = json!({ "id": id, "form": { "name": "one", "url": other.url(), "username": "u", "headers": "X-Api-Key: ***" } });
    let (status, told) = server.ask("POST", "v1/test", Some(&away));
    assert!(status == 400 && told["findings"].as_array().unwrap().len() == 2, "{told}");
    assert_eq!(server.ask("PUT", &format!("v1/integrations/{id}"), Some(&away["form"])).0, 400);
    shown["config"]["url"] = json!(other.url());
    assert_eq!(server.ask("PUT", &format!("{INTEGRATIONS}/{id}"), Some(&shown)).0, 400);
    assert_eq!(server.ask("POST", &format!("{INTEGRATIONS}/test"), Some(&shown)).0, 400);
    assert_eq!(other.counts().received, 0);

    shown["config"] = json!({ "url": receiver.url() });
    assert_eq!(server.ask("PUT", &format!("{INTEGRATIONS}/{id}"), Some(&shown)).0, 200);
    server.post(&body("start", 1), &[JSON]);
    let captures = receiver.wait_for(1, LIMIT).await.unwrap();
    assert_eq!(captures[0].request().unwrap().header("authorization"), None, "no user, no credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_a_file_that_can_be_read_and_an_import_takes_no_secret_away() {
    let server = Server::start("http://127.0.0.1:9/", &["--allow-private"]);
    let form = json!({ "name": "one", "url": "http://127.0.0.1:9/", "username": "u", "password": "s3cret" });
    let (id, _) = add(&server, &form);
    add(&server, &json!({ "name": "odd", "url": "http://127.0.0.1:9/", "constants": { "x": null } }));
    for (name, plugins) in [("both", json!([id, "siem"])), ("filed", json!(["siem"])), ("none", json!([]))] {
        let rule = json!({ "name": name, "plugins": plugins });
        assert_eq!(server.ask("POST", RULES, Some(&rule)).0, 201, "{name}");
    }
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(crate::server::PROGRAM);
        command.args(arguments).current_dir(server.folder.path()).env("FUSION_WEBHOOK_SERVER", &server.url);
        let output = block_in_place(|| command.output().unwrap());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, exported) = run(&["integrations", "export", "--data", "data"]);
    let comments: Vec<_> = exported.lines().filter(|line| line.starts_with("# left out: ")).collect();
    assert!(code == 0 && comments.len() >= 4, "{exported}");
    assert!(exported.contains("[integrations.one]") && exported.contains("name = \"both\""), "{exported}");
    std::fs::write(server.folder.path().join("exported.toml"), &exported).unwrap();
    assert_eq!(run(&["check", "--allow-private", "--config", "exported.toml"]).0, 0, "{exported}");
    let (code, printed) = run(&["integrations", "import", "exported.toml", "--replace"]);
    assert_eq!(code, 0, "{printed}");
    let (_, open) = run(&["integrations", "export", "--data", "data", "--with-secrets"]);
    assert!(open.contains("password = \"s3cret\""), "it was not said, so it stayed: {open}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_of_the_file_s_integration_is_not_taken_for_one_of_its_successor() {
    let receiver = MockReceiver::start().await.unwrap();
    let server = Server::start(&receiver.url(), &["--allow-private"]);
    server.post(&body("start", 1), &[JSON]);
    receiver.wait_for(1, LIMIT).await.unwrap();
    server.configure("");
    server.until("v1/integrations", |list| list["integrations"] == json!([])).await;
    add(&server, &json!({ "name": "siem", "url": receiver.url() }));
    server.post(&body("end", 2), &[JSON]);
    receiver.wait_for(2, LIMIT).await.unwrap();
    let list = server.until("v1/deliveries?state=delivered", |list| list["deliveries"][1].is_object()).await;
    let named: Vec<_> =
        list["deliveries"].as_array().unwrap().iter().map(|one| one["delivery"].as_str().unwrap()).collect();
    assert_eq!(named, ["siem/1", "lane-1/1"]);
    for (delivery, kind) in [(named[0], "end"), (named[1], "start")] {
        assert_eq!(server.get(&format!("v1/deliveries/{delivery}")).1["alerttype"], kind, "{delivery}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_comes_in_order_and_is_dead_no_more() {
    let receiver = MockReceiver::builder().fault(receiver::Rule::parse("status=500").unwrap()).start();
    let receiver = receiver.await.unwrap();
    let server = Server::fresh(&["--allow-private"]);
    add(&server, &json!({ "name": "siem", "url": receiver.url(), "retry": { "delays": [] } }));
    for (kind, count) in [("start", 1), ("ongoing", 2), ("end", 3)] {
        server.post(&body(kind, count), &[JSON]);
    }
    server.until("v1/deliveries?state=dead", |list| list["deliveries"][2].is_object()).await;
    receiver.set_faults([]);
    receiver.reset();
    receiver.clear();
    assert_eq!(server.ask("POST", "v1/dead/resend", None).1["resent"], 3);
    receiver.expect(3).verified().within(LIMIT).await.unwrap();
    let came = receiver.captures();
    let kinds: Vec<_> = came.iter().filter_map(|one| one.event.as_ref()?.alerttype.clone()).collect();
    assert_eq!(kinds, ["start", "ongoing", "end"], "also together each event's come in their order");
    assert_eq!(server.ask("POST", "v1/dead/resend", None).1["resent"], 0, "they are dealt with");
    let list = server.until("v1/deliveries?event=00edee24-bc66-4b37-803c-123456789012", |list| {
        list["deliveries"][0]["state"] == "delivered"
    });
    let list = list.await;
    let rows = list["deliveries"].as_array().unwrap();
    let told = |row: &Value| (row["delivery"].clone(), row["resend"].clone(), row["sent_again"].clone());
    assert_eq!(rows.len(), 6, "{list}");
    assert_eq!(told(&rows[2]), (json!("siem/4"), json!(true), Value::Null));
    assert_eq!(told(&rows[5]), (json!("siem/1"), json!(false), json!("siem/4")));
    assert_eq!(server.get("v1/deliveries/siem/1").1["sent_again"], "siem/4");
    let dead = std::process::Command::new(crate::program::PROGRAM)
        .args(["dead", "list", "--server", server.url.trim_end_matches('/')])
        .env_remove("FUSION_WEBHOOK_TOKEN")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(dead.stdout).unwrap().lines().count(), 1, "its heads only");
}
