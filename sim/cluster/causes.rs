//! Why changes were made: the change, or the remark, in reaction to which something was done. For timelines alone: nothing acts on it.

use std::collections::{BTreeMap, VecDeque};

use super::change::Change;
use super::event::NO_CAUSE;
use super::ids::{NodeId, Sym};
use super::outage::{News, Outage};
use super::pod::ContainerStatus;
use super::store::Cluster;

/// Tells the number of a remark (a step of a user, a fault, an outage) from the number of a change, where either may be a cause.
pub const REMARK: u32 = 1 << 31;

/// What a change made of an object, where another change of the same event may have made something else of it since.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Note {
    /// The status of a container.
    Container(ContainerStatus),
    /// The taints of a node, as text.
    Taints(Sym),
    /// The address of a pod, 0 for none, and whether its start has just been told.
    Address(u32, bool),
}

/// What is known of causes.
#[derive(Clone, Debug)]
pub(super) struct Causes {
    /// The cause of what is done now.
    now: u32,
    /// From which of the changes not yet taken on which cause holds.
    of_changes: Vec<(usize, u32)>,
    /// Remarks so far.
    n_remarks: u32,
    /// The last change of each node's kubelet: what a controller that finds it silent reacts to, without having been told.
    silences: BTreeMap<NodeId, u32>,
    /// Notes on changes not yet taken, by their places.
    notes: VecDeque<(usize, Note)>,
    /// The note on the change that is being shown.
    shown: Option<Note>,
}

impl Default for Causes {
    fn default() -> Self {
        Causes {
            now: NO_CAUSE,
            of_changes: Vec::new(),
            n_remarks: 0,
            silences: BTreeMap::new(),
            notes: VecDeque::new(),
            shown: None,
        }
    }
}

impl Cluster {
    /// Says why the changes are made that follow: the number of a change or of a remark.
    pub fn because(&mut self, cause: u32) {
        if self.causes.now != cause {
            self.causes.now = cause;
            self.causes.of_changes.push((self.changes.len(), cause));
        }
    }

    /// Makes a remark beside the changes: for timelines and reports. Returns its number as a cause.
    pub fn remark(&mut self, outage: Outage) -> u32 {
        // The last number is that of no cause at all.
        let number = REMARK | self.causes.n_remarks.min(NO_CAUSE - REMARK - 1);
        self.causes.n_remarks += 1;
        self.outage.news.push(News { outage, number, cause: self.causes.now });
        number
    }

    /// What the change that is being shown made of its object; none if the object itself shows it.
    pub fn note(&self) -> Option<Note> {
        self.causes.shown
    }

    /// Notes what the last change made of its object.
    pub(super) fn note_last(&mut self, note: Note) {
        self.causes.notes.push_back((self.changes.len().saturating_sub(1), note));
    }

    /// Turns to the change in this place of those just taken. For the simulation's loop only.
    pub fn show_note_of(&mut self, place: usize) {
        while self.causes.notes.front().is_some_and(|&(noted, _)| noted < place) {
            self.causes.notes.pop_front();
        }
        let is_of = |noted: &(usize, Note)| noted.0 == place;
        self.causes.shown = self.causes.notes.front().copied().filter(is_of).map(|(_, note)| note);
    }

    /// All changes just taken have been shown. For the simulation's loop only.
    pub fn forget_notes(&mut self) {
        self.causes.notes.clear();
        self.causes.shown = None;
    }

    /// The change by which the kubelet of a node fell silent or came back the last time, as a cause.
    pub fn cause_of_silence(&self, node: NodeId) -> u32 {
        self.causes.silences.get(&node).copied().unwrap_or(NO_CAUSE)
    }

    /// Notes that the kubelet of a node fell silent or came back. For the simulation's loop only.
    pub fn note_silence(&mut self, node: NodeId, cause: u32) {
        self.causes.silences.insert(node, cause);
    }

    /// Takes the changes made since the last call, in order, and from which of them on which cause holds. For the simulation's loop
    /// only.
    pub fn take_changes_with_causes(&mut self, changes: &mut Vec<Change>, causes: &mut Vec<(usize, u32)>) {
        changes.append(&mut self.changes);
        causes.append(&mut self.causes.of_changes);
        causes.push((usize::MAX, NO_CAUSE));
        self.causes.of_changes.push((0, self.causes.now));
    }

    /// Takes the changes made since the last call, in order.
    pub fn take_changes(&mut self, into: &mut Vec<Change>) {
        into.append(&mut self.changes);
        self.causes.of_changes.clear();
        self.forget_notes();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_have_the_cause_that_held_when_they_were_made() {
        let mut cluster = Cluster::new(0);
        let make = |cluster: &mut Cluster, name: &str| {
            let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } });
            cluster.create_from(&node).expect("a fresh name");
        };
        let (mut changes, mut causes) = (Vec::new(), Vec::new());
        cluster.because(7);
        make(&mut cluster, "a");
        let step = cluster.remark(Outage::Writable(true));
        cluster.because(step);
        make(&mut cluster, "b");
        cluster.take_changes_with_causes(&mut changes, &mut causes);
        assert_eq!((changes.len(), step), (2, REMARK));
        assert_eq!(causes, [(0, 7), (1, REMARK), (usize::MAX, NO_CAUSE)]);
        // What held goes on to hold.
        causes.clear();
        cluster.take_changes_with_causes(&mut changes, &mut causes);
        assert_eq!(causes[0], (0, REMARK));
        assert_ne!(cluster.remark(Outage::Writable(true)), step);
        let mut news = Vec::new();
        cluster.take_news(&mut news);
        assert_eq!(news.iter().map(|news| news.cause).collect::<Vec<_>>(), [7, REMARK]);
    }

    #[test]
    fn a_note_belongs_to_one_change() {
        let mut cluster = Cluster::new(0);
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "a" } });
        cluster.create_from(&node).expect("a fresh name");
        cluster.note_last(Note::Address(5, true));
        let (mut changes, mut causes) = (Vec::new(), Vec::new());
        cluster.take_changes_with_causes(&mut changes, &mut causes);
        let of = |cluster: &mut Cluster, place| {
            cluster.show_note_of(place);
            cluster.note()
        };
        let last = changes.len() - 1;
        assert_eq!((of(&mut cluster, last), of(&mut cluster, last + 1)), (Some(Note::Address(5, true)), None));
        cluster.forget_notes();
        assert_eq!(of(&mut cluster, last), None);
    }
}
