//! `endpointslice_membership` and `endpoint_timeline` by the EndpointSlice controller, and the rows of `pdb.status` about pods.

use serde_json::{Value, json};

use super::lab::{Lab, template};
use super::{Answer, first_number, members, numbers, only, stated};
use crate::cluster::objects::{Endpoint, EndpointSlice, PodDisruptionBudget};
use crate::cluster::{KubeletHealth, ObjId, ObjectRef, PodId, PodPhase, Sym};
use crate::controllers::disruption::DisruptionController;
use crate::controllers::endpoint_slice::{EndpointSliceController, plan};
use crate::controllers::node_lifecycle::NodeLifecycleController;
use crate::engine::{Span, Time};

/// Rows in words: `maxUnavailable 1, one pod without controller`.
pub(super) fn budget(rule: &str, case: &Value) -> Answer {
    let (text, out) = (case["in"].as_str().filter(|_| rule == "status")?, &case["out"]);
    let bound = text.split([',', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let [key @ ("minAvailable" | "maxUnavailable"), amount, ..] = bound.as_slice() else { return None };
    only(text, "minavailable maxunavailable one pod without controller naked unmanaged and a")?;
    if !["without controller", "naked", "unmanaged"].iter().any(|word| text.contains(word)) {
        return None;
    }
    amount.trim_end_matches('%').parse::<u32>().ok()?;
    let amount = amount.parse::<i64>().map_or(json!(amount), Value::from);
    let mut lab = Lab::new(vec![Box::new(DisruptionController::default())]);
    let budget = lab.object(&json!({
        "kind": "PodDisruptionBudget", "metadata": { "name": "b" },
        "spec": { *key: amount, "selector": { "matchLabels": { "app": "web" } } },
    }))?;
    let pod = pod(&mut lab, "naked", "web")?;
    lab.run(pod, true);
    lab.after(60);
    let status = &lab.cluster.export(ObjectRef::Object(budget))["status"];
    let reasons = lab.reasons();
    let event = out["event"].as_str().filter(|event| reasons.iter().any(|reason| reason == event));
    let known = lab.cluster.try_get::<PodDisruptionBudget>(budget).is_some();
    let got = json!({ "disruptionsAllowed": status["disruptionsAllowed"], "event": event });
    known.then(|| members(out, &got)).flatten()
}

fn pod(lab: &mut Lab, name: &str, app: &str) -> Option<PodId> {
    let mut manifest = template(app, "v1");
    manifest["kind"] = "Pod".into();
    manifest["metadata"]["name"] = name.into();
    pod_from(lab, &manifest)
}

fn pod_from(lab: &mut Lab, manifest: &Value) -> Option<PodId> {
    let ObjectRef::Pod(pod) = lab.create(manifest)? else { return None };
    let ip = 0x0a00_0001 + pod.0;
    lab.write(|cluster| cluster.set_pod_ip(pod, ip));
    Some(pod)
}

fn service(lab: &mut Lab, name: &str, spec: &Value) -> Option<ObjId> {
    lab.object(&json!({ "kind": "Service", "metadata": { "name": name }, "spec": spec }))
}

fn selecting(app: &str) -> Value {
    json!({ "selector": { "app": app }, "ports": [{ "port": 80, "targetPort": 8080, "protocol": "TCP" }] })
}

fn slices(lab: &Lab) -> Vec<EndpointSlice> {
    lab.cluster.of_kind("EndpointSlice").map(|slice| lab.cluster.get::<EndpointSlice>(slice).clone()).collect()
}

/// Rows that are not about one pod's conditions.
pub(super) fn membership(row: &Value) -> Answer {
    if row["expect_sizes"].is_array() {
        let got = sizes(row["given"].as_str()?)?;
        return super::same(&row["expect_sizes"], got);
    }
    let mut lab = Lab::new(vec![Box::new(EndpointSliceController::default())]);
    if row["service"].is_object() {
        let known = |key: &String| ["type", "selector"].contains(&key.as_str());
        let of_a_kind = row["service"].as_object()?.keys().all(known);
        let kind = &row["service"]["type"];
        if !of_a_kind
            || !kind.is_null()
                && super::one_of(kind, &["ExternalName", "ClusterIP", "NodePort", "LoadBalancer"]).is_none()
        {
            return None;
        }
        if !row["service"]["selector"].is_null() {
            return None;
        }
        only(row["expect"].as_str()?, "controller creates nothing no slices slice")?;
        let external = kind == "ExternalName";
        let mut spec =
            if external { json!({ "type": "ExternalName", "externalName": "e.org" }) } else { selecting("web") };
        if row["service"].get("selector").is_some_and(Value::is_null) {
            spec.as_object_mut()?.remove("selector");
        }
        service(&mut lab, "web", &spec)?;
        let pod = pod(&mut lab, "p", "web")?;
        lab.run(pod, true);
        lab.after(60);
        return stated(&row["expect"], slices(&lab).is_empty(), slices(&lab).len());
    }
    let given = row["given"].as_str()?;
    match given {
        _ if given.contains("named targetPort") => named_ports(&mut lab, given, row),
        _ if given.contains("keeps selector") => {
            only(given, "slice all pods removed service keeps selector")?;
            only(row["expect"].as_str()?, "slice emptied to a placeholder")?;
            if numbers(given).iter().any(|number| Some(*number) != first_number(given)) {
                return None;
            }
            let id = service(&mut lab, "web", &selecting("web"))?;
            let n_pods = first_number(given)?.clamp(0, 1_000);
            let pods: Option<Vec<PodId>> = (0..n_pods).map(|nth| pod(&mut lab, &format!("p{nth}"), "web")).collect();
            lab.drain();
            let before: usize = slices(&lab).iter().map(|slice| slice.endpoints.len()).sum();
            lab.write(|cluster| pods.iter().flatten().for_each(|&pod| cluster.delete_pod(pod, Some(0))));
            lab.after(60);
            let after: Vec<usize> = slices(&lab).iter().map(|slice| slice.endpoints.len()).collect();
            let owned = lab.cluster.dependents(id).count();
            stated(&row["expect"], before == n_pods as usize && after == [0] && owned == 1, (before, after))
        }
        _ if given.contains("label change") || given.contains("annotation change") => {
            only(given, "pod label annotation change makes it leave service a and join b readiness unchanged only")?;
            let expect = row["expect"].as_str()?;
            only(expect, "only a b and synced no sync")?;
            let wanted =
                if expect.starts_with("no ") { 0 } else { expect.split(' ').filter(|word| word.len() == 1).count() };
            for name in ["a", "b", "c"] {
                service(&mut lab, name, &selecting(name))?;
            }
            let pod = pod(&mut lab, "p", "a")?;
            lab.run(pod, true);
            lab.after(60);
            let before = lab.agenda.n_pending();
            lab.write(|cluster| match given.contains("label") {
                true => cluster.set_label(pod, "app", Some("b")),
                false => cluster.set_annotation(pod, "x", Some("y")),
            });
            let n_synced = lab.agenda.n_pending() - before;
            stated(&row["expect"], n_synced == wanted, n_synced)
        }
        _ if given.contains("pod.hostname") => {
            let word = |key: &str| given.split_once(key)?.1.split([' ', ',']).find(|word| !word.is_empty());
            let mut manifest = template("web", "v1");
            manifest["kind"] = "Pod".into();
            manifest["metadata"]["name"] = "p".into();
            manifest["spec"]["hostname"] = word("pod.hostname")?.into();
            manifest["spec"]["subdomain"] = word("subdomain")?.into();
            service(&mut lab, word(", service").or(word("service"))?, &selecting("web"))?;
            pod_from(&mut lab, &manifest)?;
            lab.drain();
            let hostname = slices(&lab).first()?.endpoints.first()?.hostname;
            let hostname = Some(lab.cluster.interner.text(hostname)).filter(|name| !name.is_empty());
            members(&row["expect"], &json!({ "hostname": hostname }))
        }
        _ => None,
    }
}

/// `named targetPort http; pods A 8080, pods B 9090`.
fn named_ports(lab: &mut Lab, given: &str, row: &Value) -> Answer {
    const COUNTS: [&str; 4] = ["no", "one", "two", "three"];
    let expect = row["expect"].as_str()?;
    only(given, "named targetport http pods a b c d")?;
    only(expect, "no one two three slice group groups with different ports")?;
    let wanted = COUNTS.iter().position(|count| expect.starts_with(count))?;
    service(
        lab,
        "web",
        &json!({ "selector": { "app": "web" },
        "ports": [{ "port": 80, "targetPort": "http", "protocol": "TCP" }] }),
    )?;
    let ports = numbers(given);
    for (nth, port) in ports.iter().enumerate() {
        let mut manifest = template("web", "v1");
        manifest["kind"] = "Pod".into();
        manifest["metadata"]["name"] = format!("p{nth}").into();
        manifest["spec"]["containers"][0]["ports"] =
            json!([{ "name": "http", "containerPort": port, "protocol": "TCP" }]);
        pod_from(lab, &manifest)?;
    }
    lab.drain();
    let mut got: Vec<i64> =
        slices(lab).iter().flat_map(|slice| slice.ports.iter().map(|port| i64::from(port.port))).collect();
    got.sort_unstable();
    stated(&row["expect"], got == ports && slices(lab).len() == wanted, got)
}

/// `slices [60,90]; add 30`, `slices [100,50]; 10 removed from the first and 20 added in one sync`, `250 pods created at once`,
/// `three slices of 100; 90 removed from each`: the sizes after the plan.
fn sizes(given: &str) -> Option<Vec<usize>> {
    only(
        given,
        "slices slice no one two three four five of pods created at once removed from the first second third fourth and added in one sync add each",
    )?;
    const ORDER: [&str; 4] = ["first", "second", "third", "fourth"];
    let mut sizes: Vec<usize> = match given.split_once('[').and_then(|(_, rest)| rest.split_once(']')) {
        Some((list, _)) => list.split(',').map(|size| size.trim().parse().ok()).collect::<Option<_>>()?,
        None => match given.split_once(" slices of ") {
            Some((count, rest)) => {
                let count = ["no", "one", "two", "three", "four", "five"].iter().position(|word| *word == count)?;
                vec![usize::try_from(first_number(rest)?).ok()?; count]
            }
            None => Vec::new(),
        },
    };
    let events = given.rsplit_once(']').map_or(given, |(_, rest)| rest);
    let events = events.split_once(" slices of ").map_or(events, |(_, rest)| rest);
    let words: Vec<&str> = events.split([' ', ';', ',']).filter(|word| !word.is_empty()).collect();
    let (mut removed, mut added, mut last) = (vec![0; sizes.len()], 0, 0);
    for (idx, word) in words.iter().enumerate() {
        if let Ok(number) = word.parse::<usize>() {
            last = number.min(100_000);
            if idx > 0 && words[idx - 1] == "add" {
                added += last;
            }
        } else if matches!(*word, "added" | "created") {
            added += last;
        } else if *word == "each" {
            removed.fill(last);
        } else if let Some(place) = ORDER.iter().position(|name| name == word).filter(|&place| place < removed.len()) {
            removed[place] = last;
        }
    }
    let (mut before, mut desired, mut next): (Vec<Vec<Endpoint>>, Vec<Endpoint>, u32) = (Vec::new(), Vec::new(), 0);
    for (&size, &gone) in sizes.iter().zip(&removed) {
        let slice: Vec<Endpoint> = (next..next + size as u32).map(endpoint).collect();
        next += size as u32;
        desired.extend(slice.get(gone..)?.iter().copied());
        before.push(slice);
    }
    desired.extend((next..next + added as u32).map(endpoint));
    let views: Vec<&[Endpoint]> = before.iter().map(Vec::as_slice).collect();
    let plan = plan(&views, desired);
    plan.update.iter().for_each(|(place, endpoints)| sizes[*place] = endpoints.len());
    plan.delete.iter().for_each(|&place| sizes[place] = 0);
    sizes.extend(plan.create.iter().map(Vec::len));
    sizes.retain(|&size| size > 0);
    Some(sizes)
}

fn endpoint(pod: u32) -> Endpoint {
    Endpoint {
        pod: PodId(pod),
        pod_name: Sym::EMPTY,
        namespace: Sym::EMPTY,
        pod_uid: u64::from(pod),
        ip: pod + 1,
        ready: true,
        serving: true,
        terminating: false,
        node: Sym::EMPTY,
        zone: Sym::EMPTY,
        hostname: Sym::EMPTY,
        for_zone: Sym::EMPTY,
        for_node: false,
    }
}

/// Rows about the endpoints themselves; what a proxy does with them is not answered here.
pub(super) fn timeline(row: &Value) -> Answer {
    let given = row["given"].as_str()?;
    let at = |word: &str| {
        given.split_once(word).and_then(|(_, rest)| first_number(rest)).map(|at| Time::from_secs(at.unsigned_abs()))
    };
    if given.contains("node loss") {
        return lost_node(row);
    }
    let (delete, exit, gone) = (at("delete at")?, at("exits at")?, at("removed at")?);
    let mut lab = Lab::new(vec![Box::new(EndpointSliceController::default())]);
    let node = lab.node("n1");
    service(&mut lab, "web", &selecting("web"))?;
    let pod = pod(&mut lab, "p", "web")?;
    lab.write(|cluster| cluster.bind(pod, node));
    lab.run(pod, true);
    lab.run_to(delete);
    lab.write(|cluster| cluster.delete_pod(pod, Some(30)));
    lab.drain();
    let shown = |lab: &Lab| {
        let endpoints: Vec<Endpoint> = slices(lab).into_iter().flat_map(|slice| slice.endpoints).collect();
        endpoints.first().map_or("removed".to_owned(), |endpoint| {
            format!("ready={} serving={} terminating={}", endpoint.ready, endpoint.serving, endpoint.terminating)
        })
    };
    let first = shown(&lab);
    lab.run_to(exit);
    lab.phase(pod, PodPhase::Succeeded);
    lab.drain();
    let second = shown(&lab);
    lab.run_to(gone);
    lab.write(|cluster| cluster.confirm_pod_stopped(pod));
    lab.drain();
    let expect = |at: Time| row["expect"][at.as_secs().to_string()].as_str();
    let agrees = expect(delete)? == first && expect(exit)?.starts_with(&second) && shown(&lab) == "removed";
    stated(&row["expect"], agrees, (first, second))
}

/// The node falls silent at 0: its pods' endpoints are ready until the node monitor says otherwise.
fn lost_node(row: &Value) -> Answer {
    let mut lab =
        Lab::new(vec![Box::new(EndpointSliceController::default()), Box::new(NodeLifecycleController::default())]);
    let node = lab.node("n1");
    lab.node("n2");
    for name in ["n1", "n2"] {
        let node = lab.cluster.find_node(name)?;
        lab.write(|cluster| {
            let (kind, status) = (cluster.words.ready, crate::cluster::ConditionStatus::True);
            cluster.set_node_condition(node, kind, status, Sym::EMPTY, Sym::EMPTY);
            cluster.heartbeat(node);
        });
    }
    service(&mut lab, "web", &selecting("web"))?;
    let pod = pod(&mut lab, "p", "web")?;
    lab.write(|cluster| cluster.bind(pod, node));
    lab.run(pod, true);
    let lost = Time::from_secs(100);
    lab.run_to(lost);
    lab.write(|cluster| {
        cluster.heartbeat(node);
        cluster.set_kubelet_health(node, KubeletHealth::Down { since: cluster.now() });
    });
    let is_ready = |lab: &Lab| slices(lab).iter().flat_map(|slice| &slice.endpoints).any(|endpoint| endpoint.ready);
    let mut until = lost;
    while is_ready(&lab) && until < lost + Span::from_secs(200) {
        until += Span::from_secs(1);
        lab.run_to(until);
    }
    let passed = until.since(lost).as_secs() as i64;
    let range: Vec<i64> = numbers(&row["expect"].as_str()?.replace("..", " "));
    let [from, to] = range[..] else { return None };
    stated(&row["expect"], (from..=to).contains(&passed), passed)
}
