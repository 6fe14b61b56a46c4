//! Values that environment variables take from the pod, and quoted strings.
//!
//! Source: kubectl `pkg/util/fieldpath`, `pkg/util/resource` (`ExtractContainerResourceValue`); Go `strconv.Quote`.

use serde_json::Value;

use crate::api::quantity::Quantity;
use crate::kubectl::look::{at, entries, entry, scalar, text, texts};

/// The value of a field of a pod that a `fieldRef` may name; empty for another.
pub(super) fn pod_field(pod: &Value, path: &str) -> String {
    if let Some((map, key)) = path.strip_suffix(']').and_then(|path| path.split_once("['")) {
        let key = key.strip_suffix('\'').unwrap_or(key);
        return entry(pod, map, key).unwrap_or_default().to_owned();
    }
    match path {
        "metadata.labels" | "metadata.annotations" => {
            let lines: Vec<_> =
                entries(pod, path).iter().map(|(key, value)| format!("{key}={}", quote(value))).collect();
            lines.join("\n")
        }
        "metadata.name" | "metadata.namespace" | "metadata.uid" => text(pod, path).to_owned(),
        // Other fields resolve only inside the kubelet: kubectl knows the metadata alone.
        _ => String::new(),
    }
}

/// The value of a `resourceFieldRef`: the amount divided by the divisor, rounded up.
pub(super) fn container_resource(container: &Value, reference: &Value) -> String {
    let Some((side, name)) = text(reference, "resource").split_once('.') else { return String::new() };
    let quantity = |value: &Value| scalar(value).parse::<Quantity>().unwrap_or_default();
    let amount = quantity(at(container, "resources").get(side).and_then(|map| map.get(name)).unwrap_or(&Value::Null));
    let divisor = match quantity(at(reference, "divisor")) {
        divisor if divisor.is_zero() => Quantity::from_value(1, amount.format()),
        divisor => divisor,
    };
    let (amount, divisor) = match name {
        "cpu" => (amount.milli_value(), divisor.milli_value()),
        _ => (amount.value(), divisor.value()),
    };
    let whole = i128::from(amount).div_euclid(i128::from(divisor).max(1));
    let rounded = whole + i128::from(i128::from(amount).rem_euclid(i128::from(divisor).max(1)) != 0);
    rounded.to_string()
}

/// A string in double quotes, as Go's `%q`.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The strings of a list as Go's `%v` prints them: `[a b]`.
pub(super) fn go_list(value: &Value, path: &str) -> String {
    format!("[{}]", texts(value, path).join(" "))
}
