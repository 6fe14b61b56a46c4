//! A trace: a file of arrivals, checked once before the run and then read lazily in order of arrival.
//!
//! Opening reads the whole file once: every row is checked, so nothing about it can fail in the middle of a run, and the beginning of
//! the trace is known. A file that is in order of arrival is then streamed. One that is not is read for its instants only (16 bytes a
//! row), and its rows are fetched in batches of [`BATCH`] in order of arrival, one pass over the file for each batch: memory stays
//! bounded, packed files need no second copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arrival::Arrival;
use super::format::{Format, FormatInfo, detect_format, format};
use super::number;
use super::rows::Rows;
use super::source::Input;
use crate::engine::{Span, Time};
use crate::error::{Error, Result};

/// Rows of a file out of order that are held at a time.
pub const BATCH: usize = 1 << 17;

/// What a reader makes of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOptions {
    /// Arrivals come this many times as fast; durations stay. 2 doubles the load.
    pub speed: f64,
    /// Only arrivals at or after this instant of the trace, which becomes time zero.
    pub from: Option<Span>,
    /// Only arrivals before this instant of the trace.
    pub to: Option<Span>,
    /// At most so many arrivals.
    pub limit: Option<u64>,
    /// Factor on every CPU demand.
    pub cpu_scale: f64,
    /// Factor on every memory demand.
    pub memory_scale: f64,
    /// Count bad rows instead of failing at the first.
    pub skip_bad_rows: bool,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        ReadOptions {
            speed: 1.0,
            from: None,
            to: None,
            limit: None,
            cpu_scale: 1.0,
            memory_scale: 1.0,
            skip_bad_rows: false,
        }
    }
}

/// What was found in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Rows of the file, good and bad.
    pub rows: u64,
    /// Arrivals within the window and the limit.
    pub arrivals: u64,
    /// Bad rows that were skipped.
    pub bad_rows: u64,
    /// The first few of them.
    pub first_errors: Vec<Error>,
    /// Good rows that are no arrivals, by reason.
    pub not_arrivals: BTreeMap<&'static str, u64>,
    /// Arrivals outside the window.
    pub outside_window: u64,
    /// The first arrival in the trace's own time, microseconds.
    pub start_us: i64,
    /// From the first arrival of the file to the last.
    pub span: Span,
    /// Whether the file is in order of arrival.
    pub sorted: bool,
}

/// A checked trace.
#[derive(Clone)]
pub struct Trace {
    input: Input,
    info: &'static FormatInfo,
    format: Arc<dyn Format>,
    options: ReadOptions,
    report: ReadReport,
    /// Record numbers in order of arrival, for a file that is not.
    order: Option<Arc<[u64]>>,
}

impl Trace {
    /// Reads the file once and checks every row; the format is recognised if it is not named.
    pub fn open(input: Input, format_name: Option<&str>, options: ReadOptions) -> Result<Trace> {
        options.check()?;
        let info = match format_name {
            Some(name) => format(name)?,
            None => detect_format(&input)?,
        };
        let mut made = (info.make)();
        if made.surveys() {
            let mut rows = Rows::open(&input, info.layout, true)?;
            while rows.advance()?.is_some() {
                // A bad row is reported by the pass that follows.
                let _ = rows.read(|record| made.survey(record));
            }
        }
        let format: Arc<dyn Format> = Arc::from(made);
        let mut trace = Trace { input, info, format, options, report: ReadReport::default(), order: None };
        trace.check_rows()?;
        if !trace.report.sorted {
            trace.sort()?;
        }
        Ok(trace)
    }

    /// The format of the file.
    pub fn format(&self) -> &'static FormatInfo {
        self.info
    }

    /// The name of the file.
    pub fn name(&self) -> &str {
        self.input.name()
    }

    /// What was found in the file.
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The arrivals in order of time, then of row; read lazily, from the beginning at each call.
    pub fn arrivals(&self) -> Result<Arrivals> {
        let rows = Rows::open(&self.input, self.info.layout, false)?;
        Ok(Arrivals { trace: self.clone(), rows, n_given: 0, batch: Vec::new(), failed: false })
    }

    fn check_rows(&mut self) -> Result<()> {
        let mut report = ReadReport { sorted: true, ..ReadReport::default() };
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        self.each_row(|_, parsed| {
            report.rows += 1;
            match parsed {
                Err(error) if self.options.skip_bad_rows => {
                    report.bad_rows += 1;
                    if report.first_errors.len() < 5 {
                        report.first_errors.push(error);
                    }
                }
                Err(error) => return Err(error),
                Ok(Err(reason)) => *report.not_arrivals.entry(reason.0).or_default() += 1,
                Ok(Ok(timed)) => {
                    report.sorted &= last <= timed.at_us;
                    (first, last) = (first.min(timed.at_us), last.max(timed.at_us));
                }
            }
            Ok(())
        })?;
        report.start_us = if first <= last { first } else { 0 };
        report.span = if first <= last { Span::from_micros(last.abs_diff(first)) } else { Span::ZERO };
        self.report = report;
        self.count_window()
    }

    /// Counts the arrivals in the window, which can only be judged when the start is known.
    fn count_window(&mut self) -> Result<()> {
        if self.options.from.is_none() && self.options.to.is_none() {
            let others: u64 = self.report.not_arrivals.values().sum();
            let n = self.report.rows - self.report.bad_rows - others;
            self.report.arrivals = n.min(self.options.limit.unwrap_or(u64::MAX));
            return Ok(());
        }
        let (mut inside, mut outside) = (0, 0);
        self.each_row(|_, parsed| {
            if let Ok(Ok(timed)) = parsed {
                *if self.in_window(timed.at_us) { &mut inside } else { &mut outside } += 1;
            }
            Ok(())
        })?;
        self.report.outside_window = outside;
        self.report.arrivals = self.options.limit.unwrap_or(u64::MAX).min(inside);
        Ok(())
    }

    fn sort(&mut self) -> Result<()> {
        let mut keys: Vec<(i64, u64)> = Vec::new();
        self.each_row(|number, parsed| {
            if let Ok(Ok(timed)) = parsed
                && self.in_window(timed.at_us)
            {
                keys.push((timed.at_us, number));
            }
            Ok(())
        })?;
        keys.sort_unstable();
        self.order = Some(keys.into_iter().map(|(_, number)| number).collect());
        Ok(())
    }

    fn each_row(&self, mut row: impl FnMut(u64, Result<super::format::Parsed>) -> Result<()>) -> Result<()> {
        let mut rows = Rows::open(&self.input, self.info.layout, false)?;
        while let Some(number) = rows.advance()? {
            row(number, rows.read(|record| self.format.arrival(record)))?;
        }
        Ok(())
    }

    fn since_start(&self, at_us: i64) -> Span {
        Span::from_micros(at_us.abs_diff(self.report.start_us))
    }

    fn in_window(&self, at_us: i64) -> bool {
        let at = self.since_start(at_us);
        self.options.from.is_none_or(|from| from <= at) && self.options.to.is_none_or(|to| at < to)
    }

    /// The arrival as the options want it.
    fn finish(&self, number: u64, at_us: i64, mut arrival: Arrival) -> Arrival {
        let options = &self.options;
        let at = self.since_start(at_us).saturating_sub(options.from.unwrap_or(Span::ZERO));
        arrival.row = number;
        arrival.at = Time::from_micros(scale(at.as_micros(), 1.0 / options.speed));
        arrival.cpu_milli = scale_demand(arrival.cpu_milli, options.cpu_scale);
        arrival.memory_bytes = scale_demand(arrival.memory_bytes, options.memory_scale);
        arrival
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trace({} as {})", self.input.name(), self.info.name)
    }
}

/// The arrivals of a trace, in order of time. An error after opening means that the file has changed since.
pub struct Arrivals {
    trace: Trace,
    rows: Rows,
    n_given: u64,
    /// Arrivals of the batch at hand, the next one last.
    batch: Vec<Arrival>,
    /// After an error nothing more comes.
    failed: bool,
}

impl Iterator for Arrivals {
    type Item = Result<Arrival>;

    fn next(&mut self) -> Option<Result<Arrival>> {
        if self.failed || self.trace.options.limit.is_some_and(|limit| limit <= self.n_given) {
            return None;
        }
        let next = match self.trace.order.clone() {
            None => self.next_in_file().transpose(),
            Some(order) => self.next_in_order(&order).transpose(),
        };
        self.n_given += 1;
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

impl Arrivals {
    fn next_in_file(&mut self) -> Result<Option<Arrival>> {
        while let Some(number) = self.rows.advance()? {
            match self.rows.read(|record| self.trace.format.arrival(record)) {
                Err(_) if self.trace.options.skip_bad_rows => {}
                Err(error) => return Err(error),
                Ok(Ok(timed)) if self.trace.in_window(timed.at_us) => {
                    return Ok(Some(self.trace.finish(number, timed.at_us, timed.arrival)));
                }
                Ok(_) => {}
            }
        }
        Ok(None)
    }

    fn next_in_order(&mut self, order: &[u64]) -> Result<Option<Arrival>> {
        if self.batch.is_empty() {
            let begin = usize::try_from(self.n_given).unwrap_or(usize::MAX).min(order.len());
            let wanted = &order[begin..order.len().min(begin + BATCH)];
            self.fetch(wanted)?;
        }
        Ok(self.batch.pop())
    }

    /// One pass over the file for the rows of one batch.
    fn fetch(&mut self, wanted: &[u64]) -> Result<()> {
        let mut by_number: Vec<(u64, usize)> =
            wanted.iter().enumerate().map(|(rank, &number)| (number, rank)).collect();
        by_number.sort_unstable();
        let mut found: Vec<Option<Arrival>> = vec![None; wanted.len()];
        let mut rows = Rows::open(&self.trace.input, self.trace.info.layout, false)?;
        for (wanted_number, rank) in by_number {
            while let Some(number) = rows.advance()? {
                if number < wanted_number {
                    continue;
                }
                if let Ok(timed) = rows.read(|record| self.trace.format.arrival(record))? {
                    found[rank] = Some(self.trace.finish(number, timed.at_us, timed.arrival));
                }
                break;
            }
        }
        self.batch = found.into_iter().rev().flatten().collect();
        Ok(())
    }
}

impl ReadOptions {
    /// Refuses factors that are not finite and positive, and an empty window.
    pub fn check(&self) -> Result<()> {
        for (name, factor) in [("speed", self.speed), ("cpuScale", self.cpu_scale), ("memoryScale", self.memory_scale)]
        {
            if !(1e-9..=1e9).contains(&factor) {
                let what = format!("`{name}` is {factor}, which is not a usable factor");
                return Err(Error::new(what).help("a factor lies above 0, such as 0.5 or 2"));
            }
        }
        match (self.from, self.to) {
            (from, Some(to)) if to <= from.unwrap_or(Span::ZERO) => {
                Err(Error::new("the window of the trace is empty").help("`from` lies before `to`"))
            }
            _ => Ok(()),
        }
    }
}

fn scale(value: u64, factor: f64) -> u64 {
    // A float to integer cast saturates.
    if factor == 1.0 { value } else { (value as f64 * factor).round() as u64 }
}

fn scale_demand(value: i64, factor: f64) -> i64 {
    match factor {
        1.0 => value,
        _ => number::from_float(value as f64 * factor, 1).unwrap_or(i64::MAX),
    }
}
