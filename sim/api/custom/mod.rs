//! Custom resources: definitions among the input, and what the API server says of their instances.
//!
//! A resource of a served version goes the way it goes in apiextensions-apiserver: metadata and unknown fields while it is decoded
//! (`customresource_handler.go`), nulls and defaults, then metadata, schema, scale paths, embedded resources and lists
//! (`registry/customresource`), and last the rules that are written as expressions.

mod accept;
mod coerce;
mod definitions;
mod formats;
mod invariants;
mod props;
mod rules;
mod validate;
mod words;

pub use accept::{accept_custom, accept_undefined, update_custom, update_custom_status};
pub use coerce::{fill_defaults, unknown_fields};
pub use definitions::{Definition, Definitions, Version, is_custom_group, kind_of_spec, undefined_kind};
pub use props::{Additional, Props, go_regex};
pub use rules::{Rule, type_of};
pub use validate::validate;
pub use words::{float, go_quote, quoted_value};

#[cfg(test)]
mod tests;
