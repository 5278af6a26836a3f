//! The receiver with all checks, captures kept, beside a bare server and beside wiremock, all with the same bare client.

use std::time::Duration;

use receiver::check::sequence::MAX_EVENTS;

use crate::deliver::CONNECTIONS;
use crate::figures::Figures;
use crate::figures::Goal::{AtLeast, AtMost};
use crate::machine::resident;
use crate::program::{Program, folder};
use crate::role::Role;
use crate::{Done, Size};

pub(crate) fn throughput(size: Size, figures: &mut Figures) -> Done {
    let folder = folder()?;
    let ours = Program::receive(folder.path())?;
    let (bare, wiremock) = (Role::start(&["server"])?, Role::start(&["wiremock"])?);
    let mut clients = [ours.address, bare.address()?, wiremock.address()?]
        .map(|address| Role::client(address, CONNECTIONS, None));
    remember_all(&mut clients[0], size)?;
    let (mut of_bare, mut of_wiremock, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=size.rounds {
        let mut took = [Duration::ZERO; 3];
        for (client, took) in clients.iter_mut().zip(&mut took) {
            let client = client.as_mut().map_err(|error| error.to_string())?;
            (*took, _) = client.post(round * size.updates, size.updates, 0)?;
        }
        let [ours_took, bare_took, wiremock_took] = took.map(|took| took.as_secs_f64());
        let held = resident(ours.id())?;
        eprintln!(
            "  a second: ours {:.0}, bare {:.0}, wiremock {:.0}; ours holds {} MiB, wiremock {} MiB",
            size.updates as f64 / ours_took,
            size.updates as f64 / bare_took,
            size.updates as f64 / wiremock_took,
            held >> 20,
            resident(wiremock.id())? >> 20,
        );
        if round > 0 || size.rounds == 1 {
            of_bare.push(bare_took / ours_took);
            of_wiremock.push(wiremock_took / ours_took);
            memory.push(held as f64);
        }
    }
    let grown = memory.last().zip(memory.first()).map_or(1.0, |(last, first)| last / first);
    figures.row("receiver, all checks / bare hyper server", "×", of_bare, AtLeast(0.5));
    figures.row("receiver, all checks / wiremock with recording", "×", of_wiremock, AtLeast(3.0));
    figures.row("receiver's memory at the end / after the first round", "×", vec![grown], AtMost(1.1));
    Ok(())
}

/// Has ours see as many events as it remembers, so that what grows from there on has no bound.
fn remember_all(ours: &mut Done<Role>, size: Size) -> Done {
    let ours = ours.as_mut().map_err(|error| error.to_string())?;
    let after_all = (size.rounds + 1) * size.updates;
    for first in (after_all..after_all + MAX_EVENTS).step_by(MAX_EVENTS / 10) {
        ours.post(first, MAX_EVENTS / 10, 0)?;
    }
    Ok(())
}
