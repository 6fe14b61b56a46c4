//! What every plugin needs.

pub use super::events::{Action, ClusterEvent, EventResource, on};
pub use super::names::PluginName;
pub use super::plugin::{Cx, MAX_NODE_SCORE, Plugin, Reads, ScoreKind, normalize_by_max};
pub use super::reason::Reason;
pub use super::state::CycleState;
pub use super::status::{Code, PreFilter, Rejection, Verdict};
pub use super::view::NodeView;
pub use crate::cluster::{LabelsId, NodeId, PodId, ResourceId, Sym};
