//! A run that a fuzzer wrote: what happens when, and then, in the bytes that are left, how everything turns out.

use std::num::NonZeroUsize;
use std::time::Duration;

use arbitrary::{Result, Unstructured};

use super::dice::Dice;
use super::receivers::MOODS;
use super::{Event, Report, Request, World};

/// The most that happens from outside in one run.
const MAX_HAPPENINGS: usize = 64;

/// What happens from outside.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Arrive { lane: usize, key: u8, supersedable: bool },
    Gate { lane: usize, open: bool },
    Mood { lane: usize, mood: usize },
    Settings { lane: usize },
    Limit(NonZeroUsize),
    Crash,
}

impl World {
    /// Plays what `data` says, after which everything heals.
    pub(crate) fn play_given(data: &[u8]) -> Report {
        let mut input = Unstructured::new(data);
        let lanes = 1 + usize::from(input.arbitrary::<u8>().unwrap_or(0)) % 4;
        let mut happenings = Vec::new();
        while happenings.len() < MAX_HAPPENINGS
            && let Ok(true) = input.ratio(15_u8, 16)
            && let Ok(happening) = happening(&mut input, lanes)
        {
            happenings.push(happening);
        }
        let mut world = Self::new(Dice::Given(input.take_rest().to_vec()), lanes);
        for lane in 0..lanes {
            world.change_settings(lane);
            world.tell_settings(lane);
        }
        for (pause, happening) in happenings {
            world.pass(pause);
            world.undergo(happening);
        }
        world.pass(Duration::from_secs(5));
        world.heal();
        Report { seen: world.seen, trace: world.trace }
    }

    fn undergo(&mut self, happening: Happening) {
        match happening {
            Happening::Arrive { lane, key, supersedable } => {
                self.ask(Request::Append(lane, format!("k{key}"), supersedable));
            }
            Happening::Gate { lane, open } => self.happen(Event::Gate { lane, open }),
            Happening::Mood { lane, mood } => self.lanes[lane].mood = MOODS[mood],
            Happening::Settings { lane } => self.happen(Event::Settings { lane }),
            // Another limit is in force after a restart only.
            Happening::Limit(limit) => {
                self.limit = limit;
                self.happen(Event::Crash);
            }
            Happening::Crash => self.happen(Event::Crash),
        }
        self.step();
    }
}

/// One happening, and how long after the one before.
fn happening(input: &mut Unstructured<'_>, lanes: usize) -> Result<(Duration, Happening)> {
    let pause = match input.int_in_range(0..=3_u8)? {
        0 => Duration::ZERO,
        1 => Duration::from_millis(input.arbitrary::<u8>()?.into()),
        2 => Duration::from_secs(input.arbitrary::<u8>()?.into()),
        _ => Duration::from_millis(input.arbitrary::<u16>()?.into()),
    };
    let lane = input.choose_index(lanes)?;
    let happening = match input.int_in_range(0..=11_u8)? {
        0..=5 => {
            Happening::Arrive { lane, key: input.int_in_range(0..=3)?, supersedable: input.arbitrary()? }
        }
        6 => Happening::Gate { lane, open: input.arbitrary()? },
        7 | 8 => Happening::Mood { lane, mood: input.choose_index(MOODS.len())? },
        9 => Happening::Settings { lane },
        10 => Happening::Limit(NonZeroUsize::new(input.int_in_range(1..=12)?).unwrap_or(NonZeroUsize::MIN)),
        _ => Happening::Crash,
    };
    Ok((pause, happening))
}
