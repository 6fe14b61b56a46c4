//! The tables of volumes, claims, classes and CSI objects.

use serde_json::Value;

use super::{Table, name, table};
use crate::kubectl::look::{at, entry, flag, has, list, scalar_or, text, texts};

pub(super) const PERSISTENT_VOLUME: Table = table(
    &[
        "NAME",
        "CAPACITY",
        "ACCESS MODES",
        "RECLAIM POLICY",
        "STATUS",
        "CLAIM",
        "STORAGECLASS",
        "VOLUMEATTRIBUTESCLASS",
        "REASON",
        "AGE",
        "+VOLUMEMODE",
    ],
    |volume, scene| {
        let claim = match at(volume, "spec.claimRef") {
            Value::Null => String::new(),
            claim => format!("{}/{}", text(claim, "namespace"), text(claim, "name")),
        };
        vec![
            name(volume),
            scalar_or(volume, "spec.capacity.storage", "0"),
            access_modes(at(volume, "spec.accessModes")),
            text(volume, "spec.persistentVolumeReclaimPolicy").to_owned(),
            phase(volume),
            claim,
            storage_class(volume),
            scalar_or(volume, "spec.volumeAttributesClassName", "<unset>"),
            text(volume, "status.reason").to_owned(),
            scene.age(volume),
            scalar_or(volume, "spec.volumeMode", "<unset>"),
        ]
    },
);

pub(super) const PERSISTENT_VOLUME_CLAIM: Table = table(
    &[
        "NAME",
        "STATUS",
        "VOLUME",
        "CAPACITY",
        "ACCESS MODES",
        "STORAGECLASS",
        "VOLUMEATTRIBUTESCLASS",
        "AGE",
        "+VOLUMEMODE",
    ],
    |claim, scene| {
        let volume = text(claim, "spec.volumeName");
        let (capacity, modes) = match volume {
            "" => (String::new(), String::new()),
            _ => (scalar_or(claim, "status.capacity.storage", "0"), access_modes(at(claim, "status.accessModes"))),
        };
        vec![
            name(claim),
            phase(claim),
            volume.to_owned(),
            capacity,
            modes,
            storage_class(claim),
            scalar_or(claim, "spec.volumeAttributesClassName", "<unset>"),
            scene.age(claim),
            scalar_or(claim, "spec.volumeMode", "<unset>"),
        ]
    },
);

fn phase(object: &Value) -> String {
    let deleted = has(object, "metadata.deletionTimestamp");
    if deleted { "Terminating".to_owned() } else { text(object, "status.phase").to_owned() }
}

/// The class of a volume or claim: the old annotation, else the field.
pub(crate) fn storage_class(object: &Value) -> String {
    entry(object, "metadata.annotations", "volume.beta.kubernetes.io/storage-class")
        .unwrap_or_else(|| text(object, "spec.storageClassName"))
        .to_owned()
}

/// `RWO,ROX,RWX,RWOP`, each at most once and in that order.
pub(crate) fn access_modes(modes: &Value) -> String {
    let has = |mode: &str| modes.as_array().is_some_and(|modes| modes.iter().any(|one| one == mode));
    let short =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    short.iter().filter(|(mode, _)| has(mode)).map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

/// Whether an annotation makes a storage class the default one.
pub(crate) fn is_default_class(object: &Value) -> bool {
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]
        .iter()
        .any(|key| entry(object, "metadata.annotations", key) == Some("true"))
}

pub(super) const STORAGE_CLASS: Table = table(
    &["NAME", "PROVISIONER", "RECLAIMPOLICY", "VOLUMEBINDINGMODE", "ALLOWVOLUMEEXPANSION", "AGE"],
    |class, scene| {
        vec![
            if is_default_class(class) { format!("{} (default)", name(class)) } else { name(class) },
            text(class, "provisioner").to_owned(),
            scalar_or(class, "reclaimPolicy", "Delete"),
            scalar_or(class, "volumeBindingMode", "Immediate"),
            flag(class, "allowVolumeExpansion").to_string(),
            scene.age(class),
        ]
    },
);

pub(super) const VOLUME_ATTRIBUTES_CLASS: Table = table(&["NAME", "DRIVERNAME", "AGE"], |class, scene| {
    vec![name(class), text(class, "driverName").to_owned(), scene.age(class)]
});

pub(super) const VOLUME_ATTACHMENT: Table =
    table(&["NAME", "ATTACHER", "PV", "NODE", "ATTACHED", "AGE"], |object, scene| {
        vec![
            name(object),
            text(object, "spec.attacher").to_owned(),
            text(object, "spec.source.persistentVolumeName").to_owned(),
            text(object, "spec.nodeName").to_owned(),
            flag(object, "status.attached").to_string(),
            scene.age(object),
        ]
    });

pub(super) const CSI_DRIVER: Table = table(
    &[
        "NAME",
        "ATTACHREQUIRED",
        "PODINFOONMOUNT",
        "STORAGECAPACITY",
        "TOKENREQUESTS",
        "REQUIRESREPUBLISH",
        "MODES",
        "AGE",
    ],
    |driver, scene| {
        let audiences = list(driver, "spec.tokenRequests").iter().map(|token| text(token, "audience"));
        let tokens = match at(driver, "spec.tokenRequests") {
            Value::Null => "<unset>".to_owned(),
            _ => audiences.collect::<Vec<_>>().join(","),
        };
        let modes = texts(driver, "spec.volumeLifecycleModes").join(",");
        vec![
            name(driver),
            at(driver, "spec.attachRequired").as_bool().unwrap_or(true).to_string(),
            flag(driver, "spec.podInfoOnMount").to_string(),
            flag(driver, "spec.storageCapacity").to_string(),
            tokens,
            flag(driver, "spec.requiresRepublish").to_string(),
            if modes.is_empty() { "<none>".to_owned() } else { modes },
            scene.age(driver),
        ]
    },
);

pub(super) const CSI_NODE: Table = table(&["NAME", "DRIVERS", "AGE"], |object, scene| {
    vec![name(object), list(object, "spec.drivers").len().to_string(), scene.age(object)]
});

pub(super) const CSI_STORAGE_CAPACITY: Table = table(&["NAME", "STORAGECLASSNAME", "CAPACITY"], |object, _| {
    vec![name(object), text(object, "storageClassName").to_owned(), scalar_or(object, "capacity", "<unset>")]
});

pub(super) const STORAGE_VERSION: Table =
    table(&["NAME", "COMMONENCODINGVERSION", "STORAGEVERSIONS", "AGE"], |object, scene| {
        let versions: Vec<String> = list(object, "status.storageVersions")
            .iter()
            .map(|version| format!("{}={}", text(version, "apiServerID"), text(version, "encodingVersion")))
            .collect();
        let shown = super::network::first_of(&versions, 3);
        vec![
            name(object),
            scalar_or(object, "status.commonEncodingVersion", "<unset>"),
            if shown.is_empty() { "<unset>".to_owned() } else { shown },
            scene.age(object),
        ]
    });

pub(super) const STORAGE_VERSION_MIGRATION: Table = table(&["NAME", "RESOURCE"], |object, _| {
    let resource = at(object, "spec.resource");
    vec![name(object), format!("{}.{}", text(resource, "resource"), text(resource, "group"))]
});
