//! What the routes work with.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use delivery::clock::Clock;
use delivery::engine::LaneView;
use delivery::http::Client;
use delivery::store::LaneId;
use delivery::store::desk::Health;
use delivery::store::sqlite::archive::{Archive, ReadError};
use sender::book::Refused;
use sender::{Book, Integration, Sender, Settings};
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::watch::Watch;

/// How long the body of a request may be, in bytes.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// How many bytes of bodies are held at once over all requests; more are refused with 429.
pub const MAX_BODIES: usize = 64 * 1024 * 1024;

/// How many updates one request may hold.
pub const MAX_UPDATES: usize = 10_000;

/// A running server, as its routes see it.
#[derive(Debug)]
pub struct Portal {
    /// What takes updates in.
    pub sender: Sender,
    /// What is configured.
    pub book: Book,
    /// What was counted.
    pub watch: Watch,
    pub(crate) archive: Arc<Archive>,
    /// Who may ask.
    pub access: Access,
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) bodies: Arc<Semaphore>,
    draining: AtomicBool,
}

impl Portal {
    /// A portal to a sender whose store lies in `folder`.
    #[must_use]
    pub fn new(
        sender: Sender,
        book: Book,
        watch: Watch,
        folder: &Path,
        access: Access,
        clock: Clock,
    ) -> Self {
        Self {
            sender,
            book,
            watch,
            archive: Arc::new(Archive::new(folder)),
            access,
            client: Client::new(clock),
            clock,
            bodies: Arc::new(Semaphore::new(MAX_BODIES)),
            draining: AtomicBool::new(false),
        }
    }

    /// Puts settings to work, those of the first start or of a reload.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn set_up(&self, settings: Settings) -> Result<(), delivery::store::Fault> {
        self.book.take_over(settings).await?;
        for (form, mistakes) in self.book.view().wrong.values() {
            for mistake in mistakes {
                tracing::error!(
                    integration = form.name,
                    mistake,
                    "an integration is not right any more; nothing is sent to it"
                );
            }
        }
        let mut names = BTreeSet::new();
        for name in self.book.view().integrations.values().map(|listed| listed.form.name.clone()) {
            if !names.insert(name.clone()) {
                tracing::warn!(
                    integration = name,
                    "two integrations have this name, one of the file and one of the API: rename one"
                );
            }
        }
        self.name_lanes().await
    }

    /// Says what each lane's integration is called, or was: those that are gone are still named in lists.
    pub(crate) async fn name_lanes(&self) -> Result<(), delivery::store::Fault> {
        let lanes = self.sender.lanes().await?;
        let view = self.book.view();
        for lane in lanes {
            let listed = view.integrations.get(&lane.name).map(|listed| &*listed.form);
            let form = listed.or_else(|| view.wrong.get(&lane.name).map(|(form, _)| form));
            let name =
                form.map(|form| &form.name).or_else(|| view.gone.get(&lane.name)).unwrap_or(&lane.name);
            self.watch.name(lane.id, name, &lane.name);
        }
        Ok(())
    }

    /// Remembers how much waits and what was counted by now.
    pub(crate) async fn look(&self) {
        let backlog = self.sender.engine().look().await.iter().map(|lane| lane.backlog).sum();
        self.watch.look(backlog);
    }

    /// Starts no more attempts for an integration.
    ///
    /// # Errors
    /// If there is none, or the store does not take the entry in the audit log.
    pub(crate) async fn pause(&self, known_by: &str, who: &str) -> Result<(), Refused> {
        let (lane, integration) = self.at_work(known_by)?;
        self.sender.engine().pause(lane).await;
        self.book.keep(Vec::new(), ("integration paused", &integration.id, &integration.name), who).await
    }

    /// Lets an integration go on, also after a 410.
    ///
    /// # Errors
    /// As [`Portal::pause`].
    pub(crate) async fn resume(&self, known_by: &str, who: &str) -> Result<(), Refused> {
        let (lane, integration) = self.at_work(known_by)?;
        self.sender.engine().resume(lane).await;
        self.book.keep(Vec::new(), ("integration resumed", &integration.id, &integration.name), who).await
    }

    /// An integration that works, by its id or else its name.
    fn at_work(&self, known_by: &str) -> Result<(LaneId, Arc<Integration>), Refused> {
        let unknown = || Refused::Unknown { what: "integration", id: known_by.to_owned() };
        self.sender.integration(known_by).ok_or_else(unknown)
    }

    /// Takes nothing more in; what is asked otherwise is still answered.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether nothing more is taken in.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.sender.engine().desk().health()
    }

    /// Each integration with its lane as it is now.
    pub(crate) async fn lanes(&self) -> Vec<(Arc<Integration>, LaneView)> {
        let views = self.sender.engine().look().await;
        let view = |lane: LaneId| views.iter().find(|view| view.id == lane).cloned();
        let integrations = self.sender.integrations().into_iter();
        integrations.filter_map(|(lane, integration)| Some((integration, view(lane)?))).collect()
    }

    /// Reads in the store's file, on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Archive) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let archive = Arc::clone(&self.archive);
        let looked = tokio::task::spawn_blocking(move || look(&archive)).await;
        match looked {
            Ok(looked) => looked,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
