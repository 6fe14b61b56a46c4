//! Why admission refuses a request, as the API server words it.

use crate::api::causes::Causes;
use crate::api::kinds;

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 404: there is no such namespace.
    NoNamespace(String),
    /// 403 with the cause `NamespaceTerminating`: controllers give up without a word.
    Terminating(String),
    /// 403 with this reason.
    Forbidden(String),
    /// 422 with these causes, in the words of the server.
    Invalid(String),
    /// A `ValidatingAdmissionPolicy` said no: its own HTTP code and reason, and the message.
    Policy {
        /// 422 unless the policy gives a reason.
        code: u16,
        /// `Invalid` unless the policy gives a reason.
        reason: &'static str,
        /// What follows `is forbidden: `.
        message: String,
    },
}

impl Rejection {
    /// A refusal of single fields.
    pub fn of_causes(causes: &Causes) -> Rejection {
        Rejection::Invalid(causes.aggregate())
    }

    /// The HTTP code.
    pub fn code(&self) -> u16 {
        match self {
            Rejection::NoNamespace(_) => 404,
            Rejection::Terminating(_) | Rejection::Forbidden(_) => 403,
            Rejection::Invalid(_) => 422,
            Rejection::Policy { code, .. } => *code,
        }
    }

    /// `Forbidden`, `Invalid`, ...
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::NoNamespace(_) => "NotFound",
            Rejection::Terminating(_) | Rejection::Forbidden(_) => "Forbidden",
            Rejection::Invalid(_) => "Invalid",
            Rejection::Policy { reason, .. } => reason,
        }
    }

    /// The error as the API server words it for an object of this resource (`pods`, `replicasets.apps`) and name.
    pub fn text(&self, resource: &str, name: &str) -> String {
        match self {
            Rejection::NoNamespace(namespace) => format!("namespaces {namespace:?} not found"),
            Rejection::Terminating(namespace) => format!(
                "{resource} {name:?} is forbidden: unable to create new content in namespace {namespace} because it is being \
                 terminated"
            ),
            Rejection::Forbidden(reason) => format!("{resource} {name:?} is forbidden: {reason}"),
            Rejection::Policy { message, .. } => format!("{resource} {name:?} is forbidden: {message}"),
            Rejection::Invalid(reason) => format!("{} {name:?} is invalid: {reason}", kind_with_group(resource)),
        }
    }
}

/// `Pod` for `pods`, `ReplicaSet.apps` for `replicasets.apps`: refusals of fields name the kind.
fn kind_with_group(resource: &str) -> String {
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    match kinds::by_resource(plural) {
        Some(info) if group.is_empty() => info.kind.to_owned(),
        Some(info) => format!("{}.{group}", info.kind),
        None => resource.to_owned(),
    }
}
