//! The Leases of kube-controller-manager and kube-scheduler, as everyone sees them, with the event of each new leader (client-go,
//! `tools/leaderelection/resourcelock/leaselock.go`).
//!
//! They are there in runs in which something may happen to a leader. Renewals are not written: `renewTime` is that of the election.

use serde_json::{Value, json};

use super::election::LEASE_DURATION;
use crate::cluster::export::rfc3339_micro;
use crate::cluster::{Cluster, Elected, EventType, ObjectRef, uid_text};

/// Where the Leases are (`--leader-elect-resource-namespace`).
const NAMESPACE: &str = "kube-system";

/// A replica that runs: which, and how often it has been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) process: Elected,
    pub(super) replica: usize,
    pub(super) n_starts: u32,
}

impl Candidate {
    /// The name of its machine and a number of its own (`hostname_uuid`).
    fn identity(self) -> String {
        let number = 1 << 62 | (self.process as u64) << 56 | (self.replica as u64) << 40 | u64::from(self.n_starts);
        format!("control-plane-{}_{}", self.replica + 1, uid_text(number))
    }
}

/// The name of a Lease, and of the component that records its events: kube-scheduler calls itself by its first profile.
fn names(process: Elected) -> (&'static str, &'static str) {
    match process {
        Elected::ControllerManager => ("kube-controller-manager", "kube-controller-manager"),
        Elected::Scheduler => ("kube-scheduler", "default-scheduler"),
    }
}

/// The first replica of each process leads from the beginning.
pub(super) fn begin(cluster: &mut Cluster) {
    for process in [Elected::ControllerManager, Elected::Scheduler] {
        let (name, _) = names(process);
        let missing = cluster.find("Lease", NAMESPACE, name).is_none();
        if missing && cluster.find("Namespace", "", NAMESPACE).is_some() {
            let candidate = Candidate { process, replica: 0, n_starts: 0 };
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": { "name": name, "namespace": NAMESPACE },
                "spec": spec(candidate, 0, cluster),
            });
            // A name that is free and a kind that is known: it cannot be refused.
            cluster.create_from(&lease).ok();
        }
    }
}

/// A replica has become leader: it writes itself into the Lease and says so.
pub(super) fn acquired(candidate: Candidate, cluster: &mut Cluster) {
    let (name, source) = names(candidate.process);
    let Some(id) = cluster.find("Lease", NAMESPACE, name) else { return };
    let object = ObjectRef::Object(id);
    let mut lease = cluster.export(object);
    let transitions = lease["spec"]["leaseTransitions"].as_u64().unwrap_or(0) + 1;
    lease["spec"] = spec(candidate, transitions, cluster);
    if cluster.update_from(object, &lease).is_ok() {
        let source = cluster.interner.sym(source);
        let text = format!("{} became leader", candidate.identity());
        cluster.record_event(object, EventType::Normal, "LeaderElection", &text, source);
    }
}

fn spec(candidate: Candidate, transitions: u64, cluster: &Cluster) -> Value {
    let now = rfc3339_micro(cluster.epoch_seconds, cluster.now());
    json!({
        "holderIdentity": candidate.identity(), "leaseDurationSeconds": LEASE_DURATION.as_secs(),
        "acquireTime": now, "renewTime": now, "leaseTransitions": transitions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_leader_is_told_of() {
        let mut cluster = Cluster::new(0);
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
        begin(&mut cluster);
        assert!(cluster.find("Lease", NAMESPACE, "kube-scheduler").is_none(), "there is nowhere to put it");
        cluster.create_from(&namespace).expect("a fresh name");
        begin(&mut cluster);
        acquired(Candidate { process: Elected::Scheduler, replica: 1, n_starts: 0 }, &mut cluster);
        let id = cluster.find("Lease", NAMESPACE, "kube-scheduler").expect("made");
        let spec = cluster.export(ObjectRef::Object(id))["spec"].clone();
        assert_eq!((&spec["leaseTransitions"], &spec["leaseDurationSeconds"]), (&json!(1), &json!(15)));
        let (_, event) = cluster.events.iter().next().expect("recorded");
        let holder = spec["holderIdentity"].as_str().expect("a text");
        assert!(holder.starts_with("control-plane-2_"), "{holder}");
        assert_eq!(cluster.event_message(event), format!("{holder} became leader"));
        assert_eq!(cluster.interner.text(event.source), "default-scheduler");
    }

    #[test]
    fn every_start_has_an_identity_of_its_own() {
        let candidate = |process, replica, n_starts| Candidate { process, replica, n_starts }.identity();
        let mut all = vec![
            candidate(Elected::Scheduler, 0, 0),
            candidate(Elected::Scheduler, 0, 1),
            candidate(Elected::Scheduler, 1, 0),
            candidate(Elected::ControllerManager, 0, 0),
        ];
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
    }
}
