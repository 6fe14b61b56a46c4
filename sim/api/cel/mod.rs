//! The Common Expression Language as Kubernetes speaks it: `ValidatingAdmissionPolicy`, `x-kubernetes-validations` of custom
//! resources.
//!
//! Every expression is bounded: in length and depth when it is read, in cost when it is evaluated. Evaluation is a function of the
//! expression and its variables: maps are sorted, nothing looks at a clock. Types are checked when a value meets an operator, not when
//! an expression is compiled; names of variables and functions and numbers of arguments are checked when it is compiled.
//!
//! ```
//! use serde_json::json;
//! use wavetank::api::cel::{Program, Value, Variables};
//! let rule = Program::compile("self.replicas <= self.max", &["self"]).unwrap();
//! let object = Value::from_json(&json!({ "replicas": 5, "max": 3 }));
//! assert_eq!(rule.test(&Variables::new(&[("self", object)])), Ok(false));
//! ```

mod ast;
mod eval;
mod extensions;
mod format;
mod functions;
mod lexer;
mod network;
mod parser;
mod strings;
#[cfg(test)]
mod tests;
mod times;
mod types;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use types::Type;
pub use value::{Key, Value};

/// The most that one expression may cost: about the number of steps (apiserver, `celconfig.PerCallLimit`).
pub const COST_LIMIT: u64 = 1_000_000;

/// The longest line that an error shows, in bytes (cel-go, `common.maxSnippetLength`).
const MAX_SNIPPET: usize = 16_384;

/// An expression that cannot be evaluated, or whose evaluation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CelError {
    /// What is wrong, in the words of the Go implementation where they are known.
    pub text: String,
    /// Whether the cost limit was met: nothing can absorb that.
    pub out_of_budget: bool,
    /// Where in the expression it is, in characters; known when it is compiled.
    at: Option<usize>,
}

impl CelError {
    pub(super) fn new(text: impl Into<String>) -> CelError {
        CelError { text: text.into(), out_of_budget: false, at: None }
    }

    /// What is wrong with an expression, at a character.
    pub(super) fn at(text: impl Into<String>, at: usize) -> CelError {
        CelError { at: Some(at), ..CelError::new(text) }
    }

    /// As cel-go tells it: with the line and a mark below it.
    fn located(self, expression: &str) -> CelError {
        let Some(at) = self.at else { return self };
        let before: String = expression.chars().take(at).collect();
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count());
        let source = expression.split('\n').nth(line).filter(|line| line.len() <= MAX_SNIPPET);
        let what = &self.text;
        let mut text = format!("compilation failed: ERROR: <input>:{}:{}: {what}", line + 1, column + 1);
        if let Some(source) = source {
            text.push_str(&format!("\n | {source}\n | {}^", ".".repeat(column)));
        }
        CelError { text, ..self }
    }
}

impl std::fmt::Display for CelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for CelError {}

pub(super) type Result<T> = std::result::Result<T, CelError>;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Program {
    expr: Arc<ast::Expr>,
}

impl Program {
    /// Reads an expression that may use these variables.
    ///
    /// # Errors
    ///
    /// If it is no expression, is too long or too deep, or names what is not there.
    pub fn compile(text: &str, variables: &[&str]) -> std::result::Result<Program, CelError> {
        let mut scope: Vec<String> = variables.iter().map(|&name| name.to_owned()).collect();
        let expr = parser::parse(text).map_err(|error| error.located(text))?;
        functions::check(&expr, &mut scope).map_err(|error| error.located(text))?;
        Ok(Program { expr: Arc::new(expr) })
    }

    /// Checks that the fields that the expression `text` names are there, as far as types of variables tell.
    ///
    /// # Errors
    ///
    /// The first field that is not.
    pub fn check_fields(&self, text: &str, variables: &[(&str, &Type)]) -> std::result::Result<(), CelError> {
        types::check(&self.expr, variables).map_err(|error| error.located(text))
    }

    /// The value under these variables.
    ///
    /// # Errors
    ///
    /// If the evaluation fails or costs too much.
    pub fn evaluate(&self, variables: &Variables) -> std::result::Result<Value, CelError> {
        eval::Evaluation::new(variables).run(&self.expr)
    }

    /// The value under these variables, and what it cost: about the number of steps.
    pub fn evaluate_with_cost(&self, variables: &Variables) -> (std::result::Result<Value, CelError>, u64) {
        eval::Evaluation::new(variables).run_with_cost(&self.expr)
    }

    /// Whether the expression names a variable.
    pub fn uses(&self, variable: &str) -> bool {
        self.expr.names(variable)
    }

    /// The value of an expression that is to be true or false.
    ///
    /// # Errors
    ///
    /// If the evaluation fails, costs too much, or gives something else.
    pub fn test(&self, variables: &Variables) -> std::result::Result<bool, CelError> {
        match self.evaluate(variables)? {
            Value::Bool(value) => Ok(value),
            other => Err(CelError::new(format!("must evaluate to bool, not {}", other.type_name()))),
        }
    }
}

/// The variables of an evaluation: values, and expressions that are evaluated when first asked for
/// (`variables` of an admission policy).
#[derive(Clone, Debug, Default)]
pub struct Variables {
    values: BTreeMap<String, std::result::Result<Value, CelError>>,
}

impl Variables {
    /// Variables with these values.
    pub fn new(values: &[(&str, Value)]) -> Variables {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), Ok(value.clone()))).collect();
        Variables { values }
    }

    /// Sets a variable to a value, or to the error that its evaluation gave: who uses it fails with it. A dotted name
    /// (`variables.size`) is looked up before a field is.
    pub fn set(&mut self, name: &str, value: std::result::Result<Value, CelError>) {
        self.values.insert(name.to_owned(), value);
    }

    fn get(&self, name: &str) -> Option<&std::result::Result<Value, CelError>> {
        self.values.get(name)
    }
}
