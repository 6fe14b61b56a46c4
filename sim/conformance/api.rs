//! Golden answers of the real API server against ours: which manifests and updates are taken, why others are refused, and what is
//! stored.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::{Value, json};

use super::difference::{Difference, compare_members};
use crate::api::accept::{AcceptContext, Accepted, Refusal, accept, accept_update};
use crate::api::document;
use crate::api::kinds;
use crate::api::view::{ensure, get, list, put, remove, text};
use crate::error::{Error, Result};

/// How often we agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cases in which we say the same.
    pub agree: usize,
    /// All cases.
    pub total: usize,
}

/// How we do on one kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct KindTally {
    /// Taken or refused, and with which code.
    pub verdict: Tally,
    /// The set of fields that are wrong, with what is wrong about them.
    pub causes: Tally,
    /// The words of a refusal.
    pub messages: Tally,
    /// The stored object.
    pub defaulted: Tally,
    /// What is warned about.
    pub warnings: Tally,
}

/// How we do on all cases of some files.
#[derive(Clone, Debug, Default)]
pub struct ApiReport {
    /// By kind.
    pub kinds: BTreeMap<String, KindTally>,
    /// Cases in which filling in what was stored changes it again.
    pub not_idempotent: Vec<String>,
    /// Case id, aspect and what differs, in the order of the files. Differences of messages alone are not failures.
    pub differences: Vec<(String, &'static str, Difference)>,
}

impl ApiReport {
    /// The sum over all kinds.
    pub fn total(&self) -> KindTally {
        let mut all = KindTally::default();
        for tally in self.kinds.values() {
            for (sum, part) in [
                (&mut all.verdict, tally.verdict),
                (&mut all.causes, tally.causes),
                (&mut all.messages, tally.messages),
                (&mut all.defaulted, tally.defaulted),
                (&mut all.warnings, tally.warnings),
            ] {
                sum.agree += part.agree;
                sum.total += part.total;
            }
        }
        all
    }

    /// A table: one line per kind.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{:26} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
            "KIND", "VERDICT", "CAUSES", "MESSAGES", "DEFAULTED", "WARNINGS"
        );
        let total = self.total();
        for (kind, tally) in self.kinds.iter().map(|(kind, tally)| (kind.as_str(), tally)).chain([("all", &total)]) {
            let cell = |tally: Tally| format!("{}/{}", tally.agree, tally.total);
            let _ = writeln!(
                out,
                "{kind:26} {:>9} {:>9} {:>9} {:>9} {:>9}",
                cell(tally.verdict),
                cell(tally.causes),
                cell(tally.messages),
                cell(tally.defaulted),
                cell(tally.warnings)
            );
        }
        out
    }
}

/// Whether a case is one of these files: a manifest or an update with what was answered.
pub fn is_case(case: &Value) -> bool {
    get(case, "expect").get("code").is_some()
        && (case.get("object").is_some() || case.get("yaml").is_some() || case.get("new").is_some())
}

/// Runs all cases of a file of JSON lines, gzipped or not.
pub fn run_file(path: &Path, report: &mut ApiReport) -> Result<()> {
    let problem = |what: String| Error::new(format!("cannot read {}: {what}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    let mut lines = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut reader = flate2::read::GzDecoder::new(bytes.as_slice());
        reader.read_to_string(&mut lines).map_err(|error| problem(error.to_string()))?;
    } else {
        lines = String::from_utf8(bytes).map_err(|error| problem(error.to_string()))?;
    }
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).map_err(|error| problem(error.to_string()))?;
        run_case(&case, report);
    }
    Ok(())
}

/// Runs one case.
pub fn run_case(case: &Value, report: &mut ApiReport) {
    let id = text(case, "id").to_owned();
    let expect = get(case, "expect");
    let (kind, got) = answer(case);
    if let Ok((_, accepted)) = &got {
        let mut again = accepted.value.clone();
        (crate::api::objects::rules(accepted.info.kind).default)(&mut again);
        if again != accepted.value {
            report.not_idempotent.push(id.clone());
        }
    }
    let tally = report.kinds.entry(kind).or_default();
    let mut differ = |aspect, tally: &mut Tally, differences: Vec<Difference>| {
        tally.total += 1;
        tally.agree += usize::from(differences.is_empty());
        report.differences.extend(differences.into_iter().map(|difference| (id.clone(), aspect, difference)));
    };
    let code = got.as_ref().map_or_else(|refusal| refusal.code, |accepted| accepted.0);
    let said = got.as_ref().map_or_else(|refusal| refusal.message.clone(), |_| String::new());
    let expected_code = get(expect, "code").as_u64().unwrap_or(0);
    let verdict = differ_if(u64::from(code) != expected_code, "code", expected_code, format!("{code} {said}"));
    differ("verdict", &mut tally.verdict, verdict);
    match &got {
        Ok((_, accepted)) if expect.get("defaulted").is_some() => {
            let mut expected = comparable(get(expect, "defaulted"));
            if text(get(&accepted.value, "metadata"), "name") == GENERATED {
                put(ensure(&mut expected, "metadata"), "name", GENERATED);
            }
            let differences = compare_members(&expected, &comparable(&accepted.value));
            differ("defaulted", &mut tally.defaulted, differences);
            let said = |warnings: &[Value]| warnings.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
            let (want, have) = (said(list(expect, "warnings")), accepted.warnings.join("; "));
            differ("warnings", &mut tally.warnings, differ_if(want != have, "warnings", want, have));
        }
        Err(refusal) if expected_code != 201 && expected_code != 200 => {
            if expect.get("causes").is_some() {
                let (want, have) = (expected_causes(expect), our_causes(refusal));
                let differences = differ_if(want != have, "causes", want.join(", "), have.join(", "));
                differ("causes", &mut tally.causes, differences);
            }
            let (want, have) = (settle(text(expect, "message")), settle(&refusal.message));
            let differences = differ_if(want != have, "message", want, have);
            differ("message", &mut tally.messages, differences);
        }
        _ => {
            // A wrong verdict is wrong in what follows from it too.
            let wrong = || vec![Difference::new("verdict", expected_code.to_string(), code.to_string())];
            if expect.get("defaulted").is_some() {
                differ("defaulted", &mut tally.defaulted, wrong());
            }
            if expect.get("causes").is_some() {
                differ("causes", &mut tally.causes, wrong());
            }
        }
    }
}

fn differ_if(differs: bool, subject: &str, expected: impl ToString, got: impl ToString) -> Vec<Difference> {
    if differs { vec![Difference::new(subject, expected.to_string(), got.to_string())] } else { Vec::new() }
}

/// A message without what is random or left out of the recording.
fn settle(message: &str) -> String {
    let message = message.split("<diff>").next().unwrap_or(message);
    uids().replace_all(message, "<uid>").into_owned()
}

fn expected_causes(expect: &Value) -> Vec<String> {
    let mut causes: Vec<String> = list(expect, "causes")
        .iter()
        .map(|cause| format!("{} {}", text(cause, "field"), text(cause, "reason")))
        .collect();
    causes.sort();
    causes.dedup();
    causes
}

fn our_causes(refusal: &Refusal) -> Vec<String> {
    let mut causes: Vec<String> =
        refusal.causes.iter().map(|cause| format!("{} {}", cause.field, cause.reason.as_str())).collect();
    causes.sort();
    causes.dedup();
    causes
}

/// An object without what differs from call to call.
fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    let meta = ensure(&mut object, "metadata");
    for field in ["uid", "creationTimestamp", "managedFields", "resourceVersion"] {
        remove(meta, field);
    }
    if let Some(status) = object.get_mut("status") {
        remove(status, "lastPhaseTransitionTime");
        for condition in crate::api::view::items_mut(status, "conditions") {
            remove(condition, "lastTransitionTime");
        }
    }
    let settled = uids().replace_all(&object.to_string(), "<uid>").into_owned();
    serde_json::from_str(&settled).unwrap_or(object)
}

fn uids() -> &'static Regex {
    static UIDS: OnceLock<Regex> = OnceLock::new();
    let pattern = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    UIDS.get_or_init(|| Regex::new(pattern).expect("a constant pattern"))
}

const SUFFIX: &str = "xxxxx";
const GENERATED: &str = "<generated>";

/// The kind of a case and our answer: the code and what is stored, or why not.
fn answer(case: &Value) -> (String, Result<(u16, Accepted), Refusal>) {
    let context = AcceptContext {
        namespace: "golden",
        suffix: SUFFIX,
        uid: "00000000-0000-4000-8000-000000000000",
        service_address: Some("10.0.0.0"),
        node_port: 32_769,
        is_dry_run: true,
        ..AcceptContext::default()
    };
    if let Some(new) = case.get("new") {
        return (text(new, "kind").to_owned(), answer_update(case, new, &context));
    }
    let path = get(get(case, "expect"), "path").as_str().unwrap_or("").to_owned();
    let info = path.rsplit('/').next().and_then(kinds::by_resource);
    let (value, kind) = match case.get("yaml").and_then(Value::as_str) {
        None => (get(case, "object").clone(), text(get(case, "object"), "kind").to_owned()),
        Some(yaml) => {
            let kind = info.map_or("", |info| info.kind).to_owned();
            return (kind.clone(), answer_yaml(yaml, &kind, info, &context));
        }
    };
    let version = info.map(|info| info.api_version()).unwrap_or_default();
    let context = AcceptContext { expected: info.map(|info| (version.as_str(), info.kind)), ..context };
    (kind, created(&value, &context))
}

fn created(value: &Value, context: &AcceptContext<'_>) -> Result<(u16, Accepted), Refusal> {
    let generated = text(get(value, "metadata"), "name").is_empty();
    let mut accepted = accept(value, context)?;
    if generated {
        put(ensure(&mut accepted.value, "metadata"), "name", GENERATED);
    }
    Ok((201, accepted))
}

/// Our answer to a body of YAML. A strict reader says of repeated keys what it says of unknown fields, and before those.
fn answer_yaml(
    yaml: &str,
    kind: &str,
    info: Option<&'static kinds::KindInfo>,
    context: &AcceptContext<'_>,
) -> Result<(u16, Accepted), Refusal> {
    const STRICT: &str = "strict decoding error: ";
    let version = info.map(|info| info.api_version()).unwrap_or_default();
    let context = AcceptContext { expected: info.map(|info| (version.as_str(), info.kind)), ..*context };
    let read = document::read_go_yaml(yaml).map_err(|error| unreadable(kind, &error, yaml))?;
    let is = match &read.value {
        Value::Object(_) | Value::Null => None,
        Value::Array(_) => Some("array"),
        Value::String(_) => Some("string"),
        Value::Number(_) => Some("number"),
        Value::Bool(_) => Some("bool"),
    };
    if let Some(is) = is {
        let what = format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {is} into Go value of type struct {{ APIVersion string \
             \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
        );
        return Err(unreadable(kind, &what, yaml));
    }
    let value = if read.value.is_null() { json!({}) } else { read.value };
    let answer = created(&value, &context);
    let Some(repeated) = read.repeated_keys else { return answer };
    match answer {
        Err(refusal) if refusal.decoding.is_some() => Err(match refusal.message.split_once(STRICT) {
            Some((before, after)) => Refusal { message: format!("{before}{STRICT}{repeated}, {after}"), ..refusal },
            None => refusal,
        }),
        _ => {
            let own = text(&value, "apiVersion").rsplit('/').next().unwrap_or("");
            let message = format!("{kind} in version {own:?} cannot be handled as a {kind}: {STRICT}{repeated}");
            Err(Refusal { code: 400, reason: "BadRequest", message, causes: Vec::new(), decoding: None })
        }
    }
}

/// What the server says of a body that is no object (apiserver, `transformDecodeError`, `summarizeData`).
fn unreadable(kind: &str, error: &str, body: &str) -> Refusal {
    const SHOWN: usize = 30;
    let bytes = body.as_bytes();
    let cut = &bytes[..bytes.len().min(SHOWN)];
    let shown = match bytes.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(cut).into_owned(),
        Some(_) => cut.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let rest = if bytes.len() > SHOWN { " ..." } else { "" };
    let message = format!("the object provided is unrecognized (must be of type {kind}): {error} ({shown}{rest})");
    Refusal { code: 400, reason: "BadRequest", message, causes: Vec::new(), decoding: None }
}

fn answer_update(case: &Value, new: &Value, context: &AcceptContext<'_>) -> Result<(u16, Accepted), Refusal> {
    let (mut old, mut new) = (get(case, "old").clone(), new.clone());
    let expect = get(case, "expect");
    if text(&new, "kind") == "Pod" {
        for object in [&mut old, &mut new] {
            let spec = ensure(object, "spec");
            put(spec, "serviceAccountName", "default");
            put(spec, "automountServiceAccountToken", false);
        }
    }
    let mut stored = accept(&old, context)?.value;
    put(ensure(&mut stored, "metadata"), "resourceVersion", "1");
    // The address that the recording cluster gave.
    let recorded = get(get(get(expect, "defaulted"), "spec"), "clusterIP");
    if text(&stored, "kind") == "Service" && text(get(&old, "spec"), "clusterIP").is_empty() && !recorded.is_null() {
        let spec = ensure(&mut stored, "spec");
        put(spec, "clusterIP", recorded.clone());
        put(spec, "clusterIPs", json!([recorded]));
    }
    let meta = ensure(&mut new, "metadata");
    if crate::api::objects::rules(text(&old, "kind")).needs_resource_version {
        put(meta, "resourceVersion", "1");
    }
    accept_update(&stored, &new, context).map(|accepted| (200, accepted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn shared() -> PathBuf {
        std::env::var_os("WAVETANK_SHARED")
            .map(PathBuf::from)
            .unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")))
    }

    #[test]
    fn the_real_server_says_the_same() {
        let folder = shared().join("oracle/api");
        if !folder.is_dir() {
            println!("skipped: no golden answers of the API server at {}", folder.display());
            return;
        }
        let mut report = ApiReport::default();
        for file in ["public-create.jsonl.gz", "public-update.jsonl.gz"] {
            run_file(&folder.join(file), &mut report).expect("the file is there");
        }
        for (id, aspect, difference) in &report.differences {
            println!("{aspect} {id}: {difference}");
        }
        println!("{}", report.table());
        assert!(report.not_idempotent.is_empty(), "{:?}", report.not_idempotent);
        let total = report.total();
        assert_eq!(total.verdict.agree, total.verdict.total);
        for tally in [total.causes, total.defaulted] {
            assert!(tally.agree * 100 >= tally.total * 98, "{tally:?}");
        }
    }
}
