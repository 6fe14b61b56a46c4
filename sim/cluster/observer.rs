//! `Observer`: someone who follows a run without taking part: recorders, checkers of expectations, progress bars.

use super::change::Change;
use super::outage::News;
use super::store::Cluster;
use crate::engine::Time;

/// Someone who follows a run without taking part.
pub trait Observer {
    /// One change, after the event in which it was made; `number` is its place in the run, `cause` the number of the change in
    /// reaction to which it was made, or the number of a remark ([`super::REMARK`]).
    fn change(&mut self, at: Time, number: u32, cause: u32, change: Change, cluster: &Cluster);

    /// Something happened that no change tells of. What [`super::Outage::comes_first`] says of is told before the changes of the event,
    /// all else after them.
    fn outage(&mut self, at: Time, news: News, cluster: &Cluster) {
        let _ = (at, news, cluster);
    }

    /// The event of this number (from 1; 0 for what was there before the first) has been handled and its changes follow.
    fn handled(&mut self, n_events: u64) {
        let _ = n_events;
    }

    /// The clock is about to move to `to`.
    fn advance(&mut self, to: Time, cluster: &Cluster) {
        let _ = (to, cluster);
    }

    /// A sample is due.
    fn sample(&mut self, at: Time, cluster: &Cluster) {
        let _ = (at, cluster);
    }

    /// Whether the run may go on; asked now and then.
    fn go_on(&mut self, at: Time, n_events: u64, cluster: &Cluster) -> bool {
        let _ = (at, n_events, cluster);
        true
    }
}
