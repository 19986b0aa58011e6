//! What is said of a run's end beside its sum, or of how it stands where a verb leaves it.

use super::out::Out;
use crate::domain::run::{PauseWhy, RunEnd, RunKind, RunRow, RunState};

/// What is to be said of an end beside the sum.
pub fn why(out: &Out, row: &RunRow) -> Option<String> {
    if !row.tally.closes() {
        let words = out.colon("the sum does not close", "合计不闭合", &format!("{:?}", row.tally));
        return Some(format!("skydeck: {words}"));
    }
    let resume = format!("`skydeck resume {}`", row.head.id);
    let (en, zh) = (format!("; {resume} resumes it"), format!("；用 {resume} 继续"));
    let resume = out.t(&en, &zh);
    let words = match &row.state {
        RunState::Paused(PauseWhy::Operator) => {
            format!("{}{resume}", out.t("paused by an operator", "操作员已暂停"))
        }
        RunState::Paused(PauseWhy::Store(why)) => {
            let lost = row.tally.unknown;
            let (en, zh) = (
                format!("; {lost} unknown, read back when the store is opened again"),
                format!("；{lost} 张结果未知，重新打开后回查"),
            );
            let lost = if lost > 0 { out.t(&en, &zh) } else { "" };
            out.colon(
                "paused by itself: the journal cannot be written",
                "已自动暂停：流水无法写入",
                &out.reason_of(why),
            ) + lost
                + resume
        }
        RunState::Paused(why) => {
            let why = why.reason().map(|why| out.reason_of(why)).unwrap_or_default();
            out.colon("paused by itself", "已自动暂停", &why) + resume
        }
        RunState::Interrupted => {
            format!("{}{resume}", out.t("its engine ended in the middle", "引擎中途结束"))
        }
        RunState::Closed(RunEnd::Stopped(why)) => out.colon("stopped by itself", "已自动停止", &out.reason_of(why)),
        RunState::Closed(RunEnd::CollectFailed(why)) if row.head.kind == RunKind::Verify => out.colon(
            "the read failed, nothing was read back; what was unknown still is",
            "读取失败，没有回查任何单据；结果未知的仍然未知",
            &out.reason_of(why),
        ),
        RunState::Closed(RunEnd::CollectFailed(why)) => out.colon(
            "the query failed, nothing was written, the watermark did not move",
            "查询失败，未写入任何内容，水位不变",
            &out.reason_of(why),
        ),
        RunState::Closed(RunEnd::Declined) => {
            out.t("not approved; nothing was written", "未批准；未写入任何内容").to_owned()
        }
        RunState::Collecting
        | RunState::AwaitingApproval
        | RunState::Working
        | RunState::Settling
        | RunState::Closed(RunEnd::Completed | RunEnd::Empty | RunEnd::Collected | RunEnd::Cancelled) => return None,
    };
    Some(format!("skydeck: {words}"))
}
