//! Reading typed values out of documents, with the place of every mistake.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::document::{Document, Part};
use crate::error::{Error, nearest};

/// Reads the whole document as `T`.
pub(super) fn read<T: DeserializeOwned>(document: &Document, value: &Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        explain(document, &path, &error.into_inner().to_string())
    })
}

/// An error at a field path of a document.
pub(super) fn at(document: &Document, path: &str, what: impl Into<String>) -> Error {
    Error::new(what).at(document.place(path, Part::Value))
}

/// Turns serde's message about `path` into one with place and cure.
fn explain(document: &Document, path: &str, message: &str) -> Error {
    let quoted = |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let words = quoted(message);
    if message.starts_with("unknown field")
        && let Some((field, known)) = words.split_first()
    {
        // The path may or may not end with the unknown field itself.
        let parent = path.strip_suffix(field.as_str()).map_or(path, |head| head.trim_end_matches('.'));
        let full = if parent.is_empty() || parent == "." { field.clone() } else { format!("{parent}.{field}") };
        let error = Error::new(format!("unknown field `{field}`")).at(document.place(&full, Part::Key));
        return match nearest(field, known.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(format!("known here: {}", known.join(", "))),
        };
    }
    if message.starts_with("unknown variant")
        && let Some((given, known)) = words.split_first()
    {
        let error = at(document, path, format!("`{given}` is not possible here"));
        return match nearest(given, known.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help(format!("use {}", known.join(" or "))),
        };
    }
    let what = if path.is_empty() || path == "." { message.to_owned() } else { format!("{path}: {message}") };
    at(document, path, what)
}
