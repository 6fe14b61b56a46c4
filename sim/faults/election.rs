//! Leader election of kube-controller-manager and kube-scheduler (client-go, `tools/leaderelection`).
//!
//! Renewals are no events: a leader that lives and can write has renewed its Lease every [`RETRY_PERIOD`] since it became leader.
//! Candidates are followed only while nobody leads.

use rand_chacha::rand_core::Rng;

use super::leases::{self, Candidate};
use crate::cluster::{Agenda, Cluster, Elected, Event, FaultEvent, KubeletTiming};
use crate::engine::{Purpose, Span, Time};

/// How long a record that does not change keeps others from leading (`--leader-elect-lease-duration`).
pub const LEASE_DURATION: Span = Span::from_secs(15);
/// A leader that has not renewed for so long gives up and exits (`--leader-elect-renew-deadline`).
pub const RENEW_DEADLINE: Span = Span::from_secs(10);
/// How often the leader renews and others try (`--leader-elect-retry-period`).
pub const RETRY_PERIOD: Span = Span::from_secs(2);
/// Others wait up to so many times the period longer (client-go, `JitterFactor`).
const JITTER_FACTOR: f64 = 1.2;

/// From when a candidate may take a lease over whose record it first saw, on its own clock, at `observed`.
pub fn may_acquire(observed: Time) -> Time {
    observed + LEASE_DURATION
}

/// When a leader gives up whose last renewal that was answered began at `renewed`.
pub fn gives_up(renewed: Time) -> Time {
    renewed + RENEW_DEADLINE
}

/// The time from one try of a candidate to its next; `draw` is a random number, none for the shortest.
pub fn until_next_try(draw: Option<u64>) -> Span {
    let share = draw.map_or(0.0, |draw| (draw >> 11) as f64 / (1u64 << 53) as f64);
    Span::from_secs_f64(RETRY_PERIOD.as_secs_f64() * (1.0 + JITTER_FACTOR * share))
}

/// The last renewal before `now` of a leader that has led since `since`.
fn last_renewal(since: Time, now: Time) -> Time {
    let passed = now.since(since).as_micros().saturating_sub(1);
    since + RETRY_PERIOD * (passed / RETRY_PERIOD.as_micros())
}

/// One replica.
#[derive(Clone, Copy, Debug)]
struct Replica {
    up: bool,
    /// When it first saw the present record; `None` if it has not seen it.
    observed: Option<Time>,
    /// What its tries are counted from.
    anchor: Time,
    n_tries: u32,
    /// How often its process has been started anew.
    n_starts: u32,
}

/// The replicas of one process.
#[derive(Clone, Debug)]
pub(super) struct Election {
    process: Elected,
    replicas: Vec<Replica>,
    leader: Option<usize>,
    /// Since when the leader renews without interruption.
    since: Time,
    /// The last renewal before nothing could be written; `None` while renewals are answered.
    stalled: Option<Time>,
    turn: u32,
}

impl Election {
    /// The first of `n_replicas` leads from the beginning.
    pub(super) fn new(process: Elected, n_replicas: u8) -> Election {
        let replica = Replica { up: true, observed: None, anchor: Time::ZERO, n_tries: 0, n_starts: 0 };
        let replicas = vec![replica; usize::from(n_replicas.max(1))];
        Election { process, replicas, leader: Some(0), since: Time::ZERO, stalled: None, turn: 0 }
    }

    /// A replica crashes: the leader if there is one. Returns which, to be started again later.
    pub(super) fn crash(&mut self, cluster: &mut Cluster, agenda: &mut Agenda) -> Option<usize> {
        let victim = self.leader.or_else(|| self.replicas.iter().position(|replica| replica.up))?;
        self.replicas[victim].up = false;
        if self.leader == Some(victim) {
            let renewed = self.stalled.unwrap_or_else(|| last_renewal(self.since, agenda.now()));
            self.lose_leader(renewed, cluster, agenda);
        }
        Some(victim)
    }

    /// A replica that had crashed runs again: a new candidate that knows no record.
    pub(super) fn start(&mut self, replica: usize, cluster: &Cluster, agenda: &mut Agenda) {
        let now = agenda.now();
        let Some(row) = self.replicas.get_mut(replica) else { return };
        let n_starts = row.n_starts.wrapping_add(1);
        *row = Replica { up: true, observed: None, anchor: now, n_starts, ..*row };
        if self.leader.is_none() && cluster.is_writable() {
            self.try_at(now, replica, agenda);
        }
    }

    /// The API can be written to again, or not.
    pub(super) fn writable(&mut self, writable: bool, agenda: &mut Agenda) {
        let now = agenda.now();
        self.turn += 1;
        match (self.leader, writable) {
            (Some(_), false) => {
                let renewed = last_renewal(self.since, now);
                self.stalled = Some(renewed);
                let event = FaultEvent::GivesUp { process: self.process, turn: self.turn };
                agenda.at(gives_up(renewed), Event::Fault(event));
            }
            (Some(_), true) => (self.since, self.stalled) = (now, None),
            (None, true) => self.try_all(agenda),
            (None, false) => {}
        }
    }

    /// The leader has not been able to renew in time: it exits, and its process starts again.
    pub(super) fn give_up(&mut self, turn: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let Some(leader) = self.leader.filter(|_| turn == self.turn) else { return };
        let row = &mut self.replicas[leader];
        (row.observed, row.anchor, row.n_starts) = (None, agenda.now(), row.n_starts.wrapping_add(1));
        let renewed = self.stalled.unwrap_or(self.since);
        self.lose_leader(renewed, cluster, agenda);
    }

    /// Nobody leads any more; the last renewal was at `renewed`.
    fn lose_leader(&mut self, renewed: Time, cluster: &mut Cluster, agenda: &mut Agenda) {
        let (leader, now) = (self.leader.take(), agenda.now());
        self.turn += 1;
        self.stalled = None;
        cluster.set_leader(self.process, false);
        for replica in 0..self.replicas.len() {
            if Some(replica) == leader || !self.replicas[replica].up {
                continue;
            }
            // One that waits in the wings has seen the last renewal at its next look.
            let seen = match self.is_ideal(agenda) {
                true => renewed.next_tick(self.replicas[replica].anchor, RETRY_PERIOD),
                false => renewed + Span::from_micros(self.draw(replica, agenda) % RETRY_PERIOD.as_micros()),
            };
            let row = &mut self.replicas[replica];
            row.observed = Some(seen).filter(|&seen| seen <= now);
            row.anchor = seen;
        }
        if cluster.is_writable() {
            self.try_all(agenda);
        }
    }

    fn try_all(&mut self, agenda: &mut Agenda) {
        for replica in (0..self.replicas.len()).filter(|&replica| self.replicas[replica].up).collect::<Vec<_>>() {
            let (anchor, now) = (self.replicas[replica].anchor, agenda.now());
            let at = match self.is_ideal(agenda) {
                true => now.next_tick(anchor, RETRY_PERIOD),
                false => now + Span::from_micros(self.draw(replica, agenda) % RETRY_PERIOD.as_micros()),
            };
            self.try_at(at, replica, agenda);
        }
    }

    /// A candidate looks at the record, and takes the lease if it may.
    pub(super) fn candidate(&mut self, replica: usize, turn: u32, cluster: &mut Cluster, agenda: &mut Agenda) {
        let now = agenda.now();
        let is_up = self.replicas.get(replica).is_some_and(|row| row.up);
        if turn != self.turn || self.leader.is_some() || !is_up || !cluster.is_writable() {
            return;
        }
        let observed = *self.replicas[replica].observed.get_or_insert(now);
        if now < may_acquire(observed) {
            let draw = (!self.is_ideal(agenda)).then(|| self.draw(replica, agenda));
            return self.try_at(now + until_next_try(draw), replica, agenda);
        }
        self.leader = Some(replica);
        self.since = now;
        self.turn += 1;
        for row in &mut self.replicas {
            row.observed = None;
        }
        cluster.set_leader(self.process, true);
        let n_starts = self.replicas[replica].n_starts;
        leases::acquired(Candidate { process: self.process, replica, n_starts }, cluster);
    }

    fn try_at(&self, at: Time, replica: usize, agenda: &mut Agenda) {
        let event = FaultEvent::Candidate { process: self.process, replica: replica as u8, turn: self.turn };
        agenda.at(at, Event::Fault(event));
    }

    fn is_ideal(&self, agenda: &Agenda) -> bool {
        agenda.control_plane.kubelet_timing == KubeletTiming::Ideal
    }

    fn draw(&mut self, replica: usize, agenda: &Agenda) -> u64 {
        let row = &mut self.replicas[replica];
        row.n_tries = row.n_tries.wrapping_add(1);
        let entity = 1 << 50 | (self.process as u64) << 8 | replica as u64;
        agenda.stream(Purpose::Jitter, entity, row.n_tries).next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `leader_election.failover` of the tables of facts.
    #[test]
    fn leader_election_failover() {
        // 01: from t=15, at the next try, which is at most 2*(1+1.2) s later.
        assert_eq!(may_acquire(Time::ZERO), Time::from_secs(15));
        assert_eq!(until_next_try(None), Span::from_secs(2));
        assert!(until_next_try(Some(u64::MAX)) <= Span::from_millis(4400));
        assert!(until_next_try(Some(u64::MAX)) >= Span::from_millis(4399));
        // 02: gives up 10 s after the last renewal that succeeded.
        assert_eq!(gives_up(last_renewal(Time::ZERO, Time::from_secs(7))), Time::from_secs(16));
        // 03: no clock but the candidate's own counts: a rule of its own observation has no other input.
        assert_eq!(may_acquire(Time::from_secs(60)), Time::from_secs(75));
    }

    #[test]
    fn the_last_renewal_comes_before_the_crash() {
        for (since, now, last) in [(0, 60, 58), (0, 61, 60), (1, 2, 1), (5, 5, 5), (3, 8, 7)] {
            let [since, now, last] = [since, now, last].map(Time::from_secs);
            assert_eq!(last_renewal(since, now), last, "{since} {now}");
        }
    }
}
