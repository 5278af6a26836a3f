//! What a run looks like on a terminal.

use receiver::Capture;
use receiver::verdict::Finding;

use crate::show;

/// One line in and one line out, and one for each thing that is wrong or odd: how webhook listeners show it.
pub(super) fn exchange(capture: &Capture) {
    let faint = show::FAINT;
    let time = show::time(capture.at);
    show::println(&format!("{faint}{time}{faint:#} --> #{} {}", capture.number, what(capture)));
    show::println(&format!("{faint}{time}{faint:#} <-- #{} {}", capture.number, answer(capture)));
    problems(capture);
}

/// All of it in one line, and one for each thing that is wrong or odd.
pub(crate) fn print(capture: &Capture) {
    let faint = show::FAINT;
    let time = show::time(capture.at);
    show::println(&format!(
        "{faint}{time}{faint:#} #{} {} {}",
        capture.number,
        what(capture),
        answer(capture)
    ));
    problems(capture);
}

fn answer(capture: &Capture) -> String {
    let (style, word) = match (capture.is_request(), capture.verdict.passed()) {
        (false, _) => (show::ODD, "no request"),
        (true, true) => (show::GOOD, "verified"),
        (true, false) => (show::BAD, "failed"),
    };
    let odd = show::ODD;
    let status = capture.status.map_or_else(|| "---".to_owned(), |status| status.as_u16().to_string());
    let fault =
        capture.fault.as_ref().map(|fault| format!(" {odd}fault: {fault}{odd:#}")).unwrap_or_default();
    format!("{style}{status} {word}{style:#}{fault}")
}

fn problems(capture: &Capture) {
    let (bad, odd) = (show::BAD, show::ODD);
    for check in &capture.verdict.checks {
        let (mark, style) = match check.finding {
            Finding::Failed(_) => ("✗", bad),
            Finding::Passed | Finding::Noted(_) | Finding::Skipped(_) => ("·", odd),
        };
        let problems = check.finding.problems();
        for problem in problems.iter().take(show::MAX_PROBLEMS) {
            let problem = problem.to_string();
            show::println(&format!(
                "  {style}{mark}{style:#} {}: {}",
                check.subject,
                show::printable(&problem)
            ));
        }
        if problems.len() > show::MAX_PROBLEMS {
            let more = problems.len() - show::MAX_PROBLEMS;
            show::println(&format!("  {style}{mark}{style:#} {}: and {more} more like these", check.subject));
        }
    }
}

fn what(capture: &Capture) -> String {
    let Some(request) = capture.request() else { return capture.summary() };
    let named = |event: &&receiver::capture::Event| event.id.is_some() || event.alerttype.is_some();
    let update = match capture.event.as_ref().filter(named) {
        Some(event) => show::event(
            event.alerttype.as_deref().unwrap_or_default(),
            event.id.as_deref().unwrap_or_default(),
        ),
        None => "(no update)".to_owned(),
    };
    format!("{} {} {update}", show::printable(request.method.as_str()), show::printable(&request.target))
}
