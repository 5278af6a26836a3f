//! Secrets as they are typed. Every user of a machine can read the command lines of its processes, so that a secret is better
//! named there than given.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::{TypedValueParser, ValueParserFactory};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Command};
use secrecy::{ExposeSecret, SecretString};
use sender::settings::{Secret, Source, System};

/// The folder that a path on the command line is relative to.
const HERE: System = System { folder: PathBuf::new() };

/// A secret that was given by `env:NAME`, by `file:PATH`, by a variable of the environment that the flag has, or in place,
/// which is warned of. It does not print.
#[derive(Clone, Debug)]
pub(crate) struct Given(pub(crate) SecretString);

impl Given {
    /// The secret's text.
    pub(crate) fn text(&self) -> &str {
        self.0.expose_secret()
    }
}

impl ValueParserFactory for Given {
    type Parser = GivenParser;

    fn value_parser() -> GivenParser {
        GivenParser
    }
}

/// Reads a [`Given`], by where it comes from.
#[derive(Clone)]
pub(crate) struct GivenParser;

impl TypedValueParser for GivenParser {
    type Value = Given;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Given, clap::Error> {
        self.parse_ref_(command, arg, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<Given, clap::Error> {
        let flag = arg.and_then(Arg::get_long).unwrap_or_default();
        // The text itself is not in it: it may be the secret.
        let wrong = |why: &str| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("--{flag}: {why}\n")).with_cmd(command)
        };
        let text = value.to_str().ok_or_else(|| wrong("it is not UTF-8"))?;
        if source == ValueSource::CommandLine && matches!(text, "env:" | "file:") {
            return Err(wrong("write the variable's name behind env:, the file's path behind file:"));
        }
        // A variable's value is the secret itself, whatever it begins with.
        let typed = source == ValueSource::CommandLine;
        let secret = if typed { place(text) } else { Secret::InPlace(text.to_owned()) };
        if typed && !text.is_empty() && matches!(secret, Secret::InPlace(_)) {
            anstream::eprintln!(
                "warning: --{flag}: other users of this machine can read it in the list of processes; env:NAME and file:PATH keep it out"
            );
        }
        secret.read(&HERE).map(Given).map_err(|why| wrong(&why))
    }
}

/// Where a text on the command line says that the secret is.
fn place(text: &str) -> Secret {
    if let Some(name) = text.strip_prefix("env:") {
        return Secret::Variable { env: name.to_owned() };
    }
    match text.strip_prefix("file:") {
        Some(path) => Secret::File { file: path.into() },
        None => Secret::InPlace(text.to_owned()),
    }
}

/// Header lines: one in place, or those of a file, which no list of processes shows. No name of a field begins with `@`.
#[derive(Clone)]
pub(crate) struct HeaderLines(pub(crate) Vec<String>);

impl std::fmt::Debug for HeaderLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} header lines", self.0.len())
    }
}

impl HeaderLines {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('@') else { return Ok(Self(vec![text.to_owned()])) };
        let bytes = HERE.file(Path::new(path)).map_err(|error| format!("{path}: {error}"))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| format!("{path}: not UTF-8"))?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        Ok(Self(lines.map(str::to_owned).collect()))
    }
}
