//! The store on disk beside the plain one, through any steps.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};

use super::*;

/// What is done to both stores at once.
#[derive(Clone, Debug)]
enum Step {
    Append {
        lane: u64,
        key: u8,
        ongoing: bool,
        coalesce: bool,
        room: usize,
    },
    Claim {
        lane: u64,
        limit: usize,
        epoch: u32,
        bytes: u64,
    },
    Settle {
        which: usize,
    },
    Park {
        which: usize,
        seconds: u64,
        outage: Option<u32>,
    },
    Sweep {
        lane: u64,
        seconds: u64,
    },
    Wait {
        seconds: u64,
    },
    Restart,
    Reopen,
    /// All of this, and it is taken back.
    Undone {
        lane: u64,
        key: u8,
        which: usize,
        settle: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..3_u64, 0..3_u8, any::<bool>(), any::<bool>(), 0..2_usize)
            .prop_map(|(lane, key, ongoing, coalesce, room)| Step::Append { lane, key, ongoing, coalesce, room }),
        5 => (1..3_u64, 1..4_usize, 0..3_u32, 0..30_u64)
            .prop_map(|(lane, limit, epoch, bytes)| Step::Claim { lane, limit, epoch, bytes }),
        3 => any::<usize>().prop_map(|which| Step::Settle { which }),
        3 => (any::<usize>(), 0..90_u64, proptest::option::of(0..3_u32))
            .prop_map(|(which, seconds, outage)| Step::Park { which, seconds, outage }),
        1 => (1..3_u64, 0..90_u64).prop_map(|(lane, seconds)| Step::Sweep { lane, seconds }),
        2 => (0..40_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => proptest::strategy::Just(Step::Restart),
        1 => proptest::strategy::Just(Step::Reopen),
        2 => (1..3_u64, 0..3_u8, any::<usize>(), any::<bool>())
            .prop_map(|(lane, key, which, settle)| Step::Undone { lane, key, which, settle }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_on_disk_does_what_the_plain_model_does(steps in vec(step(), 1..60), (number, messages, deliveries) in (0..6_usize, 1..9_i64, 1..9_u64)) {
        let bounds = Bounds { number, messages, deliveries, ..Bounds::USUAL };
        let (mut disk, mut model) = (OnDisk::with(bounds), MemoryStore::default());
        for name in ["a", "b"] {
            assert_eq!(disk.lane(name).unwrap(), model.lane(name).unwrap());
            disk.commit().unwrap();
        }
        let (mut now, mut claimed) = (at(100), Vec::<(LaneId, DeliveryId)>::new());
        for step in steps {
            match step {
                Step::Append { lane, key, ongoing, coalesce, room } => {
                    let coalesce = if coalesce { Coalesce::Superseded } else { Coalesce::Nothing };
                    let body = if ongoing { "ongoing" } else { "start" };
                    let entry = entry(&format!("k{key}"), body, &[(LaneId(lane), coalesce)]);
                    let entries = std::slice::from_ref(&entry);
                    assert_eq!(disk.append(entries, now).unwrap(), model.append(entries, now).unwrap());
                    let fresh = at_once(&mut disk, LaneId(lane), room, 100);
                    assert_eq!(fresh, at_once(&mut model, LaneId(lane), room, 100));
                    claimed.extend(fresh.0.into_iter().map(|id| (LaneId(lane), DeliveryId(id))));
                    disk.commit().unwrap();
                }
                Step::Claim { lane, limit, epoch, bytes } => {
                    let wanted = Wanted { lane: LaneId(lane), limit, epoch, bytes };
                    let found = claim_epoch(&mut disk, wanted, now);
                    assert_eq!(found, claim_epoch(&mut model, wanted, now));
                    let number = |line: &String| line.split(' ').next().unwrap().parse().unwrap();
                    claimed.extend(found.0.iter().map(|line| (LaneId(lane), DeliveryId(number(line)))));
                }
                Step::Settle { which } if !claimed.is_empty() => {
                    let (lane, id) = claimed.swap_remove(which % claimed.len());
                    assert_eq!(finish(&mut disk, lane, id.0, DELIVERED, now), finish(&mut model, lane, id.0, DELIVERED, now));
                }
                Step::Park { which, seconds, outage } if !claimed.is_empty() => {
                    let (lane, id) = claimed.swap_remove(which % claimed.len());
                    let park = Disposal::Park { until: now.after(Duration::from_secs(seconds)), outage, coalesce: Coalesce::Superseded };
                    assert_eq!(finish(&mut disk, lane, id.0, park.clone(), now), finish(&mut model, lane, id.0, park, now));
                }
                Step::Settle { .. } | Step::Park { .. } => {}
                Step::Sweep { lane, seconds } => {
                    let until = Timestamp::from_micros(now.as_micros() - seconds * 1_000_000);
                    let swept = disk.sweep(LaneId(lane), until, &Reason::Expired, now, 2).unwrap();
                    assert_eq!(swept, model.sweep(LaneId(lane), until, &Reason::Expired, now, 2).unwrap());
                    disk.commit().unwrap();
                }
                Step::Wait { seconds } => now = now.after(Duration::from_secs(seconds)),
                Step::Restart => {
                    (disk, model) = (disk.restarted(), model.restarted());
                    claimed.clear();
                }
                Step::Reopen => disk.reopen().unwrap(),
                Step::Undone { lane, key, which, settle } => {
                    let entry = entry(&format!("k{key}"), "ongoing", &[(LaneId(lane), Coalesce::Superseded)]);
                    disk.append(&[entry.clone(), entry], now).unwrap();
                    at_once(&mut disk, LaneId(lane), 1, 100);
                    disk.store().claim(Wanted { lane: LaneId(lane), limit: 2, epoch: 9, bytes: 100 }, now).unwrap();
                    if let Some(&(lane, id)) = claimed.get(which % claimed.len().max(1)) {
                        let disposal = if settle { DELIVERED } else { park(now, Some(0)) };
                        let finish = Finish { lane, id, attempts: 1, disposal, attempt: None, now };
                        assert!(disk.store().finish(&finish).unwrap().due.is_some() || settle);
                    }
                    disk.store().sweep(LaneId(lane), now, &Reason::Expired, now, 1).unwrap();
                    disk.abort().unwrap();
                }
            }
            let backlogs = |lanes: Vec<LaneRecord>| -> BTreeMap<LaneId, (u64, Option<Timestamp>)> {
                lanes.into_iter().map(|lane| (lane.id, (lane.backlog, lane.oldest))).collect()
            };
            assert_eq!(backlogs(disk.lanes().unwrap()), backlogs(model.lanes().unwrap()));
        }
        let report = crate::store::sqlite::scrub::scrub(disk.folder.path()).unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
    }
}
