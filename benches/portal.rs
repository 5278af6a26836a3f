//! How soon the portal answers over a long history: each list, one delivery, and what machines ask, beside `/healthz` in the
//! same run. The goal is 50 ms at a million deliveries; it is printed and not asserted, since machines differ.
//!
//! `--quick` has a short history, to show that the bench works.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::clock::{Clock, Timestamp};
use delivery::retry::Reason;
use delivery::store::desk::Desk;
use delivery::store::sqlite::{Retention, SqliteStore};
use delivery::store::{
    AttemptRecord, Coalesce, Disposal, Entry, Finish, LaneId, Offer, Parts, Route, Settled, Store, Wanted,
};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use payload::generate::Play;
use portal::{Access, Portal, Watch};
use sender::seal::SealingKey;
use sender::settings::Guarding;
use sender::{Book, Sender, Settings};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How soon an answer shall come.
const GOAL: Duration = Duration::from_millis(50);

/// Integrations. The last of them gets little.
const LANES: u64 = 20;

/// How many deliveries the last integration gets in all.
const RARE: u64 = 50;

/// How many updates are taken in by one commit.
const BATCH: usize = 10_000;

/// Over how long the history goes back.
const HISTORY: Duration = Duration::from_secs(6 * 24 * 3600);

/// One in so many deliveries is dead, or went nowhere.
const DEAD_IN: u64 = 1000;
const UNROUTED_IN: u64 = 2000;

/// One in so many of the newest still waits. Older ones would expire as soon as the server starts.
const PENDING_IN: u64 = 2000;
const PENDING_FOR: Duration = Duration::from_secs(12 * 3600);

/// What is asked, by what is looked for.
const PATHS: &[(&str, &str)] = &[
    ("yardstick", "/healthz"),
    ("all", "/v1/deliveries"),
    ("all, 1000 of them", "/v1/deliveries?limit=1000"),
    ("all, from the middle", "/v1/deliveries?before={middle}"),
    ("all, the oldest", "/v1/deliveries?before=50"),
    ("pending", "/v1/deliveries?state=pending"),
    ("pending of one", "/v1/deliveries?state=pending&integration=i3"),
    ("pending of the rare one", "/v1/deliveries?state=pending&integration=i20"),
    ("dead", "/v1/deliveries?state=dead"),
    ("dead, from the middle", "/v1/deliveries?state=dead&before={middle}"),
    ("dead of one", "/v1/deliveries?state=dead&integration=i3"),
    ("dead of the rare one", "/v1/deliveries?state=dead&integration=i20"),
    ("delivered", "/v1/deliveries?state=delivered"),
    ("delivered, from the middle", "/v1/deliveries?state=delivered&before={middle}"),
    ("superseded: none is", "/v1/deliveries?state=superseded"),
    ("of one", "/v1/deliveries?integration=i3"),
    ("of one, from the middle", "/v1/deliveries?integration=i3&before={middle}"),
    ("of the rare one", "/v1/deliveries?integration=i20"),
    ("of the rare one, delivered", "/v1/deliveries?integration=i20&state=delivered"),
    ("of an event", "/v1/deliveries?event={event}"),
    ("of an event, dead", "/v1/deliveries?event={event}&state=dead"),
    ("since far back", "/v1/deliveries?since={early}"),
    ("until far back", "/v1/deliveries?until={early}"),
    ("between, far back", "/v1/deliveries?since={early}&until={later}"),
    ("dead, between", "/v1/deliveries?state=dead&since={early}&until={later}"),
    ("of one, until far back", "/v1/deliveries?integration=i3&until={early}"),
    ("starts", "/v1/deliveries?alerttype=start"),
    ("starts that are dead", "/v1/deliveries?alerttype=start&state=dead"),
    ("ends of the rare one", "/v1/deliveries?alerttype=end&integration=i20"),
    ("one", "/v1/deliveries/{delivery}"),
    ("what went nowhere", "/v1/unrouted?limit=50"),
    ("audit", "/v1/audit"),
    ("status", "/v1/status"),
    ("metrics", "/metrics"),
    ("page: overview", "/"),
    ("page: deliveries", "/deliveries"),
    ("page: pending", "/deliveries?state=pending"),
    ("page: of the rare one", "/deliveries?integration=i20"),
    ("page: ends of one, until", "/deliveries?integration=i3&alerttype=end&until={early}"),
    ("page: dead", "/dead"),
    ("page: dead of the rare one", "/dead?integration=i20"),
    ("page: a delivery", "/deliveries/{delivery}"),
    ("page: an event", "/event?id={event}"),
    ("page: integrations", "/settings/integrations"),
    ("page: an integration", "/settings/integrations/i3"),
    ("page: policies", "/settings/policies"),
    ("page: access", "/settings/access"),
    ("page: changes", "/settings/changes"),
];

/// Places in the history that paths name.
#[derive(Debug, Default)]
struct Landmarks {
    /// A message in the middle.
    middle: u64,
    /// Its event.
    event: String,
    /// A delivery in the middle of an integration.
    delivery: String,
    /// A time at a tenth of the history, and one a little later.
    early: String,
    later: String,
}

impl Landmarks {
    fn path(&self, path: &str) -> String {
        path.replace("{middle}", &self.middle.to_string())
            .replace("{event}", &self.event)
            .replace("{delivery}", &self.delivery)
            .replace("{early}", &self.early)
            .replace("{later}", &self.later)
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (deliveries, requests) = if quick { (20_000, 30) } else { (1_000_000, 200) };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let begun = now();
    let landmarks = fill(folder.path(), deliveries);
    println!("a history of {deliveries} deliveries, made in {:.0} s", begun.elapsed().as_secs_f64());
    let server = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let address = server.block_on(serve(folder.path()));
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    client.block_on(measure(address, &landmarks, requests));
    server.shutdown_background();
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn now() -> Instant {
    Instant::now()
}

fn open(folder: &Path) -> SqliteStore {
    let retention = Retention { age: HISTORY * 100, bytes: u64::MAX };
    SqliteStore::open(folder, retention).expect("the folder can hold a store")
}

/// Writes the history through the store, as a server would have over days, but in large commits.
fn fill(folder: &Path, deliveries: u64) -> Landmarks {
    let mut store = open(folder);
    let lanes: Vec<LaneId> = (1..=LANES)
        .map(|number| store.lane(&format!("i{number}")).expect("the store takes a lane").id)
        .collect();
    let end = Clock::start().now().as_micros();
    let history = u64::try_from(HISTORY.as_micros()).expect("days are few microseconds");
    let at = |number: u64| Timestamp::from_micros(end - history + history / deliveries * number);
    let recent = end - u64::try_from(PENDING_FOR.as_micros()).expect("hours are few microseconds");
    let mut landmarks = Landmarks {
        middle: deliveries / 2,
        delivery: format!("i3/{}", deliveries / LANES / 2),
        early: rfc3339(at(deliveries / 10)),
        later: rfc3339(at(deliveries / 10 + deliveries / 100)),
        ..Landmarks::default()
    };
    let events = usize::try_from(deliveries).expect("there is room for them");
    let mut updates = Play::new(1, events, end / 1_000_000).zip(1..=deliveries).peekable();
    while updates.peek().is_some() {
        let mut now = at(0);
        let batch: Vec<Entry> = updates
            .by_ref()
            .take(BATCH)
            .map(|(event, number)| {
                if number == landmarks.middle {
                    landmarks.event.clone_from(&event.id);
                }
                now = at(number);
                let update = event.to_update().expect("what is generated is an update");
                let unrouted = number % UNROUTED_IN == 0;
                let rare = number % (deliveries / RARE) == 1;
                let lane = if rare { LANES - 1 } else { lane_of(&event.id) };
                let lane = lanes[usize::try_from(lane).expect("there are few")];
                Entry {
                    message: sender::message::message(&update),
                    lanes: if unrouted { Vec::new() } else { vec![(lane, Coalesce::Nothing)] },
                    once: None,
                    route: if unrouted { Route::Unmatched } else { Route::Lanes },
                }
            })
            .collect();
        store.append(&batch, now).expect("the store takes a batch");
        lanes.iter().for_each(|lane| settle(&mut store, *lane, now, now.as_micros() > recent));
        store.commit().expect("the store commits");
    }
    landmarks
}

/// All updates of an event go to one of the lanes but the last.
fn lane_of(event: &str) -> u64 {
    event.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte))) % (LANES - 1)
}

fn rfc3339(at: Timestamp) -> String {
    let micros = i64::try_from(at.as_micros()).expect("it is a time of today");
    jiff::Timestamp::from_microsecond(micros).expect("it is a time of today").to_string()
}

/// Settles all that a lane holds, key by key; of what is recent, but for the few that wait for longer than the bench runs.
fn settle(store: &mut SqliteStore, lane: LaneId, now: Timestamp, recent: bool) {
    loop {
        let wanted = Wanted { lane, limit: BATCH, epoch: 0, bytes: u64::MAX };
        let offers = store.claim(wanted, now).expect("the store gives what is due").offers;
        if offers.is_empty() {
            return;
        }
        for offer in offers {
            store.finish(&finish(lane, &offer, now, recent)).expect("the store settles");
        }
    }
}

fn finish(lane: LaneId, offer: &Offer, now: Timestamp, recent: bool) -> Finish {
    let dice = offer.id.0.wrapping_add(lane.0 * 7);
    let (disposal, word, status) = if recent && dice.is_multiple_of(PENDING_IN) {
        let until = now.after(HISTORY * 2);
        (Disposal::Park { until, outage: None, coalesce: Coalesce::Nothing }, "failed", 500)
    } else if dice.is_multiple_of(DEAD_IN) {
        (Disposal::Settle(Settled::Dead(Reason::GaveUp)), "rejected", 400)
    } else {
        (Disposal::Settle(Settled::Delivered), "delivered", 200)
    };
    let attempt = AttemptRecord {
        number: 1,
        at: now,
        word: word.into(),
        outcome: format!("{word} ({status})"),
        status: Some(status),
        took: Duration::from_millis(12),
        response: "{\"result\":\"a short answer\"}".to_owned(),
        parts: Parts { peer: Some("127.0.0.1:9".to_owned()), ..Parts::default() },
    };
    Finish { lane, id: offer.id, attempts: 1, disposal, attempt: Some(attempt), now }
}

/// Starts a server on the store, as `serve` does, and tells where it listens.
async fn serve(folder: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut text = String::new();
    for number in 1..=LANES {
        // Nothing listens there, and nothing is due.
        text.push_str(&format!(
            "[integrations.i{number}]\nurl = \"http://127.0.0.1:9/\"\nallow = [\"127.0.0.0/8\"]\n"
        ));
    }
    let file = folder.join("settings.toml");
    std::fs::write(&file, text).expect("the folder takes a file");
    let settings = Settings::read(&file, Guarding::Public).expect("the settings are right");
    let store = open(folder);
    let newest = store.newest().expect("the store tells its newest");
    let clock = newest.into_iter().fold(Clock::start(), Clock::not_before);
    let desk = Desk::threaded(store, clock).expect("a thread can be started");
    let watch = Watch::new();
    let sender = Sender::on(desk, clock, settings.server.limits, 1, watch.clone());
    let access = Access::open(address, None, &sender).await.expect("the store answers");
    let key = SealingKey::generate().and_then(|text| SealingKey::parse(&text)).expect("a key can be made");
    let book = Book::open(sender.clone(), key, Guarding::Public, clock).await.expect("the book opens");
    let portal = Arc::new(Portal::new(sender, book, watch, folder, access, clock));
    portal.set_up(settings).await.expect("the store answers");
    let mut forever = JoinSet::new();
    forever.spawn(portal::server::serve(listener, portal, std::future::pending()));
    std::mem::forget(forever);
    address
}

type Connection = SendRequest<Empty<Bytes>>;

async fn connect(address: SocketAddr) -> Connection {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a socket has the option");
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (connection, driver) = handshake.expect("HTTP/1.1 has no handshake");
    let mut task = JoinSet::new();
    task.spawn(driver);
    std::mem::forget(task);
    connection
}

/// The status, and how long the whole answer took, in milliseconds.
async fn ask(connection: &mut Connection, host: &str, path: &str) -> (http::StatusCode, f64) {
    let request = http::Request::get(path).header("host", host).body(Empty::new());
    let request = request.expect("the request is well formed");
    connection.ready().await.expect("the connection is kept alive");
    let begun = now();
    let answer = connection.send_request(request).await.expect("it is answered");
    let status = answer.status();
    answer.into_body().collect().await.expect("the answer comes whole");
    (status, begun.elapsed().as_secs_f64() * 1000.0)
}

async fn measure(address: SocketAddr, landmarks: &Landmarks, requests: usize) {
    let (mut connection, host) = (connect(address).await, address.to_string());
    let (mut yardstick, mut figures) = (None, serde_json::Map::new());
    println!("{:<28} {:>9} {:>9} {:>9}  {:<6} path", "what", "median ms", "p99 ms", "ratio", "50 ms");
    for (what, path) in PATHS {
        let path = landmarks.path(path);
        let mut times = Vec::with_capacity(requests);
        for _ in 0..requests {
            let (status, took) = ask(&mut connection, &host, &path).await;
            assert_eq!(status, 200, "{path}");
            times.push(took);
        }
        times.sort_by(f64::total_cmp);
        let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let ratio = median / *yardstick.get_or_insert(median);
        let reached = if late <= GOAL.as_secs_f64() * 1000.0 { "yes" } else { "NO" };
        println!("{what:<28} {median:>9.2} {late:>9.2} {ratio:>9.1}  {reached:<6} {path}");
        let rounded = |value: f64| (value * 100.0).round() / 100.0;
        figures.insert((*what).to_owned(), serde_json::json!([rounded(median), rounded(late)]));
    }
    println!("{}", serde_json::Value::Object(figures));
}
