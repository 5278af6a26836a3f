//! Runs the fuzz targets for a bounded time, as many at once as there are processors, and tells what came of each.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{cargo_command, install, root, succeed};

/// How long a target runs unless told otherwise, in seconds.
pub(crate) const DEFAULT_SECONDS: u64 = 10;

/// What libFuzzer says of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ran {
    executions: u64,
    /// Edges of the code that were reached.
    coverage: u64,
    /// The same, told apart by how often.
    features: u64,
    /// The inputs that broke the law, as files.
    found: Vec<String>,
}

/// Runs one target or all, each for so many seconds.
pub(crate) fn fuzz(target: Option<&str>, seconds: u64) -> Result<(), String> {
    let mut names = targets()?;
    if let Some(target) = target {
        if !names.iter().any(|name| name == target) {
            return Err(format!("there is no fuzz target {target:?}; there are: {}", names.join(", ")));
        }
        names.retain(|name| name == target);
    }
    install("fuzz")?;
    let build: Vec<&str> = ["fuzz", "build"].into_iter().chain(target).collect();
    succeed(&mut unstable(cargo_command(&build)))?;
    println!(
        "{:<12} {:>12} {:>9} {:>9}  found, {seconds} s each",
        "target", "executions", "coverage", "features"
    );
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = Vec::new();
    for names in names.chunks(at_once) {
        let ran: Vec<Result<Ran, String>> = std::thread::scope(|scope| {
            let running: Vec<_> = names.iter().map(|name| scope.spawn(|| run(name, seconds))).collect();
            let gone = |_| Err("the thread ended".to_owned());
            running.into_iter().map(|running| running.join().unwrap_or_else(gone)).collect()
        });
        for (name, ran) in names.iter().zip(ran) {
            let ran = ran?;
            let found = if ran.found.is_empty() { "nothing".to_owned() } else { ran.found.join(" ") };
            println!("{name:<12} {:>12} {:>9} {:>9}  {found}", ran.executions, ran.coverage, ran.features);
            all.push((name.as_str(), ran));
        }
    }
    let told = |(name, ran): &(&str, Ran)| serde_json::json!({ "name": name, "executions": ran.executions, "crashes": ran.found.len() });
    println!("{}", serde_json::json!({ "targets": all.iter().map(told).collect::<Vec<_>>() }));
    let broken: Vec<&str> =
        all.iter().filter(|(_, ran)| !ran.found.is_empty()).map(|(name, _)| *name).collect();
    if broken.is_empty() { Ok(()) } else { Err(format!("laws were broken: {}", broken.join(", "))) }
}

fn targets() -> Result<Vec<String>, String> {
    let files = std::fs::read_dir(root().join("fuzz/fuzz_targets")).map_err(|error| error.to_string())?;
    let mut names: Vec<String> =
        files.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// Sanitizers are unstable flags; with this any toolchain takes them.
fn unstable(mut command: Command) -> Command {
    command.env("RUSTC_BOOTSTRAP", "1");
    command
}

/// Runs a target that was built. What it found is no error, but what came of it.
fn run(name: &str, seconds: u64) -> Result<Ran, String> {
    let (limit, dictionary) = (format!("-max_total_time={seconds}"), dictionary(name));
    let mut command = unstable(cargo_command(&["fuzz", "run", name, "--"]));
    command.args([&limit, "-timeout=10", "-max_len=4096", "-rss_limit_mb=4096", "-print_final_stats=1"]);
    command.args(dictionary.map(|path| format!("-dict={}", path.display())));
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    let mut ran = read(&told);
    if output.status.success() {
        return Ok(ran);
    }
    eprintln!("{told}");
    if ran.found.is_empty() {
        // It ended in a way that leaves no input, such as in memory that is never given back.
        ran.found.push("(no input)".to_owned());
    }
    Ok(ran)
}

/// Words that a target's inputs are made of, if somebody wrote them down.
fn dictionary(name: &str) -> Option<PathBuf> {
    Some(root().join(format!("fuzz/dictionaries/{name}.dict"))).filter(|path| path.exists())
}

/// Reads what libFuzzer prints: `#8192 pulse cov: 411 ft: 1280 corp: …`, and figures at the end.
fn read(told: &str) -> Ran {
    let mut ran = Ran::default();
    for line in told.lines() {
        let after = |word: &str| {
            let mut words = line.split_whitespace().skip_while(|other| *other != word).skip(1);
            words.next()?.parse().ok()
        };
        if let Some(figures) = line.strip_prefix('#') {
            ran.executions = figures
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok())
                .unwrap_or(ran.executions);
            ran.coverage = after("cov:").unwrap_or(ran.coverage);
            ran.features = after("ft:").unwrap_or(ran.features);
        }
        ran.executions = after("stat::number_of_executed_units:").unwrap_or(ran.executions);
        if let Some((_, path)) = line.split_once("Test unit written to ") {
            ran.found.push(path.to_owned());
        }
    }
    ran
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_that_are_printed() {
        let told = "INFO: Seed: 7\n#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 31Mb\n\
            #8192\tpulse  cov: 411 ft: 1280 corp: 9/99b\n#9000\tDONE   cov: 412 ft: 1281 corp: 9/99b\n\
            stat::number_of_executed_units: 9001\nx; Test unit written to fuzz/artifacts/a/crash-1\n";
        let found = vec!["fuzz/artifacts/a/crash-1".to_owned()];
        assert_eq!(read(told), Ran { executions: 9001, coverage: 412, features: 1281, found });
    }
}
