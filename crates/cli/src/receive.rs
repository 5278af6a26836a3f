//! `receive`: the mock receiver on a terminal, one line a request.

use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use payload::FieldNames;
use receiver::mock::Builder;
use receiver::server::tls::Identity;
use receiver::verdict::Finding;
use receiver::{Capture, MockReceiver, Subject};
use serde_json::json;

use crate::args::Receive;
use crate::exit::{Failure, NOT_ALL_WELL};
use crate::{show, target};

pub(crate) async fn receive(arguments: Box<Receive>) -> Result<ExitCode, Failure> {
    let as_json = arguments.json;
    let shown = field_names(&arguments)?;
    let builder = builder(&arguments)?.on_capture(move |capture| {
        if as_json { show::println(&line_of_json(capture)) } else { print(capture, &shown) }
    });
    let receiver = builder.start().await.map_err(|error| Failure::cannot_run(format!("error: {error}")))?;
    if as_json {
        show::println(&json!({ "listening": receiver.url() }).to_string());
    } else {
        show::println(&format!("listening on {} (Ctrl-C ends)", receiver.url()));
        show::println(&format!("checking {}", checks(&arguments)));
    }
    stopped().await;
    let counts = receiver.counts();
    if as_json {
        show::println(
            &json!({ "received": counts.received, "verified": counts.passed, "failed": counts.failed })
                .to_string(),
        );
    } else {
        show::println(&format!(
            "received {}, verified {}, failed {}",
            counts.received, counts.passed, counts.failed
        ));
    }
    Ok(if counts.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(NOT_ALL_WELL) })
}

/// Until Ctrl-C or a termination signal.
pub(crate) async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

fn builder(arguments: &Receive) -> Result<Builder, Failure> {
    let mut builder = MockReceiver::builder()
        .listen(&arguments.listen)
        .max_body(arguments.max_body)
        .content_type(Some(&arguments.content_type))
        .field_names(field_names(arguments)?);
    if arguments.username.is_some() || arguments.password.is_some() {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        builder = builder.credentials(&part(&arguments.username), &part(&arguments.password));
    }
    for line in &arguments.require_header {
        let required = builder.require_header(line);
        builder =
            required.map_err(|error| Failure::wrong_input(format!("error: --require-header: {error}")))?;
    }
    if let Some(path) = &arguments.path {
        builder = builder.path(path);
    }
    for name in &arguments.without {
        let subjects = [Subject::ContentType, Subject::Json, Subject::Shape, Subject::Sequence];
        builder = match subjects.into_iter().find(|subject| subject.as_str() == name) {
            Some(Subject::Json) => {
                builder.without(Subject::Json).without(Subject::Shape).without(Subject::Sequence)
            }
            Some(Subject::ContentType) => builder.content_type(None),
            Some(subject) => builder.without(subject),
            None => builder,
        };
    }
    if let (Some(chain), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        let read = |path: &std::path::Path| {
            std::fs::read(path)
                .map_err(|error| Failure::wrong_input(format!("error: {}: {error}", path.display())))
        };
        let identity = Identity::from_pem(&read(chain)?, &read(key)?);
        builder = builder
            .tls(identity.map_err(|error| Failure::wrong_input(format!("error: --tls-cert: {error}")))?);
    }
    Ok(builder)
}

fn field_names(arguments: &Receive) -> Result<FieldNames, Failure> {
    let rules = target::rules(&arguments.names)?;
    if let (Some(path), Some(name)) = (&arguments.config, &arguments.integration) {
        if !rules.is_empty() {
            return Err(Failure::wrong_input(
                "error: --rename, --omit and --constant do not go with --config",
            ));
        }
        return Ok(FieldNames::clone(&target::integration_of(path, name)?.field_names));
    }
    FieldNames::compile(&rules).map_err(|errors| Failure::wrong_input(format!("error: {errors}")))
}

fn checks(arguments: &Receive) -> String {
    let mut checks = vec!["method".to_owned()];
    let mut add = |asked: bool, name: &str| checks.extend(asked.then(|| name.to_owned()));
    let left_out = |name: &str| arguments.without.iter().any(|without| without == name);
    add(arguments.path.is_some(), "path");
    add(!left_out("content-type"), "content type");
    add(arguments.username.is_some() || arguments.password.is_some(), "Basic credentials");
    add(!arguments.require_header.is_empty(), "required headers");
    add(!left_out("json"), "JSON");
    add(!left_out("shape") && !left_out("json"), "shape");
    add(!left_out("sequence") && !left_out("json"), "sequence");
    checks.join(", ")
}

/// One line for the request, which names the event that came under `names`, and one for each thing that is wrong or odd.
pub(crate) fn print(capture: &Capture, names: &FieldNames) {
    let (faint, good, bad, odd) = (show::FAINT, show::GOOD, show::BAD, show::ODD);
    let request = &capture.request;
    let style = if capture.verdict.passed() { good } else { bad };
    let word = if capture.verdict.passed() { "verified" } else { "failed" };
    let update = request.whole().and_then(|body| names.restore(body.clone()).ok());
    let what = update.map_or_else(|| "(no update)".to_owned(), |update| show::update(update.as_bytes()));
    show::println(&format!(
        "{faint}{}{faint:#} #{} {} {} {what} {style}{} {word}{style:#}",
        show::time(request.at),
        capture.number,
        show::printable(request.method.as_str()),
        show::printable(&request.target),
        capture.status.as_u16(),
    ));
    for check in &capture.verdict.checks {
        let (mark, style) = if check.finding.is_failure() { ("✗", bad) } else { ("·", odd) };
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

fn line_of_json(capture: &Capture) -> String {
    let request = &capture.request;
    let checks = capture.verdict.checks.iter().map(|check| {
        let result = match &check.finding {
            Finding::Passed => "passed",
            Finding::Noted(_) => "noted",
            Finding::Failed(_) => "failed",
            Finding::Skipped(_) => "skipped",
        };
        let problem = |problem: &receiver::verdict::Problem| {
            json!({ "what": problem.what, "expected": problem.expected, "got": problem.got })
        };
        let problems: Vec<_> = check.finding.problems().iter().map(problem).collect();
        json!({ "check": check.subject.as_str(), "result": result, "problems": problems })
    });
    let checks: Vec<_> = checks.collect();
    let at = request.at.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    json!({
        "number": capture.number,
        "at": at,
        "peer": request.peer.to_string(),
        "method": request.method.as_str(),
        "target": request.target,
        "status": capture.status.as_u16(),
        "passed": capture.verdict.passed(),
        "checks": checks,
        "webhook_id": request.header("webhook-id"),
        "body": request.whole().map(|body| String::from_utf8_lossy(body)),
    })
    .to_string()
}
