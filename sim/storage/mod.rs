//! Volumes, claims and classes.
