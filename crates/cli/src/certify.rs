//! `certify`: turns the tables, and tries somebody's own receiver with what senders and networks do to it.

mod line;
mod trials;

use std::process::ExitCode;
use std::sync::Arc;

use delivery::target::Target;
use sender::settings::Guarding;
use serde_json::json;
use tokio::task::JoinSet;

use crate::args::Certify;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::{clock, show, target};
use line::{Answer, Request};
use trials::{AHEAD, HELD_UP, Order, PROMPT, Trial, Wanted};

/// What a trial showed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Finding {
    Passed,
    /// It does no harm, but could be better.
    Advice(String),
    Failed(String),
}

pub(crate) async fn certify(mut arguments: Box<Certify>) -> Result<ExitCode, Failure> {
    if arguments.receiver.is_some() {
        arguments.target.url.clone_from(&arguments.receiver);
    }
    let mut destination = target::destination(&arguments.target, None, false, Guarding::Off)?;
    let [integration] = &mut destination.integrations[..] else {
        return Err(Failure::wrong_input(
            "error: which receiver? give its URL, or --config and --integration",
        ));
    };
    let target = Arc::clone(&integration.target);
    let trials = trials::all(integration)
        .map_err(|error| Failure::wrong_input(format!("error: nothing can be sent: {error}")))?;
    if !arguments.json {
        show::println(&format!(
            "certifying {} with {} trials",
            target.parts().address.as_str(),
            trials.len()
        ));
        if target.parts().credentials.is_none() {
            show::println("without --username and --password, credentials are not tried");
        }
    }
    let (mut passed, mut advised, mut failed) = (0, 0, 0);
    for (number, trial) in trials.into_iter().enumerate() {
        let (name, why) = (trial.name.clone(), trial.why);
        let answers = answers(&target, trial).await;
        if let (0, Some((_, Answer::Unreachable(error)))) = (number, answers.first()) {
            let url = target.parts().address.as_str();
            return Err(Failure::cannot_run(format!("error: {url} cannot be reached: {error}")));
        }
        if let (0, Some((_, Answer::Status { code, .. }))) = (number, answers.first())
            && !(200..300).contains(code)
        {
            return Ok(refuses(*code, arguments.json));
        }
        let finding = worst(&answers);
        match finding {
            Finding::Passed => passed += 1,
            Finding::Advice(_) => advised += 1,
            Finding::Failed(_) => failed += 1,
        }
        tell(&name, why, &finding, arguments.json);
    }
    let (style, summary) = (
        if failed == 0 { show::GOOD } else { show::BAD },
        format!("passed {passed}, could be better {advised}, failed {failed}"),
    );
    if arguments.json {
        show::println(&json!({ "passed": passed, "advice": advised, "failed": failed }).to_string());
    } else {
        show::println(&format!("{style}{summary}{style:#}"));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

/// A receiver that does not take a right update cannot be tried: everything would look wrong for the same reason.
fn refuses(code: u16, as_json: bool) -> ExitCode {
    let hint = match code {
        401 | 403 => "; are --username, --password and the header lines what it wants?",
        404 | 405 | 501 => "; is the URL that of the webhook?",
        _ => "",
    };
    let said = format!("the receiver refuses a right update: {code}{hint}");
    if as_json {
        show::println(&json!({ "error": said, "status": code }).to_string());
    } else {
        show::println(&format!("{}✗{:#} {said}", show::BAD, show::BAD));
    }
    ExitCode::from(NOT_ALL_WELL)
}

fn tell(name: &str, why: &str, finding: &Finding, as_json: bool) {
    let (mark, style, word, said) = match finding {
        Finding::Passed => ("✓", show::GOOD, "passed", None),
        Finding::Advice(said) => ("·", show::ODD, "advice", Some(said)),
        Finding::Failed(said) => ("✗", show::BAD, "failed", Some(said)),
    };
    if as_json {
        show::println(&json!({ "trial": name, "result": word, "said": said, "why": why }).to_string());
        return;
    }
    show::println(&format!("{style}{mark}{style:#} {name}"));
    if let Some(said) = said {
        show::println(&format!("    {said}"));
        show::println(&format!("    why: {why}"));
    }
}

/// Makes the steps of a trial, and gives what each wanted with what came.
async fn answers(target: &Arc<Target>, trial: Trial) -> Vec<(Wanted, Answer)> {
    let mut answers = Vec::new();
    match trial.order {
        Order::OneByOne => {
            for (request, wanted) in trial.steps {
                answers.push((wanted, line::send(target, &request).await));
            }
        }
        Order::AtOnce | Order::Behind => {
            let mut under_way = JoinSet::new();
            for (request, wanted) in trial.steps {
                if trial.order == Order::Behind && under_way.len() == 1 {
                    clock::sleep(AHEAD).await;
                }
                under_way.spawn(step(Arc::clone(target), request, wanted));
            }
            while let Some(answered) = under_way.join_next().await {
                answers.extend(answered);
            }
        }
    }
    answers
}

async fn step(target: Arc<Target>, request: Request, wanted: Wanted) -> (Wanted, Answer) {
    let answer = line::send(&target, &request).await;
    (wanted, answer)
}

fn worst(answers: &[(Wanted, Answer)]) -> Finding {
    let mut worst = Finding::Passed;
    for (wanted, answer) in answers {
        match (judge(*wanted, answer), &worst) {
            (failed @ Finding::Failed(_), _) => return failed,
            (advice @ Finding::Advice(_), Finding::Passed) => worst = advice,
            _ => {}
        }
    }
    worst
}

/// Holds an answer against what was wanted.
fn judge(wanted: Wanted, answer: &Answer) -> Finding {
    let (code, took) = match answer {
        _ if wanted == Wanted::Anything => return Finding::Passed,
        Answer::Status { code, took } => (*code, *took),
        Answer::Closed(why) => {
            return Finding::Failed(format!("wanted {}, got no answer: {why}", words(wanted)));
        }
        Answer::Nothing => {
            return Finding::Failed(format!("wanted {}, got no answer in time", words(wanted)));
        }
        Answer::Unreachable(why) => {
            return Finding::Failed(format!("wanted {}, could not connect: {why}", words(wanted)));
        }
    };
    let taken = (200..300).contains(&code);
    let refused = (400..500).contains(&code);
    let failed = || Finding::Failed(format!("wanted {}, got {code}", words(wanted)));
    match wanted {
        Wanted::Anything => Finding::Passed,
        Wanted::Taken if taken => Finding::Passed,
        Wanted::TakenMeanwhile if taken && took >= HELD_UP => {
            Finding::Failed(format!("answered only after {}", show::duration(took)))
        }
        Wanted::TakenPromptly | Wanted::TakenMeanwhile if taken && took <= PROMPT => Finding::Passed,
        Wanted::TakenPromptly | Wanted::TakenMeanwhile if taken => {
            Finding::Advice(format!("answered after {}", show::duration(took)))
        }
        Wanted::TakenOr(statuses) if taken || statuses.contains(&code) => Finding::Passed,
        Wanted::Refused(statuses) | Wanted::BetterRefused(statuses) if statuses.contains(&code) => {
            Finding::Passed
        }
        Wanted::Refused(statuses) | Wanted::BetterRefused(statuses) if refused => {
            Finding::Advice(format!("refused with {code}; {} says it better", statuses[0]))
        }
        Wanted::BetterRefused(statuses) if taken => {
            Finding::Advice(format!("taken; {} would tell the mistake", statuses[0]))
        }
        Wanted::Taken
        | Wanted::TakenPromptly
        | Wanted::TakenMeanwhile
        | Wanted::TakenOr(_)
        | Wanted::Refused(_)
        | Wanted::BetterRefused(_) => failed(),
    }
}

fn words(wanted: Wanted) -> String {
    let list = |statuses: &[u16]| statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
    match wanted {
        Wanted::Taken | Wanted::TakenPromptly | Wanted::TakenMeanwhile => "2xx".to_owned(),
        Wanted::TakenOr(statuses) => format!("2xx or {}", list(statuses)),
        Wanted::Refused(statuses) | Wanted::BetterRefused(statuses) => list(statuses),
        Wanted::Anything => "anything".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn answers_are_judged_by_what_was_wanted() {
        let status = |code, millis| Answer::Status { code, took: Duration::from_millis(millis) };
        for (wanted, answer, word) in [
            (Wanted::Taken, status(204, 1), "passed"),
            (Wanted::Taken, status(302, 1), "failed"),
            (Wanted::Taken, Answer::Nothing, "failed"),
            (Wanted::TakenPromptly, status(200, 1), "passed"),
            (Wanted::TakenPromptly, status(200, 5000), "advice"),
            (Wanted::TakenPromptly, status(500, 1), "failed"),
            (Wanted::TakenMeanwhile, status(200, 1), "passed"),
            (Wanted::TakenMeanwhile, status(200, 3000), "advice"),
            (Wanted::TakenMeanwhile, status(200, 4500), "failed"),
            (Wanted::Refused(&[401, 403]), status(403, 1), "passed"),
            (Wanted::Refused(&[401, 403]), status(404, 1), "advice"),
            (Wanted::Refused(&[401]), status(200, 1), "failed"),
            (Wanted::Refused(&[401]), status(500, 1), "failed"),
            (Wanted::BetterRefused(&[415]), status(200, 1), "advice"),
            (Wanted::BetterRefused(&[415]), status(500, 1), "failed"),
            (Wanted::TakenOr(&[413]), status(413, 1), "passed"),
            (Wanted::TakenOr(&[413]), Answer::Closed("a close".to_owned()), "failed"),
            (Wanted::Anything, Answer::Nothing, "passed"),
        ] {
            let found = match judge(wanted, &answer) {
                Finding::Passed => "passed",
                Finding::Advice(_) => "advice",
                Finding::Failed(_) => "failed",
            };
            assert_eq!(found, word, "{wanted:?} {answer:?}");
        }
    }
}
