//! What is known of the types of an expression's variables, and whether the fields that it names are there.
//!
//! This is less than cel-go's checker: operators and functions are not looked at, and what they give can be anything.

use std::collections::BTreeMap;

use super::ast::{Expr, LoopKind};
use super::{CelError, Result};

/// The type of a variable or of a part of it.
#[derive(Clone, Debug)]
pub enum Type {
    /// Anything.
    Dyn,
    /// A value without parts, by the name of its type.
    Scalar(&'static str),
    /// A struct with these fields.
    Object(BTreeMap<String, Type>),
    /// A list of such items.
    List(Box<Type>),
    /// A map to such values.
    Map(Box<Type>),
}

static DYN: Type = Type::Dyn;

/// Checks the fields that an expression names.
pub(super) fn check(expr: &Expr, variables: &[(&str, &Type)]) -> Result<()> {
    let scope = variables.iter().map(|&(name, of)| (name.to_owned(), of)).collect();
    Checker { scope }.infer(expr).map(drop)
}

struct Checker<'t> {
    scope: Vec<(String, &'t Type)>,
}

impl<'t> Checker<'t> {
    /// The type of an expression.
    fn infer(&mut self, expr: &Expr) -> Result<&'t Type> {
        Ok(match expr {
            Expr::Ident(name, _) => self.scope.iter().rev().find(|(own, _)| own == name).map_or(&DYN, |(_, of)| *of),
            Expr::Select { operand, field, optional, at } => {
                let found = member(self.infer(operand)?, field, *at)?;
                if *optional { &DYN } else { found }
            }
            Expr::Has { operand, field, at } => {
                member(self.infer(operand)?, field, *at)?;
                &DYN
            }
            Expr::Index { operand, index, optional } => {
                let of = self.infer(operand)?;
                self.infer(index)?;
                match of {
                    Type::List(inner) | Type::Map(inner) if !optional => inner,
                    _ => &DYN,
                }
            }
            Expr::Loop(own) => {
                let range = self.infer(&own.range)?;
                let depth = self.scope.len();
                let (key, value) = match range {
                    Type::List(item) => (&DYN, &**item),
                    Type::Map(value) => (&DYN, &**value),
                    _ => (&DYN, &DYN),
                };
                match own.variables.as_slice() {
                    [one] => self.scope.push((one.clone(), if matches!(range, Type::List(_)) { value } else { key })),
                    [first, second] => self.scope.extend([(first.clone(), key), (second.clone(), value)]),
                    _ => {}
                }
                let parts = own.filter.iter().chain([&own.body]);
                let inner = parts.into_iter().try_for_each(|part| self.infer(part).map(drop));
                self.scope.truncate(depth);
                inner?;
                if own.kind == LoopKind::Filter { range } else { &DYN }
            }
            Expr::OptMap { target, variable, body, .. } => {
                self.infer(target)?;
                self.scope.push((variable.clone(), &DYN));
                let inner = self.infer(body);
                self.scope.pop();
                inner.map(|_| &DYN)?
            }
            other => {
                for child in other.children() {
                    self.infer(child)?;
                }
                &DYN
            }
        })
    }
}

fn member<'t>(of: &'t Type, field: &str, at: usize) -> Result<&'t Type> {
    match of {
        Type::Object(fields) => fields.get(field).ok_or_else(|| CelError::at(format!("undefined field '{field}'"), at)),
        Type::Map(value) => Ok(value),
        Type::Scalar(name) => Err(CelError::at(format!("type '{name}' does not support field selection"), at)),
        Type::List(_) | Type::Dyn => Ok(&DYN),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Program;
    use super::*;

    #[test]
    fn fields_are_there_or_named() {
        let object = |fields: Vec<(&str, Type)>| {
            Type::Object(fields.into_iter().map(|(name, of)| (name.to_owned(), of)).collect())
        };
        let item = object(vec![("name", Type::Scalar("string"))]);
        let own = object(vec![
            ("size", Type::Scalar("int")),
            ("items", Type::List(Box::new(item))),
            ("labels", Type::Map(Box::new(Type::Scalar("string")))),
        ]);
        for (text, said) in [
            ("self.size > 0 && has(self.labels.any) && self.labels['a'] == 'b'", ""),
            ("self.items.all(i, i.name != '')", ""),
            (
                "self.sice > 0",
                "compilation failed: ERROR: <input>:1:5: undefined field 'sice'\n | self.sice > 0\n | ....^",
            ),
            (
                "self.items.exists(i, i.nam == 'x')",
                "compilation failed: ERROR: <input>:1:23: undefined field 'nam'\n | self.items.exists(i, i.nam == 'x')\n | ......................^",
            ),
            (
                "self.size.x",
                "compilation failed: ERROR: <input>:1:10: type 'int' does not support field selection\n | self.size.x\n | .........^",
            ),
        ] {
            let program = Program::compile(text, &["self"]).expect("an expression");
            let found = program.check_fields(text, &[("self", &own)]).err().map_or(String::new(), |error| error.text);
            assert_eq!(found, said, "{text}");
        }
        let error = Program::compile("self.size >\n slef.size", &["self"]).expect_err("a typing error");
        let said = "compilation failed: ERROR: <input>:2:2: undeclared reference to 'slef' (in container '')\n |  slef.size\n | .^";
        assert_eq!(error.text, said);
    }
}
