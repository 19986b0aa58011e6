//! Import under any text: never a panic, and what it makes is JSON the plan reader gives a verdict on. Bounded; `fuzz/` is the long run.

use proptest::prelude::*;
use skydeck::plan::import::import;

const PAGE: &str = include_str!("../golden/plans/import/seed_page.md");

fn check(text: &str) {
    match import(text) {
        Ok(plans) => {
            assert!(!plans.is_empty());
            for made in plans {
                let json: serde_json::Value = serde_json::from_str(&made.json).expect("import writes JSON");
                assert!(json.is_object());
                assert!(made.guesses.iter().all(|guess| !guess.en.trim().is_empty() && !guess.zh.trim().is_empty()));
            }
        }
        Err(error) => {
            assert!(error.line >= 1 && error.line <= text.split('\n').count().max(1), "{error}");
            assert!(!error.en.is_empty() && !error.zh.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,400}") {
        check(&text);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_table(cells in proptest::collection::vec(proptest::collection::vec("[字段名称类型值a-zA-Z{}|'_ .]{0,12}", 0..6), 0..12)) {
        let text: Vec<String> = cells.iter().map(|row| format!("| {} |", row.join(" | "))).collect();
        check(&format!("| 字段 | 字段名称 | 类型 | 值 |\n|---|---|---|---|\n{}", text.join("\n")));
        check(&cells.iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n"));
    }

    /// A real page with characters lost, doubled and put in.
    #[test]
    fn a_page_with_wounds(wounds in proptest::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<char>()), 1..30)) {
        let mut chars: Vec<char> = PAGE.chars().collect();
        for (at, what, with) in wounds {
            let at = at.index(chars.len());
            match what {
                0 => { chars.remove(at); }
                1 => chars.insert(at, with),
                _ => { let twice = chars[at]; chars.insert(at, twice); }
            }
        }
        check(&chars.into_iter().collect::<String>());
    }
}
