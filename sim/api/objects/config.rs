//! ConfigMap, Secret, ServiceAccount, ControllerRevision.

use crate::api::base64;
use crate::api::causes::{Causes, Path, Raw};
use crate::api::names;
use crate::api::view::{ensure, entries, fill_text, get, has, int, put, remove, text};
use serde_json::Value;

use super::metadata::IMMUTABLE;

const SIZE_LIMIT: usize = 1 << 20;

/// Checks a ConfigMap.
pub(super) fn validate_config_map(object: &Value, causes: &mut Causes) {
    let mut size = 0;
    for (key, value) in entries(object, "data") {
        let path = Path::ROOT.child("data");
        causes.invalid_for(&path.key(key), key, names::config_key(key));
        if get(object, "binaryData").get(key).is_some() {
            causes.invalid(&path.key(key), key, "duplicate of key present in binaryData");
        }
        size += value.as_str().map_or(0, str::len);
    }
    for (key, value) in entries(object, "binaryData") {
        let path = Path::ROOT.child("binaryData");
        causes.invalid_for(&path.key(key), key, names::config_key(key));
        size += value.as_str().and_then(|text| base64::decode(text).ok()).map_or(0, |bytes| bytes.len());
    }
    if size > SIZE_LIMIT {
        causes.too_long(&Path::ROOT, SIZE_LIMIT);
    }
}

/// Fills in a Secret: its type, and `stringData` written into `data`.
pub(super) fn default_secret(object: &mut Value) {
    fill_text(object, "type", "Opaque");
    let texts: Vec<(String, String)> = entries(object, "stringData")
        .map(|(key, value)| (key.to_owned(), base64::encode(value.as_str().unwrap_or("").as_bytes())))
        .collect();
    remove(object, "stringData");
    if !texts.is_empty() {
        let data = ensure(object, "data");
        for (key, value) in texts {
            put(data, &key, value);
        }
    }
}

/// Checks a Secret.
pub(super) fn validate_secret(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("data");
    let bytes =
        |key: &str| get(object, "data").get(key).and_then(Value::as_str).and_then(|text| base64::decode(text).ok());
    let mut size = 0;
    for (key, _) in entries(object, "data") {
        causes.invalid_for(&path.key(key), key, names::config_key(key));
        size += bytes(key).map_or(0, |bytes| bytes.len());
    }
    if size > SIZE_LIMIT {
        causes.too_long(&path, SIZE_LIMIT);
    }
    let has_key = |key: &str| get(object, "data").get(key).is_some();
    let need = |key: &str, causes: &mut Causes| {
        if !has_key(key) {
            causes.required(&path.key(key), "");
        }
    };
    match text(object, "type") {
        "kubernetes.io/service-account-token" => {
            let account = get(get(object, "metadata"), "annotations").get("kubernetes.io/service-account.name");
            if account.and_then(Value::as_str).unwrap_or("").is_empty() {
                let path = Path::ROOT.child("metadata.annotations");
                causes.required(&path.key("kubernetes.io/service-account.name"), "");
            }
        }
        "kubernetes.io/dockercfg" => docker(bytes(".dockercfg"), ".dockercfg", causes),
        "kubernetes.io/dockerconfigjson" => docker(bytes(".dockerconfigjson"), ".dockerconfigjson", causes),
        "kubernetes.io/basic-auth" if !has_key("username") && !has_key("password") => {
            causes.required(&path.key("username"), "");
            causes.required(&path.key("password"), "");
        }
        "kubernetes.io/ssh-auth" if bytes("ssh-privatekey").is_none_or(|bytes| bytes.is_empty()) => {
            causes.required(&path.key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            need("tls.crt", causes);
            need("tls.key", causes);
        }
        _ => {}
    }
}

fn docker(bytes: Option<Vec<u8>>, key: &str, causes: &mut Causes) {
    let path = Path::ROOT.child("data");
    let Some(bytes) = bytes else {
        causes.required(&path.key(key), "");
        return;
    };
    let text = String::from_utf8_lossy(&bytes);
    let redacted = Raw("\"<secret contents redacted>\"");
    match serde_json::from_str::<Value>(&text) {
        Err(error) => causes.invalid(&path.key(key), redacted, go_json_error(&text, &error)),
        Ok(Value::Object(_) | Value::Null) => {}
        Ok(other) => {
            let kind = match other {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            let what = format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}");
            causes.invalid(&path.key(key), redacted, what);
        }
    }
}

/// What Go says of the first character that is wrong.
fn go_json_error(text: &str, error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or("");
    let bad = line.chars().nth(error.column().saturating_sub(1)).unwrap_or(' ');
    let context = match error.to_string() {
        what if what.starts_with("key must be a string") => "looking for beginning of object key string",
        what if what.starts_with("expected `:`") => "after object key",
        what if what.starts_with("expected `,` or `}`") => "after object key:value pair",
        what if what.starts_with("expected `,` or `]`") => "after array element",
        what if what.starts_with("trailing characters") => "after top-level value",
        _ => "looking for beginning of value",
    };
    format!("invalid character {bad:?} {context}")
}

/// Checks what an update of a ConfigMap or a Secret may change: nothing once it is immutable.
pub(super) fn validate_update(new: &Value, old: &Value, causes: &mut Causes) {
    if has(old, "type") && get(new, "type") != get(old, "type") {
        causes.invalid(&Path::ROOT.child("type"), get(new, "type"), IMMUTABLE);
    }
    if get(old, "immutable") != true {
        return;
    }
    let what = "field is immutable when `immutable` is set";
    if get(new, "immutable") != true {
        causes.forbidden(&Path::ROOT.child("immutable"), what);
    }
    for field in ["data", "binaryData"] {
        if get(new, field) != get(old, field) {
            causes.forbidden(&Path::ROOT.child(field), what);
        }
    }
}

/// Checks a ControllerRevision.
pub(super) fn validate_revision(object: &Value, causes: &mut Causes) {
    if !has(object, "data") {
        causes.required(&Path::ROOT.child("data"), "data is mandatory");
    }
    let revision = int(object, "revision");
    if revision < 0 {
        causes.invalid(&Path::ROOT.child("revision"), revision, super::metadata::NON_NEGATIVE);
    }
}
