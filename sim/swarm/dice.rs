//! `Dice`: the random choices that make one scenario of the swarm, all from one stream of its seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::engine::{Draws, Purpose};

/// A source of choices.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The choices of a seed.
    pub(super) fn new(seed: u64) -> Dice {
        Dice(Draws::new(seed).stream(Purpose::Swarm, 0, 0))
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        // The bias of the remainder is below 2^-50 for the small ranges used here.
        low + self.0.next_u64() % (high - low + 1)
    }

    /// True in `percent` of 100 cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of the choices.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.between(0, choices.len() as u64 - 1) as usize]
    }
}
