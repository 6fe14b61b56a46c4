//! The ResourceQuota controller: counts anew what is used when something has been released (kube-controller-manager,
//! `resourcequota`).

use super::{Action, Context, Controller, Keys};
use crate::cluster::objects::{Kind, ResourceQuota};
use crate::cluster::{Change, Cluster, ControllerKind, ObjectRef, What};

/// Keeps `status.used` of every quota.
#[derive(Default)]
pub struct ResourceQuotaController;

impl Controller for ResourceQuotaController {
    fn kind(&self) -> ControllerKind {
        ControllerKind::ResourceQuota
    }

    fn observe(&mut self, change: Change, cluster: &Cluster, keys: &mut Keys<'_>) {
        let released = match change.what {
            What::Removed => true,
            What::Phase => change.pod().is_some_and(|pod| cluster.pod(pod).phase.is_terminal()),
            What::Created | What::Spec => {
                if let ObjectRef::Object(id) = change.object
                    && cluster.try_get::<ResourceQuota>(id).is_some()
                {
                    keys.add(id);
                }
                // What became smaller gives back what it no longer needs.
                change.what == What::Spec
                    && matches!(cluster.kind(change.object), "Pod" | "Service" | "PersistentVolumeClaim")
            }
            _ => false,
        };
        if released {
            let namespace = cluster.meta(change.object).namespace;
            cluster.of_kind_in(ResourceQuota::KIND, namespace).for_each(|id| keys.add(id));
        }
    }

    fn reconcile(&mut self, key: ObjectRef, cluster: &mut Cluster, cx: &mut Context<'_>) -> Action {
        let ObjectRef::Object(id) = key else { return Action::Done };
        if cluster.meta(key).removed {
            return Action::Done;
        }
        let used = cluster.quota_usage(id);
        let changed = cluster.update_status::<ResourceQuota>(id, |quota| {
            quota.enforced = Some(quota.hard.clone());
            quota.used = used;
        });
        if changed {
            cx.wrote();
        }
        Action::Done
    }
}
