//! Every reason has a sentence in both languages, and a name and arguments for programs.

use std::collections::BTreeSet;

use super::*;
use crate::domain::action_log::Flaw;
use crate::domain::ids::Seq;

fn run() -> RunId {
    RunId(ulid::Ulid::from_parts(1, 2))
}

fn env() -> EnvId {
    EnvId::new("prod")
}

fn plan() -> PlanId {
    PlanId::new("p")
}

fn server(name: &str) -> Server {
    Server { address: format!("https://{name}.invalid:443/k3cloud"), account_set: "60aa".into(), centre: None }
}

fn said() -> String {
    "原话".to_owned()
}

fn verb() -> String {
    "start".to_owned()
}

fn operation() -> String {
    "BillClose".to_owned()
}

fn failure() -> Failure {
    Failure { cause: Cause::new("stock"), msg_code: Some(11), field: None, message: said() }
}

fn revisions() -> (PlanRev, PlanRev) {
    (PlanRev::new("0123456789abcdef"), PlanRev::new("fedcba9876543210"))
}

/// One of each, in the order of the enum.
pub(super) fn examples() -> Vec<Reason> {
    [stops(), of_an_environment(), of_a_run(), of_a_plan(), of_the_log()].concat()
}

/// Why a run stops.
fn stops() -> Vec<Reason> {
    vec![
        Reason::Legacy { said: said() },
        Reason::Breaker { cause: Some(Cause::new("stock")), n: 9, of: 20 },
        Reason::Breaker { cause: None, n: 9, of: 20 },
        Reason::BreakerUnknown { n: 3 },
        Reason::WrongIds {},
        Reason::Unreachable { said: said() },
        Reason::SignInRefused { said: said() },
        Reason::SessionLost { times: 3, minutes: 10 },
        Reason::ReadFailed { said: said() },
        Reason::PlanWide { failure: failure() },
        Reason::SuccessWithoutEffect { no: "XSCKD1".into() },
        Reason::KeyNotHonoured { sent: "A1".into(), got: "A2".into() },
        Reason::LookProvesNothing { env: EnvId::new("e"), form: FormId::new("STK_InStock"), key: Some("A1".into()) },
        Reason::LookProvesNothing { env: EnvId::new("e"), form: FormId::new("STK_InStock"), key: None },
        Reason::OtherSystem { env: EnvId::new("e"), sends: true },
        Reason::OtherSystem { env: EnvId::new("e"), sends: false },
        Reason::Canary { cause: Cause::new("stock"), n: 2 },
        Reason::CanaryUnknown {},
        Reason::QueryFailed { said: said() },
        Reason::QueryRefused { failure: failure() },
        Reason::PagesOutOfOrder {},
        Reason::OtherSource { env: EnvId::new("e"), lists: true },
        Reason::OtherSource { env: EnvId::new("e"), lists: false },
        of_list(ListFault::Record { page: 2, nth: 3, why: BadRecord::NoId("so_id".into()) }),
        of_list(ListFault::Twice { id: "SO1".into() }),
        of_list(ListFault::Moves { times: 5 }),
        of_list(ListFault::Total { said: 30, shown: 29 }),
        of_list(ListFault::CursorAgain { page: 2 }),
        of_list(ListFault::SamePage { page: 2 }),
        of_list(ListFault::Endless { pages: 200 }),
        of_list(ListFault::TooMany { most: 200_000 }),
        of_list(ListFault::NoDate { id: "SO1".into(), path: "updated_at".into() }),
        of_list(ListFault::Stranger { asked: "SO1".into(), shown: "SO2".into() }),
        Reason::NoCounterpart { source: env(), target: EnvId::new("test"), found: 2, first: vec!["A1".into()] },
        Reason::TooManyAcross { most: 50_000 },
        Reason::BadNumber { said: said(), zh: None },
        Reason::BadNumber { said: said(), zh: Some("zh".into()) },
        Reason::Interrupted {},
        Reason::TaskDied { said: Some(said()) },
        Reason::TaskDied { said: None },
        Reason::Disk { said: said(), zh: None },
        Reason::Disk { said: said(), zh: Some("流水无法写入".into()) },
        Reason::Unattended { minutes: 30, why: Some(Box::new(Reason::CanaryUnknown {})) },
        Reason::Unattended { minutes: 30, why: None },
    ]
}

/// What an environment and its server take no orders for.
fn of_an_environment() -> Vec<Reason> {
    let (was, is) = (server("a"), server("b"));
    vec![
        Reason::WrongServer { env: env(), was: was.clone(), is: is.clone() },
        Reason::ServerUnknown { env: env(), is: is.clone() },
        Reason::OtherAccountSet { env: env(), was, is: is.clone() },
        Reason::ServerKnown { env: env(), is },
        Reason::SameServer { env: env(), other: EnvId::new("test") },
        Reason::ReadOnly { env: env() },
        Reason::AlwaysReadOnly { env: env() },
        Reason::NotAllowed { verb: verb(), role: Role::Viewer, needed: Role::Approver },
        Reason::SecondPerson { run: run(), hash: "32b553b1".into() },
    ]
}

/// What does not fit the state of a run.
fn of_a_run() -> Vec<Reason> {
    let hash = |c: &str| SetHash::new(c.repeat(64));
    let (rev, newest) = revisions();
    vec![
        Reason::Busy { plan: plan(), run: run() },
        Reason::NoRun { run: run() },
        Reason::NoPlan { plan: plan() },
        Reason::NoEnvironment { env: env() },
        Reason::PlanNamesNoEnvironment { plan: plan(), env: env() },
        Reason::NothingConfigured {},
        Reason::SetChanged { run: run(), is: hash("a"), seen: hash("b") },
        Reason::TypeCount { n: 167 },
        Reason::TypeEnvironment { env: env() },
        Reason::NeedsReason { verb: verb() },
        Reason::FlagsNeedReason {},
        Reason::ScheduleApproves {},
        Reason::OtherFlags { first: Who::of_person(1000, "wang", None) },
        Reason::PlanChanged { plan: plan(), run: run(), was: rev, is: newest },
        Reason::BreakerOpen { env: env(), why: Box::new(Reason::WrongIds {}) },
        Reason::NotAwaiting { run: run() },
        Reason::NotWriting { run: run() },
        Reason::NotPaused { run: run() },
        Reason::OnlyReads { run: run() },
        Reason::Closing { run: run() },
        Reason::Closed { run: run() },
        Reason::PaceZero {},
        Reason::PaceBeyond { per_minute: 600_000, concurrency: 1000 },
        Reason::EngineEnds {},
        Reason::WritesElsewhere { host: "bastion1".into() },
        Reason::RunElsewhere { run: run(), host: Some("bastion1".into()) },
        Reason::RunElsewhere { run: run(), host: None },
        Reason::OrderNotTaken { run: run(), host: "bastion1".into() },
        Reason::OrderUnanswered { run: run(), host: "bastion1".into() },
        Reason::OlderProgram { host: "bastion1".into() },
        Reason::OnHost { host: "bastion1".into(), why: Box::new(Reason::ReadOnly { env: env() }) },
        Reason::UnknownPerson { who: Who { host: Some("bastion2".into()), ..Who::of_person(1000, "wang", None) } },
        Reason::NoHost { host: 3 },
        Reason::OwnHost {},
        Reason::StartedElsewhere { plan: plan() },
    ]
}

/// What does not fit a plan.
fn of_a_plan() -> Vec<Reason> {
    let form = FormId::new("SAL_OUTSTOCK");
    let (rev, newest) = revisions();
    vec![
        Reason::PlanProblem { said: said(), zh: None },
        Reason::PlanProblem { said: said(), zh: Some("zh".into()) },
        Reason::NoDate { given: said() },
        Reason::NothingToEndBy { plan: plan() },
        Reason::RangeEndsFirst {},
        Reason::NoEffect { plan: plan(), operation: operation(), rev: None },
        Reason::NoEffect { plan: plan(), operation: operation(), rev: Some(rev.clone()) },
        Reason::OtherOperation { plan: plan(), was: OpId::new("BillClose"), is: OpId::default() },
        Reason::OperationNotAllowed { env: env(), operation: operation() },
        Reason::RevisionNotKept { plan: plan(), rev, newest },
        Reason::OffInProduction { plan: plan() },
        Reason::NoRemedy { plan: plan() },
        Reason::NumbersNone {},
        Reason::NumbersTable { cells: 3 },
        Reason::NumbersTooLarge { bytes: 900_000, most: 786_432 },
        Reason::NumberTooLong { no: "XSCKD".into(), n: 81, most: 80 },
        Reason::NumberSign { no: "A--B".into() },
        Reason::LookupCircle { plans: vec![plan(), PlanId::new("parts"), plan()] },
        Reason::LookupUnknown { plan: plan(), other: PlanId::new("parts"), near: None },
        Reason::LookupUnknown { plan: plan(), other: PlanId::new("part"), near: Some(PlanId::new("parts")) },
        Reason::LookupCalls { plan: plan(), other: PlanId::new("parts") },
        Reason::LookupNotRead { plan: plan(), other: PlanId::new("parts") },
        Reason::LookupColumn { plan: plan(), other: PlanId::new("parts"), column: "FNumber".into() },
        Reason::LookupTooMany { plan: plan(), other: PlanId::new("parts"), most: 100_000 },
        Reason::NotHere { plan: plan(), form: form.clone(), env: env() },
        Reason::FormsDiffer { plan: plan(), source: form, target: FormId::new("STK_InStock") },
        Reason::UnknownZone { env: env(), zone: "Mars/Base".into() },
    ]
}

/// What is said of the action log, and what an order has too much of.
fn of_the_log() -> Vec<Reason> {
    vec![
        Reason::LogDisagrees { fault: LogFault::Missing { told: 7 }, more: 0 },
        Reason::LogDisagrees { fault: LogFault::Cut { last: 3, told: 7 }, more: 1 },
        Reason::LogDisagrees { fault: LogFault::Broken { line: 3, flaw: Flaw::Hash }, more: 0 },
        Reason::LogDisagrees { fault: LogFault::Replaced { line: 3 }, more: 0 },
        Reason::LogDisagrees { fault: LogFault::AcceptedPart { line: 3 }, more: 0 },
        Reason::LogDisagrees { fault: LogFault::Untold { line: 3, action: "start".into() }, more: 0 },
        Reason::LogDisagrees {
            fault: LogFault::JournalOlder { line: 3, action: "start".into(), last: Seq(9) },
            more: 0,
        },
        Reason::LogDisagrees { fault: LogFault::JournalEmpty { lines: 3 }, more: 0 },
        Reason::LogDisagrees { fault: LogFault::JournalCut { last: Seq(8), head: Seq(9) }, more: 0 },
        Reason::LogDisagrees { fault: LogFault::JournalReplaced { head: Seq(9) }, more: 0 },
        Reason::LogAgrees {},
        Reason::TextTooLong { most: 256 },
        Reason::ListTooLong { most: 50_000, n: 60_000 },
        Reason::HandedInTooMuch { records: 500, bytes: 458_752 },
        Reason::TakesNothing { plan: plan() },
        Reason::HandedInBad { nth: 3, why: BadRecord::NotAnObject },
        Reason::HandedInBad { nth: 3, why: BadRecord::TooLong(262_144) },
        Reason::HandedInBad { nth: 3, why: BadRecord::NoId("so_id".into()) },
        Reason::HandedInBad { nth: 3, why: BadRecord::BadId(256) },
        Reason::HandedInBad { nth: 3, why: BadRecord::TwoLists { one: "a".into(), other: "b".into() } },
        Reason::NotResolved {},
        Reason::NoSuchAlarm { plan: PlanId::new("p") },
        Reason::NothingMatches { left_out: Vec::new() },
        Reason::NothingMatches { left_out: LEFT_OUT.map(|why| (why, 2)).to_vec() },
    ]
}

fn of_list(why: ListFault) -> Reason {
    Reason::ListNotWhole { why }
}

const LEFT_OUT: [LeftOut; 8] = LeftOut::ALL;

/// The names of all variants, as reading an unknown one lists them.
fn names(unknown: &str) -> BTreeSet<String> {
    let (_, known) = unknown.split_once("expected one of ").expect(unknown);
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_reason_has_an_example_here() {
    let all = names(&serde_json::from_str::<Reason>(r#"{"k":"of_tomorrow"}"#).unwrap_err().to_string());
    let shown: BTreeSet<String> = examples().iter().map(Reason::code).collect();
    assert_eq!(shown, all);
    let all = names(&serde_json::from_str::<LeftOut>("\"of_tomorrow\"").unwrap_err().to_string());
    assert_eq!(LEFT_OUT.len(), all.len());
}

/// Letters of an English sentence: three words in a row outside of what stands in backticks.
fn english(text: &str) -> Option<String> {
    let outside: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ; ");
    let words: Vec<&str> = outside.split(' ').collect();
    let word = |w: &&str| w.len() > 1 && w.chars().all(|c| c.is_ascii_lowercase());
    words.windows(3).find(|three| three.iter().all(word)).map(|three| three.join(" "))
}

#[test]
fn every_reason_is_said_in_both_languages() {
    let han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
    for reason in examples() {
        let (en, zh) = (reason.en(), reason.zh());
        let quoted = en.replace("原话", "");
        assert!(!quoted.chars().any(han), "{en}");
        assert!(zh.chars().any(han), "{zh}");
        assert_eq!(english(&zh), None, "{zh}");
        let variant = format!("{reason:?}");
        let name = variant.split([' ', '{']).next().unwrap();
        assert!(
            !en.contains("{ ") && !zh.contains("{ ") && !en.starts_with(name),
            "a sentence, not a dump: {en} / {zh}"
        );
        {
            let (text, glued) = (&zh, [": ", "; ", ", "]);
            let outside: String = text.split('`').step_by(2).collect();
            assert!(glued.iter().all(|mark| !outside.contains(mark)), "half-width marks: {text}");
        }
        assert_eq!(serde_json::from_str::<Reason>(&serde_json::to_string(&reason).unwrap()).unwrap(), reason);
    }
}

#[test]
fn causes_are_called_as_people_call_them() {
    let reason = Reason::Canary { cause: Cause::new("stock"), n: 2 };
    let zh = |cause: &Cause| if cause.as_str() == "stock" { "库存不足".to_owned() } else { cause.to_string() };
    assert_eq!(reason.zh_with(&zh), "首批试审中 2 张被拒绝：库存不足");
    assert!(reason.en_with(&|_| "insufficient stock".to_owned()).ends_with("insufficient stock"));
}
