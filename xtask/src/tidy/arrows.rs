//! Which crate may know which, and which module which. The tables are the design; the code is compared with them, and
//! an arrow that the code no longer needs goes from the table too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::files::{sources, without_tests};
use crate::run::root;

/// A name and those that it may name.
type Arrows = (&'static str, &'static [&'static str]);

/// What each crate may depend on of ours, for development too.
const CRATES: &[Arrows] = &[
    ("payload", &[]),
    ("delivery", &[]),
    ("receiver", &["payload"]),
    ("sender", &["delivery", "payload"]),
    ("portal", &["delivery", "payload", "sender"]),
    ("cli", &["delivery", "payload", "portal", "receiver", "sender"]),
];

/// What each module of a crate may name of the others. Only top-level modules count: what is below one is its own affair.
const MODULES: &[(&str, &[Arrows])] = &[
    (
        "payload",
        &[
            ("error", &[]),
            ("schema", &[]),
            ("blocks", &[]),
            ("words", &[]),
            ("json", &["error", "words"]),
            ("lookup", &["json", "schema"]),
            ("update", &["blocks", "error", "json", "lookup", "schema"]),
            ("batch", &["update"]),
            ("out", &["json"]),
            ("labels", &["json", "out", "schema"]),
            ("value", &["error", "json", "labels", "out"]),
            ("event", &["error", "json", "labels", "out", "schema", "update", "value"]),
            ("field_names", &["error", "event", "json", "lookup", "out", "schema", "update", "value"]),
            ("check", &["field_names", "json", "schema", "update", "value"]),
            ("generate", &["event", "value"]),
            (
                "properties",
                &["check", "error", "event", "field_names", "lookup", "schema", "update", "value"],
            ),
            ("strategies", &["schema"]),
        ],
    ),
    (
        "delivery",
        &[
            ("clock", &[]),
            ("tasks", &[]),
            ("message", &[]),
            ("outcome", &[]),
            ("target", &["outcome"]),
            ("http", &["clock", "message", "outcome", "target", "tasks"]),
            ("retry", &["clock", "outcome"]),
            ("breaker", &["clock", "retry"]),
            ("store", &["clock", "message", "retry"]),
            ("lane", &["breaker", "clock", "outcome", "retry", "store"]),
            ("schedule", &["clock", "lane", "outcome", "retry", "store"]),
            (
                "engine",
                &[
                    "breaker", "clock", "http", "lane", "message", "outcome", "retry", "schedule", "store",
                    "target", "tasks",
                ],
            ),
        ],
    ),
    (
        "receiver",
        &[
            ("clock", &[]),
            ("wire", &[]),
            ("request", &["wire"]),
            ("verdict", &[]),
            ("check", &["request", "verdict", "wire"]),
            ("fault", &[]),
            ("reply", &["check", "fault", "request", "verdict"]),
            ("capture", &["clock", "fault", "request", "verdict", "wire"]),
            ("expect", &["capture", "verdict", "wire"]),
            ("server", &["capture", "check", "clock", "fault", "reply", "request", "verdict", "wire"]),
            ("inspector", &["capture", "clock", "fault", "request", "server", "verdict"]),
            (
                "mock",
                &[
                    "capture",
                    "check",
                    "clock",
                    "expect",
                    "fault",
                    "inspector",
                    "request",
                    "server",
                    "verdict",
                ],
            ),
            ("scenario", &["check", "fault", "mock", "verdict"]),
        ],
    ),
    (
        "sender",
        &[
            ("duration", &[]),
            ("integration", &[]),
            ("policy", &[]),
            ("message", &[]),
            ("form", &["duration", "integration"]),
            ("preview", &["form", "integration", "message"]),
            ("settings", &["duration", "form", "integration", "policy"]),
            ("seal", &[]),
            ("accept", &["integration", "message", "policy"]),
            ("book", &["accept", "form", "integration", "policy", "seal", "settings"]),
        ],
    ),
    (
        "portal",
        &[
            ("access", &[]),
            ("arrival", &["access"]),
            ("history", &[]),
            ("watch", &["history"]),
            ("portal", &["access", "watch"]),
            ("api", &["access", "arrival", "portal", "watch"]),
            ("pages", &["access", "api", "arrival", "history", "portal"]),
            ("server", &["access", "api", "history", "pages", "portal"]),
        ],
    ),
    (
        "cli",
        &[
            ("clock", &[]),
            ("exit", &[]),
            ("show", &[]),
            ("secret", &[]),
            ("stop", &["exit"]),
            ("args", &["exit", "secret"]),
            ("input", &["exit", "show"]),
            ("target", &["args", "exit", "show"]),
            ("ask", &["exit", "secret", "show"]),
            ("key", &["exit", "secret"]),
            ("operate", &["args", "ask", "exit", "key", "secret", "show", "target"]),
            ("store", &["args", "exit", "show"]),
            ("send", &["args", "ask", "exit", "input", "show", "stop", "target"]),
            ("receive", &["args", "clock", "exit", "secret", "show", "stop", "target"]),
            ("certify", &["args", "clock", "exit", "show", "target"]),
            ("explain", &["args", "exit", "show"]),
            ("serve", &["args", "clock", "exit", "key", "show", "stop"]),
            ("demo", &["args", "clock", "exit", "receive", "show"]),
            ("check", &["args", "clock", "exit", "input", "show", "target"]),
        ],
    ),
];

pub(super) fn check(wrong: &mut Vec<String>) {
    for (name, allowed) in CRATES {
        crate_arrows(name, allowed, wrong);
    }
    for (name, modules) in MODULES {
        module_arrows(name, modules, wrong);
    }
}

fn crate_arrows(name: &str, allowed: &[&str], wrong: &mut Vec<String>) {
    let manifest = format!("crates/{name}/Cargo.toml");
    let Ok(text) = std::fs::read_to_string(root().join(&manifest)) else {
        wrong.push(format!("{manifest} is missing"));
        return;
    };
    for (other, _) in CRATES {
        let named =
            |line: &str| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} ="));
        if text.lines().any(named) && !allowed.contains(other) {
            wrong.push(format!("{manifest}: {name} must not depend on {other}"));
        }
    }
}

fn module_arrows(name: &str, modules: &[Arrows], wrong: &mut Vec<String>) {
    let found = arrows_of(name, modules);
    let mut before: BTreeSet<&str> = BTreeSet::new();
    for (module, allowed) in modules {
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        // The table's own order shows that there is no cycle: everyone names those above only.
        for later in allowed.difference(&before) {
            wrong.push(format!(
                "the table of {name} names {later} in {module} before its own row: a cycle, or out of order"
            ));
        }
        before.insert(module);
        let found = found.get(*module).cloned().unwrap_or_default();
        for new in found.iter().filter(|found| !allowed.contains(found.as_str())) {
            wrong.push(format!("{name}: {module} names {new}, which the table of arrows does not allow"));
        }
        for gone in allowed.iter().filter(|allowed| !found.contains(**allowed)) {
            wrong.push(format!(
                "{name}: {module} does not name {gone} any more; take the arrow from the table"
            ));
        }
    }
    for module in found.keys().filter(|module| !before.contains(module.as_str())) {
        wrong.push(format!("{name}: {module} has no row in the table of arrows"));
    }
}

/// Which top-level modules each top-level module names.
fn arrows_of(name: &str, modules: &[Arrows]) -> BTreeMap<String, BTreeSet<String>> {
    let source = Path::new("crates").join(name).join("src");
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources() {
        let Ok(inside) = file.strip_prefix(&source) else { continue };
        let first = inside.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
        let module = first.trim_end_matches(".rs").to_owned();
        if matches!(&*module, "lib" | "main") || inside.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(root().join(&file)).unwrap_or_default();
        let code: Vec<&str> =
            without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let named = names(&code.join("\n"), modules, &reexports(&source));
        arrows.entry(module.clone()).or_default().extend(named.into_iter().filter(|other| *other != module));
    }
    arrows
}

/// What the crate's `lib.rs` passes on: the type's name and the module it comes from.
fn reexports(source: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join(source).join("lib.rs")).unwrap_or_default();
    let mut found = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("pub use ")) {
        let Some((module, items)) = line.trim_end_matches(';').split_once("::") else { continue };
        for item in items.trim_matches(['{', '}']).split(", ") {
            found.insert(item.to_owned(), module.to_owned());
        }
    }
    found
}

/// The modules that stand after `crate::` in the code, single or in braces, types that `lib.rs` passes on included.
fn names(code: &str, modules: &[Arrows], reexports: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let group = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(group, _)| group);
        let items = group.map_or_else(|| vec![rest], |group| group.split(',').collect());
        for item in items {
            let word: String =
                item.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if modules.iter().any(|(module, _)| *module == word) && !reexports.contains_key(&word) {
                found.insert(word);
            } else if let Some(module) = reexports.get(&word) {
                found.insert(module.clone());
            }
        }
    }
    found
}
