//! The flags of each verb, and how they are read from words.

use std::collections::BTreeMap;

use super::types::DryRun;
use crate::error::{Error, Result, nearest};

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Takes {
    /// Nothing, or `=true` or `=false`.
    Bool,
    /// A value.
    Value,
    /// A value after `=`, else this.
    Optional(&'static str),
}

/// A flag: long name, short name or `-`, what it takes.
pub(super) type Flag = (&'static str, char, Takes);

use Takes::{Bool, Optional, Value};

/// The flags of every verb.
static GLOBAL: &[Flag] = &[
    ("namespace", 'n', Value),
    ("context", '-', Value),
    ("cluster", '-', Value),
    ("user", '-', Value),
    ("kubeconfig", '-', Value),
    ("server", 's', Value),
    ("token", '-', Value),
    ("as", '-', Value),
    ("as-group", '-', Value),
    ("request-timeout", '-', Value),
    ("v", 'v', Value),
    ("warnings-as-errors", '-', Bool),
    ("help", 'h', Bool),
];

/// Flags of verbs that pick objects.
static SELECTING: &[Flag] = &[
    ("filename", 'f', Value),
    ("recursive", 'R', Bool),
    ("kustomize", 'k', Value),
    ("selector", 'l', Value),
    ("field-selector", '-', Value),
    ("all", '-', Bool),
    ("all-namespaces", 'A', Bool),
    ("chunk-size", '-', Value),
    ("output", 'o', Value),
    ("template", '-', Value),
    ("show-managed-fields", '-', Bool),
    ("allow-missing-template-keys", '-', Bool),
];

/// Flags of verbs that change objects.
static CHANGING: &[Flag] = &[
    ("dry-run", '-', Optional("unchanged")),
    ("field-manager", '-', Value),
    ("record", '-', Bool),
    ("local", '-', Bool),
    ("save-config", '-', Bool),
    ("validate", '-', Optional("strict")),
    ("edit", '-', Bool),
];

fn own(verb: &str) -> &'static [Flag] {
    match verb {
        "get" => &[
            ("sort-by", '-', Value),
            ("show-labels", '-', Bool),
            ("label-columns", 'L', Value),
            ("no-headers", '-', Bool),
            ("show-kind", '-', Bool),
            ("ignore-not-found", '-', Bool),
            ("watch", 'w', Bool),
            ("watch-only", '-', Bool),
            ("output-watch-events", '-', Bool),
            ("server-print", '-', Bool),
            ("subresource", '-', Value),
            ("raw", '-', Value),
        ],
        "describe" => &[("show-events", '-', Bool)],
        "events" => &[("for", '-', Value), ("types", '-', Value), ("watch", 'w', Bool), ("no-headers", '-', Bool)],
        "top" => &[
            ("containers", '-', Bool),
            ("sort-by", '-', Value),
            ("no-headers", '-', Bool),
            ("sum", '-', Bool),
            ("show-capacity", '-', Bool),
            ("show-swap", '-', Bool),
            ("use-protocol-buffers", '-', Bool),
        ],
        "rollout" => {
            &[("watch", 'w', Bool), ("revision", '-', Value), ("timeout", '-', Value), ("to-revision", '-', Value)]
        }
        "scale" => &[
            ("replicas", '-', Value),
            ("current-replicas", '-', Value),
            ("resource-version", '-', Value),
            ("timeout", '-', Value),
        ],
        "set" => &[
            ("containers", 'c', Value),
            ("limits", '-', Value),
            ("requests", '-', Value),
            ("env", 'e', Value),
            ("from", '-', Value),
            ("prefix", '-', Value),
            ("keys", '-', Value),
            ("list", '-', Bool),
            ("resolve", '-', Bool),
            ("overwrite", '-', Bool),
            ("resource-version", '-', Value),
        ],
        "label" | "annotate" | "taint" => {
            &[("overwrite", '-', Bool), ("resource-version", '-', Value), ("list", '-', Bool)]
        }
        "drain" => &[
            ("force", '-', Bool),
            ("ignore-daemonsets", '-', Bool),
            ("delete-emptydir-data", '-', Bool),
            ("disable-eviction", '-', Bool),
            ("grace-period", '-', Value),
            ("timeout", '-', Value),
            ("pod-selector", '-', Value),
            ("skip-wait-for-delete-timeout", '-', Value),
        ],
        "delete" => &[
            ("cascade", '-', Optional("background")),
            ("grace-period", '-', Value),
            ("force", '-', Bool),
            ("now", '-', Bool),
            ("wait", '-', Bool),
            ("timeout", '-', Value),
            ("ignore-not-found", '-', Bool),
            ("interactive", 'i', Bool),
            ("raw", '-', Value),
        ],
        "apply" => &[
            ("server-side", '-', Bool),
            ("force-conflicts", '-', Bool),
            ("prune", '-', Bool),
            ("prune-allowlist", '-', Value),
            ("applyset", '-', Value),
            ("force", '-', Bool),
            ("overwrite", '-', Bool),
            ("openapi-patch", '-', Bool),
            ("wait", '-', Bool),
            ("timeout", '-', Value),
            ("grace-period", '-', Value),
            ("cascade", '-', Optional("background")),
            ("subresource", '-', Value),
        ],
        "patch" => {
            &[("patch", 'p', Value), ("patch-file", '-', Value), ("type", '-', Value), ("subresource", '-', Value)]
        }
        "autoscale" => &[
            ("name", '-', Value),
            ("min", '-', Value),
            ("max", '-', Value),
            ("cpu-percent", '-', Value),
            ("cpu", '-', Value),
            ("memory", '-', Value),
        ],
        "wait" => &[("for", '-', Value), ("timeout", '-', Value), ("local", '-', Bool)],
        "expose" | "create" | "run" | "replace" => GENERATORS,
        _ => &[],
    }
}

/// The flags of the verbs that make an object of flags.
static GENERATORS: &[Flag] = &[
    ("image", '-', Value),
    ("image-pull-policy", '-', Value),
    ("replicas", 'r', Value),
    ("port", '-', Value),
    ("target-port", '-', Value),
    ("protocol", '-', Value),
    ("type", '-', Value),
    ("name", '-', Value),
    ("cluster-ip", '-', Value),
    ("clusterip", '-', Value),
    ("external-ip", '-', Value),
    ("external-name", '-', Value),
    ("load-balancer-ip", '-', Value),
    ("session-affinity", '-', Value),
    ("tcp", '-', Value),
    ("node-port", '-', Value),
    ("schedule", '-', Value),
    ("restart", '-', Value),
    ("from", '-', Value),
    ("from-literal", '-', Value),
    ("from-file", '-', Value),
    ("from-env-file", '-', Value),
    ("append-hash", '-', Bool),
    ("min-available", '-', Value),
    ("max-unavailable", '-', Value),
    ("hard", '-', Value),
    ("scopes", '-', Value),
    ("value", '-', Value),
    ("global-default", '-', Bool),
    ("description", '-', Value),
    ("preemption-policy", '-', Value),
    ("class", '-', Value),
    ("rule", '-', Value),
    ("default-backend", '-', Value),
    ("annotation", '-', Value),
    ("annotations", '-', Value),
    ("labels", 'l', Value),
    ("hostport", '-', Value),
    ("port-name", '-', Value),
    ("non-resource-url", '-', Value),
    ("aggregation-rule", '-', Value),
    ("env", '-', Value),
    ("command", '-', Bool),
    ("rm", '-', Bool),
    ("stdin", 'i', Bool),
    ("tty", 't', Bool),
    ("attach", '-', Bool),
    ("expose", '-', Bool),
    ("overrides", '-', Value),
    ("override-type", '-', Value),
    ("privileged", '-', Bool),
    ("quiet", 'q', Bool),
    ("verb", '-', Value),
    ("resource", '-', Value),
    ("resource-name", '-', Value),
    ("role", '-', Value),
    ("clusterrole", '-', Value),
    ("serviceaccount", '-', Value),
    ("user", '-', Value),
    ("group", '-', Value),
    ("duration", '-', Value),
    ("cert", '-', Value),
    ("key", '-', Value),
    ("docker-server", '-', Value),
    ("docker-username", '-', Value),
    ("docker-password", '-', Value),
    ("docker-email", '-', Value),
    ("force", '-', Bool),
    ("grace-period", '-', Value),
    ("wait", '-', Bool),
    ("timeout", '-', Value),
    ("cascade", '-', Optional("background")),
    ("raw", '-', Value),
    ("subresource", '-', Value),
];

/// The flags and arguments of a command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed {
    pub(super) args: Vec<String>,
    /// What follows `--`.
    pub(super) rest: Vec<String>,
    pub(super) flags: BTreeMap<String, Vec<String>>,
}

/// Reads the flags of `verb` among words.
pub(super) fn read(verb: &str, words: &[String]) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            parsed.rest = words.cloned().collect();
            break;
        }
        let mut next = || words.next().cloned();
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let flag = known(verb).find(|flag| flag.0 == name).ok_or_else(|| unknown_long(verb, name))?;
            let value = match (value, flag.2) {
                (Some(value), _) => value.to_owned(),
                (None, Bool) => "true".to_owned(),
                (None, Optional(default)) => default.to_owned(),
                (None, Value) => next().ok_or_else(|| usage(verb, format!("flag needs an argument: --{name}")))?,
            };
            parsed.flags.entry(name.to_owned()).or_default().push(value);
        } else if word.len() > 1 && word.starts_with('-') && !word[1..].starts_with(|c: char| c.is_ascii_digit()) {
            shorthands(verb, word, &mut parsed, &mut next)?;
        } else {
            parsed.args.push(word.clone());
        }
    }
    Ok(parsed)
}

fn known(verb: &str) -> impl Iterator<Item = &'static Flag> {
    own(verb).iter().chain(SELECTING).chain(CHANGING).chain(GLOBAL)
}

fn shorthands(verb: &str, word: &str, parsed: &mut Parsed, next: &mut dyn FnMut() -> Option<String>) -> Result<()> {
    let mut rest = &word[1..];
    while let Some(short) = rest.chars().next() {
        rest = &rest[short.len_utf8()..];
        let flag = known(verb)
            .find(|flag| flag.1 == short && flag.1 != '-')
            .ok_or_else(|| usage(verb, format!("unknown shorthand flag: '{short}' in {word}")))?;
        if flag.2 == Bool && !rest.starts_with('=') {
            parsed.flags.entry(flag.0.to_owned()).or_default().push("true".to_owned());
            continue;
        }
        let value = match rest.strip_prefix('=').unwrap_or(rest) {
            "" => next().ok_or_else(|| usage(verb, format!("flag needs an argument: '{short}' in {word}")))?,
            value => value.to_owned(),
        };
        parsed.flags.entry(flag.0.to_owned()).or_default().push(value);
        return Ok(());
    }
    Ok(())
}

fn unknown_long(verb: &str, name: &str) -> Error {
    let error = usage(verb, format!("unknown flag: --{name}"));
    match nearest(name, known(verb).map(|flag| flag.0)) {
        Some(near) => error.help(format!("did you mean `--{near}`?")),
        None => error,
    }
}

fn usage(verb: &str, what: String) -> Error {
    Error::new(what).help(format!("see `kubectl {verb} --help`"))
}

impl Parsed {
    /// The last value of a flag.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.flags.get(name).and_then(|values| values.last()).map(String::as_str)
    }

    /// An owned copy of the last value of a flag.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(str::to_owned)
    }

    /// All values of a flag, split at commas.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let values = self.flags.get(name).into_iter().flatten();
        values.flat_map(|value| value.split(',')).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    /// A boolean flag with its default.
    pub(super) fn switch(&self, name: &str, default: bool) -> Result<bool> {
        match self.value(name) {
            None => Ok(default),
            Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
            Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
            Some(other) => Err(invalid(name, other, "strconv.ParseBool: parsing", "use true or false")),
        }
    }

    /// An integer flag.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>> {
        let parse =
            |text: &str| text.parse().map_err(|_| invalid(name, text, "strconv.ParseInt: parsing", "use an integer"));
        self.value(name).map(parse).transpose()
    }

    /// A duration flag in seconds: `30s`, `1m30s`, or a number of seconds.
    pub(super) fn seconds(&self, name: &str) -> Result<Option<f64>> {
        let parse = |text: &str| {
            go_duration(text).ok_or_else(|| invalid(name, text, "time: invalid duration", "write e.g. 90s or 1m30s"))
        };
        self.value(name).map(parse).transpose()
    }

    /// `--dry-run`
    pub(super) fn dry_run(&self) -> Result<DryRun> {
        match self.value("dry-run") {
            None | Some("none" | "false") => Ok(DryRun::None),
            Some("client" | "unchanged" | "true") => Ok(DryRun::Client),
            Some("server") => Ok(DryRun::Server),
            Some(other) => Err(Error::new(format!(
                "Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\"."
            ))),
        }
    }
}

fn invalid(name: &str, value: &str, why: &str, help: &str) -> Error {
    Error::new(format!("invalid argument \"{value}\" for \"--{name}\" flag: {why} \"{value}\": invalid syntax"))
        .help(help)
}

/// A Go duration in seconds; a bare number is seconds.
pub(super) fn go_duration(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let (negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit_end = rest[end..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |i| end + i);
        total += number
            * match &rest[end..unit_end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    Some(if negative { -total } else { total })
}
