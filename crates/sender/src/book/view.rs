//! What is configured, as it was at one moment: for whoever looks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use crate::form::Form;
use crate::integration::{Guarding, Integration};
use crate::policy::Policy;

/// Where something is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the file, and only there can it be changed.
    File,
    /// In the store.
    Store,
}

/// An integration as it is listed.
#[derive(Clone, Debug)]
pub struct Listed {
    /// As it works.
    pub integration: Arc<Integration>,
    /// As it was filled in.
    pub form: Arc<Form>,
    /// Where.
    pub origin: Origin,
}

/// All that is configured, as it was at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Integrations by id.
    pub integrations: BTreeMap<String, Listed>,
    /// Policies in the order in which they are asked: the file's, then the store's as they were made.
    pub policies: Vec<(Policy, Origin)>,
    /// Integrations that were right once and are no longer, by id: as they were filled in, and what is wrong. Nothing is
    /// sent to them, and what waits goes on waiting.
    pub wrong: BTreeMap<String, (Form, Vec<String>)>,
    /// What integrations that are gone were called, by id.
    pub gone: BTreeMap<String, String>,
}

impl View {
    /// What was filled in of an integration.
    #[must_use]
    pub fn form(&self, id: &str) -> Option<&Form> {
        let listed = self.integrations.get(id).map(|listed| &*listed.form);
        listed.or_else(|| self.wrong.get(id).map(|(form, _)| form))
    }
}

/// What a state amounts to.
pub(super) fn of(state: &State, guarding: Guarding) -> View {
    let of_file = state.file.forms.iter().filter_map(|(id, form)| {
        let integration = state.file.integrations.get(id)?.clone();
        Some((id.clone(), Listed { integration, form: Arc::clone(form), origin: Origin::File }))
    });
    let mut integrations: BTreeMap<_, _> = of_file.collect();
    let mut wrong = BTreeMap::new();
    for (id, form) in state.stored.iter().filter(|(id, _)| !state.file.forms.contains_key(*id)) {
        // It was right when it was written, perhaps for another version, or a server that may connect anywhere.
        match form.check(id, guarding) {
            Ok(integration) => {
                let integration = Arc::new(integration);
                let listed = Listed { integration, form: Arc::new(form.clone()), origin: Origin::Store };
                integrations.insert(id.clone(), listed);
            }
            Err(mistakes) => {
                wrong.insert(id.clone(), (form.clone(), mistakes));
            }
        }
    }
    let policies = state.file.policies.iter().cloned().map(|policy| (policy, Origin::File));
    let stored = state.policies.values().cloned().map(|policy| (policy, Origin::Store));
    View { integrations, policies: policies.chain(stored).collect(), wrong, gone: state.gone.clone() }
}
