//! Rows of the tables of facts, changed: an answer that stays the same whatever a member says does not depend on it, and an expectation
//! that is wrong must be found wrong.

use serde_json::{Value, json};

use super::cases::{Group, OwnRows, Table, Verdict, answer, inputs, outputs};

/// A word that means nothing.
const NONSENSE: &str = "qqq";
/// Words that a sentence may do without.
const FILLERS: &[&str] = &["a", "an", "and", "are", "at", "by", "in", "is", "of", "on", "the", "to", "was", "with"];
/// Most elements of one list that are changed, from either end.
const MOST: usize = 3;

/// A row changed in one place.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// The place, and what it says now.
    pub place: String,
    /// The row.
    pub row: Value,
    /// Whether the place is a word among others, and not a value.
    pub is_word: bool,
}

/// The places of a row that could hold anything without a change of its agreement: values of a form that nobody can read, or words
/// that mean nothing.
pub fn unread(group: &Group, row: &Value, own: &OwnRows) -> Vec<Mutation> {
    let agrees = |changed: &Value| matches!(answer(group, changed, own), Verdict::Read(Ok(())));
    let mut found = mutations(row, &inputs(group.table, row), garble);
    found.retain(|mutation| agrees(&mutation.row));
    found
}

/// A row with each of its expectations wrong in one place. Remarks of the table, in parentheses or as a `note`, are no expectations.
pub fn wrong_expectations(table: Table, row: &Value) -> Vec<Mutation> {
    mutations(row, &outputs(table, row), falsify)
}

/// What one place says instead, how it is called, and whether it is a word.
type Change = (String, Value, bool);

fn mutations(row: &Value, members: &[(&str, &Value)], change: fn(&Value, String, &mut Vec<Change>)) -> Vec<Mutation> {
    let mut all = Vec::new();
    for (key, value) in members {
        let mut changes = Vec::new();
        change(value, (*key).to_owned(), &mut changes);
        all.extend(changes.into_iter().map(|(place, value, is_word)| {
            let mut row = row.clone();
            row[*key] = value;
            Mutation { place, row, is_word }
        }));
    }
    all
}

/// Every way in which one place of a value is made meaningless.
fn garble(value: &Value, place: String, into: &mut Vec<Change>) {
    let unreadable = || json!({ NONSENSE: NONSENSE });
    match value {
        Value::Array(list) if !list.is_empty() => within_list(list, &place, garble, into),
        Value::Object(members) if !members.is_empty() => within_members(members, &place, garble, into),
        Value::String(text) => {
            into.push((place.clone(), unreadable(), false));
            words_changed(text, &place, |_| NONSENSE.to_owned(), into);
        }
        _ => into.push((place, unreadable(), false)),
    }
}

/// Every way in which one place of an expectation is made wrong.
fn falsify(value: &Value, place: String, into: &mut Vec<Change>) {
    match value {
        Value::Null => into.push((place, json!(1), false)),
        Value::Bool(flag) => into.push((place, json!(!flag), false)),
        Value::Number(number) => {
            let other = number.as_i64().map_or_else(|| json!(number.as_f64().unwrap_or(0.0) + 1.0), |n| json!(n + 1));
            into.push((place, other, false));
        }
        Value::String(text) => {
            words_changed(text, &place, |word| other_number(word).unwrap_or_else(|| NONSENSE.to_owned()), into);
        }
        Value::Array(list) => {
            let longer = list.iter().cloned().chain([json!(NONSENSE)]).collect();
            into.push((format!("{place} and one more"), longer, true));
            within_list(list, &place, falsify, into);
        }
        Value::Object(members) => within_members(members, &place, falsify, into),
    }
}

fn within_list(list: &[Value], place: &str, change: fn(&Value, String, &mut Vec<Change>), into: &mut Vec<Change>) {
    for idx in (0..list.len()).filter(|idx| *idx < MOST || list.len() <= *idx + MOST) {
        let mut inner = Vec::new();
        change(&list[idx], format!("{place}[{idx}]"), &mut inner);
        into.extend(inner.into_iter().map(|(place, element, is_word)| {
            let mut changed = list.to_vec();
            changed[idx] = element;
            (place, Value::Array(changed), is_word)
        }));
    }
}

fn within_members(
    members: &serde_json::Map<String, Value>,
    place: &str,
    change: fn(&Value, String, &mut Vec<Change>),
    into: &mut Vec<Change>,
) {
    for (key, member) in members.iter().filter(|(key, _)| *key != "note") {
        let mut inner = Vec::new();
        change(member, format!("{place}.{key}"), &mut inner);
        into.extend(inner.into_iter().map(|(place, member, is_word)| {
            let mut changed = members.clone();
            changed.insert(key.clone(), member);
            (place, Value::Object(changed), is_word)
        }));
    }
}

/// A text with one word changed; fillers and remarks in parentheses stay.
fn words_changed(text: &str, place: &str, other: impl Fn(&str) -> String, into: &mut Vec<Change>) {
    let words: Vec<&str> = text.split(' ').collect();
    let mut depth = 0_usize;
    for (idx, word) in words.iter().enumerate() {
        depth += word.matches('(').count();
        let is_remark = depth > 0;
        depth = depth.saturating_sub(word.matches(')').count());
        if is_remark || FILLERS.contains(word) || !word.contains(char::is_alphanumeric) {
            continue;
        }
        let other = other(word);
        let is_word = !other.contains(|c: char| c.is_ascii_digit());
        let mut changed = words.clone();
        changed[idx] = &other;
        into.push((format!("{place}: \"{word}\" -> \"{other}\""), changed.join(" ").into(), is_word));
    }
}

/// A word with its first number one greater.
fn other_number(word: &str) -> Option<String> {
    let begin = word.find(|c: char| c.is_ascii_digit())?;
    let rest = &word[begin..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number: u64 = rest[..end].parse().ok()?;
    Some(format!("{}{}{}", &word[..begin], number.checked_add(1)?, &rest[end..]))
}
