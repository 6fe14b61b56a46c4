//! `Component`: a part of the simulated world. Components never call each other: one writes to the store, the others see the change.

use super::agenda::Agenda;
use super::change::Change;
use super::outage::Outage;
use super::store::Cluster;

/// A part of the simulated world: the scheduler, a controller, the kubelets, the network, the faults.
pub trait Component {
    /// What happens in it.
    type Event: Copy;

    /// Called once before the first event: starts periodic loops.
    fn start(&mut self, cluster: &mut Cluster, agenda: &mut Agenda);

    /// Called after every event, once per change, in order. The cluster shows the state after all changes of the event. It may
    /// only note and schedule, never write: settling always ends.
    fn observe(&mut self, change: Change, cluster: &Cluster, agenda: &mut Agenda);

    /// Something happened to the control plane: called after the changes of the event have been observed.
    fn outage(&mut self, _: Outage, _: &mut Cluster, _: &mut Agenda) {}

    /// One event of this component happens.
    fn handle(&mut self, event: Self::Event, cluster: &mut Cluster, agenda: &mut Agenda);
}
