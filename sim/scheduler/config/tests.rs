use serde_json::json;

use super::*;
use crate::scheduler::framework::names::PluginName;

fn read(value: Value) -> SchedulerConfig {
    SchedulerConfig::from_json(&value).expect("is right")
}

/// Path and text of an error.
fn wrong(value: Value) -> (String, String) {
    let error = SchedulerConfig::from_json(&value).expect_err("is wrong");
    let help = error.help.map(|help| format!(" ({help})")).unwrap_or_default();
    (error.path, format!("{}{help}", error.what))
}

#[test]
fn nothing_is_the_default_scheduler() {
    let config = read(json!({"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}));
    assert_eq!(config, SchedulerConfig::default());
    assert_eq!(config, read(json!({"profiles": []})));
}

#[test]
fn numbers_of_the_configuration() {
    let config = read(json!({
        "podInitialBackoffSeconds": 2, "podMaxBackoffSeconds": 60, "parallelism": 8, "percentageOfNodesToScore": 30,
        "clientConnection": {"qps": 5, "burst": 10}, "tieBreak": "random", "leaderElection": {"leaderElect": false},
        "profiles": [{"schedulerName": "a"}, {"schedulerName": "b", "percentageOfNodesToScore": 70, "tieBreak": "first"}],
    }));
    assert_eq!((config.queue.backoff.initial, config.queue.backoff.max), (Span::from_secs(2), Span::from_secs(60)));
    assert_eq!((config.parallelism, config.client), (8, Some((5.0, 10))));
    let seen: Vec<_> = config
        .profiles
        .iter()
        .map(|profile| {
            let framework = &profile.framework;
            (framework.scheduler_name.as_str(), framework.percentage_of_nodes_to_score, profile.tie_break)
        })
        .collect();
    assert_eq!(seen, [("a", 30, TieBreak::Random), ("b", 70, TieBreak::First)]);
}

#[test]
fn plugins_and_arguments_reach_the_framework() {
    let config = read(json!({"profiles": [{
        "plugins": {
            "score": {"disabled": [{"name": "*"}], "enabled": [{"name": "NodeResourcesFit", "weight": 7}]},
            "multiPoint": {"disabled": [{"name": "ImageLocality"}]},
        },
        "pluginConfig": [
            {"name": "NodeResourcesFit", "args": {"kind": "NodeResourcesFitArgs", "scoringStrategy": {"type": "MostAllocated"}}},
            {"name": "DefaultPreemption", "args": {"minCandidateNodesPercentage": 50}},
        ],
    }]}));
    let framework = &config.profiles[0].framework;
    assert_eq!(
        framework.plugins(crate::scheduler::framework::names::ExtensionPoint::Score),
        [(PluginName::NodeResourcesFit, 7)]
    );
    let cpu_and_memory = json!([{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1}]);
    assert_eq!(
        framework.args[&PluginName::NodeResourcesFit],
        json!({"scoringStrategy": {"type": "MostAllocated", "resources": cpu_and_memory}})
    );
    assert_eq!(
        framework.args[&PluginName::DefaultPreemption],
        json!({"minCandidateNodesPercentage": 50, "minCandidateNodesAbsolute": 100})
    );
    assert!(SchedulerConfig::default().build().is_ok());
    assert!(config.build().is_ok());
}

#[test]
fn unknown_names_are_errors_with_their_path() {
    let (path, what) = wrong(json!({"podMaxBackofSeconds": 3}));
    assert_eq!(
        (path.as_str(), what.as_str()),
        ("podMaxBackofSeconds", "unknown field `podMaxBackofSeconds` (did you mean `podMaxBackoffSeconds`?)")
    );
    let (path, what) = wrong(json!({"profiles": [{"plugins": {"score": {"enabled": [{"name": "NodeResourceFit"}]}}}]}));
    assert_eq!(path, "profiles[0].plugins.score.enabled[0].name");
    assert_eq!(what, "unknown scheduler plugin `NodeResourceFit` (did you mean `NodeResourcesFit`?)");
    let (path, what) = wrong(json!({"profiles": [{"plugins": {"scores": {}}}]}));
    assert_eq!(
        (path.as_str(), what.as_str()),
        ("profiles[0].plugins.scores", "unknown field `scores` (did you mean `score`?)")
    );
    let (path, _) =
        wrong(json!({"profiles": [{"pluginConfig": [{"name": "InterPodAffinity", "args": {"hardWeight": 1}}]}]}));
    assert_eq!(path, "profiles[0].pluginConfig[0].args.hardWeight");
}

#[test]
fn what_kube_scheduler_refuses_is_refused() {
    let profile = |profile: Value| json!({"profiles": [profile]});
    let config = |name: &str, args: Value| profile(json!({"pluginConfig": [{"name": name, "args": args}]}));
    for (value, path) in [
        (json!({"apiVersion": "kubescheduler.config.k8s.io/v1beta3"}), "apiVersion"),
        (json!({"extenders": [{"urlPrefix": "http://127.0.0.1"}]}), "extenders"),
        (json!({"percentageOfNodesToScore": 101}), "percentageOfNodesToScore"),
        (json!({"podInitialBackoffSeconds": 20, "podMaxBackoffSeconds": 10}), "podMaxBackoffSeconds"),
        (json!({"parallelism": 0}), "parallelism"),
        (json!({"profiles": [{}, {"schedulerName": "b"}]}), "profiles[0]"),
        (json!({"profiles": [{"schedulerName": "b"}, {"schedulerName": "b"}]}), "profiles[1].schedulerName"),
        (
            profile(json!({"plugins": {"filter": {"enabled": [{"name": "ImageLocality"}]}}})),
            "profiles[0].plugins.filter.enabled[0].name",
        ),
        (profile(json!({"plugins": {"queueSort": {"disabled": [{"name": "*"}]}}})), "profiles[0].plugins"),
        (
            config("InterPodAffinity", json!({"hardPodAffinityWeight": 101})),
            "profiles[0].pluginConfig[0].args.hardPodAffinityWeight",
        ),
        (config("ImageLocality", json!({})), "profiles[0].pluginConfig[0].args"),
        (config("NodeResourcesFit", json!({"kind": "NodeAffinityArgs"})), "profiles[0].pluginConfig[0].args.kind"),
        (
            config("NodeResourcesFit", json!({"scoringStrategy": {"type": "RequestedToCapacityRatio"}})),
            "profiles[0].pluginConfig[0].args.scoringStrategy",
        ),
        (
            config("PodTopologySpread", json!({"defaultConstraints": [{"maxSkew": 1}]})),
            "profiles[0].pluginConfig[0].args.defaultConstraints",
        ),
        (
            config("DefaultPreemption", json!({"minCandidateNodesPercentage": 0, "minCandidateNodesAbsolute": 0})),
            "profiles[0].pluginConfig[0].args",
        ),
    ] {
        assert_eq!(wrong(value.clone()).0, path, "{value}");
    }
}
