//! Steps: `{at: 6m, scale: deployment/web, replicas: 20}` into actions of a client.
//!
//! Every step that kubectl knows is turned into kubectl's own command line and read as such, so that the two never differ.

use std::path::Path;

use serde_json::{Map, Value};

use super::objects::accept_all;
use super::typed::at;
use crate::api::document::{Document, Part, ReadOptions, read_files};
use crate::client::{Action, Eviction, Step, Submission, SubmitVerb};
use crate::engine::{Span, SpanError, Time};
use crate::error::{Error, Result, nearest};
use crate::faults::Fault;
use crate::kubectl::command::{Apply, Command, DryRun, Generate, parse};

/// A verb of a step: its name, the options that go with it, and how kubectl writes it (`{}` stands for the object).
struct Verb {
    name: &'static str,
    options: &'static [&'static str],
    kubectl: Option<&'static str>,
}

const fn verb(name: &'static str, options: &'static [&'static str], kubectl: Option<&'static str>) -> Verb {
    Verb { name, options, kubectl }
}

const VERBS: &[Verb] = &[
    verb("apply", &[], None),
    verb("delete", &["cascade", "gracePeriod", "ignoreNotFound"], Some("delete {}")),
    verb("scale", &["replicas", "currentReplicas"], Some("scale {}")),
    verb("setImage", &["image", "images"], Some("set image {}")),
    verb("patch", &["type", "patch"], Some("patch {}")),
    verb("label", &["labels", "overwrite"], Some("label {}")),
    verb("annotate", &["annotations", "overwrite"], Some("annotate {}")),
    verb("taint", &["taints", "overwrite"], Some("taint {}")),
    verb("cordon", &[], Some("cordon {}")),
    verb("uncordon", &[], Some("uncordon {}")),
    verb(
        "drain",
        &["ignoreDaemonsets", "deleteEmptydirData", "force", "gracePeriod", "timeout", "disableEviction"],
        Some("drain {}"),
    ),
    verb("rolloutUndo", &["toRevision"], Some("rollout undo {}")),
    verb("rolloutPause", &[], Some("rollout pause {}")),
    verb("rolloutResume", &[], Some("rollout resume {}")),
    verb("rolloutRestart", &[], Some("rollout restart {}")),
    verb("evict", &["namespace"], None),
    verb("addNode", &[], None),
    verb("deleteNode", &[], None),
    verb("recover", &[], None),
    verb("kubectl", &[], None),
];

/// Reads all steps of a scenario.
///
/// # Errors
///
/// Every step that is wrong, with its place.
pub(super) fn steps(
    document: &Document,
    steps: &[Value],
    folder: &Path,
) -> Result<(Vec<Step>, Vec<Fault>), Vec<Error>> {
    let (mut read, mut faults, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for (idx, value) in steps.iter().enumerate() {
        let reader = StepReader { document, path: format!("spec.steps[{idx}]"), folder };
        if value.get("fail").is_some() {
            match reader.fault(value) {
                Ok(fault) => faults.push(fault),
                Err(error) => errors.push(error),
            }
            continue;
        }
        match reader.read(value) {
            Ok(steps) => read.extend(steps),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok((read, faults)) } else { Err(errors) }
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
        let Some(fields) = value.as_object() else {
            return Err(
                at(self.document, &self.path, "a step is a map").help("for example `{at: 5m, apply: web-v2.yaml}`")
            );
        };
        if let Some(key) = ["every", "drawn"].into_iter().find(|key| fields.contains_key(*key)) {
            return Err(self.fail(key, "repeated and drawn steps are not supported yet"));
        }
        let time = match fields.get("at") {
            Some(text) => Time::ZERO + self.span("at", text)?,
            None => return Err(at(self.document, &self.path, "a step needs a time").help("write `at: 5m`")),
        };
        let (key, verb) = self.verb(fields)?;
        let argument = &fields[key];
        let options = fields.iter().filter(|(name, _)| *name != "at" && *name != key);
        let options: String = options.map(|(name, value)| format!(", {name} {}", text_of(value))).collect();
        let text = format!("{} {}{options}", verb.name, text_of(argument));
        let mut steps = Vec::new();
        for action in self.actions(key, verb, argument, fields)? {
            steps.push(Step { at: time, action, text: text.clone() });
        }
        Ok(steps)
    }

    /// A failure, scripted or drawn.
    fn fault(&self, value: &Value) -> Result<Fault> {
        Fault::from_json(value).map_err(|error| {
            let part = if error.is_about_key { Part::Key } else { Part::Value };
            let path = format!("{}.{}", self.path, error.path.trim_start_matches('.'));
            let place = self.document.place(path.trim_end_matches('.'), part);
            error.placed(Some(place))
        })
    }

    fn span(&self, key: &str, value: &Value) -> Result<Span> {
        let text = text_of(value);
        text.parse().map_err(|error: SpanError| self.fail(key, format!("`{text}`: {error}")))
    }

    /// The verb as written and as known; every other key must be one of its options.
    fn verb<'f>(&self, fields: &'f Map<String, Value>) -> Result<(&'f str, &'static Verb)> {
        let known = |key: &str| VERBS.iter().find(|verb| plain(verb.name) == plain(key));
        let mut found = fields.keys().filter(|key| *key != "at").filter_map(|key| Some((key.as_str(), known(key)?)));
        let Some((key, verb)) = found.next() else {
            let stray = fields.keys().find(|key| *key != "at").map_or("", String::as_str);
            let names: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
            let place = self.document.place(&format!("{}.{stray}", self.path), Part::Key);
            let error = Error::new(format!("unknown step `{stray}`")).at(place);
            return Err(match nearest(stray, names.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(format!("known steps: {}", names.join(", "))),
            });
        };
        let stray = fields.keys().find(|name| *name != "at" && *name != key && !verb.options.contains(&name.as_str()));
        if let Some(stray) = stray {
            let place = self.document.place(&format!("{}.{stray}", self.path), Part::Key);
            let error = Error::new(format!("`{stray}` does not go with `{}`", verb.name)).at(place);
            return Err(match nearest(stray, verb.options.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None if verb.options.is_empty() => error,
                None => error.help(format!("known here: {}", verb.options.join(", "))),
            });
        }
        Ok((key, verb))
    }

    fn actions(&self, key: &str, verb: &Verb, argument: &Value, fields: &Map<String, Value>) -> Result<Vec<Action>> {
        if let Some(command) = verb.kubectl {
            let object = text_of(argument);
            if verb.name == "delete" && is_file(&object) {
                return Ok(vec![Action::Delete(self.manifests(key, argument)?)]);
            }
            let object = match verb.name {
                "taint" => format!("nodes {}", node_name(&object)),
                "cordon" | "uncordon" | "drain" => node_name(&object).to_owned(),
                _ => object,
            };
            let (object, namespace) = split_namespace(&object);
            let mut words = vec![command.replace("{}", &object)];
            words.extend(namespace.map(|namespace| format!("-n {}", quote(&namespace))));
            words.extend(self.flags(verb.name, fields)?);
            return self.kubectl(key, &words.join(" "));
        }
        match verb.name {
            "kubectl" => self.kubectl(key, &text_of(argument)),
            "apply" => Ok(vec![Action::Apply(self.manifests(key, argument)?)]),
            "addNode" => Ok(self.manifests(key, argument)?.into_iter().map(Action::AddNode).collect()),
            "evict" => {
                let text = text_of(argument);
                let pods = text.strip_prefix("pod/").or_else(|| text.strip_prefix("pods/")).unwrap_or(&text);
                let namespace = fields.get("namespace").map_or_else(|| "default".to_owned(), text_of);
                Ok(vec![Action::Evict(Eviction { namespace, pods: pods.to_owned() })])
            }
            "deleteNode" => Ok(vec![Action::DeleteNode(node_name(&text_of(argument)).to_owned())]),
            _ => {
                let text = text_of(argument);
                let Some(("node" | "nodes", node)) = text.split_once('/') else {
                    let error = self.fail(key, format!("`{}: {text}` is not supported yet", verb.name));
                    return Err(error.help("write `node/<name>`"));
                };
                let node = node.to_owned();
                Ok(vec![Action::RecoverNode(node)])
            }
        }
    }

    /// The options of a step as kubectl's flags and arguments.
    fn flags(&self, verb: &str, fields: &Map<String, Value>) -> Result<Vec<String>> {
        let mut words = Vec::new();
        for (name, value) in fields {
            match (verb, name.as_str()) {
                ("setImage", "image") => words.push(quote(&format!("*={}", text_of(value)))),
                ("setImage", "images") | ("label", "labels") | ("annotate", "annotations") => {
                    let Some(map) = value.as_object() else {
                        return Err(self.fail(name, "a map is wanted here").help(format!("write `{name}: {{a: b}}`")));
                    };
                    words.extend(map.iter().map(|(key, value)| match value {
                        Value::Null => quote(&format!("{key}-")),
                        value => quote(&format!("{key}={}", text_of(value))),
                    }));
                }
                ("taint", "taints") => match value {
                    Value::Array(list) => words.extend(list.iter().map(|taint| quote(&text_of(taint)))),
                    one => words.push(quote(&text_of(one))),
                },
                ("patch", "patch") => words.push(format!("-p {}", quote(&value.to_string()))),
                (_, option)
                    if option != "at" && VERBS.iter().any(|v| v.name == verb && v.options.contains(&option)) =>
                {
                    words.push(format!("--{}={}", flag_name(option), quote(&text_of(value))));
                }
                _ => {}
            }
        }
        if ["label", "annotate", "taint"].contains(&verb) && !fields.contains_key("overwrite") {
            words.push("--overwrite".to_owned());
        }
        Ok(words)
    }

    fn kubectl(&self, key: &str, line: &str) -> Result<Vec<Action>> {
        let place = || self.document.place(&format!("{}.{key}", self.path), Part::Value);
        let command = parse(line).map_err(|error| if error.place.is_some() { error } else { error.at(place()) })?;
        let files = |names: &[String]| {
            let read: Result<Vec<_>> = names.iter().map(|name| self.file(key, name)).collect();
            Ok::<_, Error>(read?.into_iter().flatten().collect::<Vec<Value>>())
        };
        let named = |names: &[String]| {
            let mut all = Vec::new();
            for name in names {
                all.extend(self.file(key, name)?.into_iter().map(|manifest| (name.clone(), manifest)));
            }
            Ok::<_, Error>(all)
        };
        Ok(vec![match command {
            Command::Apply(apply) => {
                let verb = apply_verb(&apply).map_err(|error| error.at(place()))?;
                Action::Submit(Box::new(Submission {
                    verb,
                    manager: apply.field_manager,
                    namespace: apply.selection.scope.namespace,
                    dry_run: apply.dry_run,
                    manifests: named(&apply.selection.filenames)?,
                }))
            }
            Command::Submit(submit) => Action::Submit(Box::new(Submission {
                verb: if submit.replace { SubmitVerb::Replace { force: submit.force } } else { SubmitVerb::Create },
                manager: None,
                namespace: submit.selection.scope.namespace,
                dry_run: submit.dry_run,
                manifests: named(&submit.selection.filenames)?,
            })),
            Command::Delete(delete) if !delete.selection.filenames.is_empty() => {
                Action::Delete(files(&delete.selection.filenames)?)
            }
            Command::Generate(mut generate) => {
                self.literals(key, &mut generate)?;
                Action::Kubectl(Box::new(Command::Generate(generate)))
            }
            Command::Wait(_) | Command::Top(_) => {
                let word = line.split_whitespace().next().unwrap_or_default();
                let error = Error::new(format!("`kubectl {word}` is not supported yet in a step")).at(place());
                return Err(error.help("look at the object with `get` at a later instant"));
            }
            command => Action::Kubectl(Box::new(command)),
        }])
    }

    /// Reads the files that a command names into the values that they mean: a file is a value under its name (`--from-file`), or a list
    /// of values (`--from-env-file`).
    fn literals(&self, key: &str, generate: &mut Generate) -> Result<()> {
        let read = |path: &str| {
            std::fs::read_to_string(self.folder.join(path))
                .map_err(|error| self.fail(key, format!("cannot read {path}: {error}")))
        };
        let mut contents = Vec::new();
        for given in generate.flags.remove("from-file").unwrap_or_default() {
            let (name, path) = match given.split_once('=') {
                Some((name, path)) => (name, path),
                None => (given.rsplit('/').next().unwrap_or(&given), given.as_str()),
            };
            contents.push(format!("{name}={}", read(path)?));
        }
        for path in generate.flags.remove("from-env-file").unwrap_or_default() {
            if !contents.is_empty() || generate.flags.contains_key("from-literal") {
                return Err(self.fail(key, "from-env-file cannot be combined with from-file or from-literal"));
            }
            let text = read(&path)?;
            let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
            contents.extend(lines.filter(|line| line.contains('=')).map(str::to_owned));
        }
        if !contents.is_empty() {
            generate.flags.insert("from-content".to_owned(), contents);
        }
        Ok(())
    }

    /// Manifests given inline (one or a list) or by file.
    fn manifests(&self, key: &str, argument: &Value) -> Result<Vec<Value>> {
        match argument {
            Value::String(path) => self.file(key, path),
            Value::Array(list) => {
                let parts = list.iter().map(|one| self.manifests(key, one)).collect::<Result<Vec<_>>>()?;
                Ok(parts.into_iter().flatten().collect())
            }
            Value::Object(_) => Ok(vec![argument.clone()]),
            _ => Err(self.fail(key, "a file or a manifest is wanted here")),
        }
    }

    fn file(&self, key: &str, path: &str) -> Result<Vec<Value>> {
        let (documents, errors) = read_files(&[self.folder.join(path)], &ReadOptions::default());
        if let Some(error) = errors.into_iter().next() {
            return Err(if error.place.is_some() { error } else { self.fail(key, error.what) });
        }
        accept_all(&documents).map(|accepted| accepted.written).map_err(|mut errors| errors.swap_remove(0))
    }
}

/// How an apply merges; what it cannot do is refused.
fn apply_verb(apply: &Apply) -> Result<SubmitVerb> {
    if apply.prune {
        return Err(
            Error::new("`kubectl apply --prune` is not supported").help("delete what is to go by name or selector")
        );
    }
    match apply.server_side {
        true if apply.force => Err(Error::new("--force cannot be used with --server-side")),
        true if apply.dry_run == DryRun::Client => {
            Err(Error::new("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"))
        }
        true => Ok(SubmitVerb::ApplyServerSide { force: apply.force_conflicts }),
        false if apply.force_conflicts => Err(Error::new("--force-conflicts only works with --server-side")),
        false => Ok(SubmitVerb::Apply),
    }
}

fn is_file(text: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|extension| text.ends_with(extension))
}

/// A node with or without its kind.
fn node_name(text: &str) -> &str {
    text.strip_prefix("node/").or_else(|| text.strip_prefix("nodes/")).unwrap_or(text)
}

/// `kind/namespace/name` into `kind/name` and the namespace.
fn split_namespace(text: &str) -> (String, Option<String>) {
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [kind, namespace, name] => (format!("{kind}/{name}"), Some((*namespace).to_owned())),
        _ => (text.to_owned(), None),
    }
}

/// `gracePeriod` into `grace-period`.
fn flag_name(option: &str) -> String {
    option.chars().fold(String::new(), |mut flag, c| {
        if c.is_uppercase() {
            flag.push('-');
        }
        flag.extend(c.to_lowercase());
        flag
    })
}

/// A word of a command line in single quotes.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A scalar as text.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A word without case, blanks and hyphens: `set image`, `set-image` and `setImage` are one.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::document::read_str;

    fn read(step: &str) -> Result<(Vec<Step>, Vec<Fault>), Vec<Error>> {
        let text = format!("spec:\n  steps:\n  - {step}\n");
        let (documents, errors) = read_str("s.yaml", &text);
        assert!(errors.is_empty(), "{errors:?}");
        let list = documents[0].value["spec"]["steps"].as_array().cloned().expect("a list of steps");
        steps(&documents[0], &list, Path::new("."))
    }

    #[test]
    fn every_verb_is_read() {
        for step in [
            "{at: 1m, scale: deployment/web, replicas: 20}",
            "{at: 1m, set image: deployment/web, images: {c: 'nginx:2'}}",
            "{at: 1m, setImage: deployment/shop/web, image: nginx:2}",
            "{at: 1m, rollout undo: deployment/web, toRevision: 1}",
            "{at: 1m, rolloutPause: deployment/web}",
            "{at: 1m, cordon: general-3}",
            "{at: 1m, drain: node/general-3, ignoreDaemonsets: true, timeout: 5m}",
            "{at: 1m, taint: general-3, taints: ['a=b:NoSchedule', 'c-']}",
            "{at: 1m, label: pod/web-0, labels: {a: b, c: null}}",
            "{at: 1m, delete: pod/web-0, gracePeriod: 0}",
            "{at: 1m, evict: pod/web-0}",
            "{at: 1m, patch: deployment/web, patch: {spec: {paused: true}}}",
            "{at: 1m, kubectl: 'rollout restart deployment/web'}",
            "{at: 1m, apply: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}}",
        ] {
            // A map cannot have the key `patch` twice.
            if step.contains("patch") {
                continue;
            }
            assert_eq!(read(step).unwrap_or_else(|errors| panic!("{step}: {errors:?}")).0.len(), 1, "{step}");
        }
        assert_eq!(read("{at: 1m, fail: node/general-3, for: 4m}").expect("a failure with its end").1.len(), 1);
    }

    #[test]
    fn mistakes_have_a_place_and_a_cure() {
        let rows = [
            ("{scale: deployment/web, replicas: 2}", "a step needs a time"),
            ("{at: 5, scale: deployment/web, replicas: 2}", "has no unit"),
            ("{at: 1m, scal: deployment/web, replicas: 2}", "unknown step"),
            ("{at: 1m, scale: deployment/web, replica: 2}", "did you mean `replicas`?"),
            ("{at: 1m, kubectl: 'frobnicate x'}", "frobnicate"),
            ("{at: 1m, every: 6h, cordon: node-1}", "not supported yet"),
        ];
        for (step, what) in rows {
            let errors = read(step).expect_err(step);
            let text = errors[0].to_string();
            assert!(text.contains(what), "{step}: {text}");
            assert!(errors[0].place.is_some(), "{step}");
        }
    }
}
