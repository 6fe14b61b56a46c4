//! Arrivals: trace readers, one file per public format, and synthetic generators.
//!
//! A [`Trace`] is a file that was read and checked once; its arrivals are then read lazily in order of time, so a trace is never held in
//! memory. A [`Generator`] draws arrivals instead. Both give [`Arrival`]s, the canonical row.

mod arrival;
mod format;
mod formats;
mod json_items;
mod number;
mod reader;
mod row;
mod rows;
mod source;
mod time_text;

pub use arrival::{Arrival, GpuDemand, NodeRow, Outcome};
pub use format::{FORMATS, FormatInfo, detect_format, format, fuzz_rows};
pub use reader::{Arrivals, BATCH, ReadOptions, ReadReport, Trace};
pub use source::Input;
