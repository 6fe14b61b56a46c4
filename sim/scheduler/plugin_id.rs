//! The names of kube-scheduler's plugins as small numbers, and sets of them: who rejected a pod.

use std::fmt;

/// A plugin of the default registry (kube-scheduler, `framework/plugins/registry.go`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginId(u8);

macro_rules! plugins {
    ($($constant:ident = $number:literal $name:literal,)+) => {
        impl PluginId {
            $(
                #[doc = concat!("`", $name, "`.")]
                pub const $constant: PluginId = PluginId($number);
            )+

            /// All of them, in the order of the default profile.
            pub const ALL: &'static [PluginId] = &[$(PluginId::$constant,)+];

            const NAMES: &'static [&'static str] = &[$($name,)+];
        }
    };
}

plugins! {
    SCHEDULING_GATES = 0 "SchedulingGates",
    PRIORITY_SORT = 1 "PrioritySort",
    NODE_UNSCHEDULABLE = 2 "NodeUnschedulable",
    NODE_NAME = 3 "NodeName",
    TAINT_TOLERATION = 4 "TaintToleration",
    NODE_AFFINITY = 5 "NodeAffinity",
    NODE_PORTS = 6 "NodePorts",
    NODE_RESOURCES_FIT = 7 "NodeResourcesFit",
    VOLUME_RESTRICTIONS = 8 "VolumeRestrictions",
    NODE_VOLUME_LIMITS = 9 "NodeVolumeLimits",
    VOLUME_BINDING = 10 "VolumeBinding",
    VOLUME_ZONE = 11 "VolumeZone",
    POD_TOPOLOGY_SPREAD = 12 "PodTopologySpread",
    INTER_POD_AFFINITY = 13 "InterPodAffinity",
    DYNAMIC_RESOURCES = 14 "DynamicResources",
    DEFAULT_PREEMPTION = 15 "DefaultPreemption",
    NODE_RESOURCES_BALANCED_ALLOCATION = 16 "NodeResourcesBalancedAllocation",
    IMAGE_LOCALITY = 17 "ImageLocality",
    DEFAULT_BINDER = 18 "DefaultBinder",
    NODE_DECLARED_FEATURES = 19 "NodeDeclaredFeatures",
    // A rejection by a policy of the lab that is no plugin: any change may help.
    OTHER = 20 "Other",
}

impl PluginId {
    /// The name in configurations and messages.
    pub fn name(self) -> &'static str {
        PluginId::NAMES[usize::from(self.0)]
    }

    /// The plugin of that name.
    pub fn parse(name: &str) -> Option<PluginId> {
        PluginId::ALL.iter().copied().find(|plugin| plugin.name() == name && *plugin != PluginId::OTHER)
    }

    /// Its place in [`PluginId::ALL`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Debug for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of plugins.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginSet(u32);

impl PluginSet {
    /// No plugin.
    pub const EMPTY: PluginSet = PluginSet(0);

    /// Adds one.
    pub fn insert(&mut self, plugin: PluginId) {
        self.0 |= 1 << plugin.0;
    }

    /// Takes one out.
    pub fn remove(&mut self, plugin: PluginId) {
        self.0 &= !(1 << plugin.0);
    }

    /// Whether it is in the set.
    pub fn contains(self, plugin: PluginId) -> bool {
        self.0 & 1 << plugin.0 != 0
    }

    /// Those of either set.
    pub fn union(self, other: PluginSet) -> PluginSet {
        PluginSet(self.0 | other.0)
    }

    /// Those of both sets.
    pub fn intersection(self, other: PluginSet) -> PluginSet {
        PluginSet(self.0 & other.0)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members in the order of the default profile.
    pub fn iter(self) -> impl Iterator<Item = PluginId> {
        (0..32u8).filter(move |bit| self.0 & 1 << bit != 0).map(PluginId)
    }
}

impl FromIterator<PluginId> for PluginSet {
    fn from_iter<I: IntoIterator<Item = PluginId>>(plugins: I) -> PluginSet {
        let mut set = PluginSet::EMPTY;
        plugins.into_iter().for_each(|plugin| set.insert(plugin));
        set
    }
}

impl fmt::Debug for PluginSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

const _: () = assert!(PluginId::ALL.len() <= 32, "a set of plugins is 32 bits");
