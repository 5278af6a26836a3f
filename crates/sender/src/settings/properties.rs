//! The law that a fuzzer plays against configuration files, replayable on any toolchain. It panics when it is broken.

use std::path::Path;

use super::{Guarding, Settings, Source};

/// A world with one variable and one file.
struct Table;

impl Source for Table {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "S").then(|| "a secret of the environment".to_owned())
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path == Path::new("f") {
            Ok(b"a secret of a file\n".to_vec())
        } else {
            Err("no such file".to_owned())
        }
    }
}

/// Whatever a file says: its mistakes are told with the lines that they are in, and what is accepted says the same when it
/// is written out and read again.
pub fn reading(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let settings = match Settings::parse(text, &Table, Guarding::Public) {
        Ok(settings) => settings,
        Err(error) => {
            assert!(!error.mistakes.is_empty(), "a file is refused, and nothing is wrong with it");
            let lines = 1 + text.bytes().filter(|&byte| byte == b'\n').count();
            for mistake in &error.mistakes {
                // That there are too many is a mistake of no line.
                let known =
                    mistake.line.map_or(mistake.place == "integrations", |line| (1..=lines).contains(&line));
                assert!(known, "{mistake:?} is in no line of the {lines} that there are");
                assert!(!mistake.what.is_empty(), "a mistake that is not told");
            }
            let _ = error.to_string();
            return;
        }
    };
    assert_eq!(settings.integrations.len(), settings.forms.len());
    let written = written(&settings);
    let again = Settings::parse(&written, &Table, Guarding::Public);
    let again = again.unwrap_or_else(|error| panic!("what was written out is refused: {error}\n{written}"));
    assert_eq!(self::written(&again), written, "a configuration changes when it is written out and read");
    let shown = format!("{settings:?}");
    assert!(!shown.contains("a secret of"), "a secret is printed: {shown}");
}

/// The integrations as a file, with their secrets.
fn written(settings: &Settings) -> String {
    let mut tables = toml::Table::new();
    for (name, form) in &settings.forms {
        let table = form.to_toml(true);
        let table = table.unwrap_or_else(|error| panic!("integration {name:?} cannot be written: {error}"));
        tables.insert(name.clone(), table.into());
    }
    let file = toml::Table::from_iter([("integrations".to_owned(), tables.into())]);
    toml::to_string_pretty(&file).unwrap_or_else(|error| panic!("a file cannot be written: {error}"))
}
