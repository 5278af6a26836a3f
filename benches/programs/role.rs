//! What runs in a process of its own beside ours: this program, started anew in a role, which obeys lines.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::Done;
use crate::bare::{self, Client};
use crate::bodies::Bodies;
use crate::machine::{cpu, now};

/// As many threads as the program has.
pub(crate) fn runtime() -> Done<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Plays a role until its input ends.
pub(crate) fn play(words: &[&str]) -> Done {
    let runtime = runtime()?;
    match words {
        ["client", address, connections] => client(&runtime, address, connections, None),
        ["client", address, connections, authority] => {
            client(&runtime, address, connections, Some(Path::new(authority)))
        }
        ["server"] => server(&runtime, None),
        ["server", certificate, key] => {
            server(&runtime, Some(bare::acceptor(Path::new(certificate), Path::new(key))?))
        }
        ["wiremock"] => {
            let mock = runtime.block_on(MockServer::start());
            runtime
                .block_on(Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&mock));
            say(mock.address());
            obey(|_| Ok(String::new()))
        }
        _ => Err(format!("{words:?} is no role").into()),
    }
}

fn say(line: impl std::fmt::Display) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}

/// Answers each line of the input with one.
fn obey(mut answer: impl FnMut(&[usize]) -> Done<String>) -> Done {
    for line in std::io::stdin().lock().lines() {
        let numbers: Vec<usize> = line?.split(' ').filter_map(|word| word.parse().ok()).collect();
        say(answer(&numbers)?);
    }
    Ok(())
}

/// `FIRST COUNT LENGTH` makes bodies ready, a line without numbers posts them; the answer is how long it took, in nanoseconds.
fn client(
    runtime: &tokio::runtime::Runtime,
    address: &str,
    connections: &str,
    authority: Option<&Path>,
) -> Done {
    let kind = ("/", "application/json");
    let connecting = Client::connect(address.parse()?, connections.parse()?, authority, kind);
    let (mut client, bodies) = (runtime.block_on(connecting)?, Bodies::new());
    let mut ready = Vec::new();
    say("connected");
    obey(|numbers| match numbers {
        [first, count, length] => {
            ready = bodies.long(*first, *count, *length);
            Ok("ready".to_owned())
        }
        _ => {
            let began = now();
            runtime.block_on(client.post(std::mem::take(&mut ready)))?;
            Ok(began.elapsed().as_nanos().to_string())
        }
    })
}

/// How many requests came that were answered well, and who waits for more.
#[derive(Default)]
struct Tally {
    count: AtomicUsize,
    wanted: AtomicUsize,
    there: Notify,
}

/// `COUNT` waits until so many more than at the last time were answered well. What is posted below `/failing` is answered with
/// 500.
fn server(runtime: &tokio::runtime::Runtime, tls: Option<tokio_rustls::TlsAcceptor>) -> Done {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    say(listener.local_addr()?);
    let tally = Arc::new(Tally::default());
    tally.wanted.store(usize::MAX, Ordering::SeqCst);
    let shared = Arc::clone(&tally);
    let judge = move |path: &str, _: &[u8]| {
        if path.starts_with("/failing") {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        if shared.count.fetch_add(1, Ordering::SeqCst) + 1 >= shared.wanted.load(Ordering::SeqCst) {
            shared.there.notify_one();
        }
        StatusCode::OK
    };
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn_on(bare::serve(listener, tls, judge), runtime.handle());
    let mut before = 0;
    obey(|numbers| {
        before += numbers.first().copied().unwrap_or_default();
        tally.wanted.store(before, Ordering::SeqCst);
        runtime.block_on(async {
            while tally.count.load(Ordering::SeqCst) < before {
                tally.there.notified().await;
            }
        });
        Ok(tally.count.load(Ordering::SeqCst).to_string())
    })
}

/// A process in a role, ended when it is dropped.
pub(crate) struct Role {
    child: Child,
    tell: ChildStdin,
    told: BufReader<ChildStdout>,
    /// What it said first.
    pub(crate) greeting: String,
}

impl Role {
    pub(crate) fn start(words: &[&str]) -> Done<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("role")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(tell), Some(told)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process has no input or output".into());
        };
        let mut role = Self { child, tell, told: BufReader::new(told), greeting: String::new() };
        role.greeting = role.hear()?;
        Ok(role)
    }

    /// A bare client with so many connections.
    pub(crate) fn client(address: SocketAddr, connections: usize, authority: Option<&Path>) -> Done<Self> {
        let (address, connections) = (address.to_string(), connections.to_string());
        let authority = authority.map(|path| path.display().to_string());
        let mut words = vec!["client", &address, &connections];
        words.extend(authority.as_deref());
        Self::start(&words)
    }

    pub(crate) fn address(&self) -> Done<SocketAddr> {
        Ok(self.greeting.parse()?)
    }

    fn hear(&mut self) -> Done<String> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        if line.is_empty() { Err("a process in a role has ended".into()) } else { Ok(line.trim().to_owned()) }
    }

    /// Has it do something, and waits for its answer.
    pub(crate) fn ask(&mut self, line: &str) -> Done<String> {
        writeln!(self.tell, "{line}")?;
        self.hear()
    }

    /// Has a client post so many bodies; gives how long that took, and how much of the processor the client took.
    pub(crate) fn post(&mut self, first: usize, count: usize, length: usize) -> Done<(Duration, Duration)> {
        self.ask(&format!("{first} {count} {length}"))?;
        let before = cpu(self.child.id())?;
        let took = Duration::from_nanos(self.ask("go")?.parse()?);
        Ok((took, cpu(self.child.id())? - before))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
