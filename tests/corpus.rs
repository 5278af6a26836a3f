//! The fuzzer's laws, played over its corpora on any toolchain.

#[path = "../fuzz/src/both_ends.rs"]
#[expect(unreachable_pub, reason = "it is public for the fuzz targets")]
mod both_ends;
#[path = "../fuzz/src/retry_after.rs"]
#[expect(unreachable_pub, reason = "it is public for the fuzz targets")]
mod retry_after;

use std::path::Path;

type Law = fn(&[u8]);

const TARGETS: &[(&str, Law)] = &[
    ("address", delivery::target::guard::properties::reading),
    ("both_ends", both_ends::agree),
    ("credentials", delivery::target::credentials::properties::round_trip),
    ("headers", delivery::target::headers::properties::reading),
    ("records", delivery::store::sqlite::properties::keeping),
    ("renaming", payload::properties::renaming),
    ("request", receiver::server::properties::exchange),
    ("retry_after", retry_after::waiting),
    ("settings", sender::settings::properties::reading),
    ("spelling", delivery::target::guard::properties::spelling),
    ("update", payload::properties::reading),
    ("wire", receiver::wire::properties::following),
];

/// Its law book is a test of its crate, `crates/delivery/tests/simulation`, which plays its corpus too.
const PLAYED_ELSEWHERE: &[&str] = &["schedule"];

#[test]
fn the_laws_hold_over_the_corpora() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for (name, law) in TARGETS {
        let mut played = 0;
        for entry in std::fs::read_dir(fuzz.join("corpus").join(name)).unwrap() {
            law(&std::fs::read(entry.unwrap().path()).unwrap());
            played += 1;
        }
        assert!(played > 0, "{name} has a corpus");
    }
    let targets = std::fs::read_dir(fuzz.join("fuzz_targets")).unwrap().count();
    assert_eq!(targets, TARGETS.len() + PLAYED_ELSEWHERE.len(), "every target is played here");
}
