//! How soon the server is there, and what it holds in memory: empty, with many integrations, with a backlog.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use crate::bodies::{Bodies, lines};
use crate::deliver::{CONNECTIONS, LARGE, into, one, routed};
use crate::figures::Figures;
use crate::figures::Goal::AtMost;
use crate::machine::{now, pause, resident};
use crate::program::{Program, folder};
use crate::role::{Role, runtime};
use crate::{Done, Size};

const MIB: f64 = 1024.0 * 1024.0;

/// Where nobody listens: a port that was free a moment ago.
pub(crate) fn nowhere() -> Done<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

pub(crate) fn start(_: Size, figures: &mut Figures) -> Done {
    let mut taken = Vec::new();
    for _ in 0..10 {
        let folder = folder()?;
        let began = now();
        Program::serve(folder.path(), "")?;
        taken.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    figures.row("an empty server is ready", " ms", taken, AtMost(50.0));
    Ok(())
}

/// Idle integrations.
const INTEGRATIONS: usize = 10_000;

/// How many updates one request holds where a backlog is made.
const BATCH: usize = 2_000;

pub(crate) fn memory(size: Size, figures: &mut Figures) -> Done {
    let configured = |count: usize| -> Done<u64> {
        let folder = folder()?;
        let program =
            Program::serve(folder.path(), &routed(nowhere()?, count, |number| format!("/{number}")))?;
        // The start itself may still hold something.
        pause(std::time::Duration::from_secs(1));
        resident(program.id())
    };
    let idle = (configured(INTEGRATIONS)? as f64 - configured(1)? as f64) / INTEGRATIONS as f64;
    figures.row("memory of an idle integration", " KiB", vec![idle / 1024.0], AtMost(4.0));
    backlog(size, figures)
}

/// A server with a lane to an address, which has taken in these updates; what was in the folder is there too.
pub(crate) fn take_in(
    folder: &Path,
    to: SocketAddr,
    all: &Bodies,
    mut numbers: Range<usize>,
) -> Done<Program> {
    let runtime = runtime()?;
    let configuration = one(&format!("http://{to}/"), CONNECTIONS, "") + LARGE;
    let program = Program::serve(folder, &configuration)?;
    let mut client = runtime.block_on(into(program.address, 2))?;
    while !numbers.is_empty() {
        let bodies = all.several(numbers.start, numbers.len().min(BATCH * 8));
        numbers.start += bodies.len();
        runtime.block_on(client.post(lines(&bodies, BATCH)))?;
    }
    Ok(program)
}

fn backlog(size: Size, figures: &mut Figures) -> Done {
    let (all, folder, away) = (Bodies::new(), folder()?, nowhere()?);
    let mut taken = 0;
    for (count, limit) in size.backlogs.into_iter().zip([64.0, 128.0]) {
        let program = take_in(folder.path(), away, &all, taken..count)?;
        taken = count;
        let held = resident(program.id())? as f64 / MIB;
        figures.row(&format!("memory with a backlog of {count}"), " MiB", vec![held], AtMost(limit));
    }
    let mut server = Role::start(&["server"])?;
    let configuration = one(&format!("http://{}/", server.greeting), CONNECTIONS, "") + LARGE;
    let began = now();
    let _program = Program::serve(folder.path(), &configuration)?;
    server.ask("1")?;
    let first = began.elapsed().as_secs_f64();
    let name = format!("start to the first delivery of {taken}");
    figures.row(&name, " s", vec![first], AtMost(2.0));
    Ok(())
}
