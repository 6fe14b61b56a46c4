//! Arrivals: trace readers, one file per public format, and synthetic generators.
//!
//! A [`Trace`] is a file that was read and checked once; its arrivals are then read lazily in order of time, so a trace is never held in
//! memory. A [`Generator`] draws arrivals instead. Both give [`Arrival`]s, the canonical row.

mod arrival;
mod convert;
mod format;
mod formats;
mod generate;
mod json_items;
mod nodes;
mod number;
pub mod pods;
mod reader;
mod row;
mod rows;
mod source;
mod stats;
mod time_text;

pub use arrival::{Arrival, GpuDemand, NodeRow, Outcome};
pub use convert::{write_node_table, write_nodes, write_pods, write_table};
pub use format::{FORMATS, FormatInfo, detect_format, format, fuzz_rows};
pub use generate::{ArrivalProcess, GenerateSpec, Generator, Rate};
pub use nodes::{NODE_FORMATS, NodeFormatInfo, read_nodes};
pub use reader::{Arrivals, BATCH, ReadOptions, ReadReport, Trace};
pub use source::Input;
pub use stats::{Demand, Summary, TraceStats, stats};
