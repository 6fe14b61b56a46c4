use super::*;

fn deployment(spec: Value) -> Arc<Value> {
    Arc::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}))
}

fn containers(list: Value) -> Value {
    json!({"template": {"spec": {"containers": list}}})
}

fn me() -> Manager {
    Manager::applier("kubectl", "apps/v1")
}

/// No custom resources.
fn none() -> Definitions {
    Definitions::default()
}

/// Applies to what `before` made, by the same manager.
fn applied_again(before: Value, live: &Value, config: Value) -> Value {
    let managers = Managers::applied(&deployment(before), me(), "t0", &none());
    managers.apply(live, &deployment(config), &me(), false, ("t1", &none())).expect("no conflict").object["spec"]
        .clone()
}

#[test]
fn what_is_no_longer_named_goes() {
    let live = |spec: Value| (*deployment(spec)).clone();
    for (why, before, is, config, after) in [
        (
            "a field",
            json!({"paused": true, "replicas": 3}),
            json!({"paused": true, "replicas": 3, "revisionHistoryLimit": 10}),
            json!({"replicas": 3}),
            json!({"replicas": 3, "revisionHistoryLimit": 10}),
        ),
        (
            "an item with all that was defaulted in it",
            containers(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}])),
            containers(json!([{"name": "a", "image": "1", "tty": true}, {"name": "b", "image": "1", "tty": true}])),
            containers(json!([{"name": "a", "image": "2"}])),
            containers(json!([{"name": "a", "image": "2", "tty": true}])),
        ),
        (
            "ports by number and protocol",
            containers(
                json!([{"name": "a", "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]}]),
            ),
            containers(
                json!([{"name": "a", "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]}]),
            ),
            containers(json!([{"name": "a", "ports": [{"containerPort": 53}]}])),
            // The protocol, no longer named, is for defaulting to fill in again.
            containers(json!([{"name": "a", "ports": [{"containerPort": 53}]}])),
        ),
        (
            "an atomic list is replaced",
            containers(json!([{"name": "a", "args": ["1", "2"]}])),
            containers(json!([{"name": "a", "args": ["1", "2"]}])),
            containers(json!([{"name": "a", "args": ["3"]}])),
            containers(json!([{"name": "a", "args": ["3"]}])),
        ),
    ] {
        assert_eq!(applied_again(before, &live(is), config), after, "{why}");
    }
}

#[test]
fn others_are_asked() {
    let live = deployment(json!({"replicas": 3, "paused": false}));
    let mut managers =
        Managers::applied(&live, Manager::updater("kubectl-client-side-apply", "apps/v1", ""), "t0", &none());
    let wish = deployment(json!({"replicas": 5}));
    let conflicts = managers.apply(&live, &wish, &me(), false, ("t1", &none())).expect_err("a conflict");
    assert_eq!(
        conflicts.message(),
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using apps/v1: .spec.replicas"
    );
    let same = deployment(json!({"replicas": 3}));
    assert!(managers.apply(&live, &same, &me(), false, ("t1", &none())).is_ok(), "equal values are owned together");
    let forced = managers.apply(&live, &wish, &me(), true, ("t1", &none())).expect("force");
    assert_eq!(forced.object["spec"]["replicas"], 5);
    let theirs = forced.managers.to_json();
    assert_eq!(theirs[1]["fieldsV1"], json!({"f:spec": {"f:paused": {}}}), "the other has lost it");
    managers.claim(&["f:spec", "f:replicas"], Manager::updater("kube-controller-manager", "apps/v1", "scale"), "t2");
    let conflicts = managers.apply(&live, &wish, &me(), false, ("t3", &none())).expect_err("a conflict");
    assert_eq!(
        conflicts.message(),
        "Apply failed with 1 conflict: conflict with \"kube-controller-manager\" with subresource \"scale\" using apps/v1: .spec.replicas"
    );
}

#[test]
fn several_conflicts_are_listed() {
    let live = Arc::new(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "1"}}),
    );
    let wish = Arc::new(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "2", "b": "2"}}),
    );
    let managers = Managers::applied(&live, Manager::applier("ops", "v1"), "t0", &none());
    let conflicts = managers
        .apply(&live, &wish, &Manager::applier("kubectl", "v1"), false, ("t1", &none()))
        .expect_err("conflicts");
    assert_eq!(conflicts.message(), "Apply failed with 2 conflicts: conflicts with \"ops\":\n- .data.a\n- .data.b");
}

#[test]
fn writers_own_what_they_change() {
    let before = deployment(json!({"replicas": 1}));
    let mut after = (*before).clone();
    after["spec"]["replicas"] = json!(2);
    after["metadata"]["labels"] = json!({"a": "b"});
    let mut managers = Managers::applied(&before, me(), "t0", &none());
    managers.updated(&before, &after, Manager::updater("kubectl-edit", "apps/v1", ""), "t1", &none());
    let shown = managers.to_json();
    assert_eq!(shown.as_array().map(Vec::len), Some(1), "the applier has nothing left");
    assert_eq!(
        shown[0]["fieldsV1"],
        json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}, "f:spec": {"f:replicas": {}}})
    );
}

#[test]
fn applying_twice_changes_nothing() {
    let config = deployment(json!({"replicas": 2, "selector": {"matchLabels": {"a": "b"}}}));
    let managers = Managers::applied(&config, me(), "t0", &none());
    let again = managers.apply(&config, &config, &me(), false, ("t1", &none())).expect("no conflict");
    assert_eq!(again.object, *config);
    assert_eq!(again.managers.to_json(), managers.to_json());
}

#[test]
fn custom_resources_are_merged_by_their_definition() {
    let items = json!({"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}, "m": {"type": "integer"}}});
    let list = |kind: &str, items: &Value| json!({"type": "array", "x-kubernetes-list-type": kind, "items": items});
    let mut keyed = list("map", &items);
    keyed["x-kubernetes-list-map-keys"] = json!(["name"]);
    let spec = json!({"type": "object", "properties": {
        "keyed": keyed, "set": list("set", &json!({"type": "string"})), "plain": {"type": "array", "items": {"type": "string"}},
        "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "string"}}}});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": schema});
    let mut known = Definitions::default();
    known.add(&json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "ws.x.io"},
        "spec": {"group": "x.io", "scope": "Namespaced", "names": {"plural": "ws", "kind": "W"}, "versions": [version]}}));
    let w =
        |spec: Value| Arc::new(json!({"apiVersion": "x.io/v1", "kind": "W", "metadata": {"name": "w"}, "spec": spec}));
    let live = w(json!({"keyed": [{"name": "a", "n": 1}], "set": ["x"], "plain": ["p"], "whole": {"k": "v"}}));
    let managers = Managers::applied(&live, me(), "t0", &known);
    let other = Manager::applier("other", "x.io/v1");
    let wish = w(json!({"keyed": [{"name": "b"}, {"name": "a", "m": 2}], "set": ["y"]}));
    let applied = managers.apply(&live, &wish, &other, false, ("t1", &known)).expect("no conflict");
    assert_eq!(applied.object["spec"]["keyed"], json!([{"name": "a", "n": 1, "m": 2}, {"name": "b"}]));
    assert_eq!(applied.object["spec"]["set"], json!(["x", "y"]));
    for (wish, path) in [(json!({"plain": ["q"]}), ".spec.plain"), (json!({"whole": {"l": "w"}}), ".spec.whole")] {
        let conflicts = managers.apply(&live, &w(wish), &other, false, ("t1", &known)).expect_err("a conflict");
        assert_eq!(conflicts.list, [("\"kubectl\"".to_owned(), vec![path.to_owned()])], "written as a whole");
    }
    let again = managers.apply(&live, &w(json!({"keyed": []})), &me(), false, ("t2", &known)).expect("no conflict");
    assert_eq!(again.object["spec"], json!({"keyed": []}), "what is no longer named goes");
}

#[test]
fn a_configuration_names_an_item_once() {
    let pod = |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": spec});
    let container = |fields: Value| {
        let mut container = fields;
        container["name"] = json!("c");
        json!({"containers": [container]})
    };
    let said = |what: &str| Err(format!("failed to create typed patch object (n/p; /v1, Kind=Pod): {what}"));
    for (spec, expected) in [
        (container(json!({"env": [{"name": "A"}, {"name": "B"}]})), Ok(())),
        (
            container(json!({"env": [{"name": "A"}, {"name": "A"}]})),
            said(".spec.containers[name=\"c\"].env: duplicate entries for key [name=\"A\"]"),
        ),
        (
            container(json!({"ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]})),
            said(".spec.containers[name=\"c\"].ports: duplicate entries for key [containerPort=80,protocol=\"TCP\"]"),
        ),
        (
            json!({"containers": [{"image": "i"}]}),
            said(
                ".spec.containers: element 0: associative list with keys has an element that omits key field \"name\" (and doesn't have default value)",
            ),
        ),
        (json!({"imagePullSecrets": [{}]}), Ok(())),
    ] {
        assert_eq!(check_configuration(&pod(spec.clone()), &none()), expected, "{spec}");
    }
}
