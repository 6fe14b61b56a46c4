//! Admission of claims and ingresses: DefaultStorageClass, PersistentVolumeClaimResize, DefaultIngressClass.

use serde_json::Value;

use super::Lookup;
use crate::api::quantity::Quantity;
use crate::api::view::{ensure, get, has, put, text};

/// DefaultStorageClass: a claim that names no class gets the default one, the newest if there are several, then the first by name.
pub(super) fn default_storage_class(claim: &mut Value, lookup: &dyn Lookup) {
    let annotated = has(get(get(claim, "metadata"), "annotations"), "volume.beta.kubernetes.io/storage-class");
    if has(get(claim, "spec"), "storageClassName") || annotated {
        return;
    }
    let defaults = defaults(lookup.all_of("StorageClass"), "storageclass");
    if let Some(class) = defaults.first() {
        put(ensure(claim, "spec"), "storageClassName", text(get(class, "metadata"), "name"));
    }
}

/// DefaultIngressClass: an ingress that names no class gets the default one.
pub(super) fn default_ingress_class(ingress: &mut Value, lookup: &dyn Lookup) -> Result<(), String> {
    let annotated = has(get(get(ingress, "metadata"), "annotations"), "kubernetes.io/ingress.class");
    if has(get(ingress, "spec"), "ingressClassName") || annotated {
        return Ok(());
    }
    let defaults = defaults(lookup.all_of("IngressClass"), "ingressclass");
    if let Some(class) = defaults.first() {
        put(ensure(ingress, "spec"), "ingressClassName", text(get(class, "metadata"), "name"));
    }
    Ok(())
}

/// The classes that are marked as default, the newest first.
fn defaults(classes: Vec<Value>, group: &str) -> Vec<Value> {
    let marked = |class: &Value| {
        let annotations = get(get(class, "metadata"), "annotations");
        text(annotations, &format!("{group}.kubernetes.io/is-default-class")) == "true"
            || text(annotations, &format!("{group}.beta.kubernetes.io/is-default-class")) == "true"
    };
    let mut defaults: Vec<Value> = classes.into_iter().filter(marked).collect();
    let created = |class: &Value| text(get(class, "metadata"), "creationTimestamp").to_owned();
    defaults.sort_by(|a, b| {
        let name = |class: &Value| text(get(class, "metadata"), "name").to_owned();
        created(b).cmp(&created(a)).then_with(|| name(a).cmp(&name(b)))
    });
    defaults
}

/// PersistentVolumeClaimResize: only bound claims grow, and only if their class allows it.
pub(super) fn validate_resize(new: &Value, old: &Value, lookup: &dyn Lookup) -> Result<(), String> {
    let size = |claim: &Value| {
        let storage = get(get(get(get(claim, "spec"), "resources"), "requests"), "storage");
        serde_json::from_value::<Quantity>(storage.clone()).unwrap_or(Quantity::ZERO)
    };
    if size(new) <= size(old) {
        return Ok(());
    }
    if text(get(old, "status"), "phase") != "Bound" {
        return Err("Only bound persistent volume claims can be expanded".to_owned());
    }
    let class = |claim: &Value| text(get(claim, "spec"), "storageClassName").to_owned();
    if class(new) != class(old) || !lookup.allows_expansion(&class(new)) {
        return Err("only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize".to_owned());
    }
    Ok(())
}
