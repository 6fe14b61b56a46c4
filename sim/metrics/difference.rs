//! What differs between two states of an object, as short text: `replicas 3->4 Available=True(MinimumReplicasAvailable)`.

use serde_json::Value;

/// Differences that one line shows; more are counted.
const MAX_PIECES: usize = 10;
/// Characters of one value that a line shows.
const MAX_VALUE: usize = 80;
/// How deep differences are looked for.
const MAX_DEPTH: usize = 24;

/// Fields that say when, or how, and not what.
const QUIET: [&str; 7] = [
    "lastTransitionTime",
    "lastUpdateTime",
    "lastHeartbeatTime",
    "lastProbeTime",
    "message",
    "observedGeneration",
    "creationTimestamp",
];

/// What differs, in the order of the fields: `path old->new`, `path=new` for what was not there, `path removed`. Conditions are
/// written as `Type=Status(Reason)`, elements of lists by their name where they have one.
pub(super) fn difference(old: &Value, new: &Value) -> String {
    let mut pieces = Vec::new();
    walk(String::new(), old, new, 0, &mut pieces);
    if pieces.is_empty() {
        // Nothing but what is left out otherwise.
        let key = "observedGeneration";
        if old[key] != new[key] {
            leaf(key, &old[key], &new[key], &mut pieces);
        }
    }
    let more = pieces.len().saturating_sub(MAX_PIECES);
    pieces.truncate(MAX_PIECES);
    let mut text = pieces.join(" ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn walk(path: String, old: &Value, new: &Value, depth: usize, out: &mut Vec<String>) {
    if old == new || depth > MAX_DEPTH {
        return;
    }
    match (old, new) {
        (Value::Object(_) | Value::Null, Value::Object(_)) | (Value::Object(_), Value::Null) => {
            let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
            let (before, after) = (fields(old), fields(new));
            let gone = before.keys().filter(|key| !after.contains_key(*key));
            for key in after.keys().chain(gone).filter(|key| !QUIET.contains(&key.as_str())) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(path, &old[key.as_str()], &new[key.as_str()], depth + 1, out);
            }
        }
        (Value::Array(_) | Value::Null, Value::Array(_)) | (Value::Array(_), Value::Null) if is_keyed(old, new) => {
            list(&path, old, new, depth, out);
        }
        _ => leaf(&path, old, new, out),
    }
}

/// Elements that are objects are compared by what names them.
fn list(path: &str, old: &Value, new: &Value, depth: usize, out: &mut Vec<String>) {
    let (before, after) = (elements(old), elements(new));
    let find = |list: &[(String, &Value)], key: &str| {
        list.iter().find(|(known, _)| known == key).map_or(Value::Null, |(_, value)| (*value).clone())
    };
    let gone = before.iter().filter(|(key, _)| after.iter().all(|(other, _)| other != key));
    for (key, _) in after.iter().chain(gone) {
        let (was, is) = (find(&before, key), find(&after, key));
        if path == "conditions" {
            condition(key, &was, &is, out);
        } else if is.is_null() {
            out.push(format!("{path}[{key}] removed"));
        } else if was.is_null() && is.get("targetRef").is_some() {
            let ready = shown(&is["conditions"]["ready"]);
            out.push(format!("{path}[{key}] added, ready={ready}"));
        } else if was.is_null() && is.get("uid").is_some() {
            // A reference says no more than what it refers to.
            out.push(format!("{path}[{key}] added"));
        } else {
            walk(format!("{path}[{key}]"), &was, &is, depth + 1, out);
        }
    }
}

fn condition(kind: &str, old: &Value, new: &Value, out: &mut Vec<String>) {
    if new.is_null() {
        out.push(format!("{kind} removed"));
    } else if (&old["status"], &old["reason"]) != (&new["status"], &new["reason"]) {
        let text = |key: &str| new[key].as_str().unwrap_or("");
        match text("reason") {
            "" => out.push(format!("{kind}={}", text("status"))),
            reason => out.push(format!("{kind}={}({reason})", text("status"))),
        }
    }
}

fn is_keyed(old: &Value, new: &Value) -> bool {
    let objects = |value: &Value| value.as_array().into_iter().flatten().all(Value::is_object);
    objects(old) && objects(new)
}

/// The elements of a list of objects with what names each: its name, type, key, or addresses; else its place.
fn elements(list: &Value) -> Vec<(String, &Value)> {
    let name = |place: usize, value: &Value| {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let target = || value["targetRef"]["name"].as_str().map(str::to_owned);
        let named = text("name").or_else(|| text("type")).or_else(target).or_else(|| text("key"));
        named.unwrap_or_else(|| place.to_string())
    };
    list.as_array().into_iter().flatten().enumerate().map(|(place, value)| (name(place, value), value)).collect()
}

fn leaf(path: &str, old: &Value, new: &Value, out: &mut Vec<String>) {
    match (old, new) {
        // Numbers of a status that are zero are not written.
        (Value::Number(old), Value::Null) => out.push(format!("{path} {old}->0")),
        (_, Value::Null) => out.push(format!("{path} removed")),
        (Value::Null, new) => out.push(format!("{path}={}", shown(new))),
        (old, new) => out.push(format!("{path} {}->{}", shown(old), shown(new))),
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_said() {
        let cases = [
            (json!({"replicas": 3}), json!({"replicas": 4}), "replicas 3->4"),
            (json!({"replicas": 3}), json!({}), "replicas 3->0"),
            (json!({}), json!({"replicas": 1, "active": ["a"]}), "active=[\"a\"] replicas=1"),
            (json!({"a": 1, "observedGeneration": 1}), json!({"a": 2, "observedGeneration": 2}), "a 1->2"),
            (json!({"observedGeneration": 1}), json!({"observedGeneration": 2}), "observedGeneration 1->2"),
            (
                json!({"template": {"spec": {"containers": [{"name": "m", "image": "web:1"}]}}}),
                json!({"template": {"spec": {"containers": [{"name": "m", "image": "web:2"}]}}}),
                "template.spec.containers[m].image web:1->web:2",
            ),
            (
                json!({"conditions": [{"type": "Available", "status": "False", "reason": "R"}]}),
                json!({"conditions": [{"type": "Available", "status": "True", "reason": "S", "message": "m"}]}),
                "Available=True(S)",
            ),
            (json!({"conditions": [{"type": "A", "status": "True"}]}), json!({"conditions": []}), "A removed"),
            (json!({"text": "a"}), json!({"text": "two words"}), "text a->\"two words\""),
            (json!({"deep": {"x": "y"}}), json!({}), "deep.x removed"),
            (json!({"list": [1, 2]}), json!({"list": [1]}), "list [1,2]->[1]"),
            (json!(null), json!(null), ""),
        ];
        for (old, new, want) in cases {
            assert_eq!(difference(&old, &new), want, "{old} {new}");
        }
    }

    #[test]
    fn much_is_cut_short() {
        let many: serde_json::Map<String, Value> = (0..14).map(|n| (format!("k{n:02}"), json!(n))).collect();
        assert!(difference(&Value::Null, &Value::Object(many)).ends_with("k09=9 and 4 more"));
        let mut deep = json!(1);
        for _ in 0..100 {
            deep = json!({ "d": deep });
        }
        assert_eq!(difference(&Value::Null, &deep), "");
        assert_eq!(shown(&json!("x".repeat(200))).len(), 83);
    }
}
