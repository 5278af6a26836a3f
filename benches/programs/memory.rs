//! How soon the server is there, and what it holds in memory: empty, with many integrations, with a backlog.

use crate::bodies::{Bodies, lines};
use crate::deliver::{CONNECTIONS, into, one, routed};
use crate::figures::Figures;
use crate::figures::Goal::AtMost;
use crate::machine::{now, pause, resident};
use crate::program::{Program, folder};
use crate::role::{Role, runtime};
use crate::{Done, Size};

const MIB: f64 = 1024.0 * 1024.0;

/// Where nobody listens: a port that was free a moment ago.
fn nowhere() -> Done<std::net::SocketAddr> {
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

fn backlog(size: Size, figures: &mut Figures) -> Done {
    let (runtime, all, folder) = (runtime()?, Bodies::new(), folder()?);
    let configuration = |server: String| {
        one(&format!("http://{server}/"), CONNECTIONS, "") + "[server]\nbacklog = 100000000\n"
    };
    let away = nowhere()?.to_string();
    let program = Program::serve(folder.path(), &configuration(away))?;
    let mut client = runtime.block_on(into(program.address, 2))?;
    let (mut sent, began) = (0, now());
    for (count, limit) in size.backlogs.into_iter().zip([64.0, 128.0]) {
        while sent < count {
            let bodies = all.several(sent, (BATCH * 8).min(count - sent));
            sent += bodies.len();
            runtime.block_on(client.post(lines(&bodies, BATCH)))?;
        }
        let held = resident(program.id())? as f64 / MIB;
        figures.row(&format!("memory with a backlog of {count}"), " MiB", vec![held], AtMost(limit));
    }
    eprintln!("  taken in: {:.0} a second", sent as f64 / began.elapsed().as_secs_f64());
    drop(program);
    let mut server = Role::start(&["server"])?;
    let configuration = configuration(server.greeting.clone());
    let began = now();
    let _program = Program::serve(folder.path(), &configuration)?;
    server.ask("1")?;
    let first = began.elapsed().as_secs_f64();
    figures.row(
        &format!("start to the first delivery of {}", size.backlogs[1]),
        " s",
        vec![first],
        AtMost(2.0),
    );
    Ok(())
}
