//! Starting other programs, from the root of the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A cargo command that is still to be started.
pub(crate) fn cargo_command(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    command
}

/// Runs cargo and passes on whether it was content.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), String> {
    succeed(&mut cargo_command(arguments))
}

/// Has cargo install one of its subcommands, if it is not there.
pub(crate) fn install(subcommand: &str) -> Result<(), String> {
    let installed = cargo_command(&[subcommand, "--version"]).output();
    if installed.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let package = format!("cargo-{subcommand}");
    println!("{package} is not here; installing it: cargo install --locked {package}");
    cargo(&["install", "--quiet", "--locked", &package])
}

/// Runs a command and passes on whether it was content.
pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}")) }
}
