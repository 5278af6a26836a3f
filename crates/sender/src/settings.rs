//! The configuration file: integrations and policies in TOML, and the only place that reads the environment and files
//! for them.
//!
//! As typed, it is read by private twins of the real types; resolved, secrets come from where they are kept; used, it is
//! integrations and policies that cannot be wrong.

#[doc(hidden)]
pub mod properties;
mod server;
mod typed;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::form::Form;
pub use crate::integration::Guarding;
use crate::integration::Integration;
use crate::policy::Policy;

pub use server::{DEFAULT_DRAIN, DEFAULT_LISTEN, MIN_TOKEN, Server};
pub use typed::Secret;

/// A commented configuration with every key and its default.
pub const EXAMPLE: &str = include_str!("settings/example.toml");

/// The longest configuration file, in bytes.
pub const MAX_FILE: u64 = 4 * 1024 * 1024;

/// The most integrations of a file; where there are as many in the file and in the store, none is added.
pub const MAX_INTEGRATIONS: usize = 10_000;

/// The same of policies.
pub const MAX_POLICIES: usize = 1_000;

/// A configuration that cannot be wrong.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Integrations by name.
    pub integrations: BTreeMap<String, Arc<Integration>>,
    /// The same as they are filled in.
    pub forms: BTreeMap<String, Arc<Form>>,
    /// Policies, in order.
    pub policies: Vec<Policy>,
    /// How the server runs.
    pub server: Server,
}

/// Why a configuration cannot be used: all mistakes, each with its place.
#[derive(Debug)]
pub struct SettingsError {
    /// The file, if it was one.
    pub file: Option<PathBuf>,
    /// The mistakes.
    pub mistakes: Vec<Mistake>,
}

/// One mistake.
#[derive(Debug)]
pub struct Mistake {
    /// The line, from 1, if it is known.
    pub line: Option<usize>,
    /// What it is about: `integrations.siem`, `policies`.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

/// Where secrets and files are read from; a table of both in tests.
pub trait Source {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// A file's text.
    ///
    /// # Errors
    /// Why it cannot be read, for a person.
    fn file(&self, path: &Path) -> Result<Vec<u8>, String>;
}

/// The process's environment, and files relative to a folder.
#[derive(Debug)]
pub struct System {
    /// The folder that files are relative to; empty is the working one.
    pub folder: PathBuf,
}

impl Source for System {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = std::fs::File::open(self.folder.join(path))
            .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
        read.map_err(|error| error.to_string())?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(format!("it is longer than {MAX_FILE} bytes"));
        }
        Ok(bytes)
    }
}

impl Settings {
    /// Reads a configuration file; the files that it names are relative to its folder. `guarding` says whether its
    /// integrations may connect everywhere.
    ///
    /// # Errors
    /// All mistakes together.
    pub fn read(path: &Path, guarding: Guarding) -> Result<Self, SettingsError> {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let alone = |what| SettingsError {
            file: Some(path.to_path_buf()),
            mistakes: vec![Mistake { line: None, place: String::new(), what }],
        };
        let name = path.file_name().map(Path::new).unwrap_or(path);
        let system = System { folder };
        if std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Err(alone(
                "there is no such file; write one as the README shows, or name another".to_owned(),
            ));
        }
        let text = system.file(name).map_err(alone)?;
        let text = String::from_utf8(text).map_err(|_| alone("it is not UTF-8".to_owned()))?;
        Self::parse(&text, &system, guarding)
            .map_err(|error| SettingsError { file: Some(path.to_path_buf()), ..error })
    }

    /// Reads a configuration from its text.
    ///
    /// # Errors
    /// All mistakes together.
    pub fn parse(text: &str, source: &impl Source, guarding: Guarding) -> Result<Self, SettingsError> {
        let lines = Lines::of(text);
        let typed = typed::parse(text, &lines)
            .map_err(|mistake| SettingsError { file: None, mistakes: vec![mistake] })?;
        let mut mistakes = too_many(&typed);
        // Gathered first: a map that is made of all at once is half as large as one that grew.
        let (mut integrations, mut forms) = (Vec::new(), Vec::new());
        for (name, integration) in typed.integrations {
            let line = Some(lines.at(integration.span().start));
            let place = format!("integrations.{name}");
            let form = integration.into_inner().resolve(&name, source);
            let checked = form.and_then(|form| Ok((form.check(&name, guarding)?, form)));
            match checked {
                Ok((integration, form)) => {
                    integrations.push((name.clone(), Arc::new(integration)));
                    forms.push((name, Arc::new(form)));
                }
                Err(whats) => {
                    mistakes.extend(whats.into_iter().map(|what| Mistake {
                        line,
                        place: place.clone(),
                        what,
                    }));
                }
            }
        }
        let known: Vec<String> = typed.names;
        let mut policies = Vec::new();
        for (number, policy) in (1..).zip(typed.policies) {
            let line = Some(lines.at(policy.span().start));
            let mut policy = Policy::from(policy.into_inner());
            if policy.id.is_empty() {
                policy.id = format!("policies[{number}]");
            }
            let place = if policy.name.is_empty() {
                format!("policies[{number}]")
            } else {
                format!("policies.{}", policy.name)
            };
            for missing in policy.integrations.iter().filter(|name| !known.contains(name)) {
                let what = format!("there is no integration {missing:?}; there are: {}", known.join(", "));
                mistakes.push(Mistake { line, place: place.clone(), what });
            }
            if policy.integrations.is_empty() {
                let what = "it names no integration, so it does nothing".to_owned();
                mistakes.push(Mistake { line, place, what });
            }
            policies.push(policy);
        }
        let server = server_of(typed.server, &lines, source, &mut mistakes);
        if mistakes.is_empty() {
            let (integrations, forms) = (integrations.into_iter().collect(), forms.into_iter().collect());
            Ok(Self { integrations, forms, policies, server })
        } else {
            Err(SettingsError { file: None, mistakes })
        }
    }
}

/// What there is more of than there may be.
fn too_many(typed: &typed::Typed) -> Vec<Mistake> {
    let counts = [
        ("integrations", typed.integrations.len(), MAX_INTEGRATIONS),
        ("policies", typed.policies.len(), MAX_POLICIES),
    ];
    let mistake = |(place, _, most): (&str, usize, usize)| {
        let what = format!("there are more than {most}");
        Mistake { line: None, place: place.to_owned(), what }
    };
    counts.into_iter().filter(|(_, many, most)| many > most).map(mistake).collect()
}

/// The server as it is to run; what is wrong is told under the line of its table.
fn server_of(
    typed: Option<toml::Spanned<typed::TypedServer>>,
    lines: &Lines,
    source: &impl Source,
    mistakes: &mut Vec<Mistake>,
) -> Server {
    let Some(typed) = typed else { return Server::default() };
    let line = Some(lines.at(typed.span().start));
    typed.into_inner().resolve(source).unwrap_or_else(|whats| {
        let mistake = |what| Mistake { line, place: "server".to_owned(), what };
        mistakes.extend(whats.into_iter().map(mistake));
        Server::default()
    })
}

/// Where the lines of a text end: looked for once, since a file has thousands of tables.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(end, _)| end).collect())
    }

    /// The line, from 1, of the byte at `offset`.
    fn at(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|end| *end < offset)
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file =
            self.file.as_ref().map_or_else(|| "configuration".to_owned(), |file| file.display().to_string());
        for (position, mistake) in self.mistakes.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "{file}:")?;
            if let Some(line) = mistake.line {
                write!(f, "{line}:")?;
            }
            if !mistake.place.is_empty() {
                write!(f, " {}:", mistake.place)?;
            }
            write!(f, " {}", mistake.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests;
