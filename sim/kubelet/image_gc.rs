//! Collecting images that no container uses: when the disk fills up, and when they have not been used for long
//! (kubelet, `images/image_gc_manager.go`).

use std::collections::BTreeSet;

use super::kubelets::{Cx, Kubelets};
use super::pull::image_key;
use super::thresholds::Signal;
use super::worker::{Stage, Worker};
use crate::cluster::{EventType, NodeId, NodeStep, Sym};
use crate::engine::{Id, Span, Time};

/// How often unused images are looked for (kubelet, `ImageGCPeriod`).
pub const IMAGE_GC_PERIOD: Span = Span::from_secs(300);

/// When images are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageGcPolicy {
    /// `imageGCHighThresholdPercent`: from this usage of the disk on; 100 is never.
    pub high_percent: i64,
    /// `imageGCLowThresholdPercent`: down to this usage.
    pub low_percent: i64,
    /// `imageMinimumGCAge`: no image that came later.
    pub min_age: Span,
    /// `imageMaximumGCAge`: images not used for longer go whatever the usage; zero is never.
    pub max_age: Span,
}

impl Default for ImageGcPolicy {
    fn default() -> Self {
        ImageGcPolicy { high_percent: 85, low_percent: 80, min_age: Span::from_secs(120), max_age: Span::ZERO }
    }
}

/// An image that no container uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unused<T> {
    /// Which.
    pub image: T,
    /// Its size.
    pub size_bytes: i64,
    /// When a container last used it.
    pub last_used: Time,
    /// When it came to the node.
    pub since: Time,
}

/// How many bytes have to go: none below the high threshold, else as many as lead to the low one.
pub fn bytes_to_free(available: i64, capacity: i64, policy: ImageGcPolicy) -> i64 {
    if capacity <= 0 || policy.high_percent >= 100 {
        return 0;
    }
    let used_percent = 100 - (i128::from(available) * 100 / i128::from(capacity)) as i64;
    if used_percent < policy.high_percent {
        return 0;
    }
    (i128::from(capacity) * i128::from(100 - policy.low_percent) / 100 - i128::from(available)).max(0) as i64
}

/// Which unused images go to free `to_free` bytes at `now`: those least recently used first, none younger than the minimum age.
pub fn choose<T: Copy + Ord>(mut unused: Vec<Unused<T>>, to_free: i64, now: Time, min_age: Span) -> Vec<Unused<T>> {
    unused.sort_by_key(|image| (image.last_used, image.since, image.image));
    let (mut freed, mut out) = (0i64, Vec::new());
    for image in unused {
        if freed >= to_free {
            break;
        }
        if now.since(image.since) < min_age || image.last_used >= now && !image.last_used.since(Time::ZERO).is_zero() {
            continue;
        }
        freed = freed.saturating_add(image.size_bytes);
        out.push(image);
    }
    out
}

impl Kubelets {
    /// What the images of a node take, in bytes.
    pub fn image_bytes(&self, node: NodeId) -> i64 {
        self.nodes.get(node.index()).map_or(0, |node| node.images.total_bytes())
    }

    /// Images or containers have come or gone: schedules the next turn of the collection if it would find something to do.
    pub(super) fn watch_images(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let full = self.image_bytes_to_free(node, cx) > 0;
        if full || !self.options.image_gc.max_age.is_zero() {
            self.plan_image_gc(node, cx.now() + Span::from_micros(1), cx);
        }
    }

    /// A pod has ended: its images may be used no more.
    pub(super) fn images_released(&mut self, w: &Worker, cx: &mut Cx<'_>) {
        for idx in 0..w.rows.len() {
            let key = image_key(w, idx, cx);
            self.node(w.node).images.used(key, cx.now());
        }
        if !self.options.image_gc.max_age.is_zero() {
            self.plan_image_gc(w.node, cx.now() + Span::from_micros(1), cx);
        }
    }

    fn plan_image_gc(&mut self, node: NodeId, from: Time, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.node(node).image_gc_pending, true) {
            let anchor = cx.cluster.node(node).meta.created;
            cx.node_step(from.next_tick(anchor, IMAGE_GC_PERIOD), node, NodeStep::ImageGc);
        }
    }

    /// One turn of the collection.
    pub(super) fn collect_images(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        self.node(node).image_gc_pending = false;
        if cx.cluster.node(node).meta.removed || self.is_cut_off(node, cx.cluster) {
            return;
        }
        let (now, policy) = (cx.now(), self.options.image_gc);
        if !policy.max_age.is_zero() {
            let old = self.unused_images(node, cx).into_iter();
            let old: Vec<_> =
                old.filter(|image| policy.max_age < now.since(image.last_used.max(image.since))).collect();
            self.delete_images(node, &old, cx);
        }
        let to_free = self.image_bytes_to_free(node, cx);
        if to_free > 0 {
            let chosen = choose(self.unused_images(node, cx), to_free, now, policy.min_age);
            let freed: i64 = chosen.iter().map(|image| image.size_bytes).sum();
            self.delete_images(node, &chosen, cx);
            if freed < to_free {
                let text = format!(
                    "Failed to garbage collect required amount of images. Attempted to free {to_free} bytes, but only \
                     found {freed} bytes eligible to free."
                );
                if self.options.events {
                    let source = cx.cluster.words.kubelet;
                    cx.cluster.record_event(node, EventType::Warning, "FreeDiskSpaceFailed", &text, source);
                }
            }
        }
        let waits = !policy.max_age.is_zero() && !self.unused_images(node, cx).is_empty();
        if waits || self.image_bytes_to_free(node, cx) > 0 {
            self.plan_image_gc(node, now + Span::from_micros(1), cx);
        }
    }

    /// Removes every unused image, whatever its age: what disk pressure does first. Returns whether there was any.
    pub(super) fn delete_unused_images(&mut self, node: NodeId, cx: &mut Cx<'_>) -> bool {
        let unused = self.unused_images(node, cx);
        self.delete_images(node, &unused, cx);
        !unused.is_empty()
    }

    fn image_bytes_to_free(&self, node: NodeId, cx: &Cx<'_>) -> i64 {
        let seen = self.observe_node(node, cx.now(), cx);
        let disk = seen.iter().find(|seen| seen.signal == Signal::ImageFs);
        disk.map_or(0, |disk| bytes_to_free(disk.available, disk.capacity, self.options.image_gc))
    }

    /// The images of a node that no pod of it uses, and that are not being pulled.
    fn unused_images(&mut self, node: NodeId, cx: &mut Cx<'_>) -> Vec<Unused<Sym>> {
        let mut used = BTreeSet::new();
        let pods: Vec<_> = self.nodes[node.index()].pods.iter().copied().collect();
        for pod in pods {
            let Some(w) = self.worker(pod).filter(|w| w.stage != Stage::Ended) else { continue };
            for idx in 0..w.rows.len() {
                if let Some(primary) = self.nodes[node.index()].images.primary(image_key(w, idx, cx)) {
                    used.insert(primary);
                }
            }
        }
        let images = self.nodes[node.index()].images.all().filter(|(name, _)| !used.contains(name));
        images
            .map(|(image, row)| Unused {
                image,
                size_bytes: row.size_bytes,
                last_used: row.last_used,
                since: row.since,
            })
            .collect()
    }

    fn delete_images(&mut self, node: NodeId, images: &[Unused<Sym>], cx: &mut Cx<'_>) {
        for image in images {
            self.node(node).images.remove(image.image);
        }
        if !images.is_empty() {
            self.images_changed(node, cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: i64 = 1 << 30;

    #[test]
    fn images_go_from_the_high_threshold_down_to_the_low_one() {
        let policy = ImageGcPolicy::default();
        for (used, free) in [(84, 0), (85, 5), (86, 6), (100, 20)] {
            assert_eq!(bytes_to_free((100 - used) * GIB, 100 * GIB, policy), free * GIB, "{used} %");
        }
        assert_eq!(bytes_to_free(0, 0, policy), 0, "nothing is known of the disk");
        assert_eq!(bytes_to_free(0, GIB, ImageGcPolicy { high_percent: 100, ..policy }), 0, "switched off");
    }

    #[test]
    fn the_least_recently_used_go_first_and_young_ones_stay() {
        let image = |image, size_bytes, last_used, since| Unused {
            image,
            size_bytes,
            last_used: Time::from_secs(last_used),
            since: Time::from_secs(since),
        };
        let unused = vec![image("b", 3, 20, 5), image("young", 9, 0, 950), image("a", 3, 10, 5), image("c", 3, 30, 5)];
        let chosen = choose(unused, 4, Time::from_secs(1000), Span::from_secs(120));
        assert_eq!(chosen.iter().map(|image| image.image).collect::<Vec<_>>(), ["a", "b"]);
    }
}
