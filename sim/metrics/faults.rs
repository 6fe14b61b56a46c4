//! What failed in a run, from when to when, and what users did: marks for the timeline, spans for the summary.

use serde::Serialize;

use crate::cluster::{Cluster, Elected, News, Outage};
use crate::engine::Time;

/// A line of the timeline that is no change of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Time,
    /// The number of changes before it.
    pub after: u32,
    /// Its number as a cause of changes.
    pub number: u32,
    /// Why: the number of a change or of another mark.
    pub cause: u32,
    /// What, as text: `fault begins: API server down`.
    pub text: String,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultSpan {
    /// What failed.
    pub what: String,
    /// When it began, in seconds.
    pub begin_seconds: f64,
    /// When it ended; nothing if it lasts, or is over as soon as it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_seconds: Option<f64>,
    #[serde(skip)]
    index: u32,
}

/// The failures of a run.
#[derive(Clone, Debug, Default)]
pub struct FaultLog {
    marks: Vec<Mark>,
    spans: Vec<FaultSpan>,
}

impl FaultLog {
    /// Notes what happened after `n_changes` changes.
    pub fn note(&mut self, at: Time, n_changes: u32, news: News, cluster: &Cluster) {
        let process = |process| match process {
            Elected::ControllerManager => "kube-controller-manager",
            Elected::Scheduler => "kube-scheduler",
        };
        let text = match news.outage {
            Outage::Writable(true) => "the API can be written to".to_owned(),
            Outage::Writable(false) => "the API cannot be written to".to_owned(),
            Outage::Leads(which, true) => format!("{} has a leader", process(which)),
            Outage::Leads(which, false) => format!("{} has no leader", process(which)),
            Outage::Fault { index, what, begins } => {
                let what = cluster.interner.text(what);
                self.span(at, index, what, begins);
                format!("fault {}: {what}", if begins { "begins" } else { "ends" })
            }
            Outage::Step(what) => format!("step: {}", cluster.interner.text(what)),
            Outage::Answer(line) => format!("answer: {}", cluster.interner.text(line)),
        };
        self.marks.push(Mark { at, after: n_changes, number: news.number, cause: news.cause, text });
    }

    fn span(&mut self, at: Time, index: u32, what: &str, begins: bool) {
        if begins {
            let begin_seconds = at.as_secs_f64();
            self.spans.push(FaultSpan { what: what.to_owned(), begin_seconds, end_seconds: None, index });
        } else if let Some(span) = self.spans.iter_mut().rev().find(|span| {
            // The text of the beginning may say more: that there was nothing to strike.
            span.index == index && span.end_seconds.is_none() && span.what.starts_with(what)
        }) {
            span.end_seconds = Some(at.as_secs_f64());
        }
    }

    /// Lines for the timeline, in order.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// All failures, in the order in which they began.
    pub fn spans(&self) -> &[FaultSpan] {
        &self.spans
    }
}
