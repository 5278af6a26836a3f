//! `serve`: the server. It starts the parts, passes signals on, and ends them in order.

mod input;
mod reload;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use delivery::clock::Clock;
use delivery::store::desk::Desk;
use delivery::store::sqlite::{SqliteStore, scrub};
use delivery::tasks::spawn;
use portal::{Access, Portal, Watch};
use secrecy::ExposeSecret;
use sender::book::Origin;
use sender::settings::{Guarding, MIN_TOKEN};
use sender::{Book, Sender, Settings};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::args::Serve;
use crate::clock::sleep;
use crate::exit::Failure;
use crate::stop::Stop;
use crate::{key, show};

/// How often the whole store is verified.
const SCRUB_EVERY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

pub(crate) async fn serve(arguments: Box<Serve>) -> Result<ExitCode, Failure> {
    log(&arguments);
    without_core_dumps();
    with_all_descriptors();
    let guarding = if arguments.allow_private { Guarding::Off } else { Guarding::Public };
    // From before it is read: what is changed meanwhile is a change.
    let looked = arguments.config.as_deref().and_then(reload::look);
    let settings = match &arguments.config {
        Some(path) => {
            Settings::read(path, guarding).map_err(|error| Failure::wrong_input(error.to_string()))?
        }
        None => Settings::default(),
    };
    let drain = settings.server.drain;
    let listener = listen(arguments.listen.as_deref().unwrap_or(&settings.server.listen)).await?;
    let address = listener.local_addr().map_err(|error| cannot_run(&error))?;
    let portal = Arc::new(open(&arguments, &settings, address, guarding).await?);
    let stop = Stop::listen(|| tracing::warn!("stopped at once; what was under way may be delivered again"))?;
    portal.set_up(settings).await.map_err(|error| cannot_run(&error))?;
    let count = portal.sender.integrations().len();
    warn(&arguments, &portal).await;
    let (close, closed) = oneshot::channel::<()>();
    let answering = spawn(portal::server::serve(listener, Arc::clone(&portal), async {
        let _ = closed.await;
    }));
    let _scrubbing = spawn(scrub_now_and_then(arguments.data.clone()));
    let _reloading = arguments
        .config
        .clone()
        .map(|path| spawn(reload::reload((path, looked), hang_up(), guarding, Arc::clone(&portal))));
    let _reading = arguments.stdin.then(|| spawn(input::take_in(Arc::clone(&portal))));
    show::println(&format!(
        "serving on http://{address}/ with {}, store in {} (Ctrl-C ends)\nthe portal: {}",
        if count == 1 { "1 integration".to_owned() } else { format!("{count} integrations") },
        arguments.data.display(),
        way_in(&portal.access, address)
    ));
    stop.asked().await;
    tracing::info!(seconds = drain.as_secs(), "draining; a second signal stops at once");
    portal.drain();
    portal.sender.engine().shut_down(drain).await;
    let _ = close.send(());
    answering.await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// How a person gets to the pages.
fn way_in(access: &Access, address: SocketAddr) -> String {
    let address = match address.ip().is_unspecified() {
        true => format!("THIS-MACHINE:{}", address.port()),
        false => address.to_string(),
    };
    match access.set_up_token() {
        Some(token) => {
            let token = token.expose_secret();
            format!(
                "open http://{address}/setup and give this set-up token, good until somebody can log in: {token}"
            )
        }
        None if access.is_open() => {
            format!(
                "http://{address}/ is open to everybody on this machine until somebody can log in (Settings > Access)"
            )
        }
        None => format!("http://{address}/ asks who you are"),
    }
}

/// Says what is odd about what is configured.
async fn warn(arguments: &Serve, portal: &Portal) {
    for record in portal.book.damaged().await {
        tracing::error!(
            record,
            "a record of what is configured is damaged, and left alone: restore it from an export"
        );
    }
    let view = portal.book.view();
    let sealed = view.integrations.values().any(|listed| listed.origin == Origin::Store);
    if sealed && key::lies_beside(arguments.key.as_ref(), arguments.key_file.as_deref()) {
        tracing::warn!(
            "the key that seals stored secrets lies beside them: keep it elsewhere, with --key-file or FUSION_WEBHOOK_KEY"
        );
    }
    if view.integrations.is_empty() {
        tracing::warn!(
            "there is no integration: what is accepted goes nowhere; the portal, the API or `integrations add` adds one, and --config names a file with some"
        );
    }
}

/// Opens the store, and puts the engine and the portal on it.
async fn open(
    arguments: &Serve,
    settings: &Settings,
    address: SocketAddr,
    guarding: Guarding,
) -> Result<Portal, Failure> {
    let token = arguments.token.as_ref().map(|token| token.0.clone()).or(settings.server.token.clone());
    if token.as_ref().is_some_and(|token| token.expose_secret().chars().count() < MIN_TOKEN) {
        let why = format!("error: the token is shorter than {MIN_TOKEN} characters, so it could be guessed");
        return Err(Failure::wrong_input(why));
    }
    let retention = settings.server.retention;
    let store = SqliteStore::open(&arguments.data, retention).map_err(|error| cannot_run(&error))?;
    let newest = store.newest().map_err(|error| cannot_run(&error))?;
    let clock = newest.into_iter().fold(Clock::start(), Clock::not_before);
    let desk = Desk::threaded(store, clock).map_err(|error| cannot_run(&error))?;
    let watch = Watch::new();
    let sender = Sender::on(desk, clock, settings.server.limits, clock.now().as_micros(), watch.clone());
    let access = Access::open(address, token, &sender).await.map_err(|error| cannot_run(&error))?;
    let key = key::open(arguments.key.as_ref(), arguments.key_file.as_deref(), &arguments.data)?;
    let book = Book::open(sender.clone(), key, guarding, clock).await;
    let book = book.map_err(|error| Failure::cannot_run(format!("error: {error}")))?;
    Ok(Portal::new(sender, book, watch, &arguments.data, access, clock))
}

fn cannot_run(error: &impl std::fmt::Display) -> Failure {
    Failure::cannot_run(format!("error: {error}"))
}

async fn listen(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; another program listens there: choose another port with --listen, or 0 for a free one"
            }
            std::io::ErrorKind::PermissionDenied => {
                "; ports below 1024 need a privilege: choose a higher one"
            }
            _ => "",
        };
        Failure::cannot_run(format!("error: cannot listen on {address}: {error}{hint}"))
    })
}

fn log(arguments: &Serve) {
    let level = arguments.log.parse().unwrap_or(tracing::Level::INFO);
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr())
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(colours)
        .with_writer(std::io::stderr);
    if arguments.log_json { builder.json().init() } else { builder.init() }
}

/// A core dump would hold passwords.
fn without_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// As many open files as the system allows without a privilege: a thousand integrations keep more connections than the 1,024
/// that a shell gives.
fn with_all_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Verifies the store while it is used, and tells the log what is wrong with it.
async fn scrub_now_and_then(data: std::path::PathBuf) {
    loop {
        sleep(SCRUB_EVERY).await;
        let folder = data.clone();
        let look = move || scrub::scrub(Path::new(&folder));
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(report)) if report.wrong == 0 => {
                tracing::info!(rows = report.rows, "the store was verified")
            }
            Ok(Ok(report)) => {
                for finding in &report.findings {
                    tracing::error!(finding, "the store is damaged");
                }
            }
            Ok(Err(error)) => tracing::error!(error, "the store cannot be verified"),
            Err(error) => tracing::error!(%error, "the store cannot be verified"),
        }
    }
}

/// The signal that asks for a reload.
fn hang_up() -> Option<Signal> {
    signal(SignalKind::hangup()).ok()
}
