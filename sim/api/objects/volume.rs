//! Volumes of a pod and their mounts.

use crate::api::causes::{Causes, Path};
use crate::api::names;
use crate::api::view::{fill, fill_text, get, get_mut, has, items_mut, list, maybe_int, text};
use serde_json::{Value, json};

use super::security::{local_path, no_back_steps};
use super::{container, resources, storage};

const MODE: i64 = 0o644;

/// Fills in a volume.
pub(super) fn default(volume: &mut Value) {
    if volume.as_object().is_some_and(|map| map.keys().all(|key| key == "name")) {
        fill(volume, "emptyDir", json!({}));
    }
    for kind in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = get_mut(volume, kind) {
            fill(source, "defaultMode", MODE);
        }
    }
    default_downward(volume.get_mut("downwardAPI"));
    if let Some(projected) = get_mut(volume, "projected") {
        for source in items_mut(projected, "sources") {
            default_downward(source.get_mut("downwardAPI"));
            if let Some(token) = get_mut(source, "serviceAccountToken") {
                fill(token, "expirationSeconds", 3600);
            }
        }
    }
    if let Some(path) = get_mut(volume, "hostPath") {
        fill(path, "type", "");
    }
    if let Some(iscsi) = get_mut(volume, "iscsi") {
        fill_text(iscsi, "iscsiInterface", "default");
    }
    if let Some(rbd) = get_mut(volume, "rbd") {
        for (field, value) in [("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")] {
            fill_text(rbd, field, value);
        }
    }
    if let Some(disk) = get_mut(volume, "azureDisk") {
        for (field, value) in [("cachingMode", "ReadWrite"), ("fsType", "ext4"), ("kind", "Shared")] {
            fill(disk, field, value);
        }
        fill(disk, "readOnly", false);
    }
    if let Some(scale) = get_mut(volume, "scaleIO") {
        fill_text(scale, "storageMode", "ThinProvisioned");
        fill_text(scale, "fsType", "xfs");
    }
    if let Some(template) = get_mut(volume, "ephemeral").and_then(|source| get_mut(source, "volumeClaimTemplate"))
        && let Some(spec) = get_mut(template, "spec")
    {
        storage::default_claim_spec(spec);
    }
    if let Some(image) = get_mut(volume, "image") {
        let policy = if container::tag_is_latest(text(image, "reference")) { "Always" } else { "IfNotPresent" };
        fill_text(image, "pullPolicy", policy);
    }
}

fn default_downward(source: Option<&mut Value>) {
    if let Some(source) = source {
        for item in items_mut(source, "items") {
            container::default_field_ref(item);
        }
    }
}

/// Checks `spec.volumes`; gives those that can be mounted. `pod_name` is empty in templates.
pub(super) fn validate_all<'a>(
    volumes: &'a [Value],
    pod_name: &str,
    path: &Path<'_>,
    causes: &mut Causes,
) -> Vec<&'a Value> {
    let mut good: Vec<&Value> = Vec::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let name = text(volume, "name");
        let before = causes.list.len();
        validate_source(volume, &path, causes);
        if has(volume, "ephemeral") && !pod_name.is_empty() && !name.is_empty() {
            let claim = format!("{pod_name}-{name}");
            for error in names::dns1123_subdomain(&claim) {
                causes.invalid(&path.child("name"), name, format!("PVC name {claim:?}: {error}"));
            }
        }
        if name.is_empty() {
            causes.required(&path.child("name"), "");
        } else {
            causes.invalid_for(&path.child("name"), name, names::dns1123_label(name));
        }
        if good.iter().any(|other| text(other, "name") == name) {
            causes.duplicate(&path.child("name"), name);
        }
        if causes.list.len() == before {
            good.push(volume);
        }
        let claim = text(get(volume, "persistentVolumeClaim"), "claimName");
        let is_created =
            |other: &Value| has(other, "ephemeral") && format!("{pod_name}-{}", text(other, "name")) == claim;
        if !pod_name.is_empty() && !claim.is_empty() && volumes.iter().any(is_created) {
            let what = "must not reference a PVC that gets created for an ephemeral volume";
            causes.invalid(&path.child("persistentVolumeClaim.claimName"), claim, what);
        }
    }
    good
}

fn required(source: &Value, fields: &[&str], path: &Path<'_>, causes: &mut Causes) {
    for field in fields {
        if text(source, field).is_empty() && list(source, field).is_empty() {
            causes.required(&path.child(field), "");
        }
    }
}

fn validate_source(volume: &Value, path: &Path<'_>, causes: &mut Causes) {
    let mut n = 0;
    let Some(map) = volume.as_object() else { return };
    for kind in SOURCES {
        let Some(source) = map.get(*kind).filter(|source| !source.is_null()) else { continue };
        n += 1;
        let path = path.child(kind);
        if n > 1 {
            causes.forbidden(&path, "may not specify more than 1 volume type");
            continue;
        }
        source_of_kind(kind, source, &path, causes);
    }
    if n == 0 {
        causes.required(path, "must specify a volume type");
    }
}

/// The kinds of volumes, in the order in which they are checked.
pub(super) const SOURCES: &[&str] = &[
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

fn source_of_kind(kind: &str, source: &Value, path: &Path<'_>, causes: &mut Causes) {
    match kind {
        "emptyDir" if has(source, "sizeLimit") && resources::quantity(get(source, "sizeLimit")).sign() < 0 => {
            causes.forbidden(&path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
        }
        "hostPath" => host_path(source, path, causes),
        "secret" => {
            required(source, &["secretName"], path, causes);
            mode(source, "defaultMode", path, causes);
            items(source, path, causes);
        }
        "configMap" => {
            required(source, &["name"], path, causes);
            mode(source, "defaultMode", path, causes);
            items(source, path, causes);
        }
        "nfs" => nfs(source, path, causes),
        "persistentVolumeClaim" => required(source, &["claimName"], path, causes),
        "downwardAPI" => {
            mode(source, "defaultMode", path, causes);
            for file in list(source, "items") {
                downward_file(file, path, causes);
            }
        }
        "projected" => projected(source, path, causes),
        "csi" => csi(source, path, causes),
        "ephemeral" => match get(source, "volumeClaimTemplate") {
            Value::Null => causes.required(&path.child("volumeClaimTemplate"), ""),
            template => {
                let path = path.child("volumeClaimTemplate");
                storage::validate_claim_spec(get(template, "spec"), true, &path.child("spec"), causes);
            }
        },
        "image" => {
            required(source, &["reference"], path, causes);
            let policy = text(source, "pullPolicy");
            if !["Always", "IfNotPresent", "Never", ""].contains(&policy) {
                causes.not_supported(&path.child("pullPolicy"), policy, &["Always", "IfNotPresent", "Never"]);
            }
        }
        "gcePersistentDisk" => required(source, &["pdName"], path, causes),
        "awsElasticBlockStore" => required(source, &["volumeID"], path, causes),
        "gitRepo" => {
            required(source, &["repository"], path, causes);
            local_path(text(source, "directory"), &path.child("directory"), causes);
        }
        "iscsi" => required(source, &["targetPortal", "iqn"], path, causes),
        "glusterfs" => required(source, &["endpoints", "path"], path, causes),
        "rbd" => required(source, &["monitors", "image"], path, causes),
        "cinder" => required(source, &["volumeID"], path, causes),
        "cephfs" => required(source, &["monitors"], path, causes),
        "flexVolume" => required(source, &["driver"], path, causes),
        "azureFile" => required(source, &["secretName", "shareName"], path, causes),
        "vsphereVolume" => required(source, &["volumePath"], path, causes),
        "azureDisk" => required(source, &["diskName", "diskURI"], path, causes),
        _ => {}
    }
}

/// Checks an NFS source.
pub(super) fn nfs(source: &Value, path: &Path<'_>, causes: &mut Causes) {
    required(source, &["server", "path"], path, causes);
    let mount = text(source, "path");
    if !mount.starts_with('/') {
        causes.invalid(&path.child("path"), mount, "must be an absolute path");
    }
}

/// Checks a host path.
pub(super) fn host_path(source: &Value, path: &Path<'_>, causes: &mut Causes) {
    const TYPES: &[&str] =
        &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    if text(source, "path").is_empty() {
        causes.required(&path.child("path"), "");
        return;
    }
    no_back_steps(text(source, "path"), &path.child("path"), causes);
    if !TYPES.contains(&text(source, "type")) {
        causes.not_supported(&path.child("type"), text(source, "type"), TYPES);
    }
}

fn mode(source: &Value, field: &str, path: &Path<'_>, causes: &mut Causes) {
    if let Some(mode) = maybe_int(source, field)
        && !(0..=0o777).contains(&mode)
    {
        let what = "must be a number between 0 and 0777 (octal), both inclusive";
        causes.invalid(&path.child(field), mode, what);
    }
}

fn items(source: &Value, path: &Path<'_>, causes: &mut Causes) {
    let path = path.child("items");
    for (index, item) in list(source, "items").iter().enumerate() {
        let path = path.index(index);
        required(item, &["key", "path"], &path, causes);
        if !text(item, "path").is_empty() {
            file_path(text(item, "path"), &path.child("path"), causes);
        }
        mode(item, "mode", &path, causes);
    }
}

/// A file below the volume whose name does not begin with `..`.
fn file_path(file: &str, path: &Path<'_>, causes: &mut Causes) {
    local_path(file, path, causes);
    if file.starts_with("..") && !file.starts_with("../") && file != ".." {
        causes.invalid(path, file, "must not start with '..'");
    }
}

const VOLUME_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

fn downward_file(file: &Value, path: &Path<'_>, causes: &mut Causes) {
    if text(file, "path").is_empty() {
        causes.required(&path.child("path"), "");
    }
    file_path(text(file, "path"), &path.child("path"), causes);
    let (field, resource) = (get(file, "fieldRef"), get(file, "resourceFieldRef"));
    if !field.is_null() {
        container::field_ref(field, VOLUME_FIELDS, &path.child("fieldRef"), causes);
        if !resource.is_null() {
            causes.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
        }
    } else if !resource.is_null() {
        container::resource_field_ref(resource, true, &path.child("resourceFieldRef"), causes);
    } else {
        causes.required(path, "one of fieldRef and resourceFieldRef is required");
    }
    mode(file, "mode", path, causes);
}

fn projected(source: &Value, path: &Path<'_>, causes: &mut Causes) {
    mode(source, "defaultMode", path, causes);
    let sources = path.child("sources");
    let mut files: Vec<&str> = Vec::new();
    for (index, projection) in list(source, "sources").iter().enumerate() {
        let item = sources.index(index);
        let mut n = 0;
        for kind in
            ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"]
        {
            let inner = get(projection, kind);
            if !inner.is_null() {
                n += 1;
                projection_of_kind(kind, inner, path, &item.child(kind), &mut files, causes);
            }
        }
        if n > 1 {
            causes.forbidden(&item, "may not specify more than 1 volume type per source");
        }
    }
}

fn projection_of_kind<'a>(
    kind: &str,
    inner: &'a Value,
    volume_path: &Path<'_>,
    path: &Path<'_>,
    files: &mut Vec<&'a str>,
    causes: &mut Causes,
) {
    match kind {
        "secret" | "configMap" => {
            required(inner, &["name"], path, causes);
            items(inner, path, causes);
            for item in list(inner, "items") {
                file_once(text(item, "path"), text(inner, "name"), volume_path, files, causes);
            }
        }
        "downwardAPI" => {
            for file in list(inner, "items") {
                downward_file(file, path, causes);
                file_once(text(file, "path"), text(file, "path"), volume_path, files, causes);
            }
        }
        "serviceAccountToken" => token(inner, volume_path, path, causes),
        "clusterTrustBundle" => trust_bundle(inner, volume_path, path, files, causes),
        _ => {
            let paths = ["credentialBundlePath", "keyPath", "certificateChainPath"];
            for field in paths {
                let file = text(inner, field);
                if !file.is_empty() {
                    file_path(file, &path.child(field), causes);
                    file_once(file, file, volume_path, files, causes);
                }
            }
            if paths.iter().all(|field| text(inner, field).is_empty()) {
                causes
                    .required(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath");
            }
        }
    }
}

fn file_once<'a>(file: &'a str, shown: &str, path: &Path<'_>, files: &mut Vec<&'a str>, causes: &mut Causes) {
    if file.is_empty() {
        return;
    }
    if files.contains(&file) {
        causes.invalid(path, shown, "conflicting duplicate paths");
    }
    files.push(file);
}

fn token(inner: &Value, volume_path: &Path<'_>, path: &Path<'_>, causes: &mut Causes) {
    let seconds = maybe_int(inner, "expirationSeconds").unwrap_or(3600);
    if seconds < 600 {
        causes.invalid(&path.child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
    }
    if seconds > 1 << 32 {
        causes.invalid(
            &path.child("expirationSeconds"),
            seconds,
            "may not specify a duration larger than 2^32 seconds",
        );
    }
    match text(inner, "path") {
        "" => causes.required(&volume_path.child("path"), ""),
        file => file_path(file, &volume_path.child("path"), causes),
    }
}

fn trust_bundle<'a>(
    inner: &'a Value,
    volume_path: &Path<'_>,
    path: &Path<'_>,
    files: &mut Vec<&'a str>,
    causes: &mut Causes,
) {
    match (has(inner, "name"), has(inner, "signerName")) {
        (true, true) => causes.invalid(path, inner, "only one of name and signerName may be used"),
        (false, false) => causes.required(path, "either name or signerName must be specified"),
        (true, false) if text(inner, "name").is_empty() => {
            causes.required(&path.child("name"), "must be a valid object name");
        }
        _ => {}
    }
    if text(inner, "path").is_empty() {
        causes.required(&path.child("path"), "");
    }
    file_path(text(inner, "path"), &path.child("path"), causes);
    file_once(text(inner, "path"), text(inner, "path"), volume_path, files, causes);
}

fn csi(source: &Value, path: &Path<'_>, causes: &mut Causes) {
    storage::driver_name(text(source, "driver"), &path.child("driver"), causes);
    let secret = get(source, "nodePublishSecretRef");
    if !secret.is_null() {
        let path = path.child("nodePublishSecretRef");
        let name = text(secret, "name");
        match name {
            "" => causes.required(&path.child("name"), ""),
            _ => causes.invalid_for(&path.child("name"), name, names::dns1123_subdomain(name)),
        }
    }
}

/// Checks `volumeMounts` and `volumeDevices` of a container against the volumes there are.
pub(super) fn validate_mounts(container: &Value, volumes: &[&Value], path: &Path<'_>, causes: &mut Causes) {
    let devices = list(container, "volumeDevices");
    let mounts_path = path.child("volumeMounts");
    let mut seen: Vec<&str> = Vec::new();
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let path = mounts_path.index(index);
        let (name, target) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            causes.required(&path.child("name"), "");
        }
        if !volumes.iter().any(|volume| text(volume, "name") == name) {
            causes.not_found(&path.child("name"), name);
        }
        if target.is_empty() {
            causes.required(&path.child("mountPath"), "");
        }
        if seen.contains(&target) {
            causes.invalid(&path.child("mountPath"), target, "must be unique");
        }
        seen.push(target);
        if devices.iter().any(|device| text(device, "name") == name) {
            causes.invalid(&path.child("name"), name, "must not already exist in volumeDevices");
        }
        if devices.iter().any(|device| text(device, "devicePath") == target) {
            let what = "must not already exist as a path in volumeDevices";
            causes.invalid(&path.child("mountPath"), target, what);
        }
        let (sub_path, expression) = (text(mount, "subPath"), text(mount, "subPathExpr"));
        if !sub_path.is_empty() {
            local_path(sub_path, &mounts_path.child("subPath"), causes);
        }
        if !expression.is_empty() {
            if !sub_path.is_empty() {
                let what = "subPathExpr and subPath are mutually exclusive";
                causes.invalid(&path.child("subPathExpr"), expression, what);
            }
            local_path(expression, &mounts_path.child("subPathExpr"), causes);
        }
        propagation(mount, container, &mounts_path, causes);
        recursive_read_only(mount, &mounts_path, causes);
    }
    validate_devices(container, volumes, &path.child("volumeDevices"), causes);
}

fn propagation(mount: &Value, container: &Value, path: &Path<'_>, causes: &mut Causes) {
    if !has(mount, "mountPropagation") {
        return;
    }
    let path = path.child("mountPropagation");
    let mode = text(mount, "mountPropagation");
    if !["Bidirectional", "HostToContainer", "None"].contains(&mode) {
        causes.not_supported(&path, mode, &["Bidirectional", "HostToContainer", "None"]);
    }
    if mode == "Bidirectional" && get(get(container, "securityContext"), "privileged") != true {
        causes.forbidden(&path, "Bidirectional mount propagation is available only to privileged containers");
    }
}

fn recursive_read_only(mount: &Value, path: &Path<'_>, causes: &mut Causes) {
    if !has(mount, "recursiveReadOnly") {
        return;
    }
    let path = path.child("recursiveReadOnly");
    match text(mount, "recursiveReadOnly") {
        "Disabled" => {}
        "Enabled" | "IfPossible" => {
            if !crate::api::view::flag(mount, "readOnly") {
                causes.forbidden(&path, "may only be specified when readOnly is true");
            }
            if !["", "None"].contains(&text(mount, "mountPropagation")) {
                causes.forbidden(&path, "may only be specified when mountPropagation is None or not specified");
            }
        }
        other => causes.not_supported(&path, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

fn validate_devices(container: &Value, volumes: &[&Value], path: &Path<'_>, causes: &mut Causes) {
    let mounts = list(container, "volumeMounts");
    let mut seen_paths: Vec<&str> = Vec::new();
    let mut seen_names: Vec<&str> = Vec::new();
    for (index, device) in list(container, "volumeDevices").iter().enumerate() {
        let path = path.index(index);
        let (name, target) = (text(device, "name"), text(device, "devicePath"));
        if name.is_empty() {
            causes.required(&path.child("name"), "");
        }
        if seen_names.contains(&name) {
            causes.invalid(&path.child("name"), name, "must be unique");
        }
        match volumes.iter().find(|volume| text(volume, "name") == name) {
            None => causes.not_found(&path.child("name"), name),
            Some(volume) if !has(volume, "persistentVolumeClaim") && !has(volume, "ephemeral") => {
                let what = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                causes.invalid(&path.child("name"), name, what);
            }
            Some(_) => {}
        }
        if target.is_empty() {
            causes.required(&path.child("devicePath"), "");
        }
        if seen_paths.contains(&target) {
            causes.invalid(&path.child("devicePath"), target, "must be unique");
        }
        if target.split('/').any(|part| part == "..") {
            causes.invalid(&path.child("devicePath"), target, "can not contain backsteps ('..')");
        } else {
            seen_paths.push(target);
        }
        if mounts.iter().any(|mount| text(mount, "name") == name) {
            causes.invalid(&path.child("name"), name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|mount| text(mount, "mountPath") == target) {
            causes.invalid(&path.child("devicePath"), target, "must not already exist as a path in volumeMounts");
        }
        if !name.is_empty() {
            seen_names.push(name);
        }
    }
}
