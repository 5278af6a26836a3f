//! Updates from files and standard input: one JSON object, an array of them, or one after the other.

use std::io::Read;
use std::path::{Path, PathBuf};

use payload::check::Weight;
use payload::{FieldNames, Update};

use crate::exit::Failure;
use crate::show;

/// How much is read of all files together, in bytes: it is held in memory.
pub(crate) const MAX_INPUT: u64 = 512 * 1024 * 1024;

/// Reads a file whole; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_INPUT + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        let advice = "name a file that is there and can be read, or - for standard input";
        Failure::wrong_input(format!("error: {}: {error}; {advice}", name(path)))
    })?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(Failure::wrong_input(format!("error: {}: longer than {MAX_INPUT} bytes", name(path))));
    }
    Ok(bytes)
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Reads all updates of all files. Those that no receiver could use are refused, with all their findings; what is only
/// odd is said on standard error.
pub(crate) fn updates(files: &[PathBuf], names: &FieldNames) -> Result<Vec<Update>, Failure> {
    let mut updates = Vec::new();
    let mut wrong = Vec::new();
    for file in files {
        let bytes = read(file)?;
        let texts = payload::split(&bytes)
            .map_err(|error| Failure::wrong_input(format!("error: {}: {error}", name(file))))?;
        if texts.is_empty() {
            return Err(Failure::wrong_input(format!("error: {}: there is no update in it", name(file))));
        }
        let many = texts.len() > 1;
        for (number, text) in (1..).zip(texts) {
            let place = if many { format!("{}, update {number}", name(file)) } else { name(file) };
            match Update::parse(text.to_vec()) {
                Ok(update) => {
                    let (errors, warnings) = findings(&update, names);
                    wrong.extend(errors.iter().map(|error| format!("error: {place}: {error}")));
                    for warning in warnings.iter().take(show::MAX_PROBLEMS) {
                        anstream::eprintln!("warning: {place}: {warning}");
                    }
                    if warnings.len() > show::MAX_PROBLEMS {
                        let more = warnings.len() - show::MAX_PROBLEMS;
                        anstream::eprintln!("warning: {place}: and {more} more like these");
                    }
                    updates.push(update);
                }
                Err(error) => wrong.push(format!("error: {place}: {error}")),
            }
        }
    }
    if wrong.is_empty() {
        return Ok(updates);
    }
    wrong.push("nothing was sent; --as-is sends a file unread".to_owned());
    Err(Failure::wrong_input(wrong.join("\n")))
}

/// What is wrong with an update, and what is odd.
fn findings(update: &Update, names: &FieldNames) -> (Vec<String>, Vec<String>) {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        payload::check(update, names).into_iter().partition(|finding| finding.weight == Weight::Error);
    let texts = |findings: Vec<payload::Finding>| {
        findings.iter().map(|finding| show::printable(&finding.to_string()).into_owned()).collect()
    };
    (texts(errors), texts(warnings))
}
