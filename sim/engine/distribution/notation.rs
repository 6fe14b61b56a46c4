//! Distributions as scenario files write them: `3s`, `{lognormal: {median: 3s, p99: 9s}}`.

use std::fmt;

use serde_json::{Map, Value, json};

use super::{Distribution, DistributionError, Shape, Unit};

/// Families with their parameters, as written; `empirical` and `quantiles` are tables.
const FAMILIES: [(&str, &[&str]); 8] = [
    ("uniform", &["min", "max"]),
    ("normal", &["mean", "stdDev"]),
    ("exponential", &["mean"]),
    ("lognormal", &["median", "p99"]),
    ("weibull", &["shape", "scale"]),
    ("pareto", &["min", "shape"]),
    ("empirical", &[]),
    ("quantiles", &[]),
];

impl Distribution {
    /// Reads the notation of scenario files; values are in `unit`.
    ///
    /// # Errors
    ///
    /// With the path of the wrong parameter inside `value`, so that the caller can point at it.
    pub fn from_json(value: &Value, unit: Unit) -> Result<Distribution, DistributionError> {
        let shape = match value {
            Value::Object(members) => read_family(members, unit)?,
            _ => Shape::Constant(read_value(value, unit, "")?),
        };
        Distribution::new(unit, shape)
    }

    /// The JSON Schema of the notation.
    pub fn schema(unit: Unit) -> Value {
        let value = json!({"type": ["string", "number"], "description": unit.example()});
        let number = json!({"type": "number", "exclusiveMinimum": 0});
        let families = FAMILIES.map(|(name, parameters)| {
            let parameters_schema = match name {
                "empirical" => json!({"type": "array", "minItems": 1, "items": {
                    "type": "object", "additionalProperties": false, "required": ["value"],
                    "properties": {"value": value, "weight": {"type": "number", "minimum": 0}}}}),
                "quantiles" => json!({"type": "object", "minProperties": 2, "additionalProperties": false,
                    "patternProperties": {"^p[0-9]+([.][0-9]+)?$": value}}),
                _ => {
                    let schema_of = |p: &&str| (p.to_string(), if *p == "shape" { number.clone() } else { value.clone() });
                    let properties: Map<String, Value> = parameters.iter().map(schema_of).collect();
                    json!({"type": "object", "additionalProperties": false, "required": parameters, "properties": properties})
                }
            };
            json!({"type": "object", "additionalProperties": false, "required": [name], "properties": {name: parameters_schema}})
        });
        let mut any = vec![value];
        any.extend(families);
        json!({"anyOf": any})
    }
}

/// The notation, as [`Distribution::from_json`] reads it.
impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |x: f64| self.unit.show(x);
        match &self.shape {
            Shape::Constant(x) => f.write_str(&show(*x)),
            Shape::Uniform { min, max } => write!(f, "{{uniform: {{min: {}, max: {}}}}}", show(*min), show(*max)),
            Shape::Normal { mean, std_dev } => {
                write!(f, "{{normal: {{mean: {}, stdDev: {}}}}}", show(*mean), show(*std_dev))
            }
            Shape::Exponential { mean } => write!(f, "{{exponential: {{mean: {}}}}}", show(*mean)),
            Shape::Lognormal { median, p99 } => {
                write!(f, "{{lognormal: {{median: {}, p99: {}}}}}", show(*median), show(*p99))
            }
            Shape::Weibull { shape, scale } => {
                write!(f, "{{weibull: {{shape: {shape}, scale: {}}}}}", show(*scale))
            }
            Shape::Pareto { min, shape } => write!(f, "{{pareto: {{min: {}, shape: {shape}}}}}", show(*min)),
            Shape::Empirical(values) => {
                let items: Vec<String> =
                    values.iter().map(|(x, weight)| format!("{{value: {}, weight: {weight}}}", show(*x))).collect();
                write!(f, "{{empirical: [{}]}}", items.join(", "))
            }
            Shape::Quantiles(points) => {
                let items: Vec<String> =
                    points.iter().map(|(p, x)| format!("p{}: {}", percent(*p), show(*x))).collect();
                write!(f, "{{quantiles: {{{}}}}}", items.join(", "))
            }
        }
    }
}

/// A probability in per cent, without the noise of binary fractions: 0.999 gives `99.9`.
pub(super) fn percent(p: f64) -> String {
    let text = format!("{:.6}", p * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The known name at most two typing errors away.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
    known.min_by_key(distance).filter(|candidate| distance(candidate) <= 2)
}

fn read_family(members: &Map<String, Value>, unit: Unit) -> Result<Shape, DistributionError> {
    let known = || FAMILIES.iter().map(|(name, _)| *name);
    let listed = || format!("known distributions: {}", known().collect::<Vec<_>>().join(", "));
    let mut entries = members.iter();
    let (Some((name, body)), None) = (entries.next(), entries.next()) else {
        return Err(DistributionError::new("", "a distribution has exactly one name").help(listed()));
    };
    let Some((family, parameters)) = FAMILIES.iter().find(|(family, _)| family == name) else {
        let help = nearest(name, known()).map_or_else(listed, |near| format!("did you mean `{near}`?"));
        return Err(DistributionError::new(name, format!("unknown distribution `{name}`")).help(help));
    };
    match *family {
        "empirical" => return read_empirical(body, unit),
        "quantiles" => return read_quantiles(body, unit),
        _ => {}
    }
    let example = || format!("{name}: {{{}}}", parameters.join(": ..., ") + ": ...");
    let Value::Object(body) = body else {
        return Err(DistributionError::new(name, "needs its parameters").help(example()));
    };
    let unknown = |key: &String| {
        let help =
            nearest(key, parameters.iter().copied()).map_or_else(example, |near| format!("did you mean `{near}`?"));
        DistributionError::new(format!("{name}.{key}"), format!("unknown parameter `{key}` of {name}")).help(help)
    };
    if let Some(key) = body.keys().find(|key| !parameters.contains(&key.as_str())) {
        return Err(unknown(key));
    }
    let parameter = |key: &str| match body.get(key) {
        None => Err(DistributionError::new(name, format!("parameter `{key}` is missing")).help(example())),
        Some(value) if key == "shape" => read_number(value, &format!("{name}.{key}")),
        Some(value) => read_value(value, unit, &format!("{name}.{key}")),
    };
    Ok(match *family {
        "uniform" => Shape::Uniform { min: parameter("min")?, max: parameter("max")? },
        "normal" => Shape::Normal { mean: parameter("mean")?, std_dev: parameter("stdDev")? },
        "exponential" => Shape::Exponential { mean: parameter("mean")? },
        "lognormal" => Shape::Lognormal { median: parameter("median")?, p99: parameter("p99")? },
        "weibull" => Shape::Weibull { shape: parameter("shape")?, scale: parameter("scale")? },
        _ => Shape::Pareto { min: parameter("min")?, shape: parameter("shape")? },
    })
}

fn read_empirical(body: &Value, unit: Unit) -> Result<Shape, DistributionError> {
    let example = "empirical: [{value: 1s, weight: 3}, {value: 5s, weight: 1}]";
    let items = body.as_array().ok_or_else(|| DistributionError::new("empirical", "is a list").help(example))?;
    let read = |(i, item): (usize, &Value)| {
        let path = format!("empirical[{i}]");
        let Value::Object(members) = item else {
            return Ok((read_value(item, unit, &path)?, 1.0));
        };
        if let Some(key) = members.keys().find(|key| !["value", "weight"].contains(&key.as_str())) {
            let what = format!("unknown field `{key}`");
            return Err(DistributionError::new(format!("{path}.{key}"), what).help("known fields: value, weight"));
        }
        let value =
            members.get("value").ok_or_else(|| DistributionError::new(&path, "`value` is missing").help(example))?;
        let weight = match members.get("weight") {
            Some(weight) => read_number(weight, &format!("{path}.weight"))?,
            None => 1.0,
        };
        Ok((read_value(value, unit, &format!("{path}.value"))?, weight))
    };
    Ok(Shape::Empirical(items.iter().enumerate().map(read).collect::<Result<_, _>>()?))
}

fn read_quantiles(body: &Value, unit: Unit) -> Result<Shape, DistributionError> {
    let example = "quantiles: {p0: 1s, p50: 3s, p99: 9s, p100: 20s}";
    let members = body.as_object().ok_or_else(|| DistributionError::new("quantiles", "is a table").help(example))?;
    let read = |(key, value): (&String, &Value)| {
        let path = format!("quantiles.{key}");
        let digits = key.strip_prefix('p').filter(|text| text.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        let percent: f64 = digits
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| DistributionError::new(&path, format!("`{key}` is not a quantile")).help(example))?;
        Ok((percent / 100.0, read_value(value, unit, &path)?))
    };
    let mut points: Vec<(f64, f64)> = members.iter().map(read).collect::<Result<_, _>>()?;
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(Shape::Quantiles(points))
}

fn read_value(value: &Value, unit: Unit, path: &str) -> Result<f64, DistributionError> {
    let read = match value {
        Value::String(text) => unit.read(text),
        Value::Number(number) => unit.read_number(number.as_f64().unwrap_or(f64::NAN)),
        _ => Err("is not a value".to_owned()),
    };
    read.map_err(|what| DistributionError::new(path, what).help(unit.example()))
}

fn read_number(value: &Value, path: &str) -> Result<f64, DistributionError> {
    value.as_f64().ok_or_else(|| DistributionError::new(path, "is not a number").help("a plain number such as `1.5`"))
}
