//! The status of a pod as its kubelet reports it: one patch, one revision.

use smallvec::SmallVec;

use crate::cluster::causes::Note;
use crate::cluster::change::{Change, ConditionChange, What};
use crate::cluster::condition::{Condition, ConditionStatus, Conditions};
use crate::cluster::ids::{PodId, Sym};
use crate::cluster::pod::{ContainerStatus, PodPhase};
use crate::cluster::store::Cluster;
use crate::engine::Time;

/// What a kubelet reports of one pod.
#[derive(Clone, Debug, Default)]
pub struct PodReport {
    /// `phase`. A terminal phase in the store is never left.
    pub phase: PodPhase,
    /// `reason`.
    pub reason: Sym,
    /// `message`.
    pub message: Sym,
    /// Conditions by type, in the kubelet's order: (type, status, reason, message). Others in the store stay as they are.
    pub conditions: SmallVec<[(Sym, ConditionStatus, Sym, Sym); 5]>,
    /// Conditions that no longer exist.
    pub absent: SmallVec<[Sym; 2]>,
    /// Init containers, then regular containers. Empty leaves the store's.
    pub containers: SmallVec<[ContainerStatus; 1]>,
    /// `startTime`; the first one stays.
    pub start_time: Option<Time>,
    /// `podIP` as a number, 0 for none.
    pub ip: u32,
}

impl Cluster {
    /// Writes what a kubelet reports of a pod (kubelet, status manager: one PATCH of `status`). Nothing happens if nothing differs.
    pub fn report_pod_status(&mut self, pod: PodId, report: PodReport) {
        if self.pods[pod].meta.removed {
            return;
        }
        let before = self.changes.len();
        self.report_phase(pod, &report);
        self.report_conditions(pod, &report);
        for &kind in &report.absent {
            if self.pods[pod].conditions.remove(kind) {
                let gone = ConditionChange { kind, status: None, reason: Sym::EMPTY, message: Sym::EMPTY };
                self.changes.push(Change { object: pod.into(), what: What::Condition(gone) });
            }
        }
        for (idx, status) in report.containers.iter().enumerate() {
            let row = &mut self.pods[pod];
            if row.containers.get(idx) != Some(status) {
                row.containers.resize(report.containers.len(), ContainerStatus::default());
                row.containers[idx] = *status;
                self.changes.push(Change { object: pod.into(), what: What::Container(idx as u16) });
                self.note_last(Note::Container(*status));
            }
        }
        let row = &mut self.pods[pod];
        let start_time = row.start_time.or(report.start_time);
        if (row.start_time, row.ip) != (start_time, report.ip) {
            let starts = row.start_time.is_none() && start_time.is_some();
            (row.start_time, row.ip) = (start_time, report.ip);
            self.changes.push(Change { object: pod.into(), what: What::Status });
            self.note_last(Note::Address(report.ip, starts));
        }
        if self.changes.len() > before {
            self.revision += 1;
            self.pods[pod].meta.resource_version = self.revision;
        }
    }

    fn report_phase(&mut self, pod: PodId, report: &PodReport) {
        let row = &self.pods[pod];
        let new = (report.phase, report.reason, report.message);
        if row.phase.is_terminal() || (row.phase, row.reason, row.message) == new {
            return;
        }
        if report.phase.is_terminal() {
            self.vacate(pod);
        }
        let row = &mut self.pods[pod];
        (row.phase, row.reason, row.message) = new;
        self.changes.push(Change { object: pod.into(), what: What::Phase });
    }

    /// Sets the reported conditions and puts them into the kubelet's order, before those of others.
    fn report_conditions(&mut self, pod: PodId, report: &PodReport) {
        if report.conditions.is_empty() {
            return;
        }
        let (now, row) = (self.now, &mut self.pods[pod]);
        for &(kind, status, reason, message) in &report.conditions {
            if row.conditions.set(Condition { kind, status, reason, message, transition: now, update: now }) {
                let what = What::Condition(ConditionChange { kind, status: Some(status), reason, message });
                self.changes.push(Change { object: pod.into(), what });
            }
        }
        let place = |kind: Sym| report.conditions.iter().position(|reported| reported.0 == kind);
        let n_reported = report.conditions.len();
        let in_order = row.conditions.iter().enumerate().all(|(idx, condition)| match place(condition.kind) {
            Some(wanted) => wanted == idx,
            None => n_reported <= idx,
        });
        if !in_order {
            let mut sorted: Vec<Condition> = row.conditions.iter().copied().collect();
            sorted.sort_by_key(|condition| place(condition.kind).unwrap_or(n_reported));
            row.conditions = sorted.into_iter().collect::<Conditions>();
        }
    }
}
