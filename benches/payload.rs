//! Reading, writing and renaming an update, beside the usual ways with serde_json in the same run: look at the ratios.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use payload::generate::Play;
use payload::{Event, FieldNames, Rule, Update};
use serde_json::Value;

/// Updates as a platform would send them, `ipinfo` included.
fn bodies() -> Vec<Vec<u8>> {
    Play::new(7, 20, 1_689_391_131).map(|event| event.to_json()).collect()
}

fn reading(criterion: &mut Criterion) {
    let bodies = bodies();
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    let mut group = criterion.benchmark_group("reading");
    group.throughput(Throughput::Bytes(bytes as u64));
    let shared: Vec<bytes::Bytes> = bodies.iter().cloned().map(bytes::Bytes::from).collect();
    group.bench_function("update", |bencher| {
        bencher.iter(|| shared.iter().for_each(|body| drop(black_box(Update::parse(body.clone())))));
    });
    group.bench_function("typed event", |bencher| {
        bencher.iter(|| shared.iter().for_each(|body| drop(black_box(Event::parse(body.clone())))));
    });
    group.bench_function("serde_json value", |bencher| {
        bencher
            .iter(|| bodies.iter().for_each(|body| drop(black_box(serde_json::from_slice::<Value>(body)))));
    });
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    let events: Vec<Event> = Play::new(7, 20, 1_689_391_131).collect();
    let values: Vec<Value> = bodies().iter().filter_map(|body| serde_json::from_slice(body).ok()).collect();
    let mut group = criterion.benchmark_group("writing");
    group.bench_function("typed event", |bencher| {
        bencher.iter(|| events.iter().for_each(|event| drop(black_box(event.to_json()))));
    });
    group.bench_function("serde_json value", |bencher| {
        bencher.iter(|| values.iter().for_each(|value| drop(black_box(serde_json::to_vec(value)))));
    });
    group.finish();
}

fn renaming(criterion: &mut Criterion) {
    let updates: Vec<Update> = bodies().into_iter().filter_map(|body| Update::parse(body).ok()).collect();
    let names =
        FieldNames::compile(&[Rule::rename("id", "event_id"), Rule::rename("metrics.bits.avg", "mean")]);
    let names = names.unwrap_or_default();
    let mut group = criterion.benchmark_group("renaming");
    group.bench_function("update", |bencher| {
        bencher.iter(|| updates.iter().for_each(|update| drop(black_box(names.render(update)))));
    });
    group.bench_function("serde_json value", |bencher| {
        bencher.iter(|| updates.iter().for_each(|update| drop(black_box(by_value(update.as_bytes())))));
    });
    group.finish();
}

/// The usual way: into a tree, move two members, out again.
fn by_value(body: &[u8]) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    let id = value.as_object_mut()?.remove("id")?;
    value.as_object_mut()?.insert("event_id".to_owned(), id);
    let bits = value.get_mut("metrics")?.get_mut("bits")?.as_object_mut()?;
    let avg = bits.remove("avg")?;
    bits.insert("mean".to_owned(), avg);
    serde_json::to_vec(&value).ok()
}

criterion_group!(benches, reading, writing, renaming);
criterion_main!(benches);
