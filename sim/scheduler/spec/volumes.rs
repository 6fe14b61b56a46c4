//! What the volumes of a spec concern: claims, and disks named in the pod itself.

use k8s_openapi::api::core::v1 as core;

/// The volumes of a spec, as far as scheduling looks at them.
#[derive(Clone, Debug, Default)]
pub struct VolumeUse {
    /// Claims in the order of the volumes, ephemeral ones included.
    pub claims: Vec<ClaimUse>,
    /// Disks that exclude each other.
    pub disks: Vec<Disk>,
    /// Whether a volume counts against the limits of nodes.
    pub counts: bool,
}

/// A claim that a volume uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimUse {
    /// `claimName`, or the name of the volume if it is ephemeral.
    pub name: String,
    /// Whether the claim is made for the pod (`<pod>-<volume>`).
    pub ephemeral: bool,
}

/// A disk that a pod names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the API")]
pub enum Disk {
    /// `gcePersistentDisk`.
    Gce { name: String, read_only: bool },
    /// `awsElasticBlockStore`.
    Aws { id: String },
    /// `iscsi`.
    Iscsi { iqn: String, read_only: bool },
    /// `rbd`.
    Rbd { monitors: Vec<String>, pool: String, image: String, read_only: bool },
}

impl VolumeUse {
    /// Lowers the volumes of a spec.
    pub fn lower(spec: &core::PodSpec) -> VolumeUse {
        let mut volumes = VolumeUse::default();
        for volume in spec.volumes.iter().flatten() {
            if let Some(claim) = &volume.persistent_volume_claim {
                volumes.claims.push(ClaimUse { name: claim.claim_name.clone(), ephemeral: false });
            } else if volume.ephemeral.is_some() {
                volumes.claims.push(ClaimUse { name: volume.name.clone(), ephemeral: true });
            }
            volumes.disks.extend(Disk::of(volume));
            volumes.counts |= volume.persistent_volume_claim.is_some()
                || volume.ephemeral.is_some()
                || volume.gce_persistent_disk.is_some()
                || volume.aws_elastic_block_store.is_some()
                || volume.azure_disk.is_some()
                || volume.azure_file.is_some()
                || volume.cinder.is_some()
                || volume.portworx_volume.is_some()
                || volume.vsphere_volume.is_some();
        }
        volumes
    }
}

impl ClaimUse {
    /// The name of the claim of a pod of this name.
    pub fn claim_name(&self, pod: &str) -> String {
        if self.ephemeral { format!("{pod}-{}", self.name) } else { self.name.clone() }
    }
}

impl Disk {
    fn of(volume: &core::Volume) -> Option<Disk> {
        if let Some(disk) = &volume.gce_persistent_disk {
            return Some(Disk::Gce { name: disk.pd_name.clone(), read_only: disk.read_only == Some(true) });
        }
        if let Some(disk) = &volume.aws_elastic_block_store {
            return Some(Disk::Aws { id: disk.volume_id.clone() });
        }
        if let Some(disk) = &volume.iscsi {
            return Some(Disk::Iscsi { iqn: disk.iqn.clone(), read_only: disk.read_only == Some(true) });
        }
        let disk = volume.rbd.as_ref()?;
        Some(Disk::Rbd {
            monitors: disk.monitors.clone(),
            pool: disk.pool.clone().unwrap_or_default(),
            image: disk.image.clone(),
            read_only: disk.read_only == Some(true),
        })
    }

    /// Whether both cannot be mounted on one node (`isVolumeConflict`).
    pub fn conflicts(&self, other: &Disk) -> bool {
        match (self, other) {
            (Disk::Gce { name: a, read_only: ra }, Disk::Gce { name: b, read_only: rb })
            | (Disk::Iscsi { iqn: a, read_only: ra }, Disk::Iscsi { iqn: b, read_only: rb }) => a == b && !(*ra && *rb),
            (Disk::Aws { id: a }, Disk::Aws { id: b }) => a == b,
            (
                Disk::Rbd { monitors: ma, pool: pa, image: ia, read_only: ra },
                Disk::Rbd { monitors: mb, pool: pb, image: ib, read_only: rb },
            ) => (pa, ia) == (pb, ib) && ma.iter().any(|monitor| mb.contains(monitor)) && !(*ra && *rb),
            _ => false,
        }
    }
}
