//! Golden tables: small functions of Kubernetes, one input and one result a row.
//!
//! The field `kind` of a row names the function; the other fields are its input, `expect` is its result. One file here per
//! file of the table, each turning a row into a call of our function and its answer into the form of `expect`.

mod nodes;
mod pods;
mod quantity;
mod rollout;
mod selectors;
mod taints;
mod workloads;

use serde_json::Value;

use super::difference::{Difference, compare_members};

/// What our function of the row's `kind` answers otherwise than `expect` says; nothing if the kind is unknown.
pub fn check(case: &Value) -> Option<Vec<Difference>> {
    let answer = answer(case)?;
    let mut expected = case["expect"].clone();
    if let Some(members) = expected.as_object_mut() {
        // The text of an error is information only, so that it need not be answered.
        if answer.get("error").is_none() {
            members.remove("error");
        }
    }
    Some(compare_members(&expected, &answer))
}

/// Our answer to a row, in the form of its `expect`.
fn answer(case: &Value) -> Option<Value> {
    Some(match case["kind"].as_str()? {
        "quantity" => quantity::quantity(case),
        "quantityOp" => quantity::quantity_op(case),
        "labelSelector" => selectors::label_selector(case),
        "selectorText" => selectors::selector_text(case),
        "toleration" => taints::toleration(case),
        "taintEviction" => taints::taint_eviction(case),
        "rollout" => rollout::rollout(case),
        "nodeTree" => nodes::node_tree(case),
        "hostPick" => nodes::host_pick(case),
        "nodesToFind" => nodes::nodes_to_find(case),
        "podRequests" => pods::pod_resources(case),
        "qos" => pods::qos(case),
        "podDefaulting" => pods::pod_defaulting(case),
        "daemonNode" => workloads::daemon_node(case),
        "scaleDown" => workloads::scale_down(case),
        _ => return None,
    })
}

/// The text of a member, empty if there is none.
fn text<'a>(case: &'a Value, member: &str) -> &'a str {
    case[member].as_str().unwrap_or_default()
}

/// A member as a typed value; the default of the type if it is none.
fn typed<T: Default + serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::path::PathBuf;
    use std::sync::Once;

    use super::*;

    static SKIPPED: Once = Once::new();

    /// Every row of a public table agrees.
    #[track_caller]
    fn check_table(name: &str, rows: usize) {
        let shared = std::env::var_os("WAVETANK_SHARED")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
        let path = shared.join("oracle/scheduler/public").join(format!("table-{name}.jsonl.gz"));
        let Ok(file) = std::fs::File::open(&path) else {
            // Not captured as the output of a test is.
            SKIPPED.call_once(|| {
                let _ = writeln!(std::io::stderr(), "skipped: golden tables, there is no {}", path.display());
            });
            return;
        };
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("the table is gzipped text");
        let mut failures = Vec::new();
        let mut n_cases = 0;
        for line in text.lines() {
            let case: Value = serde_json::from_str(line).expect("a row is JSON");
            n_cases += 1;
            match check(&case) {
                None => failures.push(format!("{}: unknown kind", case["id"])),
                Some(differences) => {
                    failures.extend(differences.iter().map(|difference| format!("{difference}\n    {line}")));
                }
            }
        }
        assert!(n_cases >= rows, "{n_cases} rows");
        assert!(failures.is_empty(), "{} differences in {n_cases} rows\n{}", failures.len(), failures.join("\n"));
    }

    #[test]
    fn quantities() {
        check_table("quantity", 750);
    }

    #[test]
    fn label_selectors() {
        check_table("selectors", 600);
    }

    #[test]
    fn tolerations_and_eviction() {
        check_table("taints", 600);
    }

    #[test]
    fn rollouts() {
        check_table("rollout", 250);
    }

    #[test]
    fn node_order() {
        check_table("nodetree", 60);
    }

    #[test]
    fn host_picks_and_nodes_to_find() {
        check_table("select", 300);
    }

    #[test]
    fn pod_requests() {
        check_table("podrequests", 300);
    }

    #[test]
    fn qos_classes() {
        check_table("qos", 220);
    }

    #[test]
    fn pod_defaults() {
        check_table("defaulting", 250);
    }

    #[test]
    fn daemon_pods() {
        check_table("daemonset", 250);
    }

    #[test]
    fn scale_down() {
        check_table("scaledown", 120);
    }
}
