//! The values that a template finds.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::Found;
use super::parse::{Derived, Node, Part};

/// How many values one step may find.
const MAX_RESULTS: usize = 1_000_000;

pub(super) fn parts<'a>(parts: &'a [Part], value: &'a Value) -> Result<Vec<Found<'a>>, String> {
    let mut found = Vec::new();
    let mut budget = MAX_RESULTS;
    run(parts, Cow::Borrowed(value), &mut found, &mut budget)?;
    Ok(found)
}

fn run<'a>(
    parts: &'a [Part],
    value: Cow<'a, Value>,
    found: &mut Vec<Found<'a>>,
    budget: &mut usize,
) -> Result<(), String> {
    for part in parts {
        let nodes = match part {
            Part::StrayEnd => return Err("not in range, nothing to end".to_owned()),
            Part::Action(nodes) | Part::Range(nodes, _) => nodes,
        };
        let values = walk(nodes, vec![value.clone()])?;
        *budget = budget.checked_sub(1 + values.len()).ok_or_else(too_many)?;
        match part {
            Part::Action(_) | Part::StrayEnd => found.push(values),
            Part::Range(_, body) => {
                for item in values {
                    run(body, item, found, budget)?;
                }
            }
        }
    }
    Ok(())
}

fn too_many() -> String {
    "too many results".to_owned()
}

fn walk<'a>(nodes: &'a [Node], mut values: Found<'a>) -> Result<Found<'a>, String> {
    for node in nodes {
        values = step(node, values)?;
        if values.len() > MAX_RESULTS {
            return Err(too_many());
        }
    }
    Ok(values)
}

fn step<'a>(node: &'a Node, values: Found<'a>) -> Result<Found<'a>, String> {
    match node {
        Node::Constant(constant) => Ok(vec![Cow::Borrowed(constant)]),
        Node::Begin | Node::End => Ok(values),
        Node::Unknown(word) => Err(format!("unrecognized identifier {word}")),
        Node::Field(field) => Ok(values.into_iter().filter_map(|value| child(value, field)).collect()),
        Node::Wildcard => Ok(values.into_iter().flat_map(children).collect()),
        Node::Recursive => {
            let mut found = Vec::new();
            for value in values {
                descend(value, &mut found)?;
            }
            Ok(found)
        }
        Node::Slice(params, derived) => {
            let mut found = Vec::new();
            for value in values {
                slice(value, *params, *derived, &mut found)?;
            }
            Ok(found)
        }
        Node::Union(branches) => {
            let mut found = Vec::new();
            for branch in branches {
                found.extend(walk(branch, values.clone())?);
            }
            Ok(found)
        }
        Node::Filter(left, operator, right) => filter(values, left, operator, right),
    }
}

fn child<'a>(value: Cow<'a, Value>, field: &str) -> Option<Cow<'a, Value>> {
    match value {
        Cow::Borrowed(value) => value.get(field).map(Cow::Borrowed),
        Cow::Owned(value) => value.get(field).cloned().map(Cow::Owned),
    }
}

fn children(value: Cow<'_, Value>) -> Vec<Cow<'_, Value>> {
    match value {
        Cow::Borrowed(Value::Array(items)) => items.iter().map(Cow::Borrowed).collect(),
        Cow::Borrowed(Value::Object(map)) => map.values().map(Cow::Borrowed).collect(),
        Cow::Owned(Value::Array(items)) => items.into_iter().map(Cow::Owned).collect(),
        Cow::Owned(Value::Object(map)) => map.into_iter().map(|(_, value)| Cow::Owned(value)).collect(),
        _ => Vec::new(),
    }
}

/// A value that has children, and theirs, in the order of a walk down.
fn descend<'a>(value: Cow<'a, Value>, found: &mut Found<'a>) -> Result<(), String> {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        let below = children(value.clone());
        if below.is_empty() {
            continue;
        }
        found.push(value);
        if found.len() > MAX_RESULTS {
            return Err(too_many());
        }
        waiting.extend(below.into_iter().rev());
    }
    Ok(())
}

fn slice<'a>(
    value: Cow<'a, Value>,
    [begin, end, step]: [Option<i64>; 3],
    derived: Derived,
    found: &mut Found<'a>,
) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    let Value::Array(items) = value.as_ref() else {
        return Err(format!("{} is not array or slice", go_type(&value)));
    };
    let length = items.len() as i64;
    let mut begin = begin.unwrap_or_default();
    if begin < 0 {
        begin += length;
    }
    let mut end = end.unwrap_or(length);
    if end < 0 || (end == 0 && derived == Derived::Yes) {
        end += length;
    }
    if begin == end {
        return Ok(());
    }
    let out_of_bounds = |index: i64| format!("array index out of bounds: index {index}, length {length}");
    if begin >= length || begin < 0 {
        return Err(out_of_bounds(begin));
    }
    if end > length || end < 0 {
        return Err(out_of_bounds(end - 1));
    }
    if begin > end {
        return Err(format!("starting index {begin} is greater than ending index {end}"));
    }
    let step = match step {
        Some(step) if step <= 0 => return Err("step must be > 0".to_owned()),
        step => step.unwrap_or(1) as usize,
    };
    found.extend(children(value).into_iter().skip(begin as usize).take((end - begin) as usize).step_by(step));
    Ok(())
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "map[string]interface {}",
        Value::Array(_) => "[]interface {}",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::Null => "<nil>",
    }
}

fn filter<'a>(values: Found<'a>, left: &'a [Node], operator: &str, right: &'a [Node]) -> Result<Found<'a>, String> {
    let mut found = Vec::new();
    for value in values {
        if value.is_null() {
            continue;
        }
        if !value.is_array() {
            return Err(format!("{} is not array or slice and cannot be filtered", go_type(&value)));
        }
        for item in children(value) {
            let lefts = walk(left, vec![item.clone()])?;
            let is_in = match (operator, lefts.as_slice()) {
                ("exists", lefts) => !lefts.is_empty(),
                (_, []) => false,
                (_, [one]) => match walk(right, vec![item.clone()])?.as_slice() {
                    [] => false,
                    [other] => compare(one, operator, other)?,
                    _ => return Err("can only compare one element at a time".to_owned()),
                },
                _ => return Err("can only compare one element at a time".to_owned()),
            };
            if is_in {
                found.push(item);
            }
        }
    }
    Ok(found)
}

fn compare(left: &Value, operator: &str, right: &Value) -> Result<bool, String> {
    let incompatible = || "incompatible types for comparison".to_owned();
    let order = match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => {
            if matches!(operator, "<" | ">" | "<=" | ">=") {
                return Err("invalid type for comparison".to_owned());
            }
            left.cmp(right)
        }
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) if left.is_f64() == right.is_f64() => {
            match (left.as_i64(), right.as_i64()) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal),
            }
        }
        _ => return Err(incompatible()),
    };
    Ok(match operator {
        "<" => order.is_lt(),
        ">" => order.is_gt(),
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<=" => order.is_le(),
        ">=" => order.is_ge(),
        other => return Err(format!("unrecognized filter operator {other}")),
    })
}
