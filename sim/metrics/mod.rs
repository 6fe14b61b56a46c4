//! Changes into numbers.
