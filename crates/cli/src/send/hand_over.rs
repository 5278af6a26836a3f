//! `send --server`: hands updates to a running server, and shows what it answers for each.

use std::process::ExitCode;

use payload::{FieldNames, Update};
use serde_json::{Value, json};

use crate::args::Send;
use crate::ask::Ask;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::{input, show};

/// How many updates, and how many bytes of them, go in one request.
const BATCH: usize = 1000;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

pub(crate) fn hand_over(arguments: &Send) -> Result<ExitCode, Failure> {
    let ask = Ask::new(arguments.server.as_deref().unwrap_or_default(), arguments.token.as_ref())?;
    let updates = input::updates(&arguments.files, &FieldNames::standard())?;
    let (mut accepted, mut refused) = (0_u64, 0_u64);
    for batch in batches(&updates) {
        let mut body = vec![b'['];
        for (position, update) in batch.iter().enumerate() {
            if position > 0 {
                body.push(b',');
            }
            body.extend_from_slice(update.as_bytes());
        }
        body.push(b']');
        let value = ask.post("/v1/updates", &[], &body)?.good()?;
        let results = value["results"].as_array().cloned().unwrap_or_default();
        for (update, result) in batch.iter().zip(results) {
            let good = result["status"].as_u64() == Some(202);
            if good {
                accepted += 1;
            } else {
                refused += 1;
            }
            if arguments.json {
                show::println(&result.to_string())
            } else {
                show::println(&line(update, &result, good))
            }
        }
    }
    if arguments.json {
        show::println(&json!({ "accepted": accepted, "refused": refused }).to_string());
    } else {
        let style = if refused == 0 { show::GOOD } else { show::BAD };
        show::println(&format!("{style}accepted {accepted}, refused {refused}{style:#}"));
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

fn line(update: &Update, result: &Value, good: bool) -> String {
    // Taken in for nobody is rarely what somebody meant.
    let nowhere = result["deliveries"] == 0;
    let (style, mark) = match good {
        true if nowhere => (show::FAINT, "–"),
        true => (show::GOOD, "✓"),
        false => (show::BAD, "✗"),
    };
    let what = show::update(update.as_bytes());
    let word = result["result"].as_str().unwrap_or("refused");
    let more = match (result["deliveries"].as_u64(), result["error"].as_str()) {
        (Some(0), _) if word == "unmatched" => {
            ": no response policy matches, so it is sent nowhere".to_owned()
        }
        (Some(1), _) => ", 1 delivery".to_owned(),
        (Some(deliveries), _) => format!(", {deliveries} deliveries"),
        (None, Some(error)) => format!(": {}", show::printable(error)),
        (None, None) => String::new(),
    };
    format!("{style}{mark}{style:#} {what}  {word}{more}")
}

/// Consecutive updates that fit in one request.
fn batches(updates: &[Update]) -> Vec<&[Update]> {
    let (mut batches, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (position, update) in updates.iter().enumerate() {
        let size = update.as_bytes().len() + 1;
        if position > start && (position - start >= BATCH || bytes + size > BATCH_BYTES) {
            batches.push(&updates[start..position]);
            (start, bytes) = (position, 0);
        }
        bytes += size;
    }
    batches.push(&updates[start..]);
    batches
}
