//! What runs on nodes.
