//! Patches: strategic merge, JSON merge (RFC 7386), JSON patch (RFC 6902), and the three-way merge of `kubectl apply`.
//!
//! The work is bounded by the sizes of object and patch.

mod json_patch;
mod strategic;
mod three_way;

pub use json_patch::json_patch;
pub use strategic::strategic_merge;
pub use three_way::{LAST_APPLIED, three_way_merge, with_last_applied};

use serde_json::{Map, Value};

/// A JSON merge patch: null deletes, objects are merged, everything else is replaced.
pub fn json_merge(object: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        object.clone_from(patch);
        return;
    };
    for (key, change) in changes {
        if change.is_null() {
            if let Some(fields) = object.as_object_mut() {
                fields.remove(key);
            }
        } else {
            json_merge(fields_mut(object).entry(key).or_insert(Value::Null), change);
        }
    }
}

/// The fields of an object; what is none is made one.
fn fields_mut(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(fields) = value else { unreachable!("made an object above") };
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_patches_replace_lists_and_delete_by_null() {
        let mut object = json!({"a": [1, 2], "b": {"c": 1, "d": 2}});
        json_merge(&mut object, &json!({"a": [3], "b": {"c": null}}));
        assert_eq!(object, json!({"a": [3], "b": {"d": 2}}));
        json_merge(&mut object, &json!({"e": {"f": null, "g": 1}}));
        assert_eq!(object["e"], json!({"g": 1}), "nulls of a new object are not written");
    }
}
