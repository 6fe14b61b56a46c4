//! `KubeSchedulerConfiguration` (kubescheduler.config.k8s.io/v1): read strictly, checked as kube-scheduler v1.36 checks it
//! (`apis/config/v1/defaults.go`, `apis/config/validation`).
//!
//! Everything that is not known is an error with its path. Fields that only concern a real process (leader election, metrics, profiling,
//! kubeconfig) are accepted and without effect. Extenders are refused: they are HTTP services outside of the cluster. One extension of the
//! lab: `tieBreak: kube | first | random`, in the configuration or in a profile.

mod args;
mod fields;
mod plugins;

use serde_json::{Map, Value};

use super::cycle::{Profile, SchedulerOptions};
use super::framework::profile::Profile as FrameworkProfile;
use super::framework_policy::{FrameworkPolicy, TieBreak};
use super::queue::{Backoff, QueueSettings};
use crate::engine::Span;
use crate::error::FieldError;
use fields::Fields;

/// A checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerConfig {
    /// Its profiles, at least one; their names differ.
    pub profiles: Vec<ProfileConfig>,
    /// `podInitialBackoffSeconds` and `podMaxBackoffSeconds`.
    pub queue: QueueSettings,
    /// `parallelism`: of no effect, since one worker decides as the real scheduler with one worker.
    pub parallelism: u32,
    /// `clientConnection.qps` and `clientConnection.burst`, if given.
    pub client: Option<(f64, u32)>,
}

/// A checked profile.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileConfig {
    /// Its plugins, weights and arguments; arguments have their defaults filled in.
    pub framework: FrameworkProfile,
    /// Which of several best nodes is taken.
    pub tie_break: TieBreak,
}

const FIELDS: &[&str] = &[
    "apiVersion",
    "kind",
    "parallelism",
    "leaderElection",
    "clientConnection",
    "healthzBindAddress",
    "metricsBindAddress",
    "enableProfiling",
    "enableContentionProfiling",
    "percentageOfNodesToScore",
    "podInitialBackoffSeconds",
    "podMaxBackoffSeconds",
    "profiles",
    "extenders",
    "delayCacheUntilActive",
    "tieBreak",
];
const PROFILE_FIELDS: &[&str] = &["schedulerName", "percentageOfNodesToScore", "plugins", "pluginConfig", "tieBreak"];
const CLIENT_FIELDS: &[&str] = &["kubeconfig", "acceptContentTypes", "contentType", "qps", "burst"];

impl Default for SchedulerConfig {
    fn default() -> SchedulerConfig {
        let profile = ProfileConfig { framework: FrameworkProfile::default(), tie_break: TieBreak::Kube };
        SchedulerConfig { profiles: vec![profile], queue: QueueSettings::default(), parallelism: 16, client: None }
    }
}

impl SchedulerConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the path of the field.
    pub fn from_json(value: &Value) -> Result<SchedulerConfig, FieldError> {
        if value.is_null() {
            return Ok(SchedulerConfig::default());
        }
        let fields = Fields::new("", value, FIELDS)?;
        check_version(&fields)?;
        if fields.array("extenders")?.is_some_and(|extenders| !extenders.is_empty()) {
            return Err(FieldError::new("extenders", "scheduler extenders are not modelled")
                .help("an extender is an HTTP service outside of the cluster; take `extenders` out"));
        }
        let initial = fields.integer("podInitialBackoffSeconds", 1, 1..=i64::from(u32::MAX))?;
        let max = fields.integer("podMaxBackoffSeconds", 10.max(initial), 0..=i64::from(u32::MAX))?;
        if max < initial {
            let what = format!("is below podInitialBackoffSeconds, {initial}");
            return Err(FieldError::new("podMaxBackoffSeconds", what));
        }
        let seconds = |seconds: i64| Span::from_secs(seconds.unsigned_abs());
        let backoff = Backoff { initial: seconds(initial), max: seconds(max), ..Backoff::default() };
        let percentage = fields.integer("percentageOfNodesToScore", 0, 0..=100)?;
        let tie_break = tie_break(&fields, TieBreak::Kube)?;
        Ok(SchedulerConfig {
            profiles: read_profiles(&fields, percentage, tie_break)?,
            queue: QueueSettings { backoff, ..QueueSettings::default() },
            parallelism: u32::try_from(fields.integer("parallelism", 16, 1..=i64::from(i32::MAX))?).unwrap_or(16),
            client: read_client(&fields)?,
        })
    }

    /// The parts of a scheduler with this configuration.
    ///
    /// # Errors
    ///
    /// What a plugin finds wrong with its arguments.
    pub fn build(&self) -> Result<SchedulerOptions, FieldError> {
        let build = |(idx, profile): (usize, &ProfileConfig)| {
            let policy = FrameworkPolicy::new(profile.framework.clone(), profile.tie_break)
                .map_err(|error| FieldError::new(format!("profiles[{idx}].pluginConfig"), error))?;
            Ok(Profile { scheduler_name: profile.framework.scheduler_name.clone(), policy: Box::new(policy) })
        };
        let profiles = self.profiles.iter().enumerate().map(build).collect::<Result<_, FieldError>>()?;
        Ok(SchedulerOptions { profiles, queue: self.queue, client: self.client })
    }
}

fn check_version(fields: &Fields<'_>) -> Result<(), FieldError> {
    const VERSION: &str = "kubescheduler.config.k8s.io/v1";
    match fields.string("apiVersion")? {
        None | Some(VERSION) => {}
        Some(other) => {
            let error = FieldError::new("apiVersion", format!("`{other}` is not read"));
            return Err(error.help(format!("kube-scheduler 1.36 reads `{VERSION}`")));
        }
    }
    match fields.string("kind")? {
        None | Some("KubeSchedulerConfiguration") => Ok(()),
        Some(other) => Err(FieldError::new("kind", format!("`{other}` is no scheduler configuration"))
            .help("`KubeSchedulerConfiguration`")),
    }
}

fn tie_break(fields: &Fields<'_>, default: TieBreak) -> Result<TieBreak, FieldError> {
    match fields.string("tieBreak")? {
        None => Ok(default),
        Some("kube") => Ok(TieBreak::Kube),
        Some("first") => Ok(TieBreak::First),
        Some("random") => Ok(TieBreak::Random),
        Some(other) => Err(FieldError::new(fields.path("tieBreak"), format!("unknown rule `{other}`"))
            .help("`kube`, `first` or `random`")),
    }
}

fn read_client(fields: &Fields<'_>) -> Result<Option<(f64, u32)>, FieldError> {
    let Some(client) = fields.object("clientConnection", CLIENT_FIELDS)? else { return Ok(None) };
    if client.get("qps").is_none() && client.get("burst").is_none() {
        return Ok(None);
    }
    let qps = match client.get("qps") {
        None => 50.0,
        // A negative rate switches the limit off (client-go, `rest.Config`).
        Some(qps) => match qps.as_f64() {
            Some(qps) if qps < 0.0 => f64::INFINITY,
            Some(0.0) => 50.0,
            Some(qps) => qps,
            None => return Err(FieldError::new(client.path("qps"), "is not a number")),
        },
    };
    let burst = client.integer("burst", 100, 0..=i64::from(i32::MAX))?;
    Ok(Some((qps, u32::try_from(burst).unwrap_or(100).max(1))))
}

fn read_profiles(fields: &Fields<'_>, percentage: i64, tie_break: TieBreak) -> Result<Vec<ProfileConfig>, FieldError> {
    let empty = [Value::Object(Map::new())];
    let listed = fields.array("profiles")?.map_or(&[] as &[Value], Vec::as_slice);
    let listed = if listed.is_empty() { &empty[..] } else { listed };
    let mut profiles: Vec<ProfileConfig> = Vec::new();
    for (idx, value) in listed.iter().enumerate() {
        let path = format!("profiles[{idx}]");
        let profile = read_profile(&path, value, percentage, tie_break, listed.len())?;
        let name = &profile.framework.scheduler_name;
        if profiles.iter().any(|other| other.framework.scheduler_name == *name) {
            let what = format!("two profiles are called `{name}`");
            return Err(FieldError::new(format!("{path}.schedulerName"), what));
        }
        profiles.push(profile);
    }
    Ok(profiles)
}

fn read_profile(
    path: &str,
    value: &Value,
    percentage: i64,
    default_tie_break: TieBreak,
    n_profiles: usize,
) -> Result<ProfileConfig, FieldError> {
    let fields = Fields::new(path, value, PROFILE_FIELDS)?;
    let name = match fields.string("schedulerName")? {
        Some("") | None if n_profiles > 1 => {
            return Err(FieldError::new(path, "has no schedulerName").help("pods choose among several profiles by it"));
        }
        Some("") | None => "default-scheduler",
        Some(name) => name,
    };
    plugins::check(&fields)?;
    let mut framework = FrameworkProfile { scheduler_name: name.to_owned(), ..FrameworkProfile::default() };
    let completed = args::complete(&fields)?;
    framework.apply(&completed).map_err(|error| FieldError::new(path, error))?;
    let percentage = fields.integer("percentageOfNodesToScore", percentage, 0..=100)?;
    framework.percentage_of_nodes_to_score = u32::try_from(percentage).unwrap_or(0);
    framework.scheduler_name = name.to_owned();
    Ok(ProfileConfig { framework, tie_break: tie_break(&fields, default_tie_break)? })
}

#[cfg(test)]
mod tests;
