//! Today and where its rows lead; the ledger's cursor while groups arrive.

use crate::world::*;
use skydeck::ui::Lang;
use skydeck::ui::msg::Msg;

#[test]
fn the_runs_of_a_plan_lead_to_its_runs_of_the_span_also_after_another_number_led_to_bills() {
    let mut c = Console::new(World::new(false).after_a_night(), Lang::En, (120, 36));
    // The first plan's failed bills of the span, and nothing older.
    c.keys("0jjjjjlll<Enter>");
    let screen = text(&c);
    assert!(screen.contains("plan:sal-outstock-audit") && screen.contains("status:failed ran:>="), "{screen}");
    c.keys("0hh<Enter>");
    let screen = text(&c);
    assert!(screen.contains("plan:sal-outstock-audit ran:>=") && !screen.contains("status:failed"), "{screen}");
    // Runs of that plan alone, by days, and none of before the span.
    assert!(
        screen.contains("2026-11-23") && screen.contains("found nothing") && !screen.contains("2026-11-16"),
        "{screen}"
    );
    assert!(!screen.contains("采购入库单审核"), "{screen}");
    c.keys("<Enter>");
    assert!(text(&c).contains("▌5 History") || text(&c).contains("▌3 Results"), "{}", text(&c));
}

#[test]
fn as_long_as_nobody_moved_it_the_cursor_of_the_ledger_stands_on_the_first_group() {
    let mut world = World::new(false);
    let all = std::mem::take(&mut world.groups);
    world.groups = all[all.len() - 1..].to_vec();
    let mut c = Console::new(world, Lang::En, (120, 36));
    c.keys("4");
    c.world.groups.clone_from(&all);
    c.send(Msg::Resync(Box::default()));
    let screen = text(&c);
    let marked = screen.lines().position(|line| line.starts_with('▌')).unwrap();
    let titles = screen.lines().position(|line| line.contains("what to do")).unwrap();
    assert_eq!(marked, titles + 1, "{screen}");
}
