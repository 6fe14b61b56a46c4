//! Label selectors interned, with what each says of each interned label map remembered.

use std::sync::atomic::{AtomicU8, Ordering};

use rustc_hash::FxHashMap;

use crate::api::selector::Selector;
use crate::cluster::{Cluster, LabelsId};
use crate::dense_ids;
use crate::engine::{Id, IdVec};

dense_ids! {
    /// An interned selector.
    SelectorId;
}

/// More remembered verdicts than this (bytes) are not kept.
const MAX_REMEMBERED: usize = 64 << 20;

/// Interned selectors. A verdict never changes, because label maps are values: the atomics only let readers remember.
#[derive(Debug, Default)]
pub struct Selectors {
    selectors: IdVec<SelectorId, Selector>,
    ids: FxHashMap<Selector, SelectorId>,
    verdicts: Vec<Vec<AtomicU8>>,
    width: usize,
}

impl Selectors {
    /// The id of a selector.
    pub fn intern(&mut self, selector: Selector) -> SelectorId {
        if let Some(&id) = self.ids.get(&selector) {
            return id;
        }
        let id = self.selectors.push(selector.clone());
        self.ids.insert(selector, id);
        self.verdicts.push(Vec::new());
        self.fit(id.index());
        id
    }

    /// The selector of an id.
    pub fn get(&self, id: SelectorId) -> &Selector {
        &self.selectors[id]
    }

    /// Makes room for verdicts on all label maps of the store.
    pub fn sync(&mut self, cluster: &Cluster) {
        let n_maps = cluster.interner.n_maps();
        if n_maps <= self.width {
            return;
        }
        self.width = n_maps.next_power_of_two().max(256);
        for idx in 0..self.verdicts.len() {
            self.fit(idx);
        }
    }

    fn fit(&mut self, idx: usize) {
        if self.selectors.len() * self.width <= MAX_REMEMBERED {
            self.verdicts[idx].resize_with(self.width, AtomicU8::default);
        }
    }

    /// Whether the labels meet the selector.
    pub fn matches(&self, id: SelectorId, cluster: &Cluster, labels: LabelsId) -> bool {
        let remembered = self.verdicts[id.index()].get(labels.index());
        match remembered.map_or(0, |verdict| verdict.load(Ordering::Relaxed)) {
            0 => {
                let matches = self.selectors[id].matches(|key| cluster.label(labels, key));
                if let Some(verdict) = remembered {
                    verdict.store(1 + u8::from(matches), Ordering::Relaxed);
                }
                matches
            }
            verdict => verdict == 2,
        }
    }
}

impl Clone for Selectors {
    fn clone(&self) -> Selectors {
        Selectors {
            selectors: self.selectors.clone(),
            ids: self.ids.clone(),
            verdicts: self.verdicts.iter().map(|row| row.iter().map(|_| AtomicU8::default()).collect()).collect(),
            width: self.width,
        }
    }
}
