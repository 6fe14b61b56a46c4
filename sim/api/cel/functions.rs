//! The functions that expressions may call: which there are, and what those of the language itself do.

use std::sync::Arc;

use super::ast::Expr;
use super::eval::Evaluation;
use super::{CelError, Result, Value};
use super::{extensions, network, strings, times};

/// The names of types.
pub(super) const TYPES: [&str; 10] =
    ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"];

/// The first parts of the names of functions that have two.
pub(super) const NAMESPACES: [&str; 6] = ["optional", "ip", "sets", "strings", "format", "cidr"];

/// Functions: name, whether it is called on a value, the number of arguments (without that value), least and most.
const FUNCTIONS: &[(&str, bool, usize, usize)] = &[
    ("size", false, 1, 1),
    ("size", true, 0, 0),
    ("bool", false, 1, 1),
    ("int", false, 1, 1),
    ("uint", false, 1, 1),
    ("double", false, 1, 1),
    ("string", false, 1, 1),
    ("bytes", false, 1, 1),
    ("dyn", false, 1, 1),
    ("type", false, 1, 1),
    ("duration", false, 1, 1),
    ("timestamp", false, 1, 1),
    ("matches", false, 2, 2),
    ("matches", true, 1, 1),
    ("contains", true, 1, 1),
    ("startsWith", true, 1, 1),
    ("endsWith", true, 1, 1),
    ("charAt", true, 1, 1),
    ("indexOf", true, 1, 2),
    ("lastIndexOf", true, 1, 2),
    ("join", true, 0, 1),
    ("lowerAscii", true, 0, 0),
    ("upperAscii", true, 0, 0),
    ("replace", true, 2, 3),
    ("split", true, 1, 2),
    ("substring", true, 1, 2),
    ("trim", true, 0, 0),
    ("format", true, 1, 1),
    ("strings.quote", false, 1, 1),
    ("find", true, 1, 1),
    ("findAll", true, 1, 2),
    ("isSorted", true, 0, 0),
    ("sum", true, 0, 0),
    ("min", true, 0, 0),
    ("max", true, 0, 0),
    ("sets.contains", false, 2, 2),
    ("sets.equivalent", false, 2, 2),
    ("sets.intersects", false, 2, 2),
    ("optional.of", false, 1, 1),
    ("optional.none", false, 0, 0),
    ("optional.ofNonZeroValue", false, 1, 1),
    ("hasValue", true, 0, 0),
    ("value", true, 0, 0),
    ("or", true, 1, 1),
    ("orValue", true, 1, 1),
    ("getFullYear", true, 0, 1),
    ("getMonth", true, 0, 1),
    ("getDate", true, 0, 1),
    ("getDayOfMonth", true, 0, 1),
    ("getDayOfWeek", true, 0, 1),
    ("getDayOfYear", true, 0, 1),
    ("getHours", true, 0, 1),
    ("getMinutes", true, 0, 1),
    ("getSeconds", true, 0, 1),
    ("getMilliseconds", true, 0, 1),
    ("quantity", false, 1, 1),
    ("isQuantity", false, 1, 1),
    ("sign", true, 0, 0),
    ("isInteger", true, 0, 0),
    ("asInteger", true, 0, 0),
    ("asApproximateFloat", true, 0, 0),
    ("add", true, 1, 1),
    ("sub", true, 1, 1),
    ("isLessThan", true, 1, 1),
    ("isGreaterThan", true, 1, 1),
    ("compareTo", true, 1, 1),
    ("semver", false, 1, 2),
    ("isSemver", false, 1, 2),
    ("major", true, 0, 0),
    ("minor", true, 0, 0),
    ("patch", true, 0, 0),
    ("ip", false, 1, 1),
    ("isIP", false, 1, 1),
    ("ip.isCanonical", false, 1, 1),
    ("family", true, 0, 0),
    ("isUnspecified", true, 0, 0),
    ("isLoopback", true, 0, 0),
    ("isLinkLocalMulticast", true, 0, 0),
    ("isLinkLocalUnicast", true, 0, 0),
    ("isGlobalUnicast", true, 0, 0),
    ("cidr", false, 1, 1),
    ("isCIDR", false, 1, 1),
    ("containsIP", true, 1, 1),
    ("containsCIDR", true, 1, 1),
    ("ip", true, 0, 0),
    ("masked", true, 0, 0),
    ("prefixLength", true, 0, 0),
    ("url", false, 1, 1),
    ("isURL", false, 1, 1),
    ("getScheme", true, 0, 0),
    ("getHost", true, 0, 0),
    ("getHostname", true, 0, 0),
    ("getPort", true, 0, 0),
    ("getEscapedPath", true, 0, 0),
    ("getQuery", true, 0, 0),
    ("format.named", false, 1, 1),
    ("validate", true, 1, 1),
];

const OPERATORS: [&str; 14] = ["==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%", "-_", "!_"];

/// Checks that everything an expression names is there: variables, functions, numbers of arguments.
pub(super) fn check(expr: &Expr, scope: &mut Vec<String>) -> Result<()> {
    let undeclared =
        |name: &str, at: usize| CelError::at(format!("undeclared reference to '{name}' (in container '')"), at);
    match expr {
        Expr::Ident(name, at) => {
            if !scope.iter().any(|own| own == name) && !TYPES.contains(&name.as_str()) {
                return Err(undeclared(name, *at));
            }
            Ok(())
        }
        // A variable with a dot in its name.
        Expr::Select { operand, field, .. } | Expr::Has { operand, field, .. } if matches!(&**operand, Expr::Ident(name, _) if scope.iter().any(|own| *own == format!("{name}.{field}"))) => {
            Ok(())
        }
        Expr::Call { target, name, args, at } if !(target.is_none() && OPERATORS.contains(&name.as_str())) => {
            let namespace = match target.as_deref() {
                Some(Expr::Ident(own, _)) if NAMESPACES.contains(&own.as_str()) && !scope.contains(own) => Some(own),
                _ => None,
            };
            let full = namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}.{name}"));
            let is_method = target.is_some() && namespace.is_none();
            let named = namespace.is_some_and(|namespace| namespace == "format")
                && args.is_empty()
                && super::extensions::format_name(name).is_some();
            let mut rows = FUNCTIONS.iter().filter(|row| row.0 == full && row.1 == is_method).peekable();
            if rows.peek().is_none() && !named {
                return Err(undeclared(&full, *at));
            }
            if !named && !rows.any(|row| (row.2..=row.3).contains(&args.len())) {
                return Err(CelError::at(format!("found no matching overload for '{full}'"), *at));
            }
            if let Some(target) = target.as_deref().filter(|_| namespace.is_none()) {
                check(target, scope)?;
            }
            args.iter().try_for_each(|arg| check(arg, scope))
        }
        Expr::Loop(own) => {
            check(&own.range, scope)?;
            let depth = scope.len();
            scope.extend(own.variables.iter().cloned());
            let inner = own.filter.iter().chain([&own.body]).try_for_each(|part| check(part, scope));
            scope.truncate(depth);
            inner
        }
        Expr::OptMap { target, variable, body, .. } => {
            check(target, scope)?;
            scope.push(variable.clone());
            let inner = check(body, scope);
            scope.pop();
            inner
        }
        _ => expr.children().into_iter().try_for_each(|child| check(child, scope)),
    }
}

/// Calls a function; the value on which it is called is the first argument.
pub(super) fn call(cx: &mut Evaluation<'_>, name: &str, is_method: bool, args: &[Value]) -> Result<Value> {
    // Texts and lists are paid for by their size.
    for arg in args {
        cx.charge(match arg {
            Value::String(text) => text.len() / 10,
            Value::Bytes(bytes) => bytes.len() / 10,
            Value::List(items) => items.len() / 10,
            _ => 0,
        })?;
    }
    let families = [language, strings::call, extensions::call, network::call, times::call];
    for family in families {
        if let Some(result) = family(cx, name, is_method, args) {
            return result;
        }
    }
    Err(CelError::new("no such overload"))
}

/// What a family of functions answers: nothing if the function, with arguments of these types, is none of it.
pub(super) type Answer = Option<Result<Value>>;

fn language(cx: &mut Evaluation<'_>, name: &str, is_method: bool, args: &[Value]) -> Answer {
    let error = |text: &str| Some(Err(CelError::new(text)));
    Some(Ok(match (name, args) {
        ("size", [Value::String(text)]) => Value::Int(text.chars().count() as i64),
        ("size", [Value::Bytes(bytes)]) => Value::Int(bytes.len() as i64),
        ("size", [Value::List(items)]) => Value::Int(items.len() as i64),
        ("size", [Value::Map(entries)]) => Value::Int(entries.len() as i64),
        ("dyn", [value]) if !is_method => value.clone(),
        ("type", [value]) => Value::Type(value.type_name().into()),
        ("bool", [Value::Bool(value)]) => Value::Bool(*value),
        ("bool", [Value::String(text)]) => match &**text {
            "1" | "t" | "true" | "TRUE" | "True" => Value::Bool(true),
            "0" | "f" | "false" | "FALSE" | "False" => Value::Bool(false),
            _ => return error("type conversion error from 'string' to 'bool'"),
        },
        ("int", [value]) => return Some(to_int(value)),
        ("uint", [value]) => return Some(to_uint(value)),
        ("double", [value]) => match value {
            Value::Double(value) => Value::Double(*value),
            Value::Int(value) => Value::Double(*value as f64),
            Value::Uint(value) => Value::Double(*value as f64),
            Value::String(text) => match text.parse() {
                Ok(value) => Value::Double(value),
                Err(_) => return error("type conversion error from 'string' to 'double'"),
            },
            _ => return None,
        },
        ("bytes", [Value::String(text)]) => Value::Bytes(text.as_bytes().into()),
        ("bytes", [Value::Bytes(bytes)]) => Value::Bytes(bytes.clone()),
        ("optional.of", [value]) => Value::Optional(Some(Arc::new(value.clone()))),
        ("optional.none", []) => Value::Optional(None),
        ("optional.ofNonZeroValue", [value]) => Value::Optional((!value.is_zero()).then(|| Arc::new(value.clone()))),
        ("hasValue", [Value::Optional(value)]) => Value::Bool(value.is_some()),
        ("value", [Value::Optional(value)]) => match value {
            Some(value) => (**value).clone(),
            None => return error("optional.none() dereference"),
        },
        ("or" | "orValue", [Value::Optional(_), other]) => other.clone(),
        ("sets.contains", [Value::List(all), Value::List(part)]) => {
            return Some(subset(cx, part, all).map(Value::Bool));
        }
        ("sets.equivalent", [Value::List(a), Value::List(b)]) => {
            return Some(subset(cx, a, b).and_then(|yes| Ok(Value::Bool(yes && subset(cx, b, a)?))));
        }
        ("sets.intersects", [Value::List(a), Value::List(b)]) => {
            let mut found = false;
            for one in a.iter() {
                for other in b.iter() {
                    match cx.equal(one, other) {
                        Ok(equal) => found |= equal,
                        Err(error) => return Some(Err(error)),
                    }
                }
            }
            Value::Bool(found)
        }
        _ => return None,
    }))
}

fn subset(cx: &mut Evaluation<'_>, part: &[Value], all: &[Value]) -> Result<bool> {
    for one in part {
        let mut found = false;
        for other in all {
            found |= cx.equal(one, other)?;
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

fn to_int(value: &Value) -> Result<Value> {
    let overflow = || CelError::new("integer overflow");
    Ok(Value::Int(match value {
        Value::Int(value) => *value,
        Value::Uint(value) => i64::try_from(*value).map_err(|_| overflow())?,
        Value::Double(value) if value.is_finite() && value.abs() < 9.223_372_036_854_775e18 => *value as i64,
        Value::Double(_) => return Err(overflow()),
        Value::String(text) => {
            text.parse().map_err(|_| CelError::new("type conversion error from 'string' to 'int'"))?
        }
        Value::Timestamp(at) => at.as_second(),
        Value::Duration(nanos) => *nanos,
        _ => return Err(CelError::new("no such overload")),
    }))
}

fn to_uint(value: &Value) -> Result<Value> {
    let overflow = || CelError::new("unsigned integer overflow");
    Ok(Value::Uint(match value {
        Value::Uint(value) => *value,
        Value::Int(value) => u64::try_from(*value).map_err(|_| overflow())?,
        Value::Double(value) if (0.0..1.844_674_407_370_955e19).contains(value) => *value as u64,
        Value::Double(_) => return Err(overflow()),
        Value::String(text) => {
            text.parse().map_err(|_| CelError::new("type conversion error from 'string' to 'uint'"))?
        }
        _ => return Err(CelError::new("no such overload")),
    }))
}

/// `+ - * / %`, minus and not.
pub(super) fn arithmetic(cx: &mut Evaluation<'_>, sign: &str, args: &[Value]) -> Result<Value> {
    let overload = || CelError::new("no such overload");
    let by_zero = || CelError::new(if sign == "%" { "modulus by zero" } else { "division by zero" });
    match (sign, args) {
        ("!_", [Value::Bool(value)]) => Ok(Value::Bool(!value)),
        ("-_", [Value::Int(value)]) => {
            value.checked_neg().map(Value::Int).ok_or_else(|| CelError::new("integer overflow"))
        }
        ("-_", [Value::Double(value)]) => Ok(Value::Double(-value)),
        (_, [Value::Int(_), Value::Int(0)]) | (_, [Value::Uint(_), Value::Uint(0)]) if matches!(sign, "/" | "%") => {
            Err(by_zero())
        }
        (_, [Value::Int(a), Value::Int(b)]) => {
            let result = match sign {
                "+" => a.checked_add(*b),
                "-" => a.checked_sub(*b),
                "*" => a.checked_mul(*b),
                "/" => a.checked_div(*b),
                _ => a.checked_rem(*b),
            };
            result.map(Value::Int).ok_or_else(|| CelError::new("integer overflow"))
        }
        (_, [Value::Uint(a), Value::Uint(b)]) => {
            let result = match sign {
                "+" => a.checked_add(*b),
                "-" => a.checked_sub(*b),
                "*" => a.checked_mul(*b),
                "/" => a.checked_div(*b),
                _ => a.checked_rem(*b),
            };
            result.map(Value::Uint).ok_or_else(|| CelError::new("unsigned integer overflow"))
        }
        ("+", [Value::Double(a), Value::Double(b)]) => Ok(Value::Double(a + b)),
        ("-", [Value::Double(a), Value::Double(b)]) => Ok(Value::Double(a - b)),
        ("*", [Value::Double(a), Value::Double(b)]) => Ok(Value::Double(a * b)),
        ("/", [Value::Double(a), Value::Double(b)]) => Ok(Value::Double(a / b)),
        ("+", [Value::String(a), Value::String(b)]) => {
            cx.charge((a.len() + b.len()) / 10)?;
            Ok(Value::String(format!("{a}{b}").into()))
        }
        ("+", [Value::Bytes(a), Value::Bytes(b)]) => {
            cx.charge((a.len() + b.len()) / 10)?;
            Ok(Value::Bytes([&**a, &**b].concat().into()))
        }
        ("+", [Value::List(a), Value::List(b)]) => {
            cx.charge(a.len() + b.len())?;
            Ok(Value::list(a.iter().chain(b.iter()).cloned().collect()))
        }
        ("+" | "-", [a, b]) => times::sum(sign, a, b).unwrap_or_else(|| Err(overload())),
        _ => Err(overload()),
    }
}
