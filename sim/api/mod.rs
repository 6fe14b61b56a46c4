//! Kubernetes objects in and out: documents with positions, strict fields, defaulting, validation, and the leaf values
//! (quantities, selectors, durations) that objects are made of.

pub mod accept;
pub mod admission;
pub mod base64;
pub mod causes;
pub mod document;
pub mod field_selector;
pub mod kinds;
pub mod label_syntax;
pub mod names;
pub mod objects;
pub mod quantity;
pub mod schema;
pub mod selector;
pub mod view;
