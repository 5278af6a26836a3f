//! `demo`: both ends in one process, over real sockets: whole lives of events, printed as they arrive.

use std::process::ExitCode;

use delivery::engine::{AttemptReport, Observer, SettledReport};

use delivery::store::{LaneId, Settled};
use payload::generate::Play;
use payload::{FieldNames, Rule};
use receiver::MockReceiver;
use secrecy::SecretString;
use sender::{Draft, Policy, Sender};

use crate::args::Demo;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::{clock, receive, show};

const USERNAME: &str = "fusion";
const PASSWORD: &str = "demo";
const HEADER: &str = "X-Netography: Webhook";

pub(crate) async fn demo(arguments: Demo) -> Result<ExitCode, Failure> {
    let names = || FieldNames::compile(&rules()).map_err(|errors| Failure::cannot_run(errors.to_string()));
    let receiver = MockReceiver::builder()
        .credentials(USERNAME, PASSWORD)
        .require_header(HEADER)
        .map_err(|error| Failure::cannot_run(error.to_string()))?
        .field_names(names()?)
        .on_capture(|capture| receive::print(capture))
        .start()
        .await
        .map_err(|error| Failure::cannot_run(format!("error: {error}")))?;
    let sender = start(&receiver.url(), arguments.seed).await?;
    println!("{} events, sent to {}", arguments.events, receiver.url());
    println!("with {HEADER:?}, Basic credentials, and \"id\" sent as \"event_id\"");
    let mut sent = 0;
    for event in Play::new(arguments.seed, arguments.events.into(), clock::unix_seconds()) {
        let update = event.to_update().map_err(|error| Failure::cannot_run(error.to_string()))?;
        let accepted = sender.accept(&[update]).await;
        accepted.map_err(|error| Failure::cannot_run(error.to_string()))?;
        sent += 1;
    }
    sender.drained().await;
    let counts = receiver.counts();
    let failed = counts.failed + (sent - counts.received.min(sent));
    let style = if failed == 0 { show::GOOD } else { show::BAD };
    anstream::println!("{style}sent {sent}, verified {}, failed {failed}{style:#}", counts.passed);
    Ok(if failed == 0 && counts.passed == sent { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

fn rules() -> Vec<Rule> {
    vec![Rule::rename("id", "event_id")]
}

async fn start(url: &str, seed: u64) -> Result<Sender, Failure> {
    let mut draft = Draft::new(url);
    draft.headers.list = HEADER.to_owned();
    draft.username = USERNAME.to_owned();
    draft.password = SecretString::from(PASSWORD);
    draft.field_names = rules();
    let integration = draft.check("demo").map_err(|mistakes| Failure::cannot_run(mistakes.to_string()))?;
    let policy =
        Policy { name: "all".to_owned(), integrations: vec!["demo".to_owned()], ..Policy::default() };
    Ok(Sender::start(&[integration], vec![policy], seed, Quiet).await)
}

/// The receiver's lines say all there is to see; only what fails is told by the sender.
struct Quiet;

impl Observer for Quiet {
    fn attempted(&mut self, _: &AttemptReport<'_>) {}

    fn settled(&mut self, report: &SettledReport<'_>) {
        if let Settled::Dead(reason) = report.settled {
            let what = report.claimed.map(|(message, _)| show::update(&message.body));
            anstream::eprintln!("{} was not delivered: {reason}", what.as_deref().unwrap_or("an update"));
        }
    }

    fn disabled(&mut self, _: LaneId) {}
}
