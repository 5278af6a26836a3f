//! Plays whole lives of events: start, ongoing, end, with growing metrics, as a detection platform would report them.
//!
//! For the demo, the tests and the benches. The same seed and start time give the same updates; addresses and names are
//! from the ranges reserved for documentation (RFC 5737, RFC 2606).

use fastrand::Rng;

use crate::event::{
    AutonomousSystem, Event, Geo, IpInfo, Location, Metrics, PassiveDns, Reputation, Statistics,
};
use crate::value::{AlertType, Counts, Decimal, Json, Number, Severity, TextOr};

/// A detection model, as far as an update shows it.
struct Model {
    algorithm: &'static str,
    description: &'static str,
    severity: Severity,
    categories: &'static [&'static str],
    track_by: &'static [&'static str],
    threshold: &'static str,
    /// Bits per second while the event lasts.
    rate: u64,
}

const MODELS: &[Model] = &[
    Model {
        algorithm: "knownbotnet",
        description: "Srcip reputation is a known botnet",
        severity: Severity::Medium,
        categories: &["iprep"],
        track_by: &["srcip", "dstip"],
        threshold: "count(track_by) >= 1",
        rate: 4_000,
    },
    Model {
        algorithm: "ping_scan_ext-int",
        description: "An outside address pings many inside addresses",
        severity: Severity::Low,
        categories: &["security", "t1046"],
        track_by: &["srcip"],
        threshold: "count(dstip) >= 100",
        rate: 90_000,
    },
    Model {
        algorithm: "bandwidth_by_device",
        description: "More traffic through one device than it should carry",
        severity: Severity::High,
        categories: &["rate"],
        track_by: &["flowsrcname", "output"],
        threshold: "avg(bitsxrate) >= 20000000",
        rate: 45_000_000,
    },
    Model {
        algorithm: "6in4tunnel",
        description: "IPv6 is carried inside IPv4",
        severity: Severity::Medium,
        categories: &["policy", "configuration"],
        track_by: &["srcip", "dstip"],
        threshold: "count(track_by) >= 1",
        rate: 700_000,
    },
];

const DEVICES: &[(&str, &str)] = &[("edge-1", "ams"), ("edge-2", "fra"), ("core-1", "ams")];

/// Seconds between the updates of one event.
const INTERVAL: u64 = 300;

/// The updates of several events, in the order of their times, interleaved.
#[derive(Debug)]
pub struct Play {
    dice: Rng,
    waiting: usize,
    next_start: u64,
    live: Vec<Life>,
}

#[derive(Debug)]
struct Life {
    event: Event,
    seconds: u64,
    next: u64,
    rate: u64,
    /// Ongoing updates that are still to come.
    left: u32,
}

impl Play {
    /// The lives of `events` events, the first of them beginning at `start` (Unix seconds).
    #[must_use]
    pub fn new(seed: u64, events: usize, start: u64) -> Self {
        Self { dice: Rng::with_seed(seed), waiting: events, next_start: start, live: Vec::new() }
    }

    fn begin(&mut self) -> Event {
        let life = Life::begin(&mut self.dice, self.next_start);
        self.waiting -= 1;
        self.next_start += self.dice.u64(1..INTERVAL);
        let event = life.event.clone();
        self.live.push(life);
        event
    }
}

impl Iterator for Play {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let soonest = (0..self.live.len()).min_by_key(|&index| self.live[index].next);
        match soonest {
            Some(index) if self.waiting == 0 || self.live[index].next < self.next_start => {
                let event = self.live[index].advance(&mut self.dice);
                if event.alerttype == AlertType::End {
                    self.live.remove(index);
                }
                Some(event)
            }
            _ if self.waiting > 0 => Some(self.begin()),
            _ => None,
        }
    }
}

impl Life {
    fn begin(dice: &mut Rng, at: u64) -> Self {
        let model = &MODELS[dice.usize(..MODELS.len())];
        let (device, site) = DEVICES[dice.usize(..DEVICES.len())];
        let source = format!("192.0.2.{}", dice.u8(1..255));
        let target = format!("198.51.100.{}", dice.u8(1..255));
        let output = dice.u32(1..48);
        let tracked = |name: &&str| match *name {
            "srcip" => source.clone(),
            "dstip" => target.clone(),
            "flowsrcname" => device.to_owned(),
            _ => output.to_string(),
        };
        let mut event = Event {
            alerttype: AlertType::Start,
            algorithm: model.algorithm.to_owned(),
            cachekey: model.track_by.iter().map(tracked).collect::<Vec<_>>().join(" "),
            categories: texts(model.categories),
            customer: "example".to_owned(),
            description: model.description.to_owned(),
            flowsrcname: device.to_owned(),
            id: uuid(dice),
            output: TextOr::Other(Number::from(output)),
            rollupperiod: Number::from(INTERVAL),
            severity: model.severity.clone(),
            site: site.to_owned(),
            start: Number::from(at),
            tags: texts(&["fusion", site]),
            threshold: model.threshold.to_owned(),
            timestamp: Number::from(at),
            track: model.track_by.join(" "),
            track_by: texts(model.track_by),
            updatecount: Number::from(1_u32),
            updateinterval: Number::from(INTERVAL),
            ..Event::default()
        };
        if model.track_by.contains(&"srcip") {
            event.dstip = vec![target];
            event.ipinfo = vec![ip_info(dice, &source, at)];
            event.ipinfocount = Number::from(1_u32);
            event.srcip = vec![source];
        }
        event.metrics.count = Counts(vec![("flow".to_owned(), Number::from(1_u32))]);
        event.summary = summary(&event, "has started");
        let seconds = dice.u64(1..INTERVAL);
        Self { event, seconds, next: at + INTERVAL, rate: model.rate, left: dice.u32(0..4) }
    }

    fn advance(&mut self, dice: &mut Rng) -> Event {
        let ends = self.left == 0;
        let event = &mut self.event;
        event.lasttimestamp = event.timestamp.clone();
        event.timestamp = Number::from(self.next);
        let count = event.updatecount.as_i64().unwrap_or_default() + 1;
        event.updatecount = Number::from(count);
        event.duration = Number::from(self.seconds);
        grow(&mut event.metrics, dice, self.rate, self.seconds);
        if ends {
            event.alerttype = AlertType::End;
            event.end = Number::from(self.next);
            event.summary = summary(event, "has ended");
        } else {
            event.alerttype = AlertType::Ongoing;
            event.summary = summary(event, "is ongoing");
            self.left -= 1;
        }
        self.seconds += INTERVAL;
        self.next += INTERVAL;
        self.event.clone()
    }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

fn summary(event: &Event, what: &str) -> String {
    let mut name = event.algorithm.clone();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{name} alert {what} in {} for device {}", event.site, event.flowsrcname)
}

/// A random UUID (version 4, RFC 9562) from the die that is given, so that a seed repeats it.
fn uuid(dice: &mut Rng) -> String {
    let (high, low) = (dice.u64(..), dice.u64(..));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        ((low >> 48) & 0x3fff) | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

fn grow(metrics: &mut Metrics, dice: &mut Rng, rate: u64, seconds: u64) {
    let bits = statistics(dice, rate, seconds);
    let packets = statistics(dice, rate / 4_000 + 1, seconds);
    metrics.bitsxrate = bits.clone();
    metrics.bits = bits;
    metrics.packetsxrate = packets.clone();
    metrics.packets = packets;
    metrics.duration = statistics(dice, 30, seconds);
    metrics.count = Counts(vec![("flow".to_owned(), Number::from(seconds * dice.u64(1..9)))]);
}

fn statistics(dice: &mut Rng, mean: u64, seconds: u64) -> Statistics {
    let sum = mean * seconds + dice.u64(..=mean);
    #[expect(clippy::cast_precision_loss, reason = "made-up measurements stay far below 2^53")]
    let avg = (sum as f64 / seconds.max(1) as f64 * 100.0).round() / 100.0;
    Statistics {
        avg: Decimal::new(avg).unwrap_or_default(),
        max: Number::from(mean * 2 + dice.u64(..=mean)),
        min: Number::from(mean / 2),
        sum: Number::from(sum),
        ..Statistics::default()
    }
}

fn ip_info(dice: &mut Rng, ip: &str, at: u64) -> IpInfo {
    let host = format!("host-{}.example.net", dice.u16(..));
    let degrees = |value: f64| Decimal::new(value).unwrap_or_default().number().clone();
    IpInfo {
        system: AutonomousSystem {
            number: Number::from(dice.u32(64_496..=64_511)),
            org: "Example Transit".to_owned(),
            ..AutonomousSystem::default()
        },
        count: Number::from(dice.u32(1..500)),
        firstseen: Number::from(at.saturating_sub(86_400)),
        geo: Geo {
            city: "Amsterdam".to_owned(),
            continentcode: "EU".to_owned(),
            countrycode: "NL".to_owned(),
            location: Location { lat: degrees(52.374), lon: degrees(4.8897), ..Location::default() },
            postal: "1012".to_owned(),
            subdiso: "NH".to_owned(),
            ..Geo::default()
        },
        ip: ip.to_owned(),
        iprep: Reputation {
            categories: texts(&["botnets", "scanners"]),
            count: Number::from(2_u32),
            ..Reputation::default()
        },
        lastseen: Number::from(at),
        pdns: PassiveDns {
            count: Number::from(1_u32),
            records: vec![Json::from(&serde_json::Value::from(host.clone()))],
            ..PassiveDns::default()
        },
        rdns: vec![host],
        ..IpInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{FieldNames, check};

    const START: u64 = 1_689_391_131;

    #[test]
    fn a_seed_repeats_its_play() {
        let play = |seed| Play::new(seed, 20, START).map(|event| event.to_json()).collect::<Vec<_>>();
        assert_eq!(play(7), play(7));
        assert_ne!(play(7), play(8));
    }

    #[test]
    fn lives_are_whole_and_give_the_check_nothing_to_find() {
        let mut lives: HashMap<String, Vec<Event>> = HashMap::new();
        let mut last = 0;
        for event in Play::new(1, 50, START) {
            assert_eq!(check(&event.to_update().unwrap(), &FieldNames::standard()), []);
            let at = event.timestamp.as_i64().unwrap();
            assert!(at >= last, "updates come in the order of their times");
            last = at;
            lives.entry(event.id.clone()).or_default().push(event);
        }
        assert_eq!(lives.len(), 50);
        for life in lives.values() {
            let kinds: Vec<_> = life.iter().map(|event| event.alerttype.as_str()).collect();
            assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("start", "end"));
            assert!(kinds[1..kinds.len() - 1].iter().all(|&kind| kind == "ongoing"));
            let counts: Vec<_> = life.iter().filter_map(|event| event.updatecount.as_i64()).collect();
            assert!(counts.iter().zip(1..).all(|(&count, expected)| count == expected));
            let sums: Vec<_> = life.iter().map(|event| event.metrics.bits.sum.as_f64()).collect();
            assert!(sums.is_sorted(), "the sums grow: {sums:?}");
        }
    }
}
