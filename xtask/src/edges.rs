//! Dependencies that must not be. Each is asked of cargo itself, whose answer must be that there is none; edges of
//! development count too.

use crate::run::cargo_command;

/// From a package to one that it must not reach.
const FORBIDDEN: &[(&str, &str)] = &[
    ("fusion-webhook-payload", "fusion-webhook-delivery"),
    ("fusion-webhook-payload", "fusion-webhook-receiver"),
    ("fusion-webhook-payload", "fusion-webhook-sender"),
    ("fusion-webhook-payload", "tokio"),
    ("fusion-webhook-payload", "hyper"),
    ("fusion-webhook-delivery", "fusion-webhook-payload"),
    ("fusion-webhook-delivery", "fusion-webhook-receiver"),
    ("fusion-webhook-receiver", "fusion-webhook-delivery"),
    ("fusion-webhook-sender", "fusion-webhook-receiver"),
    ("fusion-webhook-portal", "fusion-webhook-receiver"),
    ("xtask", "fusion-webhook-payload"),
    ("xtask", "fusion-webhook-delivery"),
    ("xtask", "fusion-webhook-receiver"),
    ("xtask", "fusion-webhook-sender"),
    ("fusion-webhook", "ring"),
];

pub(crate) fn edges() -> Result<(), String> {
    let mut found = Vec::new();
    for (from, to) in FORBIDDEN {
        let arguments = ["tree", "--quiet", "--package", from, "--edges", "all", "--invert", to];
        let output = cargo_command(&arguments).output().map_err(|error| error.to_string())?;
        if output.status.success() && !output.stdout.is_empty() {
            found.push(format!("{from} must not reach {to}:\n{}", String::from_utf8_lossy(&output.stdout)));
        }
    }
    if !found.is_empty() {
        return Err(found.join("\n"));
    }
    // The question itself must work: an edge that is there is found.
    let there =
        ["tree", "--quiet", "--package", "fusion-webhook-sender", "--invert", "fusion-webhook-payload"];
    let output = cargo_command(&there).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err("cargo does not find an edge that is there".to_owned());
    }
    println!("{} forbidden edges, none there", FORBIDDEN.len());
    Ok(())
}
