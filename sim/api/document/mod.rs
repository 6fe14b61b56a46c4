//! Manifests in: YAML or JSON text, many documents in a file, `List` kinds flattened, to JSON values that know their place in the text.
//!
//! Values are what `sigs.k8s.io/yaml` makes of the text. Input is not trusted: depth, expansion of aliases and size are bounded,
//! and what is wrong is an [`Error`](crate::error::Error) with a place.

mod go_yaml;
mod json;
mod locate;
mod read;
mod scalar;
mod split;
mod yaml;

pub use go_yaml::{GoYaml, read_go_yaml};
pub use locate::{Part, Step};
pub use read::{Chunk, chunks_of_files, read_files, read_str};
pub use scalar::go_number;

use crate::error::Place;
use serde_json::Value;
use std::sync::Arc;

/// How files are read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Whether folders inside folders are read too.
    pub recursive: bool,
    /// The largest file that is read, in bytes.
    pub max_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions { recursive: false, max_bytes: 64 << 20 }
    }
}

/// One object as it was written.
#[derive(Clone, Debug)]
pub struct Document {
    /// What was written.
    pub value: Value,
    /// The file as the user named it.
    pub file: Arc<str>,
    source: Arc<Source>,
    piece: split::Piece,
    index: usize,
    root: Vec<Step>,
}

/// The text of a file.
#[derive(Debug)]
struct Source {
    file: Arc<str>,
    text: String,
}

impl Document {
    /// `kind` as written, or empty.
    pub fn kind(&self) -> &str {
        self.value.get("kind").and_then(Value::as_str).unwrap_or("")
    }

    /// `apiVersion` as written, or empty.
    pub fn api_version(&self) -> &str {
        self.value.get("apiVersion").and_then(Value::as_str).unwrap_or("")
    }

    /// `metadata.name` as written, or empty.
    pub fn name(&self) -> &str {
        self.value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("")
    }

    /// Where `path`, as Kubernetes writes field paths (`spec.containers[0].image`, `data[a.b]`), stands in the text; if it is not there, where
    /// the nearest thing around it stands.
    pub fn place(&self, path: &str, part: Part) -> Place {
        self.place_of(&steps(&self.value, path), part)
    }

    /// Where the value at `path` stands.
    pub fn place_of(&self, path: &[Step], part: Part) -> Place {
        let mut whole = self.root.clone();
        whole.extend_from_slice(path);
        let text = &self.source.text[self.piece.range.clone()];
        let (spot, depth) = locate::locate(text, self.index, &whole, part)
            .unwrap_or((locate::Spot { line: 1, column: 1, width: 1 }, whole.len()));
        // Something is missing: what surrounds it is pointed at by its key.
        let spot = match depth < whole.len() {
            true => locate::locate(text, self.index, &whole[..depth], Part::Key).map_or(spot, |(spot, _)| spot),
            false => spot,
        };
        self.source.place(spot, &self.piece)
    }
}

impl Source {
    fn place(&self, spot: locate::Spot, piece: &split::Piece) -> Place {
        let text = &self.text[piece.range.clone()];
        let line = text.lines().nth(spot.line as usize - 1).unwrap_or("");
        let cut: String = line.chars().take(200).collect();
        Place {
            file: self.file.clone(),
            line: piece.first_line + spot.line - 1,
            column: spot.column,
            width: spot.width,
            source: Some(Arc::from(cut)),
        }
    }
}

/// The steps that a field path as Kubernetes writes it means in `value`. Parts that are not there follow by their names.
pub fn steps(value: &Value, path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut current = Some(value);
    let mut rest = path;
    while !rest.is_empty() && steps.len() < yaml::MAX_DEPTH {
        let (word, after) = if let Some(inside) = rest.strip_prefix('[') {
            let end = bracket_end(inside);
            (&inside[..end], inside.get(end + 1..).unwrap_or(""))
        } else {
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            (&rest[..end], &rest[end..])
        };
        let index = word.parse::<usize>().ok().filter(|_| !current.is_some_and(Value::is_object));
        let step = index.map_or_else(|| Step::Key(word.to_owned()), Step::Index);
        current = current.and_then(|value| match &step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        });
        steps.push(step);
        rest = after;
    }
    steps
}

/// The end of a bracketed key: the last `]` before the path goes on.
fn bracket_end(inside: &str) -> usize {
    let mut ends = inside.match_indices(']').map(|(at, _)| at);
    ends.find(|at| inside[at + 1..].is_empty() || inside[at + 1..].starts_with(['.', '['])).unwrap_or(inside.len())
}

#[cfg(test)]
mod tests;
