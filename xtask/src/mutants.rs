//! Mutation tests: cargo-mutants changes the code in one small way after the other, and each change must make a test fail. What
//! may survive stands, with its reason, in `.cargo/mutants.toml`.

use crate::run::{cargo_command, install, succeed, target};

/// What is changed, and the tests that must notice.
struct Part {
    name: &'static str,
    package: &'static str,
    files: &'static [&'static str],
    tests: &'static [&'static str],
}

const PARTS: &[Part] = &[
    Part {
        name: "payload",
        package: "fusion-webhook-payload",
        files: &["crates/payload/src/**/*.rs"],
        tests: &["--lib"],
    },
    Part {
        name: "headers",
        package: "fusion-webhook-delivery",
        files: &[
            "crates/delivery/src/target/headers.rs",
            "crates/delivery/src/target/headers/*.rs",
            "crates/delivery/src/target/credentials.rs",
        ],
        tests: &["--lib", "target::"],
    },
    Part {
        name: "scheduler",
        package: "fusion-webhook-delivery",
        files: &[
            "crates/delivery/src/breaker.rs",
            "crates/delivery/src/lane.rs",
            "crates/delivery/src/lane/*.rs",
            "crates/delivery/src/retry.rs",
            "crates/delivery/src/schedule.rs",
        ],
        tests: &[
            "--lib",
            "--test",
            "simulation",
            "--",
            "breaker::",
            "lane::",
            "retry::",
            "schedule::",
            "promises_",
            "a_failing_key_",
            "lanes_that_hang_",
        ],
    },
];

pub(crate) fn mutants(name: Option<&str>) -> Result<(), String> {
    let parts: Vec<&Part> = PARTS.iter().filter(|part| name.is_none_or(|name| part.name == name)).collect();
    if parts.is_empty() {
        let known: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
        return Err(format!("there is no part of that name; there are: {}", known.join(", ")));
    }
    install("mutants")?;
    for part in parts {
        let folder = target().join("mutants").join(part.name);
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut command = cargo_command(&["mutants", "--no-shuffle", "--package", part.package, "--output"]);
        command.arg(folder);
        command.args(part.files.iter().flat_map(|file| ["--file", file]));
        // A mutant that a few random cases do not meet is met by a table or not at all: they take most of the time.
        command.args(["--"]).args(part.tests).env("PROPTEST_CASES", "64");
        succeed(&mut command)?;
    }
    Ok(())
}
