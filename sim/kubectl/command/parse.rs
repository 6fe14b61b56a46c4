//! Words into a typed command.

use std::collections::BTreeMap;

use super::flags::{Parsed, go_duration, read};
use super::types::*;
use super::words::split_words;
use crate::error::{Error, Result, nearest};

/// The verbs that are understood.
const VERBS: [&str; 22] = [
    "get",
    "describe",
    "events",
    "top",
    "rollout",
    "scale",
    "set",
    "label",
    "annotate",
    "taint",
    "cordon",
    "uncordon",
    "drain",
    "delete",
    "apply",
    "create",
    "replace",
    "run",
    "patch",
    "autoscale",
    "expose",
    "wait",
];

/// Parses a kubectl command line, with or without `kubectl` at its beginning.
pub fn parse(line: &str) -> Result<Command> {
    let mut words = split_words(line)?;
    if words.first().is_some_and(|word| word == "kubectl") {
        words.remove(0);
    }
    // Flags may stand before the verb (`kubectl -n web get pods`).
    let mut before = Vec::new();
    while words.first().is_some_and(|word| word.starts_with('-')) {
        let takes_value =
            matches!(words[0].as_str(), "-n" | "--namespace" | "--context" | "--kubeconfig" | "-s" | "-v");
        before.extend(words.drain(..words.len().min(1 + usize::from(takes_value))));
    }
    let Some(verb) = words.first().cloned() else {
        return Err(Error::new("the kubectl command is empty").help("write a verb, e.g. `get pods`"));
    };
    if verb == "edit" {
        let error = Error::new("`kubectl edit` opens an editor, and nobody is here to use it");
        return Err(error.help("write the change as a patch: `patch deployment/web -p '{\"spec\": ...}'`"));
    }
    if !VERBS.contains(&verb.as_str()) {
        let error = Error::new(format!("unknown command \"{verb}\" for \"kubectl\""));
        return Err(match nearest(&verb, VERBS) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(format!("the known verbs are {}", VERBS.join(", "))),
        });
    }
    words.remove(0);
    before.extend(words);
    let parsed = read(&verb, &before)?;
    command(&verb, parsed)
}

fn command(verb: &str, parsed: Parsed) -> Result<Command> {
    match verb {
        "get" => get(&parsed).map(Command::Get),
        "describe" => {
            let show_events = parsed.switch("show-events", true)?;
            Ok(Command::Describe(Describe { selection: selection(&parsed, 0)?, show_events }))
        }
        "events" => events(&parsed).map(Command::Events),
        "top" => top(&parsed).map(Command::Top),
        "rollout" => rollout(&parsed).map(Command::Rollout),
        "scale" => scale(&parsed).map(Command::Scale),
        "set" => set(&parsed).map(Command::Set),
        "label" | "annotate" => mark(verb == "annotate", &parsed).map(Command::Mark),
        "taint" => taint(&parsed).map(Command::Taint),
        "cordon" | "uncordon" => Ok(Command::Cordon(Cordon {
            unschedulable: verb == "cordon",
            nodes: nodes(&parsed, verb)?,
            selector: parsed.text("selector"),
            dry_run: parsed.dry_run()?,
        })),
        "drain" => drain(&parsed).map(Command::Drain),
        "delete" => delete(&parsed).map(Command::Delete),
        "apply" => apply(&parsed).map(Command::Apply),
        "create" | "replace" if parsed.flags.contains_key("filename") => Ok(Command::Submit(Submit {
            replace: verb == "replace",
            selection: selection(&parsed, 0)?,
            force: parsed.switch("force", false)?,
            dry_run: parsed.dry_run()?,
        })),
        "replace" => Err(Error::new("must specify -f")),
        "create" | "run" => generate(verb, parsed).map(Command::Generate),
        "patch" => patch(&parsed).map(Command::Patch),
        "autoscale" => autoscale(&parsed).map(Command::Autoscale),
        "expose" => Ok(Command::Expose(Expose {
            selection: selection(&parsed, 0)?,
            dry_run: parsed.dry_run()?,
            flags: no_output(parsed)?.flags,
        })),
        _ => wait(&parsed).map(Command::Wait),
    }
}

fn scope(parsed: &Parsed) -> Result<Scope> {
    Ok(Scope { namespace: parsed.text("namespace"), all_namespaces: parsed.switch("all-namespaces", false)? })
}

/// The objects that the arguments after the first `skip` are about.
fn selection(parsed: &Parsed, skip: usize) -> Result<Selection> {
    Ok(Selection {
        args: parsed.args.iter().skip(skip).cloned().collect(),
        filenames: parsed.list("filename"),
        recursive: parsed.switch("recursive", false)?,
        selector: parsed.text("selector"),
        field_selector: parsed.text("field-selector"),
        all: parsed.switch("all", false)?,
        scope: scope(parsed)?,
    })
}

/// Nothing is watched: a look is one instant of a run.
fn not_watching(parsed: &Parsed) -> Result<()> {
    for name in ["watch", "watch-only"] {
        if parsed.switch(name, false)? {
            let error = Error::new(format!("`--{name}` is not supported: a look is one instant of a run"));
            return Err(error.help("look again at a later instant"));
        }
    }
    Ok(())
}

fn events(parsed: &Parsed) -> Result<Events> {
    not_watching(parsed)?;
    Ok(Events {
        scope: scope(parsed)?,
        about: parsed.text("for"),
        types: parsed.list("types"),
        no_headers: parsed.switch("no-headers", false)?,
        output: parsed.text("output"),
    })
}

fn get(parsed: &Parsed) -> Result<Get> {
    not_watching(parsed)?;
    Ok(Get {
        selection: selection(parsed, 0)?,
        output: match (parsed.value("output"), parsed.value("template")) {
            (None, Some(template)) => Some(format!("go-template={template}")),
            (output, Some(template)) if output.is_some_and(|output| !output.contains('=')) => {
                output.map(|output| format!("{output}={template}"))
            }
            (output, _) => output.map(str::to_owned),
        },
        sort_by: parsed.text("sort-by").filter(|path| !path.is_empty()),
        show_labels: parsed.switch("show-labels", false)?,
        label_columns: parsed.list("label-columns"),
        no_headers: parsed.switch("no-headers", false)?,
        show_kind: parsed.switch("show-kind", false)?,
        show_managed_fields: parsed.switch("show-managed-fields", false)?,
        ignore_not_found: parsed.switch("ignore-not-found", false)?,
        allow_missing_template_keys: parsed.switch("allow-missing-template-keys", true)?,
    })
}

fn top(parsed: &Parsed) -> Result<Top> {
    let nodes = match parsed.args.first().map(String::as_str) {
        Some("node" | "nodes" | "no") => true,
        Some("pod" | "pods" | "po") => false,
        _ => return Err(Error::new("`kubectl top` needs what to show").help("write `top nodes` or `top pods`")),
    };
    Ok(Top {
        nodes,
        selection: selection(parsed, 1)?,
        containers: parsed.switch("containers", false)?,
        sort_by: parsed.text("sort-by"),
        no_headers: parsed.switch("no-headers", false)?,
        sum: parsed.switch("sum", false)?,
        show_capacity: parsed.switch("show-capacity", false)?,
    })
}

fn rollout(parsed: &Parsed) -> Result<Rollout> {
    let known = ["status", "history", "undo", "pause", "resume", "restart"];
    let action = match parsed.args.first().map(String::as_str) {
        Some("status") => RolloutAction::Status {
            watch: parsed.switch("watch", true)?,
            revision: parsed.number("revision")?.unwrap_or_default(),
            timeout_seconds: parsed.seconds("timeout")?.unwrap_or_default(),
        },
        Some("history") => RolloutAction::History { revision: parsed.number("revision")?.unwrap_or_default() },
        Some("undo") => RolloutAction::Undo { to_revision: parsed.number("to-revision")?.unwrap_or_default() },
        Some("pause") => RolloutAction::Pause,
        Some("resume") => RolloutAction::Resume,
        Some("restart") => RolloutAction::Restart,
        other => {
            let error = Error::new(format!("unknown rollout action `{}`", other.unwrap_or_default()));
            return Err(error.help(format!("the actions are {}", known.join(", "))));
        }
    };
    let selection = selection(parsed, 1)?;
    if selection.args.is_empty() && selection.filenames.is_empty() && selection.selector.is_none() {
        return Err(Error::new("required resource not specified").help("write e.g. `rollout status deployment/web`"));
    }
    Ok(Rollout { selection, action, dry_run: parsed.dry_run()? })
}

fn scale(parsed: &Parsed) -> Result<Scale> {
    let required = || {
        Error::new("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
            .help("write e.g. `scale deployment/web --replicas=3`")
    };
    let replicas = parsed.number("replicas")?.filter(|&replicas| replicas >= 0).ok_or_else(required)?;
    Ok(Scale {
        selection: selection(parsed, 0)?,
        replicas,
        current_replicas: parsed.number("current-replicas")?.filter(|&replicas| replicas >= 0),
        resource_version: parsed.text("resource-version"),
        dry_run: parsed.dry_run()?,
    })
}

fn set(parsed: &Parsed) -> Result<Set> {
    let containers = parsed.text("containers").unwrap_or_else(|| "*".to_owned());
    let mut selection = selection(parsed, 1)?;
    let change = match parsed.args.first().map(String::as_str) {
        Some("image") => {
            let pairs = take_pairs(&mut selection.args);
            if pairs.is_empty() {
                return Err(Error::new("at least one image update is required").help("write CONTAINER=IMAGE"));
            }
            SetChange::Image(pairs)
        }
        Some("resources") => {
            let (limits, requests) = (amounts(parsed, "limits")?, amounts(parsed, "requests")?);
            if limits.is_empty() && requests.is_empty() {
                return Err(Error::new(
                    "you must specify an update to requests or limits (in the form of --requests/--limits)",
                ));
            }
            SetChange::Resources { containers, limits, requests }
        }
        Some("env") => {
            let given = parsed.flags.get("env").into_iter().flatten().cloned();
            let mut variables: Vec<(String, Option<String>)> = Vec::new();
            let mut kept = Vec::new();
            for word in selection.args.drain(..).chain(given) {
                match (word.split_once('='), word.strip_suffix('-')) {
                    (Some((name, value)), _) => variables.push((name.to_owned(), Some(value.to_owned()))),
                    (None, Some(name)) if !name.contains('/') => variables.push((name.to_owned(), None)),
                    _ => kept.push(word),
                }
            }
            selection.args = kept;
            SetChange::Env { containers, variables, from: parsed.text("from"), list: parsed.switch("list", false)? }
        }
        Some("serviceaccount" | "sa") => match selection.args.pop() {
            Some(account) => SetChange::ServiceAccount(account),
            None => return Err(Error::new("serviceaccount is required")),
        },
        Some("selector") => match selection.args.pop() {
            Some(selector) => SetChange::Selector(selector),
            None => return Err(Error::new("one selector is required")),
        },
        other => {
            return Err(Error::new(format!("unknown `set` command `{}`", other.unwrap_or_default()))
                .help("the commands are image, resources, env, serviceaccount, selector"));
        }
    };
    Ok(Set { selection, change, dry_run: parsed.dry_run()? })
}

/// Takes the `name=value` words out of the arguments.
fn take_pairs(args: &mut Vec<String>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    args.retain(|word| match word.split_once('=') {
        Some((name, value)) => {
            pairs.extend(name.split(',').map(|name| (name.to_owned(), value.to_owned())));
            false
        }
        None => true,
    });
    pairs
}

fn amounts(parsed: &Parsed, flag: &str) -> Result<BTreeMap<String, String>> {
    let pair = |text: String| match text.split_once('=') {
        Some((name, amount)) => Ok((name.to_owned(), amount.to_owned())),
        None => Err(Error::new(format!("invalid argument syntax {text}, expected <resource>=<value>"))),
    };
    parsed.list(flag).into_iter().map(pair).collect()
}

fn mark(annotations: bool, parsed: &Parsed) -> Result<Mark> {
    let mut selection = selection(parsed, 0)?;
    let mut changes = Vec::new();
    selection.args.retain(|word| match (word.split_once('='), word.strip_suffix('-')) {
        (Some((key, value)), _) => {
            changes.push((key.to_owned(), Some(value.to_owned())));
            false
        }
        (None, Some(key)) => {
            changes.push((key.to_owned(), None));
            false
        }
        _ => true,
    });
    let list = parsed.switch("list", false)?;
    if changes.is_empty() && !list {
        let what = if annotations { "annotation" } else { "label" };
        return Err(
            Error::new(format!("at least one {what} update is required")).help("write KEY=VALUE, or KEY- to remove it")
        );
    }
    Ok(Mark {
        annotations,
        selection,
        changes,
        overwrite: parsed.switch("overwrite", false)?,
        resource_version: parsed.text("resource-version"),
        list,
        dry_run: parsed.dry_run()?,
    })
}

fn taint(parsed: &Parsed) -> Result<Taint> {
    let mut selection = selection(parsed, 0)?;
    let first = selection.args.first().map(|word| word.split('/').next().unwrap_or(word).to_lowercase());
    if !matches!(first.as_deref(), Some("node" | "nodes" | "no")) {
        return Err(Error::new(format!(
            "invalid resource type {}, only node(s) is supported",
            first.unwrap_or_default()
        )));
    }
    let mut changes = Vec::new();
    let mut names = Vec::new();
    for (index, word) in selection.args.drain(..).enumerate() {
        let is_change = index > 0 && (word.contains(['=', ':']) || word.ends_with('-'));
        if is_change { changes.push(taint_change(&word)?) } else { names.push(word) }
    }
    selection.args = names;
    if changes.is_empty() {
        return Err(
            Error::new("at least one taint update is required").help("write KEY=VALUE:EFFECT, or KEY- to remove it")
        );
    }
    Ok(Taint { selection, changes, overwrite: parsed.switch("overwrite", false)?, dry_run: parsed.dry_run()? })
}

fn taint_change(word: &str) -> Result<TaintChange> {
    let (text, remove) = word.strip_suffix('-').map_or((word, false), |text| (text, true));
    let (label, effect) = text.split_once(':').unwrap_or((text, ""));
    let (key, value) = label.split_once('=').unwrap_or((label, ""));
    let is_effect = matches!(effect, "NoSchedule" | "PreferNoSchedule" | "NoExecute");
    if key.is_empty() || !(is_effect || remove && effect.is_empty()) {
        let what = if effect.is_empty() || is_effect {
            format!("invalid taint spec: {word}")
        } else {
            format!("invalid taint effect: {effect}, unsupported taint effect")
        };
        return Err(Error::new(what).help("write KEY=VALUE:EFFECT with NoSchedule, PreferNoSchedule or NoExecute"));
    }
    Ok(TaintChange { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned(), remove })
}

fn nodes(parsed: &Parsed, verb: &str) -> Result<Vec<String>> {
    if parsed.args.is_empty() && parsed.value("selector").is_none() {
        return Err(Error::new(format!("USAGE: {verb} NODE [flags]"))
            .help(format!("see 'kubectl {verb} -h' for help and examples")));
    }
    let bare = |name: &String| name.strip_prefix("node/").or(name.strip_prefix("nodes/")).unwrap_or(name).to_owned();
    Ok(parsed.args.iter().map(bare).collect())
}

fn drain(parsed: &Parsed) -> Result<Drain> {
    Ok(Drain {
        nodes: nodes(parsed, "drain")?,
        selector: parsed.text("selector"),
        pod_selector: parsed.text("pod-selector"),
        force: parsed.switch("force", false)?,
        ignore_daemonsets: parsed.switch("ignore-daemonsets", false)?,
        delete_emptydir_data: parsed.switch("delete-emptydir-data", false)?,
        disable_eviction: parsed.switch("disable-eviction", false)?,
        grace_period_seconds: parsed.number("grace-period")?.filter(|&seconds| seconds >= 0),
        timeout_seconds: parsed.seconds("timeout")?.unwrap_or_default(),
        skip_wait_for_delete_timeout_seconds: parsed.number("skip-wait-for-delete-timeout")?.unwrap_or_default(),
        dry_run: parsed.dry_run()?,
    })
}

fn delete(parsed: &Parsed) -> Result<Delete> {
    let cascade = match parsed.value("cascade") {
        None | Some("background" | "true") => Cascade::Background,
        Some("foreground") => Cascade::Foreground,
        Some("orphan" | "false") => Cascade::Orphan,
        Some(other) => {
            return Err(Error::new(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    };
    let force = parsed.switch("force", false)?;
    let grace = parsed.number("grace-period")?.filter(|&seconds| seconds >= 0);
    let grace = match (parsed.switch("now", false)?, grace, force) {
        (true, Some(_), _) => return Err(Error::new("--now and --grace-period cannot be specified together")),
        (true, None, _) => Some(1),
        (false, None, true) => Some(0),
        // A grace period of 0 needs --force; without it kubectl uses 1 and waits.
        (false, Some(0), false) => Some(1),
        (false, grace, _) => grace,
    };
    Ok(Delete {
        selection: selection(parsed, 0)?,
        cascade,
        grace_period_seconds: grace,
        force,
        wait: parsed.switch("wait", true)?,
        timeout_seconds: parsed.seconds("timeout")?.unwrap_or_default(),
        ignore_not_found: parsed.switch("ignore-not-found", false)?,
        output: parsed.text("output"),
        dry_run: parsed.dry_run()?,
    })
}

fn apply(parsed: &Parsed) -> Result<Apply> {
    let selection = selection(parsed, 0)?;
    if selection.filenames.is_empty() {
        return Err(Error::new("must specify one of -f and -k"));
    }
    Ok(Apply {
        selection,
        server_side: parsed.switch("server-side", false)?,
        force_conflicts: parsed.switch("force-conflicts", false)?,
        field_manager: parsed.text("field-manager"),
        prune: parsed.switch("prune", false)?,
        force: parsed.switch("force", false)?,
        dry_run: parsed.dry_run()?,
    })
}

/// Commands that make objects tell what they did; the objects themselves are seen with `get`.
fn no_output(parsed: Parsed) -> Result<Parsed> {
    match parsed.value("output") {
        None | Some("") => Ok(parsed),
        Some(output) => Err(Error::new(format!("`-o {output}` is not supported by commands that make objects"))
            .help("look at the object with `get` at a later instant")),
    }
}

fn generate(verb: &str, parsed: Parsed) -> Result<Generate> {
    let parsed = no_output(parsed)?;
    let mut args = parsed.args.iter().cloned();
    let mut kind = Vec::new();
    if verb == "run" {
        kind.push("run".to_owned());
    } else {
        kind.extend(args.next());
        if matches!(kind.first().map(String::as_str), Some("service" | "svc" | "secret")) {
            kind.extend(args.next());
        }
    }
    let Some(name) = args.next() else {
        return Err(
            Error::new("exactly one NAME is required, got 0").help("write e.g. `create deployment web --image=web:1`")
        );
    };
    let rest: Vec<String> = args.collect();
    Ok(Generate {
        kind,
        name,
        args: rest,
        command: parsed.rest.clone(),
        scope: scope(&parsed)?,
        dry_run: parsed.dry_run()?,
        flags: parsed.flags,
    })
}

fn patch(parsed: &Parsed) -> Result<Patch> {
    let patch_type = match parsed.value("type") {
        None | Some("strategic") => PatchType::Strategic,
        Some("merge") => PatchType::Merge,
        Some("json") => PatchType::Json,
        Some(other) => {
            return Err(Error::new(format!("--type must be one of [json merge strategic], not \"{other}\"")));
        }
    };
    let (patch, patch_file) = (parsed.text("patch"), parsed.text("patch-file"));
    if patch.is_none() && patch_file.is_none() {
        return Err(Error::new("must specify --patch or --patch-file containing the contents of the patch"));
    }
    Ok(Patch {
        selection: selection(parsed, 0)?,
        patch,
        patch_file,
        patch_type,
        subresource: parsed.text("subresource"),
        dry_run: parsed.dry_run()?,
    })
}

fn autoscale(parsed: &Parsed) -> Result<Autoscale> {
    let max = parsed.number("max")?.unwrap_or(-1);
    if max < 1 {
        return Err(Error::new(format!("--max=MAXPODS is required and must be at least 1, max: {max}")));
    }
    let percent = |text: &str| if text.ends_with('%') { text.to_owned() } else { format!("{text}%") };
    Ok(Autoscale {
        selection: selection(parsed, 0)?,
        name: parsed.text("name"),
        min: parsed.number("min")?.filter(|&min| min >= 0),
        max,
        cpu: parsed.value("cpu-percent").map(percent).or_else(|| parsed.text("cpu")),
        memory: parsed.text("memory"),
        dry_run: parsed.dry_run()?,
    })
}

fn wait(parsed: &Parsed) -> Result<Wait> {
    let Some(until) = parsed.text("for") else {
        return Err(Error::new("--for is required").help("write e.g. --for=condition=Ready"));
    };
    Ok(Wait {
        selection: selection(parsed, 0)?,
        until,
        timeout_seconds: parsed.seconds("timeout")?.unwrap_or_else(|| go_duration("30s").unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_typed() {
        let Command::Get(get) =
            parse("kubectl -n web get pods,svc -l app=x -owide --sort-by=.metadata.name -A").unwrap()
        else {
            panic!("not a get")
        };
        assert_eq!(get.selection.args, ["pods,svc"]);
        assert_eq!(get.selection.scope, Scope { namespace: Some("web".into()), all_namespaces: true });
        assert_eq!(get.output.as_deref(), Some("wide"));

        let Command::Taint(taint) = parse("taint node n1 a=b:NoSchedule c- d:NoExecute-").unwrap() else {
            panic!("not a taint")
        };
        assert_eq!(taint.selection.args, ["node", "n1"]);
        assert_eq!(taint.changes.len(), 3);
        assert!(taint.changes[1].remove && taint.changes[1].effect.is_empty());

        let Command::Delete(delete) = parse("delete pod x --grace-period=0 --force --wait=false").unwrap() else {
            panic!("not a delete")
        };
        assert_eq!((delete.grace_period_seconds, delete.wait), (Some(0), false));

        let Command::Mark(mark) = parse("label pod p app=x tier- --overwrite").unwrap() else { panic!("not a label") };
        assert_eq!(mark.changes, [("app".into(), Some("x".into())), ("tier".into(), None)]);

        let Command::Generate(create) =
            parse("create deployment web --image=nginx --replicas 3 -- sh -c 'sleep 1'").unwrap()
        else {
            panic!("not a create")
        };
        assert_eq!((create.name.as_str(), create.command.len()), ("web", 3));
        assert_eq!(create.flags["replicas"], ["3"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, what) in [
            ("gett pods", "unknown command \"gett\""),
            ("get pods --namespce x", "unknown flag: --namespce"),
            ("scale deploy/web", "--replicas=COUNT"),
            ("taint node n a=b:Never", "invalid taint effect"),
            ("rollout undoo deploy/x", "unknown rollout action"),
            ("patch pod/x", "must specify --patch"),
            ("", "is empty"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.what.contains(what), "{line}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_command_line_panics(verb in 0..VERBS.len(), rest in "[a-z/=:,'\" \\-]{0,40}") {
            let _ = parse(&format!("{} {rest}", VERBS[verb]));
        }
    }
}
