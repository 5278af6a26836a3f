//! How many instructions the pure parts take over 64 updates, counted by callgrind: the same on a busy machine as on an idle
//! one, so that a few percent more are seen. `cargo xtask bench instructions` compares them with `instructions.json`.
//!
//! What is counted is the body of each function; what it is given is made, and what it gives back dropped, outside.

#![expect(missing_docs, reason = "the macros make modules and functions that nobody reads")]

#[path = "given/lists.rs"]
mod lists;
#[path = "given/traffic.rs"]
mod traffic;
#[path = "given/updates.rs"]
mod updates;

use std::hint::black_box;
use std::time::SystemTime;

use delivery::clock::Timestamp;
use delivery::outcome::{Answer, Outcome, RetryAfter};
use delivery::retry::{DEFAULT_EXPIRY, Die, RetryPolicy, Tried, judge};
use delivery::target::credentials::Credentials;
use delivery::target::headers::{HeaderList, PlainLines};
use gungraun::{library_benchmark, library_benchmark_group, main};
use payload::{Event, Field, FieldNames, Reader, Update, View};
use secrecy::SecretString;

use lists::LIST;
use traffic::Traffic;
use updates::{bodies, in_another_way, mapping, names_as_long};

/// A reader that has met the bodies once, so that its buffers are as large as they get.
fn warm(bodies: Vec<Vec<u8>>) -> (Reader, Vec<Vec<u8>>) {
    let mut reader = Reader::new();
    assert!(bodies.iter().all(|body| reader.read(body).is_ok()));
    (reader, bodies)
}

fn in_page_order() -> (Reader, Vec<Vec<u8>>) {
    warm(bodies())
}

fn in_any_order() -> (Reader, Vec<Vec<u8>>) {
    warm(bodies().iter().map(|body| in_another_way(body)).collect())
}

#[library_benchmark]
#[bench::in_page_order(in_page_order())]
#[bench::in_any_order_and_white_space(in_any_order())]
fn read((mut reader, bodies): (Reader, Vec<Vec<u8>>)) -> (Reader, Vec<Vec<u8>>) {
    bodies.iter().for_each(|body| drop(black_box(reader.read(black_box(body)))));
    (reader, bodies)
}

fn updates() -> Vec<Update> {
    bodies().into_iter().filter_map(|body| Update::parse(body).ok()).collect()
}

/// What policies look at.
fn ask(update: View<'_>) {
    black_box((update.alerttype(), update.text(Field::SEVERITY), update.text(Field::ALGORITHM)));
    update
        .texts(Field::CATEGORIES)
        .chain(update.texts(Field::TRACK_BY))
        .for_each(|text| drop(black_box(text)));
}

#[library_benchmark]
#[bench::what_policies_need(updates())]
fn asked(updates: Vec<Update>) -> Vec<Update> {
    updates.iter().for_each(|update| ask(black_box(update).view()));
    updates
}

/// Where everything has room.
fn page() -> Vec<u8> {
    Vec::with_capacity(1 << 16)
}

#[library_benchmark]
#[bench::as_read(updates(), FieldNames::standard(), page())]
#[bench::renamed(updates(), mapping(), page())]
fn written(updates: Vec<Update>, names: FieldNames, mut page: Vec<u8>) -> (Vec<Update>, FieldNames, Vec<u8>) {
    for update in &updates {
        page.clear();
        black_box(names.write(black_box(update).view(), &mut page)).ok();
    }
    (updates, names, page)
}

fn events() -> Vec<Event> {
    bodies().into_iter().filter_map(|body| Event::parse(body).ok()).collect()
}

/// Names under which an event was written before, so that they are made ready.
fn warm_names(names: FieldNames) -> FieldNames {
    assert!(names.write_event(&Event::default(), &mut page()).is_ok());
    names
}

#[library_benchmark]
#[bench::typed(events(), warm_names(FieldNames::standard()), page())]
#[bench::typed_with_names_as_long(events(), warm_names(names_as_long()), page())]
fn made(events: Vec<Event>, names: FieldNames, mut page: Vec<u8>) -> (Vec<Event>, FieldNames, Vec<u8>) {
    for event in &events {
        page.clear();
        black_box(names.write_event(black_box(event), &mut page)).ok();
    }
    (events, names, page)
}

#[library_benchmark]
#[bench::where_it_stands(LIST)]
fn header_list(list: &str) {
    PlainLines::of(black_box(list)).for_each(|line| _ = black_box(line));
}

#[library_benchmark]
#[bench::as_lines_of_a_request(LIST)]
fn header_lines(list: &str) -> Option<HeaderList> {
    HeaderList::parse(black_box(list)).ok()
}

fn somebody() -> Option<Credentials> {
    Credentials::new("fusion-webhook", SecretString::from("correct horse battery staple")).ok()
}

#[library_benchmark]
#[bench::basic(somebody())]
fn credentials(somebody: Option<Credentials>) -> (Option<Credentials>, Option<http::HeaderValue>) {
    let value = black_box(&somebody).as_ref().map(Credentials::header_value);
    (somebody, value)
}

/// 64 attempts that ended in every way that an answer can tell.
fn answers() -> (RetryPolicy, Vec<(Outcome, Tried)>) {
    let (now, wall) = (Timestamp::from_micros(1_700_000_000_000_000), SystemTime::UNIX_EPOCH);
    let statuses = [200, 202, 302, 400, 404, 408, 429, 500, 503].into_iter().cycle();
    let answers = statuses.filter_map(|status| http::StatusCode::from_u16(status).ok()).zip(0..64);
    let ended = answers.map(|(status, number)| {
        let retry_after = (number % 2 == 0).then_some(RetryAfter::Seconds(30));
        let (attempts, die) = (number % 10 + 1, Die::new(f64::from(number) / 64.0));
        let tried = Tried { attempts, repeated: false, expires: now.after(DEFAULT_EXPIRY), now, wall, die };
        (Outcome::Answered(Answer { status, retry_after }), tried)
    });
    (RetryPolicy::standard(), ended.collect())
}

#[library_benchmark]
#[bench::of_attempts(answers())]
fn judged((policy, ended): (RetryPolicy, Vec<(Outcome, Tried)>)) -> (RetryPolicy, Vec<(Outcome, Tried)>) {
    ended.iter().for_each(|(outcome, tried)| drop(black_box(judge(outcome, &policy, tried))));
    (policy, ended)
}

/// Lanes at work, warm.
fn at_work() -> Traffic {
    let mut traffic = Traffic::new(100_000);
    (0..1000).for_each(|_| traffic.turn());
    assert!(traffic.under_way() > 100, "all lanes are at work");
    traffic
}

#[library_benchmark]
#[bench::one_ends_the_next_starts(at_work())]
fn scheduled(mut traffic: Traffic) -> Traffic {
    (0..64).for_each(|_| traffic.turn());
    traffic
}

library_benchmark_group!(
    name = pure;
    benchmarks = read, asked, written, made, header_list, header_lines, credentials, judged, scheduled
);

main!(library_benchmark_groups = pure);
