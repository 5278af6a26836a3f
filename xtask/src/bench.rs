//! Runs the benches, and prints what they come to as one table: each row a ratio to a yardstick of the same run, and its goal.

pub(crate) mod instructions;
mod save;

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::run::{cargo_command, succeed, target};

/// One line of the table: a group, ours in it, the yardstick, and how many times as fast ours is meant to be.
struct Row {
    group: &'static str,
    ours: &'static str,
    yardstick: &'static str,
    goal: f64,
}

const fn row(group: &'static str, ours: &'static str, yardstick: &'static str, goal: f64) -> Row {
    Row { group, ours, yardstick, goal }
}

/// What Criterion measures: the bench, and its rows.
const CRITERION: &[(&str, &[Row])] = &[
    (
        "payload",
        &[
            row("reading", "ours", "serde derive", 5.5),
            row("reading in any order and white space", "ours", "serde derive", 4.0),
            row("reading the page's sample", "ours", "serde derive", 4.0),
            row("reading a rich event of 5 KB", "ours", "serde derive", 5.5),
            row("what policies need", "ours, read and asked", "serde derive", 2.0),
            row("what policies need", "ours, asked", "serde derive", 3.5),
            row("writing", "ours, as it was read", "serde derive", 6.0),
            row("writing", "ours, typed", "serde derive", 2.4),
            row("writing", "ours, typed, names of equal length", "ours, typed", 0.98),
            row("writing the page's sample", "ours, as it was read", "serde derive", 6.0),
            row("writing the page's sample", "ours, typed", "serde derive", 2.4),
            row("writing a rich event of 5 KB", "ours, as it was read", "serde derive", 6.0),
            row("writing a rich event of 5 KB", "ours, typed", "serde derive", 2.4),
            row("renaming", "ours", "serde value", 10.0),
            row("renaming", "ours", "ours, nothing renamed", 0.97),
        ],
    ),
    (
        "target",
        &[
            row("header list", "ours, where it stands", "split, trim, to_string", 4.0),
            row("header list", "ours, where it stands", "httparse", 0.67),
            row("basic credentials", "ours", "base64 into a Vec, then String", 1.5),
        ],
    ),
    // Flat: what waits costs nothing.
    ("scheduler", &[row("schedule", "1000000 waiting", "100 waiting", 0.8)]),
];

/// How many rounds Criterion's benches take; an odd number has a median.
const ROUNDS: usize = 9;

/// How long Criterion prepares, measures and computes for one figure of a round.
const LENGTHS: [&str; 8] =
    ["--warm-up-time", "0.2", "--measurement-time", "0.4", "--sample-size", "20", "--nresamples", "2000"];

/// The most that waits in a store, where a look shall be quick.
const QUICK_BACKLOG: &str = "10000";

/// What is not measured by Criterion, since ours and the yardstick must take turns, and gives its rows itself.
const IN_TURN: [&str; 2] = ["store", "programs"];

/// How soon the portal answers over a long history; it prints its own table.
const PORTAL: &str = "portal";

/// Arguments after `bench`: the name of one bench, `--quick`, `--save`, in any order.
pub(crate) fn bench(words: &[&str]) -> Result<(), String> {
    let known = || CRITERION.iter().map(|(name, _)| *name).chain(IN_TURN).chain([PORTAL]);
    let (flags, names): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.starts_with("--"));
    if let Some(odd) = flags.iter().find(|flag| !["--quick", "--save"].contains(flag)) {
        return Err(format!("{odd} is no flag of bench: there are --quick and --save"));
    }
    if let Some(odd) = names.iter().find(|name| !known().any(|known| known == **name)) {
        let known: Vec<_> = known().collect();
        return Err(format!("{odd} is no bench; there are {}", known.join(", ")));
    }
    let (quick, save) = (flags.contains(&"--quick"), flags.contains(&"--save"));
    if save && (quick || !names.is_empty()) {
        return Err(
            "--save keeps the figures of a full run: it goes with neither --quick nor a name".to_owned()
        );
    }
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    let mut rows = Vec::new();
    for (name, of) in CRITERION.iter().filter(|(name, _)| wanted(name)) {
        rows.extend(in_rounds(name, of, quick)?);
    }
    for name in IN_TURN.iter().filter(|name| wanted(name)) {
        rows.extend(in_turn(name, quick)?);
    }
    print(&rows);
    if save {
        save::save(&rows)?;
    }
    if wanted(PORTAL) {
        run(PORTAL, if quick { &["--quick"] } else { &[] })?;
    }
    Ok(())
}

fn run(bench: &str, arguments: &[&str]) -> Result<(), String> {
    succeed(&mut command(bench, arguments))
}

fn command(bench: &str, arguments: &[&str]) -> Command {
    let before = ["bench", "--quiet", "--package", "fusion-webhook", "--bench", bench, "--"];
    cargo_command(&[before.as_slice(), arguments].concat())
}

/// The rows of a bench of Criterion's. It measures one thing after the other, so that a machine whose pace changes would be
/// what a ratio tells of: each round measures all once, and shortly.
fn in_rounds(name: &str, rows: &[Row], quick: bool) -> Result<Vec<Value>, String> {
    let mut ratios = vec![Vec::new(); rows.len()];
    for _ in 0..if quick { 1 } else { ROUNDS } {
        for row in rows {
            // So that nothing is read that was not measured now.
            let _ = std::fs::remove_dir_all(estimates(row.group));
        }
        let mut command = command(name, &LENGTHS);
        command.envs(quick.then_some(("BENCH_BACKLOG", QUICK_BACKLOG)));
        succeed(&mut command)?;
        for (ratios, row) in ratios.iter_mut().zip(rows) {
            ratios.push(nanoseconds(row.group, row.yardstick)? / nanoseconds(row.group, row.ours)?);
        }
    }
    Ok(rows.iter().zip(ratios).map(|(row, ratios)| told(row, ratios)).collect())
}

/// Where the benches leave what they found: figures, and pictures.
fn folder() -> Result<PathBuf, String> {
    let folder = target().join("bench");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // A bench runs elsewhere.
    folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))
}

/// The rows that such a bench gives.
fn in_turn(name: &str, quick: bool) -> Result<Vec<Value>, String> {
    let folder = folder()?;
    let to = folder.display().to_string();
    let mut arguments = vec!["--to", &to];
    arguments.extend(quick.then_some("--quick"));
    run(name, &arguments)?;
    let file = folder.join(format!("{name}.json"));
    let read = read(&file)?;
    read["rows"].as_array().cloned().ok_or_else(|| format!("{}: no rows", file.display()))
}

fn read(file: &std::path::Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// How many times as fast as the yardstick: the median of the rounds, and their edges.
fn told(Row { group, ours, yardstick, goal }: &Row, mut ratios: Vec<f64>) -> Value {
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios.get(ratios.len() / 2);
    json!({
        "name": format!("{group}: {ours} / {yardstick}"), "unit": "×", "ratio": ratio,
        "spread": [ratios.first(), ratios.last()], "way": "at least", "goal": goal,
        "reached": ratio.is_some_and(|ratio| ratio >= goal),
    })
}

/// Where Criterion leaves what it found of a group.
fn estimates(group: &str) -> PathBuf {
    target().join("criterion").join(group)
}

/// The median of the samples of the last round.
fn nanoseconds(group: &str, name: &str) -> Result<f64, String> {
    let file = estimates(group).join(name).join("new/estimates.json");
    let median = &read(&file)?["median"]["point_estimate"];
    median.as_f64().ok_or_else(|| format!("{}: no median", file.display()))
}

/// A figure as people read it: three digits that count.
fn short(value: &Value) -> String {
    let number = value.as_f64().unwrap_or(f64::NAN);
    let digits = match number.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{number:.digits$}")
}

/// The cells of a row: its name, ratio, spread, goal and whether it was reached.
fn cells(row: &Value) -> [String; 5] {
    let unit = row["unit"].as_str().unwrap_or_default();
    let spread = format!("{} to {}", short(&row["spread"][0]), short(&row["spread"][1]));
    let way = if row["way"] == "at most" { "≤" } else { "≥" };
    let reached = if row["reached"] == true { "yes" } else { "missed" };
    [
        row["name"].as_str().unwrap_or_default().to_owned(),
        format!("{}{unit}", short(&row["ratio"])),
        spread,
        format!("{way} {}{unit}", row["goal"]),
        reached.to_owned(),
    ]
}

const HEADS: [&str; 5] = ["what / yardstick of the same run", "figure", "spread", "goal", "reached"];

fn print(rows: &[Value]) {
    let line = |[name, figure, spread, goal, reached]: [String; 5]| {
        println!("{name:<72} {figure:>10} {spread:>18} {goal:>10}  {reached}");
    };
    line(HEADS.map(str::to_owned));
    rows.iter().map(cells).for_each(line);
}
