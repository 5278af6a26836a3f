//! Trials of the built server that measure: isolation, an outage, a large backlog. Each prints its figures, and as its last
//! line JSON.

use std::time::Duration;

use crate::crash::configuration;
use crate::rig::{Load, Mood, Receiver, Server, now, pause, request, update};

/// How long the rest may take to arrive.
const REST: Duration = Duration::from_secs(60);

/// Whether a trial did what it should. Goals are set for the full size; a smaller one shows that the trial works.
fn judge(good: bool, full_size: bool, goal: &str) -> Result<(), String> {
    if good || !full_size { Ok(()) } else { Err(goal.to_owned()) }
}

/// A receiver refuses connections for a while under load; then the last delivery of what waited comes soon.
pub(crate) fn outage(seconds: u64) -> Result<(), String> {
    let receiver = Receiver::start("127.0.0.1:0", 1, |_| Mood::Well)?;
    let address = receiver.address.clone();
    let mut server = Server::new("outage", &configuration(&address))?;
    server.start()?;
    // Ten threads with a tenth of a second between updates: about a hundred a second.
    let load = Load::start(&server.address, 10, Duration::from_millis(99), 1)?;
    pause(Duration::from_secs(2));
    drop(receiver);
    pause(Duration::from_secs(seconds));
    let (receiver, waiting) = (Receiver::start(&address, 2, |_| Mood::Well)?, server.backlog().unwrap_or(0));
    let back = now();
    while server.backlog().is_none_or(|backlog| backlog > 3) {
        if back.elapsed() > REST {
            return Err(format!("after {} s there is still a backlog", REST.as_secs()));
        }
        pause(Duration::from_millis(5));
    }
    let last = back.elapsed();
    let first = receiver.arrivals().first().map_or(Duration::ZERO, |arrival| arrival.at.duration_since(back));
    let acknowledged = load.stop().len();
    server.drained(REST)?;
    println!(
        "{seconds} s of refused connections: {waiting} deliveries waited; the first came {} ms after the return, the backlog was gone after {} ms",
        first.as_millis(),
        last.as_millis()
    );
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    println!(
        "{}",
        serde_json::json!({ "seconds": seconds, "acknowledged": acknowledged, "waited": waiting,
            "first_ms": millis(first), "last_ms": millis(last) })
    );
    judge(last <= Duration::from_secs(3), seconds >= 30, "the goal is 3 s")
}

/// A backlog of many updates whose receiver is away: what the server holds in memory, and how soon it delivers after a
/// kill.
pub(crate) fn backlog(updates: u64) -> Result<(), String> {
    let receiver = Receiver::start("127.0.0.1:0", 1, |_| Mood::Well)?;
    let address = receiver.address.clone();
    drop(receiver);
    let text = configuration(&address) + "\n[server]\nbacklog = 100000000\n";
    let mut server = Server::new("backlog", &text)?;
    server.start()?;
    let sample = crate::rig::sample()?;
    let (begun, mut sent, mut peak) = (now(), 0, 0);
    while sent < updates {
        let batch: Vec<String> = (sent..(sent + BATCH).min(updates))
            .map(|number| update(&sample, &format!("event {}", number / 2), number % 2 + 1))
            .collect();
        let body = format!("[{}]", batch.join(","));
        match request(&server.address, "POST", "/v1/updates", &body) {
            Ok((202, _)) => sent += batch.len() as u64,
            Ok((429, _)) => pause(Duration::from_millis(50)),
            other => return Err(format!("the server refuses: {other:?}")),
        }
        peak = peak.max(server.resident().unwrap_or(0));
    }
    let rate = updates as f64 / begun.elapsed().as_secs_f64();
    pause(Duration::from_secs(1));
    let resident = server.resident().unwrap_or(0);
    server.kill();
    let receiver = Receiver::start(&address, 2, |_| Mood::Well)?;
    let killed = now();
    server.start()?;
    let ready = killed.elapsed();
    while receiver.count() == 0 {
        if killed.elapsed() > REST {
            return Err("nothing arrives after the restart".to_owned());
        }
        pause(Duration::from_millis(1));
    }
    let first = killed.elapsed();
    pause(Duration::from_secs(3));
    let (delivered, after) = (receiver.count(), server.resident().unwrap_or(0));
    peak = peak.max(after);
    println!(
        "{updates} updates taken in at {rate:.0} a second; resident {} MiB with that backlog, {} MiB at most; after a kill it \
         listened within {} ms and delivered within {} ms, then {} a second",
        resident / 1024,
        peak / 1024,
        ready.as_millis(),
        first.as_millis(),
        delivered / 3
    );
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    println!(
        "{}",
        serde_json::json!({ "updates": updates, "accepts_per_second": rate.round(), "resident_mib": resident / 1024,
            "peak_mib": peak / 1024, "ready_ms": millis(ready), "first_delivery_ms": millis(first),
            "deliveries_per_second": delivered / 3 })
    );
    let good = peak < 128 * 1024 && first < Duration::from_secs(2);
    judge(good, updates >= 1_000_000, "the goals are 128 MiB and 2 s")
}

/// How many updates one request holds.
const BATCH: u64 = 1000;

/// Integrations, most of them well: how the broken ones change what the others see.
pub(crate) fn isolation(integrations: u64, pairs: u64) -> Result<(), String> {
    let (mut ratios, mut figures) = (Vec::new(), Vec::new());
    for pair in 1..=pairs {
        let well = latency(integrations, false)?;
        let broken = latency(integrations, true)?;
        ratios.push(broken / well);
        figures.push((well, broken));
        println!("pair {pair}: p99 {well:.1} ms without the broken ones, {broken:.1} ms with them");
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!(
        "1 of {integrations} never answers, 1 in 20 answers 500: the others' p99 is {median:.2} times what it is without them"
    );
    println!(
        "{}",
        serde_json::json!({ "integrations": integrations, "pairs": pairs, "median_ratio": (median * 100.0).round() / 100.0 })
    );
    judge(median <= 1.1, integrations >= 1000, "the goal is 1.1 times")
}

fn mood_with_broken(path: &str) -> Mood {
    match path.rsplit('/').next().and_then(|text| text.parse::<u64>().ok()) {
        Some(0) => Mood::Silent,
        Some(number) if number % 20 == 1 => Mood::Failing,
        _ => Mood::Well,
    }
}

/// The p99 of the time from an accept to the arrival at a well integration, in milliseconds.
fn latency(integrations: u64, broken: bool) -> Result<f64, String> {
    let mood = if broken { mood_with_broken } else { |_: &str| Mood::Well };
    let receiver = Receiver::start("127.0.0.1:0", 1, mood)?;
    let mut text = String::new();
    for number in 0..integrations {
        text.push_str(&format!(
            "[integrations.i{number}]\nurl = \"http://{}/{number}\"\nallow = [\"127.0.0.0/8\"]\n\
             [[policies]]\nalgorithms = [\"a{number}\"]\nintegrations = [\"i{number}\"]\n",
            receiver.address
        ));
    }
    let mut server = Server::new("isolation", &text)?;
    server.start()?;
    let mut sample = crate::rig::sample()?;
    let mut sent = std::collections::HashMap::new();
    for round in 0..ROUNDS {
        for number in 0..integrations {
            sample["algorithm"] = format!("a{number}").into();
            let event = format!("{round}-{number}");
            let body = update(&sample, &event, 1);
            let at = now();
            match request(&server.address, "POST", "/v1/updates", &body) {
                Ok((202, _)) => drop(sent.insert(event, at)),
                other => return Err(format!("the server refuses: {other:?}")),
            }
        }
    }
    let well = |path: &str| mood_with_broken(path) == Mood::Well;
    let wanted = (0..integrations).filter(|number| well(&format!("/{number}"))).count()
        * usize::try_from(ROUNDS).unwrap_or(1);
    let end = now() + REST;
    loop {
        let mut times: Vec<f64> = receiver
            .arrivals()
            .iter()
            .filter(|arrival| arrival.taken && well(&arrival.path))
            .filter_map(|arrival| {
                Some(arrival.at.duration_since(*sent.get(&arrival.event)?).as_secs_f64() * 1000.0)
            })
            .collect();
        if times.len() >= wanted {
            times.sort_by(f64::total_cmp);
            return Ok(times[times.len() * 99 / 100]);
        }
        if now() > end {
            return Err(format!("only {} of {wanted} arrived", times.len()));
        }
        pause(Duration::from_millis(20));
    }
}

/// How many updates each integration gets in a run.
const ROUNDS: u64 = 4;
