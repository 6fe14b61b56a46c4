//! Files, folders, patterns and standard input to documents.

use super::{Document, ReadOptions, Source, json, locate, split, yaml};
use crate::error::{Error, Place};
use rayon::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A part of a file that can be read on its own.
#[derive(Clone, Debug)]
pub struct Chunk {
    source: Arc<Source>,
    piece: split::Piece,
}

/// The documents of all `paths` in order: files, folders (sorted), patterns with `*`, and `-` for standard input. What cannot be read
/// is an error; the rest is read all the same.
pub fn read_files(paths: &[PathBuf], options: &ReadOptions) -> (Vec<Document>, Vec<Error>) {
    let (chunks, mut errors) = chunks_of_files(paths, options);
    let results: Vec<_> = chunks.par_iter().map(Chunk::read).collect();
    let mut documents = Vec::new();
    for (read, mut wrong) in results {
        documents.extend(read);
        errors.append(&mut wrong);
    }
    (documents, errors)
}

/// The parts of all `paths`, unread: for those who check documents one at a time and keep none.
pub fn chunks_of_files(paths: &[PathBuf], options: &ReadOptions) -> (Vec<Chunk>, Vec<Error>) {
    let mut errors = Vec::new();
    let mut chunks = Vec::new();
    let paths = expand(paths, options, &mut errors);
    let read = |path: &PathBuf| Ok(chunks_of_text(&path.to_string_lossy(), read_text(path, options)?));
    let read: Vec<Result<Vec<Chunk>, Error>> = paths.par_iter().map(read).collect();
    for file in read {
        match file {
            Ok(of_file) => chunks.extend(of_file),
            Err(error) => errors.push(error),
        }
    }
    (chunks, errors)
}

/// The documents of a text that is called `file` in errors.
pub fn read_str(file: &str, text: &str) -> (Vec<Document>, Vec<Error>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(error) = refuse_nul(file, text) {
        return (Vec::new(), vec![error]);
    }
    let results: Vec<_> = chunks_of_text(file, text.to_owned()).par_iter().map(Chunk::read).collect();
    let mut all = (Vec::new(), Vec::new());
    for (documents, errors) in results {
        all.0.extend(documents);
        all.1.extend(errors);
    }
    all
}

fn chunks_of_text(file: &str, text: String) -> Vec<Chunk> {
    let source = Arc::new(Source { file: Arc::from(file), text });
    split::split(&source.text).into_iter().map(|piece| Chunk { source: source.clone(), piece }).collect()
}

impl Chunk {
    /// The file as the user named it.
    pub fn file(&self) -> &Arc<str> {
        &self.source.file
    }

    /// The text of this part.
    pub fn text(&self) -> &str {
        &self.source.text[self.piece.range.clone()]
    }

    /// The text of the whole file.
    pub fn whole_text(&self) -> &str {
        &self.source.text
    }

    /// The documents of this part; those of `List` kinds are its items.
    pub fn read(&self) -> (Vec<Document>, Vec<Error>) {
        let text = &self.source.text[self.piece.range.clone()];
        match parse(text) {
            Ok(values) => {
                let mut documents = Vec::new();
                for (index, value) in values.into_iter().enumerate() {
                    self.flatten(value, index, Vec::new(), &mut documents);
                }
                (documents, Vec::new())
            }
            Err(problem) => {
                let spot = locate::Spot { line: problem.line.max(1), column: problem.column.max(1), width: 1 };
                (Vec::new(), vec![problem.error.at(self.source.place(spot, &self.piece))])
            }
        }
    }

    fn flatten(&self, mut value: Value, index: usize, root: Vec<locate::Step>, documents: &mut Vec<Document>) {
        if value.is_null() {
            return;
        }
        if let Some((items, item_kind, api_version)) = list_items(&mut value) {
            for (at, mut item) in items.into_iter().enumerate() {
                if let (Some(kind), Value::Object(map)) = (&item_kind, &mut item) {
                    map.entry("kind").or_insert_with(|| Value::from(kind.as_str()));
                    map.entry("apiVersion").or_insert_with(|| api_version.clone());
                }
                let mut path = root.clone();
                path.extend([locate::Step::Key("items".to_owned()), locate::Step::Index(at)]);
                if path.len() < yaml::MAX_DEPTH {
                    self.flatten(item, index, path, documents);
                }
            }
            return;
        }
        documents.push(Document {
            value,
            file: self.source.file.clone(),
            source: self.source.clone(),
            piece: self.piece.clone(),
            index,
            root,
        });
    }
}

fn parse(text: &str) -> Result<Vec<Value>, yaml::Problem> {
    let unmarked = text.strip_prefix("---").unwrap_or(text);
    if !unmarked.trim_start().starts_with(['{', '[']) {
        return yaml::parse(text);
    }
    let json = match unmarked.len() == text.len() {
        true => json::parse(text),
        false => json::parse(&format!("   {unmarked}")),
    };
    json.or_else(|problem| yaml::parse(text).map_err(|other| if is_json(unmarked) { problem } else { other }))
}

/// JSON proper rather than YAML in braces: the first key is quoted.
fn is_json(text: &str) -> bool {
    text.trim_start().get(1..).is_some_and(|rest| rest.trim_start().starts_with(['"', '{', '[', '}']))
}

/// The items of `kind: List` and of `PodList` and the like, with the kind that an item without one has.
fn list_items(value: &mut Value) -> Option<(Vec<Value>, Option<String>, Value)> {
    let kind = value.get("kind")?.as_str()?;
    let item_kind = kind.strip_suffix("List")?.to_owned();
    let api_version = value.get("apiVersion").cloned().unwrap_or(Value::Null);
    let items = value.get_mut("items")?;
    if items.is_null() {
        return Some((Vec::new(), None, api_version));
    }
    let items = std::mem::take(items.as_array_mut()?);
    Some((items, (!item_kind.is_empty()).then_some(item_kind), api_version))
}

fn read_text(path: &Path, options: &ReadOptions) -> Result<String, Error> {
    let name = path.to_string_lossy();
    let problem = |error: std::io::Error| Error::new(format!("cannot read {name}: {error}"));
    let mut bytes = Vec::new();
    let limit = options.max_bytes.saturating_add(1);
    if name == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(problem)?;
    } else {
        let file = std::fs::File::open(path).map_err(problem)?;
        if file.metadata().map_err(problem)?.is_dir() {
            return Err(Error::new(format!("cannot read {name}: it is a folder")));
        }
        file.take(limit).read_to_end(&mut bytes).map_err(problem)?;
    }
    if bytes.len() as u64 > options.max_bytes {
        let mib = options.max_bytes >> 20;
        return Err(Error::new(format!("{name} is larger than {mib} MiB")).help("split it into several files"));
    }
    decode(&name, bytes)
}

fn decode(name: &str, bytes: Vec<u8>) -> Result<String, Error> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let place = Place { file: Arc::from(name), line: 1, column: 1, width: 1, source: None };
        return Err(Error::new("the text is UTF-16").at(place).help("save the file as UTF-8"));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let line = 1 + bytes[..good].iter().filter(|&&byte| byte == b'\n').count();
            let line_start = bytes[..good].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let column = 1 + String::from_utf8_lossy(&bytes[line_start..good]).chars().count();
            let place =
                Place { file: Arc::from(name), line: line as u32, column: column as u32, width: 1, source: None };
            return Err(Error::new("the text is not valid UTF-8").at(place).help("save the file as UTF-8"));
        }
    };
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    match refuse_nul(name, &text) {
        Some(error) => Err(error),
        None => Ok(text),
    }
}

fn refuse_nul(name: &str, text: &str) -> Option<Error> {
    let at = text.find('\0')?;
    let line = 1 + text[..at].bytes().filter(|&byte| byte == b'\n').count();
    let column = 1 + text[..at].rsplit('\n').next().map_or(0, |line| line.chars().count());
    let place = Place { file: Arc::from(name), line: line as u32, column: column as u32, width: 1, source: None };
    Some(Error::new("the text contains a NUL byte").at(place).help("this is not a text file"))
}

/// The files that `paths` mean, in order, each once per mention.
fn expand(paths: &[PathBuf], options: &ReadOptions, errors: &mut Vec<Error>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        let name = path.to_string_lossy();
        if name == "-" || path.is_file() {
            files.push(path.clone());
        } else if path.is_dir() {
            let before = files.len();
            walk(path, options, &mut BTreeSet::new(), &mut files, errors);
            if files.len() == before {
                let help = if options.recursive {
                    "it should hold .yaml, .yml or .json files"
                } else {
                    "give -R to look into its folders"
                };
                errors.push(Error::new(format!("no manifests in the folder {name}")).help(help));
            }
        } else if name.contains(['*', '?', '[']) {
            let mut found: Vec<_> = glob::glob(&name).map(|found| found.flatten().collect()).unwrap_or_default();
            found.retain(|path: &PathBuf| path.is_file());
            found.sort();
            if found.is_empty() {
                errors.push(Error::new(format!("no file matches {name}")));
            }
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    files
}

fn walk(
    folder: &Path,
    options: &ReadOptions,
    visited: &mut BTreeSet<PathBuf>,
    files: &mut Vec<PathBuf>,
    errors: &mut Vec<Error>,
) {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    if visited.len() > 10_000 || !visited.insert(real) {
        return;
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            errors.push(Error::new(format!("cannot read {}: {error}", folder.display())));
            return;
        }
    };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if options.recursive {
                walk(&path, options, visited, files, errors);
            }
        } else if path.extension().is_some_and(|ext| ["yaml", "yml", "json"].iter().any(|known| ext == *known)) {
            files.push(path);
        }
    }
}
