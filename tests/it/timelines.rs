//! Golden timelines: every scenario of `tests/golden/timelines` gives the timeline beside it, to the letter, and keeps its
//! expectations, which say the key instants of the arithmetic in its first lines. Every change has a cause, but for what is there from the
//! beginning. `WAVETANK_BLESS=1` writes the timelines anew:
//! read the difference before you keep it.

use std::path::{Path, PathBuf};

use wavetank::cluster::{Change, Cluster, NO_CAUSE, News, Observer, Outage, What};
use wavetank::engine::Time;
use wavetank::metrics::RunFigures;
use wavetank::report::{Line, Run, timeline_text};
use wavetank::scenario::expect::ExpectationChecker;

use super::scenarios::scenario;

/// Checks expectations, and that nobody writes while nothing can be written.
struct Checking(ExpectationChecker);

impl Observer for Checking {
    fn change(&mut self, at: Time, _: u32, _: u32, change: Change, cluster: &Cluster) {
        self.0.observe(at, change, cluster);
    }

    fn advance(&mut self, to: Time, cluster: &Cluster) {
        self.0.advance(to, cluster);
    }
}

/// That nobody writes to the store while the API server is down or etcd has no leader.
#[derive(Default)]
pub(crate) struct NobodyWrites {
    down: bool,
    pub(crate) n_outages: usize,
}

impl Observer for NobodyWrites {
    fn change(&mut self, at: Time, _: u32, _: u32, change: Change, cluster: &Cluster) {
        let of_the_world =
            matches!(change.what, What::Kubelet | What::World(_) | What::Assumed(_) | What::Forgotten(_));
        assert!(!self.down || of_the_world, "{at}: {} {:?} was written", cluster.name(change.object), change.what);
    }

    fn outage(&mut self, _: Time, news: News, _: &Cluster) {
        if let Outage::Writable(writable) = news.outage {
            self.n_outages += usize::from(!writable);
            self.down = !writable;
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/timelines")
}

/// The timeline of a scenario, and what it does not keep of its expectations.
fn run(file: &Path) -> (String, Vec<String>) {
    let scenario = scenario(file);
    assert!(!scenario.expectations.is_empty(), "{} expects nothing", file.display());
    let mut simulation = scenario.build().expect("a scenario that was loaded can be built").with_checks();
    let (mut recorder, mut checker) = (scenario.recorder(true), Checking(scenario.checker()));
    let mut nobody = NobodyWrites::default();
    let ended =
        simulation.run(scenario.horizon, scenario.until_settled, &mut [&mut recorder, &mut checker, &mut nobody]);
    let ended = ended.expect("an instant that ends").as_str();
    let cluster = &simulation.cluster;
    let summary = recorder.summary(&scenario.name, scenario.seed, ended, simulation.n_events(), cluster);
    let verdicts = checker.0.finish(cluster.now(), &recorder, &summary, cluster);
    let broken = verdicts.iter().filter(|verdict| !verdict.holds).map(|verdict| format!("{verdict:?}"));
    let mut broken: Vec<String> = broken.collect();
    let run = Run { cluster, recorder: &recorder, summary: &summary, figures: RunFigures::default() };
    broken.extend(without_cause(&run));
    let text = timeline_text(&run).expect("a timeline");
    (String::from_utf8(text).expect("UTF-8"), broken)
}

/// Changes after the first instant that nothing caused, and lines whose cause is no line or comes later.
fn without_cause(run: &Run<'_>) -> Vec<String> {
    let is_wrong = |line: &Line<'_>| match Line::of_number(line.cause(), run) {
        None => line.cause() != NO_CAUSE || (line.object().is_some() && line.at() > Time::ZERO),
        Some(cause) => cause.at() > line.at() || line.object().is_some() && cause.number() == line.number(),
    };
    Line::all(run).filter(is_wrong).map(|line| format!("no cause: {}", line.text(run).trim())).take(3).collect()
}

/// The answer to the question that this program exists for: from the death of a machine to a Deployment that serves too little.
#[test]
fn the_causes_of_a_step_lead_back_to_the_fault() {
    let scenario = scenario(&folder().join("rollout-unready-and-node-loss.yaml"));
    let mut simulation = scenario.build().expect("a scenario that was loaded can be built");
    let mut recorder = scenario.recorder(true);
    let until = Time::from_secs(150);
    let ended = simulation.run(until, false, &mut [&mut recorder]).expect("an instant that ends");
    let cluster = &simulation.cluster;
    let summary = recorder.summary(&scenario.name, scenario.seed, ended.as_str(), simulation.n_events(), cluster);
    let run = Run { cluster, recorder: &recorder, summary: &summary, figures: RunFigures::default() };
    let is_web = |line: &Line<'_>| line.object().is_some_and(|object| cluster.kind(object) == "Deployment");
    let last = Line::all(&run).filter(is_web).last().expect("the Deployment has changed");
    let chain: Vec<String> = last.with_causes(&run).iter().map(|line| line.text(&run)).collect();
    let want = [
        "fault begins: crash of node node-1",
        "machine is down",
        "Ready=False",
        "readyReplicas 3->2",
        "Available=False",
    ];
    assert_eq!(chain.len(), want.len(), "{chain:?}");
    for (line, want) in chain.iter().zip(want) {
        assert!(line.contains(want), "{want}: {line}");
    }
}

#[test]
fn every_timeline_is_as_reviewed() {
    let entries = std::fs::read_dir(folder()).expect("the folder of timelines");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/failing-rollout.yaml"));
    files.sort();
    assert!(files.len() >= 25, "{} scenarios", files.len());
    let bless = std::env::var_os("WAVETANK_BLESS").is_some();
    let mut problems = Vec::new();
    for file in files {
        let (text, broken) = run(&file);
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        problems.extend(broken.into_iter().map(|verdict| format!("{name}: {verdict}")));
        let golden = folder().join(format!("{name}.timeline.txt"));
        if bless {
            std::fs::write(&golden, &text).expect("a folder that can be written to");
            continue;
        }
        let want = std::fs::read_to_string(&golden).unwrap_or_default();
        if want != text {
            let (nth, pair) = want
                .lines()
                .map(Some)
                .chain(std::iter::repeat(None))
                .zip(text.lines().map(Some).chain(std::iter::repeat(None)))
                .enumerate()
                .find(|(_, (want, got))| want != got)
                .unwrap_or((0, (None, None)));
            problems.push(format!("{name}: line {}: wanted {:?}, got {:?}", nth + 1, pair.0, pair.1));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
