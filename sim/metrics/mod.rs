//! Changes into numbers: the timeline with its digest, one record per pod, sampled series, and the report of a run.

mod digest;
mod pods;
mod quantiles;
mod recorder;
mod series;
mod summary;
mod timeline;

pub use digest::Digest;
pub use pods::{Outcome, PodRecord, PodRecords};
pub use quantiles::Quantiles;
pub use recorder::{Recorder, RecorderOptions};
pub use series::{Sample, Series, SeriesKey};
pub use summary::{PodCounts, RunFigures, Summary};
pub use timeline::{Detail, Entry, Timeline};
