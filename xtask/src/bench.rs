//! Runs the benches and prints ratios: ours against the usual ways in the same run, and the portal over a long history against
//! its own `/healthz`.

use crate::run::{cargo, target};

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

const ROWS: &[Row] = &[
    row("reading", "ours", "serde derive", 5.5),
    row("reading in any order and white space", "ours", "serde derive", 4.0),
    row("reading the page's sample", "ours", "serde derive", 4.0),
    row("reading a rich event of 5 KB", "ours", "serde derive", 5.5),
    row("what policies need", "ours, read and asked", "serde derive", 2.0),
    row("what policies need", "ours, asked", "serde derive", 3.5),
    row("writing", "ours, as it was read", "serde derive", 6.0),
    row("writing", "ours, typed", "serde derive", 2.4),
    row("writing", "ours, names of equal length", "ours, as it was read", 0.98),
    row("writing the page's sample", "ours, as it was read", "serde derive", 6.0),
    row("writing the page's sample", "ours, typed", "serde derive", 2.4),
    row("writing a rich event of 5 KB", "ours, as it was read", "serde derive", 6.0),
    row("writing a rich event of 5 KB", "ours, typed", "serde derive", 2.4),
    row("renaming", "ours", "serde value", 10.0),
    row("renaming", "ours", "ours, nothing renamed", 0.97),
    row("header list", "ours, where it stands", "split, trim, to_string", 4.0),
    row("header list", "ours, where it stands", "httparse", 0.67),
    row("basic credentials", "ours", "base64 into a Vec, then String", 1.5),
    row("receiving", "ours", "wiremock", 3.0),
    row("receiving", "ours", "bare hyper", 0.5),
];

pub(crate) fn bench(quick: bool) -> Result<(), String> {
    let mut arguments = vec!["bench", "--package", "fusion-webhook"];
    arguments.extend(["--bench", "payload", "--bench", "target", "--bench", "receiver"]);
    if quick {
        arguments.extend(["--", "--warm-up-time", "0.2", "--measurement-time", "0.5", "--sample-size", "10"]);
    }
    cargo(&arguments)?;
    let mut rows = Vec::new();
    println!("{:<70} {:>7} {:>6}", "how many times as fast as the yardstick", "ratio", "goal");
    for Row { group, ours, yardstick, goal } in ROWS {
        let ratio = nanoseconds(group, yardstick)? / nanoseconds(group, ours)?;
        let (name, reached) = (format!("{group}: {ours} / {yardstick}"), ratio >= *goal);
        println!("{name:<70} {ratio:>7.2} {goal:>6} {}", if reached { "" } else { "missed" });
        let ratio = (ratio * 100.0).round() / 100.0;
        rows.push(serde_json::json!({ "name": name, "ratio": ratio, "goal": goal, "reached": reached }));
    }
    println!("{}", serde_json::Value::Array(rows));
    portal(quick)
}

/// How soon the portal answers over a long history; over a short one, if it shall be quick.
pub(crate) fn portal(quick: bool) -> Result<(), String> {
    let mut arguments = vec!["bench", "--package", "fusion-webhook", "--bench", "portal"];
    if quick {
        arguments.extend(["--", "--quick"]);
    }
    cargo(&arguments)
}

fn nanoseconds(group: &str, name: &str) -> Result<f64, String> {
    let file = target().join("criterion").join(group).join(name).join("new/estimates.json");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let read: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    read["median"]["point_estimate"].as_f64().ok_or_else(|| format!("{}: no median", file.display()))
}
