//! kubectl at work: what it prints, what remains of it, and that nothing remains of what was refused or only tried.

use serde_json::{Value, json};

use super::execute::execute;
use super::ownership::Ownership;
use super::submit::{Submission, SubmitVerb, submit};
use crate::cluster::{Cluster, ObjectRef};
use crate::engine::Time;
use crate::kubectl::command::{DryRun, parse};

mod properties;

/// A terminal beside a cluster without controllers.
struct Terminal {
    cluster: Cluster,
    ownership: Ownership,
}

impl Terminal {
    fn new() -> Terminal {
        let mut cluster = Cluster::new(1_700_000_000);
        let node = json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "8"}, "capacity": {"cpu": "8"}}});
        cluster.create_from(&node).expect("a node");
        Terminal { cluster, ownership: Ownership::default() }
    }

    fn run(&mut self, line: &str) -> Result<String, String> {
        let command = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        execute(&mut self.cluster, &mut self.ownership, &command, "default").map(|lines| lines.join("\n"))
    }

    fn send(&mut self, verb: SubmitVerb, manifest: &Value) -> Result<String, String> {
        self.submit(verb, None, DryRun::None, manifest)
    }

    fn submit(
        &mut self,
        verb: SubmitVerb,
        manager: Option<&str>,
        dry_run: DryRun,
        manifest: &Value,
    ) -> Result<String, String> {
        let submission =
            Submission { verb, manager: manager.map(str::to_owned), namespace: None, dry_run, manifests: Vec::new() };
        let printed = submit(&mut self.cluster, &mut self.ownership, &submission, ("f.yaml", manifest), "default")?;
        self.cluster.check().expect("a sound store");
        Ok(printed.stderr.into_iter().chain([printed.stdout]).collect::<Vec<_>>().join("\n"))
    }

    fn get(&self, kind: &'static str, name: &str) -> Value {
        let namespace = if kind == "Node" { "" } else { "default" };
        let object: ObjectRef =
            self.cluster.find_any(kind, namespace, name).unwrap_or_else(|| panic!("no {kind} {name}"));
        self.cluster.export(object)
    }

    /// Everything in the store and everything remembered about it.
    fn everything(&self) -> (Vec<Value>, u64) {
        let mut objects = self.cluster.export_all();
        self.ownership.show(&self.cluster, &mut objects);
        (objects, self.cluster.revision())
    }
}

fn web(spec: Value) -> Value {
    let mut spec = spec;
    spec["selector"] = json!({"matchLabels": {"app": "web"}});
    spec["template"]["metadata"] = json!({"labels": {"app": "web"}});
    if spec["template"]["spec"].is_null() {
        spec["template"]["spec"] = json!({"containers": [{"name": "c", "image": "web:1"}]});
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
}

const SERVER_SIDE: SubmitVerb = SubmitVerb::ApplyServerSide { force: false };

#[test]
fn apply_on_the_client() {
    let mut terminal = Terminal::new();
    let first = web(json!({"replicas": 2, "minReadySeconds": 5}));
    let apply =
        |terminal: &mut Terminal, manifest: &Value| terminal.send(SubmitVerb::Apply, manifest).expect("applied");
    assert_eq!(apply(&mut terminal, &first), "deployment.apps/web created");
    assert_eq!(apply(&mut terminal, &first), "deployment.apps/web unchanged");
    terminal.run("scale deployment/web --replicas=7").expect("scaled");
    let second = web(json!({}));
    assert_eq!(apply(&mut terminal, &second), "deployment.apps/web configured");
    let spec = terminal.get("Deployment", "web")["spec"].clone();
    assert_eq!(
        (&spec["replicas"], &spec["minReadySeconds"]),
        (&json!(1), &Value::Null),
        "what is no longer named has its default again"
    );
    terminal.run("scale deployment/web --replicas=7").expect("scaled");
    assert_eq!(apply(&mut terminal, &second), "deployment.apps/web unchanged");
    assert_eq!(terminal.get("Deployment", "web")["spec"]["replicas"], 7, "what was never applied stays");
}

#[test]
fn apply_to_what_was_created_otherwise() {
    let mut terminal = Terminal::new();
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}});
    assert_eq!(terminal.send(SubmitVerb::Create, &config), Ok("configmap/c created".to_owned()));
    assert_eq!(
        terminal.send(SubmitVerb::Create, &config),
        Err("Error from server (AlreadyExists): error when creating \"f.yaml\": configmaps \"c\" already exists"
            .to_owned())
    );
    let said = terminal.send(SubmitVerb::Apply, &config).expect("applied");
    assert_eq!(
        said,
        "Warning: resource configmaps/c is missing the kubectl.kubernetes.io/last-applied-configuration annotation which is required \
         by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create \
         --save-config or kubectl apply. The missing annotation will be patched automatically.\nconfigmap/c configured"
    );
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"b": "1"}});
    assert_eq!(terminal.send(SubmitVerb::Replace { force: false }, &other), Ok("configmap/c replaced".to_owned()));
    assert_eq!(terminal.get("ConfigMap", "c")["data"], json!({"b": "1"}));
    let forced = terminal.send(SubmitVerb::Replace { force: true }, &config);
    assert_eq!(forced, Ok("configmap \"c\" deleted from default namespace\nconfigmap/c replaced".to_owned()));
    let nobody = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}});
    assert_eq!(
        terminal.send(SubmitVerb::Replace { force: false }, &nobody),
        Err("Error from server (NotFound): error when replacing \"f.yaml\": configmaps \"d\" not found".to_owned())
    );
}

#[test]
fn apply_on_the_server_asks_the_others() {
    let mut terminal = Terminal::new();
    let three = web(json!({"replicas": 3}));
    assert_eq!(terminal.send(SERVER_SIDE, &three), Ok("deployment.apps/web serverside-applied".to_owned()));
    assert_eq!(terminal.run("scale deployment/web --replicas=5"), Ok("deployment.apps/web scaled".to_owned()));
    let before = terminal.everything();
    let refused = terminal.send(SERVER_SIDE, &three).expect_err("a conflict");
    assert!(
        refused.starts_with(
            "error: Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas\n\
             Please review the fields above--they currently have other managers. Here\nare the ways"
        ),
        "{refused}"
    );
    assert_eq!(terminal.everything(), before, "a refused apply leaves nothing");
    let forced = SubmitVerb::ApplyServerSide { force: true };
    assert_eq!(terminal.send(forced, &three), Ok("deployment.apps/web serverside-applied".to_owned()));
    assert_eq!(terminal.get("Deployment", "web")["spec"]["replicas"], 3);
    // Whoever no longer names the field leaves it to nobody: it goes, and has its default again.
    assert!(terminal.send(SERVER_SIDE, &web(json!({}))).is_ok());
    assert_eq!(terminal.get("Deployment", "web")["spec"]["replicas"], 1);
    let other = web(json!({"replicas": 9}));
    assert!(terminal.submit(SERVER_SIDE, Some("ops"), DryRun::None, &other).is_ok());
    let refused = terminal.send(SERVER_SIDE, &three).expect_err("a conflict");
    assert!(
        refused.starts_with("error: Apply failed with 1 conflict: conflict with \"ops\": .spec.replicas\n"),
        "{refused}"
    );
    assert_eq!(terminal.get("Deployment", "web")["metadata"].get("managedFields"), None);
    let shown =
        terminal.run("get deployment web -o jsonpath={.metadata.managedFields[*].manager} --show-managed-fields");
    assert_eq!(shown, Ok("kubectl ops".to_owned()));
}

#[test]
fn a_controller_that_scales_owns_the_number() {
    let mut terminal = Terminal::new();
    let three = web(json!({"replicas": 3}));
    terminal.send(SERVER_SIDE, &three).expect("applied");
    let object = terminal.cluster.find_any("Deployment", "default", "web").expect("the deployment");
    let mut scaled = terminal.cluster.export(object);
    scaled["spec"]["replicas"] = json!(6);
    terminal.cluster.update_from(object, &scaled).expect("scaled by a controller");
    let refused = terminal.send(SERVER_SIDE, &three).expect_err("a conflict");
    assert!(
        refused.starts_with(
            "error: Apply failed with 1 conflict: conflict with \"kube-controller-manager\" with subresource \"scale\" using apps/v1: \
             .spec.replicas"
        ),
        "{refused}"
    );
    assert!(terminal.send(SERVER_SIDE, &web(json!({}))).is_ok());
    assert_eq!(terminal.get("Deployment", "web")["spec"]["replicas"], 6, "the number stays the controller's");
}

#[test]
fn from_the_client_to_the_server() {
    let mut terminal = Terminal::new();
    let spec = |image: &str| {
        web(json!({"minReadySeconds": 5, "template": {"spec": {"containers": [{"name": "c", "image": image}]}}}))
    };
    terminal.send(SubmitVerb::Apply, &spec("web:1")).expect("applied");
    let refused = terminal.send(SERVER_SIDE, &spec("web:2")).expect_err("a conflict");
    assert!(
        refused.starts_with(
            "error: Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using apps/v1: \
             .spec.template.spec.containers[name=\"c\"].image"
        ),
        "{refused}"
    );
    terminal.send(SERVER_SIDE, &spec("web:1")).expect("the same values");
    terminal.send(SERVER_SIDE, &spec("web:2")).expect("what was applied on the client is now ours");
    assert_eq!(terminal.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"], "web:2");
}

#[test]
fn dry_runs_change_nothing() {
    let mut terminal = Terminal::new();
    terminal.send(SubmitVerb::Create, &web(json!({"replicas": 3}))).expect("created");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}});
    terminal.send(SubmitVerb::Create, &pod).expect("created");
    let before = terminal.everything();
    for (line, said) in [
        ("scale deploy/web --replicas=5 --dry-run=server", "deployment.apps/web scaled (server dry run)"),
        ("label pod p a=b --dry-run=client", "pod/p labeled (dry run)"),
        ("annotate pod p a=b --dry-run=server", "pod/p annotated (server dry run)"),
        ("set image deploy/web c=web:2 --dry-run=server", "deployment.apps/web image updated (server dry run)"),
        (
            "patch deploy web -p {\"spec\":{\"paused\":true}} --dry-run=server",
            "deployment.apps/web patched (server dry run)",
        ),
        ("taint nodes n a=b:NoSchedule --dry-run=client", "node/n tainted (dry run)"),
        ("cordon n --dry-run=server", "node/n cordoned (server dry run)"),
        ("rollout restart deploy/web --dry-run=server", "deployment.apps/web restarted (server dry run)"),
        ("delete pod p --dry-run=server", "pod \"p\" deleted from default namespace (server dry run)"),
    ] {
        let line = line.replace("{\"spec\":{\"paused\":true}}", "'{\"spec\":{\"paused\":true}}'");
        assert_eq!(terminal.run(&line), Ok(said.to_owned()), "{line}");
        assert_eq!(terminal.everything(), before, "{line}");
    }
    for (verb, said) in [
        (SubmitVerb::Apply, "configmap/new created (server dry run)"),
        (SERVER_SIDE, "configmap/new serverside-applied (server dry run)"),
        (SubmitVerb::Create, "configmap/new created (server dry run)"),
    ] {
        let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}});
        assert_eq!(terminal.submit(verb, None, DryRun::Server, &manifest), Ok(said.to_owned()));
        assert_eq!(terminal.everything(), before, "{verb:?}");
    }
}

#[test]
fn refusals_leave_nothing() {
    let mut terminal = Terminal::new();
    terminal.send(SubmitVerb::Apply, &web(json!({"replicas": 3}))).expect("applied");
    let before = terminal.everything();
    for (line, said) in [
        (
            "patch deploy web -p '{\"spec\":{\"replicas\":-1}}'",
            "The Deployment \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "patch deploy web -p '{\"spec\":{\"replicas\":-1,\"minReadySeconds\":-1}}'",
            "The Deployment \"web\" is invalid: \n* spec.replicas: Invalid value: -1: must be greater than or equal to 0\n* \
             spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "patch deploy web -p '{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"image\":\"x\"}]}}}}'",
            "Error from server (BadRequest): map: map[image:x] does not contain declared merge key: name",
        ),
        (
            "patch deploy web --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/no\",\"value\":1}]'",
            "the server rejected our request due to an error in our request (replace operation does not apply: doc is missing path: \
             \"/spec/no\": missing value)",
        ),
        (
            "patch deploy web -p '{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":2}}'",
            "Error from server (Conflict): Operation cannot be fulfilled on deployments.apps \"web\": the object has been modified; \
             please apply your changes to the latest version and try again",
        ),
        (
            "patch deploy web --subresource=resize -p '{}'",
            "Error from server (NotFound): the server could not find the requested resource (resize of deployments.apps)",
        ),
        ("scale deploy/web --replicas=4 --current-replicas=9", "error: Expected replicas to be 9, was 3"),
    ] {
        assert_eq!(terminal.run(line), Err(said.to_owned()), "{line}");
        assert_eq!(terminal.everything(), before, "{line}");
    }
    let mut moved = web(json!({"replicas": 3}));
    moved["spec"]["selector"]["matchLabels"]["app"] = json!("api");
    moved["spec"]["template"]["metadata"]["labels"]["app"] = json!("api");
    let said = terminal.send(SubmitVerb::Apply, &moved).expect_err("an immutable selector");
    assert!(said.contains("field is immutable"), "{said}");
    assert_eq!(terminal.everything(), before);
}

#[test]
fn parts_of_objects() {
    let mut terminal = Terminal::new();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [
        {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}]}});
    terminal.send(SubmitVerb::Create, &pod).expect("created");
    let id = terminal.cluster.find_pod("default", "p").expect("the pod");
    terminal.cluster.set_start_time(id, Time::ZERO);
    let resize = "patch pod p --subresource resize -p '{\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"cpu\":\"2\"}}}]}}'";
    assert_eq!(terminal.run(resize), Ok("pod/p patched".to_owned()));
    let shown = terminal.get("Pod", "p");
    assert_eq!(shown["spec"]["containers"][0]["resources"]["requests"]["cpu"], "2");
    assert_eq!(shown["metadata"]["generation"], 2);
    assert!(terminal.cluster.pod(id).resized.is_some(), "the kubelet has not granted it yet");
    assert_eq!(terminal.run(resize), Ok("pod/p patched (no change)".to_owned()));
    let without = resize.replace(" --subresource resize", "").replace("\"2\"", "\"3\"");
    let said = terminal.run(&without).expect_err("not through the pod itself");
    assert!(said.contains("pod updates may not change fields other than"), "{said}");

    let dongles = "patch node n --subresource=status -p '{\"status\":{\"capacity\":{\"example.com/dongle\":\"4\"}}}'";
    assert_eq!(terminal.run(dongles), Ok("node/n patched".to_owned()));
    assert_eq!(terminal.get("Node", "n")["status"]["allocatable"]["example.com/dongle"], "4");
    let gate = "patch pod p --subresource=status -p '{\"status\":{\"conditions\":[{\"type\":\"example.com/fed\",\"status\":\"True\"}]}}'";
    assert_eq!(terminal.run(gate), Ok("pod/p patched".to_owned()));
    assert_eq!(terminal.get("Pod", "p")["status"]["conditions"][0]["type"], "example.com/fed");
}

#[test]
fn labels_do_not_count() {
    let mut terminal = Terminal::new();
    terminal.send(SubmitVerb::Create, &web(json!({"replicas": 3}))).expect("created");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "c", "image": "i", "ports": [{"containerPort": 80}], "resources": {"requests": {"cpu": "1000m"}}}]}});
    terminal.send(SubmitVerb::Create, &pod).expect("created");
    terminal.run("scale deploy/web --replicas=5").expect("scaled");
    for (kind, name, generation) in [("Deployment", "web", 2), ("Pod", "p", 1)] {
        terminal.run(&format!("label {kind} {name} tier=x")).expect("labelled");
        let metadata = terminal.get(kind, name)["metadata"].clone();
        assert_eq!((&metadata["generation"], &metadata["labels"]["tier"]), (&json!(generation), &json!("x")), "{kind}");
    }
    assert_eq!(terminal.get("Deployment", "web")["spec"]["replicas"], 5);
}

#[test]
fn owners_are_known_by_the_uid_of_the_input_and_by_the_one_that_is_shown() {
    let mut terminal = Terminal::new();
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "o", "uid": "elsewhere"}});
    let owner = terminal.cluster.create_from(&owner).expect("an owner");
    let shown = terminal.get("ConfigMap", "o")["metadata"]["uid"].clone();
    let reference = |uid: &Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": uid});
    let config = |name: &str, reference: &Value| {
        let metadata = json!({"name": name, "ownerReferences": [reference]});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    };
    for (name, uid) in [("a", json!("elsewhere")), ("b", shown.clone())] {
        for said in ["created", "unchanged"] {
            let answer = terminal.send(SubmitVerb::Apply, &config(name, &reference(&uid)));
            assert_eq!(answer, Ok(format!("configmap/{name} {said}")));
        }
        assert_eq!(terminal.get("ConfigMap", name)["metadata"]["ownerReferences"], json!([reference(&shown)]));
        let mut controller = reference(&uid);
        controller["controller"] = json!(true);
        let answer = terminal.send(SubmitVerb::Apply, &config(name, &controller));
        assert_eq!(answer, Ok(format!("configmap/{name} configured")));
        let object = terminal.cluster.find_any("ConfigMap", "default", name).expect("it is there");
        let owners: Vec<_> =
            terminal.cluster.meta(object).owners.iter().map(|one| (one.object, one.controller)).collect();
        assert_eq!(owners, [(Some(owner), true)]);
    }
}

#[test]
fn objects_of_flags() {
    let mut terminal = Terminal::new();
    for (line, said) in [
        ("create namespace default", "namespace/default created"),
        ("create deployment web --image=nginx:1 --replicas=2 --port=80", "deployment.apps/web created"),
        ("expose deployment web --type=NodePort", "service/web exposed"),
        ("autoscale deployment web --min=2 --max=5 --cpu=80%", "horizontalpodautoscaler.autoscaling/web autoscaled"),
        ("run once --image=busybox --restart=Never -- true", "pod/once created"),
        ("run seen --image=busybox --port=80 --expose", "service/seen created\npod/seen created"),
        ("create namespace shop", "namespace/shop created"),
        ("create quota q --hard=pods=10 -n shop", "resourcequota/q created"),
        ("create configmap c --from-literal=a=b", "configmap/c created"),
        ("create secret generic s --from-literal=a=b", "secret/s created"),
        ("create serviceaccount robot", "serviceaccount/robot created"),
        ("create cronjob nightly --image=busybox --schedule='0 0 * * *'", "cronjob.batch/nightly created"),
        ("create job now --from=cronjob/nightly", "job.batch/now created"),
        ("create pdb web --selector=app=web --min-available=1", "poddisruptionbudget.policy/web created"),
        ("create priorityclass high --value=1000", "priorityclass.scheduling.k8s.io/high created"),
        ("create role r --verb=get --resource=pods", "role.rbac.authorization.k8s.io/r created"),
        ("create rolebinding b --role=r --user=jane", "rolebinding.rbac.authorization.k8s.io/b created"),
        ("create ingress i --rule=a.example.com/=web:80", "ingress.networking.k8s.io/i created"),
        ("create service clusterip plain --tcp=80:8080", "service/plain created"),
        ("create deployment more --image=i --dry-run=client", "deployment.apps/more created (dry run)"),
        ("create deployment more --image=i --dry-run=server", "deployment.apps/more created (server dry run)"),
        ("set selector service/web app=other", "service/web selector updated"),
    ] {
        assert_eq!(terminal.run(line), Ok(said.to_owned()), "{line}");
        terminal.cluster.check().expect("a sound store");
    }
    let deployment = terminal.get("Deployment", "web");
    assert_eq!(deployment["metadata"]["labels"], json!({"app": "web"}));
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["name"], "nginx");
    assert_eq!(terminal.get("Service", "web")["spec"]["ports"][0]["targetPort"], 80);
    assert_eq!(terminal.get("Pod", "once")["spec"]["containers"][0]["args"], json!(["true"]));
    let job = terminal.get("Job", "now");
    assert_eq!(job["metadata"]["ownerReferences"][0]["name"], "nightly");
    for (line, said) in [
        (
            "create deployment web --image=nginx",
            "error: failed to create deployment: deployments.apps \"web\" already exists",
        ),
        ("create namespace shop", "Error from server (AlreadyExists): namespaces \"shop\" already exists"),
        ("create job Bad --image=i", "error: failed to create job: Job.batch \"Bad\" is invalid: "),
        ("run once --image=busybox", "Error from server (AlreadyExists): pods \"once\" already exists"),
        ("expose cronjob nightly", "error: cannot expose a cronjobs.batch"),
        ("autoscale cronjob nightly --max=3", "error: cannot autoscale a CronJob"),
        ("set selector deployment/web a=b", "error: setting a selector is only supported for Services"),
    ] {
        let before = terminal.everything();
        let error = terminal.run(line).expect_err(line);
        assert!(error.starts_with(said), "{line}: {error}");
        assert_eq!(terminal.everything(), before, "{line}");
    }
    assert!(parse("edit deployment/web").expect_err("no editor").to_string().contains("opens an editor"));
}

#[test]
fn a_dry_run_tells_the_warnings() {
    let mut terminal = Terminal::new();
    let manifest = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}]}});
    let said = terminal.submit(SubmitVerb::Create, None, DryRun::Server, &manifest);
    assert_eq!(said, Ok("pod/p created (server dry run)".to_owned()));
    let warning =
        "spec.containers[0].env[1]: hides previous definition of \"A\", which may be dropped when using apply";
    assert_eq!(terminal.cluster.take_warnings(), [warning]);
    assert!(terminal.cluster.find_any("Pod", "default", "p").is_none());
}

#[test]
fn rules_and_the_status_of_custom_resources() {
    let mut terminal = Terminal::new();
    let size = json!({"type": "integer"});
    let rules =
        json!([{"rule": "self.size >= oldSelf.size", "message": "must not shrink"}, {"rule": "self.size < 10"}]);
    let spec = json!({"type": "object", "properties": {"size": size}, "x-kubernetes-validations": rules});
    let status = json!({"type": "object", "properties": {"ready": {"type": "integer"}}});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}});
    let version =
        json!({"name": "v1", "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}});
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "pools.x.io"}, "spec": {"group": "x.io", "scope": "Namespaced", "versions": [version],
        "names": {"plural": "pools", "kind": "Pool"}}});
    terminal.send(SubmitVerb::Create, &definition).expect("a definition");
    let pool =
        |size: i64| json!({"apiVersion": "x.io/v1", "kind": "Pool", "metadata": {"name": "p"}, "spec": {"size": size}});
    let error = terminal.send(SERVER_SIDE, &pool(12)).expect_err("too large");
    let said = "The Pool \"p\" is invalid: spec: Invalid value: \"object\": failed rule: self.size < 10";
    assert_eq!(error, said);
    assert_eq!(terminal.send(SERVER_SIDE, &pool(5)), Ok("pool.x.io/p serverside-applied".to_owned()));
    let error = terminal.send(SERVER_SIDE, &pool(4)).expect_err("it shrinks");
    assert!(error.ends_with("spec: Invalid value: \"object\": must not shrink"), "{error}");
    let line = "patch pool p --type=merge --subresource=status -p '{\"status\":{\"ready\":3},\"spec\":{\"size\":1}}'";
    assert_eq!(terminal.run(line), Ok("pool.x.io/p patched".to_owned()));
    let stored = terminal.get("Pool.x.io", "p");
    assert_eq!((&stored["spec"]["size"], &stored["status"]["ready"]), (&json!(5), &json!(3)));
}

#[test]
fn one_item_is_applied_once() {
    let mut terminal = Terminal::new();
    let manifest = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
        {"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}]}});
    let error = terminal.send(SERVER_SIDE, &manifest).expect_err("two items of one key");
    assert_eq!(
        error,
        "Error from server: failed to create typed patch object (default/p; /v1, Kind=Pod): .spec.containers[name=\"c\"].env: duplicate \
         entries for key [name=\"A\"]"
    );
    assert_eq!(terminal.send(SubmitVerb::Apply, &manifest), Ok("pod/p created".to_owned()));
    assert_eq!(terminal.send(SubmitVerb::Apply, &manifest), Ok("pod/p unchanged".to_owned()));
}
