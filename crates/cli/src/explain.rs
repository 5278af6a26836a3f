//! `explain`: says how a text is read, step by step, without showing a secret.

mod authorization;
mod headers;

use std::io::Read;
use std::process::ExitCode;

use crate::args::Explain;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::show;

/// How much is read from standard input, in bytes.
const MAX_INPUT: u64 = 64 * 1024;

pub(crate) fn explain(what: &Explain) -> Result<ExitCode, Failure> {
    let (lines, well) = match what {
        Explain::Headers { text } => headers::explain(&given(text)?),
        Explain::Authorization { value } => authorization::explain(&given(value)?),
    };
    for line in lines {
        show::println(&line);
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

/// The argument, or with `-` what standard input holds, without its last line's end.
fn given(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    let read = std::io::stdin().take(MAX_INPUT).read_to_string(&mut text);
    read.map_err(|error| Failure::wrong_input(format!("error: standard input: {error}")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
