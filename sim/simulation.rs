//! `Simulation`: one run. It owns the store, the agenda and the components as plain fields; the loop pops an event, lets its component
//! handle it, and shows every change made to every component and observer before the next event.

use std::fmt;

use crate::client::Client;
use crate::cluster::objects::{HorizontalPodAutoscaler, Kind};
use crate::cluster::{
    Agenda, Change, Cluster, Component, Event, METRIC_RESOLUTION, NO_CAUSE, News, ObjectRef, Observer, Queued,
    SchedulerEvent, What,
};
use crate::controllers::Controllers;
use crate::engine::{Span, Time};
use crate::faults::Faults;
use crate::kubelet::Kubelets;
use crate::scheduler::Scheduler;

/// Events of one instant above which a run is given up: something schedules itself for ever.
pub const MAX_EVENTS_PER_INSTANT: u32 = 10_000_000;
/// With more pending events than this a run is not asked whether it has settled.
const MAX_IDLE: usize = 4096;

/// One run.
pub struct Simulation {
    /// All facts.
    pub cluster: Cluster,
    agenda: Agenda,
    /// The users.
    pub client: Client,
    /// kube-scheduler.
    pub scheduler: Scheduler,
    controllers: Controllers,
    kubelets: Kubelets,
    faults: Faults,
    sample_period: Option<Span>,
    n_events: u64,
    n_changes: u32,
    changes: Vec<Change>,
    causes: Vec<(usize, u32)>,
    check_every_event: bool,
    stop_after: Option<u64>,
    started: bool,
    /// Whether a scrape of metrics-server is pending.
    scraping: bool,
    /// Whether metrics-server scrapes even when there is no autoscaler.
    always_scrape: bool,
}

/// The parts of a run.
pub struct Parts {
    /// The store with the objects that are there from the beginning.
    pub cluster: Cluster,
    /// Clock, queue, random streams, latencies.
    pub agenda: Agenda,
    /// The users.
    pub client: Client,
    /// kube-scheduler.
    pub scheduler: Scheduler,
    /// kube-controller-manager.
    pub controllers: Controllers,
    /// All nodes' kubelets.
    pub kubelets: Kubelets,
    /// What fails.
    pub faults: Faults,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing is left to happen.
    Settled,
    /// The horizon was reached.
    Horizon,
    /// An observer stopped it.
    Interrupted,
}

/// A run that did not get past one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The instant.
    pub at: Time,
    /// The last events of it.
    pub last: Vec<Event>,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "more than {MAX_EVENTS_PER_INSTANT} events at {}: something schedules itself without end; the last were {:?}",
            self.at, self.last
        )
    }
}

impl std::error::Error for Stuck {}

impl Ended {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Ended::Settled => "settled",
            Ended::Horizon => "horizon",
            Ended::Interrupted => "interrupted",
        }
    }
}

impl Simulation {
    /// A run that has not begun.
    pub fn new(parts: Parts) -> Simulation {
        let Parts { cluster, agenda, client, scheduler, controllers, kubelets, faults } = parts;
        Simulation {
            cluster,
            agenda,
            client,
            scheduler,
            controllers,
            kubelets,
            faults,
            sample_period: None,
            n_events: 0,
            n_changes: 0,
            changes: Vec::new(),
            causes: Vec::new(),
            check_every_event: false,
            stop_after: None,
            started: false,
            scraping: false,
            always_scrape: false,
        }
    }

    /// Lets observers take samples at this period.
    pub fn with_samples(mut self, period: Span) -> Simulation {
        self.sample_period = (!period.is_zero()).then_some(period);
        self
    }

    /// Lets metrics-server scrape even while there is no autoscaler: somebody reads its samples (`kubectl top`).
    pub fn with_metrics_server(mut self) -> Simulation {
        self.cluster.metrics_api.served = true;
        self.always_scrape = true;
        self
    }

    /// Stops after so many events, whatever the time: to look at the moment before one of them.
    pub fn stopping_after(mut self, n_events: u64) -> Simulation {
        self.stop_after = Some(n_events);
        self
    }

    /// Checks the whole store after every event: slow, for tests.
    pub fn with_checks(mut self) -> Simulation {
        self.check_every_event = true;
        self
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.agenda.now()
    }

    /// Number of events handled.
    pub fn n_events(&self) -> u64 {
        self.n_events
    }

    /// Number of events pending, samples included.
    pub fn n_pending(&self) -> usize {
        self.agenda.n_pending()
    }

    /// Runs until `until`: events at that instant happen too. Samples alone do not keep a run going when `until_settled`.
    ///
    /// # Errors
    ///
    /// If one instant does not end.
    ///
    /// # Panics
    ///
    /// With checks on, if the store is not consistent.
    pub fn run(
        &mut self,
        until: Time,
        until_settled: bool,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Ended, Stuck> {
        if !self.started {
            self.start(observers);
        }
        let (mut instant, mut n_at_instant) = (self.agenda.now(), 0u32);
        let mut last = Vec::new();
        loop {
            if until_settled && self.is_settled() {
                return Ok(Ended::Settled);
            }
            if self.stop_after == Some(self.n_events) {
                return Ok(Ended::Interrupted);
            }
            let Some(next) = self.agenda.next_time().filter(|next| *next <= until) else { break };
            if next > instant {
                observers.iter_mut().for_each(|observer| observer.advance(next, &self.cluster));
                (instant, n_at_instant) = (next, 0);
            }
            let Some(queued) = self.agenda.next(until) else { break };
            n_at_instant += 1;
            if n_at_instant > MAX_EVENTS_PER_INSTANT - 8 {
                last.push(queued.event);
                if n_at_instant >= MAX_EVENTS_PER_INSTANT {
                    return Err(Stuck { at: instant, last });
                }
            }
            self.step(queued, observers);
            if self.n_events.is_multiple_of(1024)
                && !observers.iter_mut().all(|observer| observer.go_on(instant, self.n_events, &self.cluster))
            {
                return Ok(Ended::Interrupted);
            }
        }
        if until < Time::NEVER && until > self.agenda.now() {
            observers.iter_mut().for_each(|observer| observer.advance(until, &self.cluster));
            self.agenda.advance_to(until);
            self.cluster.set_now(until);
        }
        Ok(if self.agenda.n_pending() == 0 { Ended::Settled } else { Ended::Horizon })
    }

    /// Whether nothing is left to happen: whatever is pending is a sample, a scrape of metrics that nobody reads, the regular retry of
    /// unschedulable pods, or a controller's timer for an object about which nothing remains to be said.
    fn is_settled(&self) -> bool {
        let idle = |event| match event {
            Event::Sample | Event::Scrape | Event::Scheduler(SchedulerEvent::FlushUnschedulable) => true,
            Event::Controller(event) => self.controllers.is_idle(event, &self.cluster),
            _ => false,
        };
        // Looked at only when there is little left: a busy run is not settled, and is not slowed down by the question.
        let moves_on = self.agenda.next_time().is_none_or(|next| next > self.agenda.now());
        moves_on && self.agenda.n_pending() <= MAX_IDLE && self.agenda.pending().all(idle)
    }

    /// metrics-server begins to scrape when somebody may read what it finds: with the first autoscaler, or when told so.
    fn scrape_at_next_tick(&mut self) {
        if !std::mem::replace(&mut self.scraping, true) {
            let at = (self.agenda.now() + Span::from_micros(1)).next_tick(Time::ZERO, METRIC_RESOLUTION);
            self.agenda.at(at, Event::Scrape);
        }
    }

    fn scrape(&mut self) {
        let samples = self.kubelets.scrape(&self.cluster);
        self.cluster.metrics_api.publish(samples);
        self.scraping = false;
        if self.always_scrape || self.cluster.of_kind(HorizontalPodAutoscaler::KIND).next().is_some() {
            self.scrape_at_next_tick();
        }
    }

    fn start(&mut self, observers: &mut [&mut dyn Observer]) {
        self.started = true;
        self.settle(observers);
        self.agenda.because(NO_CAUSE, &mut self.cluster);
        self.scheduler.start(&mut self.cluster, &mut self.agenda);
        self.controllers.start(&mut self.cluster, &mut self.agenda);
        self.kubelets.start(&mut self.cluster, &mut self.agenda);
        // Kubelets began because there are nodes; all else because the run begins.
        self.agenda.because(NO_CAUSE, &mut self.cluster);
        self.faults.start(&mut self.cluster, &mut self.agenda);
        self.client.start(&mut self.cluster, &mut self.agenda);
        if self.sample_period.is_some() {
            self.agenda.after(Span::ZERO, Event::Sample);
        }
        if self.always_scrape {
            self.scrape_at_next_tick();
        }
        self.settle(observers);
    }

    fn step(&mut self, queued: Queued, observers: &mut [&mut dyn Observer]) {
        self.n_events += 1;
        let now = self.agenda.now();
        self.cluster.set_now(now);
        self.cluster.because(queued.cause);
        match queued.event {
            Event::Workload(event) => self.client.handle(event, &mut self.cluster, &mut self.agenda),
            Event::Kubelet(event) => self.kubelets.handle(event, &mut self.cluster, &mut self.agenda),
            Event::Controller(event) => self.controllers.handle(event, &mut self.cluster, &mut self.agenda),
            Event::Scheduler(event) => self.scheduler.handle(event, &mut self.cluster, &mut self.agenda),
            Event::Fault(event) => self.faults.handle(event, &mut self.cluster, &mut self.agenda),
            Event::Scrape => self.scrape(),
            Event::Sample => self.sample(observers),
        }
        self.settle(observers);
    }

    fn sample(&mut self, observers: &mut [&mut dyn Observer]) {
        let now = self.agenda.now();
        observers.iter_mut().for_each(|observer| observer.sample(now, &self.cluster));
        if let Some(period) = self.sample_period {
            self.agenda.after(period, Event::Sample);
        }
    }

    fn is_autoscaler(&self, object: ObjectRef) -> bool {
        let is = |id| self.cluster.try_get::<HorizontalPodAutoscaler>(id).is_some();
        self.cluster.metrics_api.served && matches!(object, ObjectRef::Object(id) if is(id))
    }

    /// Shows the changes of the event just handled to everyone, in order; then what happened to the control plane.
    fn settle(&mut self, observers: &mut [&mut dyn Observer]) {
        let mut news = Vec::new();
        self.cluster.take_news(&mut news);
        let now = self.agenda.now();
        for &first in news.iter().filter(|news| news.outage.comes_first()) {
            observers.iter_mut().for_each(|observer| observer.outage(now, first, &self.cluster));
        }
        self.show_changes(observers);
        for &told in news.iter().filter(|news| !news.outage.comes_first()) {
            observers.iter_mut().for_each(|observer| observer.outage(now, told, &self.cluster));
            if told.outage.concerns_components() {
                self.tell_components(told);
                self.show_changes(observers);
            }
        }
        if self.check_every_event {
            self.cluster.check().unwrap_or_else(|error| panic!("at {now}: {error}"));
        }
    }

    fn tell_components(&mut self, news: News) {
        self.agenda.because(news.number, &mut self.cluster);
        self.kubelets.outage(news.outage, &mut self.cluster, &mut self.agenda);
        self.controllers.outage(news.outage, &mut self.cluster, &mut self.agenda);
        self.scheduler.outage(news.outage, &mut self.cluster, &mut self.agenda);
        self.faults.outage(news.outage, &mut self.cluster, &mut self.agenda);
        self.client.outage(news.outage, &mut self.cluster, &mut self.agenda);
    }

    fn show_changes(&mut self, observers: &mut [&mut dyn Observer]) {
        let mut changes = std::mem::take(&mut self.changes);
        let mut causes = std::mem::take(&mut self.causes);
        self.cluster.take_changes_with_causes(&mut changes, &mut causes);
        let (now, mut cause, mut n_causes) = (self.agenda.now(), NO_CAUSE, 0);
        if !changes.is_empty() {
            observers.iter_mut().for_each(|observer| observer.handled(self.n_events));
        }
        for (idx, &change) in changes.iter().enumerate() {
            while causes[n_causes].0 <= idx {
                cause = causes[n_causes].1;
                n_causes += 1;
            }
            if change.what == What::Created && self.is_autoscaler(change.object) {
                self.scrape_at_next_tick();
            }
            let number = self.n_changes;
            self.n_changes += 1;
            self.cluster.show_note_of(idx);
            if let (What::Kubelet, Some(node)) = (change.what, change.node()) {
                self.cluster.note_silence(node, number);
            }
            for observer in observers.iter_mut() {
                observer.change(now, number, cause, change, &self.cluster);
            }
            self.agenda.set_cause(number);
            self.kubelets.observe(change, &self.cluster, &mut self.agenda);
            self.controllers.observe(change, &self.cluster, &mut self.agenda);
            self.scheduler.observe(change, &self.cluster, &mut self.agenda);
            self.faults.observe(change, &self.cluster, &mut self.agenda);
            self.client.observe(change, &self.cluster, &mut self.agenda);
        }
        self.cluster.forget_notes();
        changes.clear();
        causes.clear();
        (self.changes, self.causes) = (changes, causes);
    }
}
