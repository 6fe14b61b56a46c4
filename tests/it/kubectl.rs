//! What kubectl prints: every recorded output of the real one again, and forms of output that are not recorded.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wavetank::conformance::kubectl::check_folder;
use wavetank::kubectl::command::parse;
use wavetank::kubectl::{Output, View, show};

#[test]
fn recorded_outputs_are_printed_again() {
    agrees_with(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kubectl"));
    let shared = std::env::var_os("WAVETANK_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let all = shared.join("oracle/kubectl");
    if all.is_dir() {
        agrees_with(&all);
    } else {
        println!("skipped: the full set of recordings is not there ({})", all.display());
    }
}

fn agrees_with(folder: &Path) {
    let report = check_folder(folder).expect("the recordings are readable");
    print!("{report}");
    assert!(report.families.values().any(|family| family.total > 0), "no recordings in {}", folder.display());
    assert!(report.differences.is_empty(), "{} outputs differ", report.differences.len());
}

/// 2026-11-20T17:40:00Z
const NOW: i64 = 1_795_196_400_000_000;

fn objects() -> Vec<Value> {
    let meta = |name: &str, namespace: &str, app: &str| json!({"name": name, "namespace": namespace, "labels": {"app": app}, "creationTimestamp": "2026-11-20T17:30:00Z"});
    let pod = |name: &str, namespace: &str, phase: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta(name, namespace, "web"),
            "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "n1"},
            "status": {"phase": phase, "podIP": "10.0.0.1"}})
    };
    vec![
        pod("web-2", "a", "Running"),
        pod("web-1", "a", "Pending"),
        pod("other", "b", "Running"),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("web", "a", "web"),
            "spec": {"type": "ExternalName", "externalName": "example.com"}}),
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "boats.sea.io", "creationTimestamp": "2026-11-20T17:30:00Z"},
            "spec": {"group": "sea.io", "scope": "Namespaced",
                "names": {"kind": "Boat", "plural": "boats", "singular": "boat", "shortNames": ["bo"]},
                "versions": [{"name": "v1", "storage": true, "additionalPrinterColumns": [
                    {"name": "Sails", "type": "integer", "jsonPath": ".spec.sails"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]}]}}),
        json!({"apiVersion": "sea.io/v1", "kind": "Boat", "metadata": meta("ketch", "a", "boat"), "spec": {"sails": 3}}),
    ]
}

fn run(line: &str) -> Output {
    let objects = objects();
    let view = View { objects: &objects, now: NOW, namespace: "a" };
    let command = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    show(&command, &view, None).unwrap_or_else(|| panic!("{line} prints nothing"))
}

#[track_caller]
fn prints(line: &str, stdout: &str) {
    let output = run(line);
    assert_eq!(output.stdout, stdout, "{line}");
    assert_eq!((output.stderr.as_str(), output.exit), ("", 0), "{line}");
}

#[track_caller]
fn fails(line: &str, stderr: &str, exit: i32) {
    let output = run(line);
    assert_eq!((output.stderr.as_str(), output.exit), (stderr, exit), "{line}");
}

#[test]
fn tables_take_flags() {
    prints(
        "get po -A",
        "NAMESPACE   NAME    READY   STATUS    RESTARTS   AGE\n\
         a           web-1   0/1     Pending   0          10m\n\
         a           web-2   0/1     Running   0          10m\n\
         b           other   0/1     Running   0          10m\n",
    );
    prints(
        "get pod/web-1 svc/web --no-headers",
        "pod/web-1   0/1   Pending   0     10m\n\nservice/web   ExternalName   <none>   example.com   <none>   10m\n",
    );
    prints("get pods --field-selector=status.phase!=Running -o name", "pod/web-1\n");
    prints(
        "get pods --sort-by=.status.phase -L app,nothing",
        "NAME    READY   STATUS    RESTARTS   AGE   APP   NOTHING\n\
         web-1   0/1     Pending   0          10m   web   \n\
         web-2   0/1     Running   0          10m   web   \n",
    );
    prints("get bo", "NAME    SAILS   AGE\nketch   3       10m\n");
}

#[test]
fn templates_fill_in() {
    prints("get pods -o jsonpath='{.items[*].metadata.name}'", "web-1 web-2");
    prints(
        r#"get pods -o jsonpath='{range .items[?(@.status.phase=="Running")]}{.metadata.name}{"\n"}{end}'"#,
        "web-2\n",
    );
    prints(
        "get pods web-1 -o custom-columns=NAME:.metadata.name,IMAGES:.spec.containers[*].image,X:.status.none",
        "NAME    IMAGES   X\nweb-1   i        <none>\n",
    );
    prints(
        "get service web -o yaml",
        "apiVersion: v1\nkind: Service\nmetadata:\n  creationTimestamp: \"2026-11-20T17:30:00Z\"\n  labels:\n    app: web\n  \
         name: web\n  namespace: a\nspec:\n  externalName: example.com\n  type: ExternalName\n",
    );
    prints(
        "get configmaps -o json",
        "{\n    \"apiVersion\": \"v1\",\n    \"items\": [],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \
         \"resourceVersion\": \"\"\n    }\n}\n",
    );
}

#[test]
fn errors_are_kubectls() {
    fails("get pods nope web-1", "Error from server (NotFound): pods \"nope\" not found\n", 1);
    fails("get things", "error: the server doesn't have a resource type \"things\"\n", 1);
    fails("get pods -l app=none", "No resources found in a namespace.\n", 0);
    fails("get nodes", "No resources found\n", 0);
    fails("get pods nope --ignore-not-found", "", 0);
    fails("describe pod nope", "Error from server (NotFound): pods \"nope\" not found\n", 1);
    fails("top pods", "error: Metrics API not available\n", 1);
    fails("get pods web-1 -l a=b", "error: name cannot be provided when a selector is specified\n", 1);
    fails(
        "get pods --field-selector=spec.x=1",
        "Error from server (BadRequest): Unable to find \"/v1, Resource=pods\" that match label selector \"\", field \
         selector \"spec.x=1\": field label not supported: spec.x\n",
        1,
    );
    fails("events", "No events found in a namespace.\n", 0);
}

#[test]
fn a_custom_resource_is_described_by_its_fields() {
    prints(
        "describe boat ketch",
        "Name:         ketch\nNamespace:    a\nLabels:       app=boat\nAnnotations:  <none>\nAPI Version:  sea.io/v1\n\
         Kind:         Boat\nMetadata:\n  Creation Timestamp:  2026-11-20T17:30:00Z\nSpec:\n  Sails:  3\n\
         Events:   <none>\n",
    );
}
