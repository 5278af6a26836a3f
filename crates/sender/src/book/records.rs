//! How what is configured is written in the store: one JSON object a record, by kind.
//!
//! | kind | id | holds |
//! |---|---|---|
//! | `integration` | the integration's | `form`, without secrets; `sealed`, the password and the header lines |
//! | `policy` | the policy's | the policy |
//! | `gone` | that of an integration that was removed | `name`, what it was called |
//! | `audit` | a version 7 UUID, so that later ones sort behind | who did what, and when |
//!
//! Members that are not known are refused: a later version's record is not for this one.

use std::collections::{BTreeMap, BTreeSet};

use delivery::store::sqlite::archive::Archive;
use delivery::store::{Change, Document};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{BookError, State};
use crate::accept::Sender;
use crate::form::Form;
use crate::policy::Policy;
use crate::seal::{SealError, SealingKey};

const INTEGRATION: &str = "integration";
const POLICY: &str = "policy";
const GONE: &str = "gone";
/// The kind of the entries of the audit log.
pub const AUDIT: &str = "audit";

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// When, in microseconds since 1970.
    pub at: u64,
    /// Who did it.
    pub who: String,
    /// What was done.
    pub what: String,
    /// To which integration or policy; empty if to none.
    pub id: String,
    /// What that is called.
    pub name: String,
}

impl Audit {
    /// Reads an entry.
    #[must_use]
    pub fn read(document: &Document) -> Option<Self> {
        serde_json::from_slice(&document.body).ok()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IntegrationRecord {
    form: Form,
    sealed: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoneRecord {
    name: String,
}

/// An id that nothing else has; a later one sorts behind.
pub(super) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

fn owner(id: &str) -> String {
    format!("{INTEGRATION} {id}")
}

fn put(kind: &str, id: &str, body: &impl Serialize) -> Change {
    // Texts, numbers and maps with text keys: there is nothing that could not be written.
    Change::Put(Document::new(kind, id, serde_json::to_vec(body).unwrap_or_default()))
}

fn remove(kind: &str, id: &str) -> Change {
    Change::Remove { kind: kind.to_owned(), id: id.to_owned() }
}

pub(super) fn integration(id: &str, form: &Form, key: &SealingKey) -> Result<Change, SealError> {
    let secrets = form.secrets().map_err(|_| SealError::Seal)?;
    let sealed = key.seal(&owner(id), &secrets)?;
    Ok(put(INTEGRATION, id, &json!({ "form": form, "sealed": sealed })))
}

pub(super) fn removed_integration(id: &str, name: &str) -> Vec<Change> {
    vec![remove(INTEGRATION, id), put(GONE, id, &json!({ "name": name }))]
}

pub(super) fn policy(policy: &Policy) -> Change {
    put(POLICY, &policy.id, policy)
}

pub(super) fn removed_policy(id: &str) -> Change {
    remove(POLICY, id)
}

pub(super) fn audit(audit: &Audit) -> (String, Change) {
    let id = new_id();
    let change = put(AUDIT, &id, audit);
    (id, change)
}

pub(super) fn removed_audit(id: &str) -> Change {
    remove(AUDIT, id)
}

/// Integrations by id, and policies.
pub(super) struct Kept {
    pub(super) integrations: BTreeMap<String, Form>,
    pub(super) policies: Vec<Policy>,
}

/// What an archive holds of both, with the secrets if there is a key.
pub(super) fn kept(archive: &Archive, key: Option<&SealingKey>) -> Result<Kept, BookError> {
    let of = |kind| {
        let mut documents = archive
            .documents(kind, None, usize::MAX)
            .map_err(|error| BookError::Unreadable(kind.to_owned(), error.to_string()))?;
        documents.reverse();
        Ok::<_, BookError>(documents)
    };
    let integrations = of(INTEGRATION)?.into_iter().map(|document| form_of(document, key));
    let policies = of(POLICY)?.into_iter().map(policy_of);
    Ok(Kept {
        integrations: integrations.collect::<Result<_, _>>()?,
        policies: policies.collect::<Result<_, _>>()?,
    })
}

fn unreadable(document: &Document, error: &serde_json::Error) -> BookError {
    BookError::Unreadable(format!("{} {}", document.kind, document.id), error.to_string())
}

fn form_of(document: Document, key: Option<&SealingKey>) -> Result<(String, Form), BookError> {
    let record: IntegrationRecord =
        serde_json::from_slice(&document.body).map_err(|error| unreadable(&document, &error))?;
    let mut form = record.form;
    if let Some(key) = key {
        let opened = key.open(&owner(&document.id), &record.sealed);
        let secrets = opened.map_err(|error| BookError::Sealed(form.name.clone(), error))?;
        form.put_secrets(&secrets).map_err(|error| unreadable(&document, &error))?;
    }
    Ok((document.id, form))
}

fn policy_of(document: Document) -> Result<Policy, BookError> {
    let policy: Policy =
        serde_json::from_slice(&document.body).map_err(|error| unreadable(&document, &error))?;
    Ok(Policy { id: document.id, ..policy })
}

/// Reads all of it.
pub(super) async fn read(sender: &Sender, key: &SealingKey) -> Result<State, BookError> {
    let read = |store: &mut dyn delivery::store::Store| {
        Ok([
            store.documents(INTEGRATION)?,
            store.documents(POLICY)?,
            store.documents(GONE)?,
            store.documents(AUDIT)?,
        ])
    };
    let [integrations, policies, gone, audit] = sender.engine().desk().accept(read, |_| {}).await?;
    let mut findings = Vec::new();
    for (kind, documents) in
        [(INTEGRATION, &integrations), (POLICY, &policies), (GONE, &gone), (AUDIT, &audit)]
    {
        findings.extend(documents.damaged.iter().map(|id| format!("{kind} {id}")));
    }
    let mut state =
        State { damaged: BTreeSet::from_iter(integrations.damaged), findings, ..State::default() };
    for document in integrations.found {
        state.stored.extend([form_of(document, Some(key))?]);
    }
    for document in policies.found {
        let policy = policy_of(document)?;
        state.policies.insert(policy.id.clone(), policy);
    }
    for document in gone.found {
        let record: GoneRecord =
            serde_json::from_slice(&document.body).map_err(|error| unreadable(&document, &error))?;
        state.gone.insert(document.id, record.name);
    }
    state.audit = audit.found.into_iter().map(|document| document.id).collect();
    Ok(state)
}
