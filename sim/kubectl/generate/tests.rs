//! Command lines and the objects that they make.

use serde_json::json;

use super::*;
use crate::api::kinds;
use crate::kubectl::command::{Command, parse};

/// A cluster with one CronJob.
struct World;

impl Surroundings for World {
    fn kind(&self, word: &str) -> Option<&'static KindInfo> {
        kinds::by_resource(word)
    }

    fn object(&self, info: &'static KindInfo, name: &str) -> Option<Value> {
        let job = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"parallelism": 2}});
        let found = json!({"metadata": {"name": "tick", "uid": "u-1"}, "spec": {"jobTemplate": job}});
        (info.kind == "CronJob" && name == "tick").then_some(found)
    }
}

fn made(line: &str) -> Result<Vec<Value>, String> {
    let Ok(Command::Generate(command)) = parse(line) else { panic!("{line}: no generator") };
    Ok(generate(&command, &World)?.into_iter().map(|made| made.object).collect())
}

#[test]
fn objects_are_those_of_kubectl() {
    for (line, expected) in [
        (
            "create deployment web --image=registry/team/nginx:1.27 --replicas=3 --port=80 -- sh -c 'sleep 1'",
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {
                "replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
                "containers": [{"name": "nginx", "image": "registry/team/nginx:1.27", "command": ["sh", "-c", "sleep 1"],
                    "ports": [{"containerPort": 80}]}]}}}}),
        ),
        (
            "create job once --image=i -- true",
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": {"spec": {
                "containers": [{"name": "once", "image": "i", "command": ["true"]}], "restartPolicy": "Never"}}}}),
        ),
        (
            "create job once --from=cronjob/tick",
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "labels": {"a": "b"},
                "annotations": {"cronjob.kubernetes.io/instantiate": "manual"}, "ownerReferences": [{
                "apiVersion": "batch/v1", "kind": "CronJob", "name": "tick", "uid": "u-1", "controller": true}]}, "spec": {"parallelism": 2}}),
        ),
        (
            "create cj nightly --image=i --schedule='0 0 * * *'",
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}, "spec": {"schedule": "0 0 * * *",
                "jobTemplate": {"metadata": {"name": "nightly"}, "spec": {"template": {"spec": {
                "containers": [{"name": "nightly", "image": "i"}], "restartPolicy": "OnFailure"}}}}}}),
        ),
        (
            "create cm c --from-literal=a=1,2 --from-literal b='x=y'",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1,2", "b": "x=y"}}),
        ),
        (
            "create secret generic s --from-literal=a=1 --type=example.com/x",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "MQ=="}, "type": "example.com/x"}),
        ),
        (
            "create quota q --hard=cpu=1,pods=2 --scopes=BestEffort",
            json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
                "spec": {"hard": {"cpu": "1", "pods": "2"}, "scopes": ["BestEffort"]}}),
        ),
        (
            "create pdb p --selector='app=web,tier in (a,b)' --min-available=50%",
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"}, "spec": {"minAvailable": "50%",
                "selector": {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]}}}),
        ),
        (
            "create priorityclass high --value=1000 --global-default --description=d",
            json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000,
                "preemptionPolicy": "PreemptLowerPriority", "globalDefault": true, "description": "d"}),
        ),
        (
            "create service nodeport s --tcp=80:http,443 --node-port=30080",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "labels": {"app": "s"}}, "spec": {
                "type": "NodePort", "selector": {"app": "s"}, "ports": [
                    {"name": "80-http", "port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 30080},
                    {"name": "443", "port": 443, "protocol": "TCP", "targetPort": 443, "nodePort": 30080}]}}),
        ),
        (
            "create ingress i --class=nginx --rule='a.example.com/x*=svc:80,tls=cert' --rule='a.example.com/y=svc:http'",
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}, "spec": {"ingressClassName": "nginx",
                "tls": [{"hosts": ["a.example.com"], "secretName": "cert"}], "rules": [{"host": "a.example.com", "http": {"paths": [
                    {"path": "/x", "pathType": "Prefix", "backend": {"service": {"name": "svc", "port": {"number": 80}}}},
                    {"path": "/y", "pathType": "Exact", "backend": {"service": {"name": "svc", "port": {"name": "http"}}}}]}}]}}),
        ),
        (
            "create role r --verb=get,list,get --resource=pods,deployments.apps,pods/log",
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": [
                {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
                {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}]}),
        ),
        (
            "create rolebinding b --clusterrole=view --user=jane --serviceaccount=ns:sa",
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}, "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"},
                {"kind": "ServiceAccount", "namespace": "ns", "name": "sa"}]}),
        ),
        (
            "run p --image=i --port=80 --env=A=b --restart=Never -- one two",
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"run": "p"}}, "spec": {"containers": [
                {"name": "p", "image": "i", "args": ["one", "two"], "env": [{"name": "A", "value": "b"}], "ports": [{"containerPort": 80}]}],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Never"}}),
        ),
    ] {
        assert_eq!(made(line), Ok(vec![expected]), "{line}");
    }
    assert_eq!(made("run p --image=i --port=80 --expose").map(|made| made.len()), Ok(2));
}

#[test]
fn what_kubectl_refuses() {
    for (line, said) in [
        ("create deployment web", "error: required flag(s) \"image\" not set"),
        ("create deployment web x --image=i", "error: exactly one NAME is required, got 2"),
        ("create deployment web --image=a,b -- sh", "error: cannot specify multiple --image options and command"),
        ("create job j", "error: either --image or --from must be specified"),
        ("create job j --from=deployment/x", "error: from must be an existing cronjob"),
        ("create cm c --from-literal=x", "error: invalid literal source x, expected key=value"),
        ("create pdb p --min-available=1", "error: a selector must be specified"),
        ("create pdb p --selector=a=b --min-available=x", "error: invalid format specified for min-available"),
        ("create service clusterip s", "error: at least one tcp port specifier must be provided"),
        (
            "create service nodeport s --clusterip=None --tcp=1",
            "error: ClusterIP=None can only be used with ClusterIP service type",
        ),
        ("create role r --resource=pods", "error: at least one verb must be specified"),
        ("create role r --verb=get --resource=widgets", "error: the server doesn't have a resource type \"widgets\""),
        ("create rolebinding b", "error: exactly one of clusterrole or role must be specified"),
        ("run p", "error: --image is required"),
        ("run p --image=i --restart=Maybe", "error: invalid restart policy: Maybe"),
        ("run p --image=i --expose", "error: --port must be set when exposing a service"),
    ] {
        assert_eq!(made(line), Err(said.to_owned()), "{line}");
    }
    let error = made("create widget w").expect_err("no such command");
    assert!(error.starts_with("error: unknown command \"widget\""), "{error}");
}

#[test]
fn services_and_autoscalers_fit_their_targets() {
    let flags = |line: &str| match parse(line) {
        Ok(Command::Expose(expose)) => expose.flags,
        other => panic!("{line}: {other:?}"),
    };
    let deployment = json!({"metadata": {"name": "web", "labels": {"x": "y"}}, "spec": {"selector": {"matchLabels": {"app": "web"}},
        "template": {"spec": {"containers": [{"ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]}]}}}});
    let info = kinds::by_kind("Deployment").expect("a kind");
    let service = exposed(info, &deployment, &flags("expose deployment web")).expect("a service").object;
    assert_eq!(
        service,
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": {"x": "y"}}, "spec": {"selector": {"app": "web"},
            "ports": [{"name": "port-1", "port": 80, "protocol": "TCP", "targetPort": 80},
                      {"name": "port-2", "port": 53, "protocol": "UDP", "targetPort": 53}]}})
    );
    let line = "expose deployment web --port=8080 --target-port=http --type=NodePort --name=front";
    let service = exposed(info, &deployment, &flags(line)).expect("a service").object;
    assert_eq!(service["metadata"]["name"], "front");
    assert_eq!(
        service["spec"],
        json!({"selector": {"app": "web"}, "type": "NodePort", "ports": [{"port": 8080, "protocol": "TCP", "targetPort": "http"}]})
    );
    let bare = json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}}});
    let refused = exposed(info, &bare, &flags("expose deployment web"));
    assert_eq!(refused, Err("error: couldn't find port via --port flag or introspection".to_owned()));
    let Ok(Command::Autoscale(command)) = parse("autoscale deployment web --min=2 --max=5 --cpu-percent=80") else {
        panic!("no autoscale")
    };
    assert_eq!(
        autoscaled(info, "web", &command).expect("an autoscaler").object["spec"],
        json!({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 2, "maxReplicas": 5,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]})
    );
}
