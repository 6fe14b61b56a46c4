//! The tables of configuration, accounts and quotas.

use super::{Table, name, table};
use crate::kubectl::look::{at, entries, map, scalar, text};

pub(super) const CONFIG_MAP: Table = table(&["NAME", "DATA", "AGE"], |object, scene| {
    let size = |path| map(object, path).map_or(0, serde_json::Map::len);
    vec![name(object), (size("data") + size("binaryData")).to_string(), scene.age(object)]
});

pub(super) const SECRET: Table = table(&["NAME", "TYPE", "DATA", "AGE"], |object, scene| {
    let size = map(object, "data").map_or(0, serde_json::Map::len);
    vec![name(object), text(object, "type").to_owned(), size.to_string(), scene.age(object)]
});

pub(super) const SERVICE_ACCOUNT: Table =
    table(&["NAME", "AGE"], |object, scene| vec![name(object), scene.age(object)]);

pub(super) const RESOURCE_QUOTA: Table = table(&["NAME", "REQUEST", "LIMIT", "AGE"], |object, scene| {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in entries(object, "status.hard") {
        let used = match at(object, "status.used").get(resource) {
            Some(used) => scalar(used),
            None => "0".to_owned(),
        };
        let side = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
        side.push(format!("{resource}: {used}/{hard}"));
    }
    vec![name(object), requests.join(", "), limits.join(", "), scene.age(object)]
});
