//! What an outage of the control plane does to the scheduler: without a leader nothing is scheduled, a new leader lists everything
//! anew, and while nothing can be written every attempt fails.

use super::client::Client;
use super::cycle::Scheduler;
use super::eviction::Evictions;
use super::framework::names::PluginSet;
use super::queue::SchedulingQueue;
use super::watch::{Inbox, Seen};
use crate::cluster::{Agenda, Change, Cluster, Elected, Event, ObjectRef, Outage, PodId, SchedulerEvent, What};
use crate::engine::Span;

impl Scheduler {
    /// Something happened to the control plane.
    pub(super) fn outage_observed(&mut self, outage: Outage, cluster: &mut Cluster, agenda: &mut Agenda) {
        match outage {
            Outage::Leads(Elected::Scheduler, true) => self.start_anew(cluster, agenda),
            Outage::Leads(Elected::Scheduler, false) => self.stop(cluster),
            Outage::Writable(true) if self.leads => {
                // What had arrived before the outage is worked on now.
                agenda.after(Span::ZERO, Event::Scheduler(SchedulerEvent::Deliver(0)));
            }
            _ => {}
        }
    }

    /// The process is gone, and with it what only it knew: assumed pods, its queue, preemptions under way.
    fn stop(&mut self, cluster: &mut Cluster) {
        self.leads = false;
        let assumed: Vec<PodId> =
            cluster.pods().filter(|(_, row)| row.assumed.is_some() && row.node.is_none()).map(|(pod, _)| pod).collect();
        assumed.into_iter().for_each(|pod| cluster.forget(pod));
        self.bindings.clear();
        self.evictions = Evictions::default();
        self.failed.clear();
        self.inbox = Inbox::default();
        self.seen = Seen::default();
        self.queue = SchedulingQueue::new(self.queue.settings());
    }

    /// A replica has become leader: it lists nodes and pods, and queues those that wait.
    fn start_anew(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) {
        self.leads = true;
        self.because(agenda.cause(), cluster, agenda);
        self.restart_timers(agenda.now());
        self.client = match self.client_limits {
            Some((qps, burst)) => Client::new(qps, burst),
            None => Client::of(&agenda.control_plane),
        };
        let nodes: Vec<ObjectRef> = cluster.nodes().map(|(id, _)| ObjectRef::Node(id)).collect();
        let pods: Vec<ObjectRef> = cluster.pods().map(|(id, _)| ObjectRef::Pod(id)).collect();
        for object in nodes.into_iter().chain(pods) {
            self.deliver(Change { object, what: What::Created }, cluster, agenda.now());
        }
        agenda.after(Span::ZERO, Event::Scheduler(SchedulerEvent::Deliver(0)));
    }

    /// Nothing can be written: an attempt that is tried ends with an error, and its pod waits as after any error.
    pub(super) fn attempt_fails(&mut self, event: SchedulerEvent, cluster: &mut Cluster, agenda: &mut Agenda) {
        let now = agenda.now();
        let failed = match event {
            SchedulerEvent::Cycle => {
                self.cycle_is_over();
                self.queue.peek().inspect(|_| _ = self.queue.pop())
            }
            SchedulerEvent::Bind { pod, .. } => self.bindings.remove(&pod).map(|binding| {
                cluster.forget(pod);
                self.queue.restore(binding.row);
                pod
            }),
            // The API client tries again.
            SchedulerEvent::EvictVictims { .. } => {
                agenda.after(Span::from_secs(1), Event::Scheduler(event));
                None
            }
            SchedulerEvent::FlushBackoff => {
                self.flush_backoff(cluster, now);
                None
            }
            SchedulerEvent::FlushUnschedulable => {
                self.flush_unschedulable(cluster, now);
                None
            }
            SchedulerEvent::Deliver(_) => None,
        };
        if let Some(pod) = failed {
            self.with_queue(cluster, now, |queue, cx| {
                queue.add_unschedulable(pod, PluginSet::EMPTY, PluginSet::EMPTY, cx)
            });
        }
        self.schedule_next(agenda);
    }
}
