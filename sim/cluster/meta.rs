//! Object metadata, as far as the simulation acts on it.

use smallvec::SmallVec;

use super::ids::{LabelsId, ObjectRef, Sym};
use crate::engine::Time;

/// The metadata of an object.
#[derive(Clone, Debug)]
pub struct Meta {
    /// `metadata.name`.
    pub name: Sym,
    /// `metadata.namespace`; empty for cluster-scoped kinds.
    pub namespace: Sym,
    /// `metadata.uid`: the number that [`uid_text`] writes as a UUID; unique in a run.
    pub uid: u64,
    /// `metadata.labels`.
    pub labels: LabelsId,
    /// `metadata.annotations`.
    pub annotations: LabelsId,
    /// `metadata.ownerReferences`.
    pub owners: SmallVec<[Owner; 1]>,
    /// `metadata.finalizers`, in order.
    pub finalizers: SmallVec<[Sym; 1]>,
    /// `metadata.generateName`, empty if the name was given.
    pub generate_name: Sym,
    /// `metadata.generation`: rises with every change of the desired state and with the deletion request.
    pub generation: u32,
    /// `metadata.resourceVersion`: the store's revision at the last write.
    pub resource_version: u64,
    /// `metadata.creationTimestamp`, with its fraction of a second (the API shows whole seconds).
    pub created: Time,
    /// The deletion request, if there is one.
    pub deletion: Option<Deletion>,
    /// Whether the object is gone from the store; its row stays, because ids are never reused.
    pub removed: bool,
}

/// One entry of `metadata.ownerReferences`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The owner, or `None` for one that never existed in the run (a dangling reference from the input).
    pub object: Option<ObjectRef>,
    /// The owner's uid; of one that never existed a mark and the symbol of the uid as it was written.
    pub uid: u64,
    /// `apiVersion` of the owner.
    pub api_version: Sym,
    /// `kind` of the owner.
    pub kind: Sym,
    /// `name` of the owner.
    pub name: Sym,
    /// Whether the owner is the managing controller.
    pub controller: bool,
    /// Whether foreground deletion of the owner waits for this object.
    pub block_owner_deletion: bool,
}

/// Marks the uid of an owner that never existed in the run.
pub(super) const DANGLING: u64 = 1 << 62;

/// A deletion request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// When deletion was asked for.
    pub requested: Time,
    /// `metadata.deletionGracePeriodSeconds`.
    pub grace_seconds: u32,
}

impl Meta {
    /// Whether deletion was asked for.
    pub fn is_deleting(&self) -> bool {
        self.deletion.is_some()
    }

    /// The managing controller.
    pub fn controller(&self) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.controller)
    }

    /// `metadata.deletionTimestamp`: the request plus the grace period.
    pub fn deletion_timestamp(&self) -> Option<Time> {
        let deletion = self.deletion?;
        Some(deletion.requested + crate::engine::Span::from_secs(u64::from(deletion.grace_seconds)))
    }
}

/// A uid as a UUID (version 4 layout) made from a number by a bijective mix, so that different numbers never collide.
pub fn uid_text(uid: u64) -> String {
    let (high, low) = (mix(uid ^ 0x5741_5645), mix(uid.wrapping_add(0x9e37_79b9_7f4a_7c15)));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

/// What [`uid_text`] is ordered by, without the text.
pub fn uid_order(uid: u64) -> (u64, u64) {
    let (high, low) = (mix(uid ^ 0x5741_5645), mix(uid.wrapping_add(0x9e37_79b9_7f4a_7c15)));
    let digits = (high >> 16) << 12 | high & 0xfff;
    (digits, (low >> 48 & 0x3fff | 0x8000) << 48 | low & 0xffff_ffff_ffff)
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The alphabet of generated names: no vowels, no look-alikes (apimachinery, `util/rand`).
pub const NAME_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Five characters that make a generated name: `number` mixed into the alphabet of apimachinery's `rand.String`.
pub fn name_suffix(number: u64) -> String {
    let mut x = mix(number);
    (0..5)
        .map(|_| {
            let character = NAME_ALPHABET[(x % 27) as usize];
            x /= 27;
            char::from(character)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_look_like_random_uuids() {
        let uid = uid_text(7);
        assert_eq!(uid.len(), 36);
        assert_eq!(uid.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&uid.as_bytes()[19]));
        assert_ne!(uid, uid_text(8));
    }

    #[test]
    fn suffixes_use_the_safe_alphabet() {
        assert!(
            (0..1000).map(name_suffix).all(|name| name.len() == 5 && name.bytes().all(|b| NAME_ALPHABET.contains(&b)))
        );
    }
}
