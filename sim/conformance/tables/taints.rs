//! `toleration` and `taintEviction`.

use k8s_openapi::api::core::v1 as k8s;
use serde_json::{Value, json};

use super::typed;
use crate::api::toleration::{self, EvictionVerdict, Taint, TaintEffect, Toleration};

/// One toleration and one taint.
pub(super) fn toleration(case: &Value) -> Value {
    let taint = Taint::from_api(&typed::<k8s::Taint>(&case["taint"]));
    let toleration = Toleration::from_api(&typed::<k8s::Toleration>(&case["toleration"]));
    let (Some(taint), Some(toleration)) = (taint, toleration) else {
        return json!({ "tolerates": false, "toleratesWithComparison": false });
    };
    json!({
        "tolerates": toleration.tolerates(&taint),
        "toleratesWithComparison": toleration.tolerates_with_comparison(&taint),
    })
}

/// All taints of a node and all tolerations of a pod on it.
pub(super) fn taint_eviction(case: &Value) -> Value {
    let taints: Vec<Taint> = typed::<Vec<k8s::Taint>>(&case["taints"]).iter().filter_map(Taint::from_api).collect();
    let tolerations: Vec<Toleration> =
        typed::<Vec<k8s::Toleration>>(&case["tolerations"]).iter().filter_map(Toleration::from_api).collect();
    let verdict = toleration::taint_eviction(&taints, &tolerations);
    let mut answer = json!({
        "noExecuteTaints": taints.iter().filter(|taint| taint.effect == TaintEffect::NoExecute).count(),
        "allTolerated": verdict != EvictionVerdict::EvictNow,
        "action": match verdict {
            EvictionVerdict::None => "none",
            EvictionVerdict::EvictNow => "evictNow",
            EvictionVerdict::StayForever => "stayForever",
            EvictionVerdict::EvictAfter(_) => "evictAfter",
        },
    });
    if let EvictionVerdict::EvictAfter(seconds) = verdict {
        answer["seconds"] = json!(seconds);
    }
    answer
}
