//! Words of a filter for where a run stands and of what kind it is, in both languages.
//!
//! Invariant: a word of a list means what that list shows it for, whatever else holds of the run.

use super::like;
use crate::domain::language::Language;
use crate::domain::run::{RunEnd, RunHead, RunKind, RunState, Tally};
use crate::domain::who::Origin;

/// A word for runs: as it is offered, then what else it is called; in both languages.
struct Called<T: 'static> {
    en: &'static [&'static str],
    zh: &'static [&'static str],
    is: T,
}

/// Whether a run stands so.
type Stands = fn(&RunState, &Tally) -> bool;
/// Whether a run is of this kind.
type Kind = fn(&RunHead) -> bool;

/// Where a run stands. More than one may hold: a run that left failed and unknown bills is found by either.
const STATES: [Called<Stands>; 18] = [
    Called { en: &["some_failed"], zh: &["有失败"], is: |_, t| t.failed > 0 },
    Called { en: &["unknown_left"], zh: &["有未知"], is: |_, t| t.unknown > 0 },
    Called {
        en: &["stopped_by_itself"],
        zh: &["已自动停止"],
        is: |s, _| matches!(s, RunState::Closed(RunEnd::Stopped(_))),
    },
    Called {
        en: &["query_failed", "collect_failed"],
        zh: &["查询失败"],
        is: |s, _| matches!(s, RunState::Closed(RunEnd::CollectFailed(_))),
    },
    Called {
        en: &["nothing_found", "empty"],
        zh: &["无单据"],
        is: |s, _| matches!(s, RunState::Closed(RunEnd::Empty)),
    },
    Called { en: &["collected"], zh: &["已读取"], is: |s, _| matches!(s, RunState::Closed(RunEnd::Collected)) },
    Called {
        en: &["complete"],
        zh: &["已完成"],
        is: |s, t| {
            matches!(s, RunState::Closed(RunEnd::Completed)) && t.failed == 0 && t.unknown == 0 && t.skipped == 0
        },
    },
    // The code of JSON: every bill was brought to an outcome, whichever.
    Called { en: &["completed"], zh: &["正常结束"], is: |s, _| matches!(s, RunState::Closed(RunEnd::Completed)) },
    Called { en: &["some_skipped"], zh: &["有跳过"], is: |_, t| t.skipped > 0 },
    Called { en: &["all_skipped"], zh: &["全部跳过"], is: |_, t| t.skipped > 0 && t.skipped == t.found },
    // The word of the list for a run that a person stopped, and the code of JSON for one that did so by itself.
    Called {
        en: &["stopped"],
        zh: &["已停止"],
        is: |s, _| matches!(s, RunState::Closed(RunEnd::Cancelled | RunEnd::Stopped(_))),
    },
    Called { en: &["cancelled"], zh: &["人工停止"], is: |s, _| matches!(s, RunState::Closed(RunEnd::Cancelled)) },
    Called { en: &["declined"], zh: &["已放弃"], is: |s, _| matches!(s, RunState::Closed(RunEnd::Declined)) },
    Called {
        en: &["to_approve", "awaiting_approval"],
        zh: &["待批准"],
        is: |s, _| matches!(s, RunState::AwaitingApproval),
    },
    Called { en: &["paused"], zh: &["已暂停"], is: |s, _| matches!(s, RunState::Paused(_)) },
    Called { en: &["interrupted"], zh: &["被中断"], is: |s, _| matches!(s, RunState::Interrupted) },
    Called {
        en: &["writing", "working", "collecting", "verifying", "settling"],
        zh: &["写入中", "读取中", "核实中"],
        is: |s, _| matches!(s, RunState::Collecting | RunState::Working | RunState::Settling),
    },
    Called { en: &["open"], zh: &["未结束"], is: |s, _| !s.is_closed() },
];

/// Of what kind a run is, and what started it.
const KINDS: [Called<Kind>; 6] = [
    Called { en: &["scheduled"], zh: &["定时"], is: |head| head.by.origin() == Origin::Schedule },
    Called { en: &["manual", "by_hand"], zh: &["手动", "人工"], is: |head| head.by.origin() == Origin::Person },
    Called { en: &["range"], zh: &["范围"], is: |head| head.range.is_some() },
    Called {
        en: &["normal", "fresh"], zh: &["常规"], is: |head| head.kind == RunKind::Fresh && head.range.is_none()
    },
    Called { en: &["retry"], zh: &["重试"], is: |head| head.kind == RunKind::Retry },
    Called { en: &["verify"], zh: &["核实"], is: |head| head.kind == RunKind::Verify },
];

fn offered<T>(list: &'static [Called<T>], lang: Language) -> impl Iterator<Item = &'static str> {
    list.iter().filter_map(move |called| lang.t(called.en, called.zh).first().copied())
}

fn every<T>(list: &'static [Called<T>]) -> impl Iterator<Item = &'static str> {
    list.iter().flat_map(|called| called.en.iter().chain(called.zh).copied())
}

/// Words for where a run stands, as they are offered.
pub fn states(lang: Language) -> impl Iterator<Item = &'static str> {
    offered(&STATES, lang)
}

/// Words for the kinds of runs, as they are offered.
pub fn kinds(lang: Language) -> impl Iterator<Item = &'static str> {
    offered(&KINDS, lang)
}

/// All that a state of a run may be called.
pub fn every_state() -> impl Iterator<Item = &'static str> {
    every(&STATES)
}

/// All that a kind of run may be called.
pub fn every_kind() -> impl Iterator<Item = &'static str> {
    every(&KINDS)
}

/// Whether a run that stands so is asked for by this word.
pub(super) fn stands(state: &RunState, tally: &Tally, word: &str) -> bool {
    STATES
        .iter()
        .any(|called| (called.is)(state, tally) && called.en.iter().chain(called.zh).any(|name| like(name, word)))
}

/// Whether a run of this head is asked for by this word.
pub(super) fn is_kind(head: &RunHead, word: &str) -> bool {
    KINDS.iter().any(|called| (called.is)(head) && called.en.iter().chain(called.zh).any(|name| like(name, word)))
}
