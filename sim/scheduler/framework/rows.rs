//! The fast path of a cycle: what depends only on a spec and on a node's own row (most verdicts, most scores) is remembered per
//! spec and node, and judged again only when the node's row has changed. Agrees with the plain path in [`super::search`].

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Framework;
use super::names::PluginSet;
use super::plugin::{Cx, MAX_NODE_SCORE, Plugin, Reads, ScoreKind};
use super::search::TieBreak;
use super::state::CycleState;
use super::status::Status;
use crate::cluster::{NodeId, SpecId};
use crate::engine::Id;
use crate::scheduler::nodes_to_find::nodes_to_find;

/// More remembered rows than this are dropped, all at once.
const MAX_ROWS: usize = 4 << 20;
/// How many plugins of a profile may have their scores normalised by the highest.
const MAX_BY_MAX: usize = 2;

/// What is remembered of one node for one spec.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// The version of the node's row at that time; 0 for never.
    version: u32,
    /// The round of the spec's rows at that time.
    round: u32,
    /// Scores that are normalised by the highest.
    by_max: [i32; MAX_BY_MAX],
    /// The weighted sum of scores that are not normalised.
    fixed: i64,
    /// Whether all plugins that read the node alone accept it.
    fits: bool,
    /// If not: the place of the status in [`SpecRows::statuses`].
    status: u16,
}

/// The rows of one spec.
#[derive(Clone, Debug, Default)]
struct SpecRows {
    rows: Vec<Row>,
    round: u32,
    /// What image scores depend on besides the node: number of nodes, and of nodes that have each image.
    images: Vec<i64>,
    /// The statuses of rejected nodes, each once.
    statuses: Vec<Status>,
}

/// The rows of all specs, with scratch space.
#[derive(Clone, Debug, Default)]
pub struct RowCache {
    by_spec: FxHashMap<SpecId, SpecRows>,
    seen_once: FxHashMap<SpecId, ()>,
    n_rows: usize,
    feasible: Vec<NodeId>,
    totals: Vec<i64>,
    by_max: Vec<[i32; MAX_BY_MAX]>,
    images: Vec<i64>,
}

/// What the fast path finds.
pub(super) struct Quick {
    /// The node, its score, if any node is feasible; the score is 0 if it was not needed.
    pub best: Option<(NodeId, i64)>,
    /// Number of nodes looked at.
    pub evaluated: usize,
    /// Number of feasible nodes found.
    pub feasible: usize,
    /// If there are none: what stands against each node, where their own rows tell.
    pub rejected: Option<Vec<(NodeId, Status)>>,
}

impl RowCache {
    /// The rows of a spec, made anew from the second time on that it is asked for.
    fn rows(&mut self, spec: SpecId, n_nodes: usize) -> SpecRows {
        if let Some(rows) = self.by_spec.get_mut(&spec) {
            let mut rows = std::mem::take(rows);
            self.n_rows += n_nodes.saturating_sub(rows.rows.len());
            rows.rows.resize(n_nodes.max(rows.rows.len()), Row::default());
            return rows;
        }
        SpecRows { rows: vec![Row::default(); n_nodes], round: 1, ..SpecRows::default() }
    }

    fn keep(&mut self, spec: SpecId, rows: SpecRows) {
        if let Some(place) = self.by_spec.get_mut(&spec) {
            *place = rows;
        } else if self.seen_once.insert(spec, ()).is_some() {
            self.n_rows += rows.rows.len();
            if self.n_rows > MAX_ROWS {
                self.by_spec.clear();
                self.n_rows = rows.rows.len();
            }
            self.by_spec.insert(spec, rows);
        }
    }
}

/// The plugins of one cycle, sorted by what they read.
#[derive(Default)]
struct Sorted<'a> {
    own_filters: SmallVec<[&'a dyn Plugin; 8]>,
    cluster_filters: SmallVec<[&'a dyn Plugin; 8]>,
    fixed: SmallVec<[(&'a dyn Plugin, i64); 4]>,
    by_max: SmallVec<[(&'a dyn Plugin, i64, bool); MAX_BY_MAX]>,
    cluster_scores: SmallVec<[(&'a dyn Plugin, i64); 4]>,
}

impl Framework {
    /// Searches and chooses by remembered rows. `None` where the plain path is to be taken.
    pub(super) fn quick(
        &self,
        cx: Cx<'_>,
        state: &mut CycleState,
        cache: &mut RowCache,
        start: usize,
        ties: &mut TieBreak,
    ) -> Option<Quick> {
        let by_max = self.score.iter().filter(|(plugin, _)| matches!(plugin.score_kind(), ScoreKind::ByMax { .. }));
        if cx.tables.any_nominated() || cx.row().resized.is_some() || by_max.count() > MAX_BY_MAX {
            return None;
        }
        let spec = cx.row().spec;
        let mut rows = cache.rows(spec, cx.cluster.nodes_ever().len());
        self.check_images(cx, cache, &mut rows);
        let found = self.quick_search(cx, state, cache, &mut rows, start, ties);
        cache.keep(spec, rows);
        Some(found)
    }

    /// Starts a new round of rows if the images of the spec have come to other nodes or left them.
    fn check_images(&self, cx: Cx<'_>, cache: &mut RowCache, rows: &mut SpecRows) {
        cache.images.clear();
        for image in &cx.spec.images {
            let state = cx.cluster.interner.find(image).and_then(|image| cx.tables.image(image));
            if let Some(state) = state {
                cache.images.extend([cx.cluster.n_nodes() as i64, state.n_nodes, state.size_bytes]);
            } else {
                cache.images.push(0);
            }
        }
        if rows.images != cache.images {
            rows.images.clone_from(&cache.images);
            rows.round += 1;
        }
    }

    /// Which plugins take part, by what they read. Whether one leaves a pod alone depends on the spec alone, except for those
    /// that read the whole cluster.
    fn sorted(&self, cx: Cx<'_>, state: &mut CycleState) -> Sorted<'_> {
        let mut sorted = Sorted::default();
        for plugin in self.filter.iter().filter(|plugin| !state.skip_filter.contains(plugin.name())) {
            match plugin.reads() {
                Reads::OwnRow => sorted.own_filters.push(&**plugin),
                Reads::WholeCluster => sorted.cluster_filters.push(&**plugin),
            }
        }
        let mut skipped = PluginSet::EMPTY;
        for plugin in &self.pre_score {
            if !matches!(plugin.score_kind(), ScoreKind::Cluster) && !plugin.pre_score(cx, state, &[]) {
                skipped.insert(plugin.name());
            }
        }
        for (plugin, weight) in self.score.iter().filter(|(plugin, _)| !skipped.contains(plugin.name())) {
            match plugin.score_kind() {
                ScoreKind::Zero => {}
                ScoreKind::Fixed => sorted.fixed.push((&**plugin, *weight)),
                ScoreKind::ByMax { reverse } => sorted.by_max.push((&**plugin, *weight, reverse)),
                ScoreKind::Cluster => sorted.cluster_scores.push((&**plugin, *weight)),
            }
        }
        sorted
    }

    fn quick_search(
        &self,
        cx: Cx<'_>,
        state: &mut CycleState,
        cache: &mut RowCache,
        rows: &mut SpecRows,
        start: usize,
        ties: &mut TieBreak,
    ) -> Quick {
        let sorted = self.sorted(cx, state);
        let order = cx.tables.order();
        let versions = cx.tables.row_versions();
        let wanted = nodes_to_find(order.len(), self.profile.percentage_of_nodes_to_score);
        let start = start % order.len();
        let round = rows.round;
        cache.feasible.clear();
        cache.totals.clear();
        cache.by_max.clear();
        let mut evaluated = 0;
        for &node in order[start..].iter().chain(&order[..start]) {
            let (row, version) = (&mut rows.rows[node.index()], versions[node.index()]);
            if row.version != version || row.round != round {
                *row = judge(cx, state, &sorted, node, &mut rows.statuses);
                (row.version, row.round) = (version, round);
            }
            let fits =
                row.fits && sorted.cluster_filters.iter().all(|plugin| plugin.filter(cx, state, cx.view(node)).is_ok());
            if fits {
                if cache.feasible.len() == wanted {
                    break;
                }
                cache.feasible.push(node);
                cache.totals.push(row.fixed);
                cache.by_max.push(row.by_max);
            }
            evaluated += 1;
        }
        let feasible = cache.feasible.len();
        let best = match cache.feasible[..] {
            [] => None,
            [node] => Some((node, 0)),
            _ => {
                self.finish_scores(cx, state, cache, &sorted);
                let pick = ties.pick(&cache.totals);
                Some((cache.feasible[pick], cache.totals[pick]))
            }
        };
        // Without plugins that read the whole cluster, the first rejection of a row is the first of all.
        let tells = best.is_none() && sorted.cluster_filters.is_empty();
        let status_of = |&node: &NodeId| {
            let place = usize::from(rows.rows[node.index()].status);
            Some((node, rows.statuses.get(place)?.clone()))
        };
        let rejected = tells.then(|| order[start..].iter().chain(&order[..start]).filter_map(status_of).collect());
        Quick { best, evaluated, feasible, rejected }
    }

    /// Adds what depends on all feasible nodes together.
    fn finish_scores(&self, cx: Cx<'_>, state: &mut CycleState, cache: &mut RowCache, sorted: &Sorted<'_>) {
        for (place, &(_, weight, reverse)) in sorted.by_max.iter().enumerate() {
            let max = cache.by_max.iter().map(|scores| i64::from(scores[place])).max().unwrap_or(0);
            if max == 0 {
                // All are equal: the choice does not depend on it, but the total shows it.
                let all = if reverse { MAX_NODE_SCORE * weight } else { 0 };
                cache.totals.iter_mut().for_each(|total| *total += all);
                continue;
            }
            for (total, scores) in cache.totals.iter_mut().zip(&cache.by_max) {
                let share = MAX_NODE_SCORE * i64::from(scores[place]) / max;
                *total += weight * if reverse { MAX_NODE_SCORE - share } else { share };
            }
        }
        for &(plugin, weight) in &sorted.cluster_scores {
            let takes_part = !self.pre_score.iter().any(|other| other.name() == plugin.name())
                || plugin.pre_score(cx, state, &cache.feasible);
            if takes_part {
                let mut own = vec![0; cache.feasible.len()];
                plugin.score_block(cx, state, &cache.feasible, &mut own);
                plugin.normalize(cx, state, &cache.feasible, &mut own);
                cache.totals.iter_mut().zip(&own).for_each(|(total, score)| *total += score * weight);
            }
        }
    }
}

/// Judges one node by the plugins that read it alone.
fn judge(cx: Cx<'_>, state: &CycleState, sorted: &Sorted<'_>, node: NodeId, statuses: &mut Vec<Status>) -> Row {
    let mut row = Row::default();
    if let Some(plugin) = sorted.own_filters.iter().find(|plugin| !plugin.fits(cx, state, node)) {
        let verdict = plugin.filter(cx, state, cx.view(node));
        let status =
            verdict.map_or_else(|rejection| Status::rejected(plugin.name(), rejection), |()| Status::success());
        let known = statuses.iter().position(|other| *other == status);
        let place = known.unwrap_or_else(|| {
            statuses.push(status);
            statuses.len() - 1
        });
        row.status = u16::try_from(place).unwrap_or(u16::MAX);
        return row;
    }
    row.fits = true;
    row.fixed = sorted.fixed.iter().map(|&(plugin, weight)| weight * plugin.score(cx, state, node)).sum();
    for (place, (plugin, ..)) in sorted.by_max.iter().enumerate() {
        let score = plugin.score(cx, state, node);
        row.by_max[place] = i32::try_from(score).unwrap_or(i32::MAX);
    }
    row
}
