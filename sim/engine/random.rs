//! Random numbers that depend on what they are for, never on when they are drawn.
//!
//! Two runs that differ in their scheduler see the same lifetimes and the same failures: common random numbers, which make a
//! comparison of policies a paired one.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The source of every random number of a run.
#[derive(Clone, Debug)]
pub struct Draws {
    base: ChaCha8Rng,
    seed: u64,
}

/// What a draw decides. Part of what a seed means: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// How long a container runs.
    Lifetime = 1,
    /// How long a container takes from its start until it serves.
    StartupDelay = 2,
    /// Whether and when a probe fails.
    ProbeFailure = 3,
    /// When a node, zone or other part of the world fails and is repaired.
    NodeFailure = 4,
    /// A choice between equals.
    TieBreak = 5,
    /// The exit code of a container.
    Exit = 6,
    /// How long a container takes to stop.
    Stop = 7,
    /// When the next pod of a generated workload arrives.
    Arrival = 8,
    /// The size of an image.
    ImageSize = 9,
    /// What a generated pod asks for.
    Shape = 10,
    /// How long a change takes to reach a watcher.
    WatchDelay = 11,
    /// Jitter of a periodic task.
    Jitter = 12,
    /// Generated names, uids and addresses.
    Name = 13,
    /// Service time and route of a request.
    Traffic = 14,
    /// What a generated scenario of the swarm holds.
    Swarm = 15,
}

/// The bits of an entity that name its stream.
const ENTITY_MASK: u64 = (1 << 56) - 1;

impl Draws {
    /// All streams of `seed`.
    pub fn new(seed: u64) -> Draws {
        Draws { base: ChaCha8Rng::seed_from_u64(seed), seed }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The stream of one purpose for one entity, named by its place in the input; `turn` numbers repeated draws.
    ///
    /// Only the low 56 bits of `entity` count: the others say the purpose.
    pub fn stream(&self, purpose: Purpose, entity: u64, turn: u32) -> ChaCha8Rng {
        let mut rng = self.base.clone();
        rng.set_stream((u64::from(purpose as u8) << 56) | (entity & ENTITY_MASK));
        rng.set_word_pos(u128::from(turn) << 16);
        rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::Rng;

    #[test]
    fn streams_are_independent_of_draw_order() {
        let draws = Draws::new(7);
        let first = draws.stream(Purpose::Lifetime, 3, 0).next_u64();
        let _ = draws.stream(Purpose::NodeFailure, 9, 0).next_u64();
        assert_eq!(first, draws.stream(Purpose::Lifetime, 3, 0).next_u64());
        assert_ne!(first, draws.stream(Purpose::Lifetime, 4, 0).next_u64());
        assert_ne!(first, draws.stream(Purpose::Lifetime, 3, 1).next_u64());
        assert_eq!(first, draws.stream(Purpose::Lifetime, 3 | 0xff << 56, 0).next_u64());
        assert_ne!(first, Draws::new(8).stream(Purpose::Lifetime, 3, 0).next_u64());
    }
}
