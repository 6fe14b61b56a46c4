//! The small plugins: ServiceAccount, Priority, DefaultTolerationSeconds.

use k8s_openapi::api::core::v1 as core;

use super::Rejection;
use crate::cluster::ids::{ObjId, Sym};
use crate::cluster::store::Cluster;

/// How long a pod stays on a node that is not ready or unreachable, in seconds (kube-apiserver,
/// `--default-not-ready-toleration-seconds`, `--default-unreachable-toleration-seconds`).
const DEFAULT_TOLERATION_SECONDS: i64 = 300;

impl Cluster {
    /// ServiceAccount: `default` where none is named; the account's pull secrets where the pod has none.
    pub(super) fn service_account(&self, namespace: Sym, spec: &mut core::PodSpec) -> Result<(), Rejection> {
        let name = spec.service_account_name.clone().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| "default".to_owned());
        spec.service_account_name = Some(name.clone());
        spec.service_account = Some(name.clone());
        let text = self.interner.text(namespace);
        let Some(id) = self.find("ServiceAccount", text, &name) else {
            // The account `default` comes with its namespace: it is missing only in worlds without accounts.
            return if name == "default" {
                Ok(())
            } else {
                Err(Rejection::Forbidden(format!(
                    "error looking up service account {text}/{name}: serviceaccount {name:?} not found"
                )))
            };
        };
        let account: core::ServiceAccount = serde_json::from_value((*self.object(id).raw).clone()).unwrap_or_default();
        if spec.image_pull_secrets.as_ref().is_none_or(Vec::is_empty) {
            spec.image_pull_secrets = account.image_pull_secrets.filter(|secrets| !secrets.is_empty());
        }
        Ok(())
    }

    /// Priority: the class's value and preemption policy, those of the global default class, or 0.
    pub(super) fn priority(&self, spec: &mut core::PodSpec) -> Result<(), Rejection> {
        let named = spec.priority_class_name.clone().filter(|name| !name.is_empty());
        let (name, value, policy) = match named {
            Some(name) => match built_in_priority(&name) {
                Some(value) => (Some(name), value, None),
                None => {
                    let id = self
                        .find("PriorityClass", "", &name)
                        .ok_or_else(|| Rejection::Forbidden(format!("no PriorityClass with name {name} was found")))?;
                    let (value, policy) = self.priority_class(id);
                    (Some(name), value, policy)
                }
            },
            None => match self.default_priority_class() {
                Some(id) => {
                    let (value, policy) = self.priority_class(id);
                    (Some(self.name(id).to_owned()), value, policy)
                }
                None => (None, 0, None),
            },
        };
        if spec.priority.is_some_and(|given| given != value) {
            return Err(Rejection::Forbidden(format!(
                "the integer value of priority ({}) must not be provided in pod spec; priority admission controller computed {value} \
                 from the given PriorityClass name",
                spec.priority.unwrap_or_default()
            )));
        }
        let policy = policy.unwrap_or_else(|| "PreemptLowerPriority".to_owned());
        if spec.preemption_policy.as_ref().is_some_and(|given| *given != policy) {
            return Err(Rejection::Forbidden(format!(
                "the string value of PreemptionPolicy ({}) must not be provided in pod spec; priority admission controller computed \
                 {policy} from the given PriorityClass name",
                spec.preemption_policy.as_deref().unwrap_or_default()
            )));
        }
        (spec.priority_class_name, spec.priority, spec.preemption_policy) = (name, Some(value), Some(policy));
        Ok(())
    }

    /// The global default class with the lowest value.
    fn default_priority_class(&self) -> Option<ObjId> {
        let defaults = self.of_kind("PriorityClass").filter(|&id| self.object(id).raw["globalDefault"] == true);
        defaults.min_by_key(|&id| self.priority_class(id).0)
    }

    fn priority_class(&self, id: ObjId) -> (i32, Option<String>) {
        let raw = &self.object(id).raw;
        let value = raw["value"].as_i64().and_then(|value| i32::try_from(value).ok()).unwrap_or(0);
        (value, raw["preemptionPolicy"].as_str().map(str::to_owned))
    }
}

/// The classes that every API server has (scheduling, `SystemPriorityClasses`).
fn built_in_priority(name: &str) -> Option<i32> {
    match name {
        "system-cluster-critical" => Some(2_000_000_000),
        "system-node-critical" => Some(2_000_001_000),
        _ => None,
    }
}

/// DefaultTolerationSeconds: a pod that says nothing of nodes that are not ready or unreachable stays five minutes on them.
pub(super) fn default_tolerations(spec: &mut core::PodSpec) {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerations = spec.tolerations.get_or_insert_default();
        let covered = tolerations.iter().any(|toleration| {
            let of_key = toleration.key.as_deref().is_none_or(|own| own.is_empty() || own == key);
            of_key && toleration.effect.as_deref().is_none_or(|own| own.is_empty() || own == "NoExecute")
        });
        if !covered {
            tolerations.push(core::Toleration {
                key: Some(key.to_owned()),
                operator: Some("Exists".to_owned()),
                effect: Some("NoExecute".to_owned()),
                toleration_seconds: Some(DEFAULT_TOLERATION_SECONDS),
                value: None,
            });
        }
    }
}
