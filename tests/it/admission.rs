//! Admission in runs: the same chain for what users send and for what controllers create.

use wavetank::scenario::{LoadOptions, load};
use wavetank::simulation::Simulation;

/// Runs a scenario and returns it with the answers of its steps, each as its lines of output and of errors.
fn run(text: &str) -> (Simulation, Vec<Vec<String>>) {
    run_with(text, &[])
}

/// The same with files beside the scenario, for its steps to apply.
fn run_with(text: &str, files: &[(&str, &str)]) -> (Simulation, Vec<Vec<String>>) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let file = folder.path().join("scenario.yaml");
    std::fs::write(&file, text).expect("a file");
    let loaded = load(&[file], &LoadOptions::default());
    let scenario = loaded.unwrap_or_else(|errors| panic!("{errors:?}")).scenario;
    let mut simulation = scenario.build().expect("a scenario that can be built").with_checks();
    simulation.run(scenario.horizon, scenario.until_settled, &mut []).expect("an end");
    let lines = simulation.client.answers().map(|(_, answer)| [&answer.stdout[..], &answer.stderr[..]].concat());
    let lines = lines.collect();
    (simulation, lines)
}

/// Everything that was answered, one line each.
fn said(answers: &[Vec<String>]) -> String {
    answers.concat().join("\n")
}

/// The messages of all events with a reason.
fn events(simulation: &Simulation, reason: &str) -> Vec<String> {
    let cluster = &simulation.cluster;
    let all = cluster.export_all().into_iter().filter(|object| object["kind"] == "Event" && object["reason"] == reason);
    all.map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
}

const HEAD: &str = "apiVersion: wavetank.dev/v1alpha1
kind: Scenario
metadata: {name: admission}
spec:
  horizon: 2m
  cluster: {nodePools: [{name: node, count: 1, capacity: {cpu: '8', memory: 32Gi}}]}
";

const DEPLOYMENT: &str = "---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
";

#[test]
fn pod_security_refuses_the_pods_of_controllers_and_warns_users() {
    let namespace = "---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: baseline}}
";
    let (simulation, _) = run(&format!("{HEAD}{namespace}{DEPLOYMENT}"));
    assert_eq!(simulation.cluster.pods().count(), 0);
    let refused = events(&simulation, "FailedCreate");
    let words = "is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"c\" must set \
                 securityContext.allowPrivilegeEscalation=false), unrestricted capabilities";
    assert!(refused.iter().any(|message| message.contains(words)), "{refused:?}");

    let (_, answers) = run(&format!(
        "{HEAD}  steps:
    - {{at: 10s, kubectl: 'label namespace shop pod-security.kubernetes.io/warn=restricted'}}
    - {{at: 20s, kubectl: 'set image deployment/web c=j -n shop'}}
    - {{at: 30s, kubectl: 'label namespace shop pod-security.kubernetes.io/enforce=strict'}}
    - {{at: 40s, kubectl: 'label namespace shop pod-security.kubernetes.io/enforce=restricted'}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: shop}}
{DEPLOYMENT}"
    ));
    let said = said(&answers);
    assert!(
        said.contains("Warning: would violate PodSecurity \"restricted:latest\": allowPrivilegeEscalation"),
        "{said}"
    );
    assert!(said.contains("must be one of privileged, baseline, restricted"), "{said}");
    assert!(
        said.contains("Warning: existing pods in namespace \"shop\" violate the new PodSecurity enforce level \"restricted:latest\""),
        "{said}"
    );
}

#[test]
fn quotas_bound_users_and_controllers() {
    let quota = "---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: shop}
spec: {hard: {pods: '1', services.nodeports: '1', count/configmaps: '2'}}
";
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: lone, namespace: shop}\nspec: {containers: [{name: c, image: i}]}\n";
    let service = |ports: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: shop}}\nspec: {{type: NodePort, ports: [{ports}]}}\n"
        )
    };
    let (one, two) = (service("{name: a, port: 80}"), service("{name: a, port: 80}, {name: b, port: 81}"));
    let scenario = format!(
        "{HEAD}  steps:
    - {{at: 30s, apply: pod.yaml}}
    - {{at: 40s, apply: one.yaml}}
    - {{at: 50s, apply: two.yaml}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: shop}}
{quota}{DEPLOYMENT}"
    );
    let (simulation, answers) = run_with(&scenario, &[("pod.yaml", pod), ("one.yaml", &one), ("two.yaml", &two)]);
    let said = said(&answers);
    let pods = simulation.cluster.pods().count();
    assert!(pods <= 2, "{pods} pods");
    assert!(said.contains("pods \"lone\" is forbidden: exceeded quota: q, requested: pods=1, used: pods="), "{said}");
    assert!(
        said.contains("services \"s\" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1, limited: services.nodeports=1"),
        "{said}"
    );
}

#[test]
fn policies_deny_users_and_controllers() {
    let policy = "---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: few}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]
  validations: [{expression: 'object.spec.replicas <= 5', messageExpression: '\"at most 5, not %d\".format([object.spec.replicas])'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: everywhere}
spec: {policyName: few, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-pods}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations: [{expression: 'object.metadata.labels.app != \"web\"', message: no web pods, reason: Forbidden}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-pods}
spec: {policyName: no-pods, validationActions: [Deny]}
";
    let six = DEPLOYMENT.replace("replicas: 2", "replicas: 6");
    let scenario = format!(
        "{HEAD}  steps:
    - {{at: 10s, apply: six.yaml}}
    - {{at: 20s, kubectl: 'scale deployment/web --replicas=4 -n shop'}}
    - {{at: 30s, kubectl: 'delete namespace default'}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: shop}}
{policy}{DEPLOYMENT}"
    );
    let (simulation, answers) = run_with(&scenario, &[("six.yaml", &six)]);
    let said = said(&answers);
    assert!(
        said.contains(
            "The deployments \"web\" is invalid: : ValidatingAdmissionPolicy 'few' with binding 'everywhere' denied request: at most 5, not 6"
        ),
        "{said}"
    );
    assert!(said.contains("deployment.apps/web scaled"), "{said}");
    assert!(said.contains("namespaces \"default\" is forbidden: this namespace may not be deleted"), "{said}");
    assert_eq!(simulation.cluster.pods().count(), 0);
    let refused = events(&simulation, "FailedCreate");
    let words = "is forbidden: ValidatingAdmissionPolicy 'no-pods' with binding 'no-pods' denied request: no web pods";
    assert!(refused.iter().any(|message| message.contains(words)), "{refused:?}");
}
