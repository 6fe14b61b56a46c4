//! What of the control plane is down: facts of the world that faults change and that no API object shows.
//!
//! Nobody writes to the store while [`Cluster::is_writable`] is false; a component without a leader does nothing at all. They hear
//! of both by [`Outage`], after the event in which it happened.

use super::ids::{NodeId, Sym};
use super::node::LEASE_RENEW_INTERVAL;
use super::store::Cluster;
use crate::engine::Time;

/// A process of the control plane of which one replica at a time works: the holder of a Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Elected {
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
}

/// Something that no change tells of: what happened to the control plane, a fault of the plan, a step of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The API server answers again and etcd has a leader, or not.
    Writable(bool),
    /// A replica leads from now on, or none does. The one that leads knows nothing: it lists everything anew.
    Leads(Elected, bool),
    /// A fault begins or ends.
    Fault {
        /// The step of the plan.
        index: u32,
        /// What fails, as text: `crash of node general-3`.
        what: Sym,
        /// Whether it begins.
        begins: bool,
    },
    /// A user does something; the text says what.
    Step(Sym),
    /// What a user is answered: a line of kubectl's output.
    Answer(Sym),
}

/// An [`Outage`] with its place among the causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// What happened.
    pub outage: Outage,
    /// Its number as a cause: [`super::REMARK`] and the number of remarks before it.
    pub number: u32,
    /// Why it happened: the number of a change or of a remark.
    pub cause: u32,
}

impl Outage {
    /// Whether it comes before the changes of its event, because they follow from it.
    pub fn comes_first(self) -> bool {
        matches!(self, Outage::Fault { .. } | Outage::Step(_))
    }

    /// Whether it is told to components, or to observers alone.
    pub fn concerns_components(self) -> bool {
        matches!(self, Outage::Writable(_) | Outage::Leads(..))
    }
}

/// What of the control plane is down.
#[derive(Clone, Debug)]
pub(super) struct ControlPlaneState {
    api_server_up: bool,
    etcd_has_leader: bool,
    leads: [bool; 2],
    /// The last time in which nothing could be written; no end while it lasts.
    unwritable: Option<(Time, Option<Time>)>,
    pub(super) news: Vec<News>,
}

impl Default for ControlPlaneState {
    fn default() -> Self {
        ControlPlaneState {
            api_server_up: true,
            etcd_has_leader: true,
            leads: [true; 2],
            unwritable: None,
            news: Vec::new(),
        }
    }
}

impl Cluster {
    /// Whether the API can be written to: the API server answers and etcd has a leader.
    pub fn is_writable(&self) -> bool {
        self.outage.api_server_up && self.outage.etcd_has_leader
    }

    /// What a client is told whose request cannot be served; `None` if requests are.
    pub fn refusal(&self) -> Option<&'static str> {
        if !self.outage.api_server_up {
            return Some(
                "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?",
            );
        }
        (!self.outage.etcd_has_leader).then_some("Error from server: etcdserver: request timed out")
    }

    /// Whether a replica of the process leads.
    pub fn has_leader(&self, process: Elected) -> bool {
        self.outage.leads[process as usize]
    }

    /// The API server goes down or comes up.
    pub fn set_api_server(&mut self, up: bool) {
        let before = self.is_writable();
        self.outage.api_server_up = up;
        self.writable_changed(before);
    }

    /// etcd loses its leader or has one again.
    pub fn set_etcd(&mut self, has_leader: bool) {
        let before = self.is_writable();
        self.outage.etcd_has_leader = has_leader;
        self.writable_changed(before);
    }

    fn writable_changed(&mut self, before: bool) {
        let now = self.is_writable();
        if before == now {
            return;
        }
        self.outage.unwritable = match self.outage.unwritable {
            Some((since, None)) if now => Some((since, Some(self.now))),
            _ => Some((self.now, None)),
        };
        self.remark(Outage::Writable(now));
    }

    /// A replica of the process leads from now on, or none does any more.
    pub fn set_leader(&mut self, process: Elected, leads: bool) {
        if std::mem::replace(&mut self.outage.leads[process as usize], leads) != leads {
            self.remark(Outage::Leads(process, leads));
        }
    }

    /// A fault of the plan begins or ends: for timelines and reports. Returns its number as a cause.
    pub fn note_fault(&mut self, index: u32, what: &str, begins: bool) -> u32 {
        let what = self.interner.sym(what);
        self.remark(Outage::Fault { index, what, begins })
    }

    /// Says of the fault that has just begun that there was nothing to strike.
    pub fn fault_struck_nothing(&mut self, number: u32) {
        let told = self.outage.news.iter_mut().find(|news| news.number == number);
        if let Some(Outage::Fault { what, .. }) = told.map(|news| &mut news.outage) {
            let text = format!("{}: there is none", self.interner.text(*what));
            *what = self.interner.sym(&text);
        }
    }

    /// When the control plane last heard of the kubelet of a node, as of `now`: a renewal of its lease that could not be written
    /// does not count.
    pub fn last_heartbeat(&self, node: NodeId, now: Time) -> Time {
        let row = self.node(node);
        let last = row.last_heartbeat(now);
        let Some((since, until)) = self.outage.unwritable else { return last };
        if last < since || until.is_some_and(|until| until <= last) || since <= row.heartbeat {
            return last;
        }
        let n_renewals = (since.since(row.heartbeat).as_micros() - 1) / LEASE_RENEW_INTERVAL.as_micros();
        row.heartbeat + LEASE_RENEW_INTERVAL * n_renewals
    }

    /// Takes what has happened since the last call, in order. For the simulation's loop only.
    pub fn take_news(&mut self, into: &mut Vec<News>) {
        into.append(&mut self.outage.news);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_the_api_server_and_etcd_are_needed() {
        let mut cluster = Cluster::new(0);
        type Step = (fn(&mut Cluster), bool);
        let steps: [Step; 4] = [
            (|cluster| cluster.set_etcd(false), false),
            (|cluster| cluster.set_api_server(false), false),
            (|cluster| cluster.set_etcd(true), false),
            (|cluster| cluster.set_api_server(true), true),
        ];
        for (step, writable) in steps {
            step(&mut cluster);
            assert_eq!((cluster.is_writable(), cluster.refusal().is_none()), (writable, writable));
        }
        let mut news = Vec::new();
        cluster.take_news(&mut news);
        let outages: Vec<Outage> = news.iter().map(|news| news.outage).collect();
        assert_eq!(outages, [Outage::Writable(false), Outage::Writable(true)]);
        assert_ne!(news[0].number, news[1].number);
    }

    #[test]
    fn renewals_that_could_not_be_written_do_not_count() {
        let mut cluster = Cluster::new(0);
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n" } });
        cluster.create_from(&node).expect("a fresh name");
        let node = cluster.find_node("n").expect("just made");
        cluster.set_now(Time::from_secs(25));
        cluster.set_api_server(false);
        assert_eq!(cluster.last_heartbeat(node, Time::from_secs(47)), Time::from_secs(20));
        cluster.set_now(Time::from_secs(45));
        cluster.set_api_server(true);
        assert_eq!(cluster.last_heartbeat(node, Time::from_secs(47)), Time::from_secs(20));
        assert_eq!(cluster.last_heartbeat(node, Time::from_secs(51)), Time::from_secs(50));
    }
}
