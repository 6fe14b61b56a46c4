//! Completion indexes: sets of them as text, and which come next (`job/indexed_job_utils.go`).

use std::collections::BTreeSet;

/// Reads `0,2-5`. What is not an index below `completions` is left out.
pub fn parse_indexes(text: &str, completions: i32) -> BTreeSet<i32> {
    let mut indexes = BTreeSet::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.trim().parse::<i32>(), last.trim().parse::<i32>()) else { continue };
        indexes.extend(first.max(0)..=last.min(completions - 1));
    }
    indexes
}

/// The succeeded indexes of a status text together with those of pods that have succeeded since (`calculateSucceededIndexes`).
pub fn with_succeeded(text: &str, newly: impl IntoIterator<Item = i32>, completions: i32) -> BTreeSet<i32> {
    let mut indexes = parse_indexes(text, completions);
    indexes.extend(newly.into_iter().filter(|index| (0..completions).contains(index)));
    indexes
}

/// Writes `0,2-5`: runs of three or more as ranges.
pub fn format_indexes(indexes: &BTreeSet<i32>) -> String {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for &index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => runs.push((index, index)),
        }
    }
    let texts: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first},{last}"),
            _ => format!("{first}-{last}"),
        })
        .collect();
    texts.join(",")
}

/// The lowest `count` indexes for which `is_taken` does not hold.
pub fn first_pending(count: usize, completions: i32, is_taken: impl Fn(i32) -> bool) -> Vec<i32> {
    (0..completions).filter(|&index| !is_taken(index)).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_as_runs() {
        for text in ["", "1", "5,10", "0,2-5", "1,2", "0-9"] {
            assert_eq!(format_indexes(&parse_indexes(text, 20)), text);
        }
        assert_eq!(format_indexes(&parse_indexes("0-9", 4)), "0-3");
        assert_eq!(first_pending(3, 10, |index| index < 2), [2, 3, 4]);
    }
}
