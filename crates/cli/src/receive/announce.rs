//! Says where to point a sender and where to look: on the terminal, as a line of JSON, in a file.

use http::Method;
use payload::Update;
use receiver::MockReceiver;
use receiver::capture::export;
use receiver::check::{Checks, Strictness};
use receiver::server::tls::made::Flaw;
use serde_json::json;

use super::files;
use crate::args::receive::Receive;
use crate::exit::Failure;
use crate::show;

/// The smallest update, for a newcomer to send.
const SMALLEST: &str = r#"{"alerttype":"start","id":"1"}"#;

/// What is told of the checks.
pub(super) struct Told {
    checks: String,
    /// The words of a request that passes them; `None` if curl cannot send one.
    request: Option<Vec<String>>,
}

impl Told {
    pub(super) fn of(checks: &Checks) -> Self {
        Self { checks: checks.names().join(", "), request: request(checks) }
    }
}

pub(super) fn announce(receiver: &MockReceiver, arguments: &Receive, told: &Told) -> Result<(), Failure> {
    let inspector = receiver.inspector_url();
    // Where no path is wanted none is written, so that one can be added.
    let written = |url: &str| match url.match_indices('/').count() {
        3 => url.trim_end_matches('/').to_owned(),
        _ => url.to_owned(),
    };
    let mut ready = json!({ "receiver": written(&receiver.url()) });
    if let Some(inspector) = &inspector {
        ready["inspector"] = written(inspector).into();
    }
    let loopback = |url: &str| ["http://127.", "http://[::1]"].iter().any(|begin| url.starts_with(begin));
    if inspector.as_deref().is_some_and(|url| !loopback(url)) {
        anstream::eprintln!(
            "warning: whoever reaches the inspector sees what came and can change the faults; it wants no password"
        );
    }
    if let Some(path) = &arguments.script.ready_file {
        files::write_whole(path, &format!("{ready}\n"))?;
    }
    if arguments.json {
        show::println(&ready.to_string());
        return Ok(());
    }
    show::println(&format!("listening on {} (Ctrl-C ends)", receiver.url()));
    if let Some(inspector) = inspector {
        show::println(&format!("look at {inspector}"));
    }
    show::println(&format!("checking {}", told.checks));
    for (rule, number) in receiver.faults().0.iter().zip(1..) {
        show::println(&format!("fault {number}: {rule}"));
    }
    if receiver.ca().is_some() {
        show::println(&files::how_to_trust(receiver, &arguments.tls));
    }
    if let Some(request) = told.request.as_deref().filter(|_| show::is_terminal()) {
        show::println(&format!("try it: {}", how_to_try(receiver, arguments, request)));
    }
    Ok(())
}

fn how_to_try(receiver: &MockReceiver, arguments: &Receive, request: &[String]) -> String {
    let mut words = vec!["curl".to_owned()];
    if receiver.ca().is_some() {
        let right = arguments.tls.tls.unwrap_or_default() == Flaw::None;
        let trusted = arguments.tls.tls_ca_out.as_ref().filter(|_| right);
        words.extend(trusted.map_or_else(
            || vec!["--insecure".to_owned()],
            |path| vec!["--cacert".to_owned(), export::quoted(&path.display().to_string())],
        ));
    }
    words.extend_from_slice(request);
    words.push(export::quoted(&receiver.url()));
    words.join(" ")
}

/// A request that passes the checks. Of what is secret it has a place for the person to fill in.
fn request(checks: &Checks) -> Option<Vec<String>> {
    if checks.signing.is_some() {
        return None;
    }
    // Strictly, every field must be there: that is too long for a line.
    if checks.strictness == Strictness::Strict {
        return None;
    }
    let update = Update::parse(SMALLEST).ok()?;
    let body = checks.field_names.render(&update).ok()?;
    let mut words = Vec::new();
    if checks.method != Method::POST {
        words.extend(["-X".to_owned(), export::quoted(checks.method.as_str())]);
    }
    if let Some(credentials) = &checks.credentials {
        // curl asks for the password, so that it stands in no list of processes.
        words.extend(["--user".to_owned(), export::quoted(credentials.username())]);
    }
    let content_type = checks.content_type.iter().map(|kind| format!("Content-Type: {kind}"));
    let required = checks.headers.iter().map(|header| {
        let line = header.to_string();
        if line.contains(':') { line } else { format!("{line}: any") }
    });
    for line in content_type.chain(required) {
        words.extend(["-H".to_owned(), export::quoted(&line)]);
    }
    words.extend(["-d".to_owned(), export::quoted(&String::from_utf8_lossy(&body))]);
    Some(words)
}
