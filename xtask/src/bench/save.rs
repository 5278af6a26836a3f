//! Keeps the figures of a full run in `docs/`: a table with the machine that gave it, the same as rows for programs, and the
//! pictures.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{HEADS, cells, folder};
use crate::run::root;

pub(super) fn save(rows: &[Value]) -> Result<(), String> {
    let (from, docs) = (folder()?, root().join("docs"));
    let plots = docs.join("plots");
    std::fs::create_dir_all(&plots).map_err(|error| format!("{}: {error}", plots.display()))?;
    let pictures = pictures(&from)?;
    for name in &pictures {
        let copied = std::fs::copy(from.join(name), plots.join(name));
        copied.map_err(|error| format!("{name}: {error}"))?;
    }
    write(&docs.join("benchmarks.md"), &page(rows, &pictures))?;
    write(&docs.join("benchmarks.json"), &format!("{:#}\n", Value::from_iter(rows.iter().map(brief))))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// A row as programs read it.
fn brief(row: &Value) -> Value {
    let ratio = row["ratio"].as_f64().map(|ratio| (ratio * 1000.0).round() / 1000.0);
    json!({
        "name": row["name"], "unit": row["unit"], "ratio": ratio, "way": row["way"], "goal": row["goal"],
        "reached": row["reached"],
    })
}

/// The names of the pictures that the benches left.
fn pictures(folder: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut pictures: Vec<_> = names.filter(|name| name.ends_with(".svg")).collect();
    pictures.sort();
    Ok(pictures)
}

fn page(rows: &[Value], pictures: &[String]) -> String {
    let mut page = format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench --save`. Each row holds ours against a yardstick of the same run, in \
         turn, so that what the machine does meanwhile hits both; absolute times are worth nothing elsewhere. What each row \
         measures stands at the head of its bench in `benches/`, what limits those that were missed in \
         [performance.md](performance.md).\n\n## The machine\n\n{}\n## The table\n\nA figure is the median of its rounds, \
         the spread their edges.\n\n",
        machine()
    );
    let line = |cells: [String; 5]| format!("| {} |\n", cells.join(" | "));
    page += &line(HEADS.map(str::to_owned));
    page += "|---|---:|---|---:|---|\n";
    rows.iter().map(cells).for_each(|cells| page += &line(cells));
    page += "\n## How cost grows\n\n";
    for name in pictures {
        let _ = writeln!(page, "![{}](plots/{name})\n", name.trim_end_matches(".svg"));
    }
    page
}

/// What the machine says of itself.
fn machine() -> String {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(root()).output().ok();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let of = |file: &str, field: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        line.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let facts = [
        ("processor", of("/proc/cpuinfo", "model name")),
        ("cores", cores.to_string()),
        ("memory", of("/proc/meminfo", "MemTotal")),
        ("system", said("uname", &["-sr"])),
        ("file system of the store", said("stat", &["-f", "-c", "%T", "."])),
        ("compiler", said("rustc", &["--version"])),
        ("day", said("date", &["-u", "+%F"])),
        ("commit", said("git", &["log", "-1", "--format=%s"])),
    ];
    facts.iter().map(|(name, fact)| format!("- {name}: {fact}\n")).collect()
}
