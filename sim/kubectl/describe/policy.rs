//! The descriptions of disruption budgets and priority classes.

use serde_json::Value;

use super::common::name_and_namespace;
use super::events::events;
use super::writer::Writer;
use crate::kubectl::labels::{format_labels, format_selector};
use crate::kubectl::look::{at, flag, has, int, name, scalar, text};
use crate::kubectl::view::View;

pub(super) fn disruption_budget(w: &mut Writer, budget: &Value, view: &View<'_>) {
    name_and_namespace(w, budget);
    if has(budget, "spec.minAvailable") {
        w.field(0, "Min available", scalar(at(budget, "spec.minAvailable")));
    } else if has(budget, "spec.maxUnavailable") {
        w.field(0, "Max unavailable", scalar(at(budget, "spec.maxUnavailable")));
    }
    match at(budget, "spec.selector") {
        Value::Null => w.field(0, "Selector", "<unset>"),
        selector => w.field(0, "Selector", format_selector(selector)),
    }
    w.line(0, "Status:");
    for (title, field) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        w.field(2, title, int(at(budget, "status"), field));
    }
    events(w, budget, view);
}

pub(super) fn priority_class(w: &mut Writer, class: &Value, view: &View<'_>) {
    w.field(0, "Name", name(class));
    w.field(0, "Value", int(class, "value"));
    w.field(0, "GlobalDefault", flag(class, "globalDefault"));
    w.field(0, "PreemptionPolicy", text(class, "preemptionPolicy"));
    w.field(0, "Description", text(class, "description"));
    w.field(0, "Annotations", format_labels(class, "metadata.annotations"));
    events(w, class, view);
}
