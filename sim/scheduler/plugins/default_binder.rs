//! DefaultBinder: writes the binding to the API server. The binding cycle does it through the store's verb `bind`.
//!
//! No arguments. Follows kube-scheduler v1.36, `plugins/defaultbinder`.

use crate::scheduler::framework::prelude::*;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct DefaultBinder;

impl Plugin for DefaultBinder {
    fn name(&self) -> PluginName {
        PluginName::DefaultBinder
    }
}
