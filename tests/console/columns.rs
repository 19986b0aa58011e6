//! The plan's own columns in lists of bills.

use skydeck::domain::ids::{PlanId, RunId};
use skydeck::domain::plan::Column;
use skydeck::ui::Lang;
use ulid::Ulid;

use crate::world::{Console, World, text};

fn titles(console: &Console, holds: &str) -> String {
    text(console).lines().find(|line| line.contains(holds)).unwrap_or_default().to_owned()
}

fn column(key: &str, label: &str) -> Column {
    Column { key: key.into(), path: key.replace('_', "."), label: label.into() }
}

#[test]
fn columns_stand_under_the_plans_labels_and_move_sideways_on_a_narrow_screen() {
    let mut c = Console::new(World::new(false), Lang::Zh, (80, 24)).working();
    c.keys("3");
    assert!(titles(&c, "单据编号").contains("ERP 返回信息 >3"), "{}", text(&c));
    for (keys, shows, not) in [
        (">", vec!["销售组织", "客户"], "日期"),
        (">", vec!["客户", "日期", "<1"], "销售组织"),
        (">", vec!["日期", "<2"], "客户 "),
        // There are no more.
        (">", vec!["日期", "<2"], "客户 "),
        ("<<<", vec!["ERP 返回信息 >3"], "客户"),
    ] {
        c.keys(keys);
        let line = titles(&c, "单据编号");
        assert!(shows.iter().all(|word| line.contains(word)) && !line.contains(not), "{keys}: {line}");
    }
    let mut wide = Console::new(World::new(false), Lang::Zh, (200, 60)).working();
    wide.keys("3");
    let line = titles(&wide, "单据编号");
    assert!(["销售组织", "客户", "日期"].iter().all(|label| line.contains(label)) && !line.contains('>'), "{line}");
    assert!(text(&wide).contains("2026-11-22 ") && text(&wide).contains("CUST0042"), "a day has no midnight");
}

#[test]
fn a_column_that_a_newer_plan_lost_stands_under_its_own_name() {
    let mut world = World::new(false);
    for plan in world.plans.iter_mut().filter_map(|row| row.plan.as_mut().ok()) {
        plan.source.columns.retain(|column| column.key != "FCustomerID_FNumber");
    }
    let mut c = Console::new(world, Lang::Zh, (200, 60)).working();
    c.keys("3");
    let line = titles(&c, "单据编号");
    assert!(line.contains("FCustomerID_FNumb…") && line.contains("销售组织") && !line.contains("客户"), "{line}");
}

#[test]
fn of_a_run_that_is_not_at_hand_only_what_fits_its_plan_is_told() {
    for (columns, told) in [(3, true), (2, false)] {
        let mut world = World::new(false);
        for plan in world.plans.iter_mut().filter_map(|row| row.plan.as_mut().ok()) {
            plan.source.number_path = "FBillNo".into();
            plan.source.columns =
                vec![column("FBillNo", "单号"), column("FCustId_FName", "客户"), column("FDate", "日期")];
        }
        for bill in &mut world.bills {
            bill.run = RunId(Ulid::from_parts(1, 1));
            bill.columns = vec![bill.no.clone(), "宁波恒远".into(), "2026-11-22T00:00:00".into()];
            bill.columns.truncate(columns);
        }
        let mut c = Console::new(world, Lang::Zh, (200, 60)).working();
        c.keys("4j<Enter>");
        assert_eq!(text(&c).contains(" 宁波恒远 "), told, "{columns}: {}", text(&c));
    }
}

#[test]
fn rows_of_several_plans_have_their_common_columns_first() {
    let mut world = World::new(false);
    let mut other = world.plans[0].clone();
    let plan = other.plan.as_mut().unwrap();
    plan.id = PlanId::new("stk-instock");
    plan.source.number_path = "FBillNo".into();
    plan.source.columns = vec![column("FBillNo", "单号"), column("FSupplierId", "供应商"), column("FDate", "日期")];
    world.plans.push(other);
    for bill in world.bills.iter_mut().step_by(2) {
        (bill.run, bill.plan) = (RunId(Ulid::from_parts(1, 7)), PlanId::new("stk-instock"));
        bill.columns = vec![bill.no.clone(), "VEN00007".into(), "2026-11-21T00:00:00".into()];
    }
    let mut c = Console::new(world, Lang::Zh, (200, 60)).working();
    c.keys("5/status:failed,unknown,skipped<Enter>");
    let line = titles(&c, "单据编号");
    let at = |label: &str| line.find(label).unwrap_or_else(|| panic!("{label}: {}", text(&c)));
    assert!(at("日期") < at("供应商") && at("日期") < at("客户"), "{line}");
    assert!(text(&c).contains("VEN00007") && text(&c).contains("CUST0042"), "{}", text(&c));
}
