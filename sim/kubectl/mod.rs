//! kubectl's eyes and mouth: command lines into typed commands, objects as the API shows them into the texts of kubectl 1.36.
//!
//! A command that only looks is a pure function of a [`View`] (objects and the time) to an [`Output`]. A command that changes
//! something is parsed here ([`command`]), carried out elsewhere, and told here ([`messages`]).

mod age;
pub mod command;
mod custom_columns;
mod describe;
mod describing;
mod events;
mod filter;
pub mod generate;
mod get;
mod gosort;
pub mod gotemplate;
mod json;
pub mod jsonpath;
mod labels;
mod look;
pub mod messages;
mod printers;
mod replica_sets;
mod resources;
mod rollout;
mod sorting;
mod tabs;
pub mod top;
mod view;
mod yaml;

use serde_json::Value;

pub use age::human_duration;
pub use rollout::{RolloutState, rollout_status};
pub use view::{Output, View};

use command::Command;
use top::Usage;

/// What a command that only looks prints; `None` for a command that changes something or waits for a change.
pub fn show(command: &Command, view: &View<'_>, usage: Option<&Usage>) -> Option<Output> {
    match command {
        Command::Get(command) => Some(get::get(command, view)),
        Command::Describe(command) => Some(describing::describe(command, view)),
        Command::Events(command) => Some(events::events(command, view)),
        Command::Rollout(command) => rollout::rollout(command, view),
        Command::Top(command) => Some(top::top(command, usage, view)),
        _ => None,
    }
}

/// An object as YAML, as `kubectl get -o yaml` prints it.
pub fn to_yaml(value: &Value) -> String {
    yaml::document(value)
}

/// An object as JSON, as `kubectl get -o json` prints it.
pub fn to_json(value: &Value) -> String {
    json::pretty(value)
}
