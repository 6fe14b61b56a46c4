//! The texts of FailedScheduling (kube-scheduler v1.36, `framework.FitError`).

use std::collections::BTreeMap;

use super::framework::Diagnosis;
use super::framework::reason::Reason;
use super::framework::status::Status;
use crate::cluster::{Cluster, Interner};

/// An event's message is cut to this many bytes (`NoteLengthLimit`).
const NOTE_LENGTH_LIMIT: usize = 1024;

/// The reasons of a status in one line.
pub fn status_message(status: &Status, interner: &Interner) -> String {
    let texts: Vec<_> = status.reasons.iter().map(|reason| reason.text(interner)).collect();
    texts.join(", ")
}

/// `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s).`, and what PostFilter adds, if anything.
pub fn fit_error(diagnosis: &Diagnosis, cluster: &Cluster, post_filter: &str) -> String {
    let interner = &cluster.interner;
    let n_nodes = diagnosis.n_nodes;
    let mut message = format!("0/{n_nodes} nodes are available:");
    if diagnosis.pre_filter {
        let reason = diagnosis.others.as_ref().map(|status| status_message(status, interner)).unwrap_or_default();
        if !reason.is_empty() {
            message += &format!(" {reason}.");
        }
    } else {
        let statuses = diagnosis.nodes.iter().map(|(_, status)| (status, 1));
        let n_others = n_nodes.saturating_sub(diagnosis.nodes.len());
        let others = diagnosis.others.iter().map(|status| (status, n_others)).filter(|&(_, n)| n > 0);
        let counts = histogram(statuses.chain(others), interner);
        if !counts.is_empty() {
            message += &format!(" {counts}.");
        }
    }
    if !post_filter.is_empty() {
        message += &format!(" {post_filter}");
    }
    message
}

/// Counted reasons, sorted as text: `10 x` comes before `2 y`.
fn histogram<'a>(statuses: impl Iterator<Item = (&'a Status, usize)>, interner: &Interner) -> String {
    // Reasons are few, nodes are many.
    let mut counts: Vec<(&Reason, usize)> = Vec::new();
    for (status, n) in statuses {
        for reason in &status.reasons {
            match counts.iter_mut().find(|(other, _)| *other == reason) {
                Some((_, count)) => *count += n,
                None => counts.push((reason, n)),
            }
        }
    }
    let mut by_text: BTreeMap<_, usize> = BTreeMap::new();
    for (reason, n) in counts {
        *by_text.entry(reason.text(interner)).or_default() += n;
    }
    let mut texts: Vec<String> = by_text.iter().map(|(text, n)| format!("{n} {text}")).collect();
    texts.sort();
    texts.join(", ")
}

/// A message as long as an event can carry it: cut, with ` ...` at its end.
pub fn event_note(message: &str) -> String {
    const MARK: &str = " ...";
    if message.len() <= NOTE_LENGTH_LIMIT {
        return message.to_owned();
    }
    let mut end = NOTE_LENGTH_LIMIT - MARK.len();
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(event_note("short"), "short");
        let note = event_note(&"x".repeat(2_000));
        assert_eq!(note.len(), NOTE_LENGTH_LIMIT);
        assert!(note.ends_with("xx ..."));
    }
}
