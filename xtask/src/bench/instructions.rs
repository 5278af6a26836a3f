//! Instructions counted by callgrind, compared with the committed figures: they change with the code and the compiler, and
//! hardly with what else a machine does, so that a few percent are worth a failure.
//!
//! More than allowed fails. Less only asks for new figures, so that what was won is not lost again unseen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::read;
use crate::run::{cargo, cargo_command, root, succeed, target};

/// How far a count may be from its figure, as a part of it: hash maps have another seed in each run.
const MARGIN: f64 = 0.03;

/// Counts by the name of what is counted.
type Counts = BTreeMap<String, u64>;

fn figures() -> PathBuf {
    root().join("benches/instructions.json")
}

/// Counts, and compares with the figures.
pub(crate) fn compare() -> Result<(), String> {
    let (counted, figures) = (count()?, counts_in(&read(&figures())?)?);
    let (mut more, mut odd) = (Vec::new(), Vec::new());
    println!("{:<44} {:>12} {:>12} {:>8}", "instructions", "figure", "counted", "change");
    for (name, count) in &counted {
        let Some(figure) = figures.get(name) else {
            println!("{name:<44} {:>12} {count:>12}", "none");
            odd.push(format!("{name} has no figure"));
            continue;
        };
        let change = *count as f64 / *figure as f64 - 1.0;
        println!("{name:<44} {figure:>12} {count:>12} {:>+7.1}%", change * 100.0);
        if change > MARGIN {
            more.push(format!("{name} takes {:.1} % more instructions", change * 100.0));
        } else if change < -MARGIN {
            println!("  less than its figure: renew it by `cargo xtask bench instructions --write`");
        }
    }
    let gone = figures.keys().filter(|name| !counted.contains_key(*name));
    odd.extend(gone.map(|name| format!("{name} has a figure and is not counted any more")));
    more.extend(odd);
    if more.is_empty() {
        return Ok(());
    }
    let advice = "if it is meant, renew the figures by `cargo xtask bench instructions --write`";
    Err(format!("{}\n{advice}", more.join("\n")))
}

/// Counts, and keeps what was counted as the figures.
pub(crate) fn write() -> Result<(), String> {
    let counted = count()?;
    let text = serde_json::to_string_pretty(&counted).map_err(|error| error.to_string())?;
    fs::write(figures(), text + "\n").map_err(|error| format!("{}: {error}", figures().display()))?;
    counted.iter().for_each(|(name, count)| println!("{name:<44} {count:>12}"));
    Ok(())
}

fn counts_in(figures: &Value) -> Result<Counts, String> {
    serde_json::from_value(figures.clone()).map_err(|error| format!("the figures: {error}"))
}

/// Runs the bench, and gathers what its summaries say.
fn count() -> Result<Counts, String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("valgrind is not here; it counts the instructions".to_owned());
    }
    let (runner, home) = (runner()?, target().join("instructions"));
    // What an earlier run left under names that are gone would count.
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let home = home.canonicalize().map_err(|error| format!("{}: {error}", home.display()))?;
    let arguments = ["bench", "--quiet", "--package", "fusion-webhook", "--bench", "instructions"];
    let mut command = cargo_command(&arguments);
    command.env("GUNGRAUN_RUNNER", runner).env("GUNGRAUN_HOME", &home);
    // What it prints is in its summaries; what goes wrong is said elsewhere.
    succeed(command.env("GUNGRAUN_SAVE_SUMMARY", "json").stdout(Stdio::null()))?;
    let mut summaries = Vec::new();
    find(&home, "summary.json", &mut summaries)?;
    summaries
        .iter()
        .map(|file| counted(&read(file)?).ok_or_else(|| format!("{}: no count", file.display())))
        .collect()
}

/// The name and the count of a summary.
fn counted(summary: &Value) -> Option<(String, u64)> {
    let name = format!("{}: {}", summary["function_name"].as_str()?, summary["id"].as_str()?);
    // Callgrind is the only tool that the bench is run under.
    let count = summary.pointer("/profiles/0/data/total/metrics/Ir/values/new")?.as_u64()?;
    Some((name.replace('_', " "), count))
}

/// All files of a name below a folder.
fn find(folder: &Path, name: &str, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            find(&path, name, found)?;
        } else if path.file_name().is_some_and(|file| file == name) {
            found.push(path);
        }
    }
    Ok(())
}

/// What runs the bench, of the same version as the library in it; installed if it is not there.
fn runner() -> Result<PathBuf, String> {
    let version = version("gungraun")?;
    let folder = target().join("gungraun");
    let runner = folder.join("bin/gungraun-runner");
    let said = Command::new(&runner).arg("--version").output();
    if !said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim().ends_with(&version)) {
        println!("gungraun-runner {version} is not here; installing it into {}", folder.display());
        let root = folder.display().to_string();
        let package = format!("gungraun-runner@{version}");
        cargo(&["install", "--quiet", "--locked", "--force", "--root", &root, &package])?;
    }
    // A bench runs elsewhere.
    runner.canonicalize().map_err(|error| format!("{}: {error}", runner.display()))
}

/// The version of a dependency that the lock file names.
fn version(package: &str) -> Result<String, String> {
    let lock = root().join("Cargo.lock");
    let text = fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let after = text.split_once(&format!("\nname = \"{package}\"\nversion = \"")).map(|(_, after)| after);
    let version = after.and_then(|after| after.split_once('"')).map(|(version, _)| version.to_owned());
    version.ok_or_else(|| format!("{}: {package} is not in it", lock.display()))
}
