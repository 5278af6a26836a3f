//! The project's runner: starts cargo and the built program, and judges what is cheap to judge. It depends on no member.

mod bench;
mod e2e;
mod edges;
mod fuzz;
mod readme;
mod run;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND
  test             all tests, tidy among them
  tidy             the rules of the house that no compiler holds
  edges            dependencies that must not be, each asked of cargo
  e2e              the built program against itself and curl, as a table
  readme [--write] plays the README's commands, and compares or writes what they print
  fuzz [SECONDS]   every fuzz target for so long (default 10); wants cargo-fuzz
  bench [--quick]  benches against serde_json, with their ratios";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["test", rest @ ..] => run::cargo(&[&["test", "--workspace"], rest].concat()),
        ["tidy"] => tidy::tidy().map(|()| println!("tidy")),
        ["edges"] => edges::edges(),
        ["e2e"] => e2e::e2e(),
        ["readme"] => readme::readme(readme::Mode::Check),
        ["readme", "--write"] => readme::readme(readme::Mode::Write),
        ["fuzz"] => fuzz::fuzz(10),
        ["fuzz", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::fuzz(seconds),
            Err(_) => Err(format!("{seconds:?} is no number of seconds")),
        },
        ["bench"] => bench::bench(false),
        ["bench", "--quick"] => bench::bench(true),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
