//! `kubectl get`: objects as tables, names, JSON, YAML, or through a template.
//!
//! Source: kubectl `pkg/cmd/get/get.go`, cli-runtime `printers/tableprinter.go`.

use serde_json::{Value, json};

use super::command::{Get, Selection};
use super::custom_columns::CustomColumns;
use super::filter::select;
use super::gotemplate::GoTemplate;
use super::jsonpath::JsonPath;
use super::labels::format_labels;
use super::look::{entry, name, namespace};
use super::printers::{Scene, custom_table, table_of};
use super::resources::{self, Resource, Wanted};
use super::sorting::sort_by;
use super::tabs::{TABLE, align, escape};
use super::view::{Output, View};
use super::{json, yaml};

/// Objects of one kind, in the order in which they are printed.
struct Group<'a> {
    resource: Resource<'a>,
    objects: Vec<&'a Value>,
}

/// The text of `kubectl get`.
pub(crate) fn get(command: &Get, view: &View<'_>) -> Output {
    match try_get(command, view) {
        Ok(output) | Err(output) => output,
    }
}

fn try_get(command: &Get, view: &View<'_>) -> Result<Output, Output> {
    let selection = &command.selection;
    if selection.args.is_empty() {
        return Err(Output::failure(
            "You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported \
             resources.\n\nerror: Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed \
             description of that resource (e.g. kubectl explain pods).\nSee 'kubectl get -h' for help and examples",
        ));
    }
    let wanted = resources::wanted(&selection.args, view)?;
    let (mut groups, mut errors) = collect(&wanted, selection, view)?;
    if command.ignore_not_found {
        errors.clear();
    }
    if let Some(path) = &command.sort_by {
        let failed = |error: String| Output::failure(format!("error: {error}"));
        for group in groups.iter_mut().filter(|group| !group.objects.is_empty()) {
            sort_by(&mut group.objects, path).map_err(failed)?;
        }
    }
    let is_single = wanted.len() == 1 && wanted[0].name.is_some();
    let mut output = match command.output.as_deref() {
        None | Some("" | "wide") => tables(command, &groups, errors.is_empty(), view),
        Some(format) => {
            if is_single && !errors.is_empty() {
                Output::default()
            } else {
                formatted(format, command, &groups, is_single, view)?
            }
        }
    };
    if !errors.is_empty() {
        output.stderr.push_str(&errors.concat());
        output.exit = 1;
    }
    Ok(output)
}

/// The objects that a selection means, by kind, and an error for each name that is not there.
fn collect<'a>(
    wanted: &[Wanted<'a>],
    selection: &Selection,
    view: &View<'a>,
) -> Result<(Vec<Group<'a>>, Vec<String>), Output> {
    let (scope, has_names) = (&selection.scope, wanted.iter().any(|wanted| wanted.name.is_some()));
    if has_names && (selection.selector.is_some() || selection.field_selector.is_some()) {
        return Err(Output::failure("error: name cannot be provided when a selector is specified"));
    }
    if has_names && scope.all_namespaces {
        return Err(Output::failure("error: a resource cannot be retrieved by name across all namespaces"));
    }
    let place = (!scope.all_namespaces).then(|| scope.namespace.as_deref().unwrap_or(view.namespace));
    let (mut groups, mut errors): (Vec<Group<'a>>, _) = (Vec::new(), Vec::new());
    for one in wanted {
        let objects = match &one.name {
            Some(called) => match resources::object(&one.resource, place.unwrap_or_default(), called, view) {
                Some(object) => vec![object],
                None => {
                    errors.push(one.resource.not_found(called));
                    continue;
                }
            },
            None => {
                let mut found = resources::objects(&one.resource, place, view);
                let (labels, fields) = (selection.selector.as_deref(), selection.field_selector.as_deref());
                select(&mut found, &one.resource, labels, fields)?;
                found
            }
        };
        match groups.last_mut() {
            Some(group) if group.resource.resource() == one.resource.resource() => group.objects.extend(objects),
            _ => groups.push(Group { resource: one.resource.clone(), objects }),
        }
    }
    Ok((groups, errors))
}

fn tables(command: &Get, groups: &[Group<'_>], all_found: bool, view: &View<'_>) -> Output {
    let mut output = Output::default();
    let scope = &command.selection.scope;
    let with_kind = command.show_kind || resources::is_mixed(&command.selection.args);
    for group in groups.iter().filter(|group| !group.objects.is_empty()) {
        if !output.stdout.is_empty() {
            output.stdout.push('\n');
        }
        output.stdout.push_str(&align(&group_table(command, group, with_kind, view), TABLE));
    }
    if output.stdout.is_empty() && all_found && !command.ignore_not_found {
        let is_namespaced = !scope.all_namespaces && groups.iter().all(|group| group.resource.namespaced);
        output.stderr = match is_namespaced {
            true => {
                let namespace = scope.namespace.as_deref().unwrap_or(view.namespace);
                format!("No resources found in {namespace} namespace.\n")
            }
            false => "No resources found\n".to_owned(),
        };
    }
    output
}

/// The table of one kind, its cells separated by tabs.
fn group_table(command: &Get, group: &Group<'_>, with_kind: bool, view: &View<'_>) -> String {
    let wide = command.output.as_deref() == Some("wide");
    let scene = Scene { now: view.now };
    let (columns, rows): (Vec<String>, Vec<Vec<String>>) = match group.resource.custom {
        Some(version) => custom_table(version, &group.objects, scene),
        None => {
            let table = table_of(&group.resource.kind, &group.resource.group);
            let rows = group.objects.iter().map(|object| (table.row)(object, scene)).collect();
            (table.columns.iter().map(|&column| column.to_owned()).collect(), rows)
        }
    };
    let shown = |index: usize| wide || !columns[index].starts_with('+');
    let with_namespace = command.selection.scope.all_namespaces && group.resource.namespaced;
    let mut lines = Vec::new();
    if !command.no_headers {
        let mut header: Vec<String> = with_namespace.then(|| "NAMESPACE".to_owned()).into_iter().collect();
        let names = (0..columns.len()).filter(|&index| shown(index)).map(|index| &columns[index]);
        header.extend(names.map(|name| name.trim_start_matches('+').to_owned()));
        let labels = command.label_columns.iter().map(|label| label.rsplit('/').next().unwrap_or(label));
        header.extend(labels.map(str::to_uppercase));
        header.extend(command.show_labels.then(|| "LABELS".to_owned()));
        lines.push(header.join("\t"));
    }
    for (object, cells) in group.objects.iter().zip(rows) {
        let mut line: Vec<String> = with_namespace.then(|| namespace(object).to_owned()).into_iter().collect();
        for (index, cell) in cells.into_iter().enumerate().filter(|(index, _)| shown(*index)) {
            let is_name = columns[index].trim_start_matches('+') == "NAME";
            let cell = if is_name && with_kind { format!("{}/{cell}", group.resource.prefix()) } else { cell };
            line.push(first_line(&cell));
        }
        for label in &command.label_columns {
            line.push(entry(object, "metadata.labels", label).unwrap_or_default().to_owned());
        }
        line.extend(command.show_labels.then(|| format_labels(object, "metadata.labels")));
        lines.push(line.join("\t"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A cell up to its first line break.
fn first_line(cell: &str) -> String {
    match cell.find(['\n', '\r', '\x0c']) {
        Some(end) => format!("{}...", escape(&cell[..end])),
        None => escape(cell),
    }
}

/// The formats that kubectl knows, as its error lists them.
const FORMATS: &str = "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,\
                       jsonpath-file,kyaml,name,template,templatefile,wide,yaml";

fn formatted(
    format: &str,
    command: &Get,
    groups: &[Group<'_>],
    is_single: bool,
    view: &View<'_>,
) -> Result<Output, Output> {
    let objects: Vec<&Value> = groups.iter().flat_map(|group| group.objects.iter().copied()).collect();
    let (kind, argument) = format.split_once('=').unwrap_or((format, ""));
    let whole = || {
        let shown = |object: &Value| clean(object, command.show_managed_fields);
        match (is_single, objects.as_slice()) {
            (true, [object]) => shown(object),
            _ => json!({
                "apiVersion": "v1",
                "kind": "List",
                "metadata": {"resourceVersion": ""},
                "items": objects.iter().map(|object| shown(object)).collect::<Vec<_>>(),
            }),
        }
    };
    match kind {
        "name" => {
            let line = |object: &&Value| format!("{}/{}\n", resources::of_object(object, view).prefix(), name(object));
            Ok(Output::success(objects.iter().map(line).collect::<String>()))
        }
        "json" => Ok(Output::success(json::pretty(&whole()))),
        "yaml" => Ok(Output::success(yaml::document(&whole()))),
        "jsonpath" => template(argument, &whole()).map(Output::success),
        "go-template" | "template" => go_template(argument, &whole(), command),
        "jsonpath-as-json" => {
            let path = parse_template(argument)?;
            let value = whole();
            let found = path.find(&value).map_err(|error| broken(argument, &error, &value))?;
            let found: Value = found.into_iter().flatten().map(std::borrow::Cow::into_owned).collect();
            Ok(Output::success(json::pretty(&found)))
        }
        "custom-columns" => {
            let columns = CustomColumns::parse(argument).map_err(|error| Output::failure(format!("error: {error}")))?;
            columns
                .print(&objects, command.no_headers)
                .map(Output::success)
                .map_err(|error| Output::failure(format!("error: {error}")))
        }
        _ if FORMATS.split(',').any(|known| known == kind) => Err(Output::failure(format!(
            "error: the output format \"{kind}\" is not supported here; use json, yaml, name, wide, jsonpath or custom-columns"
        ))),
        _ => Err(Output::failure(format!(
            "error: unable to match a printer suitable for the output format \"{kind}\", allowed formats are: {FORMATS}"
        ))),
    }
}

/// An object as it is printed: without the managed fields.
fn clean(object: &Value, with_managed_fields: bool) -> Value {
    let mut object = object.clone();
    if !with_managed_fields && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

fn parse_template(text: &str) -> Result<JsonPath, Output> {
    if text.is_empty() {
        return Err(Output::failure("error: template format specified but no template given"));
    }
    JsonPath::parse(text).map_err(|error| Output::failure(format!("error: error parsing jsonpath {text}, {error}")))
}

fn template(text: &str, value: &Value) -> Result<String, Output> {
    parse_template(text)?.execute(value).map_err(|error| broken(text, &error, value))
}

/// What a Go template makes of an object. When it fails, what it was given follows what it had printed.
fn go_template(text: &str, value: &Value, command: &Get) -> Result<Output, Output> {
    if text.is_empty() {
        return Err(Output::failure("error: template format specified but no template given"));
    }
    let parsed = GoTemplate::parse(text)
        .map_err(|error| Output::failure(format!("error: error parsing template {text}, {error}")))?;
    let (mut stdout, error) = parsed.execute(value, command.allow_missing_template_keys);
    let Some(error) = error else { return Ok(Output::success(stdout)) };
    stdout += &format!(
        "Error executing template: {error}. Printing more information for debugging the template:\n\ttemplate was:\n\t\t\
         {text}\n\traw data was:\n\t\t{}\n\tobject given to template engine was:\n\t\t{}\n\n",
        json::compact(value),
        super::look::go_value(value),
    );
    let stderr = format!("error: error executing template {}: {error}\n", super::describe::quote(text));
    Err(Output { stdout, stderr, exit: 1 })
}

fn broken(template: &str, error: &str, value: &Value) -> Output {
    let quoted = super::describe::quote(template);
    Output::failure(format!(
        "error: error executing jsonpath {quoted}: Error executing template: {error}. Printing more information for \
         debugging the template:\n\ttemplate was:\n\t\t{template}\n\tobject given to jsonpath engine was:\n\t\t{}\n\n\n",
        go_syntax(value)
    ))
}

/// A value as Go prints it with `%#v`.
fn go_syntax(value: &Value) -> String {
    match value {
        Value::Null => "interface {}(nil)".to_owned(),
        Value::String(text) => super::describe::quote(text),
        Value::Array(items) => {
            format!("[]interface {{}}{{{}}}", items.iter().map(go_syntax).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let fields = map.iter().map(|(key, value)| format!("{}:{}", super::describe::quote(key), go_syntax(value)));
            format!("map[string]interface {{}}{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}
