//! Runs every fuzz target for a bounded time.

use crate::run::{cargo_command, root, succeed};

pub(crate) fn fuzz(seconds: u32) -> Result<(), String> {
    let installed = cargo_command(&["fuzz", "--version"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        return Err("cargo-fuzz is not installed: cargo install cargo-fuzz --locked".to_owned());
    }
    let targets = std::fs::read_dir(root().join("fuzz/fuzz_targets")).map_err(|error| error.to_string())?;
    let mut names: Vec<String> =
        targets.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    let mut failed = Vec::new();
    for name in &names {
        println!("fuzz {name} for {seconds} s");
        let limit = format!("-max_total_time={seconds}");
        let mut command = cargo_command(&[
            "fuzz",
            "run",
            name,
            "--",
            &limit,
            "-timeout=10",
            "-print_final_stats=0",
            "-verbosity=0",
        ]);
        // Sanitizers are unstable flags; with this any toolchain takes them.
        command.env("RUSTC_BOOTSTRAP", "1");
        if let Err(error) = succeed(&mut command) {
            eprintln!("{error}");
            failed.push(name.clone());
        }
    }
    println!("{}", serde_json::json!({ "targets": names.len(), "seconds": seconds, "failed": failed }));
    if failed.is_empty() { Ok(()) } else { Err(format!("laws were broken: {}", failed.join(", "))) }
}
