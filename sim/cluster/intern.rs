//! Interned strings and string maps: equal values have equal ids, so that comparing and copying costs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::ids::{LabelsId, ResourceId, Sym};
use crate::engine::{Id, IdVec};

/// Interned strings, string maps and resource names. Ids are given in order of first use.
#[derive(Clone, Debug)]
pub struct Interner {
    strings: IdVec<Sym, Arc<str>>,
    string_ids: FxHashMap<Arc<str>, Sym>,
    maps: IdVec<LabelsId, Box<[(Sym, Sym)]>>,
    map_ids: FxHashMap<Box<[(Sym, Sym)]>, LabelsId>,
    resources: Vec<Sym>,
    resource_ids: FxHashMap<Sym, ResourceId>,
}

impl Sym {
    /// The empty string.
    pub const EMPTY: Sym = Sym(0);
}

impl LabelsId {
    /// The map without entries.
    pub const EMPTY: LabelsId = LabelsId(0);
}

impl Default for Interner {
    fn default() -> Self {
        let mut interner = Interner {
            strings: IdVec::new(),
            string_ids: FxHashMap::default(),
            maps: IdVec::new(),
            map_ids: FxHashMap::default(),
            resources: Vec::new(),
            resource_ids: FxHashMap::default(),
        };
        interner.sym("");
        interner.labels_of_pairs(Vec::new());
        for name in ["cpu", "memory", "ephemeral-storage", "pods"] {
            interner.resource(name);
        }
        interner
    }
}

impl Interner {
    /// The id of `text`.
    pub fn sym(&mut self, text: &str) -> Sym {
        if let Some(&sym) = self.string_ids.get(text) {
            return sym;
        }
        let text: Arc<str> = text.into();
        let sym = self.strings.push(text.clone());
        self.string_ids.insert(text, sym);
        sym
    }

    /// The id of `text` if it has one.
    pub fn find(&self, text: &str) -> Option<Sym> {
        self.string_ids.get(text).copied()
    }

    /// The text of `sym`.
    pub fn text(&self, sym: Sym) -> &str {
        &self.strings[sym]
    }

    /// The shared text of `sym`.
    pub fn shared_text(&self, sym: Sym) -> Arc<str> {
        self.strings[sym].clone()
    }

    /// The id of a map of strings.
    pub fn labels<'a>(&mut self, entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> LabelsId {
        let entries: BTreeMap<&str, &str> = entries.into_iter().collect();
        let pairs = entries.into_iter().map(|(key, value)| (self.sym(key), self.sym(value))).collect();
        self.labels_of_pairs(pairs)
    }

    /// The id of a map of interned strings; a later entry of the same key wins.
    pub fn labels_of_pairs(&mut self, mut pairs: Vec<(Sym, Sym)>) -> LabelsId {
        pairs.sort_by_key(|&(key, _)| key);
        pairs.reverse();
        pairs.dedup_by_key(|&mut (key, _)| key);
        pairs.reverse();
        let pairs: Box<[_]> = pairs.into();
        if let Some(&id) = self.map_ids.get(&pairs) {
            return id;
        }
        let id = self.maps.push(pairs.clone());
        self.map_ids.insert(pairs, id);
        id
    }

    /// The entries of a map in order of key id: stable in a run, not alphabetical.
    pub fn pairs(&self, id: LabelsId) -> &[(Sym, Sym)] {
        &self.maps[id]
    }

    /// The entries of a map as text, in order of key id.
    pub fn entries(&self, id: LabelsId) -> impl Iterator<Item = (&str, &str)> {
        self.maps[id].iter().map(|&(key, value)| (self.text(key), self.text(value)))
    }

    /// The value of `key` in a map.
    pub fn value(&self, id: LabelsId, key: Sym) -> Option<Sym> {
        let pairs = &self.maps[id];
        pairs.binary_search_by_key(&key, |&(key, _)| key).ok().map(|idx| pairs[idx].1)
    }

    /// The value of the key `key` in a map, as text.
    pub fn value_text(&self, id: LabelsId, key: &str) -> Option<&str> {
        self.value(id, self.find(key)?).map(|value| self.text(value))
    }

    /// The map with `key` set to `value`, or removed if `value` is `None`.
    pub fn with(&mut self, id: LabelsId, key: &str, value: Option<&str>) -> LabelsId {
        let key = self.sym(key);
        let mut pairs: Vec<_> = self.maps[id].iter().copied().filter(|&(other, _)| other != key).collect();
        if let Some(value) = value {
            pairs.push((key, self.sym(value)));
        }
        self.labels_of_pairs(pairs)
    }

    /// Number of distinct maps.
    pub fn n_maps(&self) -> usize {
        self.maps.len()
    }

    /// The id of the resource `name`.
    ///
    /// # Panics
    ///
    /// With more than 65,536 different resource names.
    pub fn resource(&mut self, name: &str) -> ResourceId {
        let sym = self.sym(name);
        if let Some(&id) = self.resource_ids.get(&sym) {
            return id;
        }
        let id = ResourceId(u16::try_from(self.resources.len()).expect("fewer than 2^16 resource names"));
        self.resources.push(sym);
        self.resource_ids.insert(sym, id);
        id
    }

    /// The id of the resource `name` if any object has named it.
    pub fn find_resource(&self, name: &str) -> Option<ResourceId> {
        self.resource_ids.get(&self.find(name)?).copied()
    }

    /// The name of a resource.
    pub fn resource_name(&self, id: ResourceId) -> &str {
        self.text(self.resources[usize::from(id.0)])
    }

    /// All resources in order of first use.
    pub fn resources(&self) -> impl Iterator<Item = ResourceId> + use<> {
        (0..self.resources.len()).map(|idx| ResourceId(idx as u16))
    }
}

/// Values interned by equality of a key, such as pod specs by their canonical JSON.
#[derive(Clone, Debug)]
pub struct Interned<I, T> {
    items: IdVec<I, Arc<T>>,
    ids: FxHashMap<Box<str>, I>,
}

impl<I: Id, T> Default for Interned<I, T> {
    fn default() -> Self {
        Interned { items: IdVec::new(), ids: FxHashMap::default() }
    }
}

impl<I: Id, T> Interned<I, T> {
    /// The id of the value whose key is `key`, made by `make` when it is new.
    pub fn intern<E>(&mut self, key: &str, make: impl FnOnce() -> Result<T, E>) -> Result<I, E> {
        if let Some(&id) = self.ids.get(key) {
            return Ok(id);
        }
        let id = self.items.push(Arc::new(make()?));
        self.ids.insert(key.into(), id);
        Ok(id)
    }

    /// The value of `id`.
    pub fn get(&self, id: I) -> &T {
        &self.items[id]
    }

    /// The shared value of `id`.
    pub fn shared(&self, id: I) -> Arc<T> {
        self.items[id].clone()
    }

    /// Number of distinct values.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing has been interned.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All ids in order of first use.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + use<I, T> {
        self.items.ids()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_maps_have_equal_ids() {
        let mut interner = Interner::default();
        let a = interner.labels([("app", "web"), ("tier", "fe")]);
        let b = interner.labels([("tier", "fe"), ("app", "web")]);
        assert_eq!(a, b);
        assert_eq!(interner.value_text(a, "tier"), Some("fe"));
        let c = interner.with(a, "tier", None);
        assert_eq!(c, interner.labels([("app", "web")]));
        assert_eq!(interner.with(c, "tier", Some("fe")), a);
        assert_eq!(interner.labels([]), LabelsId::EMPTY);
    }

    #[test]
    fn the_later_entry_of_a_key_wins() {
        let mut interner = Interner::default();
        let (key, old, new) = (interner.sym("k"), interner.sym("old"), interner.sym("new"));
        let id = interner.labels_of_pairs(vec![(key, old), (key, new)]);
        assert_eq!(interner.pairs(id), &[(key, new)]);
    }
}
