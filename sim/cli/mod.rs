//! The command line: one file per command. Results go to standard output, everything else to standard error; exit 0 for done,
//! 1 for an expectation, a case or a manifest that does not hold, 2 for bad input. A broken pipe is quiet.

mod bench;
mod check;
mod clock;
mod conformance;
pub mod diagnostics;
mod explain;
mod generated;
mod look;
mod progress;
mod replay;
mod run;
mod swarm;
mod timeline;
mod trace;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::error::Error;
use crate::scenario::LoadOptions;

/// A deterministic cluster simulator and scheduling lab for Kubernetes.
#[derive(Parser, Debug)]
#[command(name = "wavetank", version, max_term_width = 110, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  wavetank run web.yaml                                   plain manifests on a default cluster
  wavetank run scenarios/rolling-update.yaml --seed 7     a scenario
  wavetank get pods scenarios/rolling-update.yaml --at 4m kubectl's view at a virtual instant
  wavetank check deploy/ -R                               what the API server would say of these manifests
  wavetank replay pods.csv --nodes nodes.csv              a public trace
  wavetank conformance golden/                            golden answers of the real Kubernetes against ours";

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Seed of every random number of the run; wins over the scenario's
    #[arg(long, global = true, value_name = "N")]
    seed: Option<u64>,
    /// Change one value of the scenario: spec.path=value (may be repeated)
    #[arg(long, global = true, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Print results only: no warnings, no progress
    #[arg(long, short = 'q', global = true)]
    quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorWhen,
    /// Worker threads; results never depend on it
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
}

/// When to use colours; `NO_COLOR` and `CLICOLOR` are respected with `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a scenario, or plain manifests on a default cluster
    Run(run::RunArgs),
    /// Say what the API server would say of manifests and scenarios, without running anything
    Check(check::CheckArgs),
    /// Print the JSON Schema of scenario files
    Schema,
    /// Run golden cases of the real Kubernetes against ours
    Conformance(conformance::ConformanceArgs),
    /// Show objects at a virtual instant, as `kubectl get` does
    Get(look::LookArgs),
    /// Show one object in full at a virtual instant, as `kubectl describe` does
    Describe(look::LookArgs),
    /// Show events up to a virtual instant, as `kubectl events` does
    Events(look::EventsArgs),
    /// Show what pods or nodes use at a virtual instant, as `kubectl top` does
    Top(look::TopArgs),
    /// Show how far a rollout is at a virtual instant, or its revisions, as `kubectl rollout status|history` does
    Rollout(look::RolloutArgs),
    /// Explain the last scheduling decision for a pod
    Explain(explain::ExplainArgs),
    /// Print what happened, when, and why: every change with its cause
    Timeline(timeline::TimelineArgs),
    /// Work with workload traces
    #[command(subcommand)]
    Trace(trace::TraceCommand),
    /// Run a public trace on a list of nodes
    Replay(replay::ReplayArgs),
    /// Measure this build on this machine, one line per size
    Bench(bench::BenchArgs),
    /// Run random cases with faults and look for a law that breaks
    Swarm(swarm::SwarmArgs),
    /// Print what is modelled and what is not, as Markdown
    Modelled,
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// How a command ended.
pub(crate) enum Exit {
    /// Done.
    Done,
    /// An expectation or a case did not hold.
    Failed,
}

/// Why a command could not do its work.
pub(crate) enum Failure {
    /// Bad input: every mistake found.
    Input(Vec<Error>),
    /// Standard output is closed.
    BrokenPipe,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Input(vec![error])
    }
}

impl From<Vec<Error>> for Failure {
    fn from(errors: Vec<Error>) -> Failure {
        Failure::Input(errors)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::Input(vec![Error::new(format!("cannot write: {error}"))]),
        }
    }
}

/// Parses the command line, does what it says, and returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match cli.global.color {
        ColorWhen::Auto => anstream::ColorChoice::Auto,
        ColorWhen::Always => anstream::ColorChoice::Always,
        ColorWhen::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    if let Some(threads) = cli.global.threads {
        // Fails only if the pool exists already, which nothing before this line can have made.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
    match dispatch(&cli) {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Failed) => ExitCode::from(1),
        Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(Failure::Input(errors)) => {
            diagnostics::print_errors(&errors);
            ExitCode::from(2)
        }
    }
}

fn dispatch(cli: &Cli) -> Result<Exit, Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Run(args) => run::run(args, global),
        Command::Check(args) => check::check(args, global),
        Command::Schema => print(&generated::schema()),
        Command::Conformance(args) => conformance::conformance(args, global),
        Command::Get(args) => look::get(args, global),
        Command::Describe(args) => look::describe(args, global),
        Command::Events(args) => look::events(args, global),
        Command::Top(args) => look::top(args, global),
        Command::Rollout(args) => look::rollout(args, global),
        Command::Explain(args) => explain::explain(args, global),
        Command::Timeline(args) => timeline::timeline(args, global),
        Command::Trace(command) => trace::trace(command, global),
        Command::Replay(args) => replay::replay(args, global),
        Command::Bench(args) => bench::bench(args, global),
        Command::Swarm(args) => swarm::swarm_command(args, global),
        Command::Modelled => print(&crate::modelled::markdown()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "wavetank", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            print(&String::from_utf8_lossy(&page))
        }
    }
}

/// Prints a result.
fn print(text: &str) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

impl Global {
    fn load_options(&self, recursive: bool) -> LoadOptions {
        LoadOptions { seed: self.seed, set: self.set.clone(), recursive }
    }

    /// Prints warnings, unless they are not wanted.
    fn warn(&self, warnings: &[Error]) {
        if !self.quiet {
            diagnostics::print_warnings(warnings);
        }
    }
}
