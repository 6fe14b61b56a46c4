//! The command line: exit codes, where output goes, errors with their place, and input made to harm.

use std::fmt::Write as _;
use std::process::{Command as Process, Stdio};

use snapbox::cmd::Command;
use tempfile::TempDir;

use super::scenarios::folder;

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n";

fn wavetank() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wavetank")).env("NO_COLOR", "1").current_dir(folder())
}

fn scratch() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file is written");
    path.to_str().expect("UTF-8").to_owned()
}

/// Runs the program; returns exit code, standard output and standard error.
fn answer(arguments: &[&str]) -> (i32, String, String) {
    let output = Process::new(env!("CARGO_BIN_EXE_wavetank"))
        .env("NO_COLOR", "1")
        .current_dir(folder())
        .args(arguments)
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn a_run_that_holds_ends_with_0() {
    let (code, out, err) = answer(&["run", "quickstart.yaml", "--no-report", "-q"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("holds      deployment/web complete by 2m"), "{out}");
    assert!(out.contains("seed 42"), "the seed is always echoed: {out}");
    assert_eq!(err, "");
}

#[test]
fn an_expectation_that_fails_ends_with_1() {
    let arguments = ["run", "quickstart.yaml", "--no-report", "--set", "spec.expect[0]=deployment/web complete by 1s"];
    let (code, out, _) = answer(&arguments);
    assert_eq!(code, 1);
    assert!(out.contains("fails      deployment/web complete by 1s"), "{out}");
}

#[test]
fn bad_input_ends_with_2() {
    wavetank().args(["run", "no-such-file.yaml"]).assert().code(2);
    wavetank().args(["run"]).assert().code(2);
    wavetank().args(["no-such-command"]).assert().code(2);
    wavetank().args(["run", "."]).assert().code(2);
    wavetank().args(["run", "quickstart.yaml", "--no-report", "--set", "spec.no.such=1"]).assert().code(2);
}

#[test]
fn mistakes_are_shown_with_a_caret_and_the_nearest_name() {
    let folder = scratch();
    let file = write(
        &folder,
        "web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replica: 3\n",
    );
    let (code, out, err) = answer(&["check", &file]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("web.yaml:5:3"), "{err}");
    assert!(err.contains("^^^^^^^"), "{err}");
    assert!(err.contains("did you mean `replicas`?"), "{err}");
    assert!(!err.contains('\u{1b}'), "NO_COLOR is respected: {err}");
}

#[test]
fn the_seed_of_the_command_line_wins() {
    let digest = |arguments: &[&str]| {
        let (_, out, _) = answer(&[&["run", "quickstart.yaml", "--no-report", "-q"], arguments].concat());
        out.lines().find(|line| line.starts_with("digest")).expect("a digest").to_owned()
    };
    assert_ne!(digest(&[]), digest(&["--seed", "7"]));
    assert_eq!(digest(&["--seed", "42"]), digest(&[]));
    assert_eq!(digest(&["--seed", "7"]), digest(&["--set", "spec.seed=7"]));
}

#[test]
fn plain_manifests_run_on_a_default_cluster() {
    let folder = scratch();
    let file = write(&folder, "pod.yaml", POD);
    let (code, out, err) = answer(&["get", "pods,nodes", &file, "--at", "1m"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("Running"), "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("node/")).count(), 3, "{out}");
}

#[test]
fn old_manifests_run_with_a_warning() {
    let folder = scratch();
    let text = "apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: nginx}\nspec:\n  replicas: 3\n  template:\n    metadata: \
                {labels: {app: nginx}}\n    spec: {containers: [{name: nginx, image: 'nginx:1.7.9'}]}\n";
    let file = write(&folder, "nginx.yaml", text);
    let (code, out, err) = answer(&["get", "deployments", &file, "--at", "2m"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("3/3"), "{out}");
    assert!(err.contains("no longer served"), "{err}");
}

#[test]
fn a_closed_pipe_is_quiet() {
    let mut child = Process::new(env!("CARGO_BIN_EXE_wavetank"))
        .args(["trace", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{:?}", output.status);
}

#[test]
fn generated_texts_are_there() {
    for (arguments, word) in [
        (&["completions", "bash"][..], "_wavetank"),
        (&["completions", "zsh"], "#compdef wavetank"),
        (&["man"], ".TH wavetank"),
        (&["schema"], "Wavetank scenario"),
        (&["modelled"], "| Deployment |"),
        (&["trace", "list"], "alibaba-gpu-2023"),
        (&["--help"], "Examples:"),
        (&["--version"], "wavetank 0."),
    ] {
        let (code, out, err) = answer(arguments);
        assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}");
        assert!(out.contains(word), "{arguments:?}: {out}");
    }
    let (_, schema, _) = answer(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("the schema is JSON");
    assert!(schema["properties"]["spec"].is_object());
}

#[test]
fn the_generated_document_is_current() {
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/modelled.md")).expect("docs");
    assert_eq!(committed, answer(&["modelled"]).1, "run `wavetank modelled >docs/modelled.md`");
}

#[test]
fn what_is_promised_but_not_built_is_refused() {
    let folder = scratch();
    let head = "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nspec:\n";
    for text in ["  traffic: [{to: service/web}]\n", "  scheduler: {policy: fgd}\n"] {
        let file = write(&folder, "scenario.yaml", format!("{head}{text}"));
        let (code, _, err) = answer(&["run", &file, "--no-report"]);
        assert_eq!(code, 2, "{text}");
        assert!(err.contains("not supported yet"), "{text}: {err}");
    }
}

#[test]
fn input_made_to_harm_is_refused_in_words() {
    let folder = scratch();
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let _ = writeln!(bomb, "a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 9].join(", "));
    }
    let mut quadratic = String::from("a: &a [");
    quadratic.push_str(&"x, ".repeat(10_000));
    quadratic.push_str("x]\nb: [");
    quadratic.push_str(&"*a, ".repeat(10_000));
    quadratic.push_str("*a]\n");
    let files = [
        write(&folder, "bomb.yaml", &bomb),
        write(&folder, "quadratic.yaml", &quadratic),
        write(&folder, "deep.yaml", "[".repeat(200_000)),
        write(&folder, "deep-maps.yaml", "{a: ".repeat(100_000)),
        write(&folder, "deep.json", "[".repeat(200_000)),
        write(&folder, "nul.yaml", b"apiVersion: v1\nkind: P\0od\n"),
        write(&folder, "latin1.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: \xe9}\n"),
        write(&folder, "duplicate.yaml", POD.replace("kind: Pod", "kind: Pod\nkind: Pod")),
        write(&folder, "truncated.yaml", &POD[..POD.len() - 4]),
        write(&folder, "truncated.json", r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"#),
        write(&folder, "scalar.yaml", "just a text\n"),
        folder.path().join("missing.yaml").to_str().expect("UTF-8").to_owned(),
    ];
    for file in &files {
        let (code, _, err) = answer(&["check", file]);
        assert_eq!(code, 2, "{file}: {err}");
        assert!(err.starts_with("error"), "{file}: {err}");
        assert!(!err.contains("panicked"), "{file}: {err}");
    }
}

#[test]
fn numbers_beyond_all_measure_do_no_harm() {
    let folder = scratch();
    for amount in ["1e999999999", "'9999999999999999999999Ei'", "'0.0000000000000000000000001'"] {
        let pod = POD.replace("image: i", &format!("image: i, resources: {{requests: {{cpu: {amount}}}}}"));
        let file = write(&folder, "huge-number.yaml", pod);
        let (code, _, err) = answer(&["get", "pods", &file, "--at", "10s"]);
        assert_eq!(code, 0, "{amount}: {err}");
    }
}

#[test]
fn a_byte_order_mark_does_no_harm() {
    let folder = scratch();
    let file = write(&folder, "bom.yaml", format!("\u{feff}{POD}"));
    let (code, _, err) = answer(&["check", &file]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn bad_rows_of_a_trace_have_a_place() {
    let folder = scratch();
    let good =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/traces/alibaba-gpu-2023.csv")).expect("a sample");
    let mut lines: Vec<&str> = good.lines().collect();
    lines.insert(3, "gen-pod-x,many,4096,1,1000,,LS,Running,1,2,1");
    let file = write(&folder, "pods.csv", lines.join("\n"));
    let (code, _, err) = answer(&["trace", "stats", &file]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("pods.csv:4") && err.contains("cpu_milli"), "{err}");
    let (code, out, err) = answer(&["trace", "stats", &file, "--skip-bad-rows"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("1 bad"), "{out}");
}

#[test]
fn conformance_says_what_agrees() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/scheduler/gates.jsonl.gz");
    let (code, out, err) = answer(&["conformance", golden]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("cases agree in 1 files"), "{out}");
}
