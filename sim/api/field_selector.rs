//! Field selectors as text, e.g. `status.phase=Running,spec.nodeName!=n1` (`fields.ParseSelector` of apimachinery v1.36).

use std::fmt;
use std::str::FromStr;

use super::selector::SelectorError;

/// Which objects are meant: those whose fields have, or have not, the given values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

/// A condition on one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldTerm {
    /// The path of the field, e.g. `metadata.name`.
    pub field: String,
    /// Whether the value is required or excluded.
    pub comparison: FieldComparison,
    /// The value.
    pub value: String,
}

/// Whether a value is required or excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldComparison {
    /// `=` or `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl FieldSelector {
    /// The conditions, sorted by their text.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// Whether the object meets every condition; `get` gives the value of a field, empty if it has none.
    pub fn matches<'a>(&self, get: impl Fn(&str) -> &'a str) -> bool {
        self.terms.iter().all(|term| (get(&term.field) == term.value) == (term.comparison == FieldComparison::Equal))
    }
}

impl FromStr for FieldSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<FieldSelector, SelectorError> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let Some((field, comparison, value)) = split_term(part) else {
                return Err(SelectorError(format!("invalid selector: '{text}'; can't understand '{part}'")));
            };
            terms.push(FieldTerm { field: field.to_owned(), comparison, value: unescape(value)? });
        }
        Ok(FieldSelector { terms })
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, term) in self.terms.iter().enumerate() {
            let separator = if place > 0 { "," } else { "" };
            let operator = if term.comparison == FieldComparison::Equal { "=" } else { "!=" };
            let value = term.value.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=");
            write!(f, "{separator}{}{operator}{value}", term.field)?;
        }
        Ok(())
    }
}

/// Cuts at commas that no backslash precedes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                terms.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Cuts at the first operator.
fn split_term(term: &str) -> Option<(&str, FieldComparison, &str)> {
    let place = term.char_indices().map(|(place, _)| place).find(|&place| {
        let rest = &term[place..];
        rest.starts_with('=') || rest.starts_with("!=")
    })?;
    let rest = &term[place..];
    for (operator, comparison) in
        [("!=", FieldComparison::NotEqual), ("==", FieldComparison::Equal), ("=", FieldComparison::Equal)]
    {
        if let Some(value) = rest.strip_prefix(operator) {
            return Some((&term[..place], comparison, value));
        }
    }
    None
}

fn unescape(text: &str) -> Result<String, SelectorError> {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    let bad_escape =
        |sequence: &str| SelectorError(format!("invalid field selector: invalid escape sequence: {sequence}"));
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => value.push(c),
                Some(c) => return Err(bad_escape(&format!("\\{c}"))),
                None => return Err(bad_escape("\\")),
            },
            ',' | '=' => {
                let code = u32::from(c);
                return Err(SelectorError(format!("invalid field selector: unescaped character in value: {code}")));
            }
            c => value.push(c),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_select_fields() {
        let get = |field: &str| match field {
            "status.phase" => "Running",
            "spec.nodeName" => "n1",
            _ => "",
        };
        for (text, selected, why) in [
            ("", true, "nothing required"),
            ("status.phase=Running", true, "equal"),
            ("status.phase==Running,spec.nodeName!=n1", false, "all must hold"),
            ("metadata.name=", true, "an absent field is empty"),
            ("metadata.name!=x", true, "an absent field is not x"),
            (",,status.phase!=Failed,", true, "empty parts do not count"),
        ] {
            assert_eq!(text.parse::<FieldSelector>().expect(why).matches(get), selected, "{text}: {why}");
        }
    }

    #[test]
    fn values_are_escaped() {
        let selector: FieldSelector = r"a=b\,c\=d\\".parse().expect("escaped");
        assert_eq!(selector.terms()[0].value, r"b,c=d\");
        assert_eq!(selector.to_string(), r"a=b\,c\=d\\");
    }

    #[test]
    fn bad_texts_are_refused() {
        for (text, error) in [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
            (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
            (r"a=b\", r"invalid field selector: invalid escape sequence: \"),
        ] {
            assert_eq!(text.parse::<FieldSelector>().unwrap_err().to_string(), error);
        }
    }
}
