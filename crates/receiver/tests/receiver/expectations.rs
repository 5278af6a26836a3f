//! Expectations: met, unmet with the nearest misses, unknown; awaited and blocking.

use std::future::IntoFuture;
use std::io::{Read, Write};
use std::time::Duration;

use receiver::{MockReceiver, Subject};

use crate::{JSON, LIMIT, UPDATE, exchange, post};

const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn an_expectation_is_met_as_soon_as_enough_came() {
    let receiver = MockReceiver::builder().credentials("u", "p").start().await.unwrap();
    let starts = receiver
        .expect(1)
        .alerttype("start")
        .event("a")
        .path("/")
        .header("Host", "a")
        .verified()
        .within(LIMIT);
    let auth = format!("{JSON}authorization: Basic dTpw\r\n");
    let send = async {
        exchange(&receiver, &post(JSON, UPDATE)).await;
        exchange(&receiver, &post(&auth, UPDATE)).await;
    };
    let (starts, ()) = tokio::join!(starts.into_future(), send);
    assert_eq!(starts.unwrap()[0].number, 2);
    let refused =
        receiver.expect(1).failed(Subject::Credentials).status(401).method("POST").within(LIMIT).await;
    assert_eq!(refused.unwrap()[0].number, 1);
    assert!(receiver.expect(1..).await.is_ok());
}

#[tokio::test]
async fn what_is_not_met_tells_the_nearest_misses() {
    let receiver = MockReceiver::start().await.unwrap();
    exchange(&receiver, &post("", UPDATE)).await;
    exchange(&receiver, &post(JSON, &UPDATE.replace("start", "end"))).await;
    let unmet = receiver.expect(1).alerttype("start").verified().within(SOON).await.unwrap_err();
    assert_eq!(
        unmet.to_string(),
        "expected 1 request with alert type \"start\" and verified within 0.05 s, but none of the 2 that came is one; nearest:\n  \
         #1 POST / start a: failed on content-type\n  \
         #2 POST / end a: alert type is \"end\"; failed on sequence"
    );
    let unmet = receiver.expect(0).path("/").within(SOON).await.unwrap_err();
    assert_eq!(unmet.to_string(), "expected 0 requests with path \"/\" within 0.05 s, but there were 2");
    assert_eq!(format!("{unmet:?}"), unmet.to_string(), "a test that unwraps it prints it");
    assert!(receiver.expect(0).path("/none").within(SOON).await.is_ok());
    let hidden = receiver.expect(1).header("Authorization", "Basic dTpw").within(SOON).await.unwrap_err();
    assert!(
        hidden.to_string().contains("Authorization ***") && !hidden.to_string().contains("dTpw"),
        "{hidden}"
    );
    assert!(
        receiver
            .expect(3..=5)
            .within(SOON)
            .await
            .unwrap_err()
            .to_string()
            .starts_with("expected 3 to 5 requests")
    );
    let own = receiver.expect(1).that("small", |_| false).within(SOON).await.unwrap_err();
    assert!(own.to_string().contains("with small within"), "{own}");
}

#[tokio::test]
async fn over_what_was_dropped_nobody_knows() {
    let receiver = MockReceiver::builder().keep(2).start().await.unwrap();
    for _ in 0..3 {
        exchange(&receiver, &post(JSON, UPDATE)).await;
    }
    let error = receiver.expect(3).within(SOON).await.unwrap_err();
    assert!(error.is_unknown(), "{error}");
    assert_eq!(
        error.to_string(),
        "unknown whether there were 3 requests within 0.05 s: 1 captures were dropped; of those that are kept 2 fit"
    );
    assert!(receiver.expect(1..).await.is_ok(), "what is kept is enough");
    let missed = receiver.wait_for(3, LIMIT).await.unwrap_err();
    assert!(missed.is_unknown() && missed.to_string().contains("1 captures were dropped"), "{missed}");
    assert!(
        !receiver.expect(0..=1).within(SOON).await.unwrap_err().is_unknown(),
        "there are too many for sure"
    );
}

#[tokio::test]
async fn that_none_comes_is_known_only_when_the_time_is_over() {
    let receiver = MockReceiver::start().await.unwrap();
    let none = receiver.expect(0).within(LIMIT);
    let send = async { exchange(&receiver, &post(JSON, UPDATE)).await };
    let (none, _) = tokio::join!(none.into_future(), send);
    assert!(none.is_err(), "one came");
}

#[test]
fn it_runs_without_a_runtime_and_several_side_by_side() {
    let one = MockReceiver::builder().start_blocking().unwrap();
    let two = MockReceiver::builder().start_blocking().unwrap();
    for receiver in [&one, &two, &two] {
        let mut stream = std::net::TcpStream::connect(receiver.address()).unwrap();
        stream.write_all(post(JSON, UPDATE).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(one.wait_for_blocking(1, LIMIT).unwrap().len(), 1);
    assert_eq!(two.expect(2).event("a").within(LIMIT).blocking().unwrap().len(), 2);
    assert!(one.expect(2).within(SOON).blocking().is_err());
    let address = one.address();
    drop(one);
    assert!(std::net::TcpStream::connect(address).is_err(), "its thread ended with it");
}
