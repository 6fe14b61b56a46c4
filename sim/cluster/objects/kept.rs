//! Objects that are read and kept as written, because nothing in the simulation acts on them.

use serde_json::{Map, Value};

use super::{Exporting, Kind, Lowering, body_variant};

/// An object without behaviour: its manifest is all there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// `status` as written, if there is one.
    pub status: Option<Value>,
}

impl Kind for Kept {
    const KIND: &'static str = "";

    fn lower(object: &Value, _: &mut Lowering<'_>) -> Result<Kept, String> {
        Ok(Kept { status: object.get("status").cloned() })
    }

    fn export(&self, _: Exporting<'_>, object: &mut Map<String, Value>) {
        if let Some(status) = &self.status {
            object.insert("status".into(), status.clone());
        }
    }

    fn keep_status(&mut self, old: &Kept) {
        self.status.clone_from(&old.status);
    }

    body_variant!(Kept);
}
