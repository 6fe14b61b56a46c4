//! Namespaces.

use serde_json::{Map, Value, json};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::cluster::condition::Conditions;

/// `status.phase` of a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamespacePhase {
    /// In use.
    #[default]
    Active,
    /// Being deleted: nothing may be created in it.
    Terminating,
}

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Namespace {
    /// `status.phase`.
    pub phase: NamespacePhase,
    /// Whether `spec.finalizers` still holds `kubernetes`: the namespace controller has not emptied it yet.
    pub finalized: bool,
    /// `status.conditions`: what keeps a terminating namespace.
    pub conditions: Conditions,
}

impl Kind for Namespace {
    const KIND: &'static str = "Namespace";

    fn lower(_: &Value, _: &mut Lowering<'_>) -> Result<Namespace, String> {
        Ok(Namespace::default())
    }

    fn export(&self, cx: Exporting<'_>, object: &mut Map<String, Value>) {
        let phase = match self.phase {
            NamespacePhase::Active => "Active",
            NamespacePhase::Terminating => "Terminating",
        };
        let finalizers = if self.finalized { json!([]) } else { json!(["kubernetes"]) };
        object.insert("spec".into(), json!({ "finalizers": finalizers }));
        let mut status = Map::new();
        status.insert("phase".into(), phase.into());
        fields::put_conditions(&mut status, &self.conditions, cx, None);
        object.insert("status".into(), status.into());
    }

    fn keep_status(&mut self, old: &Namespace) {
        *self = old.clone();
    }

    body_variant!(Namespace);
}
