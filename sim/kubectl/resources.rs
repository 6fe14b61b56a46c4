//! From words to kinds and names: `pods`, `deploy/web`, `svc,ep`, `all`.
//!
//! Source: cli-runtime `resource.Builder`.

use serde_json::Value;

use super::look::{at, flag, list, name, namespace, text, texts};
use super::view::{Output, View, group_of};
use crate::api::kinds::{KINDS, KindInfo, by_resource};

/// A kind of the API or of a CustomResourceDefinition, as kubectl needs to know it.
#[derive(Clone, Debug)]
pub(crate) struct Resource<'a> {
    pub(crate) kind: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespaced: bool,
    /// The version of the definition that is shown, of a custom resource.
    pub(crate) custom: Option<&'a Value>,
}

impl Resource<'_> {
    fn known(info: &KindInfo) -> Self {
        Resource {
            kind: info.kind.to_owned(),
            group: info.group.to_owned(),
            version: info.versions[0].to_owned(),
            plural: info.plural.to_owned(),
            namespaced: info.namespaced,
            custom: None,
        }
    }

    /// `deployments.apps`, `pods`.
    pub(crate) fn resource(&self) -> String {
        with_group(&self.plural, &self.group)
    }

    /// `deployment.apps`, `pod`: the kind in lower case and the group.
    pub(crate) fn prefix(&self) -> String {
        with_group(&self.kind.to_lowercase(), &self.group)
    }

    /// `apps/v1, Resource=deployments`: how errors of lists name it.
    pub(crate) fn qualified(&self) -> String {
        format!("{}/{}, Resource={}", self.group, self.version, self.plural)
    }

    /// The error for a name that is not there.
    pub(crate) fn not_found(&self, name: &str) -> String {
        format!("Error from server (NotFound): {} \"{name}\" not found\n", self.resource())
    }
}

const fn shown(
    kind: &'static str,
    group: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    namespaced: bool,
) -> KindInfo {
    KindInfo { kind, key: kind, group, versions: &["v1"], plural, singular, short_names, namespaced, in_all: false }
}

/// Kinds that the API server serves and that are never stored here: to ask for them is no error.
static NEVER_STORED: &[KindInfo] = &[
    shown("ComponentStatus", "", "componentstatuses", "componentstatus", &["cs"], false),
    shown("ServiceCIDR", "networking.k8s.io", "servicecidrs", "servicecidr", &[], false),
    shown("IPAddress", "networking.k8s.io", "ipaddresses", "ipaddress", &["ip"], false),
    shown("DeviceClass", "resource.k8s.io", "deviceclasses", "deviceclass", &[], false),
    shown("ResourceSlice", "resource.k8s.io", "resourceslices", "resourceslice", &[], false),
    shown("ResourceClaim", "resource.k8s.io", "resourceclaims", "resourceclaim", &[], true),
    shown("ResourceClaimTemplate", "resource.k8s.io", "resourceclaimtemplates", "resourceclaimtemplate", &[], true),
];

/// The kind that is never stored and that a word means; with or without the group.
fn never_stored(word: &str) -> Option<&'static KindInfo> {
    let word = word.to_lowercase();
    let (name, group) = word.split_once('.').map_or((word.as_str(), None), |(name, group)| (name, Some(group)));
    NEVER_STORED.iter().find(|info| {
        let is_named = name == info.plural || name == info.singular || info.short_names.contains(&name);
        is_named && group.is_none_or(|group| group == info.group || group.strip_prefix("v1.") == Some(info.group))
    })
}

fn with_group(word: &str, group: &str) -> String {
    if group.is_empty() { word.to_owned() } else { format!("{word}.{group}") }
}

/// What a command asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// The kind.
    pub(crate) resource: Resource<'a>,
    /// The name; none for all of the kind.
    pub(crate) name: Option<String>,
}

/// The kind that a word means.
pub(crate) fn find<'a>(word: &str, view: &View<'a>) -> Option<Resource<'a>> {
    by_resource(word).or_else(|| never_stored(word)).map(Resource::known).or_else(|| custom(word, view))
}

/// The kind of an object.
pub(crate) fn of_object<'a>(object: &Value, view: &View<'a>) -> Resource<'a> {
    let (kind, group) = (text(object, "kind"), group_of(text(object, "apiVersion")));
    let known =
        KINDS.iter().chain(NEVER_STORED).find(|info| info.kind == kind && info.group == group).map(Resource::known);
    let word = with_group(&kind.to_lowercase(), group);
    known.or_else(|| custom(&word, view)).unwrap_or_else(|| Resource {
        kind: kind.to_owned(),
        group: group.to_owned(),
        version: text(object, "apiVersion").rsplit('/').next().unwrap_or_default().to_owned(),
        plural: format!("{}s", kind.to_lowercase()),
        namespaced: !namespace(object).is_empty(),
        custom: None,
    })
}

fn custom<'a>(word: &str, view: &View<'a>) -> Option<Resource<'a>> {
    let word = word.to_lowercase();
    let (wanted, group) = word.split_once('.').map_or((word.as_str(), None), |(name, group)| (name, Some(group)));
    view.of("CustomResourceDefinition", "apiextensions.k8s.io").into_iter().find_map(|definition| {
        let names = at(definition, "spec.names");
        let versions = list(definition, "spec.versions");
        let shown = versions.iter().find(|version| flag(version, "storage")).or(versions.first())?;
        let is_named = text(names, "plural") == wanted
            || text(names, "singular") == wanted
            || text(names, "kind").to_lowercase() == wanted
            || texts(names, "shortNames").contains(&wanted);
        let of_group = text(definition, "spec.group");
        let in_group = group.is_none_or(|group| group == of_group || group.ends_with(&format!(".{of_group}")));
        (is_named && in_group).then(|| Resource {
            kind: text(names, "kind").to_owned(),
            group: of_group.to_owned(),
            version: text(shown, "name").to_owned(),
            plural: text(names, "plural").to_owned(),
            namespaced: text(definition, "spec.scope") != "Cluster",
            custom: Some(shown),
        })
    })
}

/// What the arguments of a command ask for.
pub(crate) fn wanted<'a>(args: &[String], view: &View<'a>) -> Result<Vec<Wanted<'a>>, Output> {
    let args = split_pairs(args);
    let kind = |word: &str| {
        find(word, view)
            .ok_or_else(|| Output::failure(format!("error: the server doesn't have a resource type \"{word}\"")))
    };
    if args.iter().any(|arg| arg.contains('/')) {
        return args.iter().map(|arg| pair(arg, &kind)).collect();
    }
    let Some((kinds, names)) = args.split_first() else { return Ok(Vec::new()) };
    let mut wanted = Vec::new();
    for word in kinds.split(',') {
        if word == "all" {
            let all = KINDS.iter().filter(|info| info.in_all);
            wanted.extend(all.map(|info| Wanted { resource: Resource::known(info), name: None }));
        } else if names.is_empty() {
            wanted.push(Wanted { resource: kind(word)?, name: None });
        } else {
            let resource = kind(word)?;
            wanted.extend(names.iter().map(|name| Wanted { resource: resource.clone(), name: Some(name.clone()) }));
        }
    }
    Ok(wanted)
}

/// `a/b,c/d` is two arguments.
fn split_pairs(args: &[String]) -> Vec<String> {
    let split = |arg: &String| match arg.contains('/') {
        true => arg.split(',').map(str::to_owned).collect(),
        false => vec![arg.clone()],
    };
    args.iter().flat_map(split).collect()
}

fn pair<'a>(arg: &str, kind: &dyn Fn(&str) -> Result<Resource<'a>, Output>) -> Result<Wanted<'a>, Output> {
    match arg.split('/').collect::<Vec<_>>().as_slice() {
        [word, name] if !word.is_empty() && !name.is_empty() => {
            Ok(Wanted { resource: kind(word)?, name: Some((*name).to_owned()) })
        }
        [_] => Err(Output::failure(
            "error: there is no need to specify a resource type as a separate argument when passing arguments in \
             resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource \
             resource/<resource_name>'",
        )),
        [_, _] => Err(Output::failure(format!(
            "error: arguments in resource/name form must have a single resource and name: {arg}"
        ))),
        _ => Err(Output::failure("error: arguments in resource/name form may not have more than one slash")),
    }
}

/// Whether the arguments name several kinds: then tables name the kind of each object.
pub(crate) fn is_mixed(args: &[String]) -> bool {
    if args == ["all"] {
        return true;
    }
    let args = split_pairs(args);
    let mut kinds: Vec<&str> = args.iter().filter_map(|arg| arg.split_once('/')).map(|(kind, _)| kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.len() > 1 || args.first().is_some_and(|arg| !arg.contains('/') && arg.contains(','))
}

/// The objects of a kind in a namespace (`None`: in all), in the order of the store.
pub(crate) fn objects<'a>(resource: &Resource<'_>, wanted: Option<&str>, view: &View<'a>) -> Vec<&'a Value> {
    let mut found = view.of(&resource.kind, &resource.group);
    if let (true, Some(wanted)) = (resource.namespaced, wanted) {
        found.retain(|object| namespace(object) == wanted);
    }
    found
}

/// An object of a kind by name.
pub(crate) fn object<'a>(resource: &Resource<'_>, wanted: &str, called: &str, view: &View<'a>) -> Option<&'a Value> {
    objects(resource, Some(wanted), view).into_iter().find(|object| name(object) == called)
}
