//! Tables of facts: every group is given to the code it describes. The folder is that of `WAVETANK_CASES`, else the project's own.

use std::path::{Path, PathBuf};

use wavetank::conformance::cases::{self, Group, OwnRows, Verdict};
use wavetank::conformance::cases_mutations::wrong_expectations;
use wavetank::modelled::PARTS;

fn own_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases"))
}

fn own_groups() -> Vec<Group> {
    cases::read(own_folder()).expect("readable tables")
}

#[test]
fn the_facts_hold() {
    let folder = std::env::var_os("WAVETANK_CASES").map_or_else(|| own_folder().to_owned(), PathBuf::from);
    let reports = cases::run(&folder, &OwnRows::of(&own_groups())).expect("readable tables");
    assert!(!reports.is_empty(), "there are no tables in {}", folder.display());
    let mut wrong = Vec::new();
    let (mut cases, mut wired, mut agree, mut named, mut not_modelled) = (0, 0, 0, 0, 0);
    for report in reports {
        println!("{report}");
        report.unread.iter().for_each(|place| println!("    nobody reads {place}"));
        (cases, wired, agree) = (cases + report.total, wired + report.wired, agree + report.agree);
        (named, not_modelled) = (named + report.named, not_modelled + report.not_modelled);
        wrong.extend(report.wrong);
    }
    println!("{agree}/{wired} agree ({named} by named tests), {not_modelled} of {cases} not modelled");
    assert!(wrong.is_empty(), "{} facts do not hold:\n{}", wrong.len(), wrong.join("\n"));
}

/// An adapter that cannot fail is no adapter. A wrong number or flag is a disagreement; a word that means nothing may also leave the row
/// without an answer.
#[test]
fn a_wrong_expectation_is_never_agreed_with() {
    let groups = own_groups();
    let own = OwnRows::of(&groups);
    let (mut blind, mut silent, mut n_changed) = (Vec::new(), Vec::new(), 0);
    for group in &groups {
        for row in &group.rows {
            if !matches!(cases::answer(group, row, &own), Verdict::Named(_) | Verdict::Read(_)) {
                continue;
            }
            for mutation in wrong_expectations(group.table, row) {
                n_changed += 1;
                let what = format!("{} {}", row["id"].as_str().unwrap_or(&group.name), mutation.place);
                match cases::answer(group, &mutation.row, &own) {
                    Verdict::Named(Err(_)) | Verdict::Read(Err(_)) => {}
                    Verdict::Named(Ok(())) | Verdict::Read(Ok(())) => blind.push(what),
                    Verdict::Unanswered | Verdict::NotModelled(_) if mutation.is_word => {}
                    Verdict::Unanswered | Verdict::NotModelled(_) => silent.push(what),
                }
            }
        }
    }
    println!("{n_changed} wrong expectations");
    assert!(blind.is_empty(), "{} wrong expectations are agreed with:\n{}", blind.len(), blind.join("\n"));
    assert!(silent.is_empty(), "{} wrong expectations are not answered:\n{}", silent.len(), silent.join("\n"));
}

/// What a row says is read, or the row is not answered: no value of the project's own tables could be of any form.
#[test]
fn no_value_is_ignored() {
    /// What else is said of a case that is an error whatever it says.
    const MOOT: &[&str] = &["deployment.resolve_fenceposts-04"];
    let reports = cases::run(own_folder(), &OwnRows::of(&own_groups())).expect("readable tables");
    let unread: Vec<String> = reports.into_iter().flat_map(|report| report.unread).collect();
    let unread: Vec<&String> = unread.iter().filter(|place| !MOOT.iter().any(|id| place.starts_with(id))).collect();
    assert!(unread.is_empty(), "{} values are ignored:\n{unread:#?}", unread.len());
}

/// Every row is answered, or about a part that `docs/modelled.md` says is not there.
#[test]
fn every_row_is_answered_or_not_modelled() {
    /// Rows about what is modelled that no test bears yet.
    const OPEN: &[&str] =
        &["NH11", "NH16", "gc.owner_refs-05", "gc.owner_refs-07", "gc.owner_refs-08", "gc.owner_refs-13"];
    let groups = own_groups();
    let own = OwnRows::of(&groups);
    let mut unanswered = Vec::new();
    for group in &groups {
        for row in &group.rows {
            match cases::answer(group, row, &own) {
                Verdict::Unanswered if OPEN.contains(&row["id"].as_str().unwrap_or_default()) => {}
                Verdict::Unanswered => unanswered.push(format!("{} {}", group.name, row["id"])),
                Verdict::NotModelled(part) => assert!(PARTS.iter().any(|(known, _)| *known == part), "{part}"),
                Verdict::Named(_) | Verdict::Read(_) => {}
            }
        }
    }
    assert!(unanswered.is_empty(), "{} rows are not answered:\n{}", unanswered.len(), unanswered.join("\n"));
}
