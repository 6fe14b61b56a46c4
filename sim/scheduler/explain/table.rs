//! Explanations as text: one row per node, one column per plugin that has something to say.

use std::fmt;

use super::{Explanation, NodeExplanation};
use crate::scheduler::framework::Scores;

/// Why the winner won: by what it is ahead of the next best, or that it is one of equals.
pub(super) fn why_it_won(explanation: &Explanation, scores: &Scores, winner: &str) -> String {
    let feasible: Vec<&NodeExplanation> = explanation.nodes.iter().filter(|node| node.total.is_some()).collect();
    let Some(won) = feasible.iter().find(|node| node.node == winner) else {
        return format!("{winner} was nominated for the pod and is feasible");
    };
    let total = won.total.unwrap_or(0);
    if feasible.len() == 1 {
        return format!("{winner} is the only feasible node: it is taken without scoring");
    }
    let equals = feasible.iter().filter(|node| node.total == won.total).count();
    if equals > 1 {
        return format!(
            "{winner} scores {total}, as {} other(s) of {} feasible nodes do; of equals the scheduler takes the root of its heap",
            equals - 1,
            feasible.len(),
        );
    }
    let rivals = feasible.iter().filter(|node| node.node != winner);
    let Some(next) = rivals.max_by_key(|node| node.total) else { return String::new() };
    let gains: Vec<String> = (scores.plugins.iter().zip(won.scores.iter().zip(&next.scores)))
        .map(|((plugin, weight), (ours, theirs))| (plugin, weight * (ours.1 - theirs.1)))
        .filter(|&(_, gain)| gain != 0)
        .map(|(plugin, gain)| format!("{plugin} {gain:+}"))
        .collect();
    format!(
        "{winner} scores {total}, the most of {} feasible nodes; the next, {}, has {} ({})",
        feasible.len(),
        next.node,
        next.total.unwrap_or(0),
        gains.join(", "),
    )
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Some(node) => writeln!(f, "{} -> {node}", self.pod)?,
            None => writeln!(f, "{} -> no node", self.pod)?,
        }
        writeln!(f, "  {}", self.because)?;
        if let Some(message) = &self.failed_scheduling {
            writeln!(f, "  FailedScheduling: {message}")?;
        }
        writeln!(f)?;
        let rows = self.rows();
        let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..n_columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line += &format!("{cell:<width$}  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        self.fmt_changes(f)
    }
}

impl Explanation {
    /// Header and one row per node: total, then per plugin `normalised x weight (raw)`, then who rejects it and why.
    fn rows(&self) -> Vec<Vec<String>> {
        let mut header = vec!["NODE".to_owned(), "TOTAL".to_owned()];
        header.extend(self.score_plugins.iter().map(|(plugin, weight)| format!("{plugin} x{weight}")));
        header.push("VERDICT".to_owned());
        let mut rows = vec![header];
        for node in &self.nodes {
            let mut row = vec![node.node.clone(), node.total.map_or("-".to_owned(), |total| total.to_string())];
            for idx in 0..self.score_plugins.len() {
                row.push(match node.scores.get(idx) {
                    Some((raw, normalized)) if raw == normalized => normalized.to_string(),
                    Some((raw, normalized)) => format!("{normalized} ({raw})"),
                    None => "-".to_owned(),
                });
            }
            row.push(node.verdict());
            rows.push(row);
        }
        rows
    }

    fn fmt_changes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changeable: Vec<_> = self.nodes.iter().filter(|node| !node.changes.is_empty()).collect();
        if changeable.is_empty() || self.node.is_some() {
            return Ok(());
        }
        writeln!(f, "\nIt would fit")?;
        for node in changeable {
            writeln!(f, "  on {}, if you {}", node.node, node.changes.join(", and "))?;
        }
        Ok(())
    }
}

impl NodeExplanation {
    fn verdict(&self) -> String {
        let reasons: Vec<String> = (self.rejections.iter())
            .map(|rejection| match rejection.plugin {
                Some(plugin) => format!("{plugin}: {}", rejection.reasons),
                None => rejection.reasons.clone(),
            })
            .collect();
        match (reasons.is_empty(), self.looked_at) {
            (true, true) => "feasible".to_owned(),
            (true, false) => "feasible, but not looked at".to_owned(),
            (false, _) => reasons.join("; "),
        }
    }
}
