//! `wavetank run`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::clock::Stopwatch;
use super::progress::{Interrupt, Progress};
use super::{Exit, Failure, Global};
use crate::cluster::{Change, Cluster, Observer};
use crate::engine::Time;
use crate::error::Error;
use crate::metrics::{Recorder, RunFigures, Summary};
use crate::report::{Run, terminal_summary, write_atomically, write_report};
use crate::scenario::expect::{ExpectationChecker, Verdict};
use crate::scenario::{Scenario, load};
use crate::simulation::{Ended, Simulation};

/// Arguments of `run`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  wavetank run web.yaml
  wavetank run scenarios/rolling-update.yaml --seed 7 --out /tmp/report
  wavetank run scenarios/rolling-update.yaml --set spec.horizon=20m --no-report")]
pub(crate) struct RunArgs {
    /// Scenario and manifests: files, folders, or `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder for the report [default: reports/<scenario>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write no files, only print the summary
    #[arg(long, conflicts_with = "out")]
    no_report: bool,
    /// Read folders inside folders too
    #[arg(long, short = 'R')]
    recursive: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RunArgs, global: &Global) -> Result<Exit, Failure> {
    let loaded = load(&args.files, &global.load_options(args.recursive))?;
    global.warn(&loaded.warnings);
    let folder = match (&args.out, args.no_report) {
        (_, true) => None,
        (Some(folder), false) => Some(folder.clone()),
        (None, false) => Some(PathBuf::from("reports").join(file_name(&loaded.scenario.name))),
    };
    let options = RunOptions { folder, json: args.json };
    run_scenario(&loaded.scenario, &options, global)
}

/// What is done with a run.
pub(super) struct RunOptions {
    /// Where the report goes; `None` for nowhere.
    pub(super) folder: Option<PathBuf>,
    /// Whether the summary is printed as JSON.
    pub(super) json: bool,
}

/// A finished run.
pub(super) struct Finished {
    pub(super) simulation: Simulation,
    pub(super) recorder: Recorder,
    pub(super) summary: Summary,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) figures: RunFigures,
    pub(super) ended: Ended,
}

/// Runs a scenario to its end, or until Ctrl-C.
pub(super) fn execute(
    scenario: &Scenario,
    keep_timeline: bool,
    quiet: bool,
    interrupt: &Interrupt,
) -> Result<Finished, Failure> {
    let mut simulation = scenario.build()?;
    let mut recorder = scenario.recorder(keep_timeline);
    let mut checker = Checking { checker: scenario.checker() };
    let mut progress = Progress::new(scenario.horizon, quiet, interrupt.clone());
    let watch = Stopwatch::start();
    let observers: &mut [&mut dyn Observer] = &mut [&mut recorder, &mut checker, &mut progress];
    let ended = simulation.run(scenario.horizon, scenario.until_settled, observers).map_err(|stuck| {
        Error::new(stuck.to_string()).help("this is a defect of Wavetank: please report the scenario")
    });
    progress.finish();
    let ended = ended?;
    let wall_seconds = watch.elapsed().as_secs_f64();
    let n_events = simulation.n_events();
    let cluster = &simulation.cluster;
    let summary = recorder.summary(&scenario.name, scenario.seed, ended.as_str(), n_events, cluster);
    let verdicts = checker.checker.finish(cluster.now(), &recorder, &summary, cluster);
    let figures = RunFigures { wall_seconds, events_per_second: n_events as f64 / wall_seconds.max(1e-9) };
    Ok(Finished { simulation, recorder, summary, verdicts, figures, ended })
}

/// Runs a scenario, prints its summary and verdicts, writes its report.
pub(super) fn run_scenario(scenario: &Scenario, options: &RunOptions, global: &Global) -> Result<Exit, Failure> {
    let interrupt = Interrupt::catch();
    if let Some(folder) = &options.folder {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::new(format!("cannot make the folder {}: {error}", folder.display())))?;
    }
    let finished = execute(scenario, options.folder.is_some(), global.quiet, &interrupt)?;
    let run = Run {
        cluster: &finished.simulation.cluster,
        recorder: &finished.recorder,
        summary: &finished.summary,
        figures: finished.figures,
    };
    let mut out = anstream::stdout().lock();
    if options.json {
        let text = serde_json::json!({ "summary": finished.summary, "verdicts": finished.verdicts });
        writeln!(out, "{text:#}")?;
    } else {
        write!(out, "{}", terminal_summary(&run))?;
        print_verdicts(&mut out, &finished.verdicts)?;
    }
    print_failed_steps(&finished, global);
    if finished.ended == Ended::Interrupted {
        let mut err = anstream::stderr().lock();
        writeln!(err, "interrupted at {} of {}", finished.simulation.now(), scenario.horizon)?;
    }
    if let Some(folder) = &options.folder {
        // Files already begun are finished; a second Ctrl-C ends the process.
        let written = write_report(&run, folder, || true)?;
        let verdicts = serde_json::to_vec_pretty(&finished.verdicts).unwrap_or_default();
        write_atomically(&folder.join("verdicts.json"), &verdicts)?;
        if !global.quiet {
            writeln!(anstream::stderr().lock(), "report     {} ({} files)", folder.display(), written.len() + 1)?;
        }
    }
    let holds = finished.verdicts.iter().all(|verdict| verdict.holds);
    Ok(if holds && finished.ended != Ended::Interrupted { Exit::Done } else { Exit::Failed })
}

fn print_verdicts(out: &mut impl std::io::Write, verdicts: &[Verdict]) -> std::io::Result<()> {
    let (green, red) = (anstyle::AnsiColor::Green.on_default(), anstyle::AnsiColor::Red.on_default().bold());
    for verdict in verdicts {
        let at = Time::from_micros((verdict.at_seconds * 1e6) as u64);
        match verdict.holds {
            true => writeln!(out, "{green}holds{green:#}      {}", verdict.expectation)?,
            false => {
                writeln!(out, "{red}fails{red:#}      {}", verdict.expectation)?;
                writeln!(out, "           at {at}: {}", verdict.found)?;
            }
        }
    }
    Ok(())
}

/// Steps that ended with an error are told, as a user's terminal would.
fn print_failed_steps(finished: &Finished, global: &Global) {
    if global.quiet {
        return;
    }
    for (step, answer) in finished.simulation.client.answers().filter(|(_, answer)| answer.failed) {
        let mut err = anstream::stderr().lock();
        let _ = writeln!(err, "step at {} failed: {}", step.at, step.text);
        for line in &answer.stderr {
            let _ = writeln!(err, "    {line}");
        }
    }
}

/// A name that is a file name.
fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().take(100).map(safe).collect();
    match name.trim_matches('.') {
        "" => "scenario".to_owned(),
        name => name.to_owned(),
    }
}

/// Lets a checker of expectations follow a run.
struct Checking {
    checker: ExpectationChecker,
}

impl Observer for Checking {
    fn change(&mut self, at: Time, _: u32, _: u32, change: Change, cluster: &Cluster) {
        self.checker.observe(at, change, cluster);
    }

    fn advance(&mut self, to: Time, cluster: &Cluster) {
        self.checker.advance(to, cluster);
    }
}
