use super::*;
use serde_json::json;

fn one(text: &str) -> Document {
    let (mut documents, errors) = read_str("a.yaml", text);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn error(text: &str) -> String {
    let (_, errors) = read_str("a.yaml", text);
    assert_eq!(errors.len(), 1, "{text}");
    errors[0].to_string()
}

#[test]
fn documents_lists_and_json() {
    let text = "---\nkind: A\n---\nkind: List\nitems:\n- {kind: B}\n- kind: C\n---\n{\"kind\": \"D\"}\n{\"kind\": \"E\"}\n---\nkind: PodList\napiVersion: v1\nitems: [{metadata: {name: x}}]\n";
    let (documents, errors) = read_str("a.yaml", text);
    assert!(errors.is_empty(), "{errors:?}");
    let kinds: Vec<_> = documents.iter().map(Document::kind).collect();
    assert_eq!(kinds, ["A", "B", "C", "D", "E", "Pod"]);
    assert_eq!(documents[5].api_version(), "v1");
    let place = documents[2].place("kind", Part::Value);
    assert_eq!((place.line, place.column, place.width), (7, 9, 1));
}

#[test]
fn merge_keys_and_aliases() {
    let document = one("base: &b {a: 1, b: 2}\nx:\n  <<: *b\n  b: 3\nz: *b\n");
    assert_eq!(document.value, json!({"base": {"a": 1, "b": 2}, "x": {"a": 1, "b": 3}, "z": {"a": 1, "b": 2}}));
    assert_eq!(one("1: a\nyes: b\n1.5: c").value, json!({"1": "a", "true": "b", "1.5": "c"}));
}

#[test]
fn places_of_keys_values_and_missing_fields() {
    let document = one("# head\nspec:\n  containers:\n  - name: c\n    image: \"app:v1\"\n  labels: {a.b/c: x}\n");
    let at = |path: &str, part| {
        let place = document.place(path, part);
        (place.line, place.column, place.width)
    };
    assert_eq!(at("spec.containers[0].image", Part::Value), (5, 12, 8));
    assert_eq!(at("spec.containers[0].image", Part::Key), (5, 5, 5));
    assert_eq!(at("spec.labels[a.b/c]", Part::Value), (6, 19, 1));
    assert_eq!(at("spec.containers[0].ports", Part::Value).0, 4);
    assert_eq!(at("spec.volumes", Part::Value), (2, 1, 4));
}

#[test]
fn hostile_input_is_refused() {
    assert!(error("a: 1\na: 2\n").contains("key \"a\" already set in map"));
    assert!(error("{\"a\": 1, \"a\": 2}").contains("key \"a\" already set in map"));
    assert!(error("a: \0").contains("NUL"));
    assert!(error("a: {{ .Values.x }}").contains("a.yaml:1:"));
    assert!(error(&format!("a: {}", "[".repeat(100_000))).contains("a.yaml:1:"));
    assert!(error(&"{\"a\":".repeat(100_000)).contains("a.yaml:1:"));
    assert!(error("a: \"open\nb").contains("not valid YAML"));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let row = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{row}]\n"));
    }
    assert!(error(&bomb).contains("expand to too much"));
    let quadratic = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(10_000), "*a,".repeat(10_000));
    assert!(error(&quadratic).contains("expand to too much"));
}

#[test]
fn byte_order_mark_and_empty_files() {
    assert_eq!(one("\u{feff}a: 1").value, json!({"a": 1}));
    let (documents, errors) = read_str("a.yaml", "# nothing\n---\n\n");
    assert!(documents.is_empty() && errors.is_empty());
}

/// The seeds of the fuzz targets, and what the targets assert.
#[test]
fn fuzz_corpora_hold() {
    use crate::api::accept::{AcceptContext, accept, to_error};
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus"));
    let files = |name: &str| {
        let entries = std::fs::read_dir(folder.join(name)).into_iter().flatten().flatten();
        entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect::<Vec<_>>()
    };
    for text in files("documents") {
        let (documents, _) = read_str("fuzz.yaml", &text);
        for document in documents {
            match accept(&document.value, &AcceptContext::default()) {
                Ok(accepted) => {
                    let mut again = accepted.value.clone();
                    (crate::api::objects::rules(accepted.info.kind).default)(&mut again);
                    assert_eq!(again, accepted.value);
                }
                Err(refusal) => drop(to_error(&refusal, &document)),
            }
        }
    }
    for text in files("selectors") {
        if let Ok(selector) = text.parse::<crate::api::selector::Selector>() {
            let printed = selector.to_string();
            let again: crate::api::selector::Selector = printed.parse().expect("a printed selector is one");
            assert_eq!(again.to_string(), printed);
        }
    }
}
