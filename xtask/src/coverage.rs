//! Which lines the tests run, those of the built programs that they start among them.

use std::process::Command;

use crate::run::{cargo, install, succeed, target};

pub(crate) fn coverage() -> Result<(), String> {
    install("llvm-cov")?;
    // Where there is no rustup, cargo-llvm-cov says itself what it misses.
    if Command::new("rustup").arg("--version").output().is_ok() {
        succeed(Command::new("rustup").args(["component", "add", "llvm-tools"]))?;
    }
    cargo(&["llvm-cov", "clean", "--workspace"])?;
    cargo(&["llvm-cov", "--no-report", "--workspace"])?;
    // What only starts other programs is no part of the product.
    let report = ["llvm-cov", "report", "--ignore-filename-regex", "xtask/"];
    cargo(&[&report[..], &["--summary-only"]].concat())?;
    let pages = target().join("coverage").display().to_string();
    cargo(&[&report[..], &["--html", "--output-dir", &pages]].concat())?;
    println!("line by line: {pages}/html/index.html");
    Ok(())
}
