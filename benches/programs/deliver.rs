//! Delivery: updates in by NDJSON, through the store on disk, to a bare server; beside a bare client that posts the same bytes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::bare::{self, Client};
use crate::bodies::{self, Bodies, lines};
use crate::figures::Figures;
use crate::figures::Goal::{AtLeast, AtMost};
use crate::machine::{cpu, now, pause, sync_time};
use crate::program::{Program, folder};
use crate::role::{Role, runtime};
use crate::{Done, Size};

/// Connections of the bare client, and attempts at once of an integration.
pub(crate) const CONNECTIONS: usize = 64;

/// Updates in one request.
pub(crate) const BATCH: usize = 1000;

/// Requests with updates at once.
const POSTERS: usize = 2;

/// A server in which much may wait.
pub(crate) const LARGE: &str = "[server]\nbacklog = 100000000\n";

/// One integration that gets everything.
pub(crate) fn one(url: &str, concurrency: usize, more: &str) -> String {
    integration("one", url, concurrency, more) + "[[policies]]\nintegrations = [\"one\"]\n"
}

/// The table of an integration, which sends what the bare client sends.
fn integration(name: &str, url: &str, concurrency: usize, more: &str) -> String {
    format!(
        "[integrations.{name}]\nurl = \"{url}\"\nallow = [\"127.0.0.0/8\"]\nconcurrency = {concurrency}\n\
         headers = \"X-Netography: Webhook\"\nusername = \"u\"\npassword = \"p\"\n{more}\n"
    )
}

/// As many policies as there may be.
pub(crate) const POLICIES: usize = 1000;

/// So many integrations in turn below these paths. Each has its algorithm; of more than there may be policies, several share
/// one, and each of its updates goes to all of them.
pub(crate) fn routed(server: SocketAddr, count: usize, path: impl Fn(usize) -> String) -> String {
    let one = |number: usize| {
        integration(&format!("i{number}"), &format!("http://{server}{}", path(number)), 8, "")
    };
    let policy = |number: usize| {
        let names: Vec<_> =
            (number..count).step_by(POLICIES).map(|number| format!("\"i{number}\"")).collect();
        format!("[[policies]]\nalgorithms = [\"a{number}\"]\nintegrations = [{}]\n", names.join(", "))
    };
    (0..count).map(one).chain((0..count.min(POLICIES)).map(policy)).collect()
}

/// A server at work with a place to hand updates in.
pub(crate) struct Sender {
    pub(crate) program: Program,
    client: Client,
    _folder: TempDir,
}

impl Sender {
    pub(crate) fn start(runtime: &Runtime, configuration: &str) -> Done<Self> {
        let folder = folder()?;
        let program = Program::serve(folder.path(), &format!("{configuration}\n{LARGE}"))?;
        let client = runtime.block_on(into(program.address, POSTERS))?;
        Ok(Self { program, client, _folder: folder })
    }

    /// Hands these in, and waits until `wanted` have arrived; gives how long that took, and how much of the processor the server
    /// took.
    pub(crate) fn deliver(
        &mut self,
        runtime: &Runtime,
        server: &mut Role,
        bodies: &[Bytes],
        wanted: usize,
    ) -> Done<(Duration, Duration)> {
        let requests = lines(bodies, BATCH);
        let (before, began) = (cpu(self.program.id())?, now());
        runtime.block_on(self.client.post(requests))?;
        server.ask(&wanted.to_string())?;
        let took = began.elapsed();
        Ok((took, cpu(self.program.id())? - before))
    }
}

/// A client that hands updates in.
pub(crate) async fn into(address: SocketAddr, connections: usize) -> Done<Client> {
    Client::connect(address, connections, None, ("/v1/updates", "application/x-ndjson")).await
}

/// A certificate for this machine, and its key, as files.
fn certificate(folder: &Path) -> Done<[PathBuf; 2]> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    let paths = ["certificate.pem", "key.pem"].map(|name| folder.join(name));
    std::fs::write(&paths[0], cert.pem())?;
    std::fs::write(&paths[1], signing_key.serialize_pem())?;
    Ok(paths)
}

/// How many integrations share a load.
const INTEGRATIONS: usize = 1000;

pub(crate) fn throughput(size: Size, figures: &mut Figures) -> Done {
    let (runtime, all, keys) = (runtime()?, Bodies::new(), folder()?);
    let [certificate, key] = certificate(keys.path())?;
    let (certificate_text, key_text) = (certificate.display().to_string(), key.display().to_string());
    let (mut plain, mut secure) =
        (Role::start(&["server"])?, Role::start(&["server", &certificate_text, &key_text])?);
    let mut client = Role::client(plain.address()?, CONNECTIONS, None)?;
    let mut secure_client = Role::client(secure.address()?, CONNECTIONS, Some(&certificate))?;
    let plain_one = one(&format!("http://{}/", plain.greeting), CONNECTIONS, "");
    let trust = format!("ca_file = {certificate_text:?}");
    let secure_one = one(&format!("https://{}/", secure.greeting), CONNECTIONS, &trust);
    let many = routed(plain.address()?, INTEGRATIONS, |number| format!("/{number}"));
    let [mut one, mut tls, mut many] = [
        Sender::start(&runtime, &plain_one)?,
        Sender::start(&runtime, &secure_one)?,
        Sender::start(&runtime, &many)?,
    ];
    let [mut rate, mut secure_rate, mut many_rate, mut work] = [const { Vec::new() }; 4];
    let count = size.updates;
    for round in 0..=size.rounds {
        let first = round * count;
        let bodies = all.several(first, count);
        let (bare, bare_work) = client.post(first, count, 0)?;
        plain.ask(&count.to_string())?;
        let (ours, our_work) = one.deliver(&runtime, &mut plain, &bodies, count)?;
        let (bare_secure, _) = secure_client.post(first, count, 0)?;
        secure.ask(&count.to_string())?;
        let (ours_secure, _) = tls.deliver(&runtime, &mut secure, &bodies, count)?;
        let routed = all.routed(first, count, INTEGRATIONS);
        let (ours_many, _) = many.deliver(&runtime, &mut plain, &routed, count)?;
        let per_second = |took: Duration| count as f64 / took.as_secs_f64();
        eprintln!(
            "  a second: bare {:.0}, ours {:.0}; TLS: bare {:.0}, ours {:.0}; {INTEGRATIONS} integrations {:.0}; µs of processor: bare {:.1}, ours {:.1}",
            per_second(bare),
            per_second(ours),
            per_second(bare_secure),
            per_second(ours_secure),
            per_second(ours_many),
            bare_work.as_secs_f64() * 1e6 / count as f64,
            our_work.as_secs_f64() * 1e6 / count as f64,
        );
        // The first round warms up.
        if round > 0 || size.rounds == 1 {
            rate.push(bare.as_secs_f64() / ours.as_secs_f64());
            secure_rate.push(bare_secure.as_secs_f64() / ours_secure.as_secs_f64());
            many_rate.push(ours.as_secs_f64() / ours_many.as_secs_f64());
            work.push(our_work.as_secs_f64() / bare_work.as_secs_f64());
        }
    }
    figures.row("durable delivery / bare hyper client", "×", rate, AtLeast(0.3));
    figures.row("durable delivery over TLS / bare hyper client", "×", secure_rate, AtLeast(0.35));
    figures.row("1,000 integrations / one", "×", many_rate, AtLeast(0.8));
    figures.row("processor a delivery / a request of the bare client", "×", work, AtMost(3.5));
    Ok(())
}

/// Nothing but a server that delivers, for a profiler to look at.
pub(crate) fn profiled(size: Size, _: &mut Figures) -> Done {
    let (runtime, all) = (runtime()?, Bodies::new());
    let mut server = Role::start(&["server"])?;
    let configuration = one(&format!("http://{}/", server.greeting), CONNECTIONS, "");
    let mut sender = Sender::start(&runtime, &configuration)?;
    eprintln!("  the server has the process id {}", sender.program.id());
    for round in 0..size.rounds {
        let bodies = all.several(round * size.updates, size.updates);
        let (took, work) = sender.deliver(&runtime, &mut server, &bodies, size.updates)?;
        let count = size.updates as f64;
        eprintln!(
            "  {:.0} a second, {:.1} µs of processor each",
            count / took.as_secs_f64(),
            work.as_secs_f64() * 1e6 / count
        );
    }
    Ok(())
}

/// Updates a second in the trial of latency.
const PACE: u32 = 200;

pub(crate) fn latency(size: Size, figures: &mut Figures) -> Done {
    let (runtime, all) = (runtime()?, Bodies::new());
    let arrivals: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let shared = Arc::clone(&arrivals);
    let judge = move |_: &str, body: &[u8]| {
        let at = now();
        if let (Some(id), Ok(mut arrivals)) = (bodies::id(body), shared.lock()) {
            arrivals.insert(id, at);
        }
        StatusCode::OK
    };
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn_on(bare::serve(listener, None, judge), runtime.handle());
    let mut sender = Sender::start(&runtime, &one(&format!("http://{address}/"), 8, ""))?;
    let mut syncs = vec![sync_time(sender._folder.path(), 200)?];
    let count = size.updates.min(4000);
    let (mut sent, began) = (Vec::new(), now());
    for number in 0..count {
        let body = all.body(number);
        let due = Duration::from_secs(1) / PACE * u32::try_from(number)?;
        pause(due.saturating_sub(began.elapsed()));
        sent.push((bodies::id(&body).unwrap_or_default(), now()));
        runtime.block_on(sender.client.post(vec![body]))?;
    }
    pause(Duration::from_secs(1));
    syncs.push(sync_time(sender._folder.path(), 200)?);
    let sync = syncs.iter().sum::<f64>() / 2.0;
    let arrivals = arrivals.lock().map_err(|_| "an arrival panicked")?;
    let took = |(id, at): &(String, Instant)| Some(arrivals.get(id)?.duration_since(*at).as_secs_f64());
    let mut times: Vec<f64> = sent.iter().filter_map(took).collect();
    if times.len() < count {
        return Err(format!("{} of {count} updates arrived", times.len()).into());
    }
    times.sort_by(f64::total_cmp);
    let [p50, p99] = [times[times.len() / 2], times[times.len() * 99 / 100]];
    eprintln!(
        "  a sync takes {:.2} ms; from sending to arrival p50 {:.2} ms, p99 {:.2} ms",
        sync * 1e3,
        p50 * 1e3,
        p99 * 1e3
    );
    let name = |what: &str| format!("{PACE} updates a second, sent to arrived: {what}");
    figures.row(&name("p50 / (a sync + 1 ms)"), "×", vec![p50 / (sync + 0.001)], AtMost(1.0));
    figures.row(&name("p99 / (3 syncs + 5 ms)"), "×", vec![p99 / (3.0 * sync + 0.005)], AtMost(1.0));
    Ok(())
}
