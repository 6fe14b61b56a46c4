//! The grammar of label selectors as text (`labels.Parse`).
//!
//! ```text
//! selector    = [ requirement { "," requirement } ]
//! requirement = [ "!" ] key | key ( "=" | "==" | "!=" | ">" | "<" ) [ value ] | key ( "in" | "notin" ) "(" values ")"
//! ```

use std::collections::BTreeSet;

use super::super::label_syntax::label_key_errors;
use super::{Operator, Requirement, SelectorError};

/// The requirements of a text, in its order.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut tokens = Tokens { tokens: lex(text), next: 0 };
    let mut requirements = Vec::new();
    loop {
        match tokens.peek() {
            Token::End => return Ok(requirements),
            Token::Word(_) | Token::Symbol("!") => {
                let requirement = tokens.requirement();
                requirements.push(
                    requirement
                        .map_err(|SelectorError(why)| SelectorError(format!("unable to parse requirement: {why}")))?,
                );
                match tokens.take() {
                    Token::End => return Ok(requirements),
                    Token::Symbol(",") => match tokens.peek() {
                        Token::Word(_) | Token::Symbol("!") => {}
                        other => return Err(found(other, ", expected: identifier after ','")),
                    },
                    other => return Err(found(other, ", expected: ',' or 'end of string'")),
                }
            }
            other => return Err(found(other, ", expected: !, identifier, or 'end of string'")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    /// A key, a value, or one of the keywords `in` and `notin`.
    Word(&'a str),
    Symbol(&'a str),
    End,
}

struct Tokens<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
}

const KEYS_AND_OPERATORS: &str = ", expected: in, notin, =, ==, !=, gt, lt";

impl<'a> Tokens<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.next).copied().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let mut token = self.take();
        let negated = token == Token::Symbol("!");
        if negated {
            token = self.take();
        }
        let Token::Word(key) = token else { return Err(found(token, ", expected: identifier")) };
        let key_errors = label_key_errors(key);
        if !key_errors.is_empty() {
            return Err(SelectorError(format!("<nil>: Invalid value: {key:?}: {}", key_errors.join("; "))));
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let operator = match self.take() {
            Token::Word("in") => Operator::In,
            Token::Word("notin") => Operator::NotIn,
            Token::Symbol("=") => Operator::Equals,
            Token::Symbol("==") => Operator::DoubleEquals,
            Token::Symbol("!=") => Operator::NotEquals,
            Token::Symbol(">") => Operator::GreaterThan,
            Token::Symbol("<") => Operator::LessThan,
            other => return Err(found(other, KEYS_AND_OPERATORS)),
        };
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => vec![self.value()?],
        };
        Requirement::new(key, operator, values)
    }

    /// The one value after an operator; none is the empty value.
    fn value(&mut self) -> Result<String, SelectorError> {
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Ok(String::new());
        }
        match self.take() {
            Token::Word(value) => Ok(value.to_owned()),
            other => Err(found(other, ", expected: identifier")),
        }
    }

    /// `(a,b,,c)`: a missing value is the empty one.
    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        match self.take() {
            Token::Symbol("(") => {}
            other => return Err(found(other, " expected: '('")),
        }
        if self.peek() == Token::Symbol(")") {
            self.take();
            return Ok(vec![String::new()]);
        }
        if !matches!(self.peek(), Token::Word(_) | Token::Symbol(",")) {
            return Err(found(self.peek(), ", expected: ',', ')' or identifier"));
        }
        let mut values = BTreeSet::new();
        loop {
            match self.take() {
                Token::Word(value) => {
                    values.insert(value);
                    match self.peek() {
                        Token::Symbol(",") => continue,
                        Token::Symbol(")") => break,
                        other => return Err(found(other, ", expected: ',' or ')'")),
                    }
                }
                Token::Symbol(",") => {
                    if values.is_empty() {
                        values.insert("");
                    }
                    match self.peek() {
                        Token::Symbol(")") => {
                            values.insert("");
                            break;
                        }
                        Token::Symbol(",") => {
                            self.take();
                            values.insert("");
                        }
                        _ => {}
                    }
                }
                other => return Err(found(other, ", expected: ',', or identifier")),
            }
        }
        self.take();
        Ok(values.into_iter().map(str::to_owned).collect())
    }
}

fn found(token: Token<'_>, expected: &str) -> SelectorError {
    let text = match token {
        Token::Word(text) | Token::Symbol(text) => text,
        Token::End => "",
    };
    SelectorError(format!("found '{text}'{expected}"))
}

fn is_symbol(byte: u8) -> bool {
    b"=!(),><".contains(&byte)
}

fn is_space(byte: u8) -> bool {
    b" \t\r\n".contains(&byte)
}

/// The tokens of a text; a NUL ends it.
fn lex(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text.split('\0').next().unwrap_or_default();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii() && is_space(c as u8));
        let Some(&first) = rest.as_bytes().first() else { return tokens };
        let length = if is_symbol(first) {
            let length = if rest.starts_with("==") || rest.starts_with("!=") { 2 } else { 1 };
            tokens.push(Token::Symbol(&rest[..length]));
            length
        } else {
            let length = rest.bytes().take_while(|&byte| !is_symbol(byte) && !is_space(byte)).count();
            tokens.push(Token::Word(&rest[..length]));
            length
        };
        rest = &rest[length..];
    }
}
