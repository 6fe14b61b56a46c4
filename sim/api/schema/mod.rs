//! The types of the API as Go knows them: struct names, JSON fields, which fields are pointers and which are always written.
//!
//! The tables in `types.txt` hold, per Go struct, one line per field: JSON name, type and marks.
//! `*T` is a pointer (an explicit zero is kept), `=T` a struct value (always written), `T!` has no `omitempty`,
//! `@Name` is reached through an embedded struct (Go's decoding errors name it). They follow the OpenAPI document of Kubernetes 1.36.

mod decode;
mod merge;

pub use decode::{DecodeError, UnknownField, decode, prune};
pub use merge::{Items, ListType, PatchStrategy, Shape};

use rustc_hash::FxHashMap;
use serde_json::Value;
use std::sync::OnceLock;

/// All known types.
#[derive(Debug)]
pub struct Schema {
    structs: Vec<Struct>,
    kinds: FxHashMap<(String, String), StructId>,
}

/// Place of a struct in [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructId(u32);

/// A Go struct.
#[derive(Debug)]
pub struct Struct {
    /// `PodSpec`.
    pub name: String,
    /// The package: `v1`.
    pub version: String,
    /// Ordered by name.
    pub fields: Vec<Field>,
}

/// A field of a Go struct.
#[derive(Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: String,
    /// Its type, without the pointer.
    pub ty: Type,
    /// Whether a zero value is kept when it is written out.
    pub is_pointer: bool,
    /// Whether it is written out even if it is absent.
    pub is_always_written: bool,
    /// The embedded struct it belongs to.
    pub embedded: Option<String>,
}

/// The type of a field.
#[derive(Debug)]
pub enum Type {
    /// `bool`
    Bool,
    /// `int32`
    Int32,
    /// `int64`
    Int64,
    /// `float64`
    Float64,
    /// `string` and named strings
    String,
    /// `[]byte`, base64 in JSON
    Bytes,
    /// `resource.Quantity`
    Quantity,
    /// `intstr.IntOrString`
    IntOrString,
    /// `metav1.Time` and `metav1.MicroTime`
    Time,
    /// Anything.
    Raw,
    /// `JSONSchemaPropsOrBool`: a schema or a boolean. The schema is read leniently: its unknown fields are dropped.
    SchemaOrBool(StructId),
    /// `JSONSchemaPropsOrArray`: a schema or several, read leniently.
    SchemaOrArray(StructId),
    /// A list.
    List(Box<Type>),
    /// A map from strings.
    Map(Box<Type>),
    /// A struct.
    Struct(StructId),
}

impl Schema {
    /// The schema of the built-in kinds.
    pub fn builtin() -> &'static Schema {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| parse(include_str!("types.txt")))
    }

    /// The struct of a kind, if that version is served.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<StructId> {
        self.kinds.get(&(api_version.to_owned(), kind.to_owned())).copied()
    }

    /// The struct of that name, if there is one.
    pub fn struct_called(&self, name: &str) -> Option<StructId> {
        let at = self.structs.iter().position(|item| item.name == name)?;
        u32::try_from(at).ok().map(StructId)
    }

    /// A field of a struct as Go writes it when nothing was set, if it writes it at all.
    pub fn empty_field(&self, id: StructId, name: &str) -> Option<Value> {
        let field = self.get(id).field(name).filter(|field| field.is_always_written)?;
        Some(decode::zero(self, &field.ty))
    }

    /// The struct behind an id.
    pub fn get(&self, id: StructId) -> &Struct {
        &self.structs[id.0 as usize]
    }
}

impl Struct {
    /// The field called `name`, in exactly that case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok().map(|at| &self.fields[at])
    }
}

/// The tables are ours: a mistake in them is a bug, found by the tests.
fn parse(text: &str) -> Schema {
    let heads: FxHashMap<&str, StructId> = text
        .lines()
        .filter(|line| is_head(line))
        .enumerate()
        .map(|(at, line)| (line.split(' ').next().unwrap_or(line), StructId(at as u32)))
        .collect();
    let mut schema = Schema { structs: Vec::new(), kinds: FxHashMap::default() };
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("kind ") {
            let words: Vec<_> = kind.split(' ').collect();
            schema.kinds.insert((words[0].to_owned(), words[1].to_owned()), heads[words[2]]);
        } else if let Some(field) = line.strip_prefix("  ") {
            let field = parse_field(field, &heads);
            schema.structs.last_mut().expect("a field belongs to a struct").fields.push(field);
        } else if is_head(line) {
            let (id, version) = line.split_once(' ').expect("a struct has a version");
            let name = id.split('~').next().unwrap_or(id).to_owned();
            schema.structs.push(Struct { name, version: version.to_owned(), fields: Vec::new() });
        }
    }
    for item in &mut schema.structs {
        item.fields.sort_by(|a, b| a.name.cmp(&b.name));
    }
    schema
}

fn is_head(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_uppercase())
}

fn parse_field(line: &str, heads: &FxHashMap<&str, StructId>) -> Field {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default().to_owned();
    let ty = words.next().unwrap_or_default();
    let embedded = words.next().map(|word| word.trim_start_matches('@').to_owned());
    let is_pointer = ty.starts_with('*');
    let is_always_written = ty.starts_with('=') || ty.ends_with('!');
    let ty = parse_type(ty.trim_start_matches(['*', '=']).trim_end_matches('!'), heads);
    Field { name, ty, is_pointer, is_always_written, embedded }
}

fn parse_type(text: &str, heads: &FxHashMap<&str, StructId>) -> Type {
    if let Some(item) = text.strip_prefix("[]") {
        return Type::List(Box::new(parse_type(item, heads)));
    }
    if let Some(item) = text.strip_prefix("map:") {
        return Type::Map(Box::new(parse_type(item, heads)));
    }
    match text {
        "bool" => Type::Bool,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "float64" => Type::Float64,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "Quantity" => Type::Quantity,
        "IntOrString" => Type::IntOrString,
        "Time" | "MicroTime" => Type::Time,
        "raw" => Type::Raw,
        "SchemaOrBool" => Type::SchemaOrBool(heads["JSONSchemaProps"]),
        "SchemaOrArray" => Type::SchemaOrArray(heads["JSONSchemaProps"]),
        name => Type::Struct(heads[name]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kinds::KINDS;

    #[test]
    fn every_kind_has_a_type() {
        let schema = Schema::builtin();
        for info in KINDS {
            for version in info.versions {
                let api_version = match info.group {
                    "" => (*version).to_owned(),
                    group => format!("{group}/{version}"),
                };
                assert!(schema.kind(&api_version, info.kind).is_some(), "{api_version} {}", info.kind);
            }
        }
    }
}
