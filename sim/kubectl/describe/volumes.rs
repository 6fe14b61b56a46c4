//! The volumes of a pod or template, and the sources of persistent volumes.

use serde_json::Value;

use super::fields::go_list;
use super::writer::Writer;
use crate::api::quantity::Quantity;
use crate::kubectl::look::{at, entries, flag, go_value, has, list, scalar, scalar_or, text, texts};

pub(super) fn volumes(w: &mut Writer, indent: &str, volumes: &[Value]) {
    if volumes.is_empty() {
        return w.line(0, &format!("{indent}Volumes:\t<none>"));
    }
    w.line(0, &format!("{indent}Volumes:"));
    let space = if indent.is_empty() { "" } else { " " };
    for volume in volumes {
        w.line(1, &format!("{space}{}:", text(volume, "name")));
        match SOURCES.iter().find(|source| has(volume, source.field)) {
            Some(source) => source.write(w, at(volume, source.field), Owner::Pod),
            None => special(w, volume),
        }
    }
}

/// The source of a PersistentVolume.
pub(super) fn persistent_source(w: &mut Writer, spec: &Value) {
    match SOURCES.iter().find(|source| source.is_persistent && has(spec, source.field)) {
        Some(source) => source.write(w, at(spec, source.field), Owner::PersistentVolume),
        None if has(spec, "csi") => {
            let csi = at(spec, "csi");
            kind(w, "CSI (a Container Storage Interface (CSI) volume source)");
            for (title, value) in [
                ("Driver", text(csi, "driver").to_owned()),
                ("FSType", text(csi, "fsType").to_owned()),
                ("VolumeHandle", text(csi, "volumeHandle").to_owned()),
                ("ReadOnly", flag(csi, "readOnly").to_string()),
            ] {
                w.field(2, title, value);
            }
            attributes(w, csi);
        }
        None => w.line(1, "<unknown>"),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Owner {
    Pod,
    PersistentVolume,
}

/// How the value of a line is read.
#[derive(Clone, Copy)]
enum Read {
    /// A string or number, empty when missing.
    Text,
    /// A number, 0 when missing.
    Number,
    /// A boolean, false when missing.
    Flag,
    /// A string list as Go prints it.
    List,
    /// A string list joined by commas.
    Joined,
    /// Anything, `<nil>` when missing, pointers to names as Go prints them.
    Reference,
    /// A map as Go prints it.
    Map,
    /// Text with another word when it is missing.
    Or(&'static str),
}

struct Source {
    field: &'static str,
    kind: &'static str,
    is_persistent: bool,
    lines: &'static [(&'static str, &'static str, Read)],
    /// Lines of a persistent volume that a pod's volume has not: (after which line, line).
    persistent_lines: &'static [(usize, (&'static str, &'static str, Read))],
}

const fn source(
    field: &'static str,
    kind: &'static str,
    is_persistent: bool,
    lines: &'static [(&'static str, &'static str, Read)],
) -> Source {
    Source { field, kind, is_persistent, lines, persistent_lines: &[] }
}

use Read::{Flag, Joined, List, Map, Number, Or, Reference, Text};

/// The sources that are plain lists of fields, in the order in which kubectl looks for them.
static SOURCES: &[Source] = &[
    source(
        "hostPath",
        "HostPath (bare host directory volume)",
        true,
        &[("Path", "path", Text), ("HostPathType", "type", Or("<none>"))],
    ),
    source(
        "gcePersistentDisk",
        "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        true,
        &[
            ("PDName", "pdName", Text),
            ("FSType", "fsType", Text),
            ("Partition", "partition", Number),
            ("ReadOnly", "readOnly", Flag),
        ],
    ),
    source(
        "awsElasticBlockStore",
        "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        true,
        &[
            ("VolumeID", "volumeID", Text),
            ("FSType", "fsType", Text),
            ("Partition", "partition", Number),
            ("ReadOnly", "readOnly", Flag),
        ],
    ),
    source(
        "gitRepo",
        "GitRepo (a volume that is pulled from git when the pod is created)",
        false,
        &[("Repository", "repository", Text), ("Revision", "revision", Text)],
    ),
    source(
        "secret",
        "Secret (a volume populated by a Secret)",
        false,
        &[("SecretName", "secretName", Text), ("Optional", "optional", Flag)],
    ),
    source(
        "configMap",
        "ConfigMap (a volume populated by a ConfigMap)",
        false,
        &[("Name", "name", Text), ("Optional", "optional", Flag)],
    ),
    source(
        "nfs",
        "NFS (an NFS mount that lasts the lifetime of a pod)",
        true,
        &[("Server", "server", Text), ("Path", "path", Text), ("ReadOnly", "readOnly", Flag)],
    ),
    source(
        "iscsi",
        "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)",
        true,
        &[
            ("TargetPortal", "targetPortal", Text),
            ("IQN", "iqn", Text),
            ("Lun", "lun", Number),
            ("ISCSIInterface", "iscsiInterface", Text),
            ("FSType", "fsType", Text),
            ("ReadOnly", "readOnly", Flag),
            ("Portals", "portals", List),
            ("DiscoveryCHAPAuth", "chapAuthDiscovery", Flag),
            ("SessionCHAPAuth", "chapAuthSession", Flag),
            ("SecretRef", "secretRef", Reference),
            ("InitiatorName", "initiatorName", Or("<none>")),
        ],
    ),
    Source {
        persistent_lines: &[(1, ("EndpointsNamespace", "endpointsNamespace", Or("<unset>")))],
        ..source(
            "glusterfs",
            "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)",
            true,
            &[("EndpointsName", "endpoints", Text), ("Path", "path", Text), ("ReadOnly", "readOnly", Flag)],
        )
    },
    source(
        "persistentVolumeClaim",
        "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
        false,
        &[("ClaimName", "claimName", Text), ("ReadOnly", "readOnly", Flag)],
    ),
    source(
        "rbd",
        "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)",
        true,
        &[
            ("CephMonitors", "monitors", List),
            ("RBDImage", "image", Text),
            ("FSType", "fsType", Text),
            ("RBDPool", "pool", Text),
            ("RadosUser", "user", Text),
            ("Keyring", "keyring", Text),
            ("SecretRef", "secretRef", Reference),
            ("ReadOnly", "readOnly", Flag),
        ],
    ),
    source(
        "quobyte",
        "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
        true,
        &[("Registry", "registry", Text), ("Volume", "volume", Text), ("ReadOnly", "readOnly", Flag)],
    ),
    source(
        "azureDisk",
        "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
        true,
        &[
            ("DiskName", "diskName", Text),
            ("DiskURI", "diskURI", Text),
            ("Kind", "kind", Text),
            ("FSType", "fsType", Text),
            ("CachingMode", "cachingMode", Text),
            ("ReadOnly", "readOnly", Flag),
        ],
    ),
    source(
        "vsphereVolume",
        "vSphereVolume (a Persistent Disk resource in vSphere)",
        true,
        &[
            ("VolumePath", "volumePath", Text),
            ("FSType", "fsType", Text),
            ("StoragePolicyName", "storagePolicyName", Text),
        ],
    ),
    source(
        "cinder",
        "Cinder (a Persistent Disk resource in OpenStack)",
        true,
        &[
            ("VolumeID", "volumeID", Text),
            ("FSType", "fsType", Text),
            ("ReadOnly", "readOnly", Flag),
            ("SecretRef", "secretRef", Reference),
        ],
    ),
    source(
        "photonPersistentDisk",
        "PhotonPersistentDisk (a Persistent Disk resource in photon platform)",
        true,
        &[("PdID", "pdID", Text), ("FSType", "fsType", Text)],
    ),
    source("portworxVolume", "PortworxVolume (a Portworx Volume resource)", true, &[("VolumeID", "volumeID", Text)]),
    Source {
        persistent_lines: &[
            (6, ("SecretName", "secretRef.name", Text)),
            (6, ("SecretNamespace", "secretRef.namespace", Text)),
        ],
        ..source(
            "scaleIO",
            "ScaleIO (a persistent volume backed by a block device in ScaleIO)",
            true,
            &[
                ("Gateway", "gateway", Text),
                ("System", "system", Text),
                ("Protection Domain", "protectionDomain", Text),
                ("Storage Pool", "storagePool", Text),
                ("Storage Mode", "storageMode", Text),
                ("VolumeName", "volumeName", Text),
                ("FSType", "fsType", Text),
                ("ReadOnly", "readOnly", Flag),
            ],
        )
    },
    source(
        "local",
        "LocalVolume (a persistent volume backed by local storage on a node)",
        true,
        &[("Path", "path", Text)],
    ),
    source(
        "cephfs",
        "CephFS (a CephFS mount on the host that shares a pod's lifetime)",
        true,
        &[
            ("Monitors", "monitors", List),
            ("Path", "path", Text),
            ("User", "user", Text),
            ("SecretFile", "secretFile", Text),
            ("SecretRef", "secretRef", Reference),
            ("ReadOnly", "readOnly", Flag),
        ],
    ),
    source(
        "storageos",
        "StorageOS (a StorageOS Persistent Disk resource)",
        true,
        &[
            ("VolumeName", "volumeName", Text),
            ("VolumeNamespace", "volumeNamespace", Text),
            ("FSType", "fsType", Text),
            ("ReadOnly", "readOnly", Flag),
        ],
    ),
    source(
        "fc",
        "FC (a Fibre Channel disk)",
        true,
        &[
            ("TargetWWNs", "targetWWNs", Joined),
            ("LUN", "lun", Or("<none>")),
            ("FSType", "fsType", Text),
            ("ReadOnly", "readOnly", Flag),
        ],
    ),
    Source {
        persistent_lines: &[(1, ("SecretNamespace", "secretNamespace", Text))],
        ..source(
            "azureFile",
            "AzureFile (an Azure File Service mount on the host and bind mount to the pod)",
            true,
            &[("SecretName", "secretName", Text), ("ShareName", "shareName", Text), ("ReadOnly", "readOnly", Flag)],
        )
    },
    source(
        "flexVolume",
        "FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)",
        true,
        &[
            ("Driver", "driver", Text),
            ("FSType", "fsType", Text),
            ("SecretRef", "secretRef", Reference),
            ("ReadOnly", "readOnly", Flag),
            ("Options", "options", Map),
        ],
    ),
    source(
        "flocker",
        "Flocker (a Flocker volume mounted by the Flocker agent)",
        true,
        &[("DatasetName", "datasetName", Text), ("DatasetUUID", "datasetUUID", Text)],
    ),
    source(
        "image",
        "Image (a container image or OCI artifact)",
        false,
        &[("Reference", "reference", Text), ("PullPolicy", "pullPolicy", Text)],
    ),
];

impl Source {
    fn write(&self, w: &mut Writer, value: &Value, owner: Owner) {
        kind(w, self.kind);
        for (index, &line) in self.lines.iter().enumerate() {
            if owner == Owner::PersistentVolume {
                for (_, extra) in self.persistent_lines.iter().filter(|(place, _)| *place == index) {
                    field(w, value, *extra);
                }
            }
            field(w, value, line);
        }
    }
}

fn kind(w: &mut Writer, kind: &str) {
    w.field(2, "Type", kind);
}

fn field(w: &mut Writer, source: &Value, (title, path, read): (&str, &str, Read)) {
    let value = at(source, path);
    let shown = match read {
        Text => scalar(value),
        Number => value.as_i64().unwrap_or_default().to_string(),
        Flag => value.as_bool().unwrap_or_default().to_string(),
        List => go_list(source, path),
        Joined => texts(source, path).join(", "),
        Or(missing) => scalar_or(source, path, missing),
        Map => {
            if value.is_null() {
                "map[]".to_owned()
            } else {
                go_value(value)
            }
        }
        Reference if value.is_null() => "nil".to_owned(),
        Reference => reference(value),
    };
    match title {
        // kubectl forgot this one colon, and has a space more in the other.
        "ISCSIInterface" => w.line(2, &format!("{title}\t{shown}")),
        "Kind" => w.line(2, &format!("{title}: \t{shown}")),
        _ => w.field(2, title, shown),
    }
}

/// A secret reference as its `String` method prints it.
fn reference(value: &Value) -> String {
    let mut fields = format!("Name:{},", text(value, "name"));
    let kind = if has(value, "namespace") {
        fields += &format!("Namespace:{},", text(value, "namespace"));
        "SecretReference"
    } else {
        "LocalObjectReference"
    };
    format!("&{kind}{{{fields}}}")
}

/// The sources of a pod's volume that are more than a list of fields.
fn special(w: &mut Writer, volume: &Value) {
    if has(volume, "emptyDir") {
        kind(w, "EmptyDir (a temporary directory that shares a pod's lifetime)");
        let limit = scalar(at(volume, "emptyDir.sizeLimit"));
        let is_set = limit.parse::<Quantity>().is_ok_and(|limit| limit.sign() > 0);
        w.field(2, "Medium", text(volume, "emptyDir.medium"));
        w.field(2, "SizeLimit", if is_set { limit.as_str() } else { "<unset>" });
    } else if has(volume, "ephemeral") {
        kind(w, "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)");
        let template = at(volume, "ephemeral.volumeClaimTemplate");
        if !template.is_null() {
            w.nested(2, |w| super::storage::claim_template(w, template));
        }
    } else if has(volume, "downwardAPI") {
        kind(w, "DownwardAPI (a volume populated by information about the pod)");
        w.line(2, "Items:");
        for item in list(volume, "downwardAPI.items") {
            for path in ["fieldRef.fieldPath", "resourceFieldRef.resource"] {
                if has(item, path) {
                    w.line(3, &format!("{} -> {}", text(item, path), text(item, "path")));
                }
            }
        }
    } else if has(volume, "projected") {
        projected(w, list(volume, "projected.sources"));
    } else if has(volume, "csi") {
        let csi = at(volume, "csi");
        kind(w, "CSI (a Container Storage Interface (CSI) volume source)");
        w.field(2, "Driver", text(csi, "driver"));
        w.field(2, "FSType", text(csi, "fsType"));
        w.field(2, "ReadOnly", flag(csi, "readOnly"));
        attributes(w, csi);
    } else {
        w.line(1, "<unknown>");
    }
}

fn projected(w: &mut Writer, sources: &[Value]) {
    kind(w, "Projected (a volume that contains injected data from multiple sources)");
    for source in sources {
        if has(source, "secret") {
            w.field(2, "SecretName", text(source, "secret.name"));
            w.field(2, "Optional", flag(source, "secret.optional"));
        } else if has(source, "downwardAPI") {
            w.field(2, "DownwardAPI", true);
        } else if has(source, "configMap") {
            w.field(2, "ConfigMapName", text(source, "configMap.name"));
            w.field(2, "Optional", flag(source, "configMap.optional"));
        } else if has(source, "serviceAccountToken") {
            w.field(2, "TokenExpirationSeconds", scalar(at(source, "serviceAccountToken.expirationSeconds")));
        }
    }
}

fn attributes(w: &mut Writer, csi: &Value) {
    w.put(2, "VolumeAttributes:\t");
    let attributes = entries(csi, "volumeAttributes");
    if attributes.is_empty() {
        return w.line(0, "<none>");
    }
    for (index, (key, value)) in attributes.iter().enumerate() {
        if index != 0 {
            w.put(2, "");
            w.put(2, "\t");
        }
        w.line(2, &super::common::shorten(&format!("{key}={value}"), 140));
    }
}
