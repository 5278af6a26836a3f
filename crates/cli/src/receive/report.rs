//! Reports at the end of a run: `JUnit`, which CI systems show, and JSON.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use receiver::MockReceiver;
use receiver::capture::record::{Detail, Record, Secrets};
use serde_json::json;

use super::Ended;
use crate::args::receive::{Report as Wanted, ReportKind};
use crate::exit::Failure;

pub(super) fn write(wanted: &[Wanted], receiver: &MockReceiver, ended: &Ended) -> Result<(), Failure> {
    for report in wanted {
        let text = match report.kind {
            ReportKind::Junit => junit(receiver, ended)?,
            ReportKind::Json => as_json(receiver, ended),
        };
        std::fs::write(&report.file, text)
            .map_err(|error| Failure::cannot_run(format!("error: {}: {error}", report.file.display())))?;
    }
    Ok(())
}

/// A report that could not be written should not be learnt of at the end of a long run.
pub(super) fn can_be_written(wanted: &[Wanted]) -> Result<(), Failure> {
    for report in wanted {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(&report.file);
        opened.map_err(|error| {
            Failure::wrong_input(format!("error: --report: {}: {error}", report.file.display()))
        })?;
    }
    Ok(())
}

/// One case a capture, and one for what was expected of the run.
fn junit(receiver: &MockReceiver, ended: &Ended) -> Result<String, Failure> {
    let mut suite = TestSuite::new("receiver");
    for capture in receiver.captures() {
        let status = if capture.verdict.passed() {
            TestCaseStatus::success()
        } else {
            let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
            failed.set_message(first_failure(&capture)).set_description(capture.verdict.to_string());
            failed
        };
        let mut case = TestCase::new(format!("#{} {}", capture.number, capture.summary()), status);
        case.set_classname("request");
        if let Some(fault) = &capture.fault {
            case.set_system_out(format!("fault: {fault}"));
        }
        suite.add_test_case(case);
    }
    let status = if ended.met() {
        TestCaseStatus::success()
    } else {
        let kind = if ended.unknown { NonSuccessKind::Error } else { NonSuccessKind::Failure };
        let mut failed = TestCaseStatus::non_success(kind);
        failed.set_message(ended.summary());
        failed
    };
    let mut case = TestCase::new("expectations", status);
    case.set_classname("run");
    case.set_system_out(ended.summary());
    suite.add_test_case(case);
    let mut report = Report::new("fusion-webhook receive");
    report.add_test_suite(suite);
    report.to_string().map_err(|error| Failure::cannot_run(format!("error: the JUnit report: {error}")))
}

fn first_failure(capture: &receiver::Capture) -> String {
    let first = capture.verdict.failures().next();
    let problem =
        first.and_then(|check| Some(format!("{}: {}", check.subject, check.finding.problems().first()?)));
    problem.unwrap_or_default()
}

fn as_json(receiver: &MockReceiver, ended: &Ended) -> String {
    let records: Vec<_> = receiver
        .captures()
        .iter()
        .map(|capture| Record::of(capture, Secrets::Masked, Detail::Plain))
        .collect();
    let counts = ended.counts;
    let report = json!({
        "met": ended.met(),
        "unknown": ended.unknown,
        "summary": ended.summary(),
        "received": counts.received,
        "verified": counts.passed,
        "failed": counts.failed,
        "without_request": counts.without_request,
        "dropped": counts.dropped,
        "events": ended.events,
        "captures": records,
    });
    format!("{report:#}\n")
}
