//! Tables of facts about the scheduler. The folder is that of `WAVETANK_CASES`, else the project's own, else the shared one.

use serde_json::Value;
use wavetank::conformance::cases_scheduler::check_case;

fn folder() -> Option<std::path::PathBuf> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let shared = std::env::var("WAVETANK_SHARED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared").to_owned());
    let candidates = [std::env::var("WAVETANK_CASES").unwrap_or_default(), own.to_owned(), format!("{shared}/cases")];
    candidates.into_iter().map(std::path::PathBuf::from).find(|folder| folder.join("control-plane.yaml").exists())
}

#[test]
fn the_facts_hold() {
    let Some(folder) = folder() else {
        println!("skipped: there is no folder with control-plane.yaml");
        return;
    };
    let text = std::fs::read_to_string(folder.join("control-plane.yaml")).expect("a readable file");
    let document: Value = serde_yaml::from_str(&text).expect("YAML");
    let mut all = Vec::new();
    for group in document["groups"].as_array().into_iter().flatten() {
        let name = group["group"].as_str().unwrap_or_default();
        if !name.starts_with("scheduler.") {
            continue;
        }
        let (mut n_agree, mut n_unwired) = (0, 0);
        for case in group["cases"].as_array().into_iter().flatten() {
            match check_case(name, case) {
                None => n_unwired += 1,
                Some(differences) if differences.is_empty() => n_agree += 1,
                Some(differences) => all.extend(differences),
            }
        }
        println!("{name}: {n_agree} agree, {n_unwired} not wired");
    }
    assert!(all.is_empty(), "{all:#?}");
}
