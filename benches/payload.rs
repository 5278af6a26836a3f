//! Reading, asking, renaming and writing an update, each beside the usual way with serde_json in the same run: look at the
//! ratios, which `cargo xtask bench` prints.
//!
//! An iteration takes 64 different events in turn: one body again and again would teach the branch predictor. Only the page's
//! sample is one.

#[path = "given/updates.rs"]
mod given;
#[path = "yardstick/event.rs"]
mod yardstick;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use payload::{Event, Field, FieldNames, Reader, Update};
use serde_json::Value;

use given::{RENAMED, bodies, in_another_way, mapping, names_as_long};

/// The same updates, each with so many addresses that it has 5 KB.
fn rich_bodies() -> Vec<Vec<u8>> {
    let events: Vec<Event> = bodies().into_iter().filter_map(|body| Event::parse(body).ok()).collect();
    let addresses: Vec<_> = events.iter().flat_map(|event| event.ipinfo.iter()).collect();
    let grown = |(place, event): (usize, &Event)| {
        let (mut event, mut body) = (event.clone(), event.to_json());
        for &address in addresses.iter().cycle().skip(place) {
            if body.len() >= 5_000 {
                break;
            }
            event.ipinfo.push(address.clone());
            body = event.to_json();
        }
        body
    };
    events.iter().enumerate().map(grown).collect()
}

/// What is read and written, and what the groups of it are called.
fn kinds() -> [(&'static str, Vec<Vec<u8>>); 3] {
    let sample = vec![payload::SAMPLE.as_bytes().to_vec()];
    [("", bodies()), (" the page's sample", sample), (" a rich event of 5 KB", rich_bodies())]
}

/// Does it for each body, in turn.
fn each<T>(bodies: &[T], mut work: impl FnMut(&T)) {
    bodies.iter().for_each(|body| work(black_box(body)));
}

fn derived(body: &[u8]) -> Option<yardstick::Event> {
    serde_json::from_slice(body).ok()
}

fn reading(criterion: &mut Criterion) {
    let others = bodies().iter().map(|body| in_another_way(body)).collect();
    let mut reader = Reader::new();
    for (what, bodies) in kinds().into_iter().chain([(" in any order and white space", others)]) {
        assert!(bodies.iter().all(|body| derived(body).is_some()), "reading{what}");
        let mut group = criterion.benchmark_group(format!("reading{what}"));
        group.bench_function("ours", |bencher| {
            bencher.iter(|| each(&bodies, |body| drop(black_box(reader.read(body)))));
        });
        group.bench_function("serde derive", |bencher| {
            bencher.iter(|| each(&bodies, |body| drop(black_box(derived(body)))));
        });
        group.finish();
    }
}

/// What policies look at.
fn ask(update: payload::View<'_>) {
    black_box((update.alerttype(), update.text(Field::SEVERITY), update.text(Field::ALGORITHM)));
    update
        .texts(Field::CATEGORIES)
        .chain(update.texts(Field::TRACK_BY))
        .for_each(|text| drop(black_box(text)));
}

fn routing(criterion: &mut Criterion) {
    let bodies = bodies();
    let read: Vec<Update> = bodies.iter().filter_map(|body| Update::parse(body.clone()).ok()).collect();
    let mut reader = Reader::new();
    let mut group = criterion.benchmark_group("what policies need");
    group.bench_function("ours, read and asked", |bencher| {
        bencher.iter(|| each(&bodies, |body| reader.read(body).map(ask).unwrap_or_default()));
    });
    group.bench_function("ours, asked", |bencher| {
        bencher.iter(|| each(&read, |update| ask(update.view())));
    });
    group.bench_function("serde derive", |bencher| {
        bencher.iter(|| {
            each(&bodies, |body| {
                let routed = serde_json::from_slice::<yardstick::Routed<'_>>(body);
                routed.iter().for_each(|routed| routed.texts().for_each(|text| _ = black_box(text)));
            });
        });
    });
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    for (what, bodies) in kinds() {
        let read: Vec<Update> = bodies.iter().filter_map(|body| Update::parse(body.clone()).ok()).collect();
        let typed: Vec<Event> = bodies.iter().filter_map(|body| Event::parse(body.clone()).ok()).collect();
        let derived: Vec<_> = bodies.iter().filter_map(|body| derived(body)).collect();
        let mut out = Vec::with_capacity(1 << 16);
        let mut group = criterion.benchmark_group(format!("writing{what}"));
        let names = [("as it was read", FieldNames::standard()), ("names of equal length", names_as_long())];
        for (name, names) in names {
            group.bench_function(format!("ours, {name}"), |bencher| {
                bencher.iter(|| {
                    each(&read, |update| {
                        out.clear();
                        black_box(names.write(update.view(), &mut out)).ok();
                    });
                });
            });
        }
        for (name, names) in
            [("typed", FieldNames::standard()), ("typed, names of equal length", names_as_long())]
        {
            group.bench_function(format!("ours, {name}"), |bencher| {
                bencher.iter(|| {
                    each(&typed, |event| {
                        out.clear();
                        assert!(names.write_event(event, &mut out).is_ok());
                        black_box(&out);
                    });
                });
            });
        }
        group.bench_function("serde derive", |bencher| {
            bencher.iter(|| {
                each(&derived, |event| {
                    out.clear();
                    black_box(serde_json::to_writer(&mut out, event)).ok();
                });
            });
        });
        group.finish();
    }
}

/// The usual way: into a tree, move members, out again.
fn by_value(body: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    let members = value.as_object_mut()?;
    for (from, to) in RENAMED {
        let moved = members.remove(from)?;
        members.insert(to.to_owned(), moved);
    }
    let bits = members.get_mut("metrics")?.get_mut("bits")?.as_object_mut()?;
    let mean = bits.remove("avg")?;
    bits.insert("mean".to_owned(), mean);
    members.remove("rules");
    members.remove("tag");
    members.insert("source".to_owned(), Value::from("fusion"));
    serde_json::to_writer(out, &value).ok()
}

fn renaming(criterion: &mut Criterion) {
    let bodies = bodies();
    let (mut reader, mut out) = (Reader::new(), Vec::with_capacity(1 << 16));
    let mut group = criterion.benchmark_group("renaming");
    for (name, names) in [("ours", mapping()), ("ours, nothing renamed", FieldNames::standard())] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                each(&bodies, |body| {
                    out.clear();
                    let written =
                        reader.read(body).ok().and_then(|update| names.write(update, &mut out).ok());
                    assert!(black_box(written).is_some());
                });
            });
        });
    }
    group.bench_function("serde value", |bencher| {
        bencher.iter(|| {
            each(&bodies, |body| {
                out.clear();
                assert!(black_box(by_value(body, &mut out)).is_some());
            });
        });
    });
    group.finish();
}

criterion_group!(benches, reading, routing, writing, renaming);
criterion_main!(benches);
