//! The OpenAPI document, made of the operations that make the router (`api/operation.rs`) and of the types that they take and
//! give.
//!
//! What is taken and what is given are different schemas of one type: a form may leave out what it answers with, and a password is
//! never in an answer. So the schemas of what is taken end in `In`.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::operation::{Answer, JSON, Operation};
use super::vendor;

/// Where schemas lie in the document.
const SCHEMAS: &str = "/components/schemas";

/// The document.
pub(super) fn document(operations: &[Operation]) -> Value {
    let mut maker = Maker { taken: generator(false), given: generator(true) };
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let described = maker.operation(operation);
        paths.entry(operation.path).or_insert_with(|| json!({}))[operation.method] = described;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "fusion-webhook",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Takes updates of events in and delivers them to integrations. What is under /api/v1/ is the \
                vendor's own API for response integrations and response policies.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(operations),
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": maker.schemas(),
            "securitySchemes": { "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "The server's token, or one made with POST /v1/tokens. Pages use the cookie of a session in its \
                    place, and nothing is wanted of this machine where no token is set and nobody can log in.",
            } },
        },
    })
}

fn tags(operations: &[Operation]) -> Vec<Value> {
    let mut names: Vec<&str> = operations.iter().map(|operation| operation.tag).collect();
    names.dedup();
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

fn generator(serialized: bool) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    });
    let settings = if serialized { settings.for_serialize() } else { settings.for_deserialize() };
    settings.with_transform(RecursiveTransform(bound)).into_generator()
}

/// Says how large an integer may be, which its format alone does not say to most readers.
fn bound(schema: &mut Schema) {
    let most = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => u64::from(u8::MAX),
        Some("uint16") => u64::from(u16::MAX),
        Some("uint32") => u64::from(u32::MAX),
        Some("uint64" | "uint") => u64::MAX,
        _ => return,
    };
    schema.remove("format");
    if schema.get("maximum").is_none() {
        schema.insert("maximum".to_owned(), most.into());
    }
}

/// Renames the schemas of what is taken.
fn mark(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mark),
        Value::Object(members) => {
            if let Some(Value::String(named)) = members.get_mut("$ref") {
                *named = marked(named);
            }
            members.values_mut().for_each(mark);
        }
        _ => {}
    }
}

fn marked(name: &str) -> String {
    if name.ends_with("In") { name.to_owned() } else { format!("{name}In") }
}

struct Maker {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

impl Maker {
    /// All schemas that were named.
    fn schemas(&mut self) -> Map<String, Value> {
        let mut schemas = self.given.take_definitions(true);
        for (name, mut schema) in self.taken.take_definitions(true) {
            mark(&mut schema);
            let same = schemas.insert(marked(&name), schema);
            debug_assert!(same.is_none(), "two schemas are called {name}");
        }
        schemas
    }

    fn taken(&mut self, describe: fn(&mut SchemaGenerator) -> Schema) -> Value {
        let mut schema = describe(&mut self.taken).to_value();
        mark(&mut schema);
        schema
    }

    fn operation(&mut self, operation: &Operation) -> Value {
        let mut parameters: Vec<Value> = named_in(operation.path).map(in_path).collect();
        for (place, describe) in [("query", operation.query), ("header", operation.headers)] {
            if let Some(describe) = describe {
                // They are no schema of their own in the document.
                let mut apart = generator(false);
                let _ = describe(&mut apart);
                let schemas = apart.take_definitions(true);
                parameters.extend(schemas.values().flat_map(|schema| members(schema, place)));
            }
        }
        let mut answers: Map<String, Value> =
            operation.answers.iter().map(|answer| self.answer(answer)).collect();
        let problem = if operation.path.starts_with(vendor::PREFIX) {
            self.given.subschema_for::<vendor::Told>()
        } else {
            self.given.subschema_for::<super::Problem>()
        };
        let guarded: &[u16] = if operation.open { &[] } else { &[401, 403, 421] };
        for status in operation.refusals.iter().chain(guarded) {
            answers.entry(status.to_string()).or_insert_with(|| refusal(*status, &problem));
        }
        let mut described = json!({
            "operationId": operation.id,
            "summary": operation.summary,
            "tags": [operation.tag],
            "responses": answers,
        });
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        if operation.open {
            described["security"] = json!([]);
        }
        if !operation.bodies.is_empty() {
            let bodies = operation.bodies.iter();
            let content: Map<String, Value> = bodies
                .map(|(kind, describe)| ((*kind).to_owned(), json!({ "schema": self.taken(*describe) })))
                .collect();
            described["requestBody"] = json!({ "required": true, "content": content });
        }
        described
    }

    fn answer(&mut self, answer: &Answer) -> (String, Value) {
        let mut described = json!({ "description": answer.about });
        if let Some((kind, describe)) = answer.content {
            described["content"] = json!({ kind: { "schema": describe(&mut self.given) } });
        }
        for link in &answer.links {
            let value = format!("$response.body#{}", link.pointer);
            described["links"][link.to] =
                json!({ "operationId": link.to, "parameters": { link.parameter: value } });
        }
        (answer.status.to_string(), described)
    }
}

/// An answer that says what is wrong.
fn refusal(status: u16, problem: &Schema) -> Value {
    let mut described = json!({
        "description": meaning(status),
        "content": { JSON: { "schema": problem } },
    });
    if matches!(status, 429 | 503) {
        let about = "In so many seconds, where waiting helps.";
        described["headers"] =
            json!({ "Retry-After": { "description": about, "schema": { "type": "integer", "minimum": 0 } } });
    }
    if status == 401 {
        let schema = json!({ "type": "string", "const": "Bearer" });
        described["headers"] = json!({ "WWW-Authenticate": {
            "description": "What is wanted.", "required": true, "schema": schema,
        } });
    }
    described
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "It cannot be read, or something in it is wrong.",
        401 => "The server wants a token that it knows.",
        403 => "It may not be done: it is configured in the file, or a page of another origin asks.",
        404 => "There is nothing of this name.",
        409 => "It cannot be done as things are.",
        413 => "The body is too long.",
        415 => "The body is of another content type.",
        421 => "Without a token the server answers to names of this machine only.",
        422 => "It is JSON, and not of the form that is wanted.",
        429 => "Too much at once: later.",
        500 => "The server cannot do it.",
        503 => "The store does not take it, or the server is shutting down: later.",
        _ => "It was not done.",
    }
}

/// The names in braces of a path.
fn named_in(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

fn in_path(name: &str) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let number = json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX });
    let (about, schema) = match name {
        "id" => ("The id, or the name.", text),
        "name" => ("The name.", text),
        "integration" => ("The name of the integration, or its id.", text),
        "number" => ("The number of the delivery.", number),
        _ => ("", text),
    };
    json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema })
}

/// The members of an object's schema as parameters.
fn members(object: &Value, place: &str) -> Vec<Value> {
    let required = |name: &str| {
        object["required"].as_array().is_some_and(|required| required.iter().any(|known| known == name))
    };
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let mut parameter = json!({ "name": name, "in": place, "required": required(name) });
        if let Some(members) = schema.as_object_mut() {
            // Absent is absent there: nothing says null.
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            members.remove("default");
            if let Some(about) = members.remove("description") {
                parameter["description"] = about;
            }
        }
        parameter["schema"] = schema;
        parameter
    };
    object["properties"].as_object().into_iter().flatten().map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::operations;

    fn refs<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| refs(item, found)),
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| refs(member, found));
            }
            _ => {}
        }
    }

    fn each_operation(document: &Value) -> impl Iterator<Item = (String, &Value)> {
        let paths = document["paths"].as_object().unwrap().iter();
        paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
    }

    #[test]
    fn everything_is_named_said_and_answered() {
        let document = document(&operations());
        let mut ids = BTreeSet::new();
        for (name, operation) in each_operation(&document) {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap()),
                "{name}: its id is another's too"
            );
            for word in [&operation["summary"], &operation["tags"][0]] {
                assert!(word.as_str().is_some_and(|word| !word.is_empty()), "{name}: {operation}");
            }
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{name} never does anything");
            let guarded = operation.get("security").is_none();
            assert_eq!(answers.contains_key("401"), guarded, "{name}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let about = parameter["description"].as_str();
                assert!(about.is_some_and(|about| !about.is_empty()), "{name}: {parameter}");
            }
        }
        assert_eq!(ids.len(), operations().len());
        for (name, operation) in each_operation(&document) {
            for answer in operation["responses"].as_object().unwrap().values() {
                for link in answer["links"].as_object().into_iter().flat_map(Map::values) {
                    assert!(ids.contains(link["operationId"].as_str().unwrap()), "{name}: {link}");
                }
            }
        }
    }

    #[test]
    fn every_schema_that_is_named_is_there_and_every_schema_is_used() {
        let document = document(&operations());
        let mut named = BTreeSet::new();
        refs(&document, &mut named);
        for name in &named {
            assert!(document.pointer(&name[1..]).is_some(), "{name}");
        }
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for name in schemas.keys() {
            assert!(named.contains(&*format!("#{SCHEMAS}/{name}")), "{name} is named nowhere");
        }
    }

    #[test]
    fn a_password_goes_in_and_never_comes_out() {
        let document = document(&operations());
        let form = |name: &str| &document["components"]["schemas"][name]["properties"];
        assert!(
            form("Form")["password"].is_null() && form("VendorIntegrationConfig")["authpassword"].is_null()
        );
        assert!(form("FormIn")["password"].is_object());
        assert_eq!(document["components"]["schemas"]["PasswordIn"]["writeOnly"], true);
    }
}
