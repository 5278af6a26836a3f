//! Small records of whoever uses the store, such as what is configured: kept beside the deliveries, and changed in one
//! commit with whatever else is asked in the same call. What is in them is not known here.

/// A record, by its kind and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What sort of record it is.
    pub kind: String,
    /// Which one of its kind.
    pub id: String,
    /// What it holds.
    pub body: Vec<u8>,
}

impl Document {
    /// A record.
    #[must_use]
    pub fn new(kind: &str, id: &str, body: Vec<u8>) -> Self {
        Self { kind: kind.to_owned(), id: id.to_owned(), body }
    }
}

/// A change of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// This one is there from now on, in place of one with its kind and id.
    Put(Document),
    /// This one is gone, if it was there.
    Remove {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
    },
}

/// The records of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// Them, by id.
    pub found: Vec<Document>,
    /// The ids of those that are not what was written. They stay where they are, for a person to look at.
    pub damaged: Vec<String>,
}
