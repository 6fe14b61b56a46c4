//! Which of the best nodes is taken (kube-scheduler v1.36, `selectHost` with no extender).
//!
//! The scheduler makes a binary heap of the scores and takes its root. Among equal scores that is the node whose index in the
//! feasible list comes first in pre-order of the implicit tree: a node, then its left subtree (`2i + 1`), then its right one.

/// The index of the score that kube-scheduler takes; none if there is no score.
pub fn host_pick(scores: &[i64]) -> Option<usize> {
    let best = *scores.iter().max()?;
    let best_nodes = scores.iter().enumerate().filter(|&(_, &score)| score == best);
    best_nodes.map(|(idx, _)| idx).min_by_key(|&idx| pre_order(idx))
}

/// The place of an index in pre-order, comparable with that of other indexes: its path from the root, which is the binary
/// digits of `idx + 1` after the first, then its depth, as an ancestor comes before its descendants.
pub fn pre_order(idx: usize) -> (u64, u32) {
    let number = idx as u64 + 1;
    let depth = number.leading_zeros();
    (number << depth, 64 - depth)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `heap.Init` with "greater score" as less, then the root.
    fn heap_root(scores: &[i64]) -> usize {
        let mut heap: Vec<usize> = (0..scores.len()).collect();
        for start in (0..scores.len() / 2).rev() {
            let mut parent = start;
            loop {
                let left = 2 * parent + 1;
                if left >= heap.len() {
                    break;
                }
                let right = left + 1;
                let better = |a: usize, b: usize| scores[heap[a]] > scores[heap[b]];
                let child = if right < heap.len() && better(right, left) { right } else { left };
                if !better(child, parent) {
                    break;
                }
                heap.swap(parent, child);
                parent = child;
            }
        }
        heap[0]
    }

    #[test]
    fn ties_go_to_the_first_in_pre_order() {
        for (scores, idx, why) in [
            (&[][..], None, "nothing to take"),
            (&[5], Some(0), "the only one"),
            (&[1, 3, 2], Some(1), "the best"),
            (&[0, 0, 0], Some(0), "the root comes first"),
            (&[0, 1, 9, 9], Some(3), "3 is below 1, which comes before 2"),
        ] {
            assert_eq!(host_pick(scores), idx, "{why}");
        }
    }

    proptest! {
        #[test]
        fn the_pick_is_the_root_of_the_heap(scores in prop::collection::vec(0..4_i64, 1..200)) {
            prop_assert_eq!(host_pick(&scores), Some(heap_root(&scores)));
        }
    }
}
