//! Cuts a stream of YAML at its `---` lines, so that documents can be read in parallel and an error in one leaves the others alone.

use std::ops::Range;

/// A part of a text that holds whole documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// Line of the text, from 1, at which the piece begins.
    pub first_line: u32,
}

/// The pieces of `text` that hold more than blank lines and comments.
pub fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut start_line = 1;
    let mut has_content = false;
    let mut at = 0;
    for (line_number, line) in (1..).zip(text.split_inclusive('\n')) {
        let marker =
            line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if let Some(rest) = marker {
            if has_content {
                pieces.push(Piece { range: start..at, first_line: start_line });
                start = at;
                start_line = line_number;
            }
            has_content = is_content(rest);
        } else if !has_content {
            has_content = is_content(line) && !line.starts_with('%');
        }
        at += line.len();
    }
    if has_content {
        pieces.push(Piece { range: start..at, first_line: start_line });
    }
    pieces
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_cut_at_markers_only() {
        let text = "# head\n---\na: |\n  ---\n  x\n--- # next\nb: 1\n---\n# nothing\n---\n";
        let pieces: Vec<_> =
            split(text).into_iter().map(|piece| (piece.first_line, text[piece.range].to_owned())).collect();
        let expected = [(1, "# head\n---\na: |\n  ---\n  x\n".to_owned()), (6, "--- # next\nb: 1\n".to_owned())];
        assert_eq!(pieces, expected);
        assert_eq!(split("---a: 1").len(), 1);
        assert_eq!(split("\n\n---\n---\n"), []);
    }
}
