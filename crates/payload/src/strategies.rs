//! Strategies for property tests (feature `proptest`): JSON texts that are updates, as hostile as the grammar allows.

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, subsequence};

use crate::schema::{Field, Form, Kind, Node, TOP_LEVEL};

/// White space between tokens (RFC 8259, section 2), mostly none.
fn space() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just(String::new()), 1 => "[ \\t\\r\\n]{1,3}"]
}

/// A JSON string, with escapes that need not be there.
fn string() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        8 => "[ -~&&[^\"\\\\]]",
        2 => "[à-ÿ一-七😀]",
        1 => Just("\\\"".to_owned()),
        1 => Just("\\\\".to_owned()),
        1 => Just("\\u00e9".to_owned()),
        1 => Just("\\ud83d".to_owned()),
        1 => Just("\\n".to_owned()),
        1 => Just("\\/".to_owned()),
    ];
    vec(character, 0..8).prop_map(|characters| format!("\"{}\"", characters.concat()))
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,24})",
        "-?(0|[1-9][0-9]{0,6})\\.[0-9]{1,9}",
        "-?[1-9](\\.[0-9]{1,3})?[eE][+-]?[0-9]{1,3}",
    ]
}

fn list(item: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    vec((space(), item, space()).prop_map(|(before, item, after)| format!("{before}{item}{after}")), 0..4)
        .prop_map(|items| format!("[{}]", items.join(",")))
}

/// Any JSON value.
pub fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![string(), number(), Just("true".to_owned()), Just("null".to_owned())];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![list(inner.clone()), vec((string(), inner), 0..4).prop_map(|members| object(&members))]
    })
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn form(form: Form) -> BoxedStrategy<String> {
    match form {
        Form::Text => string().boxed(),
        Form::Flag => any::<bool>().prop_map(|flag| flag.to_string()).boxed(),
        Form::Null => Just("null".to_owned()).boxed(),
        Form::Integer => "-?(0|[1-9][0-9]{0,24})".boxed(),
        Form::Decimal => number().boxed(),
        Form::Texts => list(string()).boxed(),
        Form::List => list(value()).boxed(),
        Form::Counts => Just("{\"flow\":1}".to_owned()).boxed(),
    }
}

fn fitting(field: Field) -> BoxedStrategy<String> {
    match (field.kind(), field.child()) {
        (Kind::Leaf(forms), _) => proptest::sample::select(forms.to_vec()).prop_flat_map(form).boxed(),
        (Kind::Items(_), Some(node)) => list(members(node, 0)).boxed(),
        (_, Some(node)) => members(node, 0).boxed(),
        (_, None) => Just("{}".to_owned()).boxed(),
    }
}

/// An object of the schema: at least `least` of its fields, in any order, and unknown members among them.
fn members(node: Node, least: usize) -> BoxedStrategy<String> {
    let fields: Vec<Field> = node.fields().collect();
    let known = subsequence(fields.clone(), least..=fields.len()).prop_shuffle().prop_flat_map(|fields| {
        let member =
            |field: Field| fitting(field).prop_map(move |value| (format!("\"{}\"", field.name()), value));
        fields.into_iter().map(member).collect::<Vec<_>>()
    });
    // `x-` keeps them apart from the names of fields; two unknown members may well share a name.
    let unknown = vec(("x-[a-c]{1,2}".prop_map(|name| format!("\"{name}\"")), value(), any::<Index>()), 0..3);
    (known, unknown, vec(space(), 8))
        .prop_map(|(mut members, unknown, spaces)| {
            for (name, value, place) in unknown {
                members.insert(place.index(members.len() + 1), (name, value));
            }
            let mut spaces = spaces.iter().cycle();
            let mut next = || spaces.next().map_or("", String::as_str);
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}{name}{}:{}{value}{}", next(), next(), next(), next()))
                .collect();
            format!("{{{}}}", members.join(","))
        })
        .boxed()
}

/// The text of an update that [`Update::parse`](crate::Update::parse) takes: any of the known fields with values that
/// fit them, unknown members, white space, any order.
pub fn update_text() -> impl Strategy<Value = String> {
    members(Node::ROOT, 0)
}

/// The text of an update that has all the fields.
pub fn whole_update_text() -> impl Strategy<Value = String> {
    members(Node::ROOT, TOP_LEVEL)
}
