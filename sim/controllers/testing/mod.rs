//! A small world for testing controllers alone: stand-ins for kubelets, scheduler and garbage collector, the steps of the recorded
//! scenarios, and the recorded view of what happened.

mod kubelet;
mod recordings;
mod steps;
mod view;

use serde_json::{Value, json};

pub(super) use kubelet::StandIns;
pub(super) use view::View;

use crate::cluster::{Agenda, Change, Cluster, Component, ControlPlane, Event};
use crate::controllers::Controllers;
use crate::engine::{Draws, Time};

/// 2026-01-01T00:00:00Z.
pub(super) const EPOCH: i64 = 1_767_225_600;

/// A cluster with controllers and stand-ins for everything else.
pub(super) struct World {
    pub(super) cluster: Cluster,
    pub(super) agenda: Agenda,
    pub(super) controllers: Controllers,
    pub(super) stand_ins: StandIns,
    pub(super) view: View,
    /// Whether invariants are checked after every event.
    pub(super) checked: bool,
    n_events: u64,
}

impl World {
    pub(super) fn at(epoch_seconds: i64, control_plane: ControlPlane) -> World {
        let mut world = World {
            cluster: Cluster::new(epoch_seconds),
            controllers: Controllers::new(&control_plane),
            agenda: Agenda::new(Draws::new(1), control_plane),
            stand_ins: StandIns::default(),
            view: View::default(),
            checked: true,
            n_events: 0,
        };
        world.controllers.start(&mut world.cluster, &mut world.agenda);
        world.create(&json!({ "kind": "Namespace", "metadata": { "name": "default" } }));
        world
    }

    /// Creates an object now.
    pub(super) fn create(&mut self, manifest: &Value) {
        self.cluster.create_from(manifest).expect("a manifest of the test");
        self.settle();
    }

    /// Runs until `until`.
    pub(super) fn run_until(&mut self, until: Time) {
        while let Some(queued) = self.agenda.next(until) {
            self.cluster.set_now(self.agenda.now());
            match queued.event {
                Event::Controller(event) => self.controllers.handle(event, &mut self.cluster, &mut self.agenda),
                event => self.stand_ins.handle(event, &mut self.cluster, &mut self.agenda),
            }
            self.settle();
            self.n_events += 1;
            assert!(self.n_events < 3_000_000, "no end of events at {}", self.agenda.now());
        }
        self.agenda.advance_to(until);
        self.cluster.set_now(until);
    }

    /// Hands out the changes of what was just done.
    pub(super) fn settle(&mut self) {
        let mut changes: Vec<Change> = Vec::new();
        self.cluster.take_changes(&mut changes);
        for &change in &changes {
            self.controllers.observe(change, &self.cluster, &mut self.agenda);
            self.stand_ins.observe(change, &self.cluster, &mut self.agenda);
        }
        self.view.observe(&changes, &self.cluster);
        if self.checked {
            self.cluster.check().expect("the store is consistent");
        }
    }
}
