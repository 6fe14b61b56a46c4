//! The plugins of the default profile and the extension points, under their real names.

use std::fmt;

macro_rules! names {
    ($($name:ident,)+) => {
        /// A scheduler plugin by its name in `KubeSchedulerConfiguration`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each is documented in its file under plugins/")]
        pub enum PluginName { $($name,)+ }

        impl PluginName {
            /// All plugins.
            pub const ALL: &'static [PluginName] = &[$(PluginName::$name,)+];

            /// The name in the configuration.
            pub fn as_str(self) -> &'static str {
                match self { $(PluginName::$name => stringify!($name),)+ }
            }
        }
    };
}

names! {
    SchedulingGates,
    PrioritySort,
    NodeUnschedulable,
    NodeName,
    TaintToleration,
    NodeAffinity,
    NodePorts,
    NodeResourcesFit,
    VolumeRestrictions,
    NodeVolumeLimits,
    VolumeBinding,
    VolumeZone,
    PodTopologySpread,
    InterPodAffinity,
    DynamicResources,
    DefaultPreemption,
    NodeResourcesBalancedAllocation,
    ImageLocality,
    DefaultBinder,
    NodeDeclaredFeatures,
}

impl PluginName {
    /// The plugin of this name.
    pub fn parse(name: &str) -> Option<PluginName> {
        PluginName::ALL.iter().copied().find(|plugin| plugin.as_str() == name)
    }

    /// Whether the plugin acts at an extension point.
    pub fn implements(self, point: ExtensionPoint) -> bool {
        use ExtensionPoint as E;
        let points: &[ExtensionPoint] = match self {
            PluginName::SchedulingGates => &[E::PreEnqueue],
            PluginName::PrioritySort => &[E::QueueSort],
            PluginName::NodeUnschedulable | PluginName::NodeName => &[E::Filter],
            PluginName::TaintToleration => &[E::Filter, E::PreScore, E::Score],
            PluginName::NodeAffinity | PluginName::NodeResourcesFit => {
                &[E::PreFilter, E::Filter, E::PreScore, E::Score]
            }
            PluginName::PodTopologySpread | PluginName::InterPodAffinity => {
                &[E::PreFilter, E::Filter, E::PreScore, E::Score]
            }
            PluginName::NodePorts | PluginName::VolumeRestrictions | PluginName::NodeVolumeLimits => {
                &[E::PreFilter, E::Filter]
            }
            PluginName::VolumeZone | PluginName::NodeDeclaredFeatures => &[E::PreFilter, E::Filter],
            PluginName::VolumeBinding => &[E::PreFilter, E::Filter, E::PreScore, E::Score, E::Reserve, E::PreBind],
            PluginName::DynamicResources => {
                &[E::PreEnqueue, E::PreFilter, E::Filter, E::PostFilter, E::PreScore, E::Score, E::Reserve, E::PreBind]
            }
            PluginName::DefaultPreemption => &[E::PreEnqueue, E::PostFilter],
            PluginName::NodeResourcesBalancedAllocation => &[E::PreScore, E::Score],
            PluginName::ImageLocality => &[E::Score],
            PluginName::DefaultBinder => &[E::Bind],
        };
        points.contains(&point)
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where plugins act, in the order of a scheduling cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is named as the framework names it")]
pub enum ExtensionPoint {
    PreEnqueue,
    QueueSort,
    PreFilter,
    Filter,
    PostFilter,
    PreScore,
    Score,
    Reserve,
    Permit,
    PreBind,
    Bind,
    PostBind,
}

impl ExtensionPoint {
    /// All extension points.
    pub const ALL: &'static [ExtensionPoint] = &[
        ExtensionPoint::PreEnqueue,
        ExtensionPoint::QueueSort,
        ExtensionPoint::PreFilter,
        ExtensionPoint::Filter,
        ExtensionPoint::PostFilter,
        ExtensionPoint::PreScore,
        ExtensionPoint::Score,
        ExtensionPoint::Reserve,
        ExtensionPoint::Permit,
        ExtensionPoint::PreBind,
        ExtensionPoint::Bind,
        ExtensionPoint::PostBind,
    ];

    /// The key under `plugins` of a profile.
    pub fn key(self) -> &'static str {
        match self {
            ExtensionPoint::PreEnqueue => "preEnqueue",
            ExtensionPoint::QueueSort => "queueSort",
            ExtensionPoint::PreFilter => "preFilter",
            ExtensionPoint::Filter => "filter",
            ExtensionPoint::PostFilter => "postFilter",
            ExtensionPoint::PreScore => "preScore",
            ExtensionPoint::Score => "score",
            ExtensionPoint::Reserve => "reserve",
            ExtensionPoint::Permit => "permit",
            ExtensionPoint::PreBind => "preBind",
            ExtensionPoint::Bind => "bind",
            ExtensionPoint::PostBind => "postBind",
        }
    }
}

/// A set of plugins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginSet(u32);

impl PluginSet {
    /// No plugin.
    pub const EMPTY: PluginSet = PluginSet(0);

    /// Adds a plugin.
    pub fn insert(&mut self, plugin: PluginName) {
        self.0 |= 1 << plugin as u32;
    }

    /// Whether the plugin is in the set.
    pub fn contains(self, plugin: PluginName) -> bool {
        self.0 & 1 << plugin as u32 != 0
    }

    /// Those of either set.
    pub fn union(self, other: PluginSet) -> PluginSet {
        PluginSet(self.0 | other.0)
    }

    /// Those of both sets.
    pub fn intersection(self, other: PluginSet) -> PluginSet {
        PluginSet(self.0 & other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members in the order of the default profile.
    pub fn iter(self) -> impl Iterator<Item = PluginName> {
        PluginName::ALL.iter().copied().filter(move |&plugin| self.contains(plugin))
    }
}

impl Extend<PluginName> for PluginSet {
    fn extend<T: IntoIterator<Item = PluginName>>(&mut self, plugins: T) {
        plugins.into_iter().for_each(|plugin| self.insert(plugin));
    }
}

impl FromIterator<PluginName> for PluginSet {
    fn from_iter<T: IntoIterator<Item = PluginName>>(plugins: T) -> PluginSet {
        let mut set = PluginSet::EMPTY;
        plugins.into_iter().for_each(|plugin| set.insert(plugin));
        set
    }
}
