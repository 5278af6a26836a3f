//! Kills the server again and again under load, on one store, and holds what arrived against what was acknowledged.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::rig::{Arrival, Dice, Load, Mood, Receiver, Server, now, pause};

/// What the account of a trial comes to.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    pub(crate) out_of_order: usize,
    pub(crate) duplicates: usize,
}

/// Holds arrivals against what was acknowledged: each acknowledged update was taken, and the updates of an event arrived
/// for the first time in their order.
pub(crate) fn account(acknowledged: &[(String, u64)], arrivals: &[Arrival]) -> Account {
    let mut taken: HashMap<(&str, u64), usize> = HashMap::new();
    let mut seen: HashSet<(&str, u64)> = HashSet::new();
    let mut newest: HashMap<&str, u64> = HashMap::new();
    let mut out_of_order = 0;
    for arrival in arrivals {
        let update = (arrival.event.as_str(), arrival.count);
        if seen.insert(update) {
            let newest = newest.entry(update.0).or_default();
            out_of_order += usize::from(arrival.count != *newest + 1);
            *newest = arrival.count;
        }
        *taken.entry(update).or_default() += usize::from(arrival.taken);
    }
    let lost = acknowledged
        .iter()
        .filter(|(event, count)| taken.get(&(event.as_str(), *count)).is_none_or(|n| *n == 0));
    Account {
        acknowledged: acknowledged.len(),
        lost: lost.count(),
        out_of_order,
        duplicates: taken.values().map(|times| times.saturating_sub(1)).sum(),
    }
}

/// A configuration that sends everything to one receiver, and tries again soon.
pub(crate) fn configuration(receiver: &str) -> String {
    format!(
        "[integrations.siem]\nurl = \"http://{receiver}/\"\nallow = [\"127.0.0.0/8\"]\nconcurrency = 16\n\
         attempt_timeout = \"2s\"\n[integrations.siem.retry]\ndelays = [\"20ms\", \"50ms\", \"100ms\"]\n\n\
         [[policies]]\nintegrations = [\"siem\"]\n"
    )
}

/// The pause between two updates of one of four threads.
const PACE: Duration = Duration::from_millis(2);

/// How long the rest may take to arrive.
const REST: Duration = Duration::from_secs(120);

pub(crate) fn crash(rounds: u64, seed: u64) -> Result<(), String> {
    let receiver = Receiver::start("127.0.0.1:0", seed, |_| Mood::Moody)?;
    let mut server = Server::new("crash", &configuration(&receiver.address))?;
    server.start()?;
    let load = Load::start(&server.address, 4, PACE, seed)?;
    let (mut dice, mut recoveries) = (Dice::new(seed), Vec::new());
    for round in 1..=rounds {
        pause(Duration::from_millis(20 + dice.below(300)));
        server.kill();
        // Now and then it is killed again while it opens the store.
        for _ in 0..dice.below(4).saturating_sub(1) {
            server.start_and_kill(Duration::from_millis(dice.below(25)))?;
        }
        let (begun, before) = (now(), receiver.count());
        server.start()?;
        while receiver.count() == before {
            if begun.elapsed() > REST {
                return Err(format!("round {round}: nothing arrives after the restart"));
            }
            pause(Duration::from_millis(1));
        }
        recoveries.push(begun.elapsed());
        if round % 25 == 0 || round == rounds {
            println!("round {round}: {} acknowledged, {} arrivals", load.acknowledged(), receiver.count());
        }
    }
    let acknowledged = load.stop();
    server.drained(REST)?;
    let account = account(&acknowledged, &receiver.arrivals());
    recoveries.sort();
    let p99 = recoveries[(recoveries.len() * 99 / 100).min(recoveries.len() - 1)];
    println!(
        "{rounds} kills, {} acknowledged: {} lost, {} out of order, {} duplicates; first delivery after a restart within {} ms (99 of 100)",
        account.acknowledged,
        account.lost,
        account.out_of_order,
        account.duplicates,
        p99.as_millis()
    );
    println!(
        "{}",
        serde_json::json!({
            "rounds": rounds,
            "acknowledged": account.acknowledged,
            "lost": account.lost,
            "out_of_order": account.out_of_order,
            "duplicates": account.duplicates,
            "recovery_p99_ms": u64::try_from(p99.as_millis()).unwrap_or(u64::MAX),
        })
    );
    if account.lost + account.out_of_order > 0 { Err("a promise was broken".to_owned()) } else { Ok(()) }
}
