//! `Agenda`: what a component may do besides writing to the store: know the time, schedule events, draw random numbers, and know
//! how slow the control plane is.

use super::control_plane::ControlPlane;
use super::event::{Event, NO_CAUSE, Queued};
use super::store::Cluster;
use crate::engine::{Draws, EventQueue, Purpose, Span, Time};
use rand_chacha::ChaCha8Rng;

/// The clock, the queue, the random streams and the latencies of one run.
#[derive(Clone, Debug)]
pub struct Agenda {
    queue: EventQueue<Queued>,
    now: Time,
    cause: u32,
    draws: Draws,
    /// Latencies and limits of the control plane.
    pub control_plane: ControlPlane,
}

impl Agenda {
    /// An empty agenda at time zero.
    pub fn new(draws: Draws, control_plane: ControlPlane) -> Agenda {
        Agenda { queue: EventQueue::new(), now: Time::ZERO, cause: NO_CAUSE, draws, control_plane }
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Schedules `event` for `at`, or for now if `at` has passed.
    pub fn at(&mut self, at: Time, event: Event) {
        if at < Time::NEVER {
            self.queue.push(at.max(self.now), Queued { event, cause: self.cause });
        }
    }

    /// Schedules `event` for `span` after now.
    pub fn after(&mut self, span: Span, event: Event) {
        self.at(self.now + span, event);
    }

    /// The random stream of one purpose for one entity, named by its place in the input.
    pub fn stream(&self, purpose: Purpose, entity: u64, turn: u32) -> ChaCha8Rng {
        self.draws.stream(purpose, entity, turn)
    }

    /// All random streams.
    pub fn draws(&self) -> &Draws {
        &self.draws
    }

    /// The change in reaction to which events are being scheduled.
    pub fn cause(&self) -> u32 {
        self.cause
    }

    /// Says in reaction to which change events are scheduled from now on. For the simulation's loop only.
    pub fn set_cause(&mut self, cause: u32) {
        self.cause = cause;
    }

    /// Turns to something that waited for another change than the event at hand: events scheduled from now on, and changes made from
    /// now on, have that cause.
    pub fn because(&mut self, cause: u32, cluster: &mut Cluster) {
        self.cause = cause;
        cluster.because(cause);
    }

    /// Takes the next event not later than `until` and moves the clock to it. For the simulation's loop only.
    pub fn next(&mut self, until: Time) -> Option<Queued> {
        let (at, queued) = self.queue.pop(until)?;
        self.now = at;
        self.cause = queued.cause;
        Some(queued)
    }

    /// Moves the clock to `at` without an event. For the simulation's loop only.
    pub fn advance_to(&mut self, at: Time) {
        debug_assert!(self.queue.peek_time().is_none_or(|next| at <= next));
        self.now = self.now.max(at);
    }

    /// The time of the next event.
    pub fn next_time(&self) -> Option<Time> {
        self.queue.peek_time()
    }

    /// All pending events, in no order of meaning.
    pub fn pending(&self) -> impl Iterator<Item = Event> + '_ {
        self.queue.iter().map(|queued| queued.event)
    }

    /// Number of pending events.
    pub fn n_pending(&self) -> usize {
        self.queue.len()
    }
}
