//! The tables of dynamic resource allocation.

use super::{Table, name, table};
use crate::kubectl::age;
use crate::kubectl::look::{at, has, list, text};

pub(super) const NAMED: Table = table(&["NAME", "AGE"], |object, scene| vec![name(object), scene.age(object)]);

pub(super) const RESOURCE_CLAIM: Table = table(&["NAME", "STATE", "AGE"], |claim, scene| {
    let is_deleted = has(claim, "metadata.deletionTimestamp");
    let mut states = Vec::new();
    states.extend(is_deleted.then_some("deleted"));
    if has(claim, "status.allocation") {
        states.push("allocated");
        states.extend((!list(claim, "status.reservedFor").is_empty()).then_some("reserved"));
    } else {
        states.extend((!is_deleted).then_some("pending"));
    }
    vec![name(claim), states.join(","), scene.age(claim)]
});

pub(super) const RESOURCE_SLICE: Table = table(&["NAME", "NODE", "DRIVER", "POOL", "AGE"], |slice, scene| {
    let [node, driver, pool] =
        ["spec.nodeName", "spec.driver", "spec.pool.name"].map(|path| text(slice, path).to_owned());
    vec![name(slice), node, driver, pool, scene.age(slice)]
});

pub(super) const DEVICE_TAINT_RULE: Table =
    table(&["NAME", "KEY", "VALUE", "EFFECT", "TIMEADDED", "AGE"], |rule, scene| {
        let taint = at(rule, "spec.taint");
        let [key, value, effect] = ["key", "value", "effect"].map(|field| text(taint, field).to_owned());
        let added = if has(taint, "timeAdded") { age::since(at(taint, "timeAdded"), scene.now) } else { String::new() };
        vec![name(rule), key, value, effect, added, scene.age(rule)]
    });
