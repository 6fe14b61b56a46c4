//! Nodes and an object into text.
//!
//! Source: Go `text/template/exec.go`, whose messages these are.

use std::borrow::Cow;

use serde_json::Value;

use super::functions;
use super::parse::{Command, Node, Operand, Pipe, Word};
use super::value::Val;
use crate::kubectl::look::go_value;

/// The longest text that a template may make, in bytes.
const MAX_OUTPUT: usize = 64 << 20;
/// The most nodes that one execution may walk.
const MAX_STEPS: usize = 4_000_000;

pub(super) fn execute(text: &str, nodes: &[Node], data: &Value, allow_missing_keys: bool) -> (String, Option<String>) {
    let root = Val::Is(Cow::Borrowed(data), false);
    let mut state = State {
        text,
        out: String::new(),
        variables: vec![("$".to_owned(), root.clone())],
        place: None,
        steps: 0,
        allow_missing_keys,
    };
    let end = state.walk(nodes, &root);
    (state.out, end.err())
}

enum Flow {
    On,
    Break,
    Continue,
}

struct State<'t, 'a> {
    text: &'t str,
    out: String,
    variables: Vec<(String, Val<'a>)>,
    /// Where the node in question stands, and how it is written.
    place: Option<(usize, String)>,
    steps: usize,
    allow_missing_keys: bool,
}

type Evaluated<T> = Result<T, String>;

impl<'a> State<'_, 'a> {
    fn at(&mut self, position: usize, written: &dyn std::fmt::Display) {
        self.place = Some((position, written.to_string()));
    }

    fn error<T>(&self, what: impl std::fmt::Display) -> Evaluated<T> {
        let Some((position, written)) = &self.place else { return Err(format!("template: output: {what}")) };
        let before = &self.text[..*position];
        let column = before.rfind('\n').map_or(before.len(), |newline| before.len() - newline - 1);
        let line = 1 + before.matches('\n').count();
        Err(format!("template: output:{line}:{column}: executing \"output\" at <{written}>: {what}"))
    }

    fn step(&mut self) -> Evaluated<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.out.len() > MAX_OUTPUT {
            return self.error("the template makes too much");
        }
        Ok(())
    }

    fn walk(&mut self, nodes: &[Node], dot: &Val<'a>) -> Evaluated<Flow> {
        for node in nodes {
            self.step()?;
            match node {
                Node::Text(text) => self.out.push_str(text),
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.print(&value);
                    }
                }
                Node::If(pipe, body, otherwise) | Node::With(pipe, body, otherwise) => {
                    let mark = self.variables.len();
                    let value = self.pipe(pipe, dot)?;
                    let is_with = matches!(node, Node::With(..));
                    let flow = match value.truth() {
                        true => self.walk(body, if is_with { &value } else { dot }),
                        false => self.walk(otherwise, dot),
                    };
                    self.variables.truncate(mark);
                    match flow? {
                        Flow::On => {}
                        flow => return Ok(flow),
                    }
                }
                Node::Range(pipe, body, otherwise) => {
                    let mark = self.variables.len();
                    let flow = self.range(pipe, body, otherwise, dot);
                    self.variables.truncate(mark);
                    match flow? {
                        Flow::On => {}
                        flow => return Ok(flow),
                    }
                }
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::On)
    }

    fn print(&mut self, value: &Val<'a>) {
        match value.get() {
            Some(value) => self.out.push_str(&go_value(value)),
            None => self.out.push_str("<no value>"),
        }
    }

    fn range(&mut self, pipe: &Pipe, body: &[Node], otherwise: &[Node], dot: &Val<'a>) -> Evaluated<Flow> {
        let value = self.commands(pipe, dot)?;
        if let Some(count) = value.any().as_i64() {
            if pipe.variables.len() > 1 {
                return self.error(format!("can't use {count} to iterate over more than one variable"));
            }
            return match count > 0 {
                true => self.rounds(pipe, body, (0..count).map(|i| (Value::Null, Val::of(i)))),
                false => self.walk(otherwise, dot),
            };
        }
        let owned = |item: &Value| Val::element(Cow::Owned(item.clone()));
        let items: Vec<(Value, Val<'a>)> = match &value {
            Val::Is(Cow::Borrowed(Value::Array(items)), _) => {
                items.iter().enumerate().map(|(i, item)| (i.into(), Val::element(Cow::Borrowed(item)))).collect()
            }
            Val::Is(Cow::Borrowed(Value::Object(map)), _) => {
                map.iter().map(|(key, item)| (key.as_str().into(), Val::element(Cow::Borrowed(item)))).collect()
            }
            _ => match value.any() {
                Value::Null => Vec::new(),
                Value::Array(items) => items.iter().enumerate().map(|(i, item)| (i.into(), owned(item))).collect(),
                Value::Object(map) => map.iter().map(|(key, item)| (key.as_str().into(), owned(item))).collect(),
                other => return self.error(format!("range can't iterate over {}", go_value(other))),
            },
        };
        match items.is_empty() {
            true => self.walk(otherwise, dot),
            false => self.rounds(pipe, body, items.into_iter()),
        }
    }

    fn rounds(&mut self, pipe: &Pipe, body: &[Node], items: impl Iterator<Item = (Value, Val<'a>)>) -> Evaluated<Flow> {
        let mark = self.variables.len();
        for (key, item) in items {
            self.step()?;
            let given: Vec<Val<'a>> = match pipe.variables.len() {
                0 => Vec::new(),
                1 => vec![item.clone()],
                _ => vec![Val::of(key), item.clone()],
            };
            for (name, value) in pipe.variables.iter().zip(given) {
                if pipe.assigns {
                    self.assign(name, value);
                } else {
                    self.variables.push((name.clone(), value));
                }
            }
            let flow = self.walk(body, &item);
            self.variables.truncate(mark);
            if let Flow::Break = flow? {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn assign(&mut self, name: &str, value: Val<'a>) {
        if let Some((_, known)) = self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            *known = value;
        }
    }

    /// The value of a pipeline, which its variable takes too.
    fn pipe(&mut self, pipe: &Pipe, dot: &Val<'a>) -> Evaluated<Val<'a>> {
        let value = self.commands(pipe, dot)?;
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone());
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &Pipe, dot: &Val<'a>) -> Evaluated<Val<'a>> {
        self.step()?;
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, last, dot)?.bare());
        }
        Ok(last.unwrap_or(Val::Missing))
    }

    fn command(&mut self, command: &Command, last: Option<Val<'a>>, dot: &Val<'a>) -> Evaluated<Val<'a>> {
        let first = &command.words[0];
        if let Operand::Function(name) = &first.what {
            self.at(first.position, &first);
            return self.call(name, command.position, command, &command.words[1..], last, dot);
        }
        if command.words.len() > 1 || last.is_some() {
            self.at(first.position, &first);
            return match &first.what {
                Operand::Field(fields) | Operand::Variable(_, fields) | Operand::Chain(_, fields)
                    if !fields.is_empty() =>
                {
                    // Go looks the field up first, and fails there if it cannot.
                    self.operand(first, dot)?;
                    self.at(first.position, &first);
                    let name = fields.last().map_or("", String::as_str);
                    self.error(format!("{name} is not a method but has arguments"))
                }
                _ => self.error(format!("can't give argument to non-function {first}")),
            };
        }
        if let Operand::Nil = first.what {
            self.at(first.position, &first);
            return self.error("nil is not a command");
        }
        self.operand(first, dot)
    }

    fn operand(&mut self, word: &Word, dot: &Val<'a>) -> Evaluated<Val<'a>> {
        self.step()?;
        self.at(word.position, &word);
        match &word.what {
            Operand::Dot => Ok(dot.clone()),
            Operand::Nil => Ok(Val::Missing),
            Operand::Constant(value, _) => Ok(Val::of(value.clone())),
            Operand::Field(fields) => self.fields(dot.clone(), fields),
            Operand::Variable(name, fields) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = found.map_or(Val::Missing, |(_, value)| value.clone());
                self.fields(value, fields)
            }
            Operand::Function(name) => self.call(name, word.position, word, &[], None, dot),
            Operand::Pipe(pipe) => self.pipe(pipe, dot),
            Operand::Chain(inner, fields) => {
                let value = self.operand(inner, dot)?;
                self.at(word.position, &word);
                self.fields(value, fields)
            }
        }
    }

    fn fields(&mut self, mut value: Val<'a>, fields: &[String]) -> Evaluated<Val<'a>> {
        for field in fields {
            value = self.field(value, field)?;
        }
        Ok(value)
    }

    fn field(&mut self, value: Val<'a>, field: &str) -> Evaluated<Val<'a>> {
        match &value {
            Val::Missing if self.allow_missing_keys => Ok(Val::Missing),
            Val::Missing => self.error(format!("nil data; no entry for key \"{field}\"")),
            Val::Is(inner, true) if inner.is_null() => {
                self.error(format!("nil pointer evaluating interface {{}}.{field}"))
            }
            Val::Is(inner, _) if inner.is_object() => match value.child(|map| map.get(field)) {
                Some(found) => Ok(found),
                None if self.allow_missing_keys => Ok(Val::Missing),
                None => self.error(format!("map has no entry for key \"{field}\"")),
            },
            Val::Is(..) => {
                let of = value.type_name();
                self.error(format!("can't evaluate field {field} in type {of}"))
            }
        }
    }

    fn call(
        &mut self,
        name: &str,
        position: usize,
        written: &dyn std::fmt::Display,
        words: &[Word],
        last: Option<Val<'a>>,
        dot: &Val<'a>,
    ) -> Evaluated<Val<'a>> {
        let n_args = words.len() + usize::from(last.is_some());
        let (least, is_open) = functions::arity(name);
        if n_args < least && is_open {
            return self.error(format!("wrong number of args for {name}: want at least {least} got {n_args}"));
        }
        if n_args != least && !is_open {
            return self.error(format!("wrong number of args for {name}: want {least} got {n_args}"));
        }
        if matches!(name, "and" | "or") {
            let mut value = Val::Missing;
            for word in words {
                value = self.operand(word, dot)?;
                if value.truth() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut args = Vec::with_capacity(n_args);
        for (index, word) in words.iter().enumerate() {
            let value = self.operand(word, dot)?;
            self.at(word.position, &word);
            let is_constant = matches!(word.what, Operand::Constant(..));
            args.push(self.checked(name, index, value, is_constant.then_some(word))?);
        }
        if let Some(last) = last {
            let index = args.len();
            args.push(self.checked(name, index, last, None)?);
        }
        match functions::call(name, args) {
            Ok(value) => Ok(value),
            Err(why) => {
                self.at(position, written);
                self.error(format!("error calling {name}: {why}"))
            }
        }
    }

    /// An argument that must be a string is one.
    fn checked(&self, name: &str, index: usize, value: Val<'a>, constant: Option<&Word>) -> Evaluated<Val<'a>> {
        let needs_text = index == 0 && matches!(name, "printf" | "base64decode");
        if !needs_text || value.any().is_string() {
            return Ok(value);
        }
        match (constant, &value) {
            (Some(word), _) => self.error(format!("expected string; found {word}")),
            (None, Val::Missing) => self.error("invalid value; expected string"),
            (None, Val::Is(inner, open)) => {
                let of = if *open && inner.is_null() { "interface {}" } else { super::value::type_of(inner) };
                self.error(format!("wrong type for value; expected string; got {of}"))
            }
        }
    }
}
