//! What is done for each update allocates nothing, once the buffers are as large as an update needs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocation_counter::measure;
use payload::generate::Play;
use payload::value::Json;
use payload::{Event, Field, FieldNames, Reader, Rule};

fn names() -> FieldNames {
    let rules = [
        Rule::rename("id", "event_id"),
        Rule::rename("metrics.bits.avg", "mean"),
        Rule::rename("ipinfo.geo.city", "town"),
        Rule::omit("rules"),
        Rule::add("source", Json::parse("\"fusion\"").unwrap()),
    ];
    FieldNames::compile(&rules).unwrap()
}

/// Does it twice, and counts what the second time allocates.
fn when_warm(mut work: impl FnMut()) -> u64 {
    work();
    measure(work).count_total
}

#[test]
fn reading_asking_renaming_and_writing_allocate_nothing() {
    let events: Vec<Event> = Play::new(7, 20, 1_689_391_131).collect();
    let compact: Vec<Vec<u8>> = events.iter().map(Event::to_json).collect();
    let spaced: Vec<Vec<u8>> = compact
        .iter()
        .map(|text| serde_json::from_slice::<serde_json::Value>(text).unwrap())
        .map(|value| serde_json::to_vec_pretty(&value).unwrap())
        .collect();
    let (names, standard) = (names(), FieldNames::standard());
    let (mut reader, mut out) = (Reader::new(), Vec::new());
    for (what, bodies) in [("without white space", &compact), ("with white space", &spaced)] {
        let read = when_warm(|| bodies.iter().for_each(|body| assert!(reader.read(body).is_ok())));
        assert_eq!(read, 0, "reading {what}");
        let asked = when_warm(|| {
            for body in bodies {
                let update = reader.read(body).unwrap();
                assert!(update.id().is_some() && update.alerttype().is_some());
                assert!(
                    update.texts(Field::CATEGORIES).count() > 0 && update.flag(Field::BYPASSRULE).is_some()
                );
            }
        });
        assert_eq!(asked, 0, "asking {what}");
        for (which, names) in [("standard names", &standard), ("other names", &names)] {
            let written = when_warm(|| {
                for body in bodies {
                    out.clear();
                    names.write(reader.read(body).unwrap(), &mut out).unwrap();
                }
            });
            assert_eq!(written, 0, "writing {what} under {which}");
        }
    }
    for (which, names) in [("standard names", &standard), ("other names", &names)] {
        let typed = when_warm(|| {
            for event in &events {
                out.clear();
                names.write_event(event, &mut out).unwrap();
            }
        });
        assert_eq!(typed, 0, "writing a typed event under {which}");
    }
}
