//! `receive`: the mock receiver on a terminal, in a script, or over a file of an earlier run.

mod announce;
mod files;
mod print;
mod printer;
mod report;
mod settings;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use receiver::MockReceiver;
use receiver::capture::{Captures, Counts};
use serde_json::json;

use crate::args::receive::{Receive, ScriptArguments};
use crate::clock;
use crate::exit::{Failure, NOT_ALL_WELL, UNKNOWN};
use crate::show;
use crate::stop::Stop;

pub(crate) use print::print;
use printer::{Manner, Printer, Queue};

/// Without `--timeout` a run ends when it is told to.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

pub(crate) async fn receive(arguments: Box<Receive>) -> Result<ExitCode, Failure> {
    allow_many_connections();
    let manner = match (arguments.quiet || arguments.captures.export.is_some(), arguments.json) {
        (true, _) => Manner::Quiet,
        (false, true) => Manner::Json,
        (false, false) => Manner::Lines,
    };
    report::can_be_written(&arguments.script.report)?;
    let earlier = files::read(&arguments.captures)?;
    let recorder = arguments.captures.record.as_deref().map(files::Recorder::open).transpose()?;
    let mut builder = settings::builder(&arguments)?;
    let told = announce::Told::of(builder.checks());
    let (queue, printed) = (Queue::default(), manner != Manner::Quiet);
    let to_print = queue.clone();
    let builder = builder.on_capture(move |capture| {
        if let Some(recorder) = &recorder {
            recorder.write(capture);
        }
        if printed {
            to_print.push(capture);
        }
    });
    let receiver = builder.start().await.map_err(|error| Failure::cannot_run(format!("error: {error}")))?;
    if let Some(export) = arguments.captures.export {
        earlier.play(&receiver, &queue);
        return files::export(&receiver, &arguments.listen, export);
    }
    let stop = Stop::listen(|| anstream::eprintln!("stopped at once, without a summary"))?;
    files::write_trust(&receiver, &arguments.tls)?;
    announce::announce(&receiver, &arguments, &told)?;
    // What came meanwhile is printed after where it came to.
    let printer = Printer::start(&queue, manner)
        .map_err(|error| Failure::cannot_run(format!("error: the system gives no thread: {error}")))?;
    earlier.play(&receiver, &queue);
    let alone = arguments.captures.record.is_none() && arguments.inspect.is_none();
    run(&receiver, &arguments.script, &queue, alone, &stop).await;
    receiver.close(settings::CLOSING).await;
    // What was under way counts too: the summary, the reports and the exit code tell of the same captures.
    let ended = Ended::of(receiver.log(), &arguments.script);
    // First, in case nobody reads the output.
    report::write(&arguments.script.report, &receiver, &ended)?;
    printer.end();
    if arguments.json {
        let Counts { received, passed, failed, dropped, .. } = ended.counts;
        show::println(
            &json!({ "received": received, "verified": passed, "failed": failed, "dropped": dropped, "events": ended.events, "met": ended.met() })
                .to_string(),
        );
    } else {
        show::println(&ended.summary());
    }
    Ok(ended.code())
}

/// Takes as many descriptors as the system allows: the usual 1,024 are fewer than the connections of a burst.
fn allow_many_connections() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        // Where that is refused, fewer connections are open at once, and the others wait.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// How a run ended, and whether what was expected of it came.
pub(crate) struct Ended {
    pub(crate) counts: Counts,
    pub(crate) events: u64,
    /// Something was expected, and it came.
    fulfilled: Option<bool>,
    /// Captures were dropped that may have been what was expected.
    pub(crate) unknown: bool,
    verdicts_count: bool,
    /// How many requests and events were expected.
    wanted: (Option<u64>, Option<u64>),
}

impl Ended {
    fn of(captures: &Captures, wanted: &ScriptArguments) -> Self {
        let (counts, events) = (captures.counts(), events(captures));
        let expected = wanted.expect.is_some() || wanted.expect_events.is_some();
        let verdicts_count = !expected || wanted.fail_on_verdict;
        let requests = wanted.expect.is_none_or(|expected| counts.received >= expected);
        let enough_events = wanted.expect_events.is_none_or(|expected| events >= expected);
        Self {
            counts,
            events,
            fulfilled: expected.then_some(requests && enough_events),
            // A failed verdict decides, whatever was dropped.
            unknown: requests
                && !enough_events
                && counts.dropped > 0
                && !(verdicts_count && counts.failed > 0),
            verdicts_count,
            wanted: (wanted.expect, wanted.expect_events),
        }
    }

    /// Whether all is well.
    pub(crate) fn met(&self) -> bool {
        self.fulfilled != Some(false) && !(self.verdicts_count && self.counts.failed > 0)
    }

    /// Whether nothing that may still come changes how the run ends.
    const fn is_decided(&self) -> bool {
        let Some(fulfilled) = self.fulfilled else { return false };
        fulfilled || (self.verdicts_count && self.counts.failed > 0)
    }

    pub(crate) fn summary(&self) -> String {
        let Counts { received, passed, failed, without_request, dropped } = self.counts;
        let mut summary = format!("received {received}, verified {passed}, failed {failed}");
        for (count, word) in
            [(without_request, "connections without a request"), (dropped, "captures dropped")]
        {
            if count > 0 {
                summary.push_str(&format!(", {word} {count}"));
            }
        }
        if failed > 0 && !self.verdicts_count {
            summary.push_str(" (not counted without --fail-on-verdict)");
        }
        match self.fulfilled {
            Some(true) => summary.push_str("; all that was expected came"),
            Some(false) if self.unknown => {
                summary.push_str("; nobody knows whether all that was expected came: captures were dropped");
            }
            Some(false) => {
                summary.push_str("; not all that was expected came");
                for (wanted, came, what) in
                    [(self.wanted.0, received, "requests"), (self.wanted.1, self.events, "events")]
                {
                    if let Some(wanted) = wanted.filter(|wanted| came < *wanted) {
                        summary.push_str(&format!(", {came} of {wanted} {what}"));
                    }
                }
            }
            None => {}
        }
        summary
    }

    fn code(&self) -> ExitCode {
        match (self.met(), self.unknown) {
            (true, _) => ExitCode::SUCCESS,
            (false, true) => ExitCode::from(UNKNOWN),
            (false, false) => ExitCode::from(NOT_ALL_WELL),
        }
    }
}

/// How many events had an update among what is kept, taken or not: a refused request counts for what is expected.
fn events(captures: &Captures) -> u64 {
    let captures = captures.all();
    let ids = captures.iter().filter_map(|capture| capture.event.as_ref()?.id.as_deref());
    ids.collect::<BTreeSet<_>>().len() as u64
}

/// Whether nothing that may still come changes how the run ends. Events are counted over all captures, so that what is known
/// at once is asked first.
fn decided(captures: &Captures, wanted: &ScriptArguments) -> bool {
    let Counts { received, failed, .. } = captures.counts();
    let may_be =
        (wanted.fail_on_verdict && failed > 0) || wanted.expect.is_none_or(|expected| received >= expected);
    may_be && Ended::of(captures, wanted).is_decided()
}

/// Until it is decided, the time is over, or somebody ends it.
///
/// `alone` says that nothing but standard output tells what comes: when nobody reads that, there is nobody left.
async fn run(receiver: &MockReceiver, wanted: &ScriptArguments, queue: &Queue, alone: bool, stop: &Stop) {
    let limit = wanted.timeout.unwrap_or(FOREVER);
    let expected = wanted.expect.is_some() || wanted.expect_events.is_some();
    // Looking at each capture costs as much as taking it in, and is only done for who asks.
    let ends = async {
        if expected {
            receiver.log().until(limit, |captures| decided(captures, wanted).then_some(())).await;
        } else {
            clock::sleep(limit).await;
        }
    };
    tokio::pin!(ends);
    tokio::select! {
        () = &mut ends => return,
        () = stop.asked() => return,
        () = queue.lost() => {}
    }
    anstream::eprintln!("standard output cannot be written any more");
    if alone && !expected {
        return;
    }
    tokio::select! {
        () = ends => {}
        () = stop.asked() => {}
    }
}
