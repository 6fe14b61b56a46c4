//! A periodic loop of which only those turns happen at which something is to be seen: a quiet cluster costs nothing, and what
//! happens falls on the same instants as in the real loop.

use crate::cluster::{Agenda, ControllerEvent, ControllerKind, Event, NodeId, ObjectRef};
use crate::engine::{Span, Time};

/// The next turn of a loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnchoredTick {
    kind: ControllerKind,
    pending: Option<Time>,
}

impl AnchoredTick {
    /// A loop of this controller.
    pub(super) fn new(kind: ControllerKind) -> AnchoredTick {
        AnchoredTick { kind, pending: None }
    }

    /// Asks for the first turn that is not before `not_before`; the turns are at `anchor` and every `period` after it.
    pub(super) fn request(&mut self, not_before: Time, anchor: Time, period: Span, agenda: &mut Agenda) {
        let at = not_before.max(agenda.now()).next_tick(anchor, period);
        if self.pending.is_none_or(|pending| at < pending) {
            self.pending = Some(at);
            let key = ObjectRef::Node(NodeId(0));
            agenda.at(at, Event::Controller(ControllerEvent { controller: self.kind, tick: true, key }));
        }
    }

    /// Whether a turn is due; it is taken.
    pub(super) fn take(&mut self, now: Time) -> bool {
        let due = self.pending.is_some_and(|pending| pending <= now);
        if due {
            self.pending = None;
        }
        due
    }
}
