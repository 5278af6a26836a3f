//! Plays years in seconds: the schedule over a store in memory, receivers that fail in every way of the outcome table, crashes
//! and restarts, and a law book that is consulted after every step. A seed reproduces a run.
//!
//! `cargo xtask simulate [SEEDS [FIRST]]` plays many; here a few are a test.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod world;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use world::{Scale, World};

/// How many seeds a plain test run plays.
const FEW: u64 = 150;

/// Says which seed it was, if a law is broken while it lives.
struct Playing(u64);

impl Drop for Playing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("a law was broken; to see it again: cargo xtask simulate 1 {}", self.0);
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn promises_hold_whatever_happens() {
    let (seeds, first) = (number("SIMULATION_SEEDS", FEW), number("SIMULATION_FIRST", 1));
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in first..first + seeds {
        let _playing = Playing(seed);
        // Large worlds are drawn rarely, so that ten thousand seeds take a minute or two.
        let scale = if seed % 1000 == 0 { Scale::Large } else { Scale::Small };
        let report = World::play(seed, scale);
        if seed % 100 == 0 && scale == Scale::Small {
            assert_eq!(
                report.trace,
                World::play(seed, scale).trace,
                "seed {seed} does not reproduce its run"
            );
        }
        for (what, count) in report.seen {
            *seen.entry(what).or_default() += count;
        }
    }
    for (what, count) in &seen {
        println!("{count:>10} {what}");
    }
    println!("{seeds} seeds from {first}: every promise held");
    // A simulation that never gets somewhere proves nothing about that place.
    for what in [
        "delivered",
        "superseded",
        "dead",
        "crashes",
        "jumps of the clock",
        "restarts with an open breaker",
        "probes",
        "claimed as it was appended",
        "throttled",
    ] {
        assert!(seen.get(what).is_some_and(|count| *count > 0), "no run came to: {what}");
    }
}

#[test]
fn promises_hold_over_the_fuzzer_s_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/schedule");
    let mut seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    for entry in std::fs::read_dir(corpus).unwrap() {
        let report = World::play_given(&std::fs::read(entry.unwrap().path()).unwrap());
        for (what, count) in report.seen {
            *seen.entry(what).or_default() += count;
        }
    }
    assert!(["delivered", "crashes"].iter().all(|what| seen.contains_key(what)), "{seen:?}");
}

#[test]
fn a_failing_key_holds_back_no_other_key() {
    let mut world = World::quiet(1, 1);
    world.append(0, "poison");
    world.script(0, "poison", 400);
    for _ in 0..50 {
        world.append(0, "well");
    }
    world.run_for(20);
    assert_eq!(world.delivered(0), 50, "all but the poisoned one");
}

#[test]
fn lanes_that_hang_leave_room_for_the_others() {
    let mut world = World::quiet(2, 10);
    world.limit(NonZeroUsize::new(10).unwrap());
    for lane in 0..9 {
        world.hang(lane);
        for key in 0..20 {
            world.append(lane, &format!("k{key}"));
        }
    }
    for _ in 0..100 {
        world.append(9, "well");
    }
    world.run_for(10);
    assert_eq!(world.delivered(9), 100);
}
