//! Node selectors: which nodes a pod may, or must, run on (`component-helpers/scheduling/corev1/nodeaffinity`, v1.36).

use k8s_openapi::api::core::v1 as k8s;

use super::selector::{Requirement, Selector, SelectorError};

/// Terms of which one must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeSelector {
    terms: Vec<NodeTerm>,
}

/// Conditions on the labels and fields of a node that must all hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeTerm {
    /// What is wrong with the term, or its conditions.
    conditions: Result<Conditions, SelectorError>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Conditions {
    /// Everything if the term names no labels.
    labels: Selector,
    fields: Vec<FieldCondition>,
}

/// A field of a node, which is or is not a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FieldCondition {
    field: String,
    operator: FieldOperator,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum FieldOperator {
    In,
    NotIn,
}

/// The nodes a pod must run on: those that match its `nodeSelector` and its required node affinity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequiredNodeAffinity {
    labels: Selector,
    terms: Option<NodeSelector>,
}

impl NodeSelector {
    /// The selector of the API. Empty terms match nothing, so they are left out.
    pub fn from_api(selector: &k8s::NodeSelector) -> NodeSelector {
        let terms = selector.node_selector_terms.iter().filter(|term| !is_empty(term)).map(NodeTerm::from_api);
        NodeSelector { terms: terms.collect() }
    }

    /// The terms that are not empty.
    pub fn terms(&self) -> &[NodeTerm] {
        &self.terms
    }

    /// Whether some term matches. If none does and some are faulty, their errors, in brackets if there are several.
    pub fn matches<'a>(&self, name: &str, label: impl Fn(&str) -> Option<&'a str>) -> Result<bool, SelectorError> {
        let mut errors: Vec<&str> = Vec::new();
        for term in &self.terms {
            match term.matches(name, &label) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(SelectorError(error)) => {
                    if !errors.contains(&error.as_str()) {
                        errors.push(error);
                    }
                }
            }
        }
        match errors[..] {
            [] => Ok(false),
            [error] => Err(SelectorError(error.to_owned())),
            _ => Err(SelectorError(format!("[{}]", errors.join(", ")))),
        }
    }
}

impl NodeTerm {
    /// The term of the API, which is not empty.
    pub fn from_api(term: &k8s::NodeSelectorTerm) -> NodeTerm {
        NodeTerm { conditions: Conditions::from_api(term) }
    }

    /// Whether all conditions hold for the node of this name and these labels.
    pub fn matches<'a>(&self, name: &str, label: impl Fn(&str) -> Option<&'a str>) -> Result<bool, &SelectorError> {
        let conditions = self.conditions.as_ref()?;
        Ok(conditions.labels.matches(label) && conditions.fields.iter().all(|field| field.matches(name)))
    }

    /// What is wrong with the term.
    pub fn error(&self) -> Option<&SelectorError> {
        self.conditions.as_ref().err()
    }
}

impl Conditions {
    fn from_api(term: &k8s::NodeSelectorTerm) -> Result<Conditions, SelectorError> {
        let mut requirements = Vec::new();
        for expression in term.match_expressions.iter().flatten() {
            let values = expression.values.clone().unwrap_or_default();
            requirements.push(Requirement::of_node_selector(&expression.key, &expression.operator, values)?);
        }
        let fields = term.match_fields.iter().flatten().map(FieldCondition::from_api);
        Ok(Conditions { labels: Selector::new(requirements), fields: fields.collect::<Result<_, _>>()? })
    }
}

impl FieldCondition {
    fn from_api(requirement: &k8s::NodeSelectorRequirement) -> Result<FieldCondition, SelectorError> {
        let operator = match requirement.operator.as_str() {
            "In" => FieldOperator::In,
            "NotIn" => FieldOperator::NotIn,
            other => {
                let supported = r#"supported values: "In", "NotIn""#;
                return Err(SelectorError(format!("operator: Unsupported value: {other:?}: {supported}")));
            }
        };
        match requirement.values.as_deref() {
            Some([value]) => Ok(FieldCondition { field: requirement.key.clone(), operator, value: value.clone() }),
            _ => Err(SelectorError("values: Invalid value: must have one element".to_owned())),
        }
    }

    /// A node has one field that can be selected, its name; any other is empty.
    fn matches(&self, name: &str) -> bool {
        let value = if self.field == "metadata.name" { name } else { "" };
        (value == self.value) == (self.operator == FieldOperator::In)
    }
}

impl RequiredNodeAffinity {
    /// The nodes that a pod of this spec must run on (`GetRequiredNodeAffinity`).
    pub fn of_pod(spec: &k8s::PodSpec) -> RequiredNodeAffinity {
        let labels = spec.node_selector.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let required =
            affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
        RequiredNodeAffinity { labels: Selector::from_labels(labels), terms: required.map(NodeSelector::from_api) }
    }

    /// Whether the node of this name and these labels is one of them.
    pub fn matches<'a>(&self, name: &str, label: impl Fn(&str) -> Option<&'a str>) -> Result<bool, SelectorError> {
        if !self.labels.matches(&label) {
            return Ok(false);
        }
        self.terms.as_ref().map_or(Ok(true), |terms| terms.matches(name, &label))
    }

    /// Whether any node will do.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.terms.is_none()
    }
}

fn is_empty(term: &k8s::NodeSelectorTerm) -> bool {
    let is_none = |list: &Option<Vec<k8s::NodeSelectorRequirement>>| list.as_ref().is_none_or(Vec::is_empty);
    is_none(&term.match_expressions) && is_none(&term.match_fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn terms_are_alternatives() {
        let zone = |operator: &str, values: &[&str]| json!({ "key": "zone", "operator": operator, "values": values });
        for (terms, matches, why) in [
            (json!([]), Some(false), "no term matches nothing"),
            (json!([{}]), Some(false), "an empty term matches nothing"),
            (json!([{ "matchExpressions": [zone("In", &["a"])] }]), Some(true), "a label"),
            (
                json!([{ "matchExpressions": [zone("In", &["b"])] }, { "matchExpressions": [zone("Exists", &[])] }]),
                Some(true),
                "one of the terms",
            ),
            (
                json!([{ "matchExpressions": [zone("In", &["a"]), zone("NotIn", &["a"])] }]),
                Some(false),
                "all conditions of a term",
            ),
            (
                json!([{ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["n1"] }] }]),
                Some(true),
                "the name",
            ),
            (
                json!([{ "matchFields": [{ "key": "metadata.name", "operator": "NotIn", "values": ["n1"] }] }]),
                Some(false),
                "not the name",
            ),
            (
                json!([{ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["n1", "n2"] }] }]),
                None,
                "a field has one value",
            ),
            (json!([{ "matchExpressions": [zone("Gt", &["x"])] }]), None, "not a number"),
            (
                json!([{ "matchExpressions": [zone("Gt", &["x"])] }, { "matchExpressions": [zone("In", &["a"])] }]),
                Some(true),
                "a faulty term does not spoil the others",
            ),
        ] {
            let selector: k8s::NodeSelector =
                serde_json::from_value(json!({ "nodeSelectorTerms": terms })).expect("a selector");
            let got = NodeSelector::from_api(&selector).matches("n1", |key| (key == "zone").then_some("a"));
            assert_eq!(got.ok(), matches, "{why}");
        }
    }
}
