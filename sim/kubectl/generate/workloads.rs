//! Deployments, Jobs, CronJobs and pods of `kubectl run`.

use serde_json::{Value, json};

use super::Generated;
use super::flags::{Flags, labels};

/// `kubectl create deployment NAME --image=IMAGE... [--replicas] [--port] [-- COMMAND...]`
pub(super) fn deployment(flags: &Flags<'_>) -> Result<Generated, String> {
    flags.needs(&["image"])?;
    let images = flags.list("image");
    if images.len() > 1 && !flags.command.command.is_empty() {
        return Err("cannot specify multiple --image options and command".to_owned());
    }
    let mut containers: Vec<Value> =
        images.iter().map(|image| container(&container_name(image), image, &flags.command.command)).collect();
    if let (Some(port), Some(first)) = (flags.number("port")?.filter(|&port| port >= 0), containers.first_mut()) {
        first["ports"] = json!([{ "containerPort": port }]);
    }
    let own = json!({ "app": flags.name() });
    let mut object = flags.object(
        "apps/v1",
        "Deployment",
        json!({"spec": {
            "replicas": flags.number("replicas")?.unwrap_or(1),
            "selector": { "matchLabels": own },
            "template": { "metadata": { "labels": own }, "spec": { "containers": containers } },
        }}),
    );
    object["metadata"]["labels"] = own;
    Ok(Generated::new(object, "failed to create deployment: "))
}

/// The name of an image without registry and tag. What a name may not contain becomes a dash, and then it gets an end of its own;
/// kubectl draws that end at random, here it follows from the name.
fn container_name(image: &str) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let name = image.rsplit('/').next().unwrap_or(image);
    let name = name.split([':', '@']).next().unwrap_or(name);
    if !name.contains(['_', '.']) {
        return name.to_owned();
    }
    let mut hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mut end = String::new();
    for _ in 0..5 {
        end.push(char::from(LETTERS[hash as usize % LETTERS.len()]));
        hash /= LETTERS.len() as u32;
    }
    format!("{}-{end}", name.replace(['_', '.'], "-"))
}

fn container(name: &str, image: &str, command: &[String]) -> Value {
    let mut container = json!({ "name": name, "image": image });
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    container
}

/// `kubectl create job NAME --image=IMAGE [-- COMMAND...]`, or `--from=cronjob/NAME`
pub(super) fn job(flags: &Flags<'_>) -> Result<Generated, String> {
    let (image, from) = (flags.text("image"), flags.text("from"));
    if image.is_empty() == from.is_empty() {
        return Err("either --image or --from must be specified".to_owned());
    }
    let object = if from.is_empty() {
        let containers = [container(flags.name(), image, &flags.command.command)];
        let template = json!({ "spec": { "containers": containers, "restartPolicy": "Never" } });
        flags.object("batch/v1", "Job", json!({ "spec": { "template": template } }))
    } else {
        if !flags.command.command.is_empty() {
            return Err("cannot specify --from and command".to_owned());
        }
        job_of(flags, from)?
    };
    Ok(Generated::new(object, "failed to create job: "))
}

/// What a CronJob would start.
fn job_of(flags: &Flags<'_>, from: &str) -> Result<Value, String> {
    let (word, name) = from.split_once('/').ok_or("from must be an existing cronjob")?;
    let info = flags.kind(word)?;
    if info.kind != "CronJob" {
        return Err("from must be an existing cronjob".to_owned());
    }
    let source = flags.around.object(info, name);
    let source =
        source.ok_or_else(|| format!("Error from server (NotFound): {} {name:?} not found", info.resource()))?;
    let template = &source["spec"]["jobTemplate"];
    let mut object = flags.object("batch/v1", "Job", json!({ "spec": template["spec"] }));
    let mut annotations = json!({ "cronjob.kubernetes.io/instantiate": "manual" });
    for (key, value) in template["metadata"]["annotations"].as_object().into_iter().flatten() {
        annotations[key] = value.clone();
    }
    let meta = &mut object["metadata"];
    meta["annotations"] = annotations;
    if !template["metadata"]["labels"].is_null() {
        meta["labels"] = template["metadata"]["labels"].clone();
    }
    meta["ownerReferences"] = json!([{
        "apiVersion": "batch/v1", "kind": "CronJob", "name": name, "uid": source["metadata"]["uid"], "controller": true,
    }]);
    Ok(object)
}

/// `kubectl create cronjob NAME --image=IMAGE --schedule=SCHEDULE [--restart] [-- COMMAND...]`
pub(super) fn cron_job(flags: &Flags<'_>) -> Result<Generated, String> {
    flags.needs(&["image", "schedule"])?;
    let restart = if flags.has("restart") { flags.text("restart") } else { "OnFailure" };
    let containers = [container(flags.name(), flags.text("image"), &flags.command.command)];
    let template = json!({ "spec": { "containers": containers, "restartPolicy": restart } });
    let job_template = json!({ "metadata": { "name": flags.name() }, "spec": { "template": template } });
    let spec = json!({ "schedule": flags.text("schedule"), "jobTemplate": job_template });
    let object = flags.object("batch/v1", "CronJob", json!({ "spec": spec }));
    Ok(Generated::new(object, "failed to create cronjob: "))
}

/// `kubectl run NAME --image=IMAGE [--port] [--env] [--labels] [--restart] [--expose] [--command] -- [ARGS...]`
pub(super) fn run(flags: &Flags<'_>) -> Result<Vec<Generated>, String> {
    let fail = |what: String| format!("error: {what}");
    flags.refuses(&["rm", "attach", "stdin", "tty", "overrides"]).map_err(fail)?;
    let image = flags.text("image");
    if image.is_empty() {
        return Err("error: --image is required".to_owned());
    }
    let restart = match flags.text("restart") {
        "" => "Always",
        known @ ("Always" | "OnFailure" | "Never") => known,
        other => return Err(format!("error: invalid restart policy: {other}")),
    };
    let port = flags.number("port").map_err(fail)?;
    if flags.switch("expose") && port.is_none() {
        return Err("error: --port must be set when exposing a service".to_owned());
    }
    let own = match flags.text("labels") {
        "" => json!({ "run": flags.name() }),
        given => labels(given).map_err(fail)?,
    };
    let mut container = container(flags.name(), image, &[]);
    let args: Vec<&String> = flags.command.args.iter().chain(&flags.command.command).collect();
    if !args.is_empty() {
        container[if flags.switch("command") { "command" } else { "args" }] = json!(args);
    }
    let env = flags.each("env").map(environment).collect::<Result<Vec<_>, _>>().map_err(fail)?;
    if !env.is_empty() {
        container["env"] = json!(env);
    }
    if let Some(port) = port {
        container["ports"] = json!([{ "containerPort": port }]);
    }
    if flags.has("image-pull-policy") {
        container["imagePullPolicy"] = json!(flags.text("image-pull-policy"));
    }
    if flags.switch("privileged") {
        container["securityContext"] = json!({ "privileged": true });
    }
    let spec = json!({ "containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": restart });
    let mut pod = flags.object("v1", "Pod", json!({ "spec": spec }));
    pod["metadata"]["labels"] = own.clone();
    annotate(flags, &mut pod);
    let made = |object: Value| Generated { object, failure: String::new(), manager: "kubectl-run" };
    let mut all = vec![made(pod)];
    if let Some(port) = port.filter(|_| flags.switch("expose")) {
        let ports = json!([{ "port": port, "targetPort": port, "protocol": "TCP" }]);
        let mut service = flags.object("v1", "Service", json!({ "spec": { "selector": own, "ports": ports } }));
        if flags.has("labels") {
            service["metadata"]["labels"] = own;
        }
        all.push(made(service));
    }
    Ok(all)
}

fn annotate(flags: &Flags<'_>, object: &mut Value) {
    for pair in flags.each("annotations") {
        if let Some((key, value)) = pair.split_once('=') {
            object["metadata"]["annotations"][key] = json!(value);
        }
    }
}

fn environment(given: &str) -> Result<Value, String> {
    match given.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(json!({ "name": name, "value": value })),
        _ => Err(format!("invalid env: {given}")),
    }
}
