//! `quantity` and `quantityOp`: text to amount and back, comparison, sum and difference.

use serde_json::{Value, json};

use super::text;
use crate::api::quantity::{Format, Quantity};

/// A text as a quantity.
pub(super) fn quantity(case: &Value) -> Value {
    let Ok(quantity) = text(case, "in").parse::<Quantity>() else { return json!({ "ok": false }) };
    let mut facts = facts(&quantity);
    facts["ok"] = json!(true);
    facts
}

/// Two quantities compared, added and subtracted.
pub(super) fn quantity_op(case: &Value) -> Value {
    let (Ok(a), Ok(b)) = (text(case, "a").parse::<Quantity>(), text(case, "b").parse::<Quantity>()) else {
        return json!({ "ok": false });
    };
    let (mut sum, mut difference) = (a.clone(), a.clone());
    sum.add(&b);
    difference.sub(&b);
    json!({ "ok": true, "cmp": a.cmp(&b) as i32, "add": facts(&sum), "sub": facts(&difference) })
}

fn facts(quantity: &Quantity) -> Value {
    let format = match quantity.format() {
        Format::BinarySI => "BinarySI",
        Format::DecimalSI => "DecimalSI",
        Format::DecimalExponent => "DecimalExponent",
    };
    json!({
        "canonical": quantity.to_string(),
        "format": format,
        "isZero": quantity.is_zero(),
        "sign": quantity.sign(),
        "value": quantity.value().to_string(),
        "milliValue": quantity.milli_value().to_string(),
    })
}
