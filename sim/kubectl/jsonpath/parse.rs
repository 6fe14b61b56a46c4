//! Templates into parts: text, actions, ranges.

use serde_json::Value;

/// How deep ranges, filters and unions may nest.
const MAX_DEPTH: usize = 32;

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// Text as it is, or `{...}` without a range.
    Action(Vec<Node>),
    /// `{range ...}` with what follows up to its `{end}`.
    Range(Vec<Node>, Vec<Part>),
    /// An `{end}` that ends nothing.
    StrayEnd,
}

/// A step of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A constant: text, a number, a boolean.
    Constant(Value),
    Field(String),
    Wildcard,
    Recursive,
    Slice([Option<i64>; 3], Derived),
    Union(Vec<Vec<Node>>),
    /// What is left of an operator, the operator, what is right of it; `exists` has nothing on the right.
    Filter(Vec<Node>, String, Vec<Node>),
    /// A word that means nothing; an error when it is reached.
    Unknown(String),
    Begin,
    End,
}

/// Whether the end of a slice follows from its begin: `[3]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Derived {
    No,
    Yes,
}

/// Parses a template.
pub(super) fn parts(template: &str) -> Result<Vec<Part>, String> {
    let actions = actions(template, 0)?;
    let mut stack: Vec<(Vec<Node>, Vec<Part>)> = Vec::new();
    let mut current: Vec<Part> = Vec::new();
    for nodes in actions {
        if nodes.iter().any(|node| matches!(node, Node::Begin)) {
            if stack.len() == MAX_DEPTH {
                return Err("ranges nest too deeply".to_owned());
            }
            stack.push((nodes, std::mem::take(&mut current)));
        } else if nodes.iter().any(|node| matches!(node, Node::End)) {
            match stack.pop() {
                Some((range, outer)) => {
                    let body = std::mem::replace(&mut current, outer);
                    current.push(Part::Range(range, body));
                }
                None => current.push(Part::StrayEnd),
            }
        } else {
            current.push(Part::Action(nodes));
        }
    }
    while let Some((range, outer)) = stack.pop() {
        let body = std::mem::replace(&mut current, outer);
        current.push(Part::Range(range, body));
    }
    Ok(current)
}

fn actions(template: &str, depth: usize) -> Result<Vec<Vec<Node>>, String> {
    let mut actions = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            actions.push(vec![Node::Constant(rest[..open].into())]);
        }
        let mut parser = Parser { text: &rest[open + 1..], at: 0, depth };
        actions.push(parser.action()?);
        rest = &parser.text[parser.at..];
    }
    if !rest.is_empty() {
        actions.push(vec![Node::Constant(rest.into())]);
    }
    Ok(actions)
}

/// Parses what is between braces.
fn inside(text: &str, depth: usize) -> Result<Vec<Node>, String> {
    if depth > MAX_DEPTH {
        return Err("expression nests too deeply".to_owned());
    }
    let braced = format!("{text}}}");
    Parser { text: &braced, at: 0, depth }.action()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn action(&mut self) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            if self.rest().starts_with("[?(") {
                nodes.push(self.filter()?);
                continue;
            }
            if self.rest().starts_with("..") {
                if matches!(nodes.last(), Some(Node::Recursive)) {
                    return Err("invalid multiple recursive descent".to_owned());
                }
                self.at += 2;
                nodes.push(Node::Recursive);
                if self.peek().is_some_and(|c| c == '_' || c.is_alphanumeric()) {
                    nodes.push(self.field());
                }
                continue;
            }
            match self.next() {
                None | Some('\n' | '\r') => return Err("unclosed action".to_owned()),
                Some('}') => return Ok(nodes),
                Some(' ' | '@' | '$') => {}
                Some('[') => self.array(&mut nodes)?,
                Some(quote @ ('"' | '\'')) => nodes.push(self.quoted(quote)?),
                Some('.') => nodes.push(self.field()),
                Some(c) if c == '+' || c == '-' || c.is_ascii_digit() => {
                    self.at -= 1;
                    nodes.push(self.number()?);
                }
                Some(c) if c == '_' || c.is_alphanumeric() => {
                    self.at -= c.len_utf8();
                    nodes.push(self.word());
                }
                Some(c) => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", c as u32)),
            }
        }
    }

    /// Reads up to a character that ends a field or a word.
    fn run(&mut self) -> String {
        let start = self.at;
        while let Some(c) = self.peek() {
            if is_terminator(c) {
                break;
            }
            self.next();
            if c == '\\' {
                self.next();
            }
        }
        self.text[start..self.at].to_owned()
    }

    fn field(&mut self) -> Node {
        match self.run().as_str() {
            "*" => Node::Wildcard,
            field => Node::Field(field.replace('\\', "")),
        }
    }

    fn word(&mut self) -> Node {
        match self.run().as_str() {
            "true" => Node::Constant(true.into()),
            "false" => Node::Constant(false.into()),
            "range" => Node::Begin,
            "end" => Node::End,
            word => Node::Unknown(word.to_owned()),
        }
    }

    fn number(&mut self) -> Result<Node, String> {
        let start = self.at;
        if matches!(self.peek(), Some('+' | '-')) {
            self.next();
        }
        while self.peek().is_some_and(|c| c == '.' || c.is_ascii_digit()) {
            self.next();
        }
        let text = &self.text[start..self.at];
        let bare = text.strip_prefix('+').unwrap_or(text);
        match (bare.parse::<i64>(), bare.parse::<f64>()) {
            (Ok(integer), _) => Ok(Node::Constant(integer.into())),
            (_, Ok(float)) => Ok(Node::Constant(float.into())),
            _ => Err(format!("cannot parse number {text}")),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Node, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                None | Some('\n') => return Err("unterminated quoted string".to_owned()),
                Some('\\') => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some('a') => text.push('\x07'),
                    Some('b') => text.push('\x08'),
                    Some('f') => text.push('\x0c'),
                    Some('v') => text.push('\x0b'),
                    Some(c @ ('\\' | '\'' | '"')) => text.push(c),
                    _ => return Err("invalid syntax".to_owned()),
                },
                Some(c) if c == quote => return Ok(Node::Constant(text.into())),
                Some(c) => text.push(c),
            }
        }
    }

    /// What is between brackets: a slice, a quoted key, or several of them.
    fn array(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        let Some(end) = self.rest().find([']', '\n']).filter(|&end| self.rest()[end..].starts_with(']')) else {
            return Err("unterminated array".to_owned());
        };
        let text = self.rest()[..end].to_owned();
        self.at += end + 1;
        let text = if text == "*" { ":" } else { &text };
        if text.contains(',') {
            let branches =
                text.split(',').map(|branch| inside(&format!("[{}]", branch.trim_matches(' ')), self.depth + 1));
            nodes.push(Node::Union(branches.collect::<Result<_, _>>()?));
        } else if let Some(key) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            nodes.extend(inside(&format!(".{key}"), self.depth + 1)?);
        } else {
            nodes.push(slice(text)?);
        }
        Ok(())
    }

    fn filter(&mut self) -> Result<Node, String> {
        self.at += "[?(".len();
        let start = self.at;
        let (mut quote, mut is_closed) = (None, false);
        loop {
            match self.next() {
                None | Some('\n') => return Err("unterminated filter".to_owned()),
                Some(c @ ('"' | '\'')) => match quote {
                    None => quote = Some(c),
                    Some(open) if open == c && !self.text[..self.at - 1].ends_with('\\') => is_closed = true,
                    Some(_) => {}
                },
                Some(')') if quote.is_some() == is_closed => break,
                Some(_) => {}
            }
        }
        let text = self.text[start..self.at - 1].to_owned();
        if self.next() != Some(']') {
            return Err("unclosed array expect ]".to_owned());
        }
        let is_operator = |c: char| matches!(c, '!' | '<' | '>' | '=');
        let operator = text.find(is_operator).filter(|&start| start > 0);
        let Some(start) = operator else {
            return Ok(Node::Filter(inside(&text, self.depth + 1)?, "exists".to_owned(), Vec::new()));
        };
        let length = text[start..].find(|c| !is_operator(c)).unwrap_or(text.len() - start);
        let (left, rest) = text.split_at(start);
        let (operator, right) = rest.split_at(length);
        if right.is_empty() {
            return Ok(Node::Filter(inside(&text, self.depth + 1)?, "exists".to_owned(), Vec::new()));
        }
        let (left, right) = (inside(left, self.depth + 1)?, inside(right, self.depth + 1)?);
        Ok(Node::Filter(left, operator.to_owned(), right))
    }
}

pub(super) fn is_terminator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

fn slice(text: &str) -> Result<Node, String> {
    let fields: Vec<&str> = text.split(':').collect();
    let is_number = |field: &&str| field.strip_prefix('-').unwrap_or(field).bytes().all(|byte| byte.is_ascii_digit());
    if fields.len() > 3 || !fields.iter().all(is_number) {
        return Err(format!("invalid array index {text}"));
    }
    let mut params = [None; 3];
    for (param, field) in params.iter_mut().zip(&fields) {
        if !field.is_empty() {
            let number = field.parse().map_err(|_| format!("array index {field} is not a number"))?;
            *param = Some(number);
        }
    }
    if fields.len() > 1 {
        return Ok(Node::Slice(params, Derived::No));
    }
    params[1] = Some(params[0].unwrap_or_default().saturating_add(1));
    Ok(Node::Slice(params, Derived::Yes))
}
