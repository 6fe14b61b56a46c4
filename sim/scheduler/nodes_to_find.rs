//! After how many feasible nodes the search for a node stops (kube-scheduler v1.36, `numFeasibleNodesToFind`).

/// At least so many nodes are looked for: `minFeasibleNodesToFind`.
const NODES_MIN: u64 = 100;
/// The adaptive percentage is at least this: `minFeasibleNodesPercentageToFind`.
const PERCENTAGE_MIN: u64 = 5;

/// The number of feasible nodes to look for among `n_nodes`; `percentage` 0 is adaptive: the larger the cluster, the smaller
/// the share.
pub fn nodes_to_find(n_nodes: usize, percentage: u32) -> usize {
    let all = n_nodes as u64;
    if all < NODES_MIN {
        return n_nodes;
    }
    let percentage = match u64::from(percentage) {
        0 => 50_u64.saturating_sub(all / 125).max(PERCENTAGE_MIN),
        percentage => percentage,
    };
    (all * percentage / 100).max(NODES_MIN) as usize
}

/// The place in the list of nodes of the one that is looked at as number `nth` of a search, or of the next search's first: searches begin
/// where the last ended (`nextStartNodeIndex`).
pub fn place(start: usize, nth: usize, n_nodes: usize) -> usize {
    (start + nth) % n_nodes.max(1)
}

#[cfg(test)]
mod tests {
    use super::nodes_to_find;

    #[test]
    fn large_clusters_are_searched_in_part() {
        for (n_nodes, percentage, count, why) in [
            (99, 1, 99, "small clusters are searched whole"),
            (100, 1, 100, "never fewer than 100"),
            (1_000, 0, 420, "50 - 1000/125 percent"),
            (10_000, 0, 500, "never less than 5 percent"),
            (10_000, 100, 10_000, "all"),
        ] {
            assert_eq!(nodes_to_find(n_nodes, percentage), count, "{why}");
        }
    }
}
