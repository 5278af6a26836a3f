//! What is configured: by the file, and by API or page. The latter is kept in the store, beside the deliveries, its secrets
//! sealed; the former can only be looked at here.
//!
//! A change is checked, written with its entry in the audit log in one commit, and then put to work, one after the other.

mod checks;
mod export;
mod records;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use delivery::clock::Clock;
use delivery::store::{Change, Fault};
use tokio::sync::Mutex;

use crate::accept::Sender;
use crate::form::Form;
use crate::integration::Guarding;
use crate::policy::Policy;
use crate::seal::{SealError, SealingKey};
use crate::settings::{MAX_INTEGRATIONS, MAX_POLICIES, Settings};

pub use export::export;
pub use records::{AUDIT, Audit};
pub use view::{Listed, Origin, View};

/// How many entries the audit log keeps; the oldest go first.
pub const MAX_AUDIT: usize = 10_000;

/// The longest name, and the longest description, in bytes.
pub const MAX_NAME: usize = 200;
/// See [`MAX_NAME`].
pub const MAX_DESCRIPTION: usize = 4_000;

/// What a policy may say of alert types.
pub const ALERT_TYPES: &[&str] = &["all", "start", "ongoing", "end"];
/// What a policy may say of severities.
pub const SEVERITIES: &[&str] = &["all", "low", "medium", "high"];
/// What a policy may say of the fields by which events are told apart.
pub const TRACK_BY: &[&str] = &["all", "dstip", "flowsrcname", "input", "output", "srcip", "tag"];

/// Why a change was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is nothing of this id.
    #[error("there is no {what} {id:?}")]
    Unknown {
        /// An integration or a policy.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// It is in the file.
    #[error("{0} is configured in the file that the server was started with, and can only be changed there")]
    InFile(String),
    /// All that is wrong, each under its field.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// Others need it.
    #[error("it is used by the response policies {}; take it out of them first", .0.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", "))]
    InUse(Vec<String>),
    /// The store does not take it.
    #[error(transparent)]
    Store(#[from] Fault),
    /// It cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What is configured cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// A secret was sealed with another key.
    #[error(
        "the secrets of the integration {0:?} cannot be opened: {1}. Give the key that they were sealed with: --key-file, or FUSION_WEBHOOK_KEY"
    )]
    Sealed(String, SealError),
    /// A record holds something else than it should.
    #[error("the record of {0} cannot be read: {1}")]
    Unreadable(String, String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
}

/// The book in which all that is kept.
#[derive(Debug)]
pub struct Book {
    sender: Sender,
    key: SealingKey,
    guarding: Guarding,
    clock: Clock,
    state: Mutex<State>,
    view: RwLock<Arc<View>>,
}

#[derive(Debug, Default)]
struct State {
    file: Settings,
    stored: BTreeMap<String, Form>,
    policies: BTreeMap<String, Policy>,
    gone: BTreeMap<String, String>,
    /// Integrations whose records are damaged: what waits for them goes on waiting.
    damaged: BTreeSet<String>,
    /// All records that are damaged.
    findings: Vec<String>,
    audit: VecDeque<String>,
}

impl Book {
    /// Opens the book of a sender's store. Nothing is put to work before [`Book::take_over`].
    ///
    /// # Errors
    /// If the store fails, or a secret was sealed with another key.
    pub async fn open(
        sender: Sender,
        key: SealingKey,
        guarding: Guarding,
        clock: Clock,
    ) -> Result<Self, BookError> {
        let state = records::read(&sender, &key).await?;
        let view = RwLock::default();
        Ok(Self { sender, key, guarding, clock, state: Mutex::new(state), view })
    }

    /// Records that are not what was written: they are left where they are, and nothing is made of them.
    pub async fn damaged(&self) -> Vec<String> {
        self.state.lock().await.findings.clone()
    }

    /// All that is configured now.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which addresses integrations may connect to.
    #[must_use]
    pub const fn guarding(&self) -> Guarding {
        self.guarding
    }

    /// Takes the file over, that of the start or a changed one, and puts all to work.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn take_over(&self, file: Settings) -> Result<(), Fault> {
        let mut state = self.state.lock().await;
        state.file = file;
        self.put_to_work(&state).await
    }

    /// Adds an integration, and gives its id.
    ///
    /// # Errors
    /// All that is wrong with it, or that the store does not take it.
    pub async fn add(&self, form: Form, who: &str) -> Result<String, Refused> {
        let mut state = self.state.lock().await;
        let id = records::new_id();
        self.check(&state, &id, &form)?;
        let record = records::integration(&id, &form, &self.key)?;
        let audit = self.audit("integration added", &id, &form.name, who);
        self.write(&mut state, vec![record], audit).await?;
        state.stored.insert(id.clone(), form);
        self.put_to_work(&state).await?;
        Ok(id)
    }

    /// Puts a form in the place of an integration's. Secrets that it leaves out stay.
    ///
    /// # Errors
    /// If there is none, it is the file's, all that is wrong with it, or that the store does not take it.
    pub async fn replace(&self, id: &str, mut form: Form, who: &str) -> Result<(), Refused> {
        let mut state = self.state.lock().await;
        let before = stored(&state, id)?;
        form.keep_secrets_of(before).map_err(Refused::Invalid)?;
        self.check(&state, id, &form)?;
        let record = records::integration(id, &form, &self.key)?;
        let audit = self.audit("integration changed", id, &form.name, who);
        self.write(&mut state, vec![record], audit).await?;
        state.stored.insert(id.to_owned(), form);
        Ok(self.put_to_work(&state).await?)
    }

    /// Removes an integration; what waits for it is dead.
    ///
    /// # Errors
    /// If there is none, it is the file's, policies need it, or the store does not take it.
    pub async fn remove(&self, id: &str, who: &str) -> Result<(), Refused> {
        let mut state = self.state.lock().await;
        let name = stored(&state, id)?.name.clone();
        let users =
            state.policies.values().filter(|policy| policy.integrations.iter().any(|used| used == id));
        let users: Vec<_> = users.map(|policy| policy.name.clone()).collect();
        if !users.is_empty() {
            return Err(Refused::InUse(users));
        }
        let audit = self.audit("integration removed", id, &name, who);
        self.write(&mut state, records::removed_integration(id, &name), audit).await?;
        state.stored.remove(id);
        state.gone.insert(id.to_owned(), name);
        Ok(self.put_to_work(&state).await?)
    }

    /// Adds a policy, and gives its id.
    ///
    /// # Errors
    /// All that is wrong with it, or that the store does not take it.
    pub async fn add_policy(&self, policy: Policy, who: &str) -> Result<String, Refused> {
        let id = records::new_id();
        let mut state = self.state.lock().await;
        if state.policies.len() + state.file.policies.len() >= MAX_POLICIES {
            return Err(Refused::Invalid(vec![format!("there are {MAX_POLICIES} policies already")]));
        }
        checks::policy(&state, &policy)?;
        self.put_policy(&mut state, &id, policy, ("policy added", who)).await?;
        Ok(id)
    }

    /// Puts a policy in the place of another.
    ///
    /// # Errors
    /// If there is none, it is the file's, all that is wrong with it, or that the store does not take it.
    pub async fn replace_policy(&self, id: &str, policy: Policy, who: &str) -> Result<(), Refused> {
        let mut state = self.state.lock().await;
        stored_policy(&state, id)?;
        checks::policy(&state, &policy)?;
        self.put_policy(&mut state, id, policy, ("policy changed", who)).await
    }

    /// Switches a policy on or off.
    ///
    /// # Errors
    /// If there is none, it is the file's, or the store does not take it.
    pub async fn switch_policy(&self, id: &str, on: bool, who: &str) -> Result<(), Refused> {
        let mut state = self.state.lock().await;
        let policy = Policy { disabled: !on, ..stored_policy(&state, id)?.clone() };
        if on {
            checks::policy(&state, &policy)?;
        }
        let what = if on { "policy enabled" } else { "policy disabled" };
        self.put_policy(&mut state, id, policy, (what, who)).await
    }

    /// Removes a policy.
    ///
    /// # Errors
    /// If there is none, it is the file's, or the store does not take it.
    pub async fn remove_policy(&self, id: &str, who: &str) -> Result<(), Refused> {
        let mut state = self.state.lock().await;
        let name = stored_policy(&state, id)?.name.clone();
        let audit = self.audit("policy removed", id, &name, who);
        self.write(&mut state, vec![records::removed_policy(id)], audit).await?;
        state.policies.remove(id);
        Ok(self.put_to_work(&state).await?)
    }

    /// Keeps records of somebody else in the same commit as their entry in the audit log.
    ///
    /// # Errors
    /// If the store does not take it.
    pub async fn keep(
        &self,
        changes: Vec<Change>,
        (what, id, name): (&str, &str, &str),
        who: &str,
    ) -> Result<(), Refused> {
        let mut state = self.state.lock().await;
        Ok(self.write(&mut state, changes, self.audit(what, id, name, who)).await?)
    }

    async fn put_policy(
        &self,
        state: &mut State,
        id: &str,
        policy: Policy,
        (what, who): (&str, &str),
    ) -> Result<(), Refused> {
        let policy = Policy { id: id.to_owned(), ..policy };
        let audit = self.audit(what, id, &policy.name, who);
        self.write(state, vec![records::policy(&policy)], audit).await?;
        state.policies.insert(id.to_owned(), policy);
        Ok(self.put_to_work(state).await?)
    }

    fn check(&self, state: &State, id: &str, form: &Form) -> Result<(), Refused> {
        let mut mistakes = checks::texts(&form.name, &form.description);
        let named = |(other, known): (&String, &Form)| other != id && known.name == form.name;
        let of_file = state.file.forms.iter().map(|(id, form)| (id, &**form));
        if of_file.chain(&state.stored).any(named) {
            mistakes.push(format!("name: there is an integration {:?} already", form.name));
        }
        if !state.stored.contains_key(id) && state.stored.len() + state.file.forms.len() >= MAX_INTEGRATIONS {
            mistakes.push(format!("there are {MAX_INTEGRATIONS} integrations already"));
        }
        mistakes.extend(form.check(id, self.guarding).err().into_iter().flatten());
        if mistakes.is_empty() { Ok(()) } else { Err(Refused::Invalid(mistakes)) }
    }

    fn audit(&self, what: &str, id: &str, name: &str, who: &str) -> Audit {
        let text = |text: &str| text.to_owned();
        Audit {
            at: self.clock.now().as_micros(),
            who: text(who),
            what: text(what),
            id: text(id),
            name: text(name),
        }
    }

    async fn write(&self, state: &mut State, mut changes: Vec<Change>, audit: Audit) -> Result<(), Fault> {
        let (id, change) = records::audit(&audit);
        changes.push(change);
        let many = (state.audit.len() + 1).saturating_sub(MAX_AUDIT);
        changes.extend(state.audit.iter().take(many).map(|oldest| records::removed_audit(oldest)));
        self.sender.engine().desk().accept(move |store| store.change(&changes), |()| {}).await?;
        state.audit.drain(..many);
        state.audit.push_back(id);
        Ok(())
    }

    async fn put_to_work(&self, state: &State) -> Result<(), Fault> {
        let view = Arc::new(view::of(state, self.guarding));
        let integrations = view.integrations.values().map(|listed| Arc::clone(&listed.integration)).collect();
        let policies = view.policies.iter().map(|(policy, _)| policy.clone()).collect();
        let kept = state.damaged.iter().chain(view.wrong.keys()).cloned().collect();
        // It is written already, whatever comes now.
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view;
        self.sender.set_up(integrations, policies, &kept).await
    }
}

fn stored<'a>(state: &'a State, id: &str) -> Result<&'a Form, Refused> {
    if state.file.forms.contains_key(id) {
        return Err(Refused::InFile(id.to_owned()));
    }
    state.stored.get(id).ok_or_else(|| Refused::Unknown { what: "integration", id: id.to_owned() })
}

fn stored_policy<'a>(state: &'a State, id: &str) -> Result<&'a Policy, Refused> {
    if state.file.policies.iter().any(|policy| policy.id == id) {
        return Err(Refused::InFile(id.to_owned()));
    }
    state.policies.get(id).ok_or_else(|| Refused::Unknown { what: "response policy", id: id.to_owned() })
}

#[cfg(test)]
mod tests;
