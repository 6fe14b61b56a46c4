//! What holds for every recorded manifest and for patches that nobody wrote down.

use std::io::Read;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{SERVER_SIDE, Terminal};
use crate::client::SubmitVerb;

/// The recorded manifests with names, and whether the API server took them.
fn recorded(file: &str) -> Vec<(String, Value, Option<Value>, bool)> {
    let path = format!("{}/tests/golden/api/{file}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("gzipped text");
    let mut cases = Vec::new();
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
        let first = if case["old"].is_object() { &case["old"] } else { &case["object"] };
        let second = case.get("new").cloned();
        if first["metadata"]["name"].as_str().is_some_and(|name| !name.is_empty()) {
            let taken = matches!(case["expect"]["code"].as_u64(), Some(200 | 201));
            cases.push((case["id"].as_str().unwrap_or_default().to_owned(), first.clone(), second, taken));
        }
    }
    assert!(!cases.is_empty(), "{file} has no cases");
    cases
}

/// An object as it is, but for the version of the store.
fn shown(terminal: &Terminal) -> Vec<Value> {
    let (mut objects, _) = terminal.everything();
    for object in &mut objects {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
    }
    objects
}

/// A manifest that kubectl cannot merge with itself on the client: a list that is merged by a key has an item without the key. The API
/// server accepts it in a create, and merges it: there the key is empty if it is not given.
const WITHOUT_KEY: &str = "pod-pullsecret-empty";

#[test]
fn applying_twice_is_applying_once() {
    let (mut refused, mut different) = (Vec::new(), Vec::new());
    for (id, manifest, _, _) in recorded("create.jsonl.gz") {
        // A uid in the manifest is a precondition: the server gave another one, so the second apply is refused.
        if !manifest["metadata"]["uid"].is_null() {
            continue;
        }
        for verb in [SubmitVerb::Apply, SERVER_SIDE] {
            let mut terminal = Terminal::new();
            if terminal.send(verb, &manifest).is_err() {
                continue;
            }
            let once = shown(&terminal);
            match terminal.send(verb, &manifest) {
                Err(error) if id == WITHOUT_KEY && verb == SubmitVerb::Apply => {
                    assert!(error.ends_with("map: map[] does not contain declared merge key: name"), "{error}");
                }
                Err(error) => refused.push(format!("{id}: {error}")),
                Ok(again) if shown(&terminal) != once => different.push(format!("{id}: {again}")),
                Ok(again) => {
                    let told = [" unchanged", " configured", "applied"].iter().any(|end| again.ends_with(end));
                    assert!(told, "{id}: {again}");
                }
            }
        }
    }
    assert_eq!((refused, different), (Vec::<String>::new(), Vec::<String>::new()));
}

#[test]
fn what_is_refused_leaves_nothing() {
    for (id, manifest, _, taken) in recorded("create.jsonl.gz") {
        let mut terminal = Terminal::new();
        let before = terminal.everything();
        let said = terminal.send(SubmitVerb::Create, &manifest);
        if !taken && said.is_err() {
            assert_eq!(terminal.everything(), before, "{id}");
        }
    }
    for (id, old, new, _) in recorded("update.jsonl.gz") {
        let mut terminal = Terminal::new();
        if terminal.send(SubmitVerb::Create, &old).is_err() {
            continue;
        }
        let before = terminal.everything();
        for verb in [SubmitVerb::Replace { force: false }, SubmitVerb::Apply, SERVER_SIDE] {
            let new = new.clone().unwrap_or_default();
            let mut one = Terminal { cluster: terminal.cluster.clone(), ownership: terminal.ownership.clone() };
            if one.send(verb, &new).is_err() {
                assert_eq!(one.everything(), before, "{id}: {verb:?}");
            }
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5i64..5).prop_map(Value::from),
        "[a-z$/]{0,6}".prop_map(Value::from),
    ];
    let keys = prop_oneof![
        Just("name".to_owned()),
        Just("$patch".to_owned()),
        Just("$retainKeys".to_owned()),
        Just("$setElementOrder/containers".to_owned()),
        Just("$deleteFromPrimitiveList/finalizers".to_owned()),
        Just("containers".to_owned()),
        Just("template".to_owned()),
        Just("replicas".to_owned()),
        Just("labels".to_owned()),
        Just("spec".to_owned()),
        Just("metadata".to_owned()),
        "[a-z]{1,4}",
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(keys.clone(), inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_patch_breaks_the_store(patch in any_value(), spec in any_value(), kind in 0..4usize) {
        let mut terminal = Terminal::new();
        terminal.send(SubmitVerb::Apply, &super::web(json!({"replicas": 3}))).expect("applied");
        let before = terminal.everything();
        let patch = if kind == 3 { json!({"spec": spec, "metadata": patch}) } else { patch };
        let kind = ["strategic", "merge", "json", "strategic"][kind];
        let line = format!("patch deploy web --type={kind} -p '{}'", patch.to_string().replace('\'', ""));
        if terminal.run(&line).is_err() {
            prop_assert_eq!(terminal.everything(), before);
        }
        terminal.cluster.check().expect("a sound store");
    }
}
