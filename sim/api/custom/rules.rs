//! `x-kubernetes-validations`: the rules of a schema, asked about a custom resource and what it was before.
//!
//! Source: apiextensions-apiserver `pkg/apiserver/schema/cel` (`validation.go`, `values.go`, `model/schemas.go`). A rule sees what its
//! schema declares and nothing else, under escaped names (`self.a__dash__b`); null fields are absent.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;

use super::props::Props;
use crate::api::causes::{Cause, CauseType};
use crate::api::cel::{CelError, Key, Program, Type, Value, Variables};
use crate::api::view::{get, text};

/// What rules about values of a schema know of their types.
pub fn type_of(schema: &Props, is_resource: bool) -> Type {
    if schema.is_int_or_string {
        return Type::Dyn;
    }
    match schema.kind.as_str() {
        "object" => {
            if let Some(below) = schema.additional.as_ref().and_then(|more| more.schema.as_deref()) {
                return Type::Map(Box::new(type_of(below, below.is_embedded)));
            }
            let below = schema.properties.iter().filter(|(_, below)| is_visible(below));
            let mut fields: BTreeMap<String, Type> =
                below.filter_map(|(name, below)| Some((escape(name)?, type_of(below, below.is_embedded)))).collect();
            if is_resource || schema.is_embedded {
                let text = || Type::Scalar("string");
                let names = ["name", "generateName"].map(|name| (name.to_owned(), text()));
                fields.extend(["apiVersion", "kind"].map(|name| (name.to_owned(), text())));
                fields.insert("metadata".to_owned(), Type::Object(names.into_iter().collect()));
            }
            Type::Object(fields)
        }
        "array" => {
            Type::List(Box::new(schema.items.as_deref().map_or(Type::Dyn, |below| type_of(below, below.is_embedded))))
        }
        "string" => Type::Scalar(match schema.format.as_str() {
            "byte" => "bytes",
            "duration" => "google.protobuf.Duration",
            "date" | "date-time" => "google.protobuf.Timestamp",
            _ => "string",
        }),
        "boolean" => Type::Scalar("bool"),
        "integer" => Type::Scalar("int"),
        "number" => Type::Scalar("double"),
        _ => Type::Dyn,
    }
}

/// What all rules of one object may cost together (`RuntimeCELCostBudget`).
const BUDGET: u64 = 10_000_000;
/// Longest message that an expression may make, in bytes (`MaxEvaluatedMessageExpressionSizeBytes`).
const MAX_MESSAGE: usize = 5 * 1024;
/// What a rule can name.
const VARIABLES: [&str; 2] = ["self", "oldSelf"];

/// One rule.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// The expression.
    pub rule: String,
    /// What is said if it does not hold, or empty.
    pub message: String,
    /// An expression that makes that message, or empty.
    pub message_expression: String,
    /// What kind of wrong it is; none for `FieldValueInvalid`.
    pub reason: Option<String>,
    /// The field that is at fault, below the one that the rule is about; or empty.
    pub field_path: String,
    /// Whether `oldSelf` may be missing.
    pub optional_old_self: bool,
    program: OnceLock<Result<Program, CelError>>,
    message_program: OnceLock<Result<Program, CelError>>,
}

impl Rule {
    /// Reads a rule of a definition.
    pub fn read(rule: &Json) -> Rule {
        let own = |field: &str| text(rule, field).to_owned();
        Rule {
            rule: own("rule"),
            message: own("message"),
            message_expression: own("messageExpression"),
            reason: get(rule, "reason").as_str().map(str::to_owned),
            field_path: own("fieldPath"),
            optional_old_self: get(rule, "optionalOldSelf") == true,
            ..Rule::default()
        }
    }

    /// The compiled rule.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression.
    pub fn program(&self) -> Result<&Program, CelError> {
        self.program.get_or_init(|| Program::compile(&self.rule, &VARIABLES)).as_ref().map_err(Clone::clone)
    }

    /// Compiles the rule, or its message, for values of a type.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression.
    pub fn compile_for(&self, own: &Type, is_message: bool) -> Result<&Program, CelError> {
        let (program, text) = match is_message {
            true => (self.message_program()?, &self.message_expression),
            false => (self.program()?, &self.rule),
        };
        let before = if self.optional_old_self { &Type::Dyn } else { own };
        program.check_fields(text, &[("self", own), ("oldSelf", before)])?;
        Ok(program)
    }

    /// The compiled expression of the message.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression.
    pub fn message_program(&self) -> Result<&Program, CelError> {
        let compile = || Program::compile(&self.message_expression, &VARIABLES);
        self.message_program.get_or_init(compile).as_ref().map_err(Clone::clone)
    }

    /// The rule as error texts name it.
    fn shown(&self) -> &str {
        if self.message.is_empty() { self.rule.trim() } else { self.message.trim() }
    }

    fn message_or_default(&self) -> String {
        match self.message.is_empty() {
            true => format!("failed rule: {}", self.shown()),
            false => self.shown().to_owned(),
        }
    }
}

/// Asks the rules of a schema and of all below it. `old` is what was stored before; `None` for a new object.
/// Gives what is wrong, and what is only warned about, because it was wrong before and has not changed.
pub(super) fn check(schema: &Props, object: &Json, old: Option<&Json>) -> (Vec<Cause>, Vec<String>) {
    let mut asked = Asked { budget: BUDGET, is_update: old.is_some(), ..Asked::default() };
    asked.node(schema, object, old, "", true);
    (asked.causes, asked.warnings)
}

#[derive(Default)]
struct Asked {
    causes: Vec<Cause>,
    warnings: Vec<String>,
    budget: u64,
    is_update: bool,
    is_over: bool,
}

impl Asked {
    fn node(&mut self, schema: &Props, value: &Json, old: Option<&Json>, path: &str, is_root: bool) {
        if !schema.has_rules || value.is_null() || self.is_over {
            return;
        }
        let old = old.filter(|old| !old.is_null());
        self.expressions(schema, value, old, path, is_root);
        match value {
            Json::Object(fields) => {
                for (name, value) in fields {
                    let old = old.and_then(|old| old.get(name));
                    if let Some(below) = schema.additional.as_ref().and_then(|more| more.schema.as_deref()) {
                        self.node(below, value, old, &format!("{path}[{name}]"), false);
                    }
                    if let Some(below) = schema.properties.get(name) {
                        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                        self.node(below, value, old, &path, false);
                    }
                }
            }
            Json::Array(items) => {
                let Some(below) = schema.items.as_deref() else { return };
                for (index, value) in items.iter().enumerate() {
                    let old = old.and_then(|old| schema.item_like(old, value));
                    self.node(below, value, old, &format!("{path}[{index}]"), false);
                }
            }
            _ => {}
        }
    }

    fn expressions(&mut self, schema: &Props, value: &Json, old: Option<&Json>, path: &str, is_root: bool) {
        if schema.rules.is_empty() {
            return;
        }
        let mut own = Variables::new(&[("self", value_of(schema, value, is_root))]);
        let before = old.map(|old| value_of(schema, old, is_root));
        // What was wrong before and is the same now does not keep an object from being changed elsewhere.
        let is_unchanged = self.is_update && old == Some(value);
        for rule in &schema.rules {
            let program = match rule.program() {
                Ok(program) => program,
                Err(error) => {
                    self.wrong(schema, path, &format!("rule compile error: {error}"));
                    continue;
                }
            };
            let is_transition = program.uses("oldSelf");
            match (&before, rule.optional_old_self) {
                (None, false) if is_transition => continue,
                (before, true) => own.set("oldSelf", Ok(Value::Optional(before.clone().map(Arc::new)))),
                (Some(before), false) => own.set("oldSelf", Ok(before.clone())),
                (None, false) => {}
            }
            let held = self.ask(program, &own);
            if self.is_over {
                return self.wrong(schema, path, OUT_OF_BUDGET);
            }
            match held {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => {
                    let cause = self.broken(schema, rule, &own, path);
                    match !is_transition && is_unchanged {
                        true => self.warnings.push(cause.to_string()),
                        false => self.causes.push(cause),
                    }
                }
                Ok(other) => {
                    let what = format!("rule compile error: must evaluate to bool, not {}", other.type_name());
                    self.wrong(schema, path, &what);
                }
                Err(error) => {
                    self.wrong(schema, path, &failure(&error, rule));
                    if error.out_of_budget {
                        self.is_over = true;
                        return;
                    }
                }
            }
        }
    }

    /// Evaluates within what is left of the budget.
    fn ask(&mut self, program: &Program, variables: &Variables) -> Result<Value, CelError> {
        let (value, cost) = program.evaluate_with_cost(variables);
        match self.budget.checked_sub(cost) {
            Some(rest) => self.budget = rest,
            None => self.is_over = true,
        }
        value
    }

    fn wrong(&mut self, schema: &Props, path: &str, detail: &str) {
        self.causes.push(cause(schema, path, None, detail));
    }

    /// What is said of a rule that does not hold.
    fn broken(&mut self, schema: &Props, rule: &Rule, variables: &Variables, path: &str) -> Cause {
        let made = match rule.message_expression.trim() {
            "" => None,
            _ => rule.message_program().ok().and_then(|program| self.ask(program, variables).ok()),
        };
        let made = made.as_ref().and_then(Value::as_str).map(str::trim);
        let made = made.filter(|text| !text.is_empty() && !text.contains('\n') && text.len() <= MAX_MESSAGE);
        let detail = made.map_or_else(|| rule.message_or_default(), str::to_owned);
        let below = rule.field_path.replace("['", "[").replace("']", "]");
        let path = match (path, below.strip_prefix('.').unwrap_or(&below)) {
            (path, "") => path.to_owned(),
            ("", below) => below.to_owned(),
            (path, below) => format!("{path}.{below}"),
        };
        cause(schema, &path, rule.reason.as_deref(), &detail)
    }
}

const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// Why a rule could not be evaluated.
fn failure(error: &CelError, rule: &Rule) -> String {
    let shown = rule.shown();
    if error.out_of_budget {
        return format!(
            "'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {shown}"
        );
    }
    match error.text.starts_with("no such overload") {
        true => {
            let what = "call arguments did not match a supported operator, function or macro signature for rule";
            format!("'{error}': {what}: {shown}")
        }
        false => format!("{error} evaluating rule: {shown}"),
    }
}

/// The bad value is shown as the type of its schema.
fn cause(schema: &Props, path: &str, reason: Option<&str>, detail: &str) -> Cause {
    let kind = &schema.kind;
    let (reason, message) = match reason {
        Some("FieldValueForbidden") => (CauseType::Forbidden, format!("Forbidden: {detail}")),
        Some("FieldValueRequired") => (CauseType::Required, format!("Required value: {detail}")),
        Some("FieldValueDuplicate") => (CauseType::Duplicate, format!("Duplicate value: \"{kind}\"")),
        _ => (CauseType::Invalid, format!("Invalid value: \"{kind}\": {detail}")),
    };
    let field = if path.is_empty() { "<nil>".to_owned() } else { path.to_owned() };
    Cause { field, reason, message, supported: Vec::new() }
}

/// A value as an expression sees it.
fn value_of(schema: &Props, value: &Json, is_resource: bool) -> Value {
    if schema.is_int_or_string {
        return Value::from_json(value);
    }
    match value {
        Json::Object(fields) => {
            let mut out = BTreeMap::new();
            if let Some(below) = schema.additional.as_ref().and_then(|more| more.schema.as_deref()) {
                for (name, value) in fields {
                    out.insert(Key::String(name.as_str().into()), value_of(below, value, below.is_embedded));
                }
                return Value::Map(Arc::new(out));
            }
            for (name, below) in schema.properties.iter().filter(|(_, below)| is_visible(below)) {
                if let (Some(escaped), Some(value)) = (escape(name), fields.get(name).filter(|value| !value.is_null()))
                {
                    out.insert(Key::String(escaped.into()), value_of(below, value, below.is_embedded));
                }
            }
            if is_resource || schema.is_embedded {
                resource_fields(fields, &mut out);
            }
            Value::Map(Arc::new(out))
        }
        Json::Array(items) => match schema.items.as_deref() {
            Some(below) => Value::list(items.iter().map(|item| value_of(below, item, below.is_embedded)).collect()),
            None => Value::from_json(value),
        },
        Json::Number(number) if schema.kind == "number" => Value::Double(number.as_f64().unwrap_or_default()),
        Json::Number(number) if schema.kind == "integer" => match (number.as_i64(), number.as_f64()) {
            (None, Some(whole)) => Value::Int(whole as i64),
            _ => Value::from_json(value),
        },
        Json::String(text) => Value::of_format(&schema.format, text),
        other => Value::from_json(other),
    }
}

/// Every resource has these, whatever its schema says; of its metadata only the names are seen.
fn resource_fields(fields: &serde_json::Map<String, Json>, out: &mut BTreeMap<Key, Value>) {
    for name in ["apiVersion", "kind"] {
        if let Some(text) = fields.get(name).and_then(Json::as_str) {
            out.insert(Key::String(name.into()), Value::string(text));
        }
    }
    if let Some(Json::Object(metadata)) = fields.get("metadata") {
        let names = ["name", "generateName"].into_iter().filter_map(|name| {
            let text = metadata.get(name).and_then(Json::as_str)?;
            Some((Key::String(name.into()), Value::string(text)))
        });
        out.insert(Key::String("metadata".into()), Value::Map(Arc::new(names.collect())));
    }
}

/// Whether rules see a field: what has no type has none for them either.
fn is_visible(schema: &Props) -> bool {
    schema.is_int_or_string || !schema.kind.is_empty()
}

/// A name as expressions write it (apiserver, `cel.Escape`); none for names that they cannot write.
pub(super) fn escape(name: &str) -> Option<String> {
    const RESERVED: [&str; 21] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(known) {
        return None;
    }
    let escaped = name.replace("__", "__underscores__");
    Some(escaped.replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What the rules of a schema say of a value and of what it was.
    fn said(schema: Json, value: Json, old: Option<Json>) -> Vec<String> {
        let (causes, warnings) = check(&Props::read(&schema), &value, old.as_ref());
        let causes = causes.iter().map(|cause| format!("{} {cause}", cause.reason.as_str()));
        causes.chain(warnings.into_iter().map(|warning| format!("warning {warning}"))).collect()
    }

    fn object(properties: Json, rules: Json) -> Json {
        json!({"type": "object", "properties": {"spec": {
            "type": "object", "properties": properties, "x-kubernetes-validations": rules}}})
    }

    #[test]
    fn rules_are_asked() {
        let replicas = json!({"replicas": {"type": "integer"}, "max": {"type": "integer"}});
        let spec = json!({"spec": {"replicas": 5, "max": 3}});
        for (rule, expected, why) in [
            (
                json!({"rule": "self.replicas <= self.max"}),
                "FieldValueInvalid spec: Invalid value: \"object\": failed rule: self.replicas <= self.max",
                "the rule is its own message",
            ),
            (
                json!({"rule": "self.replicas <= self.max", "message": " too many "}),
                "FieldValueInvalid spec: Invalid value: \"object\": too many",
                "a message",
            ),
            (
                json!({"rule": "self.replicas <= self.max", "messageExpression": "'at most ' + string(self.max)"}),
                "FieldValueInvalid spec: Invalid value: \"object\": at most 3",
                "a message that is made",
            ),
            (
                json!({"rule": "self.replicas <= self.max", "message": "m", "messageExpression": "string(1/0)"}),
                "FieldValueInvalid spec: Invalid value: \"object\": m",
                "a message that cannot be made",
            ),
            (
                json!({"rule": "self.replicas <= self.max", "reason": "FieldValueForbidden", "fieldPath": ".replicas"}),
                "FieldValueForbidden spec.replicas: Forbidden: failed rule: self.replicas <= self.max",
                "a reason and a field",
            ),
            (
                json!({"rule": "self.min > 0"}),
                "FieldValueInvalid spec: Invalid value: \"object\": no such key: min evaluating rule: self.min > 0",
                "a field that is not there",
            ),
            (json!({"rule": "has(self.min) || self.replicas > self.max"}), "", "a field that is asked for first"),
            (json!({"rule": "self.replicas == oldSelf.replicas"}), "", "transition rules are for updates"),
        ] {
            let found = said(object(replicas.clone(), json!([rule])), spec.clone(), None);
            assert_eq!(found.join("\n"), expected, "{why}");
        }
    }

    #[test]
    fn transitions_and_what_was_wrong_before() {
        let replicas = json!({"replicas": {"type": "integer"}});
        let spec = |n: i64| json!({"spec": {"replicas": n}});
        let immutable = object(replicas.clone(), json!([{"rule": "self == oldSelf", "message": "is immutable"}]));
        assert_eq!(said(immutable.clone(), spec(1), Some(spec(1))), Vec::<String>::new());
        let expected = "FieldValueInvalid spec: Invalid value: \"object\": is immutable";
        assert_eq!(said(immutable, spec(2), Some(spec(1))), [expected]);
        let few = object(replicas.clone(), json!([{"rule": "self.replicas < 3", "message": "few"}]));
        let expected = "warning spec: Invalid value: \"object\": few";
        assert_eq!(said(few.clone(), spec(5), Some(spec(5))), [expected], "it was so");
        assert_eq!(said(few, spec(5), Some(spec(4))).len(), 1, "it was wrong otherwise");
        let first = json!([{"rule": "oldSelf.hasValue() || self.replicas == 1", "optionalOldSelf": true}]);
        assert_eq!(said(object(replicas.clone(), first.clone()), spec(2), None).len(), 1, "new objects are asked too");
        assert_eq!(said(object(replicas, first), spec(2), Some(spec(3))).len(), 0);
    }

    #[test]
    fn values_have_the_types_of_their_schemas() {
        let properties = json!({
            "a-b.c": {"type": "integer"}, "namespace": {"type": "string"}, "ratio": {"type": "number"},
            "wait": {"type": "string", "format": "duration"}, "port": {"x-kubernetes-int-or-string": true},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "items": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {
                "type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
                "x-kubernetes-validations": [{"rule": "self.n >= oldSelf.n", "message": "only up"}]}},
        });
        let spec = json!({"spec": {"a-b.c": 1, "namespace": "x", "ratio": 2, "wait": "90s", "port": "http", "labels": {"k-l": "v"},
            "items": [{"name": "b", "n": 1}, {"name": "a", "n": 5}]}});
        let old = json!({"spec": {"items": [{"name": "a", "n": 4}, {"name": "b", "n": 2}]}});
        for rule in [
            "self.a__dash__b__dot__c == 1 && self.__namespace__ == 'x'",
            "self.ratio / 4.0 == 0.5",
            "self.wait > duration('1m')",
            "type(self.port) == string",
            "self.labels.all(k, k.startsWith('k')) && self.labels['k-l'] == 'v'",
        ] {
            let found = said(object(properties.clone(), json!([{"rule": rule}])), spec.clone(), None);
            assert_eq!(found, Vec::<String>::new(), "{rule}");
        }
        let found = said(object(properties, json!([])), spec, Some(old));
        assert_eq!(found, ["FieldValueInvalid spec.items[0]: Invalid value: \"object\": only up"]);
    }

    #[test]
    fn the_budget_is_bounded() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "array", "items": {"type": "integer"},
            "x-kubernetes-validations": [{"rule": "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))"}]}}});
        let value = json!({"spec": (0..300).collect::<Vec<_>>()});
        let found = said(schema, value, None);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("no further validation rules will be run"), "{found:?}");
    }
}
