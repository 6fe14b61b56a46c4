//! `wavetank check` on whole installations: an operator with its definition and its resources, and the rendered chart of an application.

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const OPERATOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/check/operator");
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/check/chart");
const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n";
const DATABASE: &str = "apiVersion: db.example.com/v1\nkind: Database\nmetadata: {name: d}\n";

struct Answer {
    code: i32,
    out: String,
    err: String,
}

fn wavetank(arguments: &[&str], input: &str) -> Answer {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_wavetank"))
        .env("NO_COLOR", "1")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Answer { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// The findings for a text, with the operator's definition known.
fn findings(text: &str) -> Vec<Value> {
    let answer = wavetank(&["check", "-", "--definitions", &format!("{OPERATOR}/crd.yaml"), "-o", "json"], text);
    serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {} {}", answer.out, answer.err))
}

fn messages(text: &str) -> Vec<String> {
    findings(text).iter().map(|finding| finding["message"].as_str().unwrap_or_default().to_owned()).collect()
}

fn write(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file is written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn an_operators_installation_is_checked_in_any_order() {
    let answer = wavetank(&["check", OPERATOR], "");
    assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{}", answer.out);
    assert_eq!(answer.out, "ok: 13 objects in 3 files\n");
    let files = ["databases.yaml", "install.yaml", "crd.yaml"].map(|name| format!("{OPERATOR}/{name}"));
    let answer = wavetank(&["check", &files[0], &files[1], &files[2]], "");
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
}

#[test]
fn what_is_no_manifest_is_said_and_skipped() {
    let answer = wavetank(&["check", CHART, "-R"], "");
    assert_eq!(answer.code, 0, "{}", answer.err);
    for what in ["Chart.yaml", "values.yaml", "kustomization.yaml", "kubectl kustomize", "helm template"] {
        assert!(answer.err.contains(what), "{what}: {}", answer.err);
    }
    assert!(
        answer.err.contains("no CustomResourceDefinition for monitoring.example.com/v1 ServiceMonitor"),
        "{}",
        answer.err
    );
    assert_eq!(answer.out, "ok: 5 objects in 4 files, 1 warning, 3 skipped\n");
    assert_eq!(wavetank(&["check", CHART, "-R", "--strict"], "").code, 1);
    let quiet = wavetank(&["check", CHART, "-R", "-q"], "");
    assert_eq!((quiet.code, quiet.out.as_str(), quiet.err.as_str()), (0, "", ""));
    let ignored = wavetank(&["check", CHART, "-R", "--ignore-missing-definitions"], "");
    assert!(!ignored.err.contains("ServiceMonitor"), "{}", ignored.err);
}

#[test]
fn custom_resources_are_refused_in_the_words_of_the_api_server() {
    let of = |spec: &str| messages(&format!("{DATABASE}spec: {spec}\n"));
    for (spec, expected) in [
        ("{engine: postgres}", "spec.storage: Required value"),
        (
            "{engine: oracle, storage: {size: 1}}",
            "spec.engine: Unsupported value: \"oracle\": supported values: \"postgres\", \"mysql\"",
        ),
        (
            "{engine: mysql, storage: {size: 1}, replicas: 11}",
            "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 9",
        ),
        (
            "{engine: mysql, storage: {size: 1}, replicas: two}",
            "spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: \"string\"",
        ),
        (
            "{engine: mysql, storage: {size: 1}, version: latest}",
            "spec.version: Invalid value: \"latest\": spec.version in body should match '^\\d+(\\.\\d+)*$'",
        ),
        (
            "{engine: mysql, storage: {size: 1}, version: '1.2.3.4.5.6.7.8.9'}",
            "spec.version: Too long: may not be more than 16 bytes",
        ),
        (
            "{engine: mysql, storage: {size: 1}, ratio: 0.3}",
            "spec.ratio: Invalid value: 0.3: spec.ratio in body should be a multiple of 0.25",
        ),
        (
            "{engine: mysql, storage: {size: 1}, ratio: 0}",
            "spec.ratio: Invalid value: 0: spec.ratio in body should be greater than 0",
        ),
        (
            "{engine: mysql, storage: {size: 1}, maxUnavailable: 1.5}",
            "spec.maxUnavailable: Invalid value: \"number\": spec.maxUnavailable in body must be of type integer,string: \"number\"",
        ),
        (
            "{engine: mysql, storage: {size: 1}, users: [{name: a}, {name: b}, {name: a}]}",
            "spec.users[2]: Duplicate value: {\"name\":\"a\"}",
        ),
        (
            "{engine: mysql, storage: {size: 1}, users: [{name: a, roles: [r, r]}]}",
            "spec.users[0].roles[1]: Duplicate value: \"r\"",
        ),
        (
            "{engine: mysql, storage: {size: 1}, users: [{name: a}, {name: b}, {name: c}, {name: d}]}",
            "spec.users: Too many: 4: must have at most 3 items",
        ),
        (
            "{engine: mysql, storage: {size: 1}, users: [{name: ''}]}",
            "spec.users[0].name: Invalid value: \"\": spec.users[0].name in body should be at least 1 chars long",
        ),
        (
            "{engine: mysql, storage: {size: 1}, parameters: {a: 1}}",
            "spec.parameters.a: Invalid value: \"integer\": spec.parameters.a in body must be of type string: \"integer\"",
        ),
        (
            "{engine: mysql, storage: {size: 1}, backup: {schedule: x}}",
            "<nil>: Invalid value: \"\": \"spec.backup\" must validate one and only one schema (oneOf). Found none valid",
        ),
        (
            "{engine: mysql, storage: {size: 1}, backup: {bucket: b, volume: v}}",
            "<nil>: Invalid value: \"\": \"spec.backup\" must validate one and only one schema (oneOf). Found 2 valid alternatives",
        ),
        (
            "{engine: mysql, storage: {size: 1}, backup: {bucket: b, retention: long}}",
            "spec.backup.retention: Invalid value: \"long\": spec.backup.retention in body must be of type duration: \"long\"",
        ),
        ("{engine: mysql, storage: {size: 1}, initial: {kind: Pod}}", "spec.initial.apiVersion: Required value"),
        ("{engine: mysql, storage: {size: 1}, engin: x}", "unknown field \"spec.engin\""),
        ("{engine: mysql, storage: {size: 1}, users: [{name: a, rolls: []}]}", "unknown field \"spec.users[0].rolls\""),
        ("[]", "spec: Invalid value: \"array\": spec in body must be of type object: \"array\""),
    ] {
        let found = of(spec);
        assert!(found.iter().any(|message| message == expected), "{spec}: wanted {expected}, got {found:#?}");
    }
    assert_eq!(of("{engine: mysql, storage: {size: 1}, version: null}"), [""; 0], "nulls that may not be are dropped");
    assert_eq!(of("{engine: mysql, storage: {size: 1, className: null}}"), [""; 0], "null may be");
}

#[test]
fn findings_have_a_place_and_a_cure() {
    let found = findings(&format!("{DATABASE}spec:\n  engine: postgers\n  storage: {{size: 1}}\n"));
    assert_eq!(found.len(), 1, "{found:#?}");
    let finding = &found[0];
    assert_eq!((&finding["line"], &finding["column"]), (&5.into(), &11.into()));
    assert_eq!(finding["help"], "did you mean `postgres`?");
    assert_eq!(
        (&finding["kind"], &finding["name"], &finding["namespace"]),
        (&"Database".into(), &"d".into(), &"default".into())
    );
    let found = findings(&format!("{DATABASE}spec: {{engine: mysql, storage: {{size: 1}}, engin: x}}\n"));
    assert_eq!((&found[0]["rule"], &found[0]["help"]), (&"unknown-field".into(), &"did you mean `engine`?".into()));
}

#[test]
fn versions_that_are_not_served_or_deprecated() {
    let of = |version: &str| {
        messages(&format!(
            "apiVersion: db.example.com/{version}\nkind: Database\nmetadata: {{name: d}}\nspec: {{a: 1}}\n"
        ))
    };
    assert_eq!(of("v1beta1"), ["db.example.com/v1beta1 Database is deprecated; use db.example.com/v1"]);
    assert_eq!(of("v2"), ["no matches for kind \"Database\" in version \"db.example.com/v2\""]);
    assert_eq!(
        messages("apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: d}\n"),
        ["no matches for kind \"PodDisruptionBudget\" in version \"policy/v1beta1\""]
    );
}

#[test]
fn definitions_are_checked() {
    let head = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: widgets.example.com}\nspec:\n  group: \
                example.com\n  scope: Namespaced\n  names: {kind: Widget, plural: widgets}\n  versions:\n  - name: v1\n    served: true\n    \
                storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n          spec:\n            ";
    let of = |spec: &str| messages(&format!("{head}{spec}\n"));
    let root = "spec.validation.openAPIV3Schema";
    let at = format!("{root}.properties[spec]");
    assert_eq!(of("type: object"), [""; 0]);
    let nested = of("{type: object, anyOf: [{properties: {a: {minimum: 1}}}]}");
    assert_eq!(nested, [""; 0], "only what the root checks must be declared (`validateStructuralCompleteness`)");
    for (spec, expected) in [
        ("properties: {}", format!("{at}.type: Required value: must not be empty for specified object fields")),
        ("type: array", format!("{at}.items: Required value: must be specified")),
        (
            "type: text",
            format!(
                "{at}.type: Unsupported value: \"text\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\""
            ),
        ),
        (
            "{type: object, properties: {a: {type: string}}, additionalProperties: {type: string}}",
            format!("{at}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"),
        ),
        (
            "{type: string, pattern: '('}",
            format!("{at}.pattern: Invalid value: \"(\": must be a valid regular expression, but isn't"),
        ),
        (
            "{type: integer, default: x}",
            format!("{at}.default: Invalid value: \"string\":  in body must be of type integer: \"string\""),
        ),
        (
            "type: object\n        anyOf: [{properties: {a: {minimum: 1}}}]",
            format!("{root}.properties[a]: Required value: because it is defined in {root}.anyOf[0].properties[a]"),
        ),
        (
            "{type: object, oneOf: [{type: object}]}",
            format!("{at}.oneOf[0].type: Forbidden: must be empty to be structural"),
        ),
        (
            "{type: array, x-kubernetes-list-type: map, items: {type: object, properties: {a: {type: string}}}}",
            format!(
                "{at}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"
            ),
        ),
        (
            "{type: object, propertys: {}}",
            "unknown field \"spec.versions[0].schema.openAPIV3Schema.properties.spec.propertys\"".to_owned(),
        ),
    ] {
        let found = of(spec);
        assert!(
            found.iter().any(|message| message.starts_with(&expected)),
            "{spec}: wanted {expected}, got {found:#?}"
        );
    }
    let two = format!("{head}type: object\n  - name: v2\n    served: true\n    storage: true\n");
    let found = messages(&two);
    for expected in [
        "must have exactly one version marked as storage version",
        "spec.versions[1].schema.openAPIV3Schema: Required value: schemas are required",
    ] {
        assert!(found.iter().any(|message| message.contains(expected)), "{expected}: {found:#?}");
    }
    let name = messages(&two.replace("widgets.example.com}", "widget.example.com}"));
    assert!(name.iter().any(|message| message.contains("must be spec.names.plural+\".\"+spec.group")), "{name:#?}");
}

#[test]
fn every_output_says_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(&folder, "a b.yaml", format!("{POD}---\n{}", POD.replace("image: i", "imag: i")));
    let text = wavetank(&["check", &file], "");
    assert_eq!((text.code, text.out.as_str()), (1, ""));
    assert!(text.err.starts_with("error: unknown field \"spec.containers[0].imag\"\n"), "{}", text.err);
    assert!(text.err.contains("a b.yaml:9:") && text.err.contains("did you mean `image`?"), "{}", text.err);
    assert!(text.err.ends_with("2 objects in 1 file, 1 error, 1 warning\n"), "the name is there twice: {}", text.err);
    let json = wavetank(&["check", &file, "--format", "json"], "");
    let list: Vec<Value> = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, list.len()), (1, 2));
    assert_eq!((&list[0]["rule"], &list[1]["rule"]), (&"unknown-field".into(), &"duplicate".into()));
    let sarif = wavetank(&["check", &file, "-o", "sarif"], "");
    let log: Value = serde_json::from_str(&sarif.out).expect("SARIF");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert_eq!((sarif.code, results.len()), (1, 2));
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    assert!(results.iter().all(|result| rules.iter().any(|rule| rule["id"] == result["ruleId"])));
    let uri = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a place");
    assert!(uri.ends_with("a%20b.yaml"), "{uri}");
    let github = wavetank(&["check", &file, "-o", "github"], "");
    assert_eq!((github.code, github.out.lines().count()), (1, 2));
    assert!(github.out.starts_with("::error file="), "{}", github.out);
}

#[test]
fn hostile_input_is_unreadable_and_the_rest_is_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(POD.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let files = [
        write(&folder, "utf16.yaml", utf16),
        write(&folder, "latin1.yaml", b"kind: \xe9\n"),
        write(&folder, "nul.yaml", b"a: \0\n"),
        write(&folder, "deep.yaml", "{a: ".repeat(50_000)),
        write(&folder, "twice.yaml", "a: 1\na: 2\n"),
        write(&folder, "template.yaml", "kind: {{ .Values.kind }}\n"),
        write(&folder, "text.yaml", "just words\n"),
    ];
    for file in &files {
        let answer = wavetank(&["check", file], "");
        assert_eq!(answer.code, 2, "{file}: {}", answer.err);
        assert!(answer.err.starts_with("error") && !answer.err.contains("panicked"), "{file}: {}", answer.err);
    }
    write(&folder, "good.yaml", POD);
    let all = wavetank(&["check", folder.path().to_str().expect("UTF-8")], "");
    assert_eq!(all.code, 2);
    assert!(all.err.contains("1 object in"), "{}", all.err);
    assert_eq!(wavetank(&["check", "-"], "").code, 2, "nothing is checked");
    assert_eq!(wavetank(&["check", "-"], POD).code, 0);
    let schema = format!("{}{{type: object}}", "{type: object, properties: {a: ".repeat(40));
    let crd = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: a.b.c}}\nspec: {{group: b.c, scope: Cluster, names: {{kind: A, plural: a}}, versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {schema}{}}}}}]}}\n",
        "}}".repeat(40)
    );
    let answer = wavetank(&["check", "-"], &crd);
    assert!(!answer.err.contains("panicked") && answer.code == 0, "{}", answer.err);
}

#[test]
fn many_manifests_are_checked_in_their_order_whatever_the_threads() {
    let mut text = String::new();
    for number in 0..300 {
        let image = if number % 7 == 0 { "imag" } else { "image" };
        text.push_str("---\n");
        text.push_str(&POD.replace("name: p", &format!("name: p{number}")).replace("image:", &format!("{image}:")));
    }
    let one = wavetank(&["check", "-", "-o", "json", "--threads", "1"], &text);
    let four = wavetank(&["check", "-", "-o", "json", "--threads", "4"], &text);
    assert_eq!(one.out, four.out);
    let list: Vec<Value> = serde_json::from_str(&one.out).expect("JSON");
    let names: Vec<_> = list.iter().map(|finding| finding["name"].as_str().unwrap_or_default().to_owned()).collect();
    let expected: Vec<_> = (0..300).step_by(7).map(|number| format!("p{number}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn custom_resources_live_in_a_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |name: &str| std::fs::read_to_string(format!("{OPERATOR}/{name}")).expect("a file");
    let service =
        "apiVersion: serving.example.dev/v1\nkind: Service\nmetadata: {name: hello, namespace: shop}\nspec: {a: 1}\n";
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let text = [namespace, &read("crd.yaml"), &read("databases.yaml"), service].join("---\n");
    let file = write(&folder, "all.yaml", text);
    let answer = wavetank(&["get", "dbs", &file, "-n", "shop", "--at", "1m"], "");
    assert_eq!(answer.code, 0, "{}", answer.err);
    let lines: Vec<Vec<&str>> = answer.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "ENGINE", "REPLICAS", "AGE"], "{}", answer.out);
    assert_eq!(lines[1][..3], ["carts", "mysql", "1"], "the default of replicas is filled in: {}", answer.out);
    assert_eq!(lines[2][..3], ["orders", "postgres", "3"]);
    assert!(answer.err.contains("no controller acts on"), "{}", answer.err);
    let yaml =
        wavetank(&["get", "databases.db.example.com", "orders", &file, "-n", "shop", "--at", "1m", "-o", "yaml"], "");
    assert!(yaml.out.contains("maxUnavailable: 1") && yaml.out.contains("generation: 1"), "{}", yaml.out);
    let services = wavetank(&["get", "services", &file, "-n", "shop", "--at", "1m"], "");
    assert!(!services.out.contains("hello"), "a custom kind called Service is no Service: {}", services.out);
}
