//! The scheduler's simulation, played as the fuzzer says instead of as a seed says: the law book is the same.

#[path = "../../crates/delivery/tests/simulation/world.rs"]
#[expect(dead_code, reason = "only what a seed needs is not used here")]
mod world;

/// Panics when a promise is broken.
pub fn promises(data: &[u8]) {
    world::World::play_given(data);
}
