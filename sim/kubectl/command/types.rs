//! The typed commands.

use std::collections::BTreeMap;

/// What a command line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `kubectl get`
    Get(Get),
    /// `kubectl describe`
    Describe(Describe),
    /// `kubectl events`
    Events(Events),
    /// `kubectl top nodes|pods`
    Top(Top),
    /// `kubectl rollout ...`
    Rollout(Rollout),
    /// `kubectl scale`
    Scale(Scale),
    /// `kubectl set image|resources|env|...`
    Set(Set),
    /// `kubectl label` and `kubectl annotate`
    Mark(Mark),
    /// `kubectl taint`
    Taint(Taint),
    /// `kubectl cordon` and `kubectl uncordon`
    Cordon(Cordon),
    /// `kubectl drain`
    Drain(Drain),
    /// `kubectl delete`
    Delete(Delete),
    /// `kubectl apply`
    Apply(Apply),
    /// `kubectl create -f` and `kubectl replace -f`
    Submit(Submit),
    /// `kubectl create deployment ...` and the like, `kubectl run`
    Generate(Generate),
    /// `kubectl patch`
    Patch(Patch),
    /// `kubectl autoscale`
    Autoscale(Autoscale),
    /// `kubectl expose`
    Expose(Expose),
    /// `kubectl wait`
    Wait(Wait),
}

/// Which namespace a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// `-n`; none for the current namespace.
    pub namespace: Option<String>,
    /// `-A`
    pub all_namespaces: bool,
}

/// The objects that a command is about: arguments and selectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `pods`, `pods,services`, `pod web-0 web-1`, `pod/web-0 svc/web`.
    pub args: Vec<String>,
    /// `-f`
    pub filenames: Vec<String>,
    /// `-R`
    pub recursive: bool,
    /// `-l`
    pub selector: Option<String>,
    /// `--field-selector`
    pub field_selector: Option<String>,
    /// `--all`
    pub all: bool,
    /// Where the objects are.
    pub scope: Scope,
}

/// What is really done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// Everything.
    #[default]
    None,
    /// `--dry-run=client`: nothing is sent.
    Client,
    /// `--dry-run=server`: nothing is stored.
    Server,
}

/// `kubectl get`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Get {
    /// Which objects.
    pub selection: Selection,
    /// `-o`
    pub output: Option<String>,
    /// `--sort-by`
    pub sort_by: Option<String>,
    /// `--show-labels`
    pub show_labels: bool,
    /// `-L`
    pub label_columns: Vec<String>,
    /// `--no-headers`
    pub no_headers: bool,
    /// `--show-kind`
    pub show_kind: bool,
    /// `--show-managed-fields`
    pub show_managed_fields: bool,
    /// `--ignore-not-found`
    pub ignore_not_found: bool,
    /// `--allow-missing-template-keys`, on by default.
    pub allow_missing_template_keys: bool,
}

/// `kubectl describe`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Describe {
    /// Which objects.
    pub selection: Selection,
    /// `--show-events`, on by default.
    pub show_events: bool,
}

/// `kubectl events`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Where.
    pub scope: Scope,
    /// `--for kind/name`
    pub about: Option<String>,
    /// `--types`
    pub types: Vec<String>,
    /// `--no-headers`
    pub no_headers: bool,
    /// `-o`
    pub output: Option<String>,
}

/// `kubectl top`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Top {
    /// Nodes, else pods.
    pub nodes: bool,
    /// Names of nodes or pods; none for all.
    pub selection: Selection,
    /// `--containers`
    pub containers: bool,
    /// `--sort-by cpu|memory`
    pub sort_by: Option<String>,
    /// `--no-headers`
    pub no_headers: bool,
    /// `--sum`
    pub sum: bool,
    /// `--show-capacity`
    pub show_capacity: bool,
}

/// `kubectl rollout`
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Which workloads.
    pub selection: Selection,
    /// What is done.
    pub action: RolloutAction,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// What `kubectl rollout` does.
#[derive(Clone, Debug, PartialEq)]
pub enum RolloutAction {
    /// `status`: whether to go on until it is done; the revision it is about (0: any); seconds to wait (0: for ever).
    Status {
        /// `--watch`, on by default.
        watch: bool,
        /// `--revision`
        revision: i64,
        /// `--timeout`
        timeout_seconds: f64,
    },
    /// `history`: of one revision (0: a list of all).
    History {
        /// `--revision`
        revision: i64,
    },
    /// `undo`: to a revision (0: the previous one).
    Undo {
        /// `--to-revision`
        to_revision: i64,
    },
    /// `pause`
    Pause,
    /// `resume`
    Resume,
    /// `restart`
    Restart,
}

/// `kubectl scale`
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Which workloads.
    pub selection: Selection,
    /// `--replicas`
    pub replicas: i64,
    /// `--current-replicas`: only then.
    pub current_replicas: Option<i64>,
    /// `--resource-version`: only then.
    pub resource_version: Option<String>,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// `kubectl set`
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// Which workloads.
    pub selection: Selection,
    /// What is set.
    pub change: SetChange,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// What `kubectl set` sets.
#[derive(Clone, Debug, PartialEq)]
pub enum SetChange {
    /// `image`: container (`*` for all) and image.
    Image(Vec<(String, String)>),
    /// `resources`
    Resources {
        /// `-c`, a name or a pattern; `*` by default.
        containers: String,
        /// `--limits`
        limits: BTreeMap<String, String>,
        /// `--requests`
        requests: BTreeMap<String, String>,
    },
    /// `env`: names with values, or without one to remove it.
    Env {
        /// `-c`, a name or a pattern; `*` by default.
        containers: String,
        /// The variables.
        variables: Vec<(String, Option<String>)>,
        /// `--from configmap/x` or `secret/x`
        from: Option<String>,
        /// `--list`
        list: bool,
    },
    /// `serviceaccount`
    ServiceAccount(String),
    /// `selector`
    Selector(String),
}

/// `kubectl label` and `kubectl annotate`
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Annotations, else labels.
    pub annotations: bool,
    /// Which objects.
    pub selection: Selection,
    /// Keys with values, or without one to remove the key.
    pub changes: Vec<(String, Option<String>)>,
    /// `--overwrite`
    pub overwrite: bool,
    /// `--resource-version`: only then.
    pub resource_version: Option<String>,
    /// `--list`
    pub list: bool,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// `kubectl taint nodes`
#[derive(Clone, Debug, PartialEq)]
pub struct Taint {
    /// Which nodes; names, a selector, or all.
    pub selection: Selection,
    /// The changes in the order given.
    pub changes: Vec<TaintChange>,
    /// `--overwrite`
    pub overwrite: bool,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// A taint that is added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaintChange {
    /// The key.
    pub key: String,
    /// The value, empty without one.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`; empty to remove the key with any effect.
    pub effect: String,
    /// Whether it is removed.
    pub remove: bool,
}

/// `kubectl cordon` and `kubectl uncordon`
#[derive(Clone, Debug, PartialEq)]
pub struct Cordon {
    /// Cordon, else uncordon.
    pub unschedulable: bool,
    /// The names of nodes.
    pub nodes: Vec<String>,
    /// `-l`
    pub selector: Option<String>,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// `kubectl drain`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drain {
    /// The names of nodes.
    pub nodes: Vec<String>,
    /// `-l`
    pub selector: Option<String>,
    /// `--pod-selector`
    pub pod_selector: Option<String>,
    /// `--force`
    pub force: bool,
    /// `--ignore-daemonsets`
    pub ignore_daemonsets: bool,
    /// `--delete-emptydir-data`
    pub delete_emptydir_data: bool,
    /// `--disable-eviction`
    pub disable_eviction: bool,
    /// `--grace-period`; none for each pod's own.
    pub grace_period_seconds: Option<i64>,
    /// `--timeout`; 0 for ever.
    pub timeout_seconds: f64,
    /// `--skip-wait-for-delete-timeout`
    pub skip_wait_for_delete_timeout_seconds: i64,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// What happens to the dependents of a deleted object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cascade {
    /// They are deleted afterwards.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// `kubectl delete`
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// Which objects.
    pub selection: Selection,
    /// `--cascade`
    pub cascade: Cascade,
    /// `--grace-period`, or 1 with `--now`; none for the object's own.
    pub grace_period_seconds: Option<i64>,
    /// `--force`
    pub force: bool,
    /// `--wait`, on by default.
    pub wait: bool,
    /// `--timeout`; 0 for ever.
    pub timeout_seconds: f64,
    /// `--ignore-not-found`
    pub ignore_not_found: bool,
    /// `-o name`
    pub output: Option<String>,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// `kubectl apply`
#[derive(Clone, Debug, PartialEq)]
pub struct Apply {
    /// Files, and the selector for pruning.
    pub selection: Selection,
    /// `--server-side`
    pub server_side: bool,
    /// `--force-conflicts`
    pub force_conflicts: bool,
    /// `--field-manager`
    pub field_manager: Option<String>,
    /// `--prune`
    pub prune: bool,
    /// `--force`
    pub force: bool,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// `kubectl create -f` and `kubectl replace -f`
#[derive(Clone, Debug, PartialEq)]
pub struct Submit {
    /// Replace, else create.
    pub replace: bool,
    /// Files.
    pub selection: Selection,
    /// `--force`
    pub force: bool,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// `kubectl create KIND NAME ...` and `kubectl run NAME`: an object made of flags.
#[derive(Clone, Debug, PartialEq)]
pub struct Generate {
    /// The words after `create` up to the name: `["deployment"]`, `["service", "clusterip"]`; `["run"]` for `kubectl run`.
    pub kind: Vec<String>,
    /// The name of the object.
    pub name: String,
    /// Arguments after the name.
    pub args: Vec<String>,
    /// What follows `--`.
    pub command: Vec<String>,
    /// The flags by long name, in the order given.
    pub flags: BTreeMap<String, Vec<String>>,
    /// Where.
    pub scope: Scope,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// How a patch is merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatchType {
    /// Lists are merged by their keys.
    #[default]
    Strategic,
    /// Lists are replaced (RFC 7386).
    Merge,
    /// A list of operations (RFC 6902).
    Json,
}

/// `kubectl patch`
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// Which object.
    pub selection: Selection,
    /// `-p`
    pub patch: Option<String>,
    /// `--patch-file`
    pub patch_file: Option<String>,
    /// `--type`
    pub patch_type: PatchType,
    /// `--subresource`
    pub subresource: Option<String>,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// `kubectl autoscale`
#[derive(Clone, Debug, PartialEq)]
pub struct Autoscale {
    /// Which workload.
    pub selection: Selection,
    /// `--name`
    pub name: Option<String>,
    /// `--min`
    pub min: Option<i64>,
    /// `--max`
    pub max: i64,
    /// `--cpu-percent` or `--cpu`: `80%`, `500m`.
    pub cpu: Option<String>,
    /// `--memory`: `60%`, `500Mi`.
    pub memory: Option<String>,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// `kubectl expose`
#[derive(Clone, Debug, PartialEq)]
pub struct Expose {
    /// Which object.
    pub selection: Selection,
    /// The other flags by long name.
    pub flags: BTreeMap<String, Vec<String>>,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// `kubectl wait`
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// Which objects.
    pub selection: Selection,
    /// `--for`: `condition=Ready`, `delete`, `create`, `jsonpath={.status.phase}=Running`.
    pub until: String,
    /// `--timeout`, 30 s by default; negative for a week.
    pub timeout_seconds: f64,
}
