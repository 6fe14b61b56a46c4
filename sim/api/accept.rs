//! What the API server does with an object that is created or updated: decode strictly, fill in defaults, admit, check.

use serde_json::Value;
use std::fmt;

use super::admission::{self, Attributes, Lookup, Nothing, Operation, Rejection};
use super::causes::{Cause, Causes, Path};
use super::custom::{self, Definition, Definitions, Version};
use super::document::{Document, Part, Step};
use super::kinds::{KINDS, KindInfo};
use super::objects::{self, Birth, StatusAtBirth, metadata, rules, service};
use super::schema::{DecodeError, Schema, decode, prune};
use super::view::{ensure, get, has, int, put, remove, text};
use crate::error::{Error, nearest};

/// What the server knows besides the object.
#[derive(Clone, Copy)]
pub struct AcceptContext<'a> {
    /// The namespace of objects that name none.
    pub namespace: &'a str,
    /// What completes a `generateName`.
    pub suffix: &'a str,
    /// The uid of the new object.
    pub uid: &'a str,
    /// Now, as RFC 3339 in whole seconds.
    pub now: &'a str,
    /// What admission looks up; without it nothing is admitted, only defaulted and validated.
    pub lookup: Option<&'a dyn Lookup>,
    /// The part of the object that the request is about: `scale`, `resize`; empty for the object itself.
    pub subresource: &'static str,
    /// Whether a new pod gets the volume with its service account's token.
    pub token_volumes: bool,
    /// The kind that the request says it is about, as apiVersion and kind, for objects that do not say it themselves.
    pub expected: Option<(&'a str, &'a str)>,
    /// Gives a valid Service its addresses: the next free cluster address.
    pub service_address: Option<&'a str>,
    /// The next free port on nodes.
    pub node_port: i64,
    /// The CustomResourceDefinitions that the server has. Without them custom resources have no matches.
    pub definitions: Option<&'a Definitions>,
    /// Whether nothing is to be stored: allocators do not look at their ranges then.
    pub is_dry_run: bool,
    /// Whether an object of a group of custom resources that has no definition is kept as it is.
    pub keep_undefined: bool,
}

impl Default for AcceptContext<'_> {
    fn default() -> Self {
        AcceptContext {
            namespace: "default",
            suffix: "xxxxx",
            uid: "",
            now: "1970-01-01T00:00:00Z",
            lookup: Some(&Nothing),
            subresource: "",
            token_volumes: true,
            expected: None,
            service_address: None,
            node_port: 30_000,
            definitions: None,
            is_dry_run: false,
            keep_undefined: false,
        }
    }
}

impl<'a> AcceptContext<'a> {
    pub(super) fn attributes<'b>(
        &self,
        operation: Operation,
        info: &'b KindInfo,
        namespace: &'b str,
        name: &'b str,
    ) -> Attributes<'b>
    where
        'a: 'b,
    {
        let token_suffix = self.token_volumes.then_some(self.suffix);
        let subresource = self.subresource;
        Attributes { token_suffix, subresource, ..Attributes::of(operation, info, namespace, name) }
    }
}

impl fmt::Debug for AcceptContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptContext").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// An object that the server takes.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The object as it would be stored.
    pub value: Value,
    /// Its kind.
    pub info: &'static KindInfo,
    /// What the server warns about.
    pub warnings: Vec<String>,
    /// What admission warns about: it depends on what else is in the cluster.
    pub admission_warnings: Vec<String>,
}

/// Why the server does not take an object: a `metav1.Status`.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP code; 0 if kubectl would not send the object at all.
    pub code: u16,
    /// `Invalid`, `BadRequest`, `Forbidden`, `Conflict`, `NoMatch`.
    pub reason: &'static str,
    /// What the server says.
    pub message: String,
    /// The fields that are wrong.
    pub causes: Vec<Cause>,
    /// What decoding stumbled over.
    pub decoding: Option<DecodeError>,
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &'static str, message: String) -> Refusal {
        Refusal { code, reason, message, causes: Vec::new(), decoding: None }
    }

    fn bad_request(message: String) -> Refusal {
        Refusal::new(400, "BadRequest", message)
    }
}

/// The kind of an object, if the server serves it.
pub fn kind_of(value: &Value, context: &AcceptContext<'_>) -> Result<(&'static KindInfo, String), Refusal> {
    let (expected_version, expected_kind) = context.expected.unwrap_or(("", ""));
    let own = |field: &str, expected: &str| match text(value, field) {
        "" => expected.to_owned(),
        own => own.to_owned(),
    };
    let (version, kind) = (own("apiVersion", expected_version), own("kind", expected_kind));
    let (group, short) = version.split_once('/').unwrap_or(("", &version));
    let found = KINDS.iter().find(|info| info.kind == kind && info.group == group && info.versions.contains(&short));
    let Some(info) = found.filter(|_| Schema::builtin().kind(&version, &kind).is_some()) else {
        return Err(Refusal::new(0, "NoMatch", format!("no matches for kind {kind:?} in version {version:?}")));
    };
    if !expected_kind.is_empty() && expected_kind != kind {
        let message = format!(
            "{kind} in version {short:?} cannot be handled as a {expected_kind}: converting ({short}.{kind}) to (core.{expected_kind}): unknown conversion"
        );
        return Err(Refusal::bad_request(message));
    }
    Ok((info, version))
}

/// What an object of a custom kind is.
pub(super) enum Custom<'a> {
    /// Described by a version that is served.
    Served(&'a Definition, &'a Version),
    /// Nothing describes it.
    Undefined(&'static KindInfo),
}

pub(super) fn custom_kind<'a>(value: &Value, context: &AcceptContext<'a>) -> Option<Custom<'a>> {
    let (group, short) = text(value, "apiVersion").split_once('/')?;
    match context.definitions.and_then(|known| known.find(group, text(value, "kind"))) {
        Some(definition) => definition.served(short).map(|version| Custom::Served(definition, version)),
        None if context.keep_undefined => custom::undefined_kind(value).map(Custom::Undefined),
        None => None,
    }
}

/// Takes a new object.
pub fn accept(value: &Value, context: &AcceptContext<'_>) -> Result<Accepted, Refusal> {
    match custom_kind(value, context) {
        Some(Custom::Served(definition, version)) => {
            return custom::accept_custom(value, definition, version, context);
        }
        Some(Custom::Undefined(info)) => return custom::accept_undefined(value, info, context),
        None => {}
    }
    let (info, version) = kind_of(value, context)?;
    let mut object = decoded(value, info, &version)?;
    let rules = rules(info.kind);
    (rules.default)(&mut object);
    tidy(&mut object, info, &version);
    let namespace = complete_metadata(&mut object, info, context);
    if rules.status == StatusAtBirth::Reset {
        reset_status(&mut object, info, &version);
    }
    let name = text(get(&object, "metadata"), "name").to_owned();
    let at = context.attributes(Operation::Create, info, &namespace, &name);
    if let Some(lookup) = context.lookup {
        admission::mutate(&mut object, None, &at, lookup).map_err(|rejection| rejected(&rejection, info, &name))?;
    }
    (rules.prepare)(&mut object, Birth { uid: context.uid, now: context.now });
    let meta = ensure(&mut object, "metadata");
    if rules.has_generation {
        put(meta, "generation", 1);
    }
    let mut causes = Causes::default();
    (rules.allocate)(&object, &mut causes);
    if info.kind == "Service" && causes.is_empty() && !context.is_dry_run {
        service::validate_node_port_range(&object, &mut causes);
    }
    if !causes.is_empty() {
        return Err(invalid(&object, info, causes));
    }
    metadata::validate(
        get(&object, "metadata"),
        info.namespaced,
        rules.name,
        &Path::ROOT.child("metadata"),
        &mut causes,
    );
    (rules.validate)(&object, None, &mut causes);
    if !causes.is_empty() {
        return Err(invalid(&object, info, causes));
    }
    if !rules.has_generation {
        remove(ensure(&mut object, "metadata"), "generation");
    }
    let admission_warnings = match context.lookup {
        Some(lookup) => admission::validate(&object, None, &at, lookup),
        None => Ok(Vec::new()),
    };
    let admission_warnings = admission_warnings.map_err(|rejection| rejected(&rejection, info, &name))?;
    if let Some(address) = context.service_address.filter(|_| info.kind == "Service") {
        service::allocate(&mut object, address, context.node_port);
    }
    let warnings = objects::warnings(info.kind, &object, None);
    // What is stored is filled in again when it is read: what the registry gave can lead to more.
    (rules.default)(&mut object);
    Ok(Accepted { value: object, info, warnings, admission_warnings })
}

/// Takes a new version of a stored object.
pub fn accept_update(old: &Value, new: &Value, context: &AcceptContext<'_>) -> Result<Accepted, Refusal> {
    match custom_kind(new, context) {
        Some(Custom::Served(definition, version)) => {
            return custom::update_custom(old, new, definition, version, context);
        }
        Some(Custom::Undefined(info)) => return custom::accept_undefined(new, info, context),
        None => {}
    }
    let (info, version) = kind_of(new, context)?;
    let rules = rules(info.kind);
    let mut object = decoded(new, info, &version)?;
    let sent_version = text(get(new, "metadata"), "resourceVersion").to_owned();
    let stored_version = text(get(old, "metadata"), "resourceVersion").to_owned();
    if sent_version.is_empty() && rules.needs_resource_version {
        return Err(needs_version(&object, info));
    }
    if !sent_version.is_empty() && sent_version != stored_version {
        return Err(conflict(&object, info));
    }
    (rules.default)(&mut object);
    tidy(&mut object, info, &version);
    carry_over(&mut object, old, info, context);
    let before = {
        // What validation compares with is the stored object in the same version, filled in in the same way.
        let mut before = old.clone();
        (rules.default)(&mut before);
        before
    };
    let meta = get(&object, "metadata");
    let (namespace, name) = (text(meta, "namespace").to_owned(), text(meta, "name").to_owned());
    let at = context.attributes(Operation::Update, info, &namespace, &name);
    if let Some(lookup) = context.lookup {
        admission::mutate(&mut object, Some(&before), &at, lookup)
            .map_err(|rejection| rejected(&rejection, info, &name))?;
    }
    (rules.prepare_update)(&mut object, &before);
    let mut causes = Causes::default();
    let path = Path::ROOT.child("metadata");
    metadata::validate(get(&object, "metadata"), info.namespaced, rules.name, &path, &mut causes);
    metadata::validate_update(get(&object, "metadata"), get(&before, "metadata"), &path, &mut causes);
    (rules.validate)(&object, Some(&before), &mut causes);
    (rules.validate_update)(&object, &before, &mut causes);
    if !causes.is_empty() {
        return Err(invalid(&object, info, causes));
    }
    let admission_warnings = match context.lookup {
        Some(lookup) => admission::validate(&object, Some(&before), &at, lookup),
        None => Ok(Vec::new()),
    };
    let admission_warnings = admission_warnings.map_err(|rejection| rejected(&rejection, info, &name))?;
    if rules.has_generation {
        let generation = int(get(&before, "metadata"), "generation");
        let changed = rules.counts_changes && content(&object) != content(&before);
        put(ensure(&mut object, "metadata"), "generation", generation.max(1) + i64::from(changed && generation > 0));
    }
    if let Some(address) = context.service_address.filter(|_| info.kind == "Service") {
        service::allocate(&mut object, address, context.node_port);
    }
    let warnings = objects::warnings(info.kind, &object, Some(&before));
    Ok(Accepted { value: object, info, warnings, admission_warnings })
}

pub(super) fn tidy(object: &mut Value, info: &KindInfo, version: &str) {
    let schema = Schema::builtin();
    if let Some(root) = schema.kind(version, info.kind) {
        prune(schema, root, object);
    }
}

/// What the generation counts: all but metadata and status.
pub(super) fn content(object: &Value) -> Vec<(&String, &Value)> {
    let outside = ["metadata", "status", "apiVersion", "kind"];
    object.as_object().into_iter().flatten().filter(|(key, _)| !outside.contains(&key.as_str())).collect()
}

pub(super) fn decoded(value: &Value, info: &KindInfo, version: &str) -> Result<Value, Refusal> {
    let schema = Schema::builtin();
    let Some(root) = schema.kind(version, info.kind) else {
        return Err(Refusal::new(0, "NoMatch", format!("no matches for kind {:?} in version {version:?}", info.kind)));
    };
    let mut object = decode(schema, root, value).map_err(|error| undecodable(error, info, version))?;
    put(&mut object, "apiVersion", version);
    put(&mut object, "kind", info.kind);
    Ok(object)
}

pub(super) fn undecodable(error: DecodeError, info: &KindInfo, version: &str) -> Refusal {
    let what = match &error {
        DecodeError::Type(what, _) => what.clone(),
        DecodeError::Unknown(fields) => {
            let fields: Vec<String> = fields.iter().map(|field| format!("unknown field {:?}", field.path)).collect();
            format!("strict decoding error: {}", fields.join(", "))
        }
    };
    let short = version.rsplit('/').next().unwrap_or(version);
    let kind = info.kind;
    let message = format!("{kind} in version {short:?} cannot be handled as a {kind}: {what}");
    Refusal { decoding: Some(error), ..Refusal::bad_request(message) }
}

/// Sets what the server decides itself: namespace, name, generation. Gives the namespace.
pub(super) fn complete_metadata(object: &mut Value, info: &KindInfo, context: &AcceptContext<'_>) -> String {
    let meta = ensure(object, "metadata");
    for field in [
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
        "resourceVersion",
        "uid",
    ] {
        remove(meta, field);
    }
    if info.namespaced && text(meta, "namespace").is_empty() {
        put(meta, "namespace", context.namespace);
    }
    let base = text(meta, "generateName").to_owned();
    if text(meta, "name").is_empty() && !base.is_empty() {
        let base: String = base.chars().take(58).collect();
        put(meta, "name", format!("{base}{}", context.suffix));
    }
    let namespace = text(meta, "namespace").to_owned();
    if info.kind == "Job" {
        put(meta, "uid", context.uid);
    }
    namespace
}

/// An empty status, as the server writes it.
fn reset_status(object: &mut Value, info: &KindInfo, version: &str) {
    let schema = Schema::builtin();
    remove(object, "status");
    if let Some(status) = schema.kind(version, info.kind).and_then(|root| schema.empty_field(root, "status")) {
        put(object, "status", status);
    }
}

/// Keeps what only the server may change.
pub(super) fn carry_over(object: &mut Value, old: &Value, info: &KindInfo, context: &AcceptContext<'_>) {
    let stored = get(old, "metadata");
    let meta = ensure(object, "metadata");
    for field in [
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generation",
        "resourceVersion",
    ] {
        match get(stored, field) {
            Value::Null => remove(meta, field),
            value => put(meta, field, value.clone()),
        }
    }
    if text(meta, "uid").is_empty() && has(stored, "uid") {
        put(meta, "uid", get(stored, "uid").clone());
    }
    remove(meta, "managedFields");
    if info.namespaced && text(meta, "namespace").is_empty() {
        put(meta, "namespace", context.namespace);
    }
    if info.kind == "Node" {
        return;
    }
    match get(old, "status") {
        Value::Null => remove(object, "status"),
        status => put(object, "status", status.clone()),
    }
}

pub(super) fn invalid(object: &Value, info: &KindInfo, causes: Causes) -> Refusal {
    let name = text(get(object, "metadata"), "name");
    let kind = match info.group {
        "" => info.kind.to_owned(),
        group => format!("{}.{group}", info.kind),
    };
    let message = format!("{kind} {name:?} is invalid: {}", causes.aggregate());
    Refusal { causes: causes.list, ..Refusal::new(422, "Invalid", message) }
}

/// Asks admission about a valid object that no plugin changes, a custom resource or a status; gives its warnings.
pub(super) fn admitted(
    object: &Value,
    old: Option<&Value>,
    info: &KindInfo,
    context: &AcceptContext<'_>,
) -> Result<Vec<String>, Refusal> {
    let Some(lookup) = context.lookup else { return Ok(Vec::new()) };
    let meta = get(object, "metadata");
    let name = text(meta, "name");
    let operation = if old.is_some() { Operation::Update } else { Operation::Create };
    let at = context.attributes(operation, info, text(meta, "namespace"), name);
    admission::namespace_lifecycle(&at, lookup)
        .and_then(|()| admission::validate(object, old, &at, lookup))
        .map_err(|rejection| rejected(&rejection, info, name))
}

/// What admission refuses, as a `metav1.Status`.
pub fn rejected(rejection: &Rejection, info: &KindInfo, name: &str) -> Refusal {
    Refusal::new(rejection.code(), rejection.reason(), rejection.text(&info.resource(), name))
}

/// The refusal of an update without a `resourceVersion`.
pub(super) fn needs_version(object: &Value, info: &KindInfo) -> Refusal {
    let name = text(get(object, "metadata"), "name");
    let mut causes = Causes::default();
    causes.invalid(&Path::ROOT.child("metadata.resourceVersion"), 0, "must be specified for an update");
    let message = format!("{} {name:?} is invalid: {}", info.resource(), causes.aggregate());
    Refusal { causes: causes.list, ..Refusal::new(422, "Invalid", message) }
}

pub(super) fn conflict(object: &Value, info: &KindInfo) -> Refusal {
    let name = text(get(object, "metadata"), "name");
    let message = format!(
        "Operation cannot be fulfilled on {} {name:?}: the object has been modified; please apply your changes to the latest version and try again",
        info.resource()
    );
    Refusal::new(409, "Conflict", message)
}

/// The refusal for the user: what the server says, where in the file, and what would be right.
pub fn to_error(refusal: &Refusal, document: &Document) -> Vec<Error> {
    match &refusal.decoding {
        Some(DecodeError::Unknown(fields)) => {
            return fields
                .iter()
                .map(|field| {
                    let name = match field.steps.last() {
                        Some(Step::Key(name)) => name.as_str(),
                        _ => field.path.as_str(),
                    };
                    let error = Error::new(format!("unknown field {:?}", field.path))
                        .at(document.place_of(&field.steps, Part::Key));
                    match nearest(name, field.known.iter().map(String::as_str)) {
                        Some(known) => error.help(format!("did you mean `{known}`?")),
                        None => error.help(format!("known fields here: {}", field.known.join(", "))),
                    }
                })
                .collect();
        }
        Some(DecodeError::Type(what, steps)) => {
            return vec![Error::new(what.clone()).at(document.place_of(steps, Part::Value))];
        }
        None => {}
    }
    if refusal.causes.is_empty() {
        let part = if refusal.reason == "NoMatch" { "kind" } else { "metadata.name" };
        let error = Error::new(refusal.message.clone()).at(document.place(part, Part::Value));
        return match nearest_kind(refusal, document) {
            Some(help) => vec![error.help(help)],
            None => vec![error],
        };
    }
    refusal
        .causes
        .iter()
        .map(|cause| {
            let field = match document.kind() {
                "CustomResourceDefinition" => objects::manifest_path(&cause.field),
                _ => cause.field.clone(),
            };
            let error = Error::new(cause.to_string()).at(document.place(&field, Part::Value));
            let value = cause.message.split('"').nth(1).unwrap_or("");
            match nearest(value, cause.supported.iter().map(String::as_str)) {
                Some(known) => error.help(format!("did you mean `{known}`?")),
                None => error,
            }
        })
        .collect()
}

fn nearest_kind(refusal: &Refusal, document: &Document) -> Option<String> {
    if refusal.reason != "NoMatch" {
        return None;
    }
    if let Some(info) = KINDS.iter().find(|info| info.kind == document.kind()) {
        return Some(format!("{} is served as apiVersion: {}", info.kind, info.api_version()));
    }
    let near = nearest(document.kind(), KINDS.iter().map(|info| info.kind))?;
    Some(format!("did you mean `{near}`?"))
}
