//! `people` and `tokens`: who may ask a running server.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use serde_json::json;

use super::{ask, encoded, rows, table};
use crate::args::Server;
use crate::args::access::{People, Tokens};
use crate::exit::Failure;
use crate::show;

pub(crate) fn people(what: &People) -> Result<ExitCode, Failure> {
    let (name, server, done) = match what {
        People::List(server) => return list(server, "people", &["name", "since"]),
        People::Add { name, server } => {
            let body = json!({ "name": name, "password": password()? }).to_string();
            let open = server.token.is_none();
            ask(server)?.post("/v1/people", &[], body.as_bytes())?.good()?;
            if open {
                anstream::eprintln!(
                    "note: from now on everybody has to log in, and programs need a token: make one in Settings > Access, or start the server with FUSION_WEBHOOK_TOKEN"
                );
            }
            (name, server, "can log in")
        }
        People::Password { name, server } => {
            let body = json!({ "password": password()? }).to_string();
            ask(server)?.put(&format!("/v1/people/{}", encoded(name)), body.as_bytes())?.good()?;
            (name, server, "has another password")
        }
        People::Remove { name, server } => {
            ask(server)?.delete(&format!("/v1/people/{}", encoded(name)))?.good()?;
            (name, server, "can log in no more")
        }
    };
    done_to(name, done, server);
    Ok(ExitCode::SUCCESS)
}

/// A password, which does not stand on the command line: other processes could read it there.
fn password() -> Result<String, Failure> {
    let cannot = |error: std::io::Error| Failure::cannot_run(format!("error: no password: {error}"));
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ").map_err(cannot)?;
        let again = rpassword::prompt_password("Once more: ").map_err(cannot)?;
        if first != again {
            return Err(Failure::wrong_input("error: the two are not the same"));
        }
        return Ok(first);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(cannot)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

pub(crate) fn tokens(what: &Tokens) -> Result<ExitCode, Failure> {
    match what {
        Tokens::List(server) => list(server, "tokens", &["name", "made_by", "since", "id"]),
        Tokens::Add { name, server } => {
            let body = json!({ "name": name }).to_string();
            let value = ask(server)?.post("/v1/tokens", &[], body.as_bytes())?.good()?;
            let token = value["token"].as_str().unwrap_or_default();
            show::println(&if server.json { value.to_string() } else { token.to_owned() });
            Ok(ExitCode::SUCCESS)
        }
        Tokens::Remove { name, server } => {
            ask(server)?.delete(&format!("/v1/tokens/{}", encoded(name)))?.good()?;
            done_to(name, "is good for nothing any more", server);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn done_to(name: &str, what: &str, server: &Server) {
    show::println(&if server.json {
        json!({ "name": name }).to_string()
    } else {
        format!("{} {what}", show::printable(name))
    });
}

fn list(server: &Server, what: &str, names: &[&str]) -> Result<ExitCode, Failure> {
    let value = ask(server)?.get(&format!("/v1/{what}"), &[])?.good()?;
    if server.json {
        show::println(&value[what].to_string());
    } else {
        table(names, &rows(&value[what], names));
    }
    Ok(ExitCode::SUCCESS)
}
