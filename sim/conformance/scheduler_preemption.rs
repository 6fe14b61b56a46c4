//! Golden cases of preemption.

use serde_json::{Value, json};

use super::scheduler::{Bench, Findings};
use crate::cluster::NodeId;
use crate::scheduler::framework::Diagnosis;
use crate::scheduler::framework::plugin::Cx;
use crate::scheduler::framework::status::Code;
use crate::scheduler::preemption::{best_candidates, eligible, potential_nodes};

/// Compares `expect.preemption`.
pub(super) fn check_preemption(
    bench: &Bench,
    cx: Cx<'_>,
    case: &Value,
    diagnosis: &Diagnosis,
    findings: &mut Findings,
) {
    let want = &case["expect"]["preemption"];
    if want.is_null() {
        return;
    }
    let eligible = eligible(cx, diagnosis);
    findings.expect("may preempt", None, &want["eligible"], &eligible.is_ok().into());
    let reason = eligible.err().map_or(Value::Null, Value::from);
    findings.expect("why it may not preempt", None, &want["reason"], &reason);
    if eligible.is_ok() {
        check_candidates(bench, cx, want, diagnosis, findings);
    }
    if want["message"].is_null() && want["statusCode"].is_null() {
        return;
    }
    let result = bench.framework.post_filter_of(cx, diagnosis, 0);
    let code = result.code.map_or(Value::Null, |code: Code| code.as_str().into());
    findings.expect("status of PostFilter", None, &want["statusCode"], &code);
    let message = if result.message.is_empty() { Value::Null } else { result.message.as_str().into() };
    findings.expect("message of PostFilter", None, &want["message"], &message);
}

fn check_candidates(bench: &Bench, cx: Cx<'_>, want: &Value, diagnosis: &Diagnosis, findings: &mut Findings) {
    let potential = potential_nodes(cx, diagnosis);
    let in_order =
        |nodes: &[NodeId]| -> Vec<NodeId> { bench.nodes.iter().copied().filter(|node| nodes.contains(node)).collect() };
    let list = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
    findings.expect("potential nodes", None, &list(&want["potentialNodes"]), &bench.names(&in_order(&potential)));
    let run = bench.framework.dry_run(cx, &in_order(&potential), 0, usize::MAX);
    if want["stable"] == false {
        // The victims depend on an unstable sort.
        return;
    }
    let candidates: Value = (run.candidates.iter())
        .map(|candidate| {
            let name = |pod| format!("{}/{}", bench.cluster.namespace(pod), bench.cluster.name(pod));
            let victims: Vec<String> = candidate.victims.iter().map(|&pod| name(pod)).collect();
            json!({
                "node": bench.name(candidate.node),
                "victims": victims,
                "pdbViolations": candidate.n_violations,
            })
        })
        .collect();
    findings.expect("candidates", None, &list(&want["candidates"]), &candidates);
    for (node, status) in &run.rejected {
        let subject = format!("preemption on {}", bench.name(*node));
        findings.expect(&subject, None, &want["nodeStatus"][bench.name(*node)], &bench.status(status));
    }
    let best: Vec<NodeId> =
        best_candidates(&bench.cluster, &run.candidates).into_iter().map(|idx| run.candidates[idx].node).collect();
    findings.expect("nodes to preempt on", None, &list(&want["best"]), &bench.names(&in_order(&best)));
}
