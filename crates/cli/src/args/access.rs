//! `people` and `tokens` as they are typed.

use clap::Subcommand;

use super::Server;

#[derive(Debug, Subcommand)]
pub(crate) enum People {
    /// List who can log in
    List(Server),
    /// Let somebody log in; the password is asked for, or read from standard input
    Add {
        /// The name: letters, digits and . _ - @
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Give somebody another password, and end their sessions
    Password {
        /// The name
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Let somebody log in no more
    Remove {
        /// The name
        name: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// List the tokens that were made here, without their text
    List(Server),
    /// Make a token for a program, and print it: it is shown this once
    Add {
        /// What to know it by
        name: String,
        #[command(flatten)]
        server: Server,
    },
    /// Make a token good for nothing
    Remove {
        /// The token, by its name or id
        name: String,
        #[command(flatten)]
        server: Server,
    },
}
