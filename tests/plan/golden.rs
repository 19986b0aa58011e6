//! Golden plans of our own making: how each is read and what lint says of it; and tables with the plan they become.
//!
//! `BLESS=1 cargo test --test plan golden::` writes the expected files anew; read the difference before keeping it.
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use skydeck::domain::ids::PlanId;
use skydeck::plan;

fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut out: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)))
        .collect();
    out.sort();
    out
}

fn check(expected: &Path, got: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(expected, got).unwrap();
    }
    let want = std::fs::read_to_string(expected).unwrap_or_else(|e| panic!("{}: {e}", expected.display()));
    assert_eq!(got, want, "{}", expected.display());
}

/// What a person would be told of a plan file.
fn verdict(id: &str, text: &str) -> String {
    let tables: Vec<(String, String)> =
        skydeck::boot::TABLES.iter().map(|(file, table)| ((*file).to_owned(), (*table).to_owned())).collect();
    let file = plan::inspect_beside(PlanId::new(id), text, &tables.as_slice()).unwrap();
    let mut out = String::new();
    match file.runnable() {
        Ok(plan) => writeln!(
            out,
            "runs: {} {:?} mark={} id={} number={}",
            plan.source.form,
            plan.target.verb,
            plan.source.mark_column.as_deref().unwrap_or("-"),
            plan.source.id_path,
            plan.source.number_path
        )
        .unwrap(),
        Err(e) => writeln!(out, "refuses: {e}").unwrap(),
    }
    for note in &file.notes {
        writeln!(out, "note {}:{} {}: {}", note.line, note.column, note.field, note.message).unwrap();
    }
    for h in plan::lint(&file) {
        assert!(!h.message_zh.is_empty() && !h.message_en.is_empty());
        writeln!(out, "{} {} line {} {}: {}", h.severity.word(), h.number, h.line, h.field, h.message_en).unwrap();
        if let Some(mend) = h.mend {
            writeln!(out, "    mend: {mend}").unwrap();
        }
    }
    out
}

#[test]
fn golden_plans_have_their_verdicts() {
    let all = files("tests/golden/plans", &["json"]);
    assert!(all.len() >= 10);
    for path in all {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let got = verdict(name, &text);
        // A plan as an earlier version ran it: it does not say what shows that its operation is done.
        let refused = name.starts_with("refused") || name == "operation_close";
        assert_eq!(got.starts_with("refuses"), refused, "{name}: {got}");
        check(&path.with_extension("verdict"), &got);
    }
}

#[test]
fn shipped_plans_have_their_verdicts() {
    for path in files("plans", &["json"]) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let got = verdict(name, &std::fs::read_to_string(&path).unwrap());
        assert!(got.starts_with("runs"), "{got}");
        check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/plans/shipped_{name}.verdict")), &got);
    }
}

#[test]
fn tables_become_plans_that_run() {
    let all = files("tests/golden/plans/import", &["md", "tsv"]);
    assert!(all.len() >= 2);
    for path in all {
        let imported = plan::import(&std::fs::read_to_string(&path).unwrap()).unwrap().remove(0);
        let got = format!(
            "{}\n{}",
            imported.guesses.iter().map(|g| g.en.as_str()).collect::<Vec<_>>().join("\n"),
            imported.json
        );
        check(&path.with_extension("imported"), &got);
        plan::read(PlanId::new("p"), &imported.json).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

#[test]
fn the_seeds_page_as_a_table_means_the_shipped_plan() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plans/import/seed_page.md"))
            .unwrap();
    let imported = plan::import(&page).unwrap().remove(0);
    let from_page = plan::read(PlanId::new("a"), &imported.json).unwrap();
    let shipped = plan::read(PlanId::new("b"), include_str!("../../plans/sal_outstock_audit.json")).unwrap();
    assert_eq!(plan::diff(&shipped, &from_page), []);
    assert_eq!(from_page.plan.rev, shipped.plan.rev);
    assert!(imported.guesses.iter().any(|g| g.en.contains("pipe lost")), "{:?}", imported.guesses);
    assert!(imported.guesses.iter().any(|g| g.en.contains("Ids taken as {{FID}}")), "{:?}", imported.guesses);
}

/// Approvals and runs of 0.1.0 are bound to these revisions (`tests/golden/data-0.1.0/make.sh revisions` made them).
#[test]
fn plans_have_the_revisions_that_0_1_0_gave_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("tests/golden/revisions.json")).unwrap();
    let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    let mut as_they_are = Vec::new();
    let mut revisions = std::collections::BTreeSet::new();
    for one in &list {
        let file = one["plan"].as_str().unwrap();
        let mut plan: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(root.join(file)).unwrap()).unwrap();
        match one.get("skydeck") {
            Some(policy) => plan["skydeck"] = policy.clone(),
            None => as_they_are.push(root.join(file)),
        }
        // Looked at, not run: a plan may run no longer, and its runs of before are bound to it all the same.
        let read = plan::inspect(PlanId::new("p"), &plan.to_string()).unwrap_or_else(|e| panic!("{one}: {e}"));
        assert_eq!(one["rev"], read.plan.rev.to_string(), "{one}");
        assert_eq!(plan::rev::of(&read.plan), read.plan.rev, "{one}");
        revisions.insert(read.plan.rev.to_string());
    }
    // What declares an effect was refused by 0.1.0 for the key, and what makes bills for its call.
    let runs = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        let later = name.starts_with("sal_outstock_to_")
            || [
                "sal_saleorder_close.json",
                "wms_to_instock.json",
                "outstock_to_order.json",
                "orders_to_saleorder.json",
            ]
            .contains(&name.as_ref());
        !name.starts_with("refused") && !name.ends_with("_declared.json") && !later
    };
    let all = files("plans", &["json"]).into_iter().chain(files("tests/golden/plans", &["json"])).filter(runs);
    assert_eq!(as_they_are, all.collect::<Vec<_>>(), "every plan that runs stands in the list as it is");
    // Labels, and a policy written out as its defaults, make no other revision; everything else in the list does.
    assert_eq!(revisions.len(), list.len() - 4, "{revisions:?}");
}
