//! One file per public trace format.

pub(super) mod acme;
pub(super) mod alibaba_2017;
pub(super) mod alibaba_2018;
pub(super) mod alibaba_dlrm_2025;
pub(super) mod alibaba_gpu_2020;
pub(super) mod alibaba_gpu_2023;
pub(super) mod alibaba_spot_2026;
pub(super) mod azure_llm;
pub(super) mod azure_vm;
pub(super) mod batsim;
pub(super) mod google_2011;
pub(super) mod google_2019;
pub(super) mod gwf;
pub(super) mod helios;
pub(super) mod omega;
pub(super) mod philly;
pub(super) mod philly_compact;
pub(super) mod shockwave;
pub(super) mod sia;
pub(super) mod sparrow;
pub(super) mod swf;
pub(super) mod tiresias;
pub(super) mod wavetank;

mod lifecycle;

use super::arrival::{Arrival, GpuDemand, Outcome};
use super::format::{Format, FormatInfo, Header, Layout, NotAnArrival, Parsed, Timed};
use super::json_items::Section;
use super::row::{Bad, Body, Column, Delimiter, Fields, Read, Record, is_unknown, may, need};
use crate::engine::Span;

/// Bytes in a mebibyte.
const MIB: i64 = 1 << 20;
/// Bytes in a gibibyte.
const GIB: i64 = 1 << 30;
/// Milli-CPU of 1.0 where a trace normalises by its largest machine: 64 cores. Our assumption; `cpuScale` changes it.
const NORMALISED_CPU_MILLI: i64 = 64_000;
/// Bytes of 1.0 where a trace normalises by its largest machine: 256 GiB. Our assumption; `memoryScale` changes it.
const NORMALISED_MEMORY: i64 = 256 * GIB;

const NO_START: NotAnArrival = NotAnArrival("it has no start time");

/// A table with commas.
const fn table(header: Header, columns: &'static [Column]) -> Layout {
    Layout::Table { delimiter: Delimiter::Comma, header, comment: None, columns }
}

fn timed(at_us: i64, arrival: Arrival) -> Read<Parsed> {
    Ok(Ok(Timed { at_us, arrival }))
}

/// A job of `total` GPUs as replicas: one replica up to 8, else replicas of 8 where that divides, else of 1.
/// Our assumption where a trace gives only a total: machines have 8 GPUs.
fn gang(total: u32) -> (u32, GpuDemand) {
    match total {
        0..=8 => (1, GpuDemand::whole(total)),
        n if n % 8 == 0 => (n / 8, GpuDemand::whole(8)),
        n => (n, GpuDemand::whole(1)),
    }
}

/// The outcome that a word of any of the traces stands for.
fn outcome(word: &str) -> Option<Outcome> {
    Some(match word.to_ascii_lowercase().as_str() {
        "pending" | "waiting" | "ready" => Outcome::Pending,
        "running" => Outcome::Running,
        "succeeded" | "terminated" | "pass" | "completed" => Outcome::Succeeded,
        "failed" | "node_fail" | "out_of_memory" => Outcome::Failed,
        "killed" | "cancelled" | "interupted" | "interrupted" | "timeout" | "preempted" | "deadline" => Outcome::Killed,
        _ => return None,
    })
}

/// A replica count, which is at least 1.
fn replicas(fields: &Fields, column: usize) -> Read<u32> {
    match fields.count(column)? {
        0 => Err(fields.bad(column, "is 0", "at least 1")),
        n => Ok(n),
    }
}
