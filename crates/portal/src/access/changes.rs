//! Making people and tokens known, and unknown again. Each change is in the audit log, in one commit with it.

use std::sync::PoisonError;

use delivery::clock::Timestamp;
use secrecy::SecretString;
use sender::Book;
use sender::book::Refused as NotKept;

use super::people::{self, Person};
use super::tokens::{self, Token};
use super::{Access, MAX_PEOPLE, MAX_TOKENS, SET_UP};

/// Why nobody is let in, or somebody could not be made known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is another name or password, or another token.
    #[error("the name or the password is wrong")]
    Wrong,
    /// The set-up token is another one.
    #[error("the set-up token is wrong")]
    WrongSetUp,
    /// Too many tries.
    #[error("too many tries: wait {0} seconds")]
    Later(u32),
    /// What is wrong with it, by field.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// There is none of them.
    #[error("there is no {0} {1:?}")]
    Unknown(&'static str, String),
    /// It has to stay.
    #[error("{0:?} is the last one who can log in: make another one known first")]
    Last(String),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// It is not kept.
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

impl Access {
    /// Who can log in, with when they were made known.
    pub(crate) fn people(&self) -> Vec<(String, Timestamp)> {
        let known = self.known();
        known.people.iter().map(|(name, person)| (name.clone(), person.since())).collect()
    }

    /// The tokens: id, name, who made it, when.
    pub(crate) fn tokens(&self) -> Vec<(String, Token)> {
        self.known().tokens.iter().map(|(id, token)| (id.clone(), token.clone())).collect()
    }

    /// Makes somebody known who can log in from now on.
    pub(crate) async fn add_person(
        &self,
        (name, password): (&str, SecretString),
        book: &Book,
        who: &str,
        now: Timestamp,
    ) -> Result<(), Denied> {
        people::check(name, &password)?;
        let hash = self.at_the_hash(move || people::hash(&password)).await?.ok_or(Denied::NoRandomness)?;
        let _changing = self.changing.lock().await;
        if who == SET_UP && !self.wants_set_up() {
            return Err(Denied::WrongSetUp);
        }
        let (there, many) = {
            let known = self.known();
            (known.people.contains_key(name), known.people.len())
        };
        if there {
            return Err(Denied::Invalid(vec![format!("name: {name:?} is known already")]));
        }
        if many >= MAX_PEOPLE {
            return Err(Denied::Invalid(vec![format!("name: there are {MAX_PEOPLE} people already")]));
        }
        let person = Person::new(hash, now);
        book.keep(vec![person.put(name)], ("person added", name, name), who).await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).people.insert(name.to_owned(), person);
        Ok(())
    }

    /// Gives somebody another password, and ends their sessions.
    pub(crate) async fn change_password(
        &self,
        name: &str,
        password: SecretString,
        book: &Book,
        who: &str,
    ) -> Result<(), Denied> {
        people::check(name, &password)?;
        let hash = self.at_the_hash(move || people::hash(&password)).await?.ok_or(Denied::NoRandomness)?;
        let _changing = self.changing.lock().await;
        let before = self.known().people.get(name).cloned();
        let person = before.ok_or_else(|| Denied::Unknown("person", name.to_owned()))?.with(hash);
        book.keep(vec![person.put(name)], ("password changed", name, name), who).await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).people.insert(name.to_owned(), person);
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).end_of(name);
        Ok(())
    }

    /// Makes somebody unknown, and ends their sessions.
    pub(crate) async fn remove_person(&self, name: &str, book: &Book, who: &str) -> Result<(), Denied> {
        let _changing = self.changing.lock().await;
        let (there, many) = {
            let known = self.known();
            (known.people.contains_key(name), known.people.len())
        };
        if !there {
            return Err(Denied::Unknown("person", name.to_owned()));
        }
        if many == 1 {
            return Err(Denied::Last(name.to_owned()));
        }
        book.keep(vec![people::removed(name)], ("person removed", name, name), who).await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).people.remove(name);
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).end_of(name);
        Ok(())
    }

    /// Makes a token, and gives its id and its text, which is known to nobody afterwards.
    pub(crate) async fn add_token(
        &self,
        name: &str,
        book: &Book,
        who: &str,
        now: Timestamp,
    ) -> Result<(String, String), Denied> {
        tokens::check(name)?;
        let (token, text) = Token::make(name, who, now).ok_or(Denied::NoRandomness)?;
        let _changing = self.changing.lock().await;
        let known = self.known().tokens.values().any(|token| token.name == name);
        if known {
            return Err(Denied::Invalid(vec![format!("name: there is a token {name:?} already")]));
        }
        if self.known().tokens.len() >= MAX_TOKENS {
            return Err(Denied::Invalid(vec![format!("name: there are {MAX_TOKENS} tokens already")]));
        }
        let id = tokens::id(&text);
        book.keep(vec![token.put(&id)], ("token added", &id, name), who).await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).tokens.insert(id.clone(), token);
        Ok((id, text))
    }

    /// Makes a token good for nothing.
    pub(crate) async fn remove_token(&self, id: &str, book: &Book, who: &str) -> Result<(), Denied> {
        let _changing = self.changing.lock().await;
        let name = {
            let known = self.known();
            let by_name = || known.tokens.iter().find(|(_, token)| token.name == id);
            known
                .tokens
                .get_key_value(id)
                .or_else(by_name)
                .map(|(id, token)| (id.clone(), token.name.clone()))
        };
        let (id, name) = name.ok_or_else(|| Denied::Unknown("token", id.to_owned()))?;
        book.keep(vec![tokens::removed(&id)], ("token removed", &id, &name), who).await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).tokens.remove(&id);
        Ok(())
    }
}
