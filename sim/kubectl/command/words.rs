//! A command line into words, as a POSIX shell splits it.

use crate::error::{Error, Result};

/// Splits a line at blanks; single quotes, double quotes and backslashes work as in a shell. Nothing is expanded.
pub fn split_words(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    let open = |what: &str| Error::new(format!("{what} is not closed in `{line}`")).help("add the closing quote");
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(open("a single quote")),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                            Some('\n') => {}
                            Some(c) => word.extend(['\\', c]),
                            None => return Err(open("a double quote")),
                        },
                        Some(c) => word.push(c),
                        None => return Err(open("a double quote")),
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(c) => word.get_or_insert_default().push(c),
                None => word.get_or_insert_default().push('\\'),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::split_words;

    #[test]
    fn quotes_hold_words_together() {
        let words = split_words(r#"patch pod/x -p '{"a": "b c"}' --x="d \"e\"" f\ g ''"#).unwrap();
        assert_eq!(words, ["patch", "pod/x", "-p", r#"{"a": "b c"}"#, "--x=d \"e\"", "f g", ""]);
        assert!(split_words("a 'b").is_err());
    }
}
