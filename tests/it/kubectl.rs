//! What kubectl prints: every recorded output of the real one again, and forms of output that are not recorded.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wavetank::conformance::kubectl::check_folder;
use wavetank::kubectl::command::parse;
use wavetank::kubectl::{Output, View, show};

#[test]
fn recorded_outputs_are_printed_again() {
    agrees_with(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kubectl"));
    let shared = std::env::var_os("WAVETANK_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let all = shared.join("oracle/kubectl");
    if all.is_dir() {
        agrees_with(&all);
    } else {
        println!("skipped: the full set of recordings is not there ({})", all.display());
    }
}

fn agrees_with(folder: &Path) {
    let report = check_folder(folder).expect("the recordings are readable");
    print!("{report}");
    assert!(report.families.values().any(|family| family.total > 0), "no recordings in {}", folder.display());
    assert!(report.differences.is_empty(), "{} outputs differ", report.differences.len());
}

/// 2026-11-20T17:40:00Z
const NOW: i64 = 1_795_196_400_000_000;

fn objects() -> Vec<Value> {
    let meta = |name: &str, namespace: &str, app: &str| json!({"name": name, "namespace": namespace, "labels": {"app": app}, "creationTimestamp": "2026-11-20T17:30:00Z"});
    let pod = |name: &str, namespace: &str, phase: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta(name, namespace, "web"),
            "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "n1"},
            "status": {"phase": phase, "podIP": "10.0.0.1"}})
    };
    vec![
        pod("web-2", "a", "Running"),
        pod("web-1", "a", "Pending"),
        pod("other", "b", "Running"),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("web", "a", "web"),
            "spec": {"type": "ExternalName", "externalName": "example.com"}}),
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "boats.sea.io", "creationTimestamp": "2026-11-20T17:30:00Z"},
            "spec": {"group": "sea.io", "scope": "Namespaced",
                "names": {"kind": "Boat", "plural": "boats", "singular": "boat", "shortNames": ["bo"]},
                "versions": [{"name": "v1", "storage": true, "additionalPrinterColumns": [
                    {"name": "Sails", "type": "integer", "jsonPath": ".spec.sails"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]}]}}),
        json!({"apiVersion": "sea.io/v1", "kind": "Boat", "metadata": meta("ketch", "a", "boat"), "spec": {"sails": 3}}),
    ]
}

fn run(line: &str) -> Output {
    let objects = objects();
    let view = View { objects: &objects, now: NOW, namespace: "a" };
    let command = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    show(&command, &view, None).unwrap_or_else(|| panic!("{line} prints nothing"))
}

#[track_caller]
fn prints(line: &str, stdout: &str) {
    let output = run(line);
    assert_eq!(output.stdout, stdout, "{line}");
    assert_eq!((output.stderr.as_str(), output.exit), ("", 0), "{line}");
}

#[track_caller]
fn fails(line: &str, stderr: &str, exit: i32) {
    let output = run(line);
    assert_eq!((output.stderr.as_str(), output.exit), (stderr, exit), "{line}");
}

#[test]
fn tables_take_flags() {
    prints(
        "get po -A",
        "NAMESPACE   NAME    READY   STATUS    RESTARTS   AGE\n\
         a           web-1   0/1     Pending   0          10m\n\
         a           web-2   0/1     Running   0          10m\n\
         b           other   0/1     Running   0          10m\n",
    );
    prints(
        "get pod/web-1 svc/web --no-headers",
        "pod/web-1   0/1   Pending   0     10m\n\nservice/web   ExternalName   <none>   example.com   <none>   10m\n",
    );
    prints("get pods --field-selector=status.phase!=Running -o name", "pod/web-1\n");
    prints(
        "get pods --sort-by=.status.phase -L app,nothing",
        "NAME    READY   STATUS    RESTARTS   AGE   APP   NOTHING\n\
         web-1   0/1     Pending   0          10m   web   \n\
         web-2   0/1     Running   0          10m   web   \n",
    );
    prints("get bo", "NAME    SAILS   AGE\nketch   3       10m\n");
}

#[test]
fn templates_fill_in() {
    prints("get pods -o jsonpath='{.items[*].metadata.name}'", "web-1 web-2");
    prints(
        r#"get pods -o jsonpath='{range .items[?(@.status.phase=="Running")]}{.metadata.name}{"\n"}{end}'"#,
        "web-2\n",
    );
    prints(
        "get pods web-1 -o custom-columns=NAME:.metadata.name,IMAGES:.spec.containers[*].image,X:.status.none",
        "NAME    IMAGES   X\nweb-1   i        <none>\n",
    );
    prints(
        "get service web -o yaml",
        "apiVersion: v1\nkind: Service\nmetadata:\n  creationTimestamp: \"2026-11-20T17:30:00Z\"\n  labels:\n    app: web\n  \
         name: web\n  namespace: a\nspec:\n  externalName: example.com\n  type: ExternalName\n",
    );
    prints(
        "get configmaps -o json",
        "{\n    \"apiVersion\": \"v1\",\n    \"items\": [],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \
         \"resourceVersion\": \"\"\n    }\n}\n",
    );
}

#[test]
fn errors_are_kubectls() {
    fails("get pods nope web-1", "Error from server (NotFound): pods \"nope\" not found\n", 1);
    fails("get things", "error: the server doesn't have a resource type \"things\"\n", 1);
    fails("get pods -l app=none", "No resources found in a namespace.\n", 0);
    fails("get nodes", "No resources found\n", 0);
    fails("get pods nope --ignore-not-found", "", 0);
    fails("describe pod nope", "Error from server (NotFound): pods \"nope\" not found\n", 1);
    fails("top pods", "error: Metrics API not available\n", 1);
    fails("get pods web-1 -l a=b", "error: name cannot be provided when a selector is specified\n", 1);
    fails(
        "get pods --field-selector=spec.x=1",
        "Error from server (BadRequest): Unable to find \"/v1, Resource=pods\" that match label selector \"\", field \
         selector \"spec.x=1\": field label not supported: spec.x\n",
        1,
    );
    fails("events", "No events found in a namespace.\n", 0);
    assert!(parse("get pods -w").unwrap_err().to_string().contains("--watch"));
    assert!(parse("events --watch").is_err());
    fails("get ip", "No resources found\n", 0);
    fails("get resourceclaims.v1.resource.k8s.io", "No resources found in a namespace.\n", 0);
    fails("events --types=Bad", "error: valid --types are Normal or Warning\n", 1);
    fails("events --for web-1", "error: --for must be in resource/name form\n", 1);
}

#[test]
fn a_custom_resource_is_described_by_its_fields() {
    prints(
        "describe boat ketch",
        "Name:         ketch\nNamespace:    a\nLabels:       app=boat\nAnnotations:  <none>\nAPI Version:  sea.io/v1\n\
         Kind:         Boat\nMetadata:\n  Creation Timestamp:  2026-11-20T17:30:00Z\nSpec:\n  Sails:  3\n\
         Events:   <none>\n",
    );
}

/// What a command prints of these objects, a line each, with runs of blanks as one bar.
fn lines_of(line: &str, objects: &[Value]) -> Vec<String> {
    let view = View { objects, now: NOW, namespace: "a" };
    let output = show(&parse(line).expect("a command"), &view, None).expect("an output");
    let bare =
        |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("|");
    output.stdout.lines().map(bare).collect()
}

#[track_caller]
fn shows(line: &str, object: Value, expected: &[&str]) {
    let lines = lines_of(line, &[object]);
    let start = lines.iter().position(|line| line == expected[0]);
    let found = start.map(|start| &lines[start..(start + expected.len()).min(lines.len())]);
    assert_eq!(found.unwrap_or(&lines), expected, "{line}");
}

fn named(api_version: &str, kind: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": "x", "namespace": "a", "uid": "u", "creationTimestamp": "2026-11-20T17:30:00Z"}});
    for (key, value) in rest.as_object().into_iter().flatten() {
        object[key] = value.clone();
    }
    object
}

#[test]
fn go_templates_fill_in() {
    prints("get pods -o go-template='{{range .items}}{{.metadata.name}} {{end}}'", "web-1 web-2 ");
    prints("get pod web-1 -o go-template --template='{{.status.phase}}/{{.status.none}}'", "Pending/<no value>");
    prints("get pod web-1 --template='{{len .spec.containers}}'", "1");
    let broken = run("get pod web-1 -o go-template='{{foo}}'");
    assert_eq!(
        broken.stderr,
        "error: error parsing template {{foo}}, template: output:1: function \"foo\" not defined\n"
    );
    let failed = run("get pod web-1 -o go-template='a{{.kind.x}}'");
    let why = "template: output:1:8: executing \"output\" at <.kind.x>: can't evaluate field x in type interface {}";
    assert!(
        failed.stdout.starts_with(&format!("aError executing template: {why}. Printing more")),
        "{}",
        failed.stdout
    );
    assert_eq!(failed.stderr, format!("error: error executing template \"a{{{{.kind.x}}}}\": {why}\n"));
    assert_eq!(failed.exit, 1);
    fails("get pods -o go-template", "error: template format specified but no template given\n", 1);
}

#[test]
fn kinds_have_their_columns() {
    let host = "a0123456789abcdef-1234567890.elb.example.com";
    let balancer = json!({"loadBalancer": {"ingress": [{"hostname": host}]}});
    let service = json!({"spec": {"type": "LoadBalancer", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "protocol": "TCP"}]},
        "status": balancer});
    shows(
        "get svc",
        named("v1", "Service", service),
        &["NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE", &format!("x|LoadBalancer|10.0.0.1|{host}|80/TCP|10m")],
    );
    let ingress = json!({"spec": {"tls": [{}], "rules": [{"host": "a.b"}]}, "status": balancer});
    shows(
        "get ing",
        named("networking.k8s.io/v1", "Ingress", ingress),
        &["NAME|CLASS|HOSTS|ADDRESS|PORTS|AGE", &format!("x|<none>|a.b|{host}|80, 443|10m")],
    );
    let request = json!({"spec": {"signerName": "s/n", "username": "u", "expirationSeconds": 3600},
        "status": {"certificate": "YQ==", "conditions": [{"type": "Approved", "status": "True"}]}});
    shows(
        "get csr",
        named("certificates.k8s.io/v1", "CertificateSigningRequest", request),
        &["NAME|AGE|SIGNERNAME|REQUESTOR|REQUESTEDDURATION|CONDITION", "x|10m|s/n|u|60m|Approved,Issued"],
    );
    let level = json!({"spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 5}}});
    shows(
        "get prioritylevelconfigurations",
        named("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", level),
        &[
            "NAME|TYPE|NOMINALCONCURRENCYSHARES|QUEUES|HANDSIZE|QUEUELENGTHLIMIT|AGE",
            "x|Limited|5|<none>|<none>|<none>|10m",
        ],
    );
    let service = json!({"spec": {}, "status": {"conditions": [{"type": "Available", "status": "True"}]}});
    shows(
        "get apiservices",
        named("apiregistration.k8s.io/v1", "APIService", service),
        &["NAME|SERVICE|AVAILABLE|AGE", "x|Local|True|10m"],
    );
    shows(
        "get roles",
        named("rbac.authorization.k8s.io/v1", "Role", json!({})),
        &["NAME|CREATED AT", "x|2026-11-20T17:30:00Z"],
    );
    let claim = json!({"spec": {"volumeName": "v"}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany", "ReadWriteOnce"]}});
    shows(
        "get pvc",
        named("v1", "PersistentVolumeClaim", claim),
        &[
            "NAME|STATUS|VOLUME|CAPACITY|ACCESS MODES|STORAGECLASS|VOLUMEATTRIBUTESCLASS|AGE",
            "x|Bound|v|1Gi|RWO,RWX|<unset>|10m",
        ],
    );
}

#[test]
fn a_pod_is_described_to_the_last_field() {
    let probe = json!({"httpGet": {"path": "/a?b", "port": "web", "scheme": "HTTPS"}, "timeoutSeconds": 1, "periodSeconds": 10,
        "successThreshold": 1, "failureThreshold": 3});
    let container = json!({"name": "c", "image": "i", "command": ["sh", "-c", "a\nb"], "livenessProbe": probe,
        "startupProbe": {"grpc": {"port": 9, "service": "s"}}, "readinessProbe": {"exec": {"command": ["a", "b"]}},
        "ports": [{"containerPort": 80, "protocol": "TCP", "name": "web"}, {"containerPort": 81, "hostPort": 82, "protocol": "UDP"}],
        "envFrom": [{"secretRef": {"name": "s"}, "prefix": "P_"}, {"configMapRef": {"name": "m", "optional": true}}],
        "env": [{"name": "A", "value": "1\n2"}, {"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "N", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "L", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
        "volumeMounts": [{"mountPath": "/b", "name": "v", "subPath": "q"}, {"mountPath": "/a", "name": "v", "readOnly": true}]});
    let pod = json!({"spec": {"priority": 0, "nodeName": "n", "serviceAccountName": "default", "containers": [container],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}, {"operator": "Exists"},
            {"key": "a", "value": "b", "effect": "NoSchedule"}],
        "topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"x": "y"}}}],
        "volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}, {"name": "w", "hostPath": {"path": "/h"}},
            {"name": "p", "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607}},
                {"configMap": {"name": "r"}}, {"downwardAPI": {}}]}}]},
        "status": {"phase": "Running", "hostIP": "1.2.3.4", "qosClass": "Burstable", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}],
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-11-20T17:31:00Z",
                    "finishedAt": "2026-11-20T17:32:00Z"}}}]}});
    shows(
        "describe pod x",
        named("v1", "Pod", pod),
        &[
            "Name:|x",
            "Namespace:|a",
            "Priority:|0",
            "Service Account:|default",
            "Node:|n/1.2.3.4",
            "Labels:|<none>",
            "Annotations:|<none>",
            "Status:|Running",
            "IP:|10.0.0.1",
            "IPs:",
            "IP:|10.0.0.1",
            "Containers:",
            "c:",
            "Container ID:",
            "Image:|i",
            "Image ID:",
            "Ports:|80/TCP (web), 81/UDP",
            "Host Ports:|0/TCP (web), 82/UDP",
            "Command:",
            "sh",
            "-c",
            "a",
            "b",
            "State:|Waiting",
            "Reason:|CrashLoopBackOff",
            "Last State:|Terminated",
            "Reason:|OOMKilled",
            "Exit Code:|137",
            "Started:|Fri, 20 Nov 2026 17:31:00 +0000",
            "Finished:|Fri, 20 Nov 2026 17:32:00 +0000",
            "Ready:|False",
            "Restart Count:|2",
            "Liveness:|http-get https://:web/a%3Fb delay=0s timeout=1s period=10s #success=1 #failure=3",
            "Readiness:|exec [a b] delay=0s timeout=0s period=0s #success=0 #failure=0",
            "Startup:|grpc <pod>:9 s delay=0s timeout=0s period=0s #success=0 #failure=0",
            "Environment Variables from:",
            "s|Secret with prefix 'P_'|Optional: false",
            "m|ConfigMap|Optional: true",
            "Environment:",
            "A:|1",
            "2",
            "K:|<set to the key 'k' in secret 's'>|Optional: false",
            "N:|x (v1:metadata.name)",
            "L:|node allocatable (limits.cpu)",
            "Mounts:",
            "/a from v (ro)",
            "/b from v (rw,path=\"q\")",
            "Conditions:",
            "Type|Status",
            "Ready|False",
            "Volumes:",
            "v:",
            "Type:|EmptyDir (a temporary directory that shares a pod's lifetime)",
            "Medium:|Memory",
            "SizeLimit:|1Gi",
            "w:",
            "Type:|HostPath (bare host directory volume)",
            "Path:|/h",
            "HostPathType:|<none>",
            "p:",
            "Type:|Projected (a volume that contains injected data from multiple sources)",
            "TokenExpirationSeconds:|3607",
            "ConfigMapName:|r",
            "Optional:|false",
            "DownwardAPI:|true",
            "QoS Class:|Burstable",
            "Node-Selectors:|disk=ssd",
            "Tolerations:|op=Exists",
            "a=b:NoSchedule",
            "k:NoExecute op=Exists for 300s",
            "Topology Spread Constraints:|zone:DoNotSchedule when max skew 1 is exceeded for selector x=y",
            "Events:|<none>",
        ],
    );
}

#[test]
fn other_kinds_are_described_as_kubectl_does() {
    let policy = json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [],
        "ingress": [{"ports": [{"port": 80, "endPort": 90}, {"port": "web", "protocol": "UDP"}],
            "from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {}},
                {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.2.0.0/16"]}}]}, {}]}});
    shows(
        "describe netpol x",
        named("networking.k8s.io/v1", "NetworkPolicy", policy),
        &[
            "Created on:|2026-11-20 17:30:00 +0000 UTC",
            "Labels:|<none>",
            "Annotations:|<none>",
            "Spec:",
            "PodSelector:|<none> (Allowing the specific traffic to all pods in this namespace)",
            "Allowing ingress traffic:",
            "To Port Range: 80-90/TCP",
            "To Port: web/UDP",
            "From:",
            "NamespaceSelector: a=b",
            "PodSelector: <none>",
            "From:",
            "IPBlock:",
            "CIDR: 10.0.0.0/8",
            "Except: 10.1.0.0/16, 10.2.0.0/16",
            "----------",
            "To Port: <any> (traffic allowed to all ports)",
            "From: <any> (traffic not restricted by source)",
            "Allowing egress traffic:",
            "<none> (Selected pods are isolated for egress connectivity)",
            "Policy Types: Ingress, Egress",
        ],
    );
    let volume = json!({"spec": {"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
        "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "fast", "claimRef": {"namespace": "a", "name": "c"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "zone", "operator": "In", "values": ["a", "b"]}, {"key": "gpu", "operator": "Exists"}]}]}},
        "csi": {"driver": "d", "volumeHandle": "h", "volumeAttributes": {"k": "v"}}}, "status": {"phase": "Bound"}});
    shows(
        "describe pv x",
        named("v1", "PersistentVolume", volume),
        &[
            "Finalizers:|[]",
            "StorageClass:|fast",
            "Status:|Bound",
            "Claim:|a/c",
            "Reclaim Policy:|Retain",
            "Access Modes:|RWO",
            "VolumeMode:|Filesystem",
            "Capacity:|5Gi",
            "Node Affinity:",
            "Required Terms:",
            "Term 0:|zone in [a, b]",
            "gpu exists",
            "Message:",
            "Source:",
            "Type:|CSI (a Container Storage Interface (CSI) volume source)",
            "Driver:|d",
            "FSType:",
            "VolumeHandle:|h",
            "ReadOnly:|false",
            "VolumeAttributes:|k=v",
            "Events:|<none>",
        ],
    );
    let autoscaler = json!({"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 9,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
            {"type": "External", "external": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "5"}}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60, "policies": [{"type": "Pods", "value": 2, "periodSeconds": 15}]}}},
        "status": {"currentReplicas": 2, "desiredReplicas": 3, "currentMetrics": [{"type": "Resource",
            "resource": {"name": "cpu", "current": {"averageUtilization": 50, "averageValue": "100m"}}}]}});
    shows(
        "describe hpa x",
        named("autoscaling/v2", "HorizontalPodAutoscaler", autoscaler),
        &[
            "Reference:|Deployment/web",
            "Metrics:|( current / target )",
            "resource cpu on pods|(as a percentage of request):|50% (100m) / 80%",
            "\"q\" (target average value):|<unknown> / 5",
            "Min replicas:|1",
            "Max replicas:|9",
            "Behavior:",
            "Scale Down:",
            "Stabilization Window: 60 seconds",
            "Select Policy: Max",
            "Policies:",
            "- Type: Pods|Value: 2|Period: 15 seconds",
            "Deployment pods:|2 current / 3 desired",
            "Events:|<none>",
        ],
    );
    let quota = json!({"spec": {"scopes": ["NotTerminating", "BestEffort"]},
        "status": {"hard": {"pods": "10", "requests.cpu": "2"}, "used": {"pods": "3", "requests.cpu": "500m"}}});
    shows(
        "describe quota x",
        named("v1", "ResourceQuota", quota),
        &[
            "Scopes:|BestEffort, NotTerminating",
            "* Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.",
            "* Matches all pods that do not have an active deadline. These pods usually include long running pods whose container command is not expected to terminate.",
            "Resource|Used|Hard",
            "--------|----|----",
            "pods|3|10",
            "requests.cpu|500m|2",
        ],
    );
}
