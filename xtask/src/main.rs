//! The project's runner: starts cargo and the built program, and judges what is cheap to judge. It depends on no member.

mod bench;
mod coverage;
mod crash;
mod deny;
mod e2e;
mod edges;
mod faults;
mod fuzz;
mod mutants;
mod readme;
mod rig;
mod run;
mod schemathesis;
mod tidy;
mod trials;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND
  test             all tests, tidy among them
  tidy             the rules of the house that no compiler holds
  edges            dependencies that must not be, each asked of cargo
  e2e              the built program against itself and curl, as a table
  crash [--rounds N] [--seed N]    kills the built server under load, and accounts for every update
  simulate [SEEDS [FIRST]]         plays the scheduler against receivers that fail in every way
  faults [--sample]                a full disk, failing calls, flipped bits, power cuts
  outage [--seconds N]             a receiver away under load: how soon what waited has arrived
  backlog [--updates N]            a large backlog: memory, and time to the first delivery after a kill
  isolation [--integrations N] [--pairs N]   what broken integrations change for the others
  schemathesis [--seconds N] [--seed N]      the server's API against its OpenAPI document, alone in a network namespace
  readme [--write] plays the README's commands, and compares or writes what they print
  fuzz [TARGET] [--time SECONDS]   one fuzz target or all, each for so long (10 s)
  deny             licences, sources, duplicates and bans of what is depended on; known weaknesses, if their list is to be had
  mutants [PART]   changes the code in small ways that tests must notice: payload, headers, scheduler, or all; takes hours
  coverage         which lines the tests run, as a table and as pages in target/coverage
  bench [NAME] [--quick] [--save]  benches as ratios to yardsticks of the same run, with their goals: payload, target,
                   scheduler, store, programs, portal, or all; plots go to target/bench, and with --save all goes to docs/ too
  bench instructions [--write]     instructions that the pure parts take, against the committed figures, or as new figures";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["test", rest @ ..] => run::cargo(&[&["test", "--workspace"], rest].concat()),
        ["tidy"] => tidy::tidy().map(|()| println!("tidy")),
        ["edges"] => edges::edges(),
        ["e2e"] => e2e::e2e(),
        ["crash", rest @ ..] => numbers(rest, &[("--rounds", 25), ("--seed", 1)])
            .and_then(|numbers| crash::crash(numbers[0], numbers[1])),
        ["faults"] => faults::faults(false),
        ["faults", "--sample"] => faults::faults(true),
        ["outage", rest @ ..] => {
            numbers(rest, &[("--seconds", 30)]).and_then(|numbers| trials::outage(numbers[0]))
        }
        ["backlog", rest @ ..] => {
            numbers(rest, &[("--updates", 1_000_000)]).and_then(|numbers| trials::backlog(numbers[0]))
        }
        ["isolation", rest @ ..] => numbers(rest, &[("--integrations", 1000), ("--pairs", 3)])
            .and_then(|numbers| trials::isolation(numbers[0], numbers[1])),
        ["simulate"] => simulate("10000", "1"),
        ["simulate", seeds] => simulate(seeds, "1"),
        ["simulate", seeds, first] => simulate(seeds, first),
        ["schemathesis-alone", seconds, seed] => schemathesis::alone(seconds, seed),
        ["schemathesis", rest @ ..] => numbers(rest, &[("--seconds", 60), ("--seed", 1)])
            .and_then(|numbers| schemathesis::schemathesis(numbers[0], numbers[1])),
        ["readme"] => readme::readme(readme::Mode::Check),
        ["readme", "--write"] => readme::readme(readme::Mode::Write),
        ["fuzz", target, rest @ ..] if !target.starts_with('-') => fuzz(Some(target), rest),
        ["fuzz", rest @ ..] => fuzz(None, rest),
        ["deny"] => deny::deny(),
        ["mutants"] => mutants::mutants(None),
        ["mutants", part] => mutants::mutants(Some(part)),
        ["coverage"] => coverage::coverage(),
        ["bench", "instructions"] => bench::instructions::compare(),
        ["bench", "instructions", "--write"] => bench::instructions::write(),
        ["bench", rest @ ..] => bench::bench(rest),
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

/// The values of flags that are numbers, in the order of their defaults.
fn numbers(arguments: &[&str], defaults: &[(&str, u64)]) -> Result<Vec<u64>, String> {
    let mut values: Vec<u64> = defaults.iter().map(|(_, default)| *default).collect();
    for pair in arguments.chunks(2) {
        let place = defaults.iter().position(|(name, _)| *name == pair[0]);
        let number = pair.get(1).and_then(|text| text.parse().ok());
        match place.zip(number) {
            Some((place, number)) => values[place] = number,
            None => return Err(format!("{} is no flag with a number here\n{USAGE}", pair[0])),
        }
    }
    Ok(values)
}

fn fuzz(target: Option<&str>, rest: &[&str]) -> Result<(), String> {
    numbers(rest, &[("--time", fuzz::DEFAULT_SECONDS)]).and_then(|numbers| fuzz::fuzz(target, numbers[0]))
}

fn simulate(seeds: &str, first: &str) -> Result<(), String> {
    let arguments = [
        "test",
        "--quiet",
        "--release",
        "--package",
        "fusion-webhook-delivery",
        "--test",
        "simulation",
        "--",
        "--nocapture",
    ];
    let mut command = run::cargo_command(&arguments);
    run::succeed(command.env("SIMULATION_SEEDS", seeds).env("SIMULATION_FIRST", first))
}
