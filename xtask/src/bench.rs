//! Runs the benches and prints ratios: ours against the usual ways in the same run, and the portal over a long history against
//! its own `/healthz`.

use crate::run::{cargo, target};

/// A group, ours in it, and the yardstick.
const PAIRS: &[(&str, &str, &str)] = &[
    ("reading", "update", "serde_json value"),
    ("reading", "typed event", "serde_json value"),
    ("writing", "typed event", "serde_json value"),
    ("renaming", "update", "serde_json value"),
    ("receiving", "ours", "wiremock"),
    ("receiving", "ours", "bare hyper"),
];

pub(crate) fn bench(quick: bool) -> Result<(), String> {
    let mut arguments =
        vec!["bench", "--package", "fusion-webhook", "--bench", "payload", "--bench", "receiver"];
    if quick {
        arguments.extend(["--", "--warm-up-time", "0.2", "--measurement-time", "0.5", "--sample-size", "10"]);
    }
    cargo(&arguments)?;
    let mut ratios = serde_json::Map::new();
    for (group, ours, yardstick) in PAIRS {
        let ratio = nanoseconds(group, yardstick)? / nanoseconds(group, ours)?;
        println!("{group}: {ours} is {ratio:.2} times as fast as {yardstick}");
        ratios.insert(
            format!("{group}: {ours} beside {yardstick}"),
            serde_json::json!((ratio * 100.0).round() / 100.0),
        );
    }
    println!("{}", serde_json::Value::Object(ratios));
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
