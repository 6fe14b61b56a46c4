//! PersistentVolume, PersistentVolumeClaim, StorageClass.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{ensure, entries, fill, fill_text, get, get_mut, has, list, put, remove, text};
use serde_json::{Value, json};

use super::metadata::{IMMUTABLE, label_selector};
use super::{affinity, resources, security, volume};

/// Fills in a PersistentVolumeClaim.
pub(super) fn default_claim(object: &mut Value) {
    default_claim_spec(ensure(object, "spec"));
    fill_text(ensure(object, "status"), "phase", "Pending");
}

/// Fills in the spec of a claim.
pub(super) fn default_claim_spec(spec: &mut Value) {
    fill(spec, "volumeMode", "Filesystem");
    for kind in ["requests", "limits"] {
        if let Some(amounts) = spec.get_mut("resources") {
            resources::default_list(amounts, kind);
        }
    }
}

/// Fills in a PersistentVolume.
pub(super) fn default_volume(object: &mut Value) {
    fill_text(ensure(object, "status"), "phase", "Pending");
    let spec = ensure(object, "spec");
    fill_text(spec, "persistentVolumeReclaimPolicy", "Retain");
    fill(spec, "volumeMode", "Filesystem");
    resources::default_list(spec, "capacity");
    if let Some(path) = get_mut(spec, "hostPath") {
        fill(path, "type", "");
    }
    if let Some(iscsi) = get_mut(spec, "iscsi") {
        fill_text(iscsi, "iscsiInterface", "default");
    }
}

/// Fills in a StorageClass.
pub(super) fn default_class(object: &mut Value) {
    fill(object, "reclaimPolicy", "Delete");
    fill(object, "volumeBindingMode", "Immediate");
}

/// What the registry and admission give a new claim.
pub(super) fn prepare_claim(object: &mut Value) {
    put(object, "status", json!({"phase": "Pending"}));
    add_finalizer(object, "kubernetes.io/pvc-protection");
    let spec = ensure(object, "spec");
    // The old field holds claims and snapshots only; anything else in it is dropped.
    let source = get(spec, "dataSource");
    let is_claim = text(source, "apiGroup").is_empty() && text(source, "kind") == "PersistentVolumeClaim";
    let is_snapshot = text(source, "apiGroup") == "snapshot.storage.k8s.io" && text(source, "kind") == "VolumeSnapshot";
    if !source.is_null() && !is_claim && !is_snapshot {
        remove(spec, "dataSource");
    }
    // A data source of a kind that both fields may have is written in both.
    let (source, reference) = (get(spec, "dataSource").clone(), get(spec, "dataSourceRef").clone());
    if reference.is_null() && !source.is_null() {
        put(spec, "dataSourceRef", source);
    } else if source.is_null() && !reference.is_null() && !has(&reference, "namespace") {
        put(spec, "dataSource", reference);
    }
}

/// What the registry and admission give a new volume; `now` is when.
pub(super) fn prepare_volume(object: &mut Value, now: &str) {
    put(object, "status", json!({"phase": "Pending", "lastPhaseTransitionTime": now}));
    add_finalizer(object, "kubernetes.io/pv-protection");
}

fn add_finalizer(object: &mut Value, name: &str) {
    let metadata = ensure(object, "metadata");
    let mut finalizers = list(metadata, "finalizers").to_vec();
    if !finalizers.iter().any(|finalizer| finalizer == name) {
        finalizers.push(Value::from(name));
    }
    put(metadata, "finalizers", finalizers);
}

const ACCESS_MODES: &[&str] = &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

fn access_modes(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let modes = list(spec, "accessModes");
    for mode in modes {
        let mode = mode.as_str().unwrap_or("");
        if !ACCESS_MODES.contains(&mode) {
            causes.not_supported(&path.child("accessModes"), mode, ACCESS_MODES);
        }
    }
    let is_other = |mode: &Value| mode != "ReadWriteOncePod" && ACCESS_MODES.iter().any(|known| mode == *known);
    if modes.iter().any(|mode| mode == "ReadWriteOncePod") && modes.iter().any(is_other) {
        let what = "may not use ReadWriteOncePod with other access modes";
        causes.forbidden(&path.child("accessModes"), what);
    }
}

/// Checks a PersistentVolumeClaim.
pub(super) fn validate_claim(object: &Value, causes: &mut Causes) {
    validate_claim_spec(get(object, "spec"), false, &Path::ROOT.child("spec"), causes);
}

/// Checks the spec of a claim.
pub(super) fn validate_claim_spec(spec: &Value, _is_ephemeral: bool, path: &Path<'_>, causes: &mut Causes) {
    if list(spec, "accessModes").is_empty() {
        causes.required(&path.child("accessModes"), "at least 1 access mode is required");
    }
    label_selector(get(spec, "selector"), &path.child("selector"), causes);
    access_modes(spec, path, causes);
    let size = get(get(get(spec, "resources"), "requests"), "storage");
    let resources_path = path.child("resources");
    if size.is_null() {
        causes.required(&resources_path.key("storage"), "");
    } else if resources::quantity(size).sign() <= 0 {
        causes.invalid(&resources_path.key("storage"), size, "must be greater than zero");
    }
    let class = text(spec, "storageClassName");
    if !class.is_empty() {
        causes.invalid_for(&path.child("storageClassName"), class, names::dns1123_subdomain(class));
    }
    volume_mode(spec, path, causes);
    let attributes = text(spec, "volumeAttributesClassName");
    if !attributes.is_empty() {
        causes.invalid_for(&path.child("volumeAttributesClassName"), attributes, names::dns1123_subdomain(attributes));
    }
    for field in ["dataSource", "dataSourceRef"] {
        data_source(get(spec, field), &path.child(field), causes);
    }
    let (source, reference) = (get(spec, "dataSource"), get(spec, "dataSourceRef"));
    if source.is_null() || reference.is_null() {
        return;
    }
    let shown = path.child("dataSource").to_string();
    if !text(reference, "namespace").is_empty() {
        causes.invalid(path, shown.as_str(), "may not be specified when dataSourceRef.namespace is specified");
    } else if ["apiGroup", "kind", "name"].iter().any(|field| get(source, field) != get(reference, field)) {
        causes.invalid(path, shown.as_str(), "must match dataSourceRef");
    }
}

fn volume_mode(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    if has(spec, "volumeMode") && !["Block", "Filesystem"].contains(&text(spec, "volumeMode")) {
        causes.not_supported(&path.child("volumeMode"), text(spec, "volumeMode"), &["Block", "Filesystem"]);
    }
}

fn data_source(source: &Value, path: &Path<'_>, causes: &mut Causes) {
    if source.is_null() {
        return;
    }
    for field in ["name", "kind"] {
        if text(source, field).is_empty() {
            causes.required(&path.child(field), "");
        }
    }
    let group = text(source, "apiGroup");
    if group.is_empty() && text(source, "kind") != "PersistentVolumeClaim" {
        causes.invalid(
            path,
            text(source, "kind"),
            "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
        );
    }
    if !group.is_empty() {
        causes.invalid_for(&path.child("apiGroup"), group, names::dns1123_subdomain(group));
    }
}

/// Checks a PersistentVolume.
pub(super) fn validate_volume(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("spec");
    let spec = get(object, "spec");
    if list(spec, "accessModes").is_empty() {
        causes.required(&path.child("accessModes"), "");
    }
    access_modes(spec, &path, causes);
    let capacity = get(spec, "capacity");
    let n = capacity.as_object().map_or(0, |capacity| capacity.len());
    if n == 0 {
        causes.required(&path.child("capacity"), "");
    }
    if n != 1 || capacity.get("storage").is_none() {
        causes.not_supported(&path.child("capacity"), capacity, &["storage"]);
    }
    for (resource, amount) in entries(spec, "capacity") {
        let path = path.child("capacity");
        let path = path.key(resource);
        if resources::quantity(amount).sign() < 0 {
            causes.invalid(&path, resources::quantity(amount).value(), "must be a valid resource quantity");
        }
        if resources::quantity(amount).sign() <= 0 {
            causes.invalid(&path, amount, "must be greater than zero");
        }
    }
    reclaim_policy(spec, &path, causes);
    if has(spec, "nodeAffinity") {
        let path = path.child("nodeAffinity");
        match get(get(spec, "nodeAffinity"), "required") {
            Value::Null => causes.required(&path.child("required"), "must specify required node constraints"),
            required => affinity::node_selector(required, &path.child("required"), causes),
        }
    }
    volume_source(spec, &path, causes);
    let is_root = text(get(spec, "hostPath"), "path") == "/";
    if is_root && text(spec, "persistentVolumeReclaimPolicy") == "Recycle" {
        let what = "may not be 'recycle' for a hostPath mount of '/'";
        causes.forbidden(&path.child("persistentVolumeReclaimPolicy"), what);
    }
    let class = text(spec, "storageClassName");
    if !class.is_empty() {
        causes.invalid_for(&path.child("storageClassName"), class, names::dns1123_subdomain(class));
    }
    volume_mode(spec, &path, causes);
    if has(spec, "volumeAttributesClassName") {
        let (class, path_of) = (text(spec, "volumeAttributesClassName"), path.child("volumeAttributesClassName"));
        match class {
            "" => causes.required(&path_of, "an empty string is disallowed"),
            _ => causes.invalid_for(&path_of, class, names::dns1123_subdomain(class)),
        }
        if !has(spec, "csi") {
            causes.required(&path.child("csi"), "has to be specified when using volumeAttributesClassName");
        }
    }
}

fn reclaim_policy(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    const POLICIES: &[&str] = &["Delete", "Recycle", "Retain"];
    let policy = text(spec, "persistentVolumeReclaimPolicy");
    if !policy.is_empty() && !POLICIES.contains(&policy) {
        causes.not_supported(&path.child("persistentVolumeReclaimPolicy"), policy, POLICIES);
    }
}

fn volume_source(spec: &Value, path: &Path<'_>, causes: &mut Causes) {
    let mut n = 0;
    for kind in volume::SOURCES.iter().chain(&["local"]) {
        let source = get(spec, kind);
        if source.is_null() || ["configMap", "secret", "emptyDir"].contains(kind) {
            continue;
        }
        n += 1;
        let path_of = path.child(kind);
        if n > 1 {
            causes.forbidden(&path_of, "may not specify more than 1 volume type");
            continue;
        }
        match *kind {
            "hostPath" => volume::host_path(source, &path_of, causes),
            "nfs" => volume::nfs(source, &path_of, causes),
            "csi" => {
                driver_name(text(source, "driver"), &path_of.child("driver"), causes);
                if text(source, "volumeHandle").is_empty() {
                    causes.required(&path_of.child("volumeHandle"), "");
                }
            }
            "local" => {
                match text(source, "path") {
                    "" => causes.required(&path_of.child("path"), ""),
                    target => security::no_back_steps(target, &path_of.child("path"), causes),
                }
                if !has(spec, "nodeAffinity") {
                    causes.required(&path.child("nodeAffinity"), "Local volume requires node affinity");
                }
            }
            _ => {}
        }
    }
    if n == 0 {
        causes.required(path, "must specify a volume type");
    }
}

/// Checks the name of a CSI driver.
pub(super) fn driver_name(name: &str, path: &Path<'_>, causes: &mut Causes) {
    if name.is_empty() {
        causes.required(path, "");
        return;
    }
    if name.len() > 63 {
        causes.too_long(path, 63);
    }
    causes.invalid_for(path, name, names::dns1123_subdomain(&name.to_lowercase()));
}

/// Checks a StorageClass.
pub(super) fn validate_class(object: &Value, causes: &mut Causes) {
    let provisioner = text(object, "provisioner");
    let path = Path::ROOT.child("provisioner");
    match provisioner {
        "" => causes.required(&path, ""),
        _ => causes.invalid_for(&path, provisioner, names::label_key_errors(&provisioner.to_lowercase())),
    }
    let path = Path::ROOT.child("parameters");
    let mut size = 0;
    let parameters: Vec<_> = entries(object, "parameters").collect();
    if parameters.len() > 512 {
        causes.too_long(&path, 512);
    }
    for (key, value) in parameters {
        if key.is_empty() {
            causes.invalid(&path, key, "field can not be empty.");
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > 256 * 1024 {
        causes.too_long(&path, 256 * 1024);
    }
    for (field, known) in
        [("reclaimPolicy", ["Delete", "Retain"]), ("volumeBindingMode", ["Immediate", "WaitForFirstConsumer"])]
    {
        let value = text(object, field);
        if !known.contains(&value) {
            causes.not_supported(&Path::ROOT.child(field), value, &known);
        }
    }
    topologies(object, causes);
}

fn topologies(object: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("allowedTopologies");
    let mut terms: Vec<&Value> = Vec::new();
    for (index, term) in list(object, "allowedTopologies").iter().enumerate() {
        let item = path.index(index);
        let expressions = item.child("matchLabelExpressions");
        let mut keys: Vec<&str> = Vec::new();
        for (at, expression) in list(term, "matchLabelExpressions").iter().enumerate() {
            let path = expressions.index(at);
            let key = text(expression, "key");
            let values = list(expression, "values");
            if values.is_empty() {
                causes.required(&path.child("values"), "");
            }
            for (nth, value) in values.iter().enumerate() {
                if values[..nth].contains(value) {
                    causes.duplicate(&path.child("values").index(nth), value);
                }
            }
            causes.invalid_for(&path.child("key"), key, names::label_key_errors(key));
            if keys.contains(&key) {
                causes.duplicate(&path.child("key"), key);
            }
            keys.push(key);
        }
        if terms.contains(&term) {
            causes.duplicate(&item.child("matchLabelExpressions"), "");
        }
        terms.push(term);
    }
}

/// Checks what an update of a StorageClass may change.
pub(super) fn validate_class_update(new: &Value, old: &Value, causes: &mut Causes) {
    if get(new, "parameters") != get(old, "parameters") {
        causes.forbidden(&Path::ROOT.child("parameters"), "updates to parameters are forbidden.");
    }
    for field in ["provisioner", "reclaimPolicy", "volumeBindingMode"] {
        if get(new, field) != get(old, field) {
            causes.invalid(&Path::ROOT.child(field), get(new, field), IMMUTABLE);
        }
    }
}

/// Checks what an update of a claim may change.
pub(super) fn validate_claim_update(new: &Value, old: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("spec");
    let (is, was) = (get(new, "spec"), get(old, "spec"));
    let mut allowed = was.clone();
    let is_bound = text(get(old, "status"), "phase") == "Bound";
    // The volume is chosen once.
    if text(was, "volumeName").is_empty() && has(is, "volumeName") {
        put(&mut allowed, "volumeName", get(is, "volumeName").clone());
    }
    if is_bound && has(is, "volumeAttributesClassName") {
        put(&mut allowed, "volumeAttributesClassName", get(is, "volumeAttributesClassName").clone());
    }
    if is_bound && has(get(is, "resources"), "requests") {
        let size = get(get(get(is, "resources"), "requests"), "storage").clone();
        put(ensure(ensure(&mut allowed, "resources"), "requests"), "storage", size);
    }
    if !has(was, "storageClassName") && has(is, "storageClassName") {
        // A class may be given once, by admission.
        put(&mut allowed, "storageClassName", get(is, "storageClassName").clone());
    }
    if allowed != *is {
        let what =
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        causes.forbidden(&path, &format!("{what}<diff>"));
    }
    let size = |spec: &Value| resources::quantity(get(get(get(spec, "resources"), "requests"), "storage"));
    let capacity = resources::quantity(get(get(get(old, "status"), "capacity"), "storage"));
    // Down to what it has, so that an expansion that failed can be taken back.
    if size(is) < size(was) && size(is) <= capacity {
        causes.forbidden(&path.child("resources.requests.storage"), "field can not be less than status.capacity");
    }
    if get(is, "volumeMode") != get(was, "volumeMode") {
        causes.invalid(&Path::ROOT.child("volumeMode"), get(is, "volumeMode"), IMMUTABLE);
    }
    attributes_class_update(is, was, " when Bound", &path, causes);
}

/// A class of attributes may be changed and not be taken away.
fn attributes_class_update(is: &Value, was: &Value, when: &str, path: &Path<'_>, causes: &mut Causes) {
    let path = path.child("volumeAttributesClassName");
    if !has(was, "volumeAttributesClassName") {
        return;
    }
    match get(is, "volumeAttributesClassName").as_str() {
        None => causes.forbidden(&path, &format!("update from non-nil value to nil is forbidden{when}")),
        Some("") => causes.forbidden(&path, "update from non-nil value to an empty string is forbidden"),
        Some(_) => {}
    }
}

/// Checks what an update of a volume may change: its source stays.
pub(super) fn validate_volume_update(new: &Value, old: &Value, causes: &mut Causes) {
    let path = Path::ROOT.child("spec");
    let (is, was) = (get(new, "spec"), get(old, "spec"));
    let had_secret = has(get(was, "csi"), "controllerExpandSecretRef");
    let source = |spec: &Value| {
        let mut source = spec.clone();
        if let Some(csi) = get_mut(&mut source, "csi").filter(|_| !had_secret) {
            // May be given once.
            remove(csi, "controllerExpandSecretRef");
        }
        for field in [
            "accessModes",
            "capacity",
            "claimRef",
            "mountOptions",
            "nodeAffinity",
            "persistentVolumeReclaimPolicy",
            "storageClassName",
            "volumeAttributesClassName",
            "volumeMode",
        ] {
            remove(&mut source, field);
        }
        source
    };
    if source(is) != source(was) {
        causes.forbidden(
            &path.child("persistentvolumesource"),
            "spec.persistentvolumesource is immutable after creation<diff>",
        );
    }
    if get(is, "volumeMode") != get(was, "volumeMode") {
        causes.invalid(&Path::ROOT.child("volumeMode"), get(is, "volumeMode"), IMMUTABLE);
    }
    if has(was, "nodeAffinity") && get(is, "nodeAffinity") != get(was, "nodeAffinity") {
        causes.invalid(&Path::ROOT.child("nodeAffinity"), get(is, "nodeAffinity"), IMMUTABLE);
    }
    attributes_class_update(is, was, "", &path, causes);
}
