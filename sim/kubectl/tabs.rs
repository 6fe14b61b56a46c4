//! Columns of text aligned as Go's `text/tabwriter` aligns them, with the two settings kubectl uses.
//!
//! A cell is what a tab ends; what follows the last tab of a line belongs to no column. A column is as wide as its widest
//! cell in consecutive lines that have it.

/// How columns are aligned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The least width of a column, padding included.
    pub(crate) min_width: usize,
    /// Spaces after the widest cell.
    pub(crate) padding: usize,
}

/// The layout of `kubectl get`, `top` and `events` (cli-runtime, `GetNewTabWriter`).
pub(crate) const TABLE: Layout = Layout { min_width: 6, padding: 3 };

/// The layout of `kubectl describe` and `rollout history` (kubectl, `tabbedString`).
pub(crate) const DESCRIPTION: Layout = Layout { min_width: 0, padding: 2 };

/// `text` with its tabs replaced by the spaces that align the columns.
pub(crate) fn align(text: &str, layout: Layout) -> String {
    let (body, rest) = text.rsplit_once('\n').map_or(("", text), |(body, rest)| (body, rest));
    let has_body = text.contains('\n');
    let mut lines: Vec<Vec<&str>> = Vec::new();
    if has_body {
        lines.extend(body.split('\n').map(|line| line.split('\t').collect()));
    }
    if !rest.is_empty() {
        lines.push(rest.split('\t').collect());
    }
    let widths = widths(&lines, layout);
    let mut out = String::with_capacity(text.len() * 2);
    for (index, (line, widths)) in lines.iter().zip(&widths).enumerate() {
        for (column, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if let Some(&width) = widths.get(column) {
                out.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
            }
        }
        let is_open = !rest.is_empty() && index + 1 == lines.len();
        if !is_open {
            out.push('\n');
        }
    }
    out
}

/// For each line the widths of its tab-ended cells: per column the maximum over the run of neighbouring lines that have it.
fn widths(lines: &[Vec<&str>], layout: Layout) -> Vec<Vec<usize>> {
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|line| Vec::with_capacity(line.len() - 1)).collect();
    let mut active: Vec<usize> = (0..lines.len()).collect();
    for column in 0.. {
        active.retain(|&line| lines[line].len() - 1 > column);
        if active.is_empty() {
            break;
        }
        for run in active.chunk_by(|a, b| a + 1 == *b) {
            let widest = run.iter().map(|&line| lines[line][column].chars().count()).max().unwrap_or_default();
            let width = (widest + layout.padding).max(layout.min_width);
            for &line in run {
                widths[line].push(width);
            }
        }
    }
    widths
}

/// Text without the characters that would steer a terminal (cli-runtime, `WriteEscaped`).
pub(crate) fn escape(text: &str) -> String {
    text.replace('\x1b', "^[").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell_in_neighbouring_lines() {
        assert_eq!(align("a\tb\nlonger\tc\n", DESCRIPTION), "a       b\nlonger  c\n");
        assert_eq!(align("a\tb\nplain\nlonger\tc\n", DESCRIPTION), "a  b\nplain\nlonger  c\n");
        assert_eq!(align("A\tB\n1\t\n", TABLE), "A     B\n1     \n");
    }

    #[test]
    fn a_line_may_have_any_number_of_tabs() {
        let text = "\t".repeat(100_000);
        assert_eq!(align(&text, DESCRIPTION).len(), 200_000);
    }
}
