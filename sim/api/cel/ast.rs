//! The tree of an expression.

use super::Value;

/// An expression.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    /// A constant.
    Literal(Value),
    /// A variable, and where it stands (in characters).
    Ident(String, usize),
    /// `operand.field`, `operand.?field`, and where the dot stands.
    Select { operand: Box<Expr>, field: String, optional: bool, at: usize },
    /// `has(operand.field)`
    Has { operand: Box<Expr>, field: String, at: usize },
    /// `operand[index]`, `operand[?index]`
    Index { operand: Box<Expr>, index: Box<Expr>, optional: bool },
    /// `name(args)`, `target.name(args)`, and where the bracket stands; operators are calls too.
    Call { target: Option<Box<Expr>>, name: String, args: Vec<Expr>, at: usize },
    /// `left && right` and `left || right`: which one, and both sides.
    Logic { is_and: bool, left: Box<Expr>, right: Box<Expr> },
    /// `condition ? then : otherwise`
    Choice(Box<[Expr; 3]>),
    /// `[a, ?b]`
    List(Vec<(Expr, bool)>),
    /// `{k: v, ?k: v}`
    Map(Vec<(Expr, Expr, bool)>),
    /// A macro that goes over a list or a map.
    Loop(Box<Loop>),
    /// `target.optMap(variable, body)`, or `optFlatMap` if `flat`.
    OptMap { target: Box<Expr>, variable: String, body: Box<Expr>, flat: bool },
}

/// `range.macro(variables, filter, body)`
#[derive(Clone, Debug)]
pub(super) struct Loop {
    pub(super) kind: LoopKind,
    pub(super) range: Expr,
    /// One variable (the element, or the key of a map), or two (index or key, and value).
    pub(super) variables: Vec<String>,
    pub(super) filter: Option<Expr>,
    pub(super) body: Expr,
}

/// What a macro makes of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoopKind {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
    TransformMap,
    TransformMapEntry,
}

impl Expr {
    /// The parts of an expression.
    pub(super) fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Literal(_) | Expr::Ident(..) => Vec::new(),
            Expr::Select { operand, .. } | Expr::Has { operand, .. } => vec![operand],
            Expr::Index { operand, index, .. } => vec![operand, index],
            Expr::Call { target, args, .. } => target.as_deref().into_iter().chain(args).collect(),
            Expr::Logic { left, right, .. } => vec![left, right],
            Expr::Choice(parts) => parts.iter().collect(),
            Expr::List(items) => items.iter().map(|(item, _)| item).collect(),
            Expr::Map(entries) => entries.iter().flat_map(|(key, value, _)| [key, value]).collect(),
            Expr::Loop(own) => std::iter::once(&own.range).chain(&own.filter).chain([&own.body]).collect(),
            Expr::OptMap { target, body, .. } => vec![target, body],
        }
    }

    /// Whether a variable is named, other than by a macro's own.
    pub(super) fn names(&self, variable: &str) -> bool {
        match self {
            Expr::Ident(name, _) => name == variable,
            other => other.children().into_iter().any(|child| child.names(variable)),
        }
    }

    /// How deep the tree is, or `limit` if it is deeper; without recursion.
    pub(super) fn depth(&self, limit: usize) -> usize {
        let mut level = vec![self];
        for depth in 0..limit {
            level = level.into_iter().flat_map(Expr::children).collect();
            if level.is_empty() {
                return depth + 1;
            }
        }
        limit
    }
}
