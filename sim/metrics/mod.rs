//! Changes into numbers: the timeline with its digest, one record per pod, sampled series, and the report of a run.

mod difference;
mod digest;
mod faults;
mod pods;
mod quantiles;
mod recorder;
mod series;
mod shown;
mod summary;
mod timeline;

pub use digest::Digest;
pub use faults::{FaultLog, FaultSpan, Mark};
pub use pods::{Outcome, PodRecord, PodRecords};
pub use quantiles::Quantiles;
pub use recorder::{Integrals, Recorder, RecorderOptions};
pub use series::{POOL_LABEL, Sample, Series, SeriesKey};
pub use summary::{LatencySummary, PodCounts, RunFigures, Summary};
pub(crate) use timeline::cause_text;
pub use timeline::{Detail, Entry, Timeline};
