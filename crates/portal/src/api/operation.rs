//! One operation of the API: its route, and what is said of it. A list of them makes the router and the OpenAPI document both
//! (`api.rs`, `api/openapi.rs`), so there is no route that the document does not know.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::portal::Portal;

/// The content type of all that is not said to be something else.
pub(super) const JSON: &str = "application/json";

/// Makes the schema of a type.
pub(super) type Describe = fn(&mut SchemaGenerator) -> Schema;

/// A route with a method, and what is said of it.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// A word for programs that are generated from the document.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) tag: &'static str,
    /// Whether nobody is asked who they are.
    pub(super) open: bool,
    pub(super) handler: MethodRouter<Arc<Portal>>,
    pub(super) query: Option<Describe>,
    pub(super) headers: Option<Describe>,
    /// The content types that are taken, each with its schema.
    pub(super) bodies: Vec<(&'static str, Describe)>,
    pub(super) answers: Vec<Answer>,
    /// The statuses of answers that say what is wrong.
    pub(super) refusals: BTreeSet<u16>,
}

/// An answer that is as wanted.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) about: &'static str,
    pub(super) content: Option<(&'static str, Describe)>,
    pub(super) links: Vec<Link>,
}

/// What can be asked with what an answer holds.
pub(super) struct Link {
    /// The id of the operation.
    pub(super) to: &'static str,
    /// What its path names.
    pub(super) parameter: &'static str,
    /// Where in the answer that is (RFC 6901).
    pub(super) pointer: &'static str,
}

fn describe<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

macro_rules! methods {
    ($($method:ident)*) => {$(
        pub(super) fn $method<H, T>(path: &'static str, id: &'static str, handler: H) -> Operation
        where
            H: Handler<T, Arc<Portal>>,
            T: 'static,
        {
            Operation::new(stringify!($method), path, id, routing::$method(handler))
        }
    )*};
}
methods!(get post put delete);

impl Operation {
    fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        handler: MethodRouter<Arc<Portal>>,
    ) -> Self {
        let mut operation = Self {
            method,
            path,
            id,
            summary: "",
            tag: "",
            open: false,
            handler,
            query: None,
            headers: None,
            bodies: Vec::new(),
            answers: Vec::new(),
            refusals: BTreeSet::new(),
        };
        if path.contains('{') {
            // What the path names may be no UTF-8, or no number.
            operation.refusals.insert(400);
        }
        operation
    }

    /// What it does, in one line.
    pub(super) fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// The group that it belongs to.
    pub(super) fn tagged(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    /// It is answered to anyone.
    pub(super) fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// The members of `T` are parameters of its query.
    pub(super) fn asks<T: JsonSchema>(mut self) -> Self {
        self.query = Some(describe::<T>);
        self.refuses(&[400])
    }

    /// The members of `T` are header fields that it looks at.
    pub(super) fn reads<T: JsonSchema>(mut self) -> Self {
        self.headers = Some(describe::<T>);
        self.refuses(&[400])
    }

    /// Its body is a `T` as JSON.
    pub(super) fn takes<T: JsonSchema>(self) -> Self {
        // The vendor's routes answer 400 where ours answer 422: what is JSON, and not the right one.
        let unfit: &[u16] = if self.path.starts_with(super::vendor::PREFIX) { &[] } else { &[422] };
        self.takes_as::<T>(JSON).refuses(&[400, 413, 415]).refuses(unfit)
    }

    /// Its body may be a `T` in this content type.
    pub(super) fn takes_as<T: JsonSchema>(mut self, kind: &'static str) -> Self {
        self.bodies.push((kind, describe::<T>));
        self
    }

    /// It answers with a `T` as JSON.
    pub(super) fn gives<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.gives_as::<T>(status, about, JSON)
    }

    /// It answers with a `T` in this content type.
    pub(super) fn gives_as<T: JsonSchema>(
        mut self,
        status: u16,
        about: &'static str,
        kind: &'static str,
    ) -> Self {
        self.answers.push(Answer { status, about, content: Some((kind, describe::<T>)), links: Vec::new() });
        self
    }

    /// It answers without a body.
    pub(super) fn gives_nothing(mut self, about: &'static str) -> Self {
        self.answers.push(Answer { status: 204, about, content: None, links: Vec::new() });
        self
    }

    /// What the last answer holds at a place is what the path of another operation names.
    pub(super) fn leads(mut self, to: &'static str, parameter: &'static str, pointer: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.links.push(Link { to, parameter, pointer });
        }
        self
    }

    /// It may be refused with these statuses, beside those that follow from what it takes.
    pub(super) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }
}
