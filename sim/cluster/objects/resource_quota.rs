//! ResourceQuotas.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Exporting, Kind, Lowering, body_variant};
use crate::api::resources::ResourceList;

/// A ResourceQuota.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceQuota {
    /// `spec.hard`.
    pub hard: ResourceList,
    /// `spec.scopes` and `spec.scopeSelector`: what objects must fit, all of it.
    pub scopes: Vec<QuotaScope>,
    /// `status.hard`: what admission enforces; none before the controller has seen the quota.
    pub enforced: Option<ResourceList>,
    /// `status.used`.
    pub used: ResourceList,
}

/// One term of the scopes of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaScope {
    /// `Terminating`, `NotTerminating`, `BestEffort`, `NotBestEffort`, `PriorityClass`, ...
    pub name: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`.
    pub operator: String,
    /// What it is compared with.
    pub values: Vec<String>,
}

impl Kind for ResourceQuota {
    const KIND: &'static str = "ResourceQuota";

    fn lower(object: &Value, _: &mut Lowering<'_>) -> Result<ResourceQuota, String> {
        let (spec, status) = (&object["spec"], &object["status"]);
        let plain = spec["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|name| QuotaScope {
            name: name.to_owned(),
            operator: "Exists".to_owned(),
            values: Vec::new(),
        });
        let terms = spec["scopeSelector"]["matchExpressions"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let terms = terms.map(|term| QuotaScope {
            name: text(&term["scopeName"]),
            operator: text(&term["operator"]),
            values: term["values"].as_array().into_iter().flatten().map(text).collect(),
        });
        Ok(ResourceQuota {
            hard: list(&spec["hard"])?,
            scopes: plain.chain(terms).collect(),
            enforced: status["hard"].is_object().then(|| list(&status["hard"])).transpose()?,
            used: list(&status["used"])?,
        })
    }

    fn export(&self, _: Exporting<'_>, object: &mut Map<String, Value>) {
        let mut status = Map::new();
        if let Some(hard) = &self.enforced {
            status.insert("hard".into(), write(hard));
            status.insert("used".into(), write(&self.used));
        }
        object.insert("status".into(), status.into());
    }

    fn keep_status(&mut self, old: &ResourceQuota) {
        self.enforced.clone_from(&old.enforced);
        self.used.clone_from(&old.used);
    }

    body_variant!(ResourceQuota);
}

fn list(value: &Value) -> Result<ResourceList, String> {
    if value.is_null() {
        return Ok(BTreeMap::new());
    }
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

fn write(list: &ResourceList) -> Value {
    list.iter().map(|(name, amount)| (name.clone(), Value::String(amount.to_string()))).collect::<Map<_, _>>().into()
}
