//! `wavetank get`, `describe`, `events`, `top`, `rollout`: kubectl's view of a run at a virtual instant. The run is its own recording: going back in
//! time is simulating again.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::progress::{Interrupt, Progress};
use super::{Exit, Failure, Global};
use crate::engine::{Span, Time};
use crate::error::Error;
use crate::kubectl::command::parse;
use crate::kubectl::top::{Amount, Usage};
use crate::kubectl::{View, show};
use crate::scenario::{Scenario, load};
use crate::simulation::Simulation;

/// Arguments of `get` and `describe`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  wavetank get pods scenarios/rolling-update.yaml --at 90s -o wide
  wavetank get deployment web scenarios/rolling-update.yaml --at 90s -o yaml
  wavetank get pods scenarios/rolling-update.yaml -l app=web --sort-by .spec.nodeName
  wavetank describe pod web-0 scenarios/rolling-update.yaml --at 4m")]
pub(crate) struct LookArgs {
    /// What to show, as after `kubectl get`, and the file of the scenario last
    #[arg(required = true, num_args = 2.., value_name = "KIND [NAME...] FILE")]
    words: Vec<String>,
    #[command(flatten)]
    when: When,
    /// Output: wide, yaml, json, name, jsonpath=..., custom-columns=..., go-template=...
    #[arg(long, short = 'o', value_name = "FORMAT")]
    output: Option<String>,
    /// Namespace
    #[arg(long, short = 'n', value_name = "NAME")]
    namespace: Option<String>,
    /// All namespaces
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Label selector
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<String>,
    /// Field selector
    #[arg(long, value_name = "SELECTOR")]
    field_selector: Option<String>,
    /// Sort by a JSONPath
    #[arg(long, value_name = "JSONPATH")]
    sort_by: Option<String>,
    /// Show all labels as the last column
    #[arg(long)]
    show_labels: bool,
    /// Labels shown as columns
    #[arg(long, short = 'L', value_name = "KEYS")]
    label_columns: Option<String>,
    /// No headers
    #[arg(long)]
    no_headers: bool,
    /// The kind before each name
    #[arg(long)]
    show_kind: bool,
    /// Nothing is said of what is not there
    #[arg(long)]
    ignore_not_found: bool,
}

/// Arguments of `top`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  wavetank top pods scenarios/rolling-update.yaml --at 90s --sort-by memory
  wavetank top nodes scenarios/rolling-update.yaml")]
pub(crate) struct TopArgs {
    /// What to show, as after `kubectl top`, and the file of the scenario last
    #[arg(required = true, num_args = 2.., value_name = "pods|nodes [NAME] FILE")]
    words: Vec<String>,
    #[command(flatten)]
    when: When,
    /// Namespace
    #[arg(long, short = 'n', value_name = "NAME")]
    namespace: Option<String>,
    /// All namespaces
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Label selector
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<String>,
    /// Sort by cpu or memory
    #[arg(long, value_name = "RESOURCE")]
    sort_by: Option<String>,
    /// Each container
    #[arg(long)]
    containers: bool,
    /// The sum below
    #[arg(long)]
    sum: bool,
    /// No headers
    #[arg(long)]
    no_headers: bool,
}

/// Arguments of `rollout`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  wavetank rollout status deployment/web scenarios/rolling-update.yaml --at 45s
  wavetank rollout history deployment/web scenarios/rolling-update.yaml --revision 2")]
pub(crate) struct RolloutArgs {
    /// `status` or `history`, the workload, and the file of the scenario last
    #[arg(required = true, num_args = 3.., value_name = "status|history KIND/NAME FILE")]
    words: Vec<String>,
    #[command(flatten)]
    when: When,
    /// Namespace
    #[arg(long, short = 'n', value_name = "NAME")]
    namespace: Option<String>,
    /// One revision
    #[arg(long, value_name = "NUMBER")]
    revision: Option<i64>,
}

/// Arguments of `events`.
#[derive(Args, Debug)]
pub(crate) struct EventsArgs {
    /// Scenario and manifests
    #[arg(required = true, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    when: When,
    /// Only events about this object: kind/name
    #[arg(long = "for", value_name = "OBJECT")]
    about: Option<String>,
    /// Only these types: Normal, Warning
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    /// Namespace
    #[arg(long, short = 'n', value_name = "NAME")]
    namespace: Option<String>,
    /// All namespaces
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Output: yaml, json
    #[arg(long, short = 'o', value_name = "FORMAT")]
    output: Option<String>,
}

/// At which instant.
#[derive(Args, Debug)]
struct When {
    /// Virtual time; default is the end of the run
    #[arg(long, value_name = "TIME")]
    at: Option<Span>,
}

pub(super) fn get(args: &LookArgs, global: &Global) -> Result<Exit, Failure> {
    look("get", args, global)
}

pub(super) fn describe(args: &LookArgs, global: &Global) -> Result<Exit, Failure> {
    look("describe", args, global)
}

pub(super) fn events(args: &EventsArgs, global: &Global) -> Result<Exit, Failure> {
    let mut words = vec!["events".to_owned()];
    flag(&mut words, "--for", args.about.as_deref());
    flag(&mut words, "--types", args.types.as_deref());
    flag(&mut words, "-n", args.namespace.as_deref());
    flag(&mut words, "-o", args.output.as_deref());
    words.extend(args.all_namespaces.then(|| "-A".to_owned()));
    show_at(&words, &args.file, args.when.at, global)
}

fn look(verb: &str, args: &LookArgs, global: &Global) -> Result<Exit, Failure> {
    let Some((file, names)) = args.words.split_last() else { return Ok(Exit::Done) };
    let mut words = vec![verb.to_owned()];
    words.extend(names.iter().map(|name| quote(name)));
    flag(&mut words, "-o", args.output.as_deref());
    flag(&mut words, "-n", args.namespace.as_deref());
    flag(&mut words, "-l", args.selector.as_deref());
    flag(&mut words, "--field-selector", args.field_selector.as_deref());
    flag(&mut words, "--sort-by", args.sort_by.as_deref());
    flag(&mut words, "-L", args.label_columns.as_deref());
    switches(
        &mut words,
        &[
            ("-A", args.all_namespaces),
            ("--show-labels", args.show_labels),
            ("--no-headers", args.no_headers),
            ("--show-kind", args.show_kind),
            ("--ignore-not-found", args.ignore_not_found),
        ],
    );
    show_at(&words, &PathBuf::from(file), args.when.at, global)
}

pub(super) fn top(args: &TopArgs, global: &Global) -> Result<Exit, Failure> {
    let Some((file, names)) = args.words.split_last() else { return Ok(Exit::Done) };
    let mut words = vec!["top".to_owned()];
    words.extend(names.iter().map(|name| quote(name)));
    flag(&mut words, "-n", args.namespace.as_deref());
    flag(&mut words, "-l", args.selector.as_deref());
    flag(&mut words, "--sort-by", args.sort_by.as_deref());
    switches(
        &mut words,
        &[
            ("-A", args.all_namespaces),
            ("--containers", args.containers),
            ("--sum", args.sum),
            ("--no-headers", args.no_headers),
        ],
    );
    show_at(&words, &PathBuf::from(file), args.when.at, global)
}

pub(super) fn rollout(args: &RolloutArgs, global: &Global) -> Result<Exit, Failure> {
    let Some((file, names)) = args.words.split_last() else { return Ok(Exit::Done) };
    let mut words = vec!["rollout".to_owned()];
    words.extend(names.iter().map(|name| quote(name)));
    flag(&mut words, "-n", args.namespace.as_deref());
    let revision = args.revision.map(|revision| revision.to_string());
    flag(&mut words, "--revision", revision.as_deref());
    show_at(&words, &PathBuf::from(file), args.when.at, global)
}

fn switches(words: &mut Vec<String>, given: &[(&str, bool)]) {
    words.extend(given.iter().filter(|(_, on)| *on).map(|(word, _)| (*word).to_owned()));
}

/// What metrics-server found at its last scrape; none if it is not installed.
fn usage(simulation: &Simulation) -> Option<Usage> {
    let cluster = &simulation.cluster;
    if !cluster.metrics_api.served {
        return None;
    }
    let mut usage = Usage::default();
    for (node, row) in cluster.nodes() {
        let (cpu_milli, memory_bytes) = cluster.metrics_api.node(row).unwrap_or_default();
        usage.nodes.insert(cluster.name(node).to_owned(), Amount { cpu_milli, memory_bytes });
    }
    for (pod, metrics) in cluster.metrics_api.pods().filter(|&(pod, _)| !cluster.pod(pod).meta.removed) {
        let key = (cluster.namespace(pod).to_owned(), cluster.name(pod).to_owned());
        let containers = usage.pods.entry(key).or_default();
        for container in &metrics.containers {
            let amount = Amount { cpu_milli: container.cpu_milli, memory_bytes: container.memory_bytes };
            containers.insert(cluster.interner.text(container.container).to_owned(), amount);
        }
    }
    Some(usage)
}

fn flag(words: &mut Vec<String>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        words.push(name.to_owned());
        words.push(quote(value));
    }
}

/// A word of a command line in single quotes.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn show_at(words: &[String], file: &PathBuf, at: Option<Span>, global: &Global) -> Result<Exit, Failure> {
    let command = parse(&words.join(" "))?;
    let loaded = load(std::slice::from_ref(file), &global.load_options(false))?;
    global.warn(&loaded.warnings);
    let mut simulation = loaded.scenario.build()?;
    if words.first().is_some_and(|verb| verb == "top") && simulation.cluster.metrics_api.served {
        simulation = simulation.with_metrics_server();
    }
    let simulation = simulate(simulation, &loaded.scenario, at, global)?;
    let cluster = &simulation.cluster;
    let objects = cluster.export_all();
    let now = cluster.epoch_seconds * 1_000_000 + i64::try_from(cluster.now().as_micros()).unwrap_or(i64::MAX);
    let view = View { objects: &objects, now, namespace: "default" };
    let output =
        show(&command, &view, usage(&simulation).as_ref()).ok_or_else(|| Error::new("this command shows nothing"))?;
    anstream::stdout().lock().write_all(output.stdout.as_bytes())?;
    let _ = anstream::stderr().lock().write_all(output.stderr.as_bytes());
    Ok(if output.exit == 0 { Exit::Done } else { Exit::Failed })
}

/// Runs a scenario until an instant, or to its end.
fn simulate(
    mut simulation: Simulation,
    scenario: &Scenario,
    at: Option<Span>,
    global: &Global,
) -> Result<Simulation, Failure> {
    let until = at.map_or(scenario.horizon, |span| Time::ZERO + span);
    let mut progress = Progress::new(until, global.quiet, Interrupt::catch());
    let until_settled = scenario.until_settled && at.is_none();
    let ended = simulation.run(until, until_settled, &mut [&mut progress]);
    progress.finish();
    ended.map_err(|stuck| Error::new(stuck.to_string()))?;
    Ok(simulation)
}
