//! The discrete-event core: a virtual clock, a queue of events, random numbers that depend on what they are for.
//!
//! This module knows no Kubernetes word. Events are ordered by (time, phase, order of scheduling); the phase is a property of
//! the kind of event, so that adding a component does not reorder the others.

mod clock;
mod curve;
mod distribution;
mod ids;
mod queue;
mod random;

pub use clock::{Span, SpanError, Time};
pub use curve::Curve;
pub use distribution::{Distribution, DistributionError, Shape, Unit, open_unit};
pub use ids::{Id, IdVec};
pub use queue::{Event, EventQueue, Phase};
pub use random::{Draws, Purpose};
