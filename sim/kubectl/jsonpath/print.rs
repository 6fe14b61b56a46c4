//! Templates as text again, where they can be written.

use serde_json::Value;

use super::parse::{Derived, Node, Part};

/// The text of parts; `None` where one has no form of its own (a union or a filter).
pub(super) fn parts(parts: &[Part]) -> Option<String> {
    let texts = parts.iter().map(|part| match part {
        Part::Action(nodes) => action(nodes),
        Part::Range(nodes, body) => Some(action(nodes)? + &self::parts(body)? + "{end}"),
        Part::StrayEnd => Some("{end}".to_owned()),
    });
    texts.collect()
}

fn action(nodes: &[Node]) -> Option<String> {
    let texts: Vec<String> = nodes.iter().map(node).collect::<Option<_>>()?;
    // Blanks between nodes mean nothing and keep them apart.
    Some(format!("{{{}}}", texts.join(" ")))
}

fn node(node: &Node) -> Option<String> {
    Some(match node {
        Node::Constant(value) => constant(value)?,
        Node::Field(field) if field == "*" => ".\\*".to_owned(),
        Node::Field(field) => {
            let escape = |c: char| if super::parse::is_terminator(c) { format!("\\{c}") } else { c.to_string() };
            format!(".{}", field.chars().map(escape).collect::<String>())
        }
        Node::Wildcard => ".*".to_owned(),
        Node::Recursive => "..".to_owned(),
        Node::Slice([begin, ..], Derived::Yes) => format!("[{}]", number(*begin)),
        Node::Slice(params, Derived::No) => {
            format!("[{}]", params.iter().map(|param| number(*param)).collect::<Vec<_>>().join(":"))
        }
        Node::Unknown(word) => word.clone(),
        Node::Begin => "range".to_owned(),
        Node::End => "end".to_owned(),
        Node::Union(_) | Node::Filter(..) => return None,
    })
}

fn number(param: Option<i64>) -> String {
    param.map(|number| number.to_string()).unwrap_or_default()
}

fn constant(value: &Value) -> Option<String> {
    Some(match value {
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.to_string(),
            (None, Some(float)) if float.fract() == 0.0 => format!("{float:.1}"),
            (None, float) => float?.to_string(),
        },
        Value::String(text) => {
            let escape = |c: char| match c {
                '\n' => "\\n".to_owned(),
                '"' | '\\' => format!("\\{c}"),
                c => c.to_string(),
            };
            format!("\"{}\"", text.chars().map(escape).collect::<String>())
        }
        _ => return None,
    })
}
