//! The fast path of the scheduler against its plain twin, and laws that hold whatever the cluster: random clusters, pods that
//! come and go, nodes that change.

use proptest::prelude::*;
use serde_json::{Value, json};
use wavetank::cluster::{Cluster, NodeId, ObjectRef, PodId};
use wavetank::scheduler::framework::profile::Profile;
use wavetank::scheduler::framework::{Decision, Framework, SearchState};

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// A pod of this shape comes and is scheduled.
    Arrive(u8),
    /// One of the placed pods goes.
    Leave(u8),
    /// A node is cordoned or uncordoned.
    Cordon(u8),
    /// A label of a node changes.
    Label(u8, u8),
    /// A node comes.
    Join(u8),
    /// A pod of high priority waits for its victims on a node: others have to leave room for it.
    Nominate(u8, u8),
    /// The last pod that waits so goes, or is placed.
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any::<u8>().prop_map(Step::Arrive),
        2 => any::<u8>().prop_map(Step::Leave),
        1 => any::<u8>().prop_map(Step::Cordon),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(node, zone)| Step::Label(node, zone)),
        1 => any::<u8>().prop_map(Step::Join),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(shape, node)| Step::Nominate(shape, node)),
        1 => Just(Step::Settle),
    ]
}

fn node(name: &str, kind: u8) -> Value {
    let taints = match kind % 5 {
        0 => json!([{ "key": "dedicated", "value": "a", "effect": "NoSchedule" }]),
        1 => json!([{ "key": "spot", "effect": "PreferNoSchedule" }]),
        _ => json!([]),
    };
    let images = match kind % 3 {
        0 => json!([{ "names": ["web:1"], "sizeBytes": 800_000_000 }]),
        _ => json!([]),
    };
    json!({
        "kind": "Node",
        "metadata": { "name": name, "labels": {
            "kubernetes.io/hostname": name,
            "topology.kubernetes.io/zone": format!("z{}", kind % 3),
            "disk": if kind.is_multiple_of(2) { "ssd" } else { "hdd" },
        } },
        "spec": { "taints": taints },
        "status": {
            "allocatable": { "cpu": format!("{}", 1 + kind % 4), "memory": "4Gi", "pods": "6" },
            "images": images,
        },
    })
}

fn pod(name: &str, shape: u8) -> Value {
    let mut spec = json!({ "containers": [{
        "name": "c", "image": if shape.is_multiple_of(2) { "web:1" } else { "db:2" },
        "resources": { "requests": { "cpu": format!("{}m", 100 * u32::from(shape % 7)), "memory": "256Mi" } },
    }] });
    let selector = json!({ "matchLabels": { "app": "a" } });
    match shape % 11 {
        0 => spec["tolerations"] = json!([{ "operator": "Exists" }]),
        1 => spec["nodeSelector"] = json!({ "disk": "ssd" }),
        2 => {
            spec["topologySpreadConstraints"] = json!([{
                "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector,
            }]);
        }
        3 => {
            spec["topologySpreadConstraints"] = json!([{
                "maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector,
            }]);
        }
        4 => {
            spec["affinity"] = json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [
                { "topologyKey": "kubernetes.io/hostname", "labelSelector": selector },
            ] } });
        }
        5 => {
            spec["affinity"] = json!({ "podAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [
                { "weight": 50, "podAffinityTerm": { "topologyKey": "topology.kubernetes.io/zone", "labelSelector": selector } },
            ] } });
        }
        6 => {
            spec["affinity"] = json!({ "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [
                { "weight": 10, "preference": { "matchExpressions": [
                    { "key": "disk", "operator": "In", "values": ["hdd"] },
                ] } },
            ] } });
        }
        9 => {
            spec["volumes"] =
                json!([{ "name": "v", "persistentVolumeClaim": { "claimName": format!("data-{}", shape % 3) } }]);
        }
        7 => spec["containers"][0]["ports"] = json!([{ "containerPort": 80, "hostPort": 8080, "protocol": "TCP" }]),
        _ => {}
    }
    let app = if shape.is_multiple_of(3) { "a" } else { "b" };
    json!({ "kind": "Pod", "metadata": { "name": name, "labels": { "app": app } }, "spec": spec })
}

/// A bound claim and its volume in each of three zones; the third may be used by one pod only.
fn volumes(cluster: &mut Cluster) {
    for zone in 0..3 {
        let term = json!({ "matchExpressions": [
            { "key": "topology.kubernetes.io/zone", "operator": "In", "values": [format!("z{zone}")] },
        ] });
        let modes = if zone == 2 { json!(["ReadWriteOncePod"]) } else { json!(["ReadWriteOnce"]) };
        let (claim, volume) = (format!("data-{zone}"), format!("pv-{zone}"));
        for manifest in [
            json!({ "kind": "PersistentVolume", "metadata": { "name": volume }, "spec": {
                "capacity": { "storage": "1Gi" }, "accessModes": modes, "csi": { "driver": "d", "volumeHandle": volume },
                "claimRef": { "namespace": "default", "name": claim },
                "nodeAffinity": { "required": { "nodeSelectorTerms": [term] } } } }),
            json!({ "kind": "PersistentVolumeClaim",
                "metadata": { "name": claim, "annotations": { "pv.kubernetes.io/bind-completed": "yes" } },
                "spec": { "accessModes": modes, "volumeName": volume, "resources": { "requests": { "storage": "1Gi" } } },
                "status": { "phase": "Bound" } }),
        ] {
            cluster.create_from(&manifest).expect("a volume");
        }
    }
}

struct World {
    cluster: Cluster,
    framework: Framework,
    nodes: Vec<NodeId>,
    placed: Vec<PodId>,
    nominated: Vec<PodId>,
    search: SearchState,
    n_made: usize,
}

impl World {
    fn new(kinds: &[u8]) -> World {
        let mut cluster = Cluster::new(0);
        let mut nodes = Vec::new();
        for (idx, &kind) in kinds.iter().enumerate() {
            if let Ok(ObjectRef::Node(id)) = cluster.create_from(&node(&format!("n{idx}"), kind)) {
                nodes.push(id);
            }
        }
        volumes(&mut cluster);
        cluster.take_changes(&mut Vec::new());
        let framework = Framework::new(Profile::default(), &cluster).expect("the default profile is right");
        World {
            cluster,
            framework,
            nodes,
            placed: Vec::new(),
            nominated: Vec::new(),
            search: SearchState::default(),
            n_made: 0,
        }
    }

    fn settle(&mut self) {
        let mut changes = Vec::new();
        self.cluster.take_changes(&mut changes);
        for change in changes {
            self.framework.observe(change, &self.cluster);
        }
    }

    fn apply(&mut self, step: &Step) {
        self.n_made += 1;
        match *step {
            Step::Arrive(shape) => self.arrive(shape),
            Step::Leave(which) if !self.placed.is_empty() => {
                let pod = self.placed.swap_remove(usize::from(which) % self.placed.len());
                self.cluster.confirm_pod_stopped(pod);
            }
            Step::Leave(_) => {}
            Step::Cordon(which) => {
                let node = self.nodes[usize::from(which) % self.nodes.len()];
                let cordoned = self.cluster.node(node).unschedulable;
                self.cluster.set_unschedulable(node, !cordoned);
            }
            Step::Label(which, zone) => {
                let node = self.nodes[usize::from(which) % self.nodes.len()];
                self.cluster.set_label(node, "topology.kubernetes.io/zone", Some(&format!("z{}", zone % 4)));
            }
            Step::Join(kind) => {
                let made = self.cluster.create_from(&node(&format!("late{}", self.n_made), kind));
                self.nodes.extend(match made {
                    Ok(ObjectRef::Node(id)) => Some(id),
                    _ => None,
                });
            }
            Step::Nominate(shape, which) => {
                let mut manifest = pod(&format!("p{}", self.n_made), shape);
                manifest["spec"]["priority"] = 1_000.into();
                let node = self.nodes[usize::from(which) % self.nodes.len()];
                if let Ok(ObjectRef::Pod(id)) = self.cluster.create_from(&manifest) {
                    self.cluster.nominate(id, Some(node));
                    self.nominated.push(id);
                }
            }
            Step::Settle => {
                if let Some(id) = self.nominated.pop() {
                    self.cluster.nominate(id, None);
                    self.cluster.delete_pod(id, Some(0));
                }
            }
        }
        self.settle();
    }

    /// Schedules by the fast path over tables kept current, and plainly over tables made anew: both must agree.
    fn arrive(&mut self, shape: u8) {
        let Ok(ObjectRef::Pod(id)) = self.cluster.create_from(&pod(&format!("p{}", self.n_made), shape)) else {
            return;
        };
        self.settle();
        let mut plain_search = self.search.clone();
        let mut anew = Framework::new(Profile::default(), &self.cluster).expect("the default profile is right");
        let plain_order = anew.tables().order().to_vec();
        let quick = self.framework.schedule(&self.cluster, id, &mut self.search);
        // The order of zones depends on history: where it differs, the search may.
        if plain_order == self.framework.tables().order() {
            let plain = anew.schedule_plainly(&self.cluster, id, &mut plain_search);
            assert_eq!(quick, plain, "shape {}", shape % 11);
            assert_eq!(self.search.next_start, plain_search.next_start);
        } else {
            let before = plain_search;
            let mut again = before.clone();
            let plain = self.framework.schedule_plainly(&self.cluster, id, &mut again);
            assert_eq!(quick, plain, "shape {}", shape % 11);
        }
        if let Decision::Scheduled { node, .. } = quick {
            self.cluster.assume(id, node);
            self.settle();
            self.cluster.bind(id, node);
            self.placed.push(id);
        } else {
            self.cluster.delete_pod(id, Some(0));
        }
    }

    /// No node holds more than it has.
    fn check_capacity(&self) {
        for (id, node) in self.cluster.nodes() {
            for &(resource, allocatable) in &node.allocatable {
                assert!(self.cluster.columns().requested(id, resource) <= allocatable);
            }
            assert!(node.pods.len() <= 6);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_path_decides_as_the_plain_one(
        kinds in prop::collection::vec(any::<u8>(), 1..12),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut world = World::new(&kinds);
        for step in &steps {
            world.apply(step);
        }
        world.check_capacity();
        world.cluster.check().expect("the store is consistent");
    }

    #[test]
    fn one_more_node_hinders_no_pod_that_reads_only_its_own_node(
        kinds in prop::collection::vec(any::<u8>(), 1..8),
        more in any::<u8>(),
        shape in any::<u8>().prop_filter("reads its own node", |shape| ![2, 3, 4, 5].contains(&(shape % 11))),
    ) {
        let decide = |kinds: &[u8]| {
            let mut world = World::new(kinds);
            let Ok(ObjectRef::Pod(id)) = world.cluster.create_from(&pod("p", shape)) else { panic!("a pod") };
            world.settle();
            matches!(world.framework.schedule(&world.cluster, id, &mut world.search), Decision::Scheduled { .. })
        };
        let without = decide(&kinds);
        let with = decide(&[&kinds[..], &[more]].concat());
        prop_assert!(!without || with);
    }

    #[test]
    fn other_names_for_nodes_permute_the_result(
        kinds in prop::collection::vec((any::<u8>(), any::<u32>()), 2..9),
        placed in prop::collection::vec((any::<u8>(), any::<u8>()), 0..12),
        shape in any::<u8>(),
    ) {
        // `places[k]` is the place, and so the name, of the k-th node in the second cluster.
        let mut order: Vec<usize> = (0..kinds.len()).collect();
        order.sort_by_key(|&idx| (kinds[idx].1, idx));
        let mut places = vec![0; kinds.len()];
        order.iter().enumerate().for_each(|(place, &idx)| places[idx] = place);
        let same: Vec<usize> = (0..kinds.len()).collect();
        let first = verdicts(&kinds, &placed, shape, &same);
        let second = verdicts(&kinds, &placed, shape, &places);
        for (idx, verdict) in first.iter().enumerate() {
            prop_assert_eq!(verdict, &second[places[idx]], "node {} of {}", idx, kinds.len());
        }
    }
}

/// What the scheduler says of every node about a pod of this shape: whether it is feasible, its score, who rejects it. The k-th kind
/// stands at the place `places[k]`; pods stand on the nodes of their kinds.
fn verdicts(kinds: &[(u8, u32)], placed: &[(u8, u8)], shape: u8, places: &[usize]) -> Vec<[Value; 3]> {
    let mut in_place = vec![0; kinds.len()];
    places.iter().zip(kinds).for_each(|(&place, &(kind, _))| in_place[place] = kind);
    let mut world = World::new(&in_place);
    for (idx, &(shape, node)) in placed.iter().enumerate() {
        let Ok(ObjectRef::Pod(id)) = world.cluster.create_from(&pod(&format!("old{idx}"), shape)) else { continue };
        world.cluster.bind(id, world.nodes[places[usize::from(node) % kinds.len()]]);
    }
    let Ok(ObjectRef::Pod(id)) = world.cluster.create_from(&pod("p", shape)) else { panic!("a pod") };
    world.settle();
    let explanation = world.framework.explain(&world.cluster, id, &world.search).to_json();
    let mut nodes = explanation["nodes"].as_array().cloned().unwrap_or_default();
    nodes.sort_by_key(|node| node["node"].as_str().unwrap_or_default().to_owned());
    nodes.iter().map(|node| [&node["feasible"], &node["total"], &node["rejections"]].map(Clone::clone)).collect()
}

#[test]
fn an_explanation_says_what_would_have_to_change() {
    let mut world = World::new(&[0, 2]);
    let mut manifest = pod("big", 8);
    manifest["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "2500m".into();
    manifest["spec"]["nodeSelector"] = json!({ "disk": "nvme" });
    let Ok(ObjectRef::Pod(id)) = world.cluster.create_from(&manifest) else { panic!("a pod") };
    world.settle();
    let explanation = world.framework.explain(&world.cluster, id, &world.search);
    assert_eq!(explanation.node, None);
    let message = explanation.failed_scheduling.clone().unwrap_or_default();
    assert!(message.starts_with("0/2 nodes are available: "), "{message}");
    let changes: Vec<&str> = explanation.nodes.iter().flat_map(|node| &node.changes).map(String::as_str).collect();
    assert!(changes.contains(&"tolerate dedicated=a:NoSchedule"), "{changes:?}");
    assert!(changes.contains(&"label it disk=nvme"), "{changes:?}");
    assert!(changes.iter().any(|change| change.starts_with("ask for 1500m less cpu")), "{changes:?}");
    assert!(explanation.to_string().contains("It would fit"), "{explanation}");
    let Ok(ObjectRef::Pod(small)) = world.cluster.create_from(&pod("small", 8)) else { panic!("a pod") };
    world.settle();
    let explanation = world.framework.explain(&world.cluster, small, &world.search);
    assert_eq!(explanation.node.as_deref(), Some("n1"), "{explanation}");
    assert_eq!(explanation.to_json()["nodes"][1]["feasible"], true);
}

/// How long one cycle takes. Run by hand: `cargo test --release --test it cycles_per_second -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn cycles_per_second() {
    for (n_nodes, n_shapes) in [(1_000u32, 1u32), (1_000, 20), (5_000, 20)] {
        let kinds: Vec<u8> = (0..n_nodes).map(|idx| 2 + 5 * (idx % 50) as u8).collect();
        let mut world = World::new(&kinds);
        let mut pods = Vec::new();
        for idx in 0..4 * n_nodes {
            let mut manifest = pod(&format!("p{idx}"), 8);
            let request = format!("{}m", 50 + idx % n_shapes);
            manifest["spec"]["containers"][0]["resources"]["requests"]["cpu"] = request.into();
            if let Ok(ObjectRef::Pod(id)) = world.cluster.create_from(&manifest) {
                pods.push(id);
            }
        }
        world.settle();
        #[expect(clippy::disallowed_methods, reason = "this test measures real time")]
        let start = std::time::Instant::now();
        let mut n_placed = 0;
        for &id in &pods {
            if let Decision::Scheduled { node, .. } = world.framework.schedule(&world.cluster, id, &mut world.search) {
                world.cluster.assume(id, node);
                world.settle();
                n_placed += 1;
            }
        }
        let each = start.elapsed().as_nanos() / pods.len() as u128;
        println!("{n_nodes} nodes, {n_shapes} shapes: {n_placed} placed, {each} ns per cycle");
    }
}
