//! Each field of the form, against our receiver and against wiremock.

use payload::{FieldNames, Rule};
use receiver::{MockReceiver, Subject};
use secrecy::SecretString;
use wiremock::matchers::{basic_auth, body_bytes, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::{LIMIT, outcome, sample, send, status, update};

#[tokio::test]
async fn each_alert_type_arrives_and_is_verified_in_order() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let life = [update("start", 1), update("ongoing", 2), update("end", 3)];
    let attempts = send(&receiver.url(), &life, |_| {}).await;
    assert!(attempts.iter().all(|attempt| status(&attempt.outcome) == 200));
    let captures = receiver.wait_for(3, LIMIT).await.unwrap();
    for (capture, update) in captures.iter().zip(&life) {
        assert!(capture.verdict.passed(), "{}", capture.verdict);
        assert_eq!(capture.request().unwrap().whole().unwrap(), update.as_bytes(), "byte for byte");
    }
}

#[tokio::test]
async fn headers_and_credentials_reach_another_server_as_typed() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/hook"))
        .and(basic_auth("ü", "p:ß"))
        .and(header("X-Netography", "Webhook"))
        .and(header("content-type", "application/json"))
        .and(body_bytes(sample().as_bytes()))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let answered = outcome(&format!("{}/hook", server.uri()), |draft| {
        draft.headers.list = "X-Netography: Webhook, If-Match: \"a, b\", X-Comma: one\\, two".to_owned();
        draft.username = "ü".to_owned();
        draft.password = SecretString::from("p:ß");
    });
    assert_eq!(status(&answered.await), 204);
    let requests = server.received_requests().await.unwrap();
    let headers = &requests[0].headers;
    assert_eq!(
        (&headers["if-match"], &headers["x-comma"]),
        (&"\"a, b\"".parse().unwrap(), &"one, two".parse().unwrap())
    );
    assert!(headers["webhook-id"].to_str().unwrap().starts_with("msg_"));
    assert!(headers["webhook-timestamp"].to_str().unwrap().parse::<u64>().is_ok());
    assert!(headers["user-agent"].to_str().unwrap().starts_with("fusion-webhook/"));
    assert!(!headers.contains_key("accept-encoding"), "compression is not asked for");
}

#[tokio::test]
async fn what_is_wrong_is_answered_with_its_status_and_its_reason() {
    let receiver =
        MockReceiver::builder().credentials("u", "p").require_header("X-Netography: Webhook").unwrap();
    let receiver = receiver.start().await.unwrap();
    let url = receiver.url();
    for (username, password, headers, expected, reason) in [
        ("u", "p", "X-Netography: Webhook", 200, ""),
        ("u", "x", "X-Netography: Webhook", 401, "a wrong password for user"),
        ("x", "p", "X-Netography: Webhook", 401, "unknown user"),
        ("", "", "X-Netography: Webhook", 401, "got\":\"none"),
        ("u", "p", "", 400, "no such header"),
        ("u", "p", "X-Netography: other", 400, "x-netography"),
    ] {
        let attempt = send(&url, &[sample()], |draft| {
            draft.username = username.to_owned();
            draft.password = SecretString::from(password);
            draft.headers.list = headers.to_owned();
        });
        let attempt = attempt.await.remove(0);
        assert_eq!(status(&attempt.outcome), expected, "{username}:{password} {headers}");
        let said = String::from_utf8_lossy(&attempt.response.unwrap().body).into_owned();
        assert!(said.contains(reason), "{said}");
    }
    assert_eq!((receiver.counts().passed, receiver.counts().failed), (1, 5));
}

#[tokio::test]
async fn custom_names_are_sent_and_expected() {
    let rules = vec![
        Rule::rename("id", "event_id"),
        Rule::rename("metrics.bits.avg", "mean"),
        Rule::omit("rules"),
        Rule::add("source", payload::value::Json::parse("\"fusion\"").unwrap()),
    ];
    let names = FieldNames::compile(&rules).unwrap();
    let receiver = MockReceiver::builder().field_names(names).start().await.unwrap();
    let good = outcome(&receiver.url(), |draft| draft.field_names.clone_from(&rules));
    assert_eq!(status(&good.await), 200);
    let body = receiver.captures()[0].request().unwrap().whole().unwrap().clone();
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(
        text.contains("\"event_id\":")
            && text.contains("\"mean\":0.00")
            && text.ends_with("\"source\":\"fusion\"}")
    );
    assert!(!text.contains("\"rules\""));

    let standard = outcome(&receiver.url(), |_| {}).await;
    assert_eq!(status(&standard), 422);
    assert!(receiver.captures()[1].verdict.failed(Subject::Shape));
}

#[tokio::test]
async fn a_content_type_is_sent_as_chosen() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let chosen = outcome(&receiver.url(), |draft| draft.content_type = Some("text/plain".to_owned()));
    assert_eq!(status(&chosen.await), 415);
    let by_header = outcome(&receiver.url(), |draft| {
        draft.headers.lines = vec!["Content-Type: application/json; charset=utf-8".to_owned()];
    });
    assert_eq!(status(&by_header.await), 200);
}

#[tokio::test]
async fn connections_are_kept_alive() {
    let receiver = MockReceiver::builder().start().await.unwrap();
    let life: Vec<_> = [update("start", 1), update("ongoing", 2), update("end", 3)].into();
    let attempts = send(&receiver.url(), &life, |_| {}).await;
    let reused: Vec<_> = attempts.iter().map(|attempt| attempt.connection.as_ref().unwrap().reused).collect();
    assert_eq!(reused, [false, true, true]);
    assert!(attempts[0].timings.connect.is_some() && attempts[1].timings.connect.is_none());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = MockServer::start().await;
    let elsewhere = ResponseTemplate::new(307).insert_header("location", "/elsewhere");
    Mock::given(path("/")).respond_with(elsewhere).mount(&server).await;
    Mock::given(path("/elsewhere")).respond_with(ResponseTemplate::new(200)).expect(0).mount(&server).await;
    assert_eq!(status(&outcome(&server.uri(), |_| {}).await), 307);
}
