//! What is depended on: licences, sources, duplicates and bans, by `deny.toml`, and known weaknesses.

use crate::run::{cargo_command, install, root, succeed};

/// The workspaces whose lock files are looked at.
const WORKSPACES: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

pub(crate) fn deny() -> Result<(), String> {
    install("deny")?;
    let config = root().join("deny.toml").display().to_string();
    // The list of known weaknesses is a repository of its own, which not every machine reaches.
    let fetched = cargo_command(&["deny", "--config", &config, "fetch", "db"]).output();
    let mut checks = vec!["licenses", "bans", "sources"];
    if fetched.is_ok_and(|output| output.status.success()) {
        checks.push("advisories");
    } else {
        println!("the list of known weaknesses is not to be had here, so that nothing was looked up in it");
    }
    for manifest in WORKSPACES {
        println!("{manifest}: {}", checks.join(", "));
        let flags =
            ["deny", "--manifest-path", manifest, "--config", &config, "check", "--hide-inclusion-graph"];
        succeed(cargo_command(&flags).args(["--allow", "unmatched-skip"]).args(&checks))?;
    }
    Ok(())
}
