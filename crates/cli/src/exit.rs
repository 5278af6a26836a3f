//! Exit codes, and what ends the program early.

use std::process::ExitCode;

/// Some updates did not arrive, or something that was checked is wrong.
pub(crate) const NOT_ALL_WELL: u8 = 1;

/// The command line, the configuration or the input is wrong. Nothing was sent.
pub(crate) const WRONG_INPUT: u8 = 2;

/// The program could not do its work: a port is taken, a file cannot be read.
pub(crate) const CANNOT_RUN: u8 = 3;

/// Nobody knows: what would tell was dropped to keep memory within its bound.
pub(crate) const UNKNOWN: u8 = 4;

/// The exit codes as `--help` lists them.
pub(crate) const HELP: &str = "Exit codes: 0 all is well; 1 an update did not arrive, or a check failed; \
2 the command line, the configuration or the input is wrong; 3 the program could not run; 4 nobody knows, because captures were dropped.";

/// Why the program ends early: a text for standard error, and a code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub(crate) fn wrong_input(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: WRONG_INPUT }
    }

    pub(crate) fn cannot_run(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: CANNOT_RUN }
    }

    /// What is wrong.
    pub(crate) fn text(&self) -> &str {
        &self.message
    }

    pub(crate) fn report(self) -> ExitCode {
        for line in self.message.lines() {
            anstream::eprintln!("{line}");
        }
        ExitCode::from(self.code)
    }
}
