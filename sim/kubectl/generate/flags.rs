//! What the flags of a command say, read as kubectl reads them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Surroundings;
use crate::api::kinds::KindInfo;
use crate::kubectl::command::Generate;

/// A command with its flags and what it can look at.
pub(super) struct Flags<'a> {
    pub(super) command: &'a Generate,
    pub(super) around: &'a dyn Surroundings,
}

impl<'a> Flags<'a> {
    pub(super) fn name(&self) -> &'a str {
        &self.command.name
    }

    /// The last value of a flag; empty without one.
    pub(super) fn text(&self, name: &str) -> &'a str {
        text(&self.command.flags, name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.command.flags.contains_key(name)
    }

    /// The values of a flag that may be given again and again, each as it is.
    pub(super) fn each(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.command.flags.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The values of a flag, split at commas.
    pub(super) fn list(&self, name: &str) -> Vec<&'a str> {
        self.each(name).flat_map(|value| value.split(',')).filter(|value| !value.is_empty()).collect()
    }

    pub(super) fn switch(&self, name: &str) -> bool {
        matches!(self.text(name), "true" | "1" | "t" | "T" | "TRUE" | "True")
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, String> {
        number(&self.command.flags, name)
    }

    /// Refuses a command that lacks flags which it needs.
    pub(super) fn needs(&self, names: &[&str]) -> Result<(), String> {
        let missing: Vec<String> =
            names.iter().filter(|name| !self.has(name)).map(|name| format!("{name:?}")).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("required flag(s) {} not set", missing.join(", "))),
        }
    }

    /// Refuses flags that are not carried out.
    pub(super) fn refuses(&self, names: &[&str]) -> Result<(), String> {
        match names.iter().find(|name| self.has(name)) {
            Some(name) => Err(format!("--{name} is not supported here; write the object as a manifest and apply it")),
            None => Ok(()),
        }
    }

    pub(super) fn kind(&self, word: &str) -> Result<&'static KindInfo, String> {
        self.around.kind(word).ok_or_else(|| format!("the server doesn't have a resource type {word:?}"))
    }

    /// An object with metadata.
    pub(super) fn object(&self, api_version: &str, kind: &str, rest: Value) -> Value {
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), json!(api_version));
        object.insert("kind".to_owned(), json!(kind));
        object.insert("metadata".to_owned(), json!({ "name": self.name() }));
        if let Value::Object(rest) = rest {
            object.extend(rest);
        }
        Value::Object(object)
    }
}

/// The last value of a flag; empty without one.
pub(super) fn text<'a>(flags: &'a BTreeMap<String, Vec<String>>, name: &str) -> &'a str {
    flags.get(name).and_then(|values| values.last()).map_or("", String::as_str)
}

/// A flag that is a whole number.
pub(super) fn number(flags: &BTreeMap<String, Vec<String>>, name: &str) -> Result<Option<i64>, String> {
    match text(flags, name) {
        "" => Ok(None),
        given => match given.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(format!(
                "invalid argument {given:?} for \"--{name}\" flag: strconv.ParseInt: parsing {given:?}: invalid syntax"
            )),
        },
    }
}

/// `a=1,b=2` as labels.
pub(super) fn labels(given: &str) -> Result<Value, String> {
    let mut labels = Map::new();
    for pair in given.split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("unexpected label spec: {pair}"))?;
        labels.insert(key.to_owned(), json!(value));
    }
    Ok(Value::Object(labels))
}

/// A number, or a name or share.
pub(super) fn int_or_text(given: &str) -> Value {
    given.parse::<i64>().map_or_else(|_| json!(given), |number| json!(number))
}
