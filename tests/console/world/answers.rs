//! The world answers like a store.

use super::{NOW, World, run_id};
use skydeck::domain::bill::{Failure, Rendered, Sight};
use skydeck::domain::cause::Cause;
use skydeck::domain::command::Selection;
use skydeck::domain::filter::About;
use skydeck::domain::forecast::Forecasts;
use skydeck::domain::ids::*;
use skydeck::domain::query::*;
use skydeck::domain::run::BillRow;

impl World {
    /// Three records: one that is made, one whose bill has other content, one of which none can be made.
    pub fn samples() -> Vec<Sample> {
        let sample = |no: &str, sight, made: Rendered| Sample { no: no.to_owned(), made: Rendered { sight, ..made } };
        let body = |no: &str| {
            let lines = "[{\"FMaterialId\":{\"FNumber\":\"MAT00083\"},\"FRealQty\":12345678901234567890.1234567890}]";
            Some(format!("{{\"FBillNo\":\"IN-{no}\",\"FInStockEntry\":{lines}}}"))
        };
        let made = |no: &str| Rendered { key: format!("IN-{no}"), body: body(no), ..Rendered::default() };
        let message = "FDate: DATE_FORMAT(\"soon\") is no date\u{202e}".to_owned();
        let fault = Failure { cause: Cause::new("mapping"), msg_code: None, field: Some("FDate".into()), message };
        vec![
            sample("XSCKD000001", Sight::Absent, made("XSCKD000001")),
            sample("XSCKD000002", Sight::Differs, made("XSCKD000002")),
            sample("XSCKD000003", Sight::NotLooked, Rendered { fault: Some(Box::new(fault)), ..Rendered::default() }),
        ]
    }

    pub fn answer(&self, query: &Query) -> Answer {
        let names = vec!["FSaleOrgId_FNumber".to_owned(), "FCustomerID_FNumber".to_owned(), "FDate".to_owned()];
        match query {
            Query::Plans => Answer::Plans(if self.empty { vec![] } else { self.plans.clone() }),
            Query::RunLines { asked, .. } => Answer::RunLines(page(if self.empty {
                vec![]
            } else {
                skydeck_store_testkit::run_lines::defined(&self.runs, asked)
            })),
            Query::Runs(_) => Answer::Runs(page(if self.empty { vec![] } else { self.runs.clone() })),
            Query::Run(id) => Answer::Run(self.runs.iter().find(|r| r.head.id == *id).cloned().map(Box::new)),
            Query::Bills { scope, filter, .. } => {
                let mut bills = self.bills.clone();
                if *scope == Scope::History && !self.op.is_audit() {
                    // Every other bill is of a plan that audits.
                    for bill in bills.iter_mut().step_by(2) {
                        bill.key.op = OpId::default();
                    }
                }
                if *scope == Scope::Run(run_id(2)) {
                    // An older run, with other outcomes.
                    for (i, bill) in bills.iter_mut().enumerate() {
                        bill.state = self.bills[(i + 3) % self.bills.len()].state.clone();
                    }
                }
                let about = About { names: &names, labels: &[], opened: NOW, by: None, head: None, state: None };
                let rows = bills.iter().filter(|b| filter.matches(b, &about, NOW));
                let rows =
                    rows.filter(|b| *scope != Scope::Ledger || b.state.outcome().is_some_and(|o| !o.is_resolved()));
                Answer::Bills(page(if self.empty { vec![] } else { rows.cloned().collect() }))
            }
            Query::Sorted { scope, filter, sort, .. } => {
                let plain = Query::Bills { scope: *scope, filter: filter.clone(), page: PageRequest::first(200) };
                let Answer::Bills(all) = self.answer(&plain) else { unreachable!() };
                let mut rows: Vec<_> = all.rows.into_iter().map(|(_, row)| row).collect();
                rows.sort_by(|one, other| sort.compare(&sort.place(one, &names), &sort.place(other, &names)));
                Answer::Bills(page(rows))
            }
            Query::LedgerCounts { selection, .. } => {
                let mut counts = LedgerCounts::default();
                let unresolved = self.bills.iter().filter(|b| b.state.outcome().is_some_and(|o| !o.is_resolved()));
                for row in unresolved.filter(|row| !self.empty && is_meant(row, selection, &names)) {
                    counts.add(row);
                }
                Answer::LedgerCounts(counts)
            }
            Query::FilterValues { .. } => Answer::FilterValues(FilterValues::default()),
            Query::Bodies(_) => Answer::Bodies(Self::samples()),
            Query::FindBill { number, .. } => {
                let found = self.bills.iter().filter(|bill| bill.no.starts_with(number.as_str()));
                Answer::Bills(page(found.cloned().collect()))
            }
            Query::FindBills(numbers) => {
                let has = |no: &String| self.bills.iter().find(|bill| bill.no == *no);
                Answer::Found {
                    rows: numbers.iter().filter_map(has).cloned().collect(),
                    missing: numbers.iter().filter(|no| has(no).is_none()).cloned().collect(),
                }
            }
            Query::Reach(_) => Answer::Reach(World::reach()),
            Query::LedgerGroups { .. } => Answer::LedgerGroups(if self.empty { vec![] } else { self.groups.clone() }),
            Query::Bill(key) => Answer::Bill {
                row: self.bills.iter().find(|b| b.key == *key).cloned().map(Box::new),
                facts: self.facts.clone(),
                cut: false,
                runs: vec![skydeck::domain::story::RunOfBill {
                    row: self.runs[1].clone(),
                    approved: Some((super::who(), super::before(86_400 * 2 - 12))),
                }],
            },
            Query::Actions(_) => Answer::Actions(page(if self.empty { vec![] } else { self.actions.clone() })),
            Query::Revisions(_) => Answer::Revisions(self.revisions.clone()),
            Query::Today(span) => Answer::Today(Box::new(self.today(span))),
            Query::Forecast(plan) => {
                let plans = plan.iter().filter_map(|plan| self.said(plan)).collect();
                Answer::Forecast(Box::new(Forecasts { behind: None, unknown_year: self.unknown_year, plans }))
            }
            Query::Environments => Answer::Environments(self.envs.clone()),
            Query::Machines => Answer::Machines(self.machines.clone()),
            Query::Stopped | Query::LogFaults | Query::Preview { .. } => unreachable!("no screen asks {query:?}"),
        }
    }
}

fn is_meant(row: &BillRow, selection: &Selection, names: &[String]) -> bool {
    let about = About { names, labels: &[], opened: NOW, by: None, head: None, state: None };
    match selection {
        Selection::Bills(keys) => keys.contains(&row.key),
        Selection::Matching { filter, run, .. } => {
            run.is_none_or(|run| row.run == run) && filter.matches(row, &about, NOW)
        }
    }
}

fn page<T>(rows: Vec<T>) -> Page<T> {
    let rows = rows.into_iter().enumerate().map(|(i, r)| (Cursor(format!("{i:06}")), r)).collect();
    Page { rows, ..Page::default() }
}
