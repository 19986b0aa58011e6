//! The plan's own columns in lists of bills.

use skydeck::domain::ids::{PlanId, RunId};
use skydeck::domain::plan::Column;
use skydeck::domain::sort::{By, Sort};
use skydeck::ui::lists::{KeptList, ListView};
use skydeck::ui::msg::Effect;
use skydeck::ui::{Lang, UiConfig};
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

/// The numbers of the bills on the screen, from above.
fn numbers(console: &Console) -> Vec<String> {
    let screen = text(console);
    let number = |line: &str| line.split_whitespace().find(|word| word.starts_with("XSCKD0")).map(str::to_owned);
    screen.lines().take_while(|line| !line.contains("FID")).filter_map(number).collect()
}

#[test]
fn a_list_is_sorted_by_the_chosen_column_then_reversed_then_as_it_was() {
    let mut c = Console::new(World::new(false), Lang::En, (120, 36)).working();
    c.keys("3");
    let plain = numbers(&c);
    assert!(plain.is_sorted() && plain.len() > 10, "{plain:?}");
    // Bill number is the second of the page.
    c.keys("|j<Enter><Enter><Esc>");
    let falling = numbers(&c);
    assert!(falling.is_sorted_by(|one, other| one > other) && falling.len() > 10, "{falling:?}");
    assert!(titles(&c, "outcome").contains("↓bill"), "{}", text(&c));
    c.keys("|j<Enter><Esc>");
    assert_eq!(numbers(&c), plain);
    assert!(!text(&c).contains("↓bill"));
    // By cause: what has none stands last.
    c.keys("|jj<Enter><Esc>");
    assert!(titles(&c, "outcome").contains("↑cause"), "{}", text(&c));
    assert_ne!(numbers(&c), plain);
}

#[test]
fn a_plan_column_is_left_out_and_comes_back() {
    let mut c = Console::new(World::new(false), Lang::Zh, (200, 60)).working();
    c.keys("3");
    assert!(titles(&c, "单据编号").contains("客户"));
    // The five columns of every list, then 销售组织, then 客户.
    c.keys("|jjjjjj<Space>");
    assert!(text(&c).contains("  客户"), "{}", text(&c));
    c.keys("<Esc>");
    let line = titles(&c, "单据编号");
    assert!(!line.contains("客户") && line.contains("销售组织") && line.contains("日期"), "{line}");
    c.keys("|jjjjjj<Space><Esc>");
    assert!(titles(&c, "单据编号").contains("客户"));
}

/// What the console keeps of its lists.
fn kept(console: &Console) -> Vec<KeptList> {
    let lists = console.effects.iter().rev().find_map(|effect| match effect {
        Effect::SaveLists(lists) => Some(lists.clone()),
        _ => None,
    });
    lists.expect("something is kept")
}

/// A console that begins with lists as they were kept.
fn with_lists(world: World, lists: Vec<KeptList>) -> Console {
    Console::with(world, UiConfig { lang: Lang::Zh, size: (200, 60), lists, ..UiConfig::default() }).working()
}

#[test]
fn columns_are_moved_and_kept_for_their_list_and_plan() {
    let mut c = Console::new(World::new(false), Lang::Zh, (200, 60)).working();
    c.keys("3");
    let at = |c: &Console, label: &str| titles(c, "单据编号").find(label).unwrap_or(usize::MAX);
    assert!(at(&c, "销售组织") < at(&c, "客户") && at(&c, "客户") < at(&c, "日期"), "{}", text(&c));
    // 日期, the third of the plan's, to the front; 客户 is left out; sorted by 日期, falling.
    for keys in ["|jjjjjjj", "<", "<", "<Enter><Enter>jj<Space><Esc>"] {
        c.keys(keys);
    }
    assert!(at(&c, "日期") < at(&c, "销售组织"), "{}", text(&c));
    assert!(!titles(&c, "单据编号").contains("客户") && titles(&c, "单据编号").contains("↓日期"), "{}", text(&c));
    let lists = kept(&c);
    assert_eq!(lists.len(), 1);
    assert_eq!((lists[0].list.as_str(), lists[0].plan.as_str()), ("results", "sal-outstock-audit"));
    // Another console begins so; other lists are as they were.
    let mut next = with_lists(World::new(false), lists);
    next.keys("3");
    assert_eq!(titles(&next, "单据编号"), titles(&c, "单据编号"));
    next.keys("5/status:failed<Enter>");
    assert!(titles(&next, "单据编号").contains("客户"), "{}", text(&next));
    // What has its place, and what stands at the end, says so.
    for (open, key, said) in [("3|", "<", "此列位置固定"), ("<Esc>|G", ">", "已在最边上")] {
        next.keys(open).keys(key);
        let keys = open;
        assert!(text(&next).contains(said), "{keys}: {}", text(&next));
    }
}

#[test]
fn a_column_that_a_newer_plan_lost_is_taken_out_with_a_word_and_others_stay() {
    let view = ListView {
        sort: Some(Sort { by: By::Column(vec!["FGone".into()]), descending: true }),
        hidden: ["客户".to_owned(), "仓库".to_owned()].into(),
        order: vec!["仓库".into(), "日期".into()],
    };
    let list = |list: &str, plan: &str| KeptList { list: list.into(), plan: plan.into(), view: view.clone() };
    let lists = vec![list("results", "sal-outstock-audit"), list("results", "broken"), list("ledger", "")];
    let mut c = with_lists(World::new(false), lists);
    c.keys("n");
    let screen = text(&c);
    for said in ["已没有列 仓库", "已没有列 FGone", "sal-outstock-audit"] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
    let left = kept(&c);
    let of = |plan: &str| left.iter().find(|list| list.plan == plan && list.list == "results").unwrap().view.clone();
    assert_eq!(of("broken"), view, "of a plan that cannot be read nothing is known");
    let expected = ListView { sort: None, hidden: ["客户".to_owned()].into(), order: vec!["日期".into()] };
    assert_eq!(of("sal-outstock-audit"), expected);
    c.keys("<Esc>3");
    assert!(!titles(&c, "单据编号").contains("客户"), "{}", text(&c));
}

#[test]
fn a_filter_by_a_column_that_no_plan_reads_now_says_that_only_older_bills_match() {
    let mut world = World::new(false);
    let mut plans = world.plans.iter_mut().filter_map(|row| row.plan.as_mut().ok());
    let kept = plans.next().unwrap().id.clone();
    for plan in plans {
        plan.source.columns.retain(|column| column.label != "客户");
    }
    let lost = world.plans.iter().filter_map(|row| row.plan.as_ref().ok()).nth(1).unwrap().id.clone();
    let said = "没有方案读取列 客户";
    let mut c = Console::new(world, Lang::Zh, (80, 24)).working();
    c.keys("4/客户:K1<Enter>");
    assert!(!text(&c).contains(said), "one plan has it: {}", text(&c));
    c.keys(&format!("/<C-u>客户:K1 方案:{kept}<Enter>"));
    assert!(!text(&c).contains(said), "{}", text(&c));
    c.keys(&format!("/<C-u>客户:K1 方案:{lost}<Enter>"));
    assert!(text(&c).contains(said) && text(&c).contains("请修改过滤，或恢复方案中的字段"), "{}", text(&c));
    c.keys(&format!("/<C-u>客户:K1 -方案:{kept}<Enter>"));
    assert!(text(&c).contains(said), "{}", text(&c));
}
