//! Pulling images: policies, the queue of a node, failures and their back-off (kubelet, `images/image_manager.go`, `puller.go`).

use super::backoff::{self, BackOff, BackOffLimits};
use super::images::{ImageRow, WaitingPull, normalized};
use super::kubelets::{Cx, Kubelets};
use super::shape::PullPolicy;
use super::start::{draw_turn, startup};
use super::worker::{Busy, Worker};
use super::world::scaled;
use crate::cluster::{EventType, KubeletTiming, NodeId, NodeImage, NodeStep, PodId, PodStep, Sym};
use crate::engine::{Purpose, Span, Time};

/// After a failed sync a pod is looked at again after this, and up to half of it more (kubelet, `pod_workers.go`, `backOffPeriod`).
const ERROR_RESYNC: Span = Span::from_secs(10);
/// How often a kubelet sends its node's status (`nodeStatusUpdateFrequency`).
const NODE_STATUS_PERIOD: Span = Span::from_secs(10);

impl Kubelets {
    /// When a pull for the first container of a pod last failed.
    pub(super) fn last_pull_failure(&self, pod: PodId) -> Option<Time> {
        Some(self.worker(pod)?.rows.first()?.pull?.last_update)
    }

    /// Makes sure that the image of a container is on the node, then goes on to its start.
    pub(super) fn ensure_image(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let now = cx.now();
        let policy = w.container(idx).pull_policy;
        let key = image_key(w, idx, cx);
        let present = self.node(w.node).images.present.contains_key(&key);
        w.busy = Busy::Pulling(idx as u8);
        let turn = w.new_turn();
        match policy {
            PullPolicy::Never if !present => return self.never_pulled(w, idx, cx),
            PullPolicy::Never | PullPolicy::IfNotPresent if present => {
                let image = cx.cluster.interner.shared_text(w.container(idx).image);
                let text =
                    format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
                self.note(w, idx, EventType::Normal, "Pulled", &text, cx);
                w.rows[idx].pulled_for = None;
                return self.image_ready(w, idx, cx);
            }
            _ => {}
        }
        let image = cx.cluster.interner.shared_text(w.container(idx).image);
        self.note(w, idx, EventType::Normal, "Pulling", &format!("Pulling image \"{image}\""), cx);
        w.rows[idx].pulled_for = Some(now);
        let waiting = WaitingPull { pod: w.pod, turn, container: idx as u8, since: now };
        let limit = self.options.parallel_pulls.max(1);
        let images = &mut self.node(w.node).images;
        if limit <= images.n_pulling {
            images.waiting.push_back(waiting);
            return;
        }
        self.begin_pull(w, idx, turn, cx);
    }

    /// The pull has its turn. One that takes no time holds no one up.
    fn begin_pull(&mut self, w: &mut Worker, idx: usize, turn: u16, cx: &mut Cx<'_>) {
        let takes = self.pull_time(w, idx, cx);
        w.rows[idx].pull_takes = takes;
        if takes.is_zero() {
            return self.image_ready(w, idx, cx);
        }
        self.node(w.node).images.n_pulling += 1;
        let at = cx.now() + takes;
        cx.step(at, w.pod, PodStep::ImageReady, idx, turn);
        cx.node_step(at, w.node, NodeStep::NextPull);
    }

    /// A pull has ended: the next ones have their turn.
    pub(super) fn next_pull(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        let limit = self.options.parallel_pulls.max(1);
        let images = &mut self.node(node).images;
        images.n_pulling = images.n_pulling.saturating_sub(1);
        while self.node(node).images.n_pulling < limit {
            let Some(next) = self.node(node).images.waiting.pop_front() else { return };
            let Some(mut w) = self.take_worker(next.pod) else { continue };
            if w.turn == next.turn {
                self.begin_pull(&mut w, usize::from(next.container), next.turn, cx);
                self.sync(&mut w, cx);
            }
            self.put_worker(w);
        }
    }

    /// The end of a pull. Returns whether the image is there.
    pub(super) fn finish_pull(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) -> bool {
        let now = cx.now();
        w.busy = Busy::Idle;
        let key = image_key(w, idx, cx);
        let Some(since) = w.rows[idx].pulled_for.take() else {
            self.node(w.node).images.used(key, now);
            return true;
        };
        if self.pull_fails(w, idx, cx) {
            self.pull_failed(w, idx, cx);
            return false;
        }
        let size_bytes = self.image_size(w, idx, cx);
        let took = w.rows[idx].pull_takes;
        self.note_pulled(w, idx, took, now.since(since), size_bytes, cx);
        let node = w.node;
        let images = &mut self.node(node).images;
        if images.present.contains_key(&key) {
            images.used(key, now);
            return true;
        }
        images.present.insert(key, ImageRow { size_bytes, last_used: now, since: now, primary: key });
        self.images_changed(node, cx);
        self.watch_images(node, cx);
        self.watch_disk(node, cx);
        true
    }

    fn pull_fails(&self, w: &Worker, idx: usize, cx: &Cx<'_>) -> bool {
        w.model(idx).image_error || !cx.cluster.registry_up
    }

    fn pull_time(&mut self, w: &Worker, idx: usize, cx: &mut Cx<'_>) -> Span {
        if self.pull_fails(w, idx, cx) {
            return self.options.pull_failure;
        }
        let key = image_key(w, idx, cx);
        if self.node(w.node).images.present.contains_key(&key) {
            return self.options.registry_latency;
        }
        if w.model(idx).image_size.is_none() && startup(w, cx).is_some() {
            // The startup that is modelled is all the time that the pod takes.
            return Span::ZERO;
        }
        let takes = Span::from_secs_f64(self.image_size(w, idx, cx) as f64 / self.options.pull_bandwidth);
        scaled(takes, cx.cluster.node(w.node).slowdown)
    }

    /// The size of an image: the same for all who draw it.
    fn image_size(&self, w: &Worker, idx: usize, cx: &Cx<'_>) -> i64 {
        let Some(size) = &w.model(idx).image_size else { return self.options.image_size_bytes as i64 };
        let bytes = size.as_constant().unwrap_or_else(|| {
            let name = cx.cluster.interner.text(w.container(idx).image);
            let entity = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            size.sample(&mut cx.agenda.stream(Purpose::ImageSize, entity >> 8, 0))
        });
        (bytes + 0.5) as i64
    }

    fn pull_failed(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let now = cx.now();
        let image = cx.cluster.interner.shared_text(w.container(idx).image);
        let error = if cx.cluster.registry_up {
            format!(
                "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": failed to resolve \
                 reference \"{image}\": {image}: not found"
            )
        } else {
            format!(
                "rpc error: code = Unavailable desc = failed to pull and unpack image \"{image}\": failed to resolve \
                 reference \"{image}\": dial tcp: connect: connection refused"
            )
        };
        let text = format!("Failed to pull image \"{image}\": {error}");
        self.note(w, idx, EventType::Warning, "Failed", &text, cx);
        self.note(w, idx, EventType::Warning, "Failed", "Error: ErrImagePull", cx);
        let (reason, message) = (cx.cluster.words.err_image_pull, cx.cluster.interner.sym(&error));
        w.wait_for(idx, reason, message);
        // Without failures for twice the longest delay it starts afresh; each failure is its own last update.
        let entry = backoff::next(w.rows[idx].pull, now, now, BackOffLimits::default());
        w.rows[idx].pull = Some(entry);
        let (show_at, retry_at) = self.resyncs(w, idx, entry, cx);
        (w.rows[idx].show_at, w.rows[idx].retry_at) = (show_at, retry_at);
        self.report(w, cx);
    }

    /// When the pod is first looked at again, and when the pull is: the first such look after the back-off.
    fn resyncs(&self, w: &Worker, idx: usize, entry: BackOff, cx: &Cx<'_>) -> (Time, Time) {
        let (now, until) = (cx.now(), cx.now() + entry.delay);
        if self.options.timing == KubeletTiming::Ideal {
            return ((now + ERROR_RESYNC).min(until), until);
        }
        let turn = draw_turn(idx, w.rows[idx].status.restarts) | (u32::from(w.turn) & 0xff) << 16;
        let (mut at, mut show_at) = (now, None);
        for nth in 0..60 {
            at = at + ERROR_RESYNC + self.jitter(w, ERROR_RESYNC, turn.wrapping_add(nth), cx);
            at = at.next_tick(self.phase_of(w.node), Span::from_secs(1));
            show_at = show_at.or(Some(at));
            if until <= at {
                break;
            }
        }
        (show_at.unwrap_or(at), at)
    }

    /// A look at a pod whose pull is in back-off.
    pub(super) fn show_pull_back_off(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        let words = cx.cluster.words;
        if !w.rows[idx].shows(words.err_image_pull) {
            return;
        }
        let image = cx.cluster.interner.shared_text(w.container(idx).image);
        let text = format!("Back-off pulling image \"{image}\"");
        self.note(w, idx, EventType::Normal, "BackOff", &text, cx);
        self.note(w, idx, EventType::Warning, "Failed", "Error: ImagePullBackOff", cx);
        let error = match w.rows[idx].status.state {
            crate::cluster::ContainerState::Waiting { message, .. } => cx.cluster.interner.shared_text(message),
            _ => "".into(),
        };
        let message = cx.cluster.interner.sym(&format!("{text}: ErrImagePull: {error}"));
        w.wait_for(idx, words.image_pull_back_off, message);
    }

    fn never_pulled(&mut self, w: &mut Worker, idx: usize, cx: &mut Cx<'_>) {
        w.busy = Busy::Idle;
        let image = cx.cluster.interner.shared_text(w.container(idx).image);
        let text = format!("Container image \"{image}\" is not present with pull policy of Never");
        self.note(w, idx, EventType::Warning, "ErrImageNeverPull", &text, cx);
        self.note(w, idx, EventType::Warning, "Failed", "Error: ErrImageNeverPull", cx);
        let (reason, message) = (cx.cluster.interner.sym("ErrImageNeverPull"), cx.cluster.interner.sym(&text));
        w.wait_for(idx, reason, message);
        let late = self.jitter(w, ERROR_RESYNC, u32::from(w.turn), cx);
        w.rows[idx].retry_at = cx.now() + ERROR_RESYNC + late;
        w.rows[idx].show_at = w.rows[idx].retry_at;
        self.report(w, cx);
    }

    /// The node's status is sent with its next regular look at itself.
    pub(super) fn images_changed(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        if std::mem::replace(&mut self.node(node).images_changed, true) {
            return;
        }
        let at = match self.options.timing {
            KubeletTiming::Ideal => cx.now(),
            KubeletTiming::Realistic => cx.now().next_tick(cx.cluster.node(node).heartbeat, NODE_STATUS_PERIOD),
        };
        cx.node_step(at, node, NodeStep::ReportImages);
    }

    /// Reports the images of a node, largest first, at most fifty (kubelet, `nodestatus/setters.go`, `nodeStatusMaxImages`).
    pub(super) fn report_images(&mut self, node: NodeId, cx: &mut Cx<'_>) {
        self.node(node).images_changed = false;
        if cx.cluster.node(node).meta.removed || self.is_cut_off(node, cx.cluster) {
            return;
        }
        let present = &self.node(node).images.present;
        let mut images: Vec<NodeImage> = cx.cluster.node(node).images.clone();
        images.retain(|image| image.names.iter().any(|name| present.contains_key(name)));
        for (&name, row) in present {
            if !images.iter().any(|image| image.names.contains(&name)) {
                images.push(NodeImage { names: vec![name], size_bytes: row.size_bytes });
            }
        }
        images.sort_by_key(|image| (std::cmp::Reverse(image.size_bytes), image.names[0]));
        images.truncate(50);
        cx.cluster.set_images(node, images);
    }
}

/// Under which name the image of a container is on a node.
pub(super) fn image_key(w: &Worker, idx: usize, cx: &mut Cx<'_>) -> Sym {
    let image = w.container(idx).image;
    let key = normalized(cx.cluster.interner.text(image));
    if key == cx.cluster.interner.text(image) { image } else { cx.cluster.interner.sym(&key) }
}
