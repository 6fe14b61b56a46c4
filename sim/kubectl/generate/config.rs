//! ConfigMaps, Secrets, Namespaces, ServiceAccounts, quotas, disruption budgets and priority classes.

use serde_json::{Map, Value, json};

use super::Generated;
use super::flags::{Flags, int_or_text};
use crate::api::quantity::Quantity;
use crate::api::selector::{Operator, Selector};
use crate::api::{base64, names};

/// `kubectl create configmap NAME --from-literal=KEY=VALUE...`
pub(super) fn config_map(flags: &Flags<'_>) -> Result<Generated, String> {
    const FAILURE: &str = "failed to create configmap: ";
    let data = literals(flags, "ConfigMap")?;
    let mut object = flags.object("v1", "ConfigMap", json!({}));
    if !data.is_empty() {
        object["data"] = data.into_iter().map(|(key, value)| (key, json!(value))).collect::<Map<_, _>>().into();
    }
    Ok(Generated::new(object, FAILURE))
}

/// The pairs of `--from-literal`, each key once and such as a volume can have.
fn literals(flags: &Flags<'_>, kind: &str) -> Result<Vec<(String, String)>, String> {
    flags.refuses(&["from-file", "from-env-file", "append-hash"])?;
    let mut data: Vec<(String, String)> = Vec::new();
    let literals = flags.each("from-literal").map(|literal| (literal, true));
    // The contents of files, as who reads files for this command gives them, are kept as they are.
    let contents = flags.each("from-content").map(|literal| (literal, false));
    for (literal, is_quoted) in literals.chain(contents) {
        let (key, value) = literal
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| format!("invalid literal source {literal}, expected key=value"))?;
        let errors = names::config_key(key);
        if !errors.is_empty() {
            return Err(format!("{key:?} is not a valid key name for a {kind}: {}", errors.join(",")));
        }
        if data.iter().any(|(known, _)| known == key) {
            let name = flags.name();
            return Err(format!(
                "cannot add key {key}, another key by that name already exists in Data for {kind} {name:?}"
            ));
        }
        let value = if is_quoted { value.trim_matches(['"', '\'']) } else { value };
        data.push((key.to_owned(), value.to_owned()));
    }
    Ok(data)
}

/// `kubectl create secret generic|docker-registry|tls NAME`
pub(super) fn secret(flags: &Flags<'_>, kind: &str) -> Result<Generated, String> {
    const FAILURE: &str = "failed to create secret ";
    let mut object = flags.object("v1", "Secret", json!({}));
    match kind {
        "generic" => {
            let data = literals(flags, "Secret")?;
            if !data.is_empty() {
                let data = data.into_iter().map(|(key, value)| (key, json!(base64::encode(value.as_bytes()))));
                object["data"] = data.collect::<Map<_, _>>().into();
            }
            if flags.has("type") {
                object["type"] = json!(flags.text("type"));
            }
        }
        "docker-registry" => {
            flags.refuses(&["from-file", "append-hash"])?;
            object["type"] = json!("kubernetes.io/dockerconfigjson");
            object["data"] = json!({ ".dockerconfigjson": base64::encode(docker_config(flags)?.as_bytes()) });
        }
        "tls" => return Err("`kubectl create secret tls` is not supported: write the Secret as a manifest".to_owned()),
        other => {
            return Err(format!(
                "unknown command {other:?} for \"kubectl create secret\": write docker-registry, generic or tls"
            ));
        }
    }
    Ok(Generated::new(object, FAILURE))
}

fn docker_config(flags: &Flags<'_>) -> Result<String, String> {
    let (user, password) = (flags.text("docker-username"), flags.text("docker-password"));
    let server = if flags.has("docker-server") { flags.text("docker-server") } else { "https://index.docker.io/v1/" };
    if user.is_empty() || password.is_empty() || server.is_empty() {
        return Err("either --from-file or the combination of --docker-username, --docker-password and --docker-server is required".to_owned());
    }
    let mut entry = Map::new();
    entry.insert("username".to_owned(), json!(user));
    entry.insert("password".to_owned(), json!(password));
    if !flags.text("docker-email").is_empty() {
        entry.insert("email".to_owned(), json!(flags.text("docker-email")));
    }
    entry.insert("auth".to_owned(), json!(base64::encode(format!("{user}:{password}").as_bytes())));
    Ok(json!({ "auths": { server: entry } }).to_string())
}

/// `kubectl create namespace NAME`
pub(super) fn namespace(flags: &Flags<'_>) -> Result<Generated, String> {
    Ok(Generated::new(flags.object("v1", "Namespace", json!({})), ""))
}

/// `kubectl create serviceaccount NAME`
pub(super) fn service_account(flags: &Flags<'_>) -> Result<Generated, String> {
    Ok(Generated::new(flags.object("v1", "ServiceAccount", json!({})), "failed to create serviceaccount: "))
}

/// `kubectl create quota NAME --hard=RESOURCE=AMOUNT,... [--scopes]`
pub(super) fn quota(flags: &Flags<'_>) -> Result<Generated, String> {
    let mut hard = Map::new();
    for pair in flags.list("hard") {
        let (resource, amount) = pair
            .split_once('=')
            .ok_or_else(|| format!("Invalid argument syntax {pair}, expected <resource>=<value>"))?;
        amount.parse::<Quantity>().map_err(|error| error.to_string())?;
        hard.insert(resource.to_owned(), json!(amount));
    }
    let mut spec = json!({ "hard": hard });
    let scopes = flags.list("scopes");
    if !scopes.is_empty() {
        spec["scopes"] = json!(scopes);
    }
    Ok(Generated::new(flags.object("v1", "ResourceQuota", json!({ "spec": spec })), "failed to create quota: "))
}

/// `kubectl create poddisruptionbudget NAME --selector=SELECTOR --min-available=N|--max-unavailable=N`
pub(super) fn disruption_budget(flags: &Flags<'_>) -> Result<Generated, String> {
    let (least, most) = (flags.text("min-available"), flags.text("max-unavailable"));
    if flags.text("selector").is_empty() {
        return Err("a selector must be specified".to_owned());
    }
    if least.is_empty() && most.is_empty() {
        return Err("one of min-available or max-unavailable must be specified".to_owned());
    }
    if !least.is_empty() && !most.is_empty() {
        return Err("min-available and max-unavailable cannot be both specified".to_owned());
    }
    let (field, name, given) = match least {
        "" => ("maxUnavailable", "max-unavailable", most),
        least => ("minAvailable", "min-available", least),
    };
    let digits = given.strip_suffix('%').unwrap_or(given);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("invalid format specified for {name}"));
    }
    let spec = json!({ "selector": label_selector(flags.text("selector"))?, field: int_or_text(given) });
    let object = flags.object("policy/v1", "PodDisruptionBudget", json!({ "spec": spec }));
    Ok(Generated::new(object, "failed to create poddisruptionbudgets: "))
}

/// A selector of the command line as the API writes it (apimachinery, `ParseToLabelSelector`).
fn label_selector(text: &str) -> Result<Value, String> {
    let selector: Selector =
        text.parse().map_err(|error| format!("couldn't parse the selector string {text:?}: {error}"))?;
    let (mut labels, mut expressions) = (Map::new(), Vec::new());
    for requirement in selector.requirements() {
        let values: Vec<&str> = requirement.values().collect();
        let operator = match requirement.operator() {
            Operator::Equals | Operator::DoubleEquals => {
                labels.insert(requirement.key().to_owned(), json!(values.first().copied().unwrap_or_default()));
                continue;
            }
            Operator::In => "In",
            Operator::NotIn | Operator::NotEquals => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
            other => return Err(format!("{other:?} is not a valid label selector operator")),
        };
        let mut expression = json!({ "key": requirement.key(), "operator": operator });
        if !values.is_empty() {
            expression["values"] = json!(values);
        }
        expressions.push(expression);
    }
    let mut selector = Map::new();
    if !labels.is_empty() {
        selector.insert("matchLabels".to_owned(), labels.into());
    }
    if !expressions.is_empty() {
        selector.insert("matchExpressions".to_owned(), expressions.into());
    }
    Ok(selector.into())
}

/// `kubectl create priorityclass NAME --value=N [--global-default] [--description] [--preemption-policy]`
pub(super) fn priority_class(flags: &Flags<'_>) -> Result<Generated, String> {
    let policy = if flags.has("preemption-policy") { flags.text("preemption-policy") } else { "PreemptLowerPriority" };
    let mut rest = json!({ "value": flags.number("value")?.unwrap_or(0), "preemptionPolicy": policy });
    if flags.switch("global-default") {
        rest["globalDefault"] = json!(true);
    }
    if !flags.text("description").is_empty() {
        rest["description"] = json!(flags.text("description"));
    }
    let object = flags.object("scheduling.k8s.io/v1", "PriorityClass", rest);
    Ok(Generated::new(object, "failed to create priorityclass: "))
}
