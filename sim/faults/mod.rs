//! Scripted and drawn failures.
