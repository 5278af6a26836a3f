//! What each file must be: opened by a purpose, of a bearable length, well named; and documents whose paths exist.

use std::path::{Path, PathBuf};

use crate::run::root;

/// The longest file, in lines, without its tests.
const MAX_LINES: usize = 400;

/// Files that may be longer, each with its reason.
const LONG: &[(&str, &str)] = &[];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] =
    &["mod.rs", "imp.rs", "utils.rs", "util.rs", "common.rs", "helpers.rs", "types.rs", "misc.rs"];

/// The longest `ARCHITECTURE.md`, in lines.
const MAX_ARCHITECTURE: usize = 250;

pub(super) fn check(wrong: &mut Vec<String>) {
    for file in sources() {
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else { continue };
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let shown = file.display();
        if EMPTY_NAMES.contains(&name) {
            wrong.push(format!("{shown}: the name says nothing of what is in it"));
        }
        if name != "tests.rs" && !text.starts_with("//!") {
            wrong.push(format!("{shown}: it opens with no //! that says what it is and why"));
        }
        let lines = without_tests(&text).lines().count();
        let allowed = LONG.iter().any(|(long, _)| Path::new(long) == file);
        if name != "tests.rs" && lines > MAX_LINES && !allowed {
            wrong.push(format!("{shown}: {lines} lines without its tests; {MAX_LINES} is the most"));
        }
        if name == "lib.rs" && file.starts_with("crates") {
            let code = |line: &&str| {
                ["fn ", "impl ", "struct ", "enum "]
                    .iter()
                    .any(|word| line.trim_start().trim_start_matches("pub ").starts_with(word))
            };
            if let Some(line) = text.lines().find(code) {
                wrong.push(format!("{shown}: it tells the crate's story and holds no code: {line}"));
            }
        }
    }
    architecture(wrong);
    security(wrong);
}

/// The text up to the tests in it.
pub(super) fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]").map_or(text, |tests| &text[..tests])
}

/// All Rust files of the project, relative to its root.
pub(super) fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["crates", "xtask", "tests", "benches", "fuzz"].iter().map(PathBuf::from).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(root().join(&folder)) else { continue };
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let made = [Path::new("fuzz/target"), Path::new("fuzz/corpus")].contains(&path.as_path());
            if is_folder && !made {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Every test and every constant that stands in backquotes in `SECURITY.md` must exist.
fn security(wrong: &mut Vec<String>) {
    let Ok(text) = std::fs::read_to_string(root().join("SECURITY.md")) else {
        wrong.push("SECURITY.md is missing".to_owned());
        return;
    };
    let code: String =
        sources().iter().filter_map(|file| std::fs::read_to_string(root().join(file)).ok()).collect();
    let made_of =
        |word: &str, fits: fn(char) -> bool| word.chars().all(|c| fits(c) || c == '_' || c.is_ascii_digit());
    for word in text.split('`').skip(1).step_by(2) {
        let is_test = made_of(word, |c| c.is_ascii_lowercase()) && word.contains('_');
        let is_constant = made_of(word, |c| c.is_ascii_uppercase());
        let there = code.contains(&format!("fn {word}(")) || code.contains(&format!("const {word}:"));
        if (is_test || is_constant) && !there {
            wrong.push(format!("SECURITY.md: there is no {word}"));
        }
    }
    limits(&text, wrong);
}

/// Every row of the table of limits must name a test at the limit's edge, in its fourth column.
fn limits(text: &str, wrong: &mut Vec<String>) {
    let Some((_, table)) = text.split_once("\n## Limits and defaults that protect\n") else {
        wrong.push("SECURITY.md: there are no limits that protect".to_owned());
        return;
    };
    // Below its names and the line under them.
    for row in table.lines().filter(|line| line.starts_with('|')).skip(2) {
        if !row.split('|').nth(4).is_some_and(|tests| tests.contains('`')) {
            wrong.push(format!("SECURITY.md: no test at its edge is named: {row}"));
        }
    }
}

/// Every path that stands in backquotes and has a slash or a Rust ending must exist.
fn architecture(wrong: &mut Vec<String>) {
    let Ok(text) = std::fs::read_to_string(root().join("ARCHITECTURE.md")) else {
        wrong.push("ARCHITECTURE.md is missing".to_owned());
        return;
    };
    let lines = text.lines().count();
    if lines > MAX_ARCHITECTURE {
        wrong.push(format!("ARCHITECTURE.md: {lines} lines; {MAX_ARCHITECTURE} is the most"));
    }
    for path in text.split('`').skip(1).step_by(2) {
        let is_path = !path.contains([' ', '(', ':']) && (path.contains('/') || path.ends_with(".rs"));
        if is_path && !root().join(path).exists() {
            wrong.push(format!("ARCHITECTURE.md: {path} does not exist"));
        }
    }
}
