//! Arrivals: trace readers, one file per public format, and synthetic generators.
