//! Custom resources in: a new one, a new version of a stored one, and one without a definition.

use serde_json::{Map, Value};

use super::definitions::{Definition, Version};
use super::{coerce, invariants, rules, validate};
use crate::api::accept::{
    AcceptContext, Accepted, Refusal, admitted, carry_over, complete_metadata, conflict, content, invalid,
    needs_version, undecodable,
};
use crate::api::causes::{Cause, CauseType, Causes, Path};
use crate::api::kinds::KindInfo;
use crate::api::objects::metadata;
use crate::api::schema::DecodeError;
use crate::api::view::{ensure, get, int, put, remove, text};

/// Takes a new custom resource.
///
/// # Errors
///
/// What the API server says: 400 for what cannot be decoded, 422 for what is invalid.
pub fn accept_custom(
    value: &Value,
    definition: &Definition,
    version: &Version,
    context: &AcceptContext<'_>,
) -> Result<Accepted, Refusal> {
    let info = definition.info;
    let mut object = decoded(value, info, Some(version))?;
    complete_metadata(&mut object, info, context);
    if version.has_status {
        remove(&mut object, "status");
    }
    put(ensure(&mut object, "metadata"), "generation", 1);
    let (causes, warnings) = checked(&object, None, info, version);
    if !causes.is_empty() {
        return Err(invalid(&object, info, causes));
    }
    let admission_warnings = admitted(&object, None, info, context)?;
    let warnings = version.deprecation.iter().cloned().chain(warnings).collect();
    Ok(Accepted { value: object, info, warnings, admission_warnings })
}

/// Takes a new version of a stored custom resource.
///
/// # Errors
///
/// What the API server says; 409 for an old `resourceVersion`.
pub fn update_custom(
    old: &Value,
    new: &Value,
    definition: &Definition,
    version: &Version,
    context: &AcceptContext<'_>,
) -> Result<Accepted, Refusal> {
    let info = definition.info;
    let mut object = decoded(new, info, Some(version))?;
    let sent = text(get(new, "metadata"), "resourceVersion");
    if sent.is_empty() {
        return Err(needs_version(&object, info));
    }
    if sent != text(get(old, "metadata"), "resourceVersion") {
        return Err(conflict(&object, info));
    }
    let own_status = object.get("status").cloned();
    carry_over(&mut object, old, info, context);
    if !version.has_status {
        match own_status {
            Some(status) => put(&mut object, "status", status),
            None => remove(&mut object, "status"),
        }
    }
    let (mut causes, warnings) = checked(&object, Some(old), info, version);
    let path = Path::ROOT.child("metadata");
    metadata::validate_update(get(&object, "metadata"), get(old, "metadata"), &path, &mut causes);
    if !causes.is_empty() {
        return Err(invalid(&object, info, causes));
    }
    let changed =
        content(&object) != content(old) || !version.has_status && get(&object, "status") != get(old, "status");
    let generation = int(get(old, "metadata"), "generation").max(1) + i64::from(changed);
    put(ensure(&mut object, "metadata"), "generation", generation);
    let admission_warnings = admitted(&object, Some(old), info, context)?;
    let warnings = version.deprecation.iter().cloned().chain(warnings).collect();
    Ok(Accepted { value: object, info, warnings, admission_warnings })
}

/// Takes a new status of a stored custom resource: all else stays.
///
/// # Errors
///
/// What the API server says; 404 if the kind has no such address.
pub fn update_custom_status(
    old: &Value,
    new: &Value,
    definition: &Definition,
    version: &Version,
    context: &AcceptContext<'_>,
) -> Result<Accepted, Refusal> {
    let info = definition.info;
    if !version.has_status {
        return Err(Refusal::new(404, "NotFound", "the server could not find the requested resource".to_owned()));
    }
    let mut whole = old.clone();
    match new.get("status") {
        Some(status) => put(&mut whole, "status", status.clone()),
        None => remove(&mut whole, "status"),
    }
    let object = decoded(&whole, info, Some(version))?;
    let sent = text(get(new, "metadata"), "resourceVersion");
    if !sent.is_empty() && sent != text(get(old, "metadata"), "resourceVersion") {
        return Err(conflict(&object, info));
    }
    let (causes, warnings) = checked(&object, Some(old), info, version);
    if !causes.is_empty() {
        return Err(invalid(&object, info, causes));
    }
    let context = AcceptContext { subresource: "status", ..*context };
    let admission_warnings = admitted(&object, Some(old), info, &context)?;
    Ok(Accepted { value: object, info, warnings, admission_warnings })
}

/// Takes an object of a kind that no definition describes: only its metadata is checked.
///
/// # Errors
///
/// What the API server would say of its metadata whatever its schema is.
pub fn accept_undefined(
    value: &Value,
    info: &'static KindInfo,
    context: &AcceptContext<'_>,
) -> Result<Accepted, Refusal> {
    let mut object = decoded(value, info, None)?;
    complete_metadata(&mut object, info, context);
    put(ensure(&mut object, "metadata"), "generation", 1);
    let mut causes = Causes::default();
    let path = Path::ROOT.child("metadata");
    metadata::validate(get(&object, "metadata"), info.namespaced, metadata::subdomain_name, &path, &mut causes);
    if !causes.is_empty() {
        return Err(invalid(&object, info, causes));
    }
    Ok(Accepted { value: object, info, warnings: Vec::new(), admission_warnings: Vec::new() })
}

/// The object as it would be after decoding: unknown fields refused, nulls dropped, defaults filled in.
fn decoded(value: &Value, info: &KindInfo, version: Option<&Version>) -> Result<Value, Refusal> {
    let api_version = text(value, "apiVersion").to_owned();
    let fail = |error: DecodeError| undecodable(error, info, &api_version);
    let mut object = match value {
        Value::Object(fields) => Value::Object(fields.clone()),
        _ => Value::Object(Map::new()),
    };
    let mut unknown = Vec::new();
    if let Some(metadata) = object.get("metadata") {
        let decoded = coerce::object_meta(metadata, &[], &mut unknown).map_err(fail)?;
        put(&mut object, "metadata", decoded);
    }
    if let Some(version) = version {
        unknown.extend(coerce::unknown_fields(&version.schema, &object, true));
        coerce::drop_nulls(Some(&version.schema), &mut object);
        let mut embedded = Vec::new();
        coerce::coerce_embedded(&version.schema, &mut object, &mut Vec::new(), &mut embedded).map_err(fail)?;
        embedded.sort_by(|a, b| a.path.cmp(&b.path));
        unknown.extend(embedded);
    }
    if !unknown.is_empty() {
        return Err(fail(DecodeError::Unknown(unknown)));
    }
    if let Some(version) = version {
        coerce::fill_defaults(&version.schema, &mut object);
    }
    Ok(object)
}

/// Everything that is checked of a resource. Of a new version of `old` what was wrong before and has not changed is left alone
/// (`CRDValidationRatcheting`); what its rules would have said is a warning.
fn checked(object: &Value, old: Option<&Value>, info: &KindInfo, version: &Version) -> (Causes, Vec<String>) {
    let mut causes = Causes::default();
    let path = Path::ROOT.child("metadata");
    metadata::validate(get(object, "metadata"), info.namespaced, metadata::subdomain_name, &path, &mut causes);
    causes.list.extend(validate::validate_update(&version.schema, object, old));
    if !version.scale.is_null() {
        invariants::scale(&version.scale, object, &mut causes);
    }
    invariants::embedded(&version.schema, object, &Path::ROOT, &mut causes);
    let was_wrong = old.is_some_and(|old| {
        let mut causes = Causes::default();
        invariants::lists(&version.schema, old, &Path::ROOT, &mut causes);
        !causes.is_empty()
    });
    if !was_wrong {
        invariants::lists(&version.schema, object, &Path::ROOT, &mut causes);
    }
    let blocks = |cause: &Cause| {
        use CauseType::{Required, TooLong, TooMany, TypeInvalid};
        matches!(cause.reason, Required | TooLong | TooMany | TypeInvalid)
    };
    if !version.schema.has_rules {
        return (causes, Vec::new());
    }
    if causes.list.iter().any(blocks) {
        let what = "some validation rules were not checked because the object was invalid; correct the existing errors to complete \
                    validation";
        let message = format!("Invalid value: \"null\": {what}");
        let field = "<nil>".to_owned();
        causes.list.push(Cause { field, reason: CauseType::Invalid, message, supported: Vec::new() });
        return (causes, Vec::new());
    }
    let (broken, warnings) = rules::check(&version.schema, object, old);
    causes.list.extend(broken);
    (causes, warnings)
}
