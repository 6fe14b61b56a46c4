//! Evaluation of a tree, step by step within a budget.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Expr, Loop, LoopKind};
use super::functions::{NAMESPACES, TYPES, arithmetic, call};
use super::value::Key;
use super::{COST_LIMIT, CelError, Result, Value, Variables};

/// One evaluation.
pub(super) struct Evaluation<'a> {
    variables: &'a Variables,
    locals: Vec<(&'a str, Value)>,
    budget: u64,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(variables: &'a Variables) -> Evaluation<'a> {
        Evaluation { variables, locals: Vec::new(), budget: COST_LIMIT }
    }

    pub(super) fn run(mut self, expr: &'a Expr) -> Result<Value> {
        self.eval(expr)
    }

    /// The value, and the steps that it took.
    pub(super) fn run_with_cost(mut self, expr: &'a Expr) -> (Result<Value>, u64) {
        let value = self.eval(expr);
        let is_over = matches!(&value, Err(error) if error.out_of_budget);
        (value, if is_over { COST_LIMIT } else { COST_LIMIT - self.budget })
    }

    /// Takes steps from the budget.
    pub(super) fn charge(&mut self, steps: usize) -> Result<()> {
        self.budget = self.budget.checked_sub(steps as u64).ok_or_else(out_of_budget)?;
        Ok(())
    }

    /// Whether two values are equal.
    pub(super) fn equal(&mut self, a: &Value, b: &Value) -> Result<bool> {
        a.equals(b, &mut self.budget).ok_or_else(out_of_budget)
    }

    fn eval(&mut self, expr: &'a Expr) -> Result<Value> {
        self.charge(1)?;
        match expr {
            Expr::Literal(value) => Ok(value.clone()),
            Expr::Ident(name, _) => self.ident(name),
            Expr::Select { operand, field, optional, .. } => {
                if let Expr::Ident(name, _) = &**operand
                    && let Some(value) = self.variables.get(&format!("{name}.{field}"))
                {
                    return value.clone();
                }
                let operand = self.eval(operand)?;
                self.select(&operand, &Value::string(field), *optional)
            }
            Expr::Has { operand, field, .. } => self.has(operand, field),
            Expr::Index { operand, index, optional } => {
                let (operand, index) = (self.eval(operand)?, self.eval(index)?);
                self.select(&operand, &index, *optional)
            }
            Expr::Logic { is_and, left, right } => self.logic(*is_and, left, right),
            Expr::Choice(parts) => {
                let [condition, then, otherwise] = &**parts;
                match self.eval(condition)? {
                    Value::Bool(true) => self.eval(then),
                    Value::Bool(false) => self.eval(otherwise),
                    _ => Err(CelError::new("no such overload")),
                }
            }
            Expr::List(items) => self.list(items),
            Expr::Map(entries) => self.map(entries),
            Expr::Loop(own) => self.macro_loop(own),
            Expr::OptMap { target, variable, body, flat } => {
                let Value::Optional(value) = self.eval(target)? else { return Err(CelError::new("no such overload")) };
                let Some(value) = value else { return Ok(Value::Optional(None)) };
                self.locals.push((variable, (*value).clone()));
                let out = self.eval(body);
                self.locals.pop();
                if *flat { out } else { Ok(Value::Optional(Some(Arc::new(out?)))) }
            }
            Expr::Call { target, name, args, .. } => self.call(target.as_deref(), name, args),
        }
    }

    fn ident(&self, name: &str) -> Result<Value> {
        if let Some((_, value)) = self.locals.iter().rev().find(|(own, _)| *own == name) {
            return Ok(value.clone());
        }
        match self.variables.get(name) {
            Some(value) => value.clone(),
            None if TYPES.contains(&name) => Ok(Value::Type(name.into())),
            None => Err(CelError::new(format!("no such attribute(s): {name}"))),
        }
    }

    fn call(&mut self, target: Option<&'a Expr>, name: &str, args: &'a [Expr]) -> Result<Value> {
        let mut values = Vec::with_capacity(args.len() + 1);
        let mut full = None;
        match target {
            Some(Expr::Ident(namespace, _))
                if NAMESPACES.contains(&namespace.as_str()) && !self.is_variable(namespace) =>
            {
                full = Some(format!("{namespace}.{name}"));
            }
            Some(target) => values.push(self.eval(target)?),
            None => {}
        }
        if (name, args.len(), values.len()) == ("orValue", 1, 1) || (name, args.len(), values.len()) == ("or", 1, 1) {
            // What is not needed is not evaluated.
            if let Some(Value::Optional(Some(value))) = values.first() {
                return Ok(if name == "or" { values[0].clone() } else { (**value).clone() });
            }
        }
        for arg in args {
            values.push(self.eval(arg)?);
        }
        let is_method = target.is_some() && full.is_none();
        match name {
            "==" | "!=" if target.is_none() => Ok(Value::Bool(self.equal(&values[0], &values[1])? == (name == "=="))),
            "<" | "<=" | ">" | ">=" if target.is_none() => compare(name, &values[0], &values[1]),
            "in" if target.is_none() => self.contains(&values[1], &values[0]),
            "+" | "-" | "*" | "/" | "%" | "-_" | "!_" if target.is_none() => arithmetic(self, name, &values),
            _ => call(self, full.as_deref().unwrap_or(name), is_method, &values),
        }
    }

    fn is_variable(&self, name: &str) -> bool {
        self.locals.iter().any(|(own, _)| *own == name) || self.variables.get(name).is_some()
    }

    /// A field, a key or an index of a value.
    fn select(&mut self, operand: &Value, index: &Value, optional: bool) -> Result<Value> {
        if let Value::Optional(inner) = operand {
            let Some(inner) = inner else { return Ok(Value::Optional(None)) };
            return self.select(&inner.clone(), index, true);
        }
        let found = match operand {
            Value::Map(entries) => index.key().and_then(|key| entries.get(&key)).cloned(),
            Value::List(items) => match index.key() {
                Some(Key::Int(at)) => usize::try_from(at).ok().and_then(|at| items.get(at)).cloned(),
                _ => return Err(CelError::new(format!("unsupported index type '{}' in list", index.type_name()))),
            },
            Value::Null if optional => None,
            _ => return Err(CelError::new("no such overload")),
        };
        match (found, optional) {
            (found, true) => Ok(Value::Optional(found.map(Arc::new))),
            (Some(found), false) => Ok(found),
            (None, false) if matches!(operand, Value::List(_)) => {
                Err(CelError::new(format!("index out of bounds: {}", super::strings::display(index))))
            }
            (None, false) => Err(CelError::new(format!("no such key: {}", super::strings::display(index)))),
        }
    }

    fn has(&mut self, operand: &'a Expr, field: &str) -> Result<Value> {
        if let Expr::Ident(name, _) = operand
            && self.variables.get(&format!("{name}.{field}")).is_some()
        {
            return Ok(Value::Bool(true));
        }
        match self.eval(operand)? {
            // A field that is null is a field that is not set.
            Value::Map(entries) => Ok(Value::Bool(
                entries.get(&Key::String(field.into())).is_some_and(|value| !matches!(value, Value::Null)),
            )),
            Value::Optional(None) => Ok(Value::Bool(false)),
            Value::Optional(Some(inner)) => Ok(Value::Bool(match &*inner {
                Value::Map(entries) => entries.contains_key(&Key::String(field.into())),
                _ => false,
            })),
            _ => Err(CelError::new("no such overload")),
        }
    }

    /// `&&` and `||`: a side that decides absorbs the error of the other.
    fn logic(&mut self, is_and: bool, left: &'a Expr, right: &'a Expr) -> Result<Value> {
        let left = self.truth(left);
        if left == Ok(!is_and) {
            return Ok(Value::Bool(!is_and));
        }
        if let Err(error) = &left
            && error.out_of_budget
        {
            return Err(error.clone());
        }
        match self.truth(right) {
            Ok(right) if right != is_and => Ok(Value::Bool(right)),
            Err(error) if error.out_of_budget || left.is_ok() => Err(error),
            _ => left.map(Value::Bool),
        }
    }

    fn truth(&mut self, expr: &'a Expr) -> Result<bool> {
        match self.eval(expr)? {
            Value::Bool(value) => Ok(value),
            _ => Err(CelError::new("no such overload")),
        }
    }

    fn list(&mut self, items: &'a [(Expr, bool)]) -> Result<Value> {
        let mut out = Vec::new();
        for (item, optional) in items {
            match (self.eval(item)?, optional) {
                (Value::Optional(value), true) => out.extend(value.map(|value| (*value).clone())),
                (_, true) => return Err(CelError::new("no such overload")),
                (value, false) => out.push(value),
            }
        }
        Ok(Value::list(out))
    }

    fn map(&mut self, entries: &'a [(Expr, Expr, bool)]) -> Result<Value> {
        let mut out = BTreeMap::new();
        for (key, value, optional) in entries {
            let key = self.eval(key)?;
            let key = key.key().ok_or_else(|| CelError::new(format!("unsupported key type: {}", key.type_name())))?;
            let value = match (self.eval(value)?, optional) {
                (Value::Optional(value), true) => value.map(|value| (*value).clone()),
                (_, true) => return Err(CelError::new("no such overload")),
                (value, false) => Some(value),
            };
            let Some(value) = value else { continue };
            if let Some(_twice) = out.insert(key.clone(), value) {
                return Err(CelError::new(format!(
                    "Failed with repeated key: {}",
                    super::strings::display(&key.into())
                )));
            }
        }
        Ok(Value::Map(Arc::new(out)))
    }

    /// `element in list`, `key in map`
    fn contains(&mut self, holder: &Value, element: &Value) -> Result<Value> {
        match holder {
            Value::List(items) => {
                for item in items.iter() {
                    if self.equal(item, element)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Value::Map(entries) => Ok(Value::Bool(element.key().is_some_and(|key| entries.contains_key(&key)))),
            _ => Err(CelError::new("no such overload")),
        }
    }

    fn macro_loop(&mut self, own: &'a Loop) -> Result<Value> {
        let range = self.eval(&own.range)?;
        let from_map = matches!(range, Value::Map(_));
        let rounds: Vec<(Value, Value)> = match range {
            Value::List(items) => (0..).map(Value::Int).zip(items.iter().cloned()).collect(),
            Value::Map(entries) => entries.iter().map(|(key, value)| (key.clone().into(), value.clone())).collect(),
            _ => return Err(CelError::new("no such overload")),
        };
        self.charge(rounds.len())?;
        let mut state = Rounds::default();
        for (key, value) in rounds {
            let element = if from_map { key.clone() } else { value.clone() };
            let depth = self.locals.len();
            match own.variables.as_slice() {
                [one] => self.locals.push((one, element.clone())),
                [first, second] => self.locals.extend([(first.as_str(), key.clone()), (second.as_str(), value)]),
                _ => return Err(CelError::new("no such overload")),
            }
            let goes_on = self.round(own, key, element, &mut state);
            self.locals.truncate(depth);
            if !goes_on? {
                break;
            }
        }
        state.result(own.kind)
    }

    /// One round of a macro; says whether there is a next one.
    fn round(&mut self, own: &'a Loop, key: Value, element: Value, state: &mut Rounds) -> Result<bool> {
        if let Some(filter) = &own.filter
            && !self.truth(filter)?
        {
            return Ok(true);
        }
        match own.kind {
            LoopKind::All | LoopKind::Exists => match self.truth(&own.body) {
                Ok(value) if value == (own.kind == LoopKind::Exists) => {
                    state.decided = true;
                    return Ok(false);
                }
                Ok(_) => {}
                Err(error) if error.out_of_budget => return Err(error),
                Err(error) => state.error = state.error.take().or(Some(error)),
            },
            LoopKind::ExistsOne => state.count += usize::from(self.truth(&own.body)?),
            LoopKind::Map => state.items.push(self.eval(&own.body)?),
            LoopKind::Filter => {
                if self.truth(&own.body)? {
                    state.items.push(element);
                }
            }
            LoopKind::TransformMap => {
                let key = key.key().ok_or_else(|| CelError::new("unsupported key type"))?;
                let value = self.eval(&own.body)?;
                state.entries.insert(key, value);
            }
            LoopKind::TransformMapEntry => {
                let Value::Map(entries) = self.eval(&own.body)? else { return Err(CelError::new("no such overload")) };
                for (key, value) in entries.iter() {
                    if state.entries.insert(key.clone(), value.clone()).is_some() {
                        return Err(CelError::new("insert failed: key already exists"));
                    }
                }
            }
        }
        Ok(true)
    }
}

/// What the rounds of a macro have given so far.
#[derive(Default)]
struct Rounds {
    decided: bool,
    error: Option<CelError>,
    count: usize,
    items: Vec<Value>,
    entries: BTreeMap<Key, Value>,
}

impl Rounds {
    fn result(self, kind: LoopKind) -> Result<Value> {
        match kind {
            LoopKind::All | LoopKind::Exists => match self.error.filter(|_| !self.decided) {
                Some(error) => Err(error),
                None => Ok(Value::Bool(self.decided == (kind == LoopKind::Exists))),
            },
            LoopKind::ExistsOne => Ok(Value::Bool(self.count == 1)),
            LoopKind::Map | LoopKind::Filter => Ok(Value::list(self.items)),
            LoopKind::TransformMap | LoopKind::TransformMapEntry => Ok(Value::Map(Arc::new(self.entries))),
        }
    }
}

fn compare(sign: &str, a: &Value, b: &Value) -> Result<Value> {
    let is_number = |value: &Value| matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_));
    let order = a.order(b);
    if order.is_none() && !(is_number(a) && is_number(b)) {
        return Err(CelError::new("no such overload"));
    }
    Ok(Value::Bool(match sign {
        "<" => order == Some(Ordering::Less),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }))
}

fn out_of_budget() -> CelError {
    CelError { out_of_budget: true, ..CelError::new("operation cancelled: actual cost limit exceeded") }
}
