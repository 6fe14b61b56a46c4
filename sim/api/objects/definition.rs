//! CustomResourceDefinition: its names, versions, conversion, subresources and printer columns.
//!
//! Source: apiextensions-apiserver `pkg/apis/apiextensions/validation` and `v1/defaults.go`. Validation there works on the internal version,
//! in which what is equal in all versions stands once at the top: hence `spec.validation` in field paths.

use serde_json::{Value, json};

use super::definition_schema;
use crate::api::causes::{Causes, Path, Raw};
use crate::api::names::{dns1035_label, dns1123_subdomain};
use crate::api::view::{ensure, fill, fill_text, flag, get, get_mut, has, list, put, text};

/// Fills in what was left out of a definition.
pub(super) fn default(object: &mut Value) {
    let spec = ensure(object, "spec");
    let names = ensure(spec, "names");
    let kind = text(names, "kind").to_owned();
    if !kind.is_empty() {
        fill_text(names, "singular", &kind.to_lowercase());
        fill_text(names, "listKind", &format!("{kind}List"));
    }
    fill(spec, "conversion", json!({"strategy": "None"}));
    let webhook = get_mut(ensure(spec, "conversion"), "webhook").and_then(|webhook| get_mut(webhook, "clientConfig"));
    if let Some(service) = webhook.and_then(|config| get_mut(config, "service")) {
        fill(service, "port", 443);
    }
    if list(get(object, "status"), "storedVersions").is_empty() {
        store_version(object);
    }
}

/// What the registry gives a new definition: its storage version is stored.
pub(super) fn prepare(object: &mut Value) {
    store_version(object);
}

fn store_version(object: &mut Value) {
    let versions = list(get(object, "spec"), "versions");
    let stored =
        versions.iter().find(|version| flag(version, "storage")).map(|version| text(version, "name").to_owned());
    if let Some(stored) = stored {
        put(ensure(object, "status"), "storedVersions", json!([stored]));
    }
}

/// What an update keeps: the versions that were ever stored, and the new storage version.
pub(super) fn prepare_update(object: &mut Value, old: &Value) {
    let mut stored = list(get(old, "status"), "storedVersions").to_vec();
    let versions = list(get(object, "spec"), "versions");
    if let Some(storage) = versions.iter().find(|version| flag(version, "storage")) {
        let name = Value::from(text(storage, "name"));
        if !stored.contains(&name) {
            stored.push(name);
        }
    }
    put(ensure(object, "status"), "storedVersions", stored);
}

/// Checks a definition.
pub(super) fn validate(object: &Value, causes: &mut Causes) {
    let spec = get(object, "spec");
    let names = get(spec, "names");
    let (plural, group) = (text(names, "plural"), text(spec, "group"));
    let name = text(get(object, "metadata"), "name");
    if !name.is_empty() && name != format!("{plural}.{group}") {
        let path = Path::ROOT.child("metadata");
        causes.invalid(&path.child("name"), name, "must be spec.names.plural+\".\"+spec.group");
    }
    let path = Path::ROOT.child("spec");
    validate_spec(spec, &path, causes);
    approval(object, group, causes);
    if flag(spec, "preserveUnknownFields") {
        let what =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        causes.invalid(&path.child("preserveUnknownFields"), Raw("true"), what);
    }
}

fn validate_spec(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let group = text(spec, "group");
    let errors = dns1123_subdomain(group);
    let at = path.child("group");
    if group.is_empty() {
        causes.required(&at, "");
    } else if !errors.is_empty() {
        causes.invalid(&at, group, errors.join(","));
    } else if !group.contains('.') {
        causes.invalid(&at, group, "should be a domain with at least one dot");
    }
    match text(spec, "scope") {
        "" => causes.required(&path.child("scope"), ""),
        "Cluster" | "Namespaced" => {}
        other => causes.not_supported(&path.child("scope"), other, &["Cluster", "Namespaced"]),
    }
    let shared = Shared::of(spec);
    schemas_are_there(spec, &shared, path, causes);
    if flag(spec, "preserveUnknownFields") && list(spec, "versions").iter().any(has_defaults) {
        causes.invalid(
            &path.child("preserveUnknownFields"),
            Raw("true"),
            "must be false in order to use defaults in the schema",
        );
    }
    validate_versions(spec, &shared, path, causes);
    let names = get(spec, "names");
    for field in ["plural", "singular", "kind", "listKind"] {
        if text(names, field).is_empty() {
            causes.required(&path.child("names").child(field), "");
        }
    }
    validate_names(names, &path.child("names"), causes);
    if let Some(first) = list(spec, "versions").first() {
        validate_shared(spec, first, &shared, path, causes);
    }
    validate_conversion(spec, &path.child("conversion"), causes);
}

/// What is equal in all versions and therefore stands at the top in the internal version.
struct Shared {
    schema: bool,
    subresources: bool,
    columns: bool,
    selectable: bool,
}

impl Shared {
    fn of(spec: &Value) -> Shared {
        let versions = list(spec, "versions");
        let same = |field: &str| versions.windows(2).all(|pair| get(&pair[0], field) == get(&pair[1], field));
        Shared {
            schema: same("schema"),
            subresources: same("subresources"),
            columns: same("additionalPrinterColumns"),
            selectable: same("selectableFields"),
        }
    }
}

fn schemas_are_there(spec: &Value, shared: &Shared, path: &Path<'_>, causes: &mut Causes) {
    let missing = |version: &Value| !has(get(version, "schema"), "openAPIV3Schema");
    let versions = list(spec, "versions");
    if shared.schema && versions.first().is_some_and(|version| !missing(version)) {
        return;
    }
    for (index, _) in versions.iter().enumerate().filter(|(_, version)| missing(version)) {
        let at = path.child("versions");
        let at = at.index(index);
        causes.required(&at.child("schema").child("openAPIV3Schema"), "schemas are required");
    }
}

fn has_defaults(version: &Value) -> bool {
    fn inside(schema: &Value) -> bool {
        has(schema, "default") || definition_schema::children(schema).any(inside)
    }
    inside(get(get(version, "schema"), "openAPIV3Schema"))
}

fn validate_versions(spec: &Value, shared: &Shared, path: &Path<'_>, causes: &mut Causes) {
    let versions = list(spec, "versions");
    let all = path.child("versions");
    for (index, version) in versions.iter().enumerate() {
        let at = all.index(index);
        let name = text(version, "name");
        let errors = dns1035_label(name);
        if !errors.is_empty() {
            causes.invalid(&at.child("name"), name, errors.join(","));
        }
        deprecation(version, &at, causes);
        if !shared.schema {
            let has_status = has(get(version, "subresources"), "status");
            validate_schema(get(version, "schema"), has_status, &at.child("schema"), causes);
        }
        if !shared.subresources {
            validate_subresources(get(version, "subresources"), &at.child("subresources"), causes);
        }
        if !shared.columns {
            validate_columns(version, &at, causes);
        }
        if !shared.selectable {
            selectable_fields(version, &at, causes);
        }
    }
    let names: Vec<&str> = versions.iter().map(|version| text(version, "name")).collect();
    let shown = internal_versions(versions, shared);
    if names.iter().enumerate().any(|(at, name)| names[..at].contains(name)) {
        causes.invalid(&all, Raw(&shown), "must contain unique version names");
    }
    if versions.iter().filter(|version| flag(version, "storage")).count() != 1 {
        causes.invalid(&all, Raw(&shown), "must have exactly one version marked as storage version");
    }
    if let Some(first) = names.first() {
        let errors = dns1035_label(first);
        if !errors.is_empty() && !first.is_empty() {
            causes.invalid(&path.child("version"), *first, errors.join(","));
        }
    }
}

/// The versions as the internal type is printed.
fn internal_versions(versions: &[Value], shared: &Shared) -> String {
    let or_null = |value: &Value, moved: bool| if moved { "null".to_owned() } else { value.to_string() };
    let shown = versions.iter().map(|version| {
        format!(
            "{{\"Name\":{},\"Served\":{},\"Storage\":{},\"Deprecated\":{},\"DeprecationWarning\":{},\"Schema\":{},\"Subresources\":{},\
             \"AdditionalPrinterColumns\":{},\"SelectableFields\":{}}}",
            get(version, "name"),
            flag(version, "served"),
            flag(version, "storage"),
            flag(version, "deprecated"),
            get(version, "deprecationWarning"),
            or_null(get(version, "schema"), shared.schema),
            or_null(get(version, "subresources"), shared.subresources),
            or_null(get(version, "additionalPrinterColumns"), shared.columns),
            get(version, "selectableFields"),
        )
    });
    match versions {
        [] => "null".to_owned(),
        _ => format!("[{}]", shown.collect::<Vec<_>>().join(",")),
    }
}

fn deprecation(version: &Value, path: &Path<'_>, causes: &mut Causes) {
    let Some(warning) = get(version, "deprecationWarning").as_str() else { return };
    let mut errors = Vec::new();
    if !flag(version, "deprecated") {
        errors.push("can only be set for deprecated versions".to_owned());
    } else {
        if warning.len() > 256 {
            errors.push("must be <= 256 characters long".to_owned());
        }
        if warning.is_empty() {
            errors.push("must not be an empty string".to_owned());
        }
        if let Some((index, _)) = warning.char_indices().find(|(_, c)| c.is_control()) {
            let what = "must only contain printable UTF-8 characters; non-printable character found at index";
            errors.push(format!("{what} {index}"));
        }
    }
    causes.invalid_for(&path.child("deprecationWarning"), warning, errors);
}

/// Checks what all versions share.
fn validate_shared(spec: &Value, first: &Value, shared: &Shared, path: &Path<'_>, causes: &mut Causes) {
    if shared.schema {
        let versions = list(spec, "versions");
        let has_status = versions.iter().any(|version| has(get(version, "subresources"), "status"));
        validate_schema(get(first, "schema"), has_status, &path.child("validation"), causes);
    }
    if shared.subresources {
        validate_subresources(get(first, "subresources"), &path.child("subresources"), causes);
    }
    if shared.columns {
        validate_columns(first, path, causes);
    }
    if shared.selectable {
        selectable_fields(first, path, causes);
    }
}

fn validate_schema(validation: &Value, has_status: bool, path: &Path<'_>, causes: &mut Causes) {
    let schema = get(validation, "openAPIV3Schema");
    if schema.is_object() {
        definition_schema::validate(schema, has_status, path, causes);
    }
}

fn validate_names(names: &Value, path: &Path<'_>, causes: &mut Causes) {
    for field in ["plural", "singular", "kind", "listKind"] {
        let name = text(names, field);
        let is_kind = field == "kind" || field == "listKind";
        let errors = if is_kind { dns1035_label(&name.to_lowercase()) } else { dns1035_label(name) };
        if name.is_empty() || errors.is_empty() {
            continue;
        }
        let cased = if is_kind { "may have mixed case, but should otherwise match: " } else { "" };
        causes.invalid(&path.child(field), name, format!("{cased}{}", errors.join(",")));
    }
    let label_list = |field: &str, causes: &mut Causes| {
        let at = path.child(field);
        for (index, name) in list(names, field).iter().enumerate() {
            let name = name.as_str().unwrap_or("");
            let errors = dns1035_label(name);
            if !errors.is_empty() {
                causes.invalid(&at.index(index), name, errors.join(","));
            }
        }
    };
    label_list("shortNames", causes);
    let kind = text(names, "kind");
    if !kind.is_empty() && kind == text(names, "listKind") {
        causes.invalid(&path.child("listKind"), kind, "kind and listKind may not be the same");
    }
    label_list("categories", causes);
}

fn validate_subresources(subresources: &Value, path: &Path<'_>, causes: &mut Causes) {
    let scale = get(subresources, "scale");
    if scale.is_null() {
        return;
    }
    let rows = [
        ("specReplicasPath", &[".spec."][..], "should be a json path under .spec", true),
        ("statusReplicasPath", &[".status."][..], "should be a json path under .status", true),
        (
            "labelSelectorPath",
            &[".spec.", ".status."][..],
            "should be a json path under either .spec or .status",
            false,
        ),
    ];
    for (field, roots, what, is_required) in rows {
        let (value, name) = (text(scale, field), format!("scale.{field}"));
        let at = path.child(&name);
        if value.is_empty() {
            if is_required {
                causes.required(&at, "");
            }
        } else if !value.starts_with('.') {
            causes.invalid(&at, value, "must be a simple json path starting with .");
        } else if !roots.iter().any(|root| value.starts_with(root)) {
            causes.invalid(&at, value, what);
        }
    }
}

fn validate_columns(version: &Value, path: &Path<'_>, causes: &mut Causes) {
    const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
    const FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
    let all = path.child("additionalPrinterColumns");
    for (index, column) in list(version, "additionalPrinterColumns").iter().enumerate() {
        let at = all.index(index);
        if text(column, "name").is_empty() {
            causes.required(&at.child("name"), "");
        }
        let (kind, format, json_path) = (text(column, "type"), text(column, "format"), text(column, "jsonPath"));
        let one_of = |known: &[&str]| format!("must be one of {}", known.join(","));
        if kind.is_empty() {
            causes.required(&at.child("type"), &one_of(&TYPES));
        } else if !TYPES.contains(&kind) {
            causes.invalid(&at.child("type"), kind, one_of(&TYPES));
        }
        if !format.is_empty() && !FORMATS.contains(&format) {
            causes.invalid(&at.child("format"), format, one_of(&FORMATS));
        }
        if json_path.is_empty() {
            causes.required(&at.child("JSONPath"), "");
        } else if !json_path.starts_with('.') {
            causes.invalid(&at.child("JSONPath"), json_path, "must be a simple json path starting with .");
        }
    }
}

fn selectable_fields(version: &Value, path: &Path<'_>, causes: &mut Causes) {
    const MOST: usize = 8;
    let fields = list(version, "selectableFields");
    let all = path.child("selectableFields");
    let schema = get(get(version, "schema"), "openAPIV3Schema");
    if fields.is_empty() {
        return;
    }
    if schema.is_null() {
        let what = "selectableFields may only be set when version.schema.openAPIV3Schema is not included";
        causes.invalid(&all, "", what);
        return;
    }
    let mut seen: Vec<&str> = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let at = all.index(index);
        let (at, json_path) = (at.child("jsonPath"), text(field, "jsonPath"));
        if json_path.is_empty() {
            causes.required(&at, "");
            continue;
        }
        let names: Vec<&str> = json_path.trim_start_matches('.').split('.').collect();
        let found = names.iter().try_fold(schema, |schema, name| get(schema, "properties").get(*name));
        let Some(found) = found else {
            causes.invalid(&at, json_path, "is an invalid path: does not refer to a valid field");
            continue;
        };
        if names.first() == Some(&"metadata") {
            causes.invalid(&at, json_path, "must not point to fields in metadata");
        }
        if !["string", "boolean", "integer"].contains(&text(found, "type")) {
            let what = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are \
                        allowed.";
            causes.invalid(&at, json_path, what);
        }
        if seen.contains(&json_path) {
            causes.duplicate(&at, json_path);
        } else {
            seen.push(json_path);
        }
    }
    if seen.len() > MOST {
        causes.too_many(&all, seen.len(), MOST);
    }
}

fn validate_conversion(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let conversion = get(spec, "conversion");
    let strategy = text(conversion, "strategy");
    if flag(spec, "preserveUnknownFields") && strategy != "None" {
        causes.invalid(&path.child("strategy"), strategy, "must be None if spec.preserveUnknownFields is true");
    }
    match strategy {
        "" => causes.required(&path.child("strategy"), ""),
        "None" | "Webhook" => {}
        other => causes.not_supported(&path.child("strategy"), other, &["None", "Webhook"]),
    }
    let webhook = get(conversion, "webhook");
    let (config, versions) = (get(webhook, "clientConfig"), list(webhook, "conversionReviewVersions"));
    let (config_path, versions_path) = (path.child("webhookClientConfig"), path.child("conversionReviewVersions"));
    if strategy != "Webhook" {
        let what = "should not be set when strategy is not set to Webhook";
        if !config.is_null() {
            causes.forbidden(&config_path, what);
        }
        if !versions.is_empty() {
            causes.forbidden(&versions_path, what);
        }
        return;
    }
    if config.is_null() {
        causes.required(&config_path, "required when strategy is set to Webhook");
    } else if has(config, "url") == has(config, "service") {
        causes.required(&config_path, "exactly one of url or service is required");
    } else if has(config, "service") {
        webhook_service(get(config, "service"), &config_path.child("service"), causes);
    } else {
        webhook_url(text(config, "url"), &config_path.child("url"), causes);
    }
    review_versions(versions, &versions_path, causes);
}

fn webhook_service(service: &Value, path: &Path<'_>, causes: &mut Causes) {
    for field in ["name", "namespace"] {
        if text(service, field).is_empty() {
            causes.required(&path.child(field), &format!("service {field} is required"));
        }
    }
    let port = get(service, "port").as_i64().unwrap_or(443);
    let errors = crate::api::names::port_number(port);
    if !errors.is_empty() {
        causes.invalid(&path.child("port"), port, format!("port is not valid: {}", errors.join(",")));
    }
    if let Some(url_path) = get(service, "path").as_str()
        && !url_path.starts_with('/')
    {
        causes.invalid(&path.child("path"), url_path, "must start with a '/'");
    }
}

fn webhook_url(url: &str, path: &Path<'_>, causes: &mut Causes) {
    const FORM: &str = "; desired format: https://host[/path]";
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    if scheme != "https" {
        causes.invalid(path, scheme, format!("'https' is the only allowed URL scheme{FORM}"));
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    if scheme.is_empty() || host.is_empty() {
        causes.invalid(path, "", format!("host must be specified{FORM}"));
    }
    if let Some((user, _)) = host.rsplit_once('@') {
        causes.invalid(path, user, "user information is not permitted in the URL");
    }
    if let Some((_, fragment)) = rest.split_once('#') {
        causes.invalid(path, fragment, "fragments are not permitted in the URL");
    }
    if let Some((_, query)) = rest.split('#').next().and_then(|rest| rest.split_once('?')) {
        causes.invalid(path, query, "query parameters are not permitted in the URL");
    }
}

fn review_versions(versions: &[Value], path: &Path<'_>, causes: &mut Causes) {
    if versions.is_empty() {
        causes.required(path, "");
        return;
    }
    let names: Vec<&str> = versions.iter().filter_map(Value::as_str).collect();
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            causes.invalid(&path.index(index), *name, "duplicate version");
        } else {
            causes.invalid_for(&path.index(index), *name, dns1035_label(name));
        }
    }
    if !names.iter().any(|name| ["v1", "v1beta1"].contains(name)) {
        let shown = Value::from(names).to_string();
        causes.invalid(path, Raw(&shown), "must include at least one of v1, v1beta1");
    }
}

/// Groups of the Kubernetes community need an approval.
fn approval(object: &Value, group: &str, causes: &mut Causes) {
    const ANNOTATION: &str = "api-approved.kubernetes.io";
    const SEE: &str = "see https://github.com/kubernetes/enhancements/pull/1111";
    let of = |domain: &str| group == domain || group.ends_with(&format!(".{domain}"));
    if !of("k8s.io") && !of("kubernetes.io") {
        return;
    }
    let value = text(get(get(object, "metadata"), "annotations"), ANNOTATION);
    let path = Path::ROOT.child("metadata");
    let path = path.child("annotations");
    let path = path.key(ANNOTATION);
    let is_url = value
        .split_once("://")
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.starts_with('/') && !rest.is_empty());
    if value.is_empty() {
        causes.required(&path, &format!("protected groups must have approval annotation \"{ANNOTATION}\", {SEE}"));
    } else if !value.starts_with("unapproved") && !is_url {
        let what = format!(
            "protected groups must have approval annotation \"{ANNOTATION}\" with either a URL or a reason starting with \"unapproved\", {SEE}"
        );
        causes.invalid(&path, value, what);
    }
}

/// Checks what an update of a definition may change.
pub(super) fn validate_update(new: &Value, old: &Value, causes: &mut Causes) {
    let (new_spec, old_spec) = (get(new, "spec"), get(old, "spec"));
    let established = list(get(old, "status"), "conditions")
        .iter()
        .any(|condition| text(condition, "type") == "Established" && text(condition, "status") == "True");
    let path = Path::ROOT.child("spec");
    let mut same = |new: &Value, old: &Value, at: &Path<'_>| {
        if new != old {
            causes.invalid(at, new, super::metadata::IMMUTABLE);
        }
    };
    let names = path.child("names");
    if established {
        same(get(new_spec, "scope"), get(old_spec, "scope"), &path.child("scope"));
        same(get(get(new_spec, "names"), "kind"), get(get(old_spec, "names"), "kind"), &names.child("kind"));
    }
    same(get(new_spec, "group"), get(old_spec, "group"), &path.child("group"));
    same(get(get(new_spec, "names"), "plural"), get(get(old_spec, "names"), "plural"), &names.child("plural"));
    let known: Vec<&str> = list(new_spec, "versions").iter().map(|version| text(version, "name")).collect();
    let path = Path::ROOT.child("status");
    let path = path.child("storedVersions");
    for (index, stored) in list(get(new, "status"), "storedVersions").iter().filter_map(Value::as_str).enumerate() {
        if !known.contains(&stored) {
            let what = format!(
                "missing from spec.versions; {stored} was previously a storage version, and must remain in spec.versions until a \
                 storage migration ensures no data remains persisted in {stored} and removes {stored} from status.storedVersions"
            );
            causes.invalid(&path.index(index), stored, what);
        }
    }
}

/// The path in the manifest of a path in the internal version.
pub fn manifest_path(path: &str) -> String {
    const MOVED: [(&str, &str); 5] = [
        ("spec.validation", "spec.versions[0].schema"),
        ("spec.subresources", "spec.versions[0].subresources"),
        ("spec.additionalPrinterColumns", "spec.versions[0].additionalPrinterColumns"),
        ("spec.selectableFields", "spec.versions[0].selectableFields"),
        ("spec.version", "spec.versions[0].name"),
    ];
    let moved = MOVED.iter().find_map(|(from, to)| {
        let rest = path.strip_prefix(from)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{to}{rest}"))
    });
    let path = moved.unwrap_or_else(|| path.to_owned());
    path.replace("].JSONPath", "].jsonPath")
        .replace("conversion.webhookClientConfig", "conversion.webhook.clientConfig")
        .replace("conversion.conversionReviewVersions", "conversion.webhook.conversionReviewVersions")
}
