//! Event logs of tasks (Google): submissions, starts and ends of one task stand in different rows.

use rustc_hash::FxHashMap;

use super::*;

/// What an event means for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Submit,
    Start,
    End(Outcome),
    /// Lost its machine but may be submitted again.
    Evict,
    Other,
}

/// What is known of every task, 40 bytes each.
#[derive(Default)]
pub(super) struct Lifecycles {
    tasks: FxHashMap<(u64, u64), Life>,
}

#[derive(Clone, Copy)]
struct Life {
    /// Record of the first submission.
    submitted: Option<u64>,
    started_us: Option<i64>,
    duration: Option<Span>,
    outcome: Outcome,
}

impl Lifecycles {
    /// Takes in one event; records come in the order of the file.
    pub(super) fn note(&mut self, record: u64, task: (u64, u64), at_us: i64, step: Step) {
        let fresh = Life { submitted: None, started_us: None, duration: None, outcome: Outcome::Pending };
        let life = self.tasks.entry(task).or_insert(fresh);
        let mut end = |outcome| {
            life.outcome = outcome;
            if let Some(started) = life.started_us.take() {
                life.duration =
                    Some(Span::from_micros(at_us.checked_sub(started).map_or(0, |us| us.max(0).unsigned_abs())));
            }
        };
        match step {
            Step::End(outcome) => end(outcome),
            Step::Evict => end(Outcome::Killed),
            Step::Submit => life.submitted = life.submitted.or(Some(record)),
            Step::Start => {
                life.started_us = Some(at_us);
                life.outcome = Outcome::Running;
            }
            Step::Other => {}
        }
    }

    /// Duration of the last run and outcome, if `record` is the first submission of `task`.
    pub(super) fn of_submission(&self, record: u64, task: (u64, u64)) -> Option<(Option<Span>, Outcome)> {
        let life = self.tasks.get(&task)?;
        (life.submitted == Some(record)).then_some((life.duration, life.outcome))
    }
}

pub(super) const OTHER_EVENT: NotAnArrival = NotAnArrival("the event is no submission");
pub(super) const AGAIN: NotAnArrival = NotAnArrival("the task was submitted before");
