//! The rules of ARCHITECTURE.md that a machine can check: which folder may use which, how long a file may grow, and what no file says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What each folder or file of `sim/` may use of its siblings. `error` may be used by all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("engine", &[]),
    ("error", &[]),
    ("api", &["engine"]),
    ("kubectl", &["engine", "api"]),
    ("modelled", &["api"]),
    ("cluster", &["engine", "api"]),
    ("kubelet", &["engine", "api", "cluster"]),
    ("controllers", &["engine", "api", "cluster"]),
    ("scheduler", &["engine", "api", "cluster"]),
    ("faults", &["engine", "api", "cluster"]),
    ("client", &["engine", "api", "kubectl", "cluster"]),
    ("simulation", &["engine", "api", "cluster", "kubelet", "controllers", "scheduler", "faults", "client"]),
    ("workload", &["engine", "api", "cluster"]),
    ("metrics", &["engine", "api", "cluster", "simulation"]),
    ("report", &["engine", "api", "cluster", "simulation", "metrics"]),
    (
        "scenario",
        &[
            "engine",
            "api",
            "kubectl",
            "modelled",
            "cluster",
            "kubelet",
            "controllers",
            "scheduler",
            "faults",
            "client",
            "simulation",
            "workload",
            "metrics",
        ],
    ),
    ("swarm", &["engine", "api", "cluster", "scenario"]),
    ("fuzzing", &["api", "kubectl", "controllers", "workload"]),
    (
        "conformance",
        &[
            "engine",
            "api",
            "kubectl",
            "cluster",
            "kubelet",
            "controllers",
            "scheduler",
            "faults",
            "client",
            "simulation",
            "scenario",
            "metrics",
        ],
    ),
];

/// Longest file, in lines.
const MAX_LINES: usize = 600;

/// What no file below `cli` may say, with the reason.
const FORBIDDEN: &[(&str, &str)] = &[
    ("println!", "nothing below `cli` prints"),
    ("eprintln!", "nothing below `cli` prints"),
    ("std::env::", "nothing below `cli` reads the environment"),
    ("Instant::now", "the virtual clock is the only clock"),
    ("SystemTime::now", "the virtual clock is the only clock"),
    ("todo!(", "nothing is left to be done in silence"),
    ("unimplemented!(", "nothing is left to be done in silence"),
];

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("sim");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                files.push((path.strip_prefix(&root).expect("below sim").to_owned(), text));
            }
        }
    }
    files.sort();
    files
}

/// The folder or file of `sim/` to which a path belongs.
fn part(path: &Path) -> String {
    let first = path.iter().next().unwrap_or_default().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// A source without its tests, which may use anything.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

/// Whether a file is made for tests only.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| {
        let part = part.to_string_lossy();
        let part = part.trim_end_matches(".rs");
        part == "testing" || part.contains("test")
    })
}

/// The parts of `sim/` that a source names as `crate::part`.
fn used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for rest in line.split("crate::").skip(1) {
            let names = rest.strip_prefix('{').map_or_else(|| vec![rest], |list| list.split(", ").collect());
            for name in names {
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
                used.insert(name[..end].to_owned());
            }
        }
    }
    used
}

#[test]
fn every_folder_uses_only_what_it_may() {
    let parts: BTreeSet<String> = sources().iter().map(|(path, _)| part(path)).collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = part(&path);
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == own) else {
            assert!(["cli", "lib", "main", "experiment"].contains(&own.as_str()), "{own} has no place in the house");
            continue;
        };
        if is_test(&path) {
            continue;
        }
        for name in used(without_tests(&text)) {
            if parts.contains(&name) && name != own && name != "error" && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{}: uses crate::{name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_short() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > MAX_LINES)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn nothing_below_the_command_line_touches_the_world() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        if ["cli", "main"].contains(&part(&path).as_str()) || is_test(&path) {
            continue;
        }
        for line in without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (word, reason) in FORBIDDEN {
                if line.contains(word) {
                    found.push(format!("{}: {word} ({reason})", path.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(path, text)| !is_test(path) && !text.starts_with("//!"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}
