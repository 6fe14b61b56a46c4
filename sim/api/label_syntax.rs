//! The syntax of label keys and values (apimachinery `api/validate/content`, v1.36), with its error texts.

/// Why `key` is not a label key (`[prefix/]name`); empty if it is one.
pub fn label_key_errors(key: &str) -> Vec<String> {
    let parts: Vec<&str> = key.split('/').collect();
    let mut errors = Vec::new();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                errors.extend(subdomain_errors(prefix).into_iter().map(|error| format!("prefix part {error}")));
            }
            name
        }
        _ => {
            return vec![format!(
                "a valid label key {NAME_RULE} {NAME_PATTERN} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > NAME_BYTES_MAX {
        errors.push(format!("name part must be no more than {NAME_BYTES_MAX} bytes"));
    }
    if !is_name(name) {
        errors.push(format!("name part {NAME_RULE} {NAME_PATTERN}"));
    }
    errors
}

/// Why `value` is not a label value; empty if it is one.
pub fn label_value_errors(value: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if value.len() > NAME_BYTES_MAX {
        errors.push(format!("must be no more than {NAME_BYTES_MAX} bytes"));
    }
    if !value.is_empty() && !is_name(value) {
        errors.push(VALUE_RULE.to_owned());
    }
    errors
}

/// Why `text` is not a lowercase DNS subdomain (RFC 1123); empty if it is one.
pub fn subdomain_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > SUBDOMAIN_BYTES_MAX {
        errors.push(format!("must be no more than {SUBDOMAIN_BYTES_MAX} bytes"));
    }
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !text.split('.').all(|label| is_word(label, edge, |byte| byte == b'-')) {
        errors.push(SUBDOMAIN_RULE.to_owned());
    }
    errors
}

const NAME_BYTES_MAX: usize = 63;
const SUBDOMAIN_BYTES_MAX: usize = 253;
const NAME_RULE: &str =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const NAME_PATTERN: &str = "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                            '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
                          must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', \
                          regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
                              and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
                              validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

fn is_name(text: &str) -> bool {
    is_word(text, |byte| byte.is_ascii_alphanumeric(), |byte| b"-_.".contains(&byte))
}

/// Whether `text` begins and ends with an `edge` and has otherwise only edges and `inner` characters.
fn is_word(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => edge(first) && edge(last) && bytes.iter().all(|&byte| edge(byte) || inner(byte)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_names_with_an_optional_domain() {
        for (key, n_errors, why) in [
            ("app", 0, "a name"),
            ("App_1.x-y", 0, "names have capitals, underscores, dots and dashes"),
            ("example.com/app", 0, "a domain before it"),
            ("", 2, "empty, and not of the form"),
            ("/app", 1, "the domain is empty"),
            ("Example.com/app", 1, "domains are lower case"),
            ("a..b/app", 1, "a domain has no empty part"),
            ("a/b/c", 1, "one slash at most"),
            ("-app", 1, "begins with a letter or digit"),
            ("app_", 1, "ends with a letter or digit"),
            ("bad key!", 1, "no spaces"),
        ] {
            assert_eq!(label_key_errors(key).len(), n_errors, "{key}: {why}");
        }
        assert_eq!(label_key_errors(&"a".repeat(64)), ["name part must be no more than 63 bytes"]);
    }

    #[test]
    fn values_may_be_empty() {
        assert!(label_value_errors("").is_empty());
        assert!(label_value_errors("v1.2_x").is_empty());
        assert_eq!(label_value_errors("-5").len(), 1);
        assert_eq!(label_value_errors(&"-".repeat(64)).len(), 2);
    }
}
