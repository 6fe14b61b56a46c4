//! Conditions of pods, nodes and other objects.

use smallvec::SmallVec;

use super::ids::Sym;
use crate::engine::Time;

/// `status` of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionStatus {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`.
    Unknown,
}

impl ConditionStatus {
    /// The word the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionStatus::True => "True",
            ConditionStatus::False => "False",
            ConditionStatus::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> ConditionStatus {
        if holds { ConditionStatus::True } else { ConditionStatus::False }
    }
}

/// One condition of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `type`.
    pub kind: Sym,
    /// `status`.
    pub status: ConditionStatus,
    /// `reason`, may be empty.
    pub reason: Sym,
    /// `message`, may be empty.
    pub message: Sym,
    /// `lastTransitionTime`: when the status last changed.
    pub transition: Time,
    /// `lastHeartbeatTime`, `lastUpdateTime` or `lastProbeTime`, whichever the kind has.
    pub update: Time,
}

/// The conditions of one object, in the order in which they were first set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(SmallVec<[Condition; 4]>);

impl Conditions {
    /// The condition of type `kind`.
    pub fn get(&self, kind: Sym) -> Option<&Condition> {
        self.0.iter().find(|condition| condition.kind == kind)
    }

    /// Whether the condition of type `kind` is `True`.
    pub fn is_true(&self, kind: Sym) -> bool {
        self.get(kind).is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// Sets a condition as Kubernetes does: `transition` moves only when the status changes. Returns whether status, reason or
    /// message changed.
    pub fn set(&mut self, new: Condition) -> bool {
        match self.0.iter_mut().find(|condition| condition.kind == new.kind) {
            None => {
                self.0.push(new);
                true
            }
            Some(old) => {
                let changed = (old.status, old.reason, old.message) != (new.status, new.reason, new.message);
                let transition = if old.status == new.status { old.transition } else { new.transition };
                *old = Condition { transition, ..new };
                changed
            }
        }
    }

    /// Removes the condition of type `kind`. Returns whether there was one.
    pub fn remove(&mut self, kind: Sym) -> bool {
        let before = self.0.len();
        self.0.retain(|condition| condition.kind != kind);
        self.0.len() != before
    }

    /// All conditions in the order in which they were first set.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Condition> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Condition> for Conditions {
    fn from_iter<I: IntoIterator<Item = Condition>>(conditions: I) -> Self {
        Conditions(conditions.into_iter().collect())
    }
}
