use super::*;

fn update(id: &str, kind: &str, count: i64, at: i64) -> Update {
    let text = format!(r#"{{"alerttype":"{kind}","id":"{id}","timestamp":{at},"updatecount":{count}}}"#);
    Update::parse(text).unwrap()
}

fn arrival<'a>(update: &'a Update, delivery: Option<&'a str>, number: u64, taken: Taken) -> Arrival<'a> {
    let status = match taken {
        Taken::Yes | Taken::Unsure => Some(StatusCode::OK),
        Taken::Refused => Some(StatusCode::UNAUTHORIZED),
        Taken::Spoilt => Some(StatusCode::SERVICE_UNAVAILABLE),
    };
    Arrival { update, marks: Marks::of(update, delivery), number, status, taken }
}

fn told(finding: &Finding) -> String {
    let problems: Vec<_> = finding.problems().iter().map(ToString::to_string).collect();
    format!("{} {}", finding.as_str(), problems.join("; ")).trim().to_owned()
}

/// Plays a life of one event and says what was found at its last update.
fn found(life: &[(&str, i64, i64, Taken)]) -> String {
    let mut sequences = Sequences::default();
    let mut last = String::new();
    for ((kind, count, at, taken), number) in life.iter().zip(1..) {
        let update = update("a", kind, *count, *at);
        last = told(&sequences.judge(&arrival(&update, None, number, *taken)));
    }
    last
}

#[test]
fn the_order_of_a_life_is_judged() {
    let y = Taken::Yes;
    for (life, expected) in [
        (&[("start", 1, 10, y)][..], "passed"),
        (&[("start", 1, 10, y), ("ongoing", 2, 20, y), ("end", 3, 30, y)], "passed"),
        (&[("start", 1, 10, y), ("end", 2, 10, y)], "passed"),
        (&[("start", 1, 10, y), ("ongoing", 5, 20, y)], "passed"),
        (
            &[("start", 1, 10, y), ("start", 1, 10, y)],
            "noted duplicate: expected an update that is new, got the body of #1, which was answered 200",
        ),
        (
            &[("ongoing", 2, 10, y)],
            "failed missing start: expected start as the event's first update, got ongoing",
        ),
        (
            &[("start", 1, 10, y), ("end", 2, 20, y), ("ongoing", 3, 30, y)],
            "failed update after the end: expected nothing after the end, got ongoing",
        ),
        (
            &[("end", 2, 20, y), ("start", 1, 20, y)],
            "failed late update: expected the start before the event's other updates, got it after them; late update: expected updatecount above 2, got 1",
        ),
        (
            &[("start", 1, 10, y), ("start", 2, 20, y)],
            "failed restart: expected one start in the life of an event, got another start",
        ),
        (
            &[("start", 1, 10, y), ("ongoing", 3, 30, y), ("ongoing", 2, 20, y)],
            "failed late update: expected updatecount above 3, got 2; late update: expected timestamp 30 or later, got 20",
        ),
    ] {
        assert_eq!(found(life), expected, "{life:?}");
    }
}

#[test]
fn what_was_not_taken_may_come_again_and_is_not_held_against_the_sender() {
    use Taken::{Refused, Spoilt, Unsure, Yes};
    for (life, expected) in [
        (
            &[("start", 1, 10, Spoilt), ("start", 1, 10, Yes)][..],
            "noted retry: expected an update that is new, got the body of #1, which was answered 503",
        ),
        (&[("start", 1, 10, Spoilt), ("start", 1, 10, Yes), ("ongoing", 2, 20, Yes)], "passed"),
        (
            &[("start", 1, 10, Spoilt), ("start", 1, 10, Yes), ("start", 1, 10, Yes)],
            "noted duplicate: expected an update that is new, got the body of #2, which was answered 200",
        ),
        (
            &[("start", 1, 10, Unsure), ("start", 1, 10, Yes)],
            "noted retry: expected an update that is new, got the body of #1, whose answer may not have arrived",
        ),
        (
            &[("start", 1, 10, Spoilt), ("ongoing", 2, 20, Yes)],
            "noted missing start: expected start as the event's first update, got ongoing",
        ),
        (
            &[("start", 1, 10, Refused), ("ongoing", 2, 20, Yes)],
            "failed missing start: expected start as the event's first update, got ongoing",
        ),
        (
            &[("start", 1, 10, Refused), ("start", 1, 10, Yes)],
            "noted retry: expected an update that is new, got the body of #1, which was answered 401",
        ),
    ] {
        assert_eq!(found(life), expected, "{life:?}");
    }
}

#[test]
fn a_delivery_is_known_by_its_id() {
    let mut sequences = Sequences::default();
    let mut judge = |kind, count, delivery, number| {
        let update = update("a", kind, count, count);
        told(&sequences.judge(&arrival(&update, Some(delivery), number, Taken::Yes)))
    };
    assert_eq!(judge("start", 1, "m1", 1), "passed");
    assert_eq!(
        judge("start", 1, "m1", 2),
        "noted duplicate: expected an update that is new, got the webhook-id and body of #1, which was answered 200"
    );
    assert_eq!(
        judge("ongoing", 2, "m1", 3),
        "failed reused webhook-id: expected an id of its own for every update, got that of #2, which was answered 200"
    );
    assert_eq!(judge("end", 3, "m2", 4), "passed");
    let other = update("b", "start", 1, 1);
    assert_eq!(
        told(&sequences.judge(&arrival(&other, Some("m2"), 5, Taken::Yes))),
        "failed reused webhook-id: expected an id of its own for every update, got that of #4, which is of another event"
    );
}

#[test]
fn a_start_that_a_fault_may_have_struck_is_not_missed() {
    let ongoing = |sequences: &mut Sequences, id| {
        told(&sequences.judge(&arrival(&update(id, "ongoing", 2, 2), None, 1, Taken::Yes)))
    };
    let mut sequences = Sequences::default();
    assert!(ongoing(&mut sequences, "a").starts_with("failed missing start"));
    sequences.lose();
    assert!(ongoing(&mut sequences, "b").starts_with("noted missing start"));
    let mut sequences = Sequences::default();
    let start = update("a", "start", 1, 1);
    sequences.judge(&arrival(&start, None, 1, Taken::Yes));
    sequences.forget_all();
    assert_eq!(ongoing(&mut sequences, "a"), "passed", "it began before");
    assert!(ongoing(&mut sequences, "b").starts_with("failed missing start"), "it did not");
}

#[test]
fn memory_is_bounded_and_what_was_forgotten_is_not_held_against_an_event() {
    let mut sequences = Sequences::remembering(2);
    let judge = |sequences: &mut Sequences, id: &str, kind: &str, count| {
        sequences.judge(&arrival(&update(id, kind, count, 2), None, 1, Taken::Yes))
    };
    for id in ["a", "b", "c"] {
        assert_eq!(judge(&mut sequences, id, "start", 1), Finding::Passed);
        let named = update(id, "start", 1, 2);
        sequences.judge(&arrival(&named, Some(id), 1, Taken::Yes));
    }
    assert_eq!((sequences.events.len(), sequences.owners.len()), (2, 2));
    assert_eq!(judge(&mut sequences, "a", "ongoing", 2), Finding::Passed, "it was forgotten");
    assert_eq!(judge(&mut sequences, "c", "ongoing", 2), Finding::Passed);
    assert_eq!(judge(&mut sequences, "d", "start", 1), Finding::Passed);
    assert!(
        judge(&mut sequences, "c", "ongoing", 1).is_failure(),
        "it was seen after the others, and is known"
    );
    assert_eq!(judge(&mut sequences, "a", "ongoing", 1), Finding::Passed, "it was quiet for longest");
    assert_eq!((sequences.events.len(), sequences.owners.len()), (2, 2));
}
