//! Why a call of the store did not work. What follows from it is decided in `desk`.

/// Why a call did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no room; it ends by itself when there is.
    #[error("the disk is full: {0}")]
    Full(String),
    /// An input or output error; nothing is trusted until the store was reopened and verified.
    #[error("the store failed: {0}")]
    Io(String),
    /// What is on the disk is not what was written there.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The store is being reopened after a fault.
    #[error("the store is being reopened after a fault: {0}")]
    Poisoned(String),
    /// The store was closed.
    #[error("the store was closed")]
    Closed,
}

impl Fault {
    /// The reason alone, for a sentence that says what kind of fault it is.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Full(why) | Self::Io(why) | Self::Damaged(why) | Self::Poisoned(why) => why.clone(),
            Self::Closed => self.to_string(),
        }
    }
}
