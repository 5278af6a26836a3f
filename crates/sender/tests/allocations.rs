//! How often the body of an attempt asks for memory when it is rendered, over 64 updates.

use allocation_counter::measure;
use bytes::Bytes;
use payload::Rule;
use payload::generate::Play;
use sender::Draft;

/// How many updates each count is of.
const MANY: u64 = 64;

/// What is rendered under which rules, and the most allocations for [`MANY`] of them.
fn rendered() -> [(&'static str, Vec<Rule>, u64); 2] {
    let renamed = [Rule::rename("id", "event_id"), Rule::rename("severity", "level"), Rule::omit("rules")];
    [
        ("under standard names: the bytes that were accepted", Vec::new(), 0),
        ("under other names: read, and written once", renamed.to_vec(), 4 * MANY),
    ]
}

#[test]
fn rendering_allocates_little() {
    let events = Play::new(7, 30, 1_689_391_131).take(usize::try_from(MANY).unwrap());
    let bodies: Vec<Bytes> = events.map(|event| Bytes::from(event.to_json())).collect();
    for (what, rules, most) in rendered() {
        let mut draft = Draft::new("http://example.com/");
        draft.field_names = rules;
        let target = draft.check("somebody").unwrap().target;
        let render = || bodies.iter().for_each(|body| drop(target.parts().render.render(body).unwrap()));
        render();
        let count = measure(render).count_total;
        println!("{what}: {count}, at most {most}");
        assert!(count <= most, "{what}: {count} allocations; {most} is the most");
    }
}
