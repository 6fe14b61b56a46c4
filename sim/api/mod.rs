//! Kubernetes objects in and out: documents with positions, strict fields, defaulting, validation, and the leaf values
//! (quantities, selectors, durations) that objects are made of.

pub mod accept;
pub mod admission;
pub mod base64;
pub mod causes;
pub mod cel;
pub mod convert;
pub mod custom;
pub mod document;
pub mod field_selector;
pub mod int_or_percent;
pub mod kinds;
pub mod label_syntax;
pub mod managed;
pub mod names;
pub mod node_selector;
pub mod objects;
pub mod patch;
pub mod pod_resources_default;
pub mod qos;
pub mod quantity;
pub mod rbac;
pub mod resources;
pub mod schema;
pub mod selector;
pub mod subresource;
pub mod toleration;
pub mod view;
