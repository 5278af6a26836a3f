//! `send`: hands updates to the sender, shows what becomes of each, and exits with 0 only if all arrived.

mod hand_over;
mod report;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use delivery::engine::AcceptError;
use delivery::message::{Message, MessageId, OrderKey};
use delivery::retry::RetryPolicy;
use payload::{FieldNames, Update};
use sender::Sender;
use sender::accept::Accepted;
use sender::message::message;
use sender::settings::Guarding;

use crate::args::Send;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::input;
use crate::stop::Stop;
use crate::target::{Destination, destination};

pub(crate) use hand_over::hand_over;
use report::Report;

/// How many updates are handed over before waiting for them; far below what the queue holds.
const BATCH: usize = 10_000;

/// How long attempts under way may go on after Ctrl-C or a termination signal.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) async fn send(arguments: Box<Send>) -> Result<ExitCode, Failure> {
    let retry = match arguments.retry_for {
        None => RetryPolicy::once(),
        Some(limit) => RetryPolicy::lasting(limit)
            .map_err(|error| Failure::wrong_input(format!("error: --retry-for: {error}")))?,
    };
    let destination = destination(&arguments.target, Some(&retry), arguments.as_is, Guarding::Off)?;
    let updates = if arguments.as_is {
        Vec::new()
    } else {
        let names = match (&destination.policies, destination.integrations.as_slice()) {
            (None, [only]) => Arc::clone(&only.field_names),
            _ => Arc::new(FieldNames::standard()),
        };
        input::updates(&arguments.files, &names)?
    };
    let as_is = if arguments.as_is { unread(&arguments)? } else { Vec::new() };
    let total = updates.len() + as_is.len();
    let stop = Stop::listen(|| anstream::eprintln!("stopped at once: what was under way may have arrived"))?;
    let report = Report::new(&destination.integrations, total, arguments.json);
    let Destination { integrations, policies } = destination;
    let sender =
        Sender::start(&integrations, policies.clone().unwrap_or_default(), 0, report.observer()).await;
    let all = async {
        match policies {
            None => {
                let name = integrations.first().map_or("", |integration| &integration.name);
                let messages: Vec<Message> = updates.iter().map(message).chain(as_is).collect();
                post(&sender, name, &messages, &report).await
            }
            Some(_) => route(&sender, &updates, BATCH / integrations.len().clamp(1, BATCH), &report).await,
        }
    };
    tokio::select! {
        sent = all => sent.map_err(|error| Failure::cannot_run(format!("error: {error}")))?,
        () = stop.asked() => {
            sender.engine().shut_down(GRACE).await;
            report.interrupted();
        }
    }
    Ok(if report.finish() { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

/// Everything to the one integration.
async fn post(
    sender: &Sender,
    integration: &str,
    messages: &[Message],
    report: &Report,
) -> Result<(), AcceptError> {
    for batch in messages.chunks(BATCH) {
        sender.accept_for(integration, batch.to_vec()).await?;
        drain(sender, report).await;
    }
    Ok(())
}

/// Each update where the policies send it.
async fn route(
    sender: &Sender,
    updates: &[Update],
    batch: usize,
    report: &Report,
) -> Result<(), AcceptError> {
    for batch in updates.chunks(batch) {
        let accepted = sender.accept(batch).await?;
        report.went_nowhere(
            accepted.iter().filter(|accepted| !matches!(accepted, Accepted::Enqueued(..))).count(),
        );
        drain(sender, report).await;
    }
    Ok(())
}

/// Waits for all that was accepted. A lane whose receiver is gone for good (410) would wait for a person: here nobody
/// could let it go on, so it is removed.
async fn drain(sender: &Sender, report: &Report) {
    let drained = sender.drained();
    tokio::pin!(drained);
    loop {
        tokio::select! {
            () = &mut drained => return,
            lane = report.next_disabled() => sender.engine().remove_lane(lane).await,
        }
    }
}

/// Each file as a message of its own, in order with nothing.
fn unread(arguments: &Send) -> Result<Vec<Message>, Failure> {
    let file = |path: &std::path::PathBuf| {
        let id = MessageId::new();
        let key = OrderKey::from(id.as_str());
        Ok(Message { id, key, supersedable: false, body: Bytes::from(input::read(path)?) })
    };
    arguments.files.iter().map(file).collect()
}
