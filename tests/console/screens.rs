//! Screens as snapshots: a script of facts, answers and keys, then the picture as text and as role letters.
//!
//! `UPDATE_SCREENS=1 cargo test --test console screens::` writes them anew; look at them before committing.

use std::time::Duration;

use crate::world::*;
use skydeck::domain::bill::{BillState, Outcome, Will};
use skydeck::domain::forecast::Due;
use skydeck::domain::live::{Pulse, SlowWhy, Slowed};
use skydeck::domain::query::Machines;
use skydeck::domain::reason::Reason;
use skydeck::text::Measure;
use skydeck::ui::{Lang, UiConfig};
use unicode_segmentation::UnicodeSegmentation as _;

type Script = fn(Lang, (u16, u16)) -> Console;

fn calm(lang: Lang, size: (u16, u16)) -> Console {
    Console::new(World::new(false), lang, size)
}

fn work(lang: Lang, size: (u16, u16)) -> Console {
    calm(lang, size).working()
}

fn closing(lang: Lang, size: (u16, u16)) -> Console {
    Console::new(World::executing("BillClose"), lang, size)
}

fn keyed(mut console: Console, keys: &str) -> Console {
    console.keys(keys);
    console
}

fn bare(lang: Lang, size: (u16, u16), keys: &str) -> Console {
    let mut world = World::new(false);
    world.empty = true;
    keyed(Console::new(world, lang, size), keys)
}

fn quiet(lang: Lang, size: (u16, u16)) -> Console {
    let mut world = World::new(false);
    world.quiet = true;
    for at in 0..world.plans.len() {
        world.plans[at].forecast = world.said(world.plans[at].plan_id()).map(Box::new);
    }
    Console::new(world, lang, size)
}

fn looked(day: i64) -> skydeck::ui::looked::Looked {
    skydeck::ui::looked::Looked { at: before(day * 86_400 - 7 * 3600), hour: std::collections::BTreeMap::new() }
}

/// A month of a site with many plans: three did not run, one run stopped by itself.
fn month(lang: Lang, size: (u16, u16), keys: &str) -> Console {
    let mut world = World::new(true);
    world.others = 30;
    world.ended =
        vec![crate::world::day::ended(&world.runs[0], Reason::Unreachable { said: "connection refused".into() })];
    let mut console = Console::with(world, UiConfig { lang, size, looked: Some(looked(1)), ..UiConfig::default() });
    console.keys(&format!("0{keys}"));
    console
}

const SCREENS: &[(&str, Script)] = &[
    ("today", |l, s| keyed(calm(l, s), "0")),
    ("today-working", |l, s| keyed(work(l, s), "0j")),
    ("today-many", |l, s| month(l, s, "")),
    ("today-many-below", |l, s| month(l, s, "Gtkkllll")),
    ("today-to-the-rows", |l, s| keyed(calm(l, s), "0Gkklll<Enter>")),
    ("find", |l, s| keyed(calm(l, s), "0bXSCKD00000<Down>")),
    ("find-part", |l, s| keyed(calm(l, s), "4b0003")),
    ("find-many", |l, s| keyed(calm(l, s), "5bXSCKD000001,XSCKD000002<Space>NOBODY-1")),
    ("find-unread", |l, s| keyed(calm(l, s), "bNOBODY-1<Enter>")),
    ("today-quiet", |l, s| keyed(quiet(l, s), "0gj")),
    ("plans-quiet", |l, s| quiet(l, s)),
    ("forecast", |l, s| keyed(quiet(l, s), "F")),
    ("today-empty", |l, s| bare(l, s, "0")),
    ("plans", |l, s| calm(l, s)),
    ("plans-working", |l, s| work(l, s)),
    ("plans-unknown-for-long", |l, s| {
        let mut world = World::new(false);
        world.groups[0].oldest = Some(before(26 * 3600));
        Console::new(world, l, s)
    }),
    ("plans-broken", |l, s| keyed(calm(l, s), "G")),
    ("plans-empty", |l, s| bare(l, s, "")),
    ("plans-production", |l, s| Console::new(World::new(true), l, s)),
    ("queue", |l, s| keyed(work(l, s), "2jj")),
    ("queue-hosts", |l, s| {
        let mut world = World::new(false);
        let elsewhere = vec![(run_id(9), "bastion1".to_owned())];
        world.machines = Some(Machines { own: "bastion2".into(), count: 3, elsewhere });
        keyed(Console::new(world, l, s).working(), "2")
    }),
    ("queue-empty", |l, s| bare(l, s, "2")),
    ("queue-frozen", |l, s| keyed(work(l, s), "2f")),
    ("queue-due", |l, s| {
        let mut console = work(l, s);
        let run = run_id(9);
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let due = Due { run, from: at(300), to: Some(at(1200)) };
        let pulse = Pulse { due: vec![due], ..console.world.pulse() };
        console.send(skydeck::ui::msg::Msg::Pulse(pulse));
        keyed(console, "2jj")
    }),
    ("queue-slowed", |l, s| {
        let mut console = work(l, s);
        let mut pulse = console.world.pulse();
        pulse.envs[0].per_minute = 30;
        pulse.envs[0].slowed = Some(Slowed {
            why: SlowWhy::Http(503),
            configured: 60,
            held: NOW.plus(Duration::from_secs(20)),
            full: NOW.plus(Duration::from_secs(500)),
        });
        console.send(skydeck::ui::msg::Msg::Pulse(pulse));
        keyed(console, "2jj")
    }),
    ("results", |l, s| keyed(work(l, s), "3j")),
    ("results-filtered", |l, s| keyed(work(l, s), "3/status:failed<Enter>")),
    ("results-marked", |l, s| keyed(work(l, s), "3j<Space><Space>")),
    ("results-nothing-matches", |l, s| keyed(work(l, s), "3/no:nope<Enter>")),
    ("results-sideways", |l, s| keyed(work(l, s), "3jj>>")),
    ("results-sorted", |l, s| keyed(work(l, s), "3|jj<Enter><Esc>j")),
    ("columns", |l, s| keyed(work(l, s), "3|jjj<Enter>jj<Space>")),
    ("results-empty", |l, s| bare(l, s, "3")),
    ("results-zoomed", |l, s| keyed(work(l, s), "3z")),
    ("ledger", |l, s| keyed(calm(l, s), "4j")),
    ("ledger-unfolded", |l, s| keyed(work(l, s), "4j<Enter>j")),
    ("ledger-two-unfolded", |l, s| keyed(work(l, s), "4<Enter>kG<Enter>")),
    ("ledger-empty", |l, s| bare(l, s, "4")),
    ("history", |l, s| keyed(calm(l, s), "5j")),
    ("history-night", |l, s| keyed(Console::new(World::new(false).after_a_night(), l, s), "5jj")),
    ("history-night-opened", |l, s| keyed(Console::new(World::new(false).after_a_night(), l, s), "5j<Enter>jj")),
    ("history-of-a-plan", |l, s| {
        let filter = if l == Lang::Zh { "方案:pur* 运行类型:定时" } else { "plan:pur* kind:scheduled" };
        keyed(
            Console::new(World::new(false).after_a_night(), l, s),
            &format!("5/{}<Enter>", filter.replace(' ', "<Space>")),
        )
    }),
    ("history-no-match", |l, s| keyed(calm(l, s), "5/state:paused<Enter>")),
    ("history-filter-fault", |l, s| keyed(calm(l, s), "5/state:emty<Enter>")),
    ("history-help", |l, s| keyed(calm(l, s), "5?<Space><Space><Space><Space>")),
    ("history-search", |l, s| keyed(calm(l, s), "5/cause:stock<Enter>")),
    ("history-empty", |l, s| bare(l, s, "5")),
    ("compare", |l, s| keyed(calm(l, s), "5=j")),
    ("jump-date", |l, s| keyed(calm(l, s), "5d2026-11-2")),
    ("jumped", |l, s| {
        let mut console = keyed(calm(l, s), "5d2026-11-15");
        console.wait(500);
        keyed(console, "<Enter>")
    }),
    ("bill", |l, s| keyed(work(l, s), "3j<Enter>")),
    ("bill-unfolded", |l, s| keyed(work(l, s), "3j<Enter>tg")),
    ("bill-empty", |l, s| bare(l, s, "6")),
    ("log", |l, s| keyed(calm(l, s), "7")),
    ("log-empty", |l, s| bare(l, s, "7")),
    ("help", |l, s| keyed(work(l, s), "3?")),
    ("palette", |l, s| keyed(work(l, s), "3:re")),
    ("notices", |l, s| keyed(work(l, s), "rn3n")),
    ("filter-line", |l, s| keyed(work(l, s), "3/cause:st")),
    ("filter-fault", |l, s| keyed(work(l, s), "3/status:failed age:>2y")),
    ("confirm", |l, s| calm(l, s).collected()),
    ("confirm-refused", |l, s| {
        let mut world = World::new(false);
        world.refused = true;
        Console::new(world, l, s).collected()
    }),
    ("results-refused", |l, s| {
        let mut world = World::new(false);
        let will = Will::Closed { upto: "2026-10-31".into() };
        for bill in &mut world.bills[2..4] {
            (bill.state, bill.will) = (BillState::Waiting, Some(Box::new(will.clone())));
        }
        keyed(Console::new(world, l, s).working(), "3jj")
    }),
    ("confirm-production", |l, s| {
        let mut console = Console::new(World::new(true), l, s).collected();
        console.wait(500);
        keyed(console, "3")
    }),
    ("confirm-nothing", |l, s| {
        let mut world = World::new(false);
        world.barren = true;
        Console::new(world, l, s).collected()
    }),
    ("flags", |l, s| {
        let mut console = calm(l, s).collected();
        console.wait(500);
        keyed(console, "i")
    }),
    ("retry", |l, s| keyed(work(l, s), "3*R")),
    ("retry-group", |l, s| keyed(calm(l, s), "4jR")),
    ("retry-revision", |l, s| {
        let mut world = World::new(false);
        world.revisions = vec![older("41b0c7e2f5", true, 2)];
        let mut console = keyed(Console::new(world, l, s), "4jR");
        console.wait(500);
        keyed(console, "o")
    }),
    ("retry-revision-lost", |l, s| {
        let mut world = World::new(false);
        world.revisions = vec![older("41b0c7e2f5", false, 2)];
        keyed(Console::new(world, l, s), "4jR")
    }),
    ("count", |l, s| keyed(work(l, s), "3#12")),
    ("verify", |l, s| keyed(work(l, s), "3*v")),
    ("verify-nothing", |l, s| keyed(calm(l, s), "4jv")),
    ("resolve", |l, s| keyed(work(l, s), "3jc")),
    ("export", |l, s| keyed(work(l, s), "3e")),
    ("pace", |l, s| keyed(work(l, s), "2P")),
    ("run-with", |l, s| keyed(calm(l, s), "o")),
    ("unlock", |l, s| keyed(Console::new(World::new(true), l, s), "w")),
    ("stop", |l, s| keyed(work(l, s), "2x")),
    ("quit", |l, s| keyed(work(l, s), "q")),
    ("interrupted", |l, s| {
        let world = World::new(false);
        let live = interrupted(&world);
        Console::with(world, UiConfig { lang: l, size: s, live, ..UiConfig::default() })
    }),
    ("engine-gone", |l, s| {
        let mut console = work(l, s);
        console.send(skydeck::ui::msg::Msg::EngineGone(Some("connection refused".into())));
        console
    }),
    ("refused", |l, s| {
        use skydeck::domain::command::{Receipt, Refusal};
        use skydeck::domain::ids::EnvId;
        use skydeck::ui::msg::{Effect, Msg};
        let mut console = keyed(Console::new(World::new(true), l, s), "r");
        let ticket = console.effects.iter().rev().find_map(|e| match e {
            Effect::Submit(t, _) => Some(*t),
            _ => None,
        });
        let refused = Receipt::Refused(Refusal::Denied(Reason::ReadOnly { env: EnvId::new("k3-prod") }));
        console.send(Msg::Receipt(ticket.unwrap(), Ok(refused)));
        console
    }),
    ("ambiguous-wide", |l, s| {
        let mut world = World::new(false);
        for bill in &mut world.bills {
            if let BillState::Settled(Outcome::Failed(failure)) = &mut bill.state {
                failure.message = "①库存 ±5° “Ω” Склад → …".into();
            }
        }
        let config = UiConfig { lang: l, size: s, measure: Measure::Wide, ..UiConfig::default() };
        keyed(Console::with(world, config).working(), "3j")
    }),
    ("closing-plans", |l, s| closing(l, s)),
    ("closing-queue", |l, s| keyed(closing(l, s).working(), "2jj")),
    ("closing-results", |l, s| keyed(closing(l, s).working(), "3jj")),
    ("closing-history", |l, s| keyed(closing(l, s), "5")),
    ("closing-history-search", |l, s| keyed(closing(l, s), "5/status:done,已关闭,already<Enter>j")),
    ("closing-compare", |l, s| keyed(closing(l, s), "5=j")),
    ("closing-bill", |l, s| keyed(closing(l, s).working(), "3j<Enter>g")),
    ("closing-confirm", |l, s| closing(l, s).collected()),
    ("closing-confirm-nothing", |l, s| {
        let mut world = World::executing("BillClose");
        world.barren = true;
        Console::new(world, l, s).collected()
    }),
    ("closing-help", |l, s| keyed(closing(l, s).working(), "3?<Space><Space><Space><Space><Space><Space>")),
    ("closing-filter-line", |l, s| keyed(closing(l, s).working(), "3/status:")),
    ("closing-stopped", |l, s| keyed(Console::new(World::executing("BillClose").stopped(), l, s).working(), "3G")),
    ("stopped", |l, s| keyed(Console::new(World::new(false).stopped(), l, s).working(), "3G")),
    ("submitting-results", |l, s| keyed(Console::new(World::executing("Submit"), l, s).working(), "3j")),
    ("said-by-before", |l, s| keyed(closing(l, s), "5G")),
    ("ascii", |l, s| {
        let config = UiConfig { lang: l, size: s, ascii: true, ..UiConfig::default() };
        keyed(Console::with(World::new(false), config).working(), "3jx")
    }),
];

/// What each pane shows at work is looked at on a large screen, too.
const LARGE: &[&str] = &[
    "today",
    "today-many",
    "plans-working",
    "queue",
    "results",
    "ledger-two-unfolded",
    "history",
    "history-search",
    "bill",
    "log",
    "find-many",
    "columns",
];

fn sizes(name: &str) -> Vec<(u16, u16)> {
    let wide = LARGE.contains(&name).then_some((200, 60));
    [(80, 24), (120, 36)].into_iter().chain(wide).collect()
}

#[test]
fn every_screen_is_as_it_was_looked_at() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    let write = std::env::var_os("UPDATE_SCREENS").is_some();
    let mut wrong = Vec::new();
    for (name, script) in SCREENS {
        for (lang, tag) in [(Lang::En, "en"), (Lang::Zh, "zh")] {
            for size in sizes(name) {
                let console = script(lang, size);
                let (buf, drawn) = console.draw();
                let measure = if *name == "ambiguous-wide" { Measure::Wide } else { Measure::Narrow };
                let (text, roles) = dump(&buf, measure);
                for line in text.lines() {
                    let width: usize = line.graphemes(true).map(|cluster| measure.cluster(cluster)).sum();
                    assert!(width <= usize::from(size.0), "{name} {tag} {size:?}: {width}: {line}");
                }
                let caret = drawn.caret.map_or_else(|| "-".to_owned(), |(x, y)| format!("{x},{y}"));
                let got = format!("{text}----\n{roles}---- caret {caret} list {}\n", drawn.list.is_some());
                let path = dir.join(format!("{name}.{tag}.{}x{}.txt", size.0, size.1));
                if write {
                    std::fs::write(&path, &got).unwrap();
                } else if std::fs::read_to_string(&path).unwrap_or_default() != got {
                    println!("== {} is now\n{got}", path.file_name().unwrap().to_string_lossy());
                    wrong.push(path);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} screens differ; UPDATE_SCREENS=1 writes them anew", wrong.len());
}

#[test]
fn no_snapshot_is_left_over() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens");
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.split('.').next().unwrap().to_owned();
        assert!(SCREENS.iter().any(|(n, _)| *n == stem), "{name} belongs to no script");
    }
}
