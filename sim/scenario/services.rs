//! Services that probes depend on and nobody creates: a warning, since a step may do so in a way that is not seen here.

use serde_json::Value;

use crate::api::document::{Document, Part};
use crate::client::{Action, Step};
use crate::error::{Error, nearest};

/// One warning for every `dependsOn` that names a Service which no manifest of the scenario has.
pub(super) fn unknown_services(document: &Document, models: &[Value], objects: &[Value], steps: &[Step]) -> Vec<Error> {
    let applied = steps.iter().flat_map(|step| match &step.action {
        Action::Apply(manifests) => manifests.iter().collect(),
        Action::Submit(submission) => submission.manifests.iter().map(|(_, manifest)| manifest).collect(),
        _ => Vec::new(),
    });
    let services = objects.iter().chain(applied).filter(|object| object["kind"] == "Service");
    let known: Vec<(&str, &str)> = services
        .filter_map(|service| {
            let namespace = service["metadata"]["namespace"].as_str().unwrap_or("default");
            Some((namespace, service["metadata"]["name"].as_str()?))
        })
        .collect();
    let mut out = Vec::new();
    for (path, wanted) in dependencies(models) {
        let is_known = |&(namespace, name): &(&str, &str)| match wanted.split_once('/') {
            Some(wanted) => wanted == (namespace, name),
            None => wanted == name,
        };
        if known.iter().any(is_known) {
            continue;
        }
        let error = Error::new(format!("no manifest has the Service `{wanted}`: until there is one, the probe fails"));
        let full: Vec<String> = known.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
        let names = match wanted.contains('/') {
            true => full.iter().map(String::as_str).collect::<Vec<_>>(),
            false => known.iter().map(|&(_, name)| name).collect(),
        };
        let error = match nearest(wanted, names) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        };
        out.push(error.at(document.place(&path, Part::Value)));
    }
    out
}

/// All services named in `dependsOn`, with their places.
fn dependencies(models: &[Value]) -> Vec<(String, &str)> {
    let mut out = Vec::new();
    for (idx, model) in models.iter().enumerate() {
        for probe in ["startup", "readiness", "liveness"] {
            let path = format!("spec.models[{idx}].probes.{probe}.dependsOn");
            match &model["probes"][probe]["dependsOn"] {
                Value::String(name) => out.push((path, name.as_str())),
                Value::Array(names) => {
                    let named = names.iter().enumerate().filter_map(|(nth, name)| Some((nth, name.as_str()?)));
                    out.extend(named.map(|(nth, name)| (format!("{path}[{nth}]"), name)));
                }
                _ => {}
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::scenario::{LoadOptions, load_scenario_text};

    fn warnings(depends_on: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nspec:\n  models:\n  - probes: {{readiness: {{dependsOn: {depends_on}}}}}\n  \
             steps:\n  - {{at: 1m, scale: deployment/web, replicas: 2}}\n---\napiVersion: v1\nkind: Service\n\
             metadata: {{name: database}}\nspec: {{ports: [{{port: 80}}]}}\n---\napiVersion: apps/v1\nkind: Deployment\n\
             metadata: {{name: web}}\nspec: {{selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, \
             spec: {{containers: [{{name: c, image: a}}]}}}}}}\n"
        );
        let loaded = load_scenario_text("t", &text, &LoadOptions::default()).expect("right");
        loaded
            .warnings
            .iter()
            .map(|warning| format!("{} {}", warning.what, warning.help.as_deref().unwrap_or("")))
            .collect()
    }

    #[test]
    fn services_that_nobody_creates_are_warned_about_with_the_nearest_name() {
        assert_eq!(warnings("database"), [""; 0]);
        assert_eq!(warnings("[default/database]"), [""; 0]);
        let near =
            "no manifest has the Service `databse`: until there is one, the probe fails did you mean `database`?";
        assert_eq!(warnings("[database, databse]"), [near]);
        assert_eq!(warnings("other/database").len(), 1);
    }
}
