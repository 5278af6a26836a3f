//! The fuzzer's laws, played over its corpora on any toolchain.

#[path = "../fuzz/src/both_ends.rs"]
#[expect(unreachable_pub, reason = "it is public for the fuzz targets")]
mod both_ends;

use std::path::Path;

type Law = fn(&[u8]);

const TARGETS: &[(&str, Law)] = &[
    ("headers", delivery::target::headers::properties::reading),
    ("credentials", delivery::target::credentials::properties::round_trip),
    ("both_ends", both_ends::agree),
    ("wire", receiver::wire::properties::following),
    ("update", payload::properties::reading),
    ("renaming", payload::properties::renaming),
];

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
    assert_eq!(targets, TARGETS.len(), "every target is played here");
}
