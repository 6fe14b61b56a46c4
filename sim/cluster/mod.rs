//! The facts: objects, verbs, changes.
