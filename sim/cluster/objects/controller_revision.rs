//! ControllerRevisions: the history of StatefulSets and DaemonSets.

use serde_json::{Map, Value};

use super::{Exporting, Kind, Lowering, body_variant, fields};
use crate::cluster::pod_spec::Template;

/// A ControllerRevision.
#[derive(Clone, Debug, PartialEq)]
pub struct ControllerRevision {
    /// `revision`.
    pub revision: i32,
    /// The template that `data` holds, if it holds one.
    pub template: Option<Template>,
}

impl Kind for ControllerRevision {
    const KIND: &'static str = "ControllerRevision";

    fn lower(object: &Value, cx: &mut Lowering<'_>) -> Result<ControllerRevision, String> {
        let template = &object["data"]["spec"]["template"];
        let template = match template {
            Value::Null => None,
            template => Some(cx.template(template)?),
        };
        Ok(ControllerRevision { revision: fields::int(object, "revision").unwrap_or(0), template })
    }

    fn export(&self, _: Exporting<'_>, object: &mut Map<String, Value>) {
        object.insert("revision".into(), self.revision.into());
    }

    body_variant!(ControllerRevision);
}
