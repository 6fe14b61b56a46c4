//! DynamicResources: pods without `resourceClaims` pass it by; its part in the default profile is a score of 0 with weight 2 and a
//! line in the message of PostFilter. Claims of dynamic resources are not modelled; input that has them is warned about.
//!
//! Arguments (`filterTimeout`, ...) without effect here. Follows kube-scheduler v1.36, `plugins/dynamicresources`.

use crate::scheduler::framework::prelude::*;

/// What PostFilter says when no claim can be given back.
pub const NO_CLAIMS: &str = "no new claims to deallocate";

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct DynamicResources;

impl Plugin for DynamicResources {
    fn name(&self) -> PluginName {
        PluginName::DynamicResources
    }

    fn score_kind(&self) -> ScoreKind {
        ScoreKind::Zero
    }

    fn pre_filter(&self, _: Cx<'_>, state: &mut CycleState) -> PreFilter {
        state.saw_dynamic_resources = true;
        PreFilter::Skip
    }
}
