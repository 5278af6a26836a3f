//! From the command line to a receiver that can be started. Flags come on top of the scenario's file.

use std::path::Path;
use std::time::Duration;

use payload::FieldNames;
use receiver::check::Strictness;
use receiver::check::signature::Signing;
use receiver::mock::Builder;
use receiver::scenario::Scenario;
use receiver::server::tls::{Identity, IdentityError};
use receiver::{MockReceiver, Subject};

use crate::args::receive::{CheckArguments, Receive, TlsArguments};
use crate::exit::Failure;
use crate::secret::Given;
use crate::target;

/// An export takes nothing in, so it leaves the port to whoever has it.
const NOWHERE: &str = "127.0.0.1:0";

pub(super) fn builder(arguments: &Receive) -> Result<Builder, Failure> {
    let mut builder = MockReceiver::builder()
        .listen(&if arguments.captures.export.is_some() {
            NOWHERE.to_owned()
        } else {
            address(&arguments.listen)
        })
        .keep(arguments.captures.keep);
    if let Some(inspect) = &arguments.inspect {
        builder = builder.inspect(&address(inspect));
    }
    // Before the scenario's: the first rule that strikes decides, and flags come on top.
    for rule in &arguments.faults.fault {
        builder = builder.fault(rule.clone());
    }
    if let Some(path) = &arguments.scenario {
        let text = String::from_utf8(read(path)?)
            .map_err(|_| Failure::wrong_input(format!("error: {}: it is not UTF-8", path.display())))?;
        let scenario = Scenario::parse(&text);
        let shown = |error: receiver::scenario::ScenarioError| {
            let lines: Vec<_> =
                error.to_string().lines().map(|line| format!("error: {}: {line}", path.display())).collect();
            Failure::wrong_input(lines.join("\n"))
        };
        builder = scenario.map_err(shown)?.apply(builder);
    }
    builder = checks(builder, &arguments.checks)?;
    if let Some(seed) = arguments.faults.seed {
        builder = builder.seed(seed);
    }
    tls(builder, &arguments.tls)
}

/// A port alone, or after a colon, is one of this machine's own.
fn address(text: &str) -> String {
    let port = text.strip_prefix(':').unwrap_or(text);
    if port.parse::<u16>().is_ok() { format!("127.0.0.1:{port}") } else { text.to_owned() }
}

fn checks(mut builder: Builder, arguments: &CheckArguments) -> Result<Builder, Failure> {
    if arguments.username.as_deref().is_some_and(|username| username.contains(':')) {
        let why = "error: --username: a colon in it would end it, so that nobody could send it (RFC 7617, section 2)";
        return Err(Failure::wrong_input(why));
    }
    if arguments.username.is_some() || arguments.password.is_some() {
        builder
            .checks()
            .require_credentials(arguments.username.as_deref(), arguments.password.as_ref().map(Given::text));
    }
    if let Some(names) = field_names(arguments)? {
        builder = builder.field_names(names);
    }
    for line in &arguments.require_header {
        let required = builder.require_header(line);
        builder =
            required.map_err(|error| Failure::wrong_input(format!("error: --require-header: {error}")))?;
    }
    if !arguments.signing_secret.is_empty() {
        let signing = Signing::new(arguments.signing_secret.iter().map(Given::text));
        let signing =
            signing.map_err(|error| Failure::wrong_input(format!("error: --signing-secret: {error}")))?;
        builder = builder.signing(signing);
    }
    if let Some(tolerance) = arguments.signature_tolerance {
        builder = builder.signature_tolerance(tolerance);
    }
    if let Some(method) = &arguments.method {
        builder.checks().method = method.clone();
    }
    if let Some(path) = &arguments.path {
        builder = builder.path(path);
    }
    if let Some(content_type) = &arguments.content_type {
        builder = builder.content_type(Some(content_type));
    }
    if let Some(bytes) = arguments.max_body {
        builder = builder.max_body(bytes);
    }
    if arguments.strict {
        builder = builder.strictness(Strictness::Strict);
    }
    let left_out = |subject: &Subject| arguments.without.iter().any(|name| name == subject.as_str());
    Ok(Subject::ALL.into_iter().filter(left_out).fold(builder, Builder::without))
}

fn tls(builder: Builder, arguments: &TlsArguments) -> Result<Builder, Failure> {
    if let Some(flaw) = arguments.tls {
        let builder = arguments.tls_name.iter().fold(builder, |builder, name| builder.tls_name(name));
        let made = match arguments.tls_client_out {
            Some(_) => builder.make_tls_for_clients(flaw),
            None => builder.make_tls(flaw),
        };
        return made.map_err(|error| match error {
            IdentityError::Name(_) => Failure::wrong_input(format!("error: --tls-name: {error}")),
            _ => Failure::cannot_run(format!("error: --tls: {error}")),
        });
    }
    let (Some(chain), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else { return Ok(builder) };
    let wrong = |error| Failure::wrong_input(format!("error: --tls-cert: {error}"));
    let mut identity = Identity::from_pem(&read(chain)?, &read(key)?).map_err(wrong)?;
    if let Some(clients) = &arguments.tls_client_ca {
        identity = identity.require_clients(&read(clients)?).map_err(wrong)?;
    }
    Ok(builder.tls(identity))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::wrong_input(format!("error: {}: {error}", path.display())))
}

/// The names that the flags ask for, if they say anything of them.
fn field_names(arguments: &CheckArguments) -> Result<Option<FieldNames>, Failure> {
    let rules = target::rules(&arguments.names)?;
    if let (Some(path), Some(name)) = (&arguments.config, &arguments.integration) {
        if !rules.is_empty() {
            return Err(Failure::wrong_input(
                "error: --rename, --omit and --constant do not go with --config",
            ));
        }
        return Ok(Some(FieldNames::clone(&target::integration_of(path, name)?.field_names)));
    }
    if rules.is_empty() {
        return Ok(None);
    }
    FieldNames::compile(&rules).map(Some).map_err(|errors| Failure::wrong_input(format!("error: {errors}")))
}

/// How long what is under way may take to end, when the receiver ends.
pub(super) const CLOSING: Duration = Duration::from_secs(2);
