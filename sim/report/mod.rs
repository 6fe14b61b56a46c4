//! A finished run into files.
