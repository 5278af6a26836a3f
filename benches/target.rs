//! Reading what stands in the form of an integration, and the credentials of a request, beside the usual ways in the same run: look at the ratios, which
//! `cargo xtask bench` prints.

#[path = "given/lists.rs"]
mod given;

use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, criterion_group, criterion_main};
use delivery::target::headers::{HeaderList, PlainLines};
use receiver::check::credentials::{Room, read};

use given::LIST;

/// The list as it stands in a request.
const HEAD: &str = "X-Netography: Webhook\r\nX-Api-Key: 4f1d2c7a9b8e\r\nAccept: application/json\r\nX-Tenant: example\r\n\
    If-Match: \"a, b\"\r\nX-Environment: production\r\nX-Source: fusion/1.0 (ams)\r\nX-Request-Class: alert\r\n\r\n";

/// As somebody writes it down, who does not think of commas in quotes.
fn split(text: &str) -> Vec<(String, String)> {
    let lines = text.split(',').filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.trim().to_string(), value.trim().to_string())).collect()
}

fn header_list(criterion: &mut Criterion) {
    assert_eq!(PlainLines::of(LIST).filter_map(Result::ok).count(), 8);
    let mut group = criterion.benchmark_group("header list");
    group.bench_function("ours, where it stands", |bencher| {
        bencher.iter(|| PlainLines::of(black_box(LIST)).for_each(|line| _ = black_box(line)));
    });
    group.bench_function("ours, as lines of a request", |bencher| {
        bencher.iter(|| black_box(HeaderList::parse(black_box(LIST))).is_ok());
    });
    group.bench_function("split, trim, to_string", |bencher| {
        bencher.iter(|| drop(black_box(split(black_box(LIST)))));
    });
    group.bench_function("httparse", |bencher| {
        bencher.iter(|| {
            let mut lines = [httparse::EMPTY_HEADER; 16];
            assert!(black_box(httparse::parse_headers(black_box(HEAD.as_bytes()), &mut lines)).is_ok());
        });
    });
    group.finish();
}

/// A user name of 14 characters and a password of 22, as a request has them.
const AUTHORIZATION: &str = "Basic ZnVzaW9uLXdlYmhvb2s6NEw5cVdfYjhSdF9rMlp2X1B4N25NYw==";

/// As somebody writes it down, who trusts that it is a scheme and a token.
fn to_string(value: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.strip_prefix("Basic ")?).ok()?).ok()
}

fn basic_credentials(criterion: &mut Criterion) {
    assert!(to_string(AUTHORIZATION).is_some_and(|pair| pair.find(':') == Some(14)));
    let mut group = criterion.benchmark_group("basic credentials");
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            let mut room = Room::default();
            assert!(black_box(read(black_box(AUTHORIZATION.as_bytes()), &mut room)).is_ok());
        });
    });
    group.bench_function("base64 into a Vec, then String", |bencher| {
        bencher.iter(|| assert!(black_box(to_string(black_box(AUTHORIZATION))).is_some()));
    });
    group.finish();
}

criterion_group!(benches, header_list, basic_credentials);
criterion_main!(benches);
