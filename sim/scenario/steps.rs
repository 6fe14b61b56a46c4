//! Steps: `{at: 6m, scale: deployment/web, replicas: 20}` into actions of a client.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use super::typed::at;
use crate::api::document::{Document, Part, ReadOptions, read_files};
use crate::api::kinds;
use crate::api::toleration::TaintEffect;
use crate::client::{Action, DeleteOptions, DrainOptions, KeyChange, ObjectName, PatchType, Step, TaintChange};
use crate::cluster::Propagation;
use crate::engine::{Span, Time};
use crate::error::{Error, Result, nearest};

/// The verbs of a step, as written, each with what goes with it.
const VERBS: &[(&str, &[&str])] = &[
    ("apply", &[]),
    ("delete", &["cascade", "gracePeriod", "ignoreNotFound"]),
    ("scale", &["replicas"]),
    ("setImage", &["image", "images"]),
    ("patch", &["type", "patch"]),
    ("label", &["labels", "overwrite"]),
    ("annotate", &["annotations", "overwrite"]),
    ("taint", &["taints", "overwrite"]),
    ("cordon", &[]),
    ("uncordon", &[]),
    ("drain", &["ignoreDaemonsets", "deleteEmptydirData", "force", "gracePeriod", "timeout", "disableEviction"]),
    ("rolloutUndo", &["toRevision"]),
    ("rolloutPause", &[]),
    ("rolloutResume", &[]),
    ("rolloutRestart", &[]),
    ("evict", &[]),
    ("addNode", &[]),
    ("deleteNode", &[]),
    ("fail", &["for"]),
    ("recover", &[]),
    ("kubectl", &[]),
];

/// Reads all steps of a scenario.
///
/// # Errors
///
/// Every step that is wrong, with its place.
pub(super) fn steps(document: &Document, steps: &[Value], folder: &Path) -> Result<Vec<Step>, Vec<Error>> {
    let (mut read, mut errors) = (Vec::new(), Vec::new());
    for (idx, value) in steps.iter().enumerate() {
        let reader = StepReader { document, path: format!("spec.steps[{idx}]"), folder };
        match reader.read(value) {
            Ok(steps) => read.extend(steps),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

struct StepReader<'a> {
    document: &'a Document,
    path: String,
    folder: &'a Path,
}

impl StepReader<'_> {
    fn fail(&self, key: &str, what: impl Into<String>) -> Error {
        at(self.document, &format!("{}.{key}", self.path), what)
    }

    fn read(&self, value: &Value) -> Result<Vec<Step>> {
        let fields = value
            .as_object()
            .ok_or_else(|| at(self.document, &self.path, "a step is a map").help("for example `{at: 5m, apply: web-v2.yaml}`"))?;
        if fields.contains_key("every") || fields.contains_key("drawn") {
            return Err(self.fail("every", "repeated and drawn steps are not supported yet"));
        }
        let time: Span = match fields.get("at").map(text_of) {
            Some(text) => text.parse().map_err(|error: crate::engine::SpanError| self.fail("at", error.to_string()))?,
            None => return Err(at(self.document, &self.path, "a step needs a time").help("write `at: 5m`")),
        };
        let (verb, options) = self.verb(fields)?;
        let argument = &fields[verb.0.as_str()];
        let text = format!("{} {}", verb.1, text_of(argument));
        let step = |at: Time, action: Action| Step { at, action, text: text.clone() };
        let time = Time::ZERO + time;
        let mut steps = Vec::new();
        for action in self.actions(verb.1, argument, fields)? {
            if let (Action::FailNode(node), Some(length)) = (&action, options.get("for").copied()) {
                let length: Span = text_of(length)
                    .parse()
                    .map_err(|error: crate::engine::SpanError| self.fail("for", error.to_string()))?;
                let recover = Action::RecoverNode(node.clone());
                steps.push(Step { at: time + length, action: recover, text: format!("recover node/{node}") });
            }
            steps.push(step(time, action));
        }
        Ok(steps)
    }

    /// The verb as written and as known, with its options; anything else is refused.
    fn verb<'v>(&self, fields: &'v Map<String, Value>) -> Result<((String, &'static str), Map2<'v>)> {
        let mut verbs = Vec::new();
        for key in fields.keys().filter(|key| *key != "at") {
            if let Some((verb, _)) = VERBS.iter().find(|(verb, _)| plain(verb) == plain(key)) {
                verbs.push((key.clone(), *verb));
            }
        }
        let [(key, verb)] = verbs.as_slice() else {
            let known: Vec<&str> = VERBS.iter().map(|(verb, _)| *verb).collect();
            if let Some((key, second)) = verbs.get(1) {
                return Err(self.fail(key, format!("a step does one thing: `{}` and `{second}` are two", verbs[0].1)));
            }
            let stray = fields.keys().find(|key| *key != "at").map_or("", String::as_str);
            let error = self.fail(stray, format!("unknown step `{stray}`"));
            return Err(match nearest(stray, known.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(format!("known steps: {}", known.join(", "))),
            });
        };
        let allowed: BTreeSet<&str> =
            VERBS.iter().find(|(known, _)| known == verb).map_or(&[][..], |(_, options)| options).iter().copied().collect();
        let mut options = Map2::new();
        for (name, value) in fields {
            if name == "at" || name == key {
                continue;
            }
            if !allowed.contains(name.as_str()) {
                let place = self.document.place(&format!("{}.{name}", self.path), Part::Key);
                let error = Error::new(format!("`{name}` does not go with `{verb}`")).at(place);
                return Err(match nearest(name, allowed.iter().copied()) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                });
            }
            options.insert(name, value);
        }
        Ok(((key.clone(), verb), options))
    }

    fn actions(&self, verb: &str, argument: &Value, fields: &Map<String, Value>) -> Result<Vec<Action>> {
        let flag = |name: &str| fields.get(name).and_then(Value::as_bool).unwrap_or(false);
        let name = || self.object(verb, argument);
        let node = || self.node(verb, argument);
        let action = match verb {
            "apply" => Action::Apply(self.manifests(verb, argument)?),
            "delete" => Action::Delete(self.targets(verb, argument)?, self.delete_options(fields)?),
            "scale" => Action::Scale(name()?, self.integer("replicas", fields)?),
            "setImage" => Action::SetImage(name()?, self.images(fields)?),
            "patch" => {
                let patch = fields.get("patch").cloned().ok_or_else(|| self.fail(verb, "a patch needs `patch`"))?;
                Action::Patch(name()?, self.patch_type(fields)?, patch)
            }
            "label" => Action::Label(name()?, self.key_changes("labels", fields)?),
            "annotate" => Action::Annotate(name()?, self.key_changes("annotations", fields)?),
            "taint" => Action::Taint(node()?, self.taints(fields)?),
            "cordon" => Action::Cordon(node()?, true),
            "uncordon" => Action::Cordon(node()?, false),
            "drain" => Action::Drain(node()?, self.drain_options(fields)?),
            "rolloutUndo" => Action::RolloutUndo(name()?, self.optional_integer("toRevision", fields)?.unwrap_or(0)),
            "rolloutPause" => Action::RolloutPause(name()?, true),
            "rolloutResume" => Action::RolloutPause(name()?, false),
            "rolloutRestart" => Action::RolloutRestart(name()?),
            "evict" => Action::Evict(name()?),
            "addNode" => {
                return Ok(self.manifests(verb, argument)?.into_iter().map(Action::AddNode).collect());
            }
            "deleteNode" => Action::DeleteNode(node()?),
            "fail" => Action::FailNode(self.failing(verb, argument)?),
            "recover" => Action::RecoverNode(self.failing(verb, argument)?),
            "kubectl" => {
                return super::kubectl_step::actions(&text_of(argument), &|path| self.file(verb, path))
                    .map_err(|error| error.at(self.document.place(&format!("{}.{verb}", self.path), Part::Value)));
            }
            _ => return Err(self.fail(verb, format!("`{verb}` is not supported yet"))),
        };
        let _ = flag;
        Ok(vec![action])
    }

    fn delete_options(&self, fields: &Map<String, Value>) -> Result<DeleteOptions> {
        let propagation = match fields.get("cascade").map(text_of).as_deref() {
            None | Some("background" | "true") => Propagation::Background,
            Some("foreground") => Propagation::Foreground,
            Some("orphan" | "false") => Propagation::Orphan,
            Some(other) => {
                return Err(self.fail("cascade", format!("unknown cascade `{other}`")).help("use background, foreground or orphan"));
            }
        };
        Ok(DeleteOptions {
            propagation,
            grace_seconds: self.seconds("gracePeriod", fields)?,
            ignore_not_found: fields.get("ignoreNotFound").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    fn drain_options(&self, fields: &Map<String, Value>) -> Result<DrainOptions> {
        let flag = |name: &str| match fields.get(name) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.fail(name, "true or false is wanted here")),
        };
        let timeout = match fields.get("timeout").map(text_of) {
            None => None,
            Some(text) => Some(
                text.parse().map_err(|error: crate::engine::SpanError| self.fail("timeout", error.to_string()))?,
            ),
        };
        Ok(DrainOptions {
            ignore_daemonsets: flag("ignoreDaemonsets")?,
            delete_emptydir_data: flag("deleteEmptydirData")?,
            force: flag("force")?,
            disable_eviction: flag("disableEviction")?,
            grace_seconds: self.seconds("gracePeriod", fields)?,
            timeout,
        })
    }

    fn seconds(&self, key: &str, fields: &Map<String, Value>) -> Result<Option<u32>> {
        let Some(value) = fields.get(key) else { return Ok(None) };
        let text = text_of(value);
        let seconds = text.parse::<u32>().ok();
        let span = || text.parse::<Span>().ok().and_then(|span| u32::try_from(span.as_secs()).ok());
        seconds.or_else(span).map(Some).ok_or_else(|| self.fail(key, format!("`{text}` is not a number of seconds")))
    }

    fn integer(&self, key: &str, fields: &Map<String, Value>) -> Result<i64> {
        self.optional_integer(key, fields)?.ok_or_else(|| at(self.document, &self.path, format!("`{key}` is missing")))
    }

    fn optional_integer(&self, key: &str, fields: &Map<String, Value>) -> Result<Option<i64>> {
        let Some(value) = fields.get(key) else { return Ok(None) };
        value
            .as_i64()
            .filter(|number| (0..=i64::from(i32::MAX)).contains(number))
            .map(Some)
            .ok_or_else(|| self.fail(key, format!("`{}` is not a whole number of at least 0", text_of(value))))
    }

    fn images(&self, fields: &Map<String, Value>) -> Result<Vec<(String, String)>> {
        match (fields.get("image"), fields.get("images").and_then(Value::as_object)) {
            (Some(image), None) => Ok(vec![("*".to_owned(), text_of(image))]),
            (None, Some(images)) => Ok(images.iter().map(|(name, image)| (name.clone(), text_of(image))).collect()),
            _ => Err(at(self.document, &self.path, "`setImage` needs `image` or `images`")
                .help("write `image: nginx:1.28` or `images: {web: nginx:1.28}`")),
        }
    }

    fn patch_type(&self, fields: &Map<String, Value>) -> Result<PatchType> {
        match fields.get("type").map(text_of).as_deref() {
            None | Some("strategic") => Ok(PatchType::Strategic),
            Some("merge") => Ok(PatchType::Merge),
            Some("json") => Ok(PatchType::Json),
            Some(other) => Err(self.fail("type", format!("unknown patch type `{other}`")).help("use strategic, merge or json")),
        }
    }

    fn key_changes(&self, key: &str, fields: &Map<String, Value>) -> Result<Vec<KeyChange>> {
        let overwrite = fields.get("overwrite").and_then(Value::as_bool).unwrap_or(true);
        let map = fields.get(key).and_then(Value::as_object);
        let map = map.ok_or_else(|| at(self.document, &self.path, format!("`{key}` is missing")).help(format!("write `{key}: {{a: b, c: null}}`")))?;
        let change = |(key, value): (&String, &Value)| KeyChange {
            key: key.clone(),
            value: (!value.is_null()).then(|| text_of(value)),
            overwrite,
        };
        Ok(map.iter().map(change).collect())
    }

    fn taints(&self, fields: &Map<String, Value>) -> Result<Vec<TaintChange>> {
        let overwrite = fields.get("overwrite").and_then(Value::as_bool).unwrap_or(true);
        let list = fields.get("taints").and_then(Value::as_array);
        let list = list.ok_or_else(|| at(self.document, &self.path, "`taints` is missing").help("write `taints: [\"key=value:NoSchedule\"]`"))?;
        list.iter().map(|text| parse_taint(&text_of(text), overwrite).map_err(|what| self.fail("taints", what))).collect()
    }

    fn targets(&self, verb: &str, argument: &Value) -> Result<Vec<ObjectName>> {
        let text = text_of(argument);
        if text.ends_with(".yaml") || text.ends_with(".yml") || text.ends_with(".json") {
            return Ok(self.manifests(verb, argument)?.iter().filter_map(name_of).collect());
        }
        match argument {
            Value::Array(list) => list.iter().map(|one| self.object(verb, one)).collect(),
            one => Ok(vec![self.object(verb, one)?]),
        }
    }

    fn object(&self, verb: &str, argument: &Value) -> Result<ObjectName> {
        parse_object(&text_of(argument)).map_err(|error| {
            let place = self.document.place(&format!("{}.{verb}", self.path), Part::Value);
            error.at(place)
        })
    }

    fn node(&self, verb: &str, argument: &Value) -> Result<String> {
        let text = text_of(argument);
        let name = text.strip_prefix("node/").or_else(|| text.strip_prefix("nodes/")).unwrap_or(&text);
        match name.is_empty() || name.contains('/') {
            true => Err(self.fail(verb, format!("`{text}` is not a node")).help("write the name of one node")),
            false => Ok(name.to_owned()),
        }
    }

    fn failing(&self, verb: &str, argument: &Value) -> Result<String> {
        let text = text_of(argument);
        match text.split_once('/') {
            Some(("node" | "nodes", _)) => self.node(verb, argument),
            _ => Err(self.fail(verb, format!("failing `{text}` is not supported yet")).help("write `node/<name>`")),
        }
    }

    /// Manifests given inline (one or a list) or by file.
    fn manifests(&self, verb: &str, argument: &Value) -> Result<Vec<Value>> {
        match argument {
            Value::String(path) => self.file(verb, path),
            Value::Array(list) => {
                let parts = list.iter().map(|one| self.manifests(verb, one)).collect::<Result<Vec<_>>>()?;
                Ok(parts.into_iter().flatten().collect())
            }
            Value::Object(_) => Ok(vec![argument.clone()]),
            _ => Err(self.fail(verb, "a file or a manifest is wanted here")),
        }
    }

    fn file(&self, verb: &str, path: &str) -> Result<Vec<Value>> {
        let (documents, errors) = read_files(&[self.folder.join(path)], &ReadOptions::default());
        if let Some(error) = errors.into_iter().next() {
            return Err(match error.place {
                Some(_) => error,
                None => self.fail(verb, error.what),
            });
        }
        super::objects::accept_all(&documents).map_err(|mut errors| errors.remove(0))
    }
}

type Map2<'a> = std::collections::BTreeMap<&'a str, &'a Value>;

/// `kind/name` or `kind/namespace/name`.
pub(super) fn parse_object(text: &str) -> Result<ObjectName> {
    let mut parts = text.splitn(3, '/');
    let kind = parts.next().unwrap_or_default();
    let info = kinds::by_resource(kind).ok_or_else(|| {
        let error = Error::new(format!("unknown kind `{kind}`"));
        match nearest(kind, kinds::KINDS.iter().map(|info| info.singular)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("write `deployment/web` or `deployment/namespace/web`"),
        }
    })?;
    let (namespace, name) = match (parts.next(), parts.next()) {
        (Some(name), None) if info.namespaced => ("default", name),
        (Some(name), None) => ("", name),
        (Some(namespace), Some(name)) => (namespace, name),
        (None, _) => return Err(Error::new(format!("`{text}` has no name")).help(format!("write `{kind}/<name>`"))),
    };
    Ok(ObjectName { info, namespace: namespace.to_owned(), name: name.to_owned() })
}

/// `key=value:Effect`, `key:Effect`, `key:Effect-`, `key-`.
pub(super) fn parse_taint(text: &str, overwrite: bool) -> Result<TaintChange, String> {
    let (body, remove) = text.strip_suffix('-').map_or((text, false), |body| (body, true));
    let (pair, effect) = body.rsplit_once(':').map_or((body, None), |(pair, effect)| (pair, Some(effect)));
    let effect = match effect {
        None if remove => None,
        None => return Err(format!("`{text}` has no effect: write key=value:NoSchedule")),
        Some(effect) => {
            Some(TaintEffect::parse(effect).ok_or_else(|| format!("`{effect}` is not an effect of a taint"))?)
        }
    };
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    Ok(TaintChange { key: key.to_owned(), value: value.to_owned(), effect, remove, overwrite })
}

fn name_of(manifest: &Value) -> Option<ObjectName> {
    let info = kinds::by_kind(manifest["kind"].as_str()?)?;
    let namespace = match (info.namespaced, manifest["metadata"]["namespace"].as_str()) {
        (false, _) => "",
        (true, namespace) => namespace.unwrap_or("default"),
    };
    Some(ObjectName { info, namespace: namespace.to_owned(), name: manifest["metadata"]["name"].as_str()?.to_owned() })
}

/// A scalar as text.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A word without case, blanks and hyphens: `set image`, `set-image` and `setImage` are one.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
