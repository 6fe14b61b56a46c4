//! Reading expectations.

use super::{Demand, Expectation, Figure, Latency, Operator, Predicate, Target, When};
use crate::api::kinds;
use crate::api::quantity::Quantity;
use crate::engine::{Span, Time};
use crate::error::{Error, Result, nearest};
use crate::metrics::Outcome;

const FORMS: &str = "for example `deployment/web complete by 8m`, `always deployment/web availableReplicas >= 9`, \
                     `never pod phase Failed`, `p99(pending) < 5s`";

impl std::str::FromStr for Expectation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Expectation> {
        let demand = if is_figure(text) { run_demand(text)? } else { object_demand(text)? };
        Ok(Expectation { text: text.to_owned(), demand })
    }
}

fn is_figure(text: &str) -> bool {
    text.split_once('(').is_some_and(|(head, _)| !head.trim().contains(char::is_whitespace))
}

fn object_demand(text: &str) -> Result<Demand> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let quantifier = match words.first() {
        Some(&word @ ("always" | "never" | "eventually")) => {
            words.remove(0);
            Some(word)
        }
        _ => None,
    };
    let by = take_time(&mut words, "by")?;
    let until = take_time(&mut words, "until")?;
    let from = take_time(&mut words, "from")?;
    let (from, until) = (from.unwrap_or(Time::ZERO), until.unwrap_or(Time::NEVER));
    let when = match (quantifier, by) {
        (Some("always"), None) => When::Always(from, until),
        (Some("never"), None) => When::Never(from, until),
        (Some("always" | "never"), Some(_)) => {
            return Err(Error::new(format!("`{text}`: `by` does not go with `always` or `never`"))
                .help("write `from TIME` or `until TIME`"));
        }
        (Some(_), by) => When::By(by.unwrap_or(Time::NEVER)),
        (None, Some(by)) => When::By(by),
        (None, None) => When::AtEnd,
    };
    let Some((target, rest)) = words.split_first() else {
        return Err(Error::new("an empty expectation").help(FORMS));
    };
    Ok(Demand::Objects { when, target: self::target(target)?, predicate: predicate(text, rest)? })
}

fn take_time(words: &mut Vec<&str>, keyword: &str) -> Result<Option<Time>> {
    let Some(idx) = words.iter().position(|word| *word == keyword) else { return Ok(None) };
    let Some(span) = words.get(idx + 1) else {
        return Err(Error::new(format!("`{keyword}` without a time")).help(format!("write `{keyword} 8m`")));
    };
    let span: Span = span.parse().map_err(|error| Error::new(format!("`{keyword} {span}`: {error}")))?;
    words.drain(idx..idx + 2);
    Ok(Some(Time::ZERO + span))
}

fn target(word: &str) -> Result<Target> {
    let mut parts = word.splitn(3, '/');
    let kind = parts.next().unwrap_or_default();
    let info = kinds::by_resource(kind).ok_or_else(|| {
        let known = kinds::KINDS.iter().map(|info| info.singular);
        let error = Error::new(format!("unknown kind `{kind}` in an expectation"));
        match nearest(kind, known) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(FORMS),
        }
    })?;
    let name = match (parts.next(), parts.next()) {
        (None, _) => None,
        (Some(name), None) if info.namespaced => Some(("default".to_owned(), name.to_owned())),
        (Some(name), None) => Some((String::new(), name.to_owned())),
        (Some(namespace), Some(name)) => Some((namespace.to_owned(), name.to_owned())),
    };
    Ok(Target { info, name })
}

fn predicate(text: &str, words: &[&str]) -> Result<Predicate> {
    Ok(match words {
        ["complete"] => Predicate::Complete,
        ["exists"] => Predicate::Exists,
        ["condition", kind] => Predicate::Condition((*kind).to_owned()),
        [path, value] => field(path, Operator::Equal, value),
        [path, operator, value] => field(path, self::operator(operator)?, value),
        _ => return Err(Error::new(format!("cannot read the expectation `{text}`")).help(FORMS)),
    })
}

fn field(path: &str, operator: Operator, value: &str) -> Predicate {
    Predicate::Field { path: path.to_owned(), operator, value: value.to_owned() }
}

fn operator(word: &str) -> Result<Operator> {
    Ok(match word {
        "=" | "==" => Operator::Equal,
        "!=" => Operator::NotEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterOrEqual,
        _ => return Err(Error::new(format!("unknown operator `{word}`")).help("use =, !=, <, <=, > or >=")),
    })
}

fn run_demand(text: &str) -> Result<Demand> {
    let malformed = || Error::new(format!("cannot read the expectation `{text}`")).help(FORMS);
    let (head, rest) = text.split_once('(').ok_or_else(malformed)?;
    let (argument, rest) = rest.split_once(')').ok_or_else(malformed)?;
    let (head, argument) = (head.trim(), argument.trim());
    let &[operator, value] = rest.split_whitespace().collect::<Vec<_>>().as_slice() else { return Err(malformed()) };
    let operator = self::operator(operator)?;
    let figure = match head {
        "mean" => Figure::Mean(latency(argument)?),
        "max" => Figure::Quantile(1.0, latency(argument)?),
        "count" => Figure::Count(outcome(argument)?),
        "utilisation" | "utilization" => Figure::Utilisation(argument.to_owned()),
        "ratio" => {
            return Err(Error::new(format!("`{text}`: requests are not supported yet"))
                .help("expectations on traffic come with the `traffic` section"));
        }
        _ => {
            let percent = head.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok());
            let percent = percent.filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| {
                Error::new(format!("unknown figure `{head}`")).help("use p50, p99, mean, max, count or utilisation")
            })?;
            Figure::Quantile(percent / 100.0, latency(argument)?)
        }
    };
    let value = match &figure {
        Figure::Quantile(..) | Figure::Mean(_) => {
            let span: Span = value.parse().map_err(|error| Error::new(format!("`{text}`: {error}")))?;
            span.as_secs_f64()
        }
        Figure::Count(_) => number(text, value)?,
        Figure::Utilisation(_) => match value.strip_suffix('%') {
            Some(percent) => number(text, percent)? / 100.0,
            None => number(text, value)?,
        },
    };
    Ok(Demand::Run { figure, operator, value })
}

fn number(text: &str, value: &str) -> Result<f64> {
    let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| Error::new(format!("`{text}`: `{value}` is not a number")))
}

fn latency(word: &str) -> Result<Latency> {
    match word {
        "pending" | "scheduling" => Ok(Latency::Pending),
        "startup" => Ok(Latency::Startup),
        _ => Err(Error::new(format!("unknown latency `{word}`")).help("use `pending` or `startup`")),
    }
}

fn outcome(word: &str) -> Result<String> {
    let known = Outcome::ALL.map(Outcome::as_str);
    let word = word.trim_start_matches("pods").trim();
    if known.contains(&word) {
        return Ok(word.to_owned());
    }
    Err(Error::new(format!("unknown outcome `{word}`")).help(format!("use one of {}", known.join(", "))))
}

/// Compares a field with a wanted value: as numbers or quantities if both are, as texts otherwise. A field that is not there is 0
/// where a number is wanted: the API leaves counts of zero out.
pub(super) fn compare(field: &serde_json::Value, operator: Operator, value: &str) -> bool {
    let text = match field {
        serde_json::Value::Null => "0".to_owned(),
        field => field.as_str().map_or_else(|| field.to_string(), str::to_owned),
    };
    let amount = |text: &str| text.parse::<Quantity>().ok().map(|quantity| quantity.to_f64());
    match (amount(&text), amount(value)) {
        (Some(left), Some(right)) => operator.holds(left, right),
        _ => match operator {
            Operator::Equal => text == value,
            Operator::NotEqual => text != value,
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for text in [
            "deployment/web complete by 8m",
            "always deployment/web availableReplicas >= 9",
            "always deployment/shop/web availableReplicas >= 9 from 1m until 9m",
            "never pod phase Failed",
            "eventually job/import succeeded = 3",
            "service/web spec.type = ClusterIP",
            "node/general-3 condition Ready",
            "p99(pending) < 5s",
            "p99.9(startup) <= 1m",
            "mean(pending) < 5s",
            "count(failed) = 0",
            "utilisation(cpu) >= 60%",
        ] {
            text.parse::<Expectation>().unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    #[test]
    fn mistakes_are_named() {
        let rows = [
            ("deploymet/web complete", "unknown kind `deploymet` in an expectation"),
            ("always deployment/web complete by 8m", "`by` does not go with `always` or `never`"),
            ("deployment/web replicas => 3", "unknown operator `=>`"),
            ("p101(pending) < 5s", "unknown figure `p101`"),
            ("p99(pendig) < 5s", "unknown latency `pendig`"),
            ("p99(pending) < 5", "`5` has no unit"),
            ("deployment/web complete by", "`by` without a time"),
            ("", "an empty expectation"),
        ];
        for (text, what) in rows {
            let error = text.parse::<Expectation>().expect_err(text).to_string();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn quantities_compare_as_numbers() {
        assert!(compare(&serde_json::json!("1000m"), Operator::Equal, "1"));
        assert!(compare(&serde_json::json!(10), Operator::Greater, "9"));
        assert!(compare(&serde_json::json!("Running"), Operator::NotEqual, "Failed"));
        assert!(compare(&serde_json::json!(null), Operator::Less, "1"));
        assert!(!compare(&serde_json::json!(null), Operator::Equal, "Running"));
    }
}
