//! Filters over a filled store: the ledger's groups, its list, the dialog's count and the order say one number.

use crate::engine_support::*;
use skydeck::domain::bill::{Outcome, Skip, Slot, UnknownWhy};
use skydeck::domain::command::{Command, Receipt, Selection};
use skydeck::domain::event::Event;
use skydeck::domain::filter::Filter;
use skydeck::domain::ids::{PlanId, PlanRev, RunId};
use skydeck::domain::plan::{Column, Plan};
use skydeck::domain::query::{Answer, LedgerCounts, PageRequest, Query, Scope};
use skydeck::domain::run::{BillRow, RunHead, RunKind};
use skydeck::domain::time::Ts;
use skydeck::domain::who::Who;
use skydeck::domain::zone::Zone;
use skydeck::store::{Batch, Store};
use skydeck_store_testkit::facts;

const DAY: i64 = 86_400_000;
/// Noon of 2025-11-12, a Wednesday.
const NOON: i64 = 1_762_948_800_000;

/// A plan that labels the last of the columns so.
fn labelled(id: &str, label: &str) -> Plan {
    let columns =
        [("FBillNo", "单据编号"), ("FDate", "日期"), ("FSaleOrgId_FNumber", "销售组织"), ("FCustomerID_FName", label)];
    let mut plan = facts::plan(id, &format!("{id:0>16}"), "Asia/Shanghai");
    plan.source.columns =
        columns.map(|(key, label)| Column { key: key.into(), path: key.into(), label: label.into() }).to_vec();
    plan
}

fn head(n: u64, plan: &Plan, by: Who) -> RunHead {
    let opened = Ts(NOON - n.cast_signed() * DAY);
    RunHead {
        rev: PlanRev::new(plan.rev.as_str()),
        text: Some(Box::new(plan.clone())),
        env: environment().id,
        by,
        opened,
        ..facts::head(n, plan.id.as_str(), RunKind::Fresh)
    }
}

/// What came of a bill, by its number.
fn outcome(fid: u64) -> Outcome {
    match fid % 7 {
        0 => facts::audited(),
        1 | 2 => facts::failed("stock"),
        3 => facts::failed("period"),
        4 => facts::unknown(UnknownWhy::TimedOut),
        5 => Outcome::Skipped(Skip::Created),
        _ => facts::failed("lock"),
    }
}

/// Three runs of two plans by two people over 120 bills each, on as many days.
async fn filled() -> Bench {
    let mut bench = Bench::new();
    let (p, q) = (labelled("p", "客户"), labelled("q", "供应商"));
    *bench.plans.0.lock().unwrap() = vec![p.clone(), q.clone()];
    for (n, plan, by) in [(1, &p, "wang"), (2, &q, "li"), (3, &p, "li")] {
        let fids: Vec<u64> = (n * 1000..n * 1000 + 120).collect();
        let mut events = vec![Event::RunOpened(Box::new(head(n, plan, who(by))))];
        let bills = fids.iter().map(|fid| {
            let mut bill = facts::found_bill(*fid);
            bill.columns[1] = format!("2025-11-{:02}T00:00:00", fid % 30 + 1);
            bill
        });
        events.push(Event::BillsFound { run: facts::run_id(n), bills: bills.collect() });
        events.extend([facts::collected(n), facts::approved(n)]);
        events.extend(fids.iter().map(|fid| facts::settled(n, *fid, Slot::Waiting, outcome(*fid))));
        events.push(facts::closed(n));
        bench.store.append(Batch::from(events)).await.unwrap();
    }
    bench.try_start().await.unwrap();
    bench
}

async fn ask(bench: &Bench, query: Query) -> Answer {
    bench.engine.as_ref().unwrap().ask(query).await.unwrap()
}

async fn listed(bench: &Bench, scope: Scope, filter: &Filter) -> Vec<BillRow> {
    let (mut rows, mut page) = (Vec::new(), PageRequest::first(50));
    loop {
        let Answer::Bills(found) = ask(bench, Query::Bills { scope, filter: filter.clone(), page: page.clone() }).await
        else {
            panic!("bills")
        };
        let last = found.stopped_at.or_else(|| found.rows.last().map(|(cursor, _)| cursor.clone()));
        rows.extend(found.rows.into_iter().map(|(_, row)| row));
        match last {
            Some(cursor) if found.more => page.cursor = Some(cursor),
            _ => return rows,
        }
    }
}

async fn counted(bench: &Bench, selection: &Selection) -> LedgerCounts {
    let (mut counts, mut after) = (LedgerCounts::default(), None);
    loop {
        let query = Query::LedgerCounts { selection: selection.clone(), after };
        let Answer::LedgerCounts(more) = ask(bench, query).await else { panic!("counts") };
        counts.append(more);
        match counts.next.take() {
            Some(next) => after = Some(next),
            None => return counts,
        }
    }
}

/// Terms of the random filters.
const TERMS: [&str; 22] = [
    "cause:stock",
    "-cause:stock,period",
    "status:failed",
    "结果:未知",
    "status:skipped,unknown",
    "date:2025-11-01..2025-11-10",
    "日期:>=2025-11-15",
    "-日期:2025-11-20",
    "客户:客户3",
    "供应商:客户*",
    "-供应商:客户1",
    "who:wang",
    "-操作人:li",
    "plan:p",
    "-plan:q",
    "org:100,101",
    "ran:昨天",
    "ran:<昨天",
    "since:>=上周",
    "~无响应",
    "no:XSCKD00101*",
    "运行时间:本周",
];

fn random(seed: u64) -> Filter {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % n as u64).unwrap()
    };
    let text: Vec<&str> = (0..=next(3)).map(|_| TERMS[next(TERMS.len())]).collect();
    Filter::parse(&text.join(" ")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn groups_list_dialog_and_order_say_one_number() {
    let zone: Zone = "Asia/Shanghai".parse().unwrap();
    let (mut some, mut most) = (0, 0);
    for seed in 1..=30 {
        let mut bench = filled().await;
        let filter = random(seed).resolved(&zone, Ts(NOON));
        let selection = Selection::Matching { plan: None, run: None, filter: filter.clone() };
        let counts = counted(&bench, &selection).await;
        let list = listed(&bench, Scope::Ledger, &filter).await;
        let by_group: u64 = counts.groups.iter().map(|group| group.count).sum();
        assert_eq!(by_group, list.len() as u64, "{filter}");
        for group in &counts.groups {
            let of_group = list.iter().filter(|row| {
                let outcome = row.state.outcome().unwrap();
                (outcome.slot(), outcome.group().unwrap_or_default()) == (group.slot, group.group.clone())
            });
            assert_eq!(of_group.count() as u64, group.count, "{filter} {group:?}");
        }
        // What the other half of the ledger holds is what is left.
        let all = listed(&bench, Scope::Ledger, &Filter::default()).await.len();
        most = most.max(list.len());
        some += usize::from(!list.is_empty() && list.len() < all);
        let receipt = bench.order(Command::Resolve { selection, reason: "written off".into() }).await;
        match receipt {
            Receipt::Accepted { bills, .. } => assert_eq!(bills, by_group, "{filter}"),
            Receipt::Refused(why) => assert_eq!(by_group, 0, "{filter}: {why:?}"),
        }
        assert_eq!(listed(&bench, Scope::Ledger, &Filter::default()).await.len(), all - list.len(), "{filter}");
    }
    assert!(some > 15 && most > 100, "filters that leave some and not all: {some}, {most}");
}

/// Which bills a filter is to find.
type Passes<'a> = Box<dyn Fn(&BillRow) -> bool + 'a>;

#[tokio::test(start_paused = true)]
async fn dates_labels_and_people_find_the_bills_that_have_them() {
    let bench = filled().await;
    let zone: Zone = "Asia/Shanghai".parse().unwrap();
    let all = listed(&bench, Scope::History, &Filter::default()).await;
    assert_eq!(all.len(), 360);
    let run = |row: &BillRow, n: u64| row.run == facts::run_id(n);
    let day = |row: &BillRow| row.columns[1][8..10].parse::<u32>().unwrap();
    let fid = |row: &BillRow| row.fid().as_str().parse::<u64>().unwrap();
    let cases: Vec<(&str, Passes<'_>)> = vec![
        ("日期:2025-11-07", Box::new(move |r| day(r) == 7)),
        ("date:2025-11", Box::new(|_| true)),
        ("date:2025-12,2025-11-03..2025-11-05", Box::new(move |r| (3..=5).contains(&day(r)))),
        ("date:>2025-11-05 date:<2025-11-08", Box::new(move |r| (6..=7).contains(&day(r)))),
        ("日期:<=2025-11-05", Box::new(move |r| day(r) <= 5)),
        ("日期:上周", Box::new(move |r| (3..=9).contains(&day(r)))),
        ("date:this-week", Box::new(move |r| (10..=16).contains(&day(r)))),
        ("日期:月末", Box::new(move |r| day(r) == 30)),
        ("-date:昨天..今天", Box::new(move |r| !(11..=12).contains(&day(r)))),
        // By the label of each plan: 客户 is a column of p alone, and the key of the language.
        ("供应商:客户3", Box::new(move |r| run(r, 2) && fid(r) % 7 == 3)),
        ("销售组织:102", Box::new(move |r| fid(r) % 3 == 2)),
        ("客户:客户3 方案:p", Box::new(move |r| !run(r, 2) && fid(r) % 7 == 3)),
        ("customer:客户3 plan:p", Box::new(move |r| !run(r, 2) && fid(r) % 7 == 3)),
        ("FCustomerID_FName:客户3", Box::new(move |r| fid(r) % 7 == 3)),
        ("操作人:wang", Box::new(move |r| run(r, 1))),
        ("who:WANG,nobody", Box::new(move |r| run(r, 1))),
        ("ran:昨天", Box::new(move |r| run(r, 1))),
        ("运行时间:2025-11-10", Box::new(move |r| run(r, 2))),
        ("ran:>=2025-11-10", Box::new(move |r| run(r, 1) || run(r, 2))),
        ("ran:2025-11-10T20:00", Box::new(move |r| run(r, 2))),
        ("ran:上周", Box::new(move |r| run(r, 3))),
        ("环境:test", Box::new(|_| true)),
        ("env:other", Box::new(|_| false)),
        ("操作:审核", Box::new(|_| true)),
        ("operation:audit -操作:关闭", Box::new(|_| true)),
    ];
    for (text, passes) in cases {
        let filter = Filter::parse(text).unwrap().resolved(&zone, Ts(NOON + 2 * 3_600_000));
        let found: Vec<u64> = listed(&bench, Scope::History, &filter).await.iter().map(fid).collect();
        let want: Vec<u64> = all.iter().filter(|row| passes(row)).map(fid).collect();
        assert_eq!(found, want, "{text}: {filter}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_values_are_one_filter_and_what_the_index_holds_is_offered() {
    let bench = filled().await;
    let text = format!("no:{}", (0..1000).map(|n| facts::number(1000 + n % 130)).collect::<Vec<_>>().join(","));
    let filter = Filter::parse(&text).unwrap();
    assert_eq!(listed(&bench, Scope::History, &filter).await.len(), 120);
    let index = Store::reads(&*bench.store);
    let names = index.filter_values(None).await.unwrap();
    let people: Vec<&str> = names.people.iter().map(|who| who.login.as_str()).collect();
    assert_eq!((people, names.environments.len()), (vec!["li", "wang"], 1));
    assert_eq!(names.plans, [PlanId::new("p"), PlanId::new("q")]);
    for cause in ["stock", "period", "lock", "timed_out", "created"] {
        assert!(names.causes.iter().any(|known| known == cause), "{cause}: {:?}", names.causes);
    }
    assert!(names.columns.contains(&"供应商".to_owned()) && names.columns.contains(&"fdate".to_owned()));
    let values = index.filter_values(Some("供应商")).await.unwrap();
    assert_eq!((values.looked, values.values.len()), (360, 7), "of one plan's rows, out of all that were looked at");
    assert_eq!(values.values.iter().map(|(_, n)| n).sum::<u64>(), 120);
    let customers = index.filter_values(Some("customer")).await.unwrap();
    assert_eq!(customers.values.iter().map(|(_, n)| n).sum::<u64>(), 360, "by label, else by the column's name");
    assert!(index.filter_values(Some("没有")).await.unwrap().values.is_empty());
    // An empty store has nothing to offer, and says so without a fault.
    let empty = Bench::started().await;
    let none = Store::reads(&*empty.store).filter_values(None).await.unwrap();
    assert!(none.people.is_empty() && none.causes.is_empty() && none.columns.is_empty());
    let selection = Selection::Matching { plan: None, run: Some(RunId(ulid::Ulid::nil())), filter };
    assert_eq!(counted(&empty, &selection).await, LedgerCounts::default());
}
