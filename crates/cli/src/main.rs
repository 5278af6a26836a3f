//! The program `fusion-webhook`: the only place that joins the sender and the receiver.
//!
//! It reads what a person typed, hands it to the libraries, and shows what they say. Decisions live in them, not here.

mod args;
mod ask;
mod certify;
mod check;
mod clock;
mod demo;
mod exit;
mod explain;
mod input;
mod key;
mod operate;
mod receive;
mod secret;
mod send;
mod serve;
mod show;
mod stop;
mod store;
mod target;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Arguments, Command};
use exit::Failure;

/// What one thread takes another gives back, all the time: the system's allocator has both wait for each other, and keeps
/// what a burst took. How soon this one gives back stands in `.cargo/config.toml`.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    end_on_panic();
    leave_no_core();
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Send(send) if send.server.is_some() => send::hand_over(&send),
        Command::Send(send) => runtime()?.block_on(send::send(send)),
        Command::Receive(receive) => runtime()?.block_on(receive::receive(receive)),
        Command::Certify(certify) => runtime()?.block_on(certify::certify(certify)),
        Command::Explain(what) => explain::explain(&what),
        Command::Serve(serve) => runtime()?.block_on(serve::serve(serve)),
        Command::Status(server) => operate::status(&server),
        Command::Deliveries(what) => operate::deliveries(what),
        Command::Dead(what) => operate::dead(what),
        Command::Integrations(what) => operate::integrations(what),
        Command::Policies(what) => operate::policies(&what),
        Command::People(what) => operate::people(&what),
        Command::Tokens(what) => operate::tokens(&what),
        Command::Audit { limit, server } => operate::audit(limit, &server),
        Command::Store(what) => store::store(what),
        Command::Demo(demo) => runtime()?.block_on(demo::demo(demo)),
        Command::Check(check) => check::check(&check),
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "fusion-webhook", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A panic of the main thread ends the program anyway. It ends at once: where the system gives no threads, unwinding would
/// wait for ever for those that were to be.
fn end_on_panic() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        if std::thread::current().name() == Some("main") {
            std::process::exit(i32::from(exit::CANNOT_RUN));
        }
    }));
}

/// What is in memory are passwords and keys, so that a crash leaves none of it on the disk. A limit of one byte writes no file,
/// and is the one with which the kernel starts no program that would be handed a core either (core(5), on pipes).
fn leave_no_core() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Where lowering it is refused, it is lower already.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) });
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|error| Failure::cannot_run(format!("the runtime cannot be started: {error}")))
}
