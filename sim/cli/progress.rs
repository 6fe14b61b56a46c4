//! The progress bar of runs that take more than two seconds, and Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::clock::Stopwatch;
use crate::cluster::{Change, Cluster, Observer};
use crate::engine::Time;

/// A run shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the user has pressed Ctrl-C.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Catches Ctrl-C from now on. A second press ends the process at once.
    pub(super) fn catch() -> Interrupt {
        let interrupt = Interrupt::default();
        let flag = interrupt.0.clone();
        // Without a handler Ctrl-C ends the process, which is an acceptable fallback.
        let _ = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        });
        interrupt
    }

    /// Whether it was pressed.
    pub(super) fn pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Shows how far a run is.
pub(super) struct Progress {
    bar: ProgressBar,
    watch: Stopwatch,
    shown: bool,
    quiet: bool,
    interrupt: Interrupt,
}

impl Progress {
    /// A bar from 0 to `horizon`; nothing is shown with `quiet` or where standard error is no terminal.
    pub(super) fn new(horizon: Time, quiet: bool, interrupt: Interrupt) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(horizon.as_micros()), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{bar:30} {percent:>3}% {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress { bar, watch: Stopwatch::start(), shown: false, quiet, interrupt }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress {
    fn change(&mut self, _: Time, _: u32, _: u32, _: Change, _: &Cluster) {}

    fn go_on(&mut self, at: Time, n_events: u64, cluster: &Cluster) -> bool {
        let elapsed = self.watch.elapsed();
        if !self.quiet && elapsed >= PATIENCE && n_events.is_multiple_of(16_384) {
            if !self.shown {
                self.shown = true;
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            let rate = n_events as f64 / elapsed.as_secs_f64() / 1e3;
            let pending = cluster.pods().filter(|(_, pod)| pod.placed().is_none()).count();
            self.bar.set_position(at.as_micros());
            self.bar.set_message(format!("{at}  {rate:.0} k events/s  {pending} pods pending"));
        }
        !self.interrupt.pressed()
    }
}
