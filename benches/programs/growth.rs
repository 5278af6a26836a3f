//! How the cost of a delivery grows with what grows around it.

use crate::bodies::Bodies;
use crate::deliver::{CONNECTIONS, LARGE, POLICIES, Sender, one, routed};

use crate::figures::{Figures, median};
use crate::machine::now;
use crate::memory::{nowhere, take_in};
use crate::plot::Plot;
use crate::program::{Program, folder};
use crate::role::{Role, runtime};
use crate::{Done, Size};

/// Turns of each point.
const TURNS: usize = 3;

pub(crate) fn growth(size: Size, figures: &mut Figures) -> Done {
    backlog(size, figures)?;
    integrations(size, figures)?;
    lengths(size, figures)?;
    connections(size, figures)?;
    failing(size, figures)
}

/// The yardstick beside ours.
const BARE: &str = "bare hyper client";

/// How many deliveries are timed where a backlog waits.
const TIMED: usize = 5_000;

/// How fast a server delivers behind which so many wait, from when the first has arrived.
fn backlog(size: Size, figures: &mut Figures) -> Done {
    let all = Bodies::new();
    let backlogs = [100, 1_000, 10_000, 100_000, 1_000_000];
    let mut points = Vec::new();
    for waiting in backlogs.into_iter().filter(|waiting| *waiting <= size.backlogs[1]) {
        let folder = folder()?;
        let mut server = Role::start(&["server"])?;
        drop(take_in(folder.path(), nowhere()?, &all, 0..waiting)?);
        let configuration = one(&format!("http://{}/", server.greeting), CONNECTIONS, LARGE);
        let _program = Program::serve(folder.path(), &configuration)?;
        server.ask("1")?;
        let (began, timed) = (now(), (waiting - 1).min(TIMED));
        server.ask(&timed.to_string())?;
        points.push((waiting as f64, timed as f64 / began.elapsed().as_secs_f64()));
    }
    figures.plot(Plot {
        file: "backlog",
        title: "Deliveries that wait",
        axes: ["backlog", "deliveries a second"],
        in_powers: true,
        lines: vec![("ours", points)],
    });
    Ok(())
}

/// Updates a turn.
fn count(size: Size) -> usize {
    size.updates / 4
}

/// The middle of some turns of `turn`, which is told how many there were before it and gives a rate.
fn middle(size: Size, mut turn: impl FnMut(usize) -> Done<f64>) -> Done<f64> {
    let turns = if size.rounds == 1 { 1 } else { TURNS };
    let mut rates = (0..turns).map(&mut turn).collect::<Done<Vec<_>>>()?;
    Ok(median(&mut rates))
}

fn integrations(size: Size, figures: &mut Figures) -> Done {
    let (runtime, all, count) = (runtime()?, Bodies::new(), count(size));
    let mut points = Vec::new();
    for integrations in [1, 10, 100, 1000, 10_000] {
        let mut server = Role::start(&["server"])?;
        let configuration = routed(server.address()?, integrations, |number| format!("/{number}"));
        let mut sender = Sender::start(&runtime, &configuration)?;
        let (policies, each) = (integrations.min(POLICIES), integrations.div_ceil(POLICIES));
        let updates = (count / each).max(1);
        let rate = middle(size, |turn| {
            let bodies = all.routed(turn * updates, updates, policies);
            let (took, _) = sender.deliver(&runtime, &mut server, &bodies, updates * each)?;
            Ok((updates * each) as f64 / took.as_secs_f64())
        })?;
        points.push((integrations as f64, rate));
    }
    figures.plot(Plot {
        file: "integrations",
        title: "Integrations that share a load",
        axes: ["integrations", "deliveries a second"],
        in_powers: true,
        lines: vec![("ours", points)],
    });
    Ok(())
}

fn lengths(size: Size, figures: &mut Figures) -> Done {
    let (runtime, all) = (runtime()?, Bodies::new());
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for length in [1_000, 10_000, 100_000, 1_000_000] {
        let count = count(size).min(50_000_000 / length);
        let mut server = Role::start(&["server"])?;
        let mut client = Role::client(server.address()?, CONNECTIONS, None)?;
        let configuration = one(&format!("http://{}/", server.greeting), CONNECTIONS, "");
        let mut sender = Sender::start(&runtime, &configuration)?;
        let mebibytes =
            |took: std::time::Duration| (count * length) as f64 / took.as_secs_f64() / 1024.0 / 1024.0;
        let rate = middle(size, |turn| {
            let (took, _) = client.post(turn * count, count, length)?;
            server.ask(&count.to_string())?;
            Ok(mebibytes(took))
        })?;
        bare.push((length as f64, rate));
        let rate = middle(size, |turn| {
            let bodies = all.long(turn * count, count, length);
            // Requests stay below what the server takes in one.
            let mut took = std::time::Duration::ZERO;
            for bodies in bodies.chunks((8_000_000 / length).max(1)) {
                took += sender.deliver(&runtime, &mut server, bodies, bodies.len())?.0;
            }
            Ok(mebibytes(took))
        })?;
        ours.push((length as f64, rate));
    }
    figures.plot(Plot {
        file: "bodies",
        title: "Length of the bodies",
        axes: ["bytes of a body", "MiB a second"],
        in_powers: true,
        lines: vec![("ours", ours), (BARE, bare)],
    });
    Ok(())
}

fn connections(size: Size, figures: &mut Figures) -> Done {
    let (runtime, all, count) = (runtime()?, Bodies::new(), count(size));
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for connections in [1, 4, 16, 64, 256] {
        let mut server = Role::start(&["server"])?;
        let mut client = Role::client(server.address()?, connections, None)?;
        let configuration = one(&format!("http://{}/", server.greeting), connections, "");
        let mut sender = Sender::start(&runtime, &configuration)?;
        let rate = middle(size, |turn| {
            let (took, _) = client.post(turn * count, count, 0)?;
            server.ask(&count.to_string())?;
            Ok(count as f64 / took.as_secs_f64())
        })?;
        bare.push((connections as f64, rate));
        let rate = middle(size, |turn| {
            let (took, _) =
                sender.deliver(&runtime, &mut server, &all.several(turn * count, count), count)?;
            Ok(count as f64 / took.as_secs_f64())
        })?;
        ours.push((connections as f64, rate));
    }
    figures.plot(Plot {
        file: "connections",
        title: "Connections to one receiver",
        axes: ["connections", "deliveries a second"],
        in_powers: true,
        lines: vec![("ours", ours), (BARE, bare)],
    });
    Ok(())
}

/// Integrations of which a share fails.
const SHARED: usize = 100;

fn failing(size: Size, figures: &mut Figures) -> Done {
    let (runtime, all, count) = (runtime()?, Bodies::new(), count(size));
    let mut points = Vec::new();
    for share in [0, 10, 25, 50] {
        let mut server = Role::start(&["server"])?;
        let path = |number: usize| {
            let failing = number % SHARED < share;
            format!("{}/{number}", if failing { "/failing" } else { "" })
        };
        let mut sender = Sender::start(&runtime, &routed(server.address()?, SHARED, path))?;
        let well = |number: &usize| number % SHARED >= share;
        let rate = middle(size, |turn| {
            let bodies = all.routed(turn * count, count, SHARED);
            let wanted = (turn * count..(turn + 1) * count).filter(well).count();
            let (took, _) = sender.deliver(&runtime, &mut server, &bodies, wanted)?;
            Ok(wanted as f64 / took.as_secs_f64())
        })?;
        points.push((share as f64, rate));
    }
    figures.plot(Plot {
        file: "failing",
        title: "Integrations that fail",
        axes: ["% of the integrations that answer 500", "deliveries a second to the others"],
        in_powers: false,
        lines: vec![("ours", points)],
    });
    Ok(())
}
