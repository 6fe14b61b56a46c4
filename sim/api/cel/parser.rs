//! Words into a tree, macros included.

use super::ast::{Expr, Loop, LoopKind};
use super::lexer::{Token, syntax, tokens};
use super::{Result, Value};

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 100_000;
/// The deepest nesting of brackets, and the longest chain of operators.
const MAX_DEPTH: usize = 60;
/// The deepest tree.
const MAX_TREE: usize = 150;
/// The most operators, fields and calls of one expression.
const MAX_LINKS: usize = 3000;

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Expr> {
    if text.len() > MAX_LENGTH {
        return Err(syntax("the expression is too long", 0));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, n_links: 0 };
    let expr = parser.expr()?;
    match parser.tokens.get(parser.at) {
        None if expr.depth(MAX_TREE) >= MAX_TREE => Err(syntax("expression recursion limit exceeded", 0)),
        None => Ok(expr),
        Some((token, at)) => Err(syntax(&format!("extraneous input {token:?}"), *at)),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    n_links: usize,
}

/// Binary operators by how tightly they bind.
const BINARY: [&[&str]; 3] = [&["<", "<=", ">", ">=", "==", "!=", "in"], &["+", "-"], &["*", "/", "%"]];

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(own)) if *own == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn here(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |(_, at)| *at)
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.take(sign) { Ok(()) } else { Err(syntax(&format!("missing '{sign}'"), self.here())) }
    }

    /// Counts one more link of a chain that is now so long.
    fn link(&mut self, length: usize) -> Result<()> {
        self.n_links += 1;
        match length <= MAX_DEPTH && self.n_links <= MAX_LINKS {
            true => Ok(()),
            false => Err(syntax("expression recursion limit exceeded", self.here())),
        }
    }

    fn expr(&mut self) -> Result<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(syntax("expression recursion limit exceeded", self.here()));
        }
        let condition = self.logic(false)?;
        let out = if self.take("?") {
            let then = self.logic(false)?;
            self.expect(":")?;
            Expr::Choice(Box::new([condition, then, self.expr()?]))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(out)
    }

    /// A chain of `||`, or of `&&`: balanced, so that a long chain is no deep tree.
    fn logic(&mut self, is_and: bool) -> Result<Expr> {
        let sign = if is_and { "&&" } else { "||" };
        let mut parts = vec![if is_and { self.binary(0)? } else { self.logic(true)? }];
        while self.take(sign) {
            parts.push(if is_and { self.binary(0)? } else { self.logic(true)? });
        }
        Ok(balanced(parts, is_and))
    }

    fn binary(&mut self, level: usize) -> Result<Expr> {
        let Some(signs) = BINARY.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        let mut n_terms = 0;
        loop {
            let sign = match self.peek() {
                Some(Token::Sign(sign)) => signs.iter().find(|known| *known == sign),
                Some(Token::Ident(word)) => signs.iter().find(|known| **known == word.as_str()),
                _ => None,
            };
            let Some(sign) = sign else { return Ok(left) };
            let at = self.here();
            self.at += 1;
            n_terms += 1;
            self.link(n_terms)?;
            let right = self.binary(level + 1)?;
            left = Expr::Call { target: None, name: (*sign).to_owned(), args: vec![left, right], at };
        }
    }

    fn unary(&mut self) -> Result<Expr> {
        let mut signs = Vec::new();
        while let Some(Token::Sign(sign @ ("!" | "-"))) = self.peek() {
            signs.push(*sign);
            self.at += 1;
            self.link(signs.len())?;
        }
        let at = self.here();
        let mut literal = false;
        if let (Some("-"), Some(Token::Int(i64::MIN))) = (signs.last().copied(), self.peek()) {
            signs.pop();
            literal = true;
        }
        if !literal && self.peek() == Some(&Token::Int(i64::MIN)) {
            return Err(syntax("invalid int literal", at));
        }
        let mut expr = self.member()?;
        for sign in signs.into_iter().rev() {
            expr = match (sign, expr) {
                ("-", Expr::Literal(Value::Int(value))) if value != i64::MIN => Expr::Literal(Value::Int(-value)),
                ("-", Expr::Literal(Value::Double(value))) => Expr::Literal(Value::Double(-value)),
                (sign, expr) => Expr::Call { target: None, name: format!("{sign}_"), args: vec![expr], at },
            };
        }
        Ok(expr)
    }

    fn member(&mut self) -> Result<Expr> {
        let mut expr = self.primary()?;
        let mut n_members = 0;
        loop {
            n_members += 1;
            self.link(n_members)?;
            let operand = Box::new(expr);
            if self.is(".") || self.is(".?") {
                let optional = self.is(".?");
                let dot = self.here();
                self.at += 1;
                let field = self.ident()?;
                let at = self.here();
                expr = if !optional && self.take("(") {
                    let args = self.args(")")?;
                    self.method(*operand, field, args, at)?
                } else {
                    Expr::Select { operand, field, optional, at: dot }
                };
            } else if self.is("[") || self.is("[?") {
                let optional = self.is("[?");
                self.at += 1;
                let index = Box::new(self.expr()?);
                self.expect("]")?;
                expr = Expr::Index { operand, index, optional };
            } else {
                return Ok(*operand);
            }
        }
    }

    fn ident(&mut self) -> Result<String> {
        match self.peek() {
            Some(Token::Ident(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(syntax("an identifier is expected", self.here())),
        }
    }

    fn args(&mut self, end: &str) -> Result<Vec<Expr>> {
        let mut args = Vec::new();
        while !self.take(end) {
            args.push(self.expr()?);
            if !self.take(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(args)
    }

    fn primary(&mut self) -> Result<Expr> {
        let at = self.here();
        let Some(token) = self.peek().cloned() else {
            return Err(syntax("mismatched input '<EOF>'", at));
        };
        self.at += 1;
        Ok(match token {
            Token::Int(value) => Expr::Literal(Value::Int(value)),
            Token::Uint(value) => Expr::Literal(Value::Uint(value)),
            Token::Double(value) => Expr::Literal(Value::Double(value)),
            Token::String(text) => Expr::Literal(Value::string(&text)),
            Token::Bytes(bytes) => Expr::Literal(Value::Bytes(bytes.into())),
            Token::Sign("(") => {
                let inner = self.expr()?;
                self.expect(")")?;
                inner
            }
            Token::Sign("[") => self.list(false)?,
            Token::Sign("[?") => self.list(true)?,
            Token::Sign("{") => self.map()?,
            Token::Ident(name) => match name.as_str() {
                "true" => Expr::Literal(Value::Bool(true)),
                "false" => Expr::Literal(Value::Bool(false)),
                "null" => Expr::Literal(Value::Null),
                "in" => return Err(syntax("mismatched input 'in'", at)),
                _ if self.is("(") => {
                    let at = self.here();
                    self.at += 1;
                    let mut args = self.args(")")?;
                    match (name.as_str(), args.len(), args.pop()) {
                        ("has", 1, Some(Expr::Select { operand, field, at, .. })) => Expr::Has { operand, field, at },
                        ("has", ..) => return Err(syntax("invalid argument to has() macro", at)),
                        (_, _, last) => {
                            args.extend(last);
                            Expr::Call { target: None, name, args, at }
                        }
                    }
                }
                _ => Expr::Ident(name, at),
            },
            Token::Sign(sign) => return Err(syntax(&format!("mismatched input '{sign}'"), at)),
        })
    }

    fn list(&mut self, mut optional: bool) -> Result<Expr> {
        let mut items = Vec::new();
        while !self.take("]") {
            optional |= self.take("?");
            items.push((self.expr()?, optional));
            optional = false;
            if !self.take(",") {
                self.expect("]")?;
                break;
            }
        }
        Ok(Expr::List(items))
    }

    fn map(&mut self) -> Result<Expr> {
        let mut entries = Vec::new();
        while !self.take("}") {
            let optional = self.take("?");
            let key = self.expr()?;
            self.expect(":")?;
            entries.push((key, self.expr()?, optional));
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Expr::Map(entries))
    }

    /// A call on a target: a macro if its name and its arguments are those of one.
    fn method(&self, target: Expr, name: String, mut args: Vec<Expr>, at: usize) -> Result<Expr> {
        let n_args = args.len();
        let kind = match (name.as_str(), n_args) {
            ("all", 2 | 3) => LoopKind::All,
            ("exists", 2 | 3) => LoopKind::Exists,
            ("exists_one" | "existsOne", 2 | 3) => LoopKind::ExistsOne,
            ("map", 2 | 3) | ("transformList", 3 | 4) => LoopKind::Map,
            ("filter", 2) => LoopKind::Filter,
            ("transformMap", 3 | 4) => LoopKind::TransformMap,
            ("transformMapEntry", 3 | 4) => LoopKind::TransformMapEntry,
            ("optMap" | "optFlatMap", 2) => {
                let body = Box::new(args.pop().ok_or_else(|| syntax("an argument is missing", at))?);
                let variable = variable(args.pop(), at)?;
                return Ok(Expr::OptMap { target: Box::new(target), variable, body, flat: name == "optFlatMap" });
            }
            _ => return Ok(Expr::Call { target: Some(Box::new(target)), name, args, at }),
        };
        let two = match kind {
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => n_args == 3,
            _ => name.starts_with("transform"),
        };
        let body = args.pop().ok_or_else(|| syntax("an argument is missing", at))?;
        let filter = if args.len() > if two { 2 } else { 1 } { args.pop() } else { None };
        let variables = args.into_iter().map(|arg| variable(Some(arg), at)).collect::<Result<Vec<_>>>()?;
        Ok(Expr::Loop(Box::new(Loop { kind, range: target, variables, filter, body })))
    }
}

fn variable(arg: Option<Expr>, at: usize) -> Result<String> {
    match arg {
        Some(Expr::Ident(name, _)) => Ok(name),
        _ => Err(syntax("argument must be a simple name", at)),
    }
}

fn balanced(mut parts: Vec<Expr>, is_and: bool) -> Expr {
    if parts.len() > 1 {
        let right = parts.split_off(parts.len() / 2);
        let (left, right) = (balanced(parts, is_and), balanced(right, is_and));
        return Expr::Logic { is_and, left: Box::new(left), right: Box::new(right) };
    }
    parts.pop().unwrap_or(Expr::Literal(Value::Null))
}
