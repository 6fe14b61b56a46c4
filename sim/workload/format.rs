//! The registry of trace formats: names, layouts, and how a file is recognised.

use super::arrival::Arrival;
use super::json_items::Section;
use super::row::{Column, Delimiter, Read, Record};
use super::source::{self, Input};
use super::{ReadOptions, formats};
use crate::error::{Error, Result, nearest};

/// One public trace format.
pub struct FormatInfo {
    /// Name on the command line and in scenario files.
    pub name: &'static str,
    /// The trace in words.
    pub title: &'static str,
    /// The columns or fields that are read, with their units, and what becomes of them.
    pub columns: &'static str,
    /// Where the data comes from and under which licence.
    pub source: &'static str,
    pub(super) layout: Layout,
    pub(super) detect: fn(&Probe) -> bool,
    pub(super) make: fn() -> Box<dyn Format>,
}

/// How rows stand in a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    Table { delimiter: Delimiter, header: Header, comment: Option<char>, columns: &'static [Column] },
    JsonLines,
    Json { rows: Section, before: Option<Section> },
}

/// How the columns of a table are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// By the names in the first line.
    Named,
    /// By position; the first line is a row.
    Positional,
    /// By name if the first line holds the name of the first column, else by position.
    Either,
}

/// One format's rows into arrivals.
pub(super) trait Format: Send + Sync {
    /// Whether the file is read once before, because a row alone does not say everything.
    fn surveys(&self) -> bool {
        false
    }

    /// Remembers from a record what [`Format::arrival`] will need of others.
    fn survey(&mut self, _record: &Record) -> Read<()> {
        Ok(())
    }

    /// The arrival that a record describes, or why it describes none.
    fn arrival(&self, record: &Record) -> Read<Parsed>;
}

/// A row that was understood.
pub(super) type Parsed = Result<Timed, NotAnArrival>;

/// An arrival with its instant in the trace's own time, in microseconds.
pub(super) struct Timed {
    pub(super) at_us: i64,
    pub(super) arrival: Arrival,
}

/// Why a good row is no arrival; counted in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NotAnArrival(pub(super) &'static str);

/// The beginning of a file.
pub(super) struct Probe {
    /// The first lines that are not empty.
    pub(super) lines: Vec<String>,
}

impl Probe {
    /// The beginning of `input`.
    pub(super) fn of(input: &Input) -> Result<Probe> {
        let bytes = source::head(input, 1 << 16)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(Probe { lines: text.lines().filter(|line| !line.trim().is_empty()).take(400).map(str::to_owned).collect() })
    }

    /// Whether the first line names all of `columns`.
    pub(super) fn has_columns(&self, columns: &[&str]) -> bool {
        let Some(first) = self.lines.first() else { return false };
        let names: Vec<String> = first.split(',').map(|name| name.trim().trim_matches('"').to_lowercase()).collect();
        columns.iter().all(|column| names.iter().any(|name| name == column))
    }

    /// The fields of the first line, separated by commas.
    pub(super) fn fields(&self) -> Vec<&str> {
        self.lines.first().map(|line| line.split(',').map(str::trim).collect()).unwrap_or_default()
    }

    /// Whether the first line has `n` comma-separated fields, of which those at `numbers` are numbers or empty.
    pub(super) fn is_table(&self, n: usize, numbers: &[usize]) -> bool {
        let fields = self.fields();
        fields.len() == n && numbers.iter().all(|&i| fields[i].is_empty() || fields[i].parse::<f64>().is_ok())
    }

    /// Whether the beginning of the text holds all of `words`.
    pub(super) fn holds(&self, words: &[&str]) -> bool {
        words.iter().all(|word| self.lines.iter().any(|line| line.contains(word)))
    }
}

/// The format called `name`.
pub fn format(name: &str) -> Result<&'static FormatInfo> {
    let known = || FORMATS.iter().map(|format| format.name);
    FORMATS.iter().copied().find(|format| format.name == name).ok_or_else(|| {
        let near = nearest(name, known()).map(|near| format!("did you mean `{near}`? "));
        let list = known().collect::<Vec<_>>().join(", ");
        Error::new(format!("unknown trace format `{name}`"))
            .help(format!("{}known formats: {list}", near.unwrap_or_default()))
    })
}

/// Recognises the format of a file by its first lines.
pub fn detect_format(input: &Input) -> Result<&'static FormatInfo> {
    let probe = Probe::of(input)?;
    FORMATS.iter().copied().find(|format| (format.detect)(&probe)).ok_or_else(|| {
        let list = FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
        Error::new(format!("{}: the format of this trace is not recognised", input.name()))
            .help(format!("name it with `format`: {list}"))
    })
}

/// Reads hostile bytes as rows of one format, for fuzzing.
///
/// # Panics
///
/// If arrivals come out of order or ask for negative amounts, which no input may bring about.
pub fn fuzz_rows(format_name: &str, bytes: &[u8]) {
    let options = ReadOptions { skip_bad_rows: true, ..ReadOptions::default() };
    if let Ok(trace) = super::Trace::open(Input::memory("fuzz", bytes), Some(format_name), options)
        && let Ok(arrivals) = trace.arrivals()
    {
        let mut last = crate::engine::Time::ZERO;
        for arrival in arrivals.map_while(Result::ok) {
            assert!(last <= arrival.at, "arrivals are in order");
            assert!(arrival.n > 0 && arrival.cpu_milli >= 0 && arrival.memory_bytes >= 0, "demands are not negative");
            last = arrival.at;
        }
    }
}

/// All formats, in the order in which they are tried on an unknown file: the most telling first.
pub static FORMATS: &[&FormatInfo] = &[
    &formats::wavetank::INFO,
    &formats::alibaba_gpu_2023::INFO,
    &formats::alibaba_gpu_2020::INFO,
    &formats::alibaba_dlrm_2025::INFO,
    &formats::alibaba_spot_2026::INFO,
    &formats::helios::INFO,
    &formats::acme::INFO,
    &formats::philly_compact::INFO,
    &formats::tiresias::INFO,
    &formats::sia::INFO,
    &formats::azure_llm::INFO,
    &formats::gwf::INFO,
    &formats::philly::INFO,
    &formats::google_2019::INFO,
    &formats::batsim::INFO,
    &formats::shockwave::INFO,
    &formats::swf::INFO,
    &formats::omega::INFO,
    &formats::sparrow::INFO,
    &formats::google_2011::INFO,
    &formats::azure_vm::INFO,
    &formats::alibaba_2018::INFO,
    &formats::alibaba_2017::INFO,
];
