//! Eviction signals and thresholds, and what one turn of the eviction loop concludes from them (kubelet, `eviction/helpers.go`,
//! `eviction_manager.go` `synchronize`).

use super::eviction::condition_holds;
use crate::api::quantity::Quantity;
use crate::engine::{Span, Time};

/// What the kubelet watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// `memory.available`
    Memory,
    /// `nodefs.available`
    NodeFs,
    /// `imagefs.available`
    ImageFs,
    /// `nodefs.inodesFree`
    NodeFsInodes,
    /// `imagefs.inodesFree`
    ImageFsInodes,
    /// `pid.available`
    Pid,
}

/// The condition of a node that a signal stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// `MemoryPressure`
    Memory,
    /// `DiskPressure`
    Disk,
    /// `PIDPressure`
    Pid,
}

/// The pressures, in the order of node conditions.
pub const PRESSURES: [Pressure; 3] = [Pressure::Memory, Pressure::Disk, Pressure::Pid];

/// An amount as written: a quantity, or a share of the capacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// In bytes, or a number of inodes or processes.
    Absolute(i64),
    /// Of the capacity, 0 to 1.
    Share(f64),
}

/// A threshold of a signal, such as `memory.available<100Mi`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignalThreshold {
    /// Of what.
    pub signal: Signal,
    /// What must be left.
    pub value: Amount,
    /// How much more must be left once it was met (`evictionMinimumReclaim`).
    pub min_reclaim: Amount,
    /// For how long it is tolerated; `None` for a hard threshold.
    pub grace: Option<Span>,
}

/// What was measured of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Of what.
    pub signal: Signal,
    /// What is left.
    pub available: i64,
    /// What there is.
    pub capacity: i64,
}

/// What the eviction loop remembers from turn to turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Monitor {
    /// By threshold: since when it is met without a break.
    first_observed: Vec<Option<Time>>,
    /// Which thresholds were met, their grace over.
    met: Vec<bool>,
    /// When each pressure was last observed.
    last_observed: [Option<Time>; 3],
}

/// What one turn concludes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Which conditions hold.
    pub pressures: [bool; 3],
    /// The thresholds to act on, by index; memory first.
    pub act: Vec<usize>,
    /// Whether any threshold is met, its grace over or not.
    pub any_met: bool,
}

impl Signal {
    /// All signals with their names.
    pub const ALL: [(Signal, &'static str); 6] = [
        (Signal::Memory, "memory.available"),
        (Signal::NodeFs, "nodefs.available"),
        (Signal::ImageFs, "imagefs.available"),
        (Signal::NodeFsInodes, "nodefs.inodesFree"),
        (Signal::ImageFsInodes, "imagefs.inodesFree"),
        (Signal::Pid, "pid.available"),
    ];

    /// Reads a name such as `memory.available`.
    pub fn parse(text: &str) -> Option<Signal> {
        Signal::ALL.iter().find(|(_, name)| *name == text).map(|&(signal, _)| signal)
    }

    /// The condition that it stands for.
    pub fn pressure(self) -> Pressure {
        match self {
            Signal::Memory => Pressure::Memory,
            Signal::NodeFs | Signal::ImageFs | Signal::NodeFsInodes | Signal::ImageFsInodes => Pressure::Disk,
            Signal::Pid => Pressure::Pid,
        }
    }

    /// The resource that is reclaimed.
    pub fn resource(self) -> &'static str {
        match self {
            Signal::Memory => "memory",
            Signal::NodeFs | Signal::ImageFs => "ephemeral-storage",
            Signal::NodeFsInodes | Signal::ImageFsInodes => "inodes",
            Signal::Pid => "pids",
        }
    }
}

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount::Absolute(0);

    /// Reads `100Mi` or `10%`.
    pub fn parse(text: &str) -> Option<Amount> {
        match text.strip_suffix('%') {
            Some(percent) => {
                let share = percent.trim().parse::<f64>().ok()? / 100.0;
                (0.0..=1.0).contains(&share).then_some(Amount::Share(share))
            }
            None => text.parse::<Quantity>().ok().map(|quantity| Amount::Absolute(quantity.value())),
        }
    }

    /// In units, of this capacity (kubelet, `evictionapi.GetThresholdQuantity`: rounded down).
    pub fn of(self, capacity: i64) -> i64 {
        match self {
            Amount::Absolute(amount) => amount,
            Amount::Share(share) => (capacity as f64 * share) as i64,
        }
    }
}

impl SignalThreshold {
    /// A hard threshold without a minimum to reclaim.
    pub const fn hard(signal: Signal, value: Amount) -> SignalThreshold {
        SignalThreshold { signal, value, min_reclaim: Amount::ZERO, grace: None }
    }

    /// The defaults on Linux: `memory.available<100Mi`, `nodefs.available<10%`, `nodefs.inodesFree<5%`, `imagefs.available<15%`,
    /// `imagefs.inodesFree<5%` (kubelet, `DefaultEvictionHard`).
    pub fn defaults() -> Vec<SignalThreshold> {
        vec![
            SignalThreshold::hard(Signal::Memory, Amount::Absolute(100 << 20)),
            SignalThreshold::hard(Signal::NodeFs, Amount::Share(0.1)),
            SignalThreshold::hard(Signal::NodeFsInodes, Amount::Share(0.05)),
            SignalThreshold::hard(Signal::ImageFs, Amount::Share(0.15)),
            SignalThreshold::hard(Signal::ImageFsInodes, Amount::Share(0.05)),
        ]
    }

    /// Whether the threshold is met: less is left than must be. Exactly as much is enough.
    pub fn is_met(&self, observed: &Observation) -> bool {
        observed.available < self.value.of(observed.capacity)
    }

    /// Whether a threshold that was met is not yet resolved.
    pub fn is_unresolved(&self, observed: &Observation) -> bool {
        let wanted = self.value.of(observed.capacity).saturating_add(self.min_reclaim.of(observed.capacity));
        observed.available < wanted
    }
}

impl Monitor {
    /// One turn of the loop at `now`: what the observations mean for each threshold.
    pub fn turn(
        &mut self,
        thresholds: &[SignalThreshold],
        observations: &[Observation],
        now: Time,
        transition: Span,
    ) -> Verdict {
        self.first_observed.resize(thresholds.len(), None);
        self.met.resize(thresholds.len(), false);
        let mut verdict = Verdict::default();
        for (idx, threshold) in thresholds.iter().enumerate() {
            let observed = observations.iter().find(|observed| observed.signal == threshold.signal);
            let met = observed.is_some_and(|observed| {
                threshold.is_met(observed) || self.met[idx] && threshold.is_unresolved(observed)
            });
            let since = met.then(|| self.first_observed[idx].unwrap_or(now));
            self.first_observed[idx] = since;
            verdict.any_met |= met;
            if met {
                self.last_observed[threshold.signal.pressure() as usize] = Some(now);
            }
            self.met[idx] = since.is_some_and(|since| threshold.grace.unwrap_or(Span::ZERO) <= now.since(since));
            if self.met[idx] {
                verdict.act.push(idx);
            }
        }
        for (holds, last) in verdict.pressures.iter_mut().zip(self.last_observed) {
            *holds = last.is_some_and(|last| last == now || condition_holds(last, now, transition));
        }
        verdict.act.sort_by_key(|&idx| thresholds[idx].signal != Signal::Memory);
        verdict
    }

    /// Whether every threshold that was to be acted on is resolved by these observations.
    pub fn is_resolved(&self, thresholds: &[SignalThreshold], observations: &[Observation]) -> bool {
        let unresolved = |idx: usize| {
            let observed = observations.iter().find(|observed| observed.signal == thresholds[idx].signal);
            observed.is_some_and(|observed| thresholds[idx].is_unresolved(observed))
        };
        !(0..thresholds.len().min(self.met.len())).any(|idx| self.met[idx] && unresolved(idx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(signal: Signal, available: i64) -> Observation {
        Observation { signal, available, capacity: 1000 }
    }

    fn turn(monitor: &mut Monitor, thresholds: &[SignalThreshold], available: i64, now: u64) -> (bool, bool) {
        let seen = [left(Signal::Memory, available)];
        let verdict = monitor.turn(thresholds, &seen, Time::from_secs(now), Span::from_secs(300));
        (verdict.pressures[0], !verdict.act.is_empty())
    }

    #[test]
    fn soft_thresholds_wait_for_their_grace() {
        let soft = SignalThreshold {
            grace: Some(Span::from_secs(60)),
            ..SignalThreshold::hard(Signal::Memory, Amount::Absolute(200))
        };
        let mut monitor = Monitor::default();
        assert_eq!(turn(&mut monitor, &[soft], 150, 0), (true, false), "the condition holds at once");
        assert_eq!(turn(&mut monitor, &[soft], 150, 50), (true, false));
        assert_eq!(turn(&mut monitor, &[soft], 150, 60), (true, true));
        assert_eq!(turn(&mut monitor, &[soft], 200, 70), (true, false), "resolved, and the condition lingers");
        assert_eq!(turn(&mut monitor, &[soft], 150, 80), (true, false), "a break begins the grace anew");
        assert_eq!(turn(&mut monitor, &[soft], 500, 379), (true, false));
        assert_eq!(turn(&mut monitor, &[soft], 500, 380), (false, false));
    }

    #[test]
    fn a_minimum_to_reclaim_counts_once_a_threshold_was_met() {
        let threshold = SignalThreshold {
            min_reclaim: Amount::Absolute(100),
            ..SignalThreshold::hard(Signal::Memory, Amount::Share(0.2))
        };
        let mut monitor = Monitor::default();
        assert_eq!(turn(&mut monitor, &[threshold], 250, 0), (false, false));
        assert_eq!(turn(&mut monitor, &[threshold], 199, 10), (true, true));
        assert_eq!(turn(&mut monitor, &[threshold], 299, 20), (true, true));
        assert_eq!(turn(&mut monitor, &[threshold], 300, 30), (true, false));
    }

    #[test]
    fn inodes_are_watched_as_disk_and_reclaimed_as_inodes() {
        let defaults = SignalThreshold::defaults();
        let seen = [left(Signal::NodeFsInodes, 49), left(Signal::ImageFsInodes, 50)];
        let verdict = Monitor::default().turn(&defaults, &seen, Time::ZERO, Span::ZERO);
        assert_eq!(verdict.pressures, [false, true, false]);
        let met: Vec<Signal> = verdict.act.iter().map(|&idx| defaults[idx].signal).collect();
        assert_eq!(met, [Signal::NodeFsInodes], "5% of 1000 is 50: exactly as much is enough");
        assert_eq!(met[0].resource(), "inodes");
        assert_eq!(Signal::parse("imagefs.inodesFree"), Some(Signal::ImageFsInodes));
    }

    #[test]
    fn memory_comes_first() {
        let thresholds = [
            SignalThreshold::hard(Signal::NodeFs, Amount::Share(0.1)),
            SignalThreshold::hard(Signal::Memory, Amount::Absolute(100)),
        ];
        let seen = [left(Signal::NodeFs, 0), left(Signal::Memory, 0)];
        let verdict = Monitor::default().turn(&thresholds, &seen, Time::ZERO, Span::ZERO);
        assert_eq!((verdict.act, verdict.pressures), (vec![1, 0], [true, true, false]));
    }
}
