//! The Scenario document.
