//! The command `kubectl describe`: which objects, one after the other.

use super::command::Describe;
use super::describe::describe_object;
use super::filter::select;
use super::look::name;
use super::resources;
use super::view::{Output, View};

/// The text of `kubectl describe`.
pub(crate) fn describe(command: &Describe, view: &View<'_>) -> Output {
    match try_describe(command, view) {
        Ok(output) | Err(output) => output,
    }
}

fn try_describe(command: &Describe, view: &View<'_>) -> Result<Output, Output> {
    let selection = &command.selection;
    if selection.args.is_empty() {
        return Err(Output::failure(
            "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a complete list of \
             supported resources.",
        ));
    }
    let wanted = resources::wanted(&selection.args, view)?;
    let scope = &selection.scope;
    let place = (!scope.all_namespaces).then(|| scope.namespace.as_deref().unwrap_or(view.namespace));
    let mut output = Output::default();
    let (mut texts, mut is_namespaced) = (Vec::new(), true);
    for one in &wanted {
        is_namespaced &= one.resource.namespaced;
        let mut found = resources::objects(&one.resource, place, view);
        match &one.name {
            None => {
                let (labels, fields) = (selection.selector.as_deref(), selection.field_selector.as_deref());
                select(&mut found, &one.resource, labels, fields)?;
            }
            Some(called) => {
                // Without an object of that name all are described whose names begin like it.
                let is_exact = found.iter().any(|object| name(object) == called);
                found.retain(|object| if is_exact { name(object) == called } else { name(object).starts_with(called) });
                if found.is_empty() {
                    output.stderr.push_str(&one.resource.not_found(called));
                    output.exit = 1;
                }
            }
        }
        texts.extend(found.into_iter().map(|object| {
            if command.show_events {
                return describe_object(object, view);
            }
            describe_without_events(object, view)
        }));
    }
    output.stdout = texts.join("\n\n");
    if output.stdout.is_empty() && output.stderr.is_empty() {
        output.stderr = match place.filter(|_| is_namespaced) {
            Some(namespace) => format!("No resources found in {namespace} namespace.\n"),
            None => "No resources found\n".to_owned(),
        };
    }
    Ok(output)
}

/// A description without its last part: the events.
fn describe_without_events(object: &serde_json::Value, view: &View<'_>) -> String {
    let text = describe_object(object, view);
    match text.rfind("\nEvents:") {
        Some(end) => text[..=end].to_owned(),
        None => text,
    }
}
