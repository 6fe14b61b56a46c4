//! Kubernetes objects in and out: documents with positions, strict fields, defaulting, validation, and the leaf values
//! (quantities, selectors, durations) that objects are made of.

pub mod base64;
pub mod document;
pub mod kinds;
