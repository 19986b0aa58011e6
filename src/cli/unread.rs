//! `bill --ask`: what the ERP says of a number that no run has read, and under which plan's filter.
//!
//! Invariant: reads only and leaves no trace; the same question as the console's find line asks.

use super::json;
use super::out::Out;
use crate::domain::query::{Answer, Query};
use crate::domain::reach::{PlanReach, Reach};
use crate::engine::api::Link;
use crate::exit::{Exit, Stop};
use crate::text::show;

/// Asks, and says what each plan says of the number.
pub async fn ask(link: &dyn Link, out: &Out, number: &str) -> Result<Exit, Stop> {
    let Answer::Reach(rows) = link.ask(Query::Reach(number.to_owned())).await? else {
        return Err(Stop::odd_answer());
    };
    if rows.is_empty() {
        return Err(out.usage(
            &format!("no bill {number} in the history, and no plan that can be used to ask the ERP for it"),
            &format!("历史中没有单据 {number}，也没有可用于向 ERP 查询的方案"),
        ));
    }
    let exit = exit_of(&rows);
    if out.json {
        for row in &rows {
            out.object(&json::reach(number, row))?;
        }
        out.object(&serde_json::json!({"type": "asked", "number": number, "read": false, "exit": exit.code()}))?;
        return Ok(exit);
    }
    let shown = show(number, 200);
    let (en, zh) = (
        format!("no run has read {}; asked the ERP just now:", shown.as_str()),
        format!("没有运行读取过 {}；刚向 ERP 查询：", shown.as_str()),
    );
    out.line(out.t(&en, &zh))?;
    let cells = rows.iter().map(|row| vec![row.plan.to_string(), said(out, &row.reach)]).collect();
    out.table(&[out.t("plan", "方案"), out.t("answer", "说明")], cells)?;
    Ok(exit)
}

/// What a plan says of it.
fn said(out: &Out, reach: &Reach) -> String {
    match reach {
        Reach::Failed(why) => out.reason_of(why),
        Reach::Refused(why) => out.refusal(why),
        there => crate::ui::reach_words(out.console(), there),
    }
}

/// 0 where it is there, whether a plan finds it or all leave it out; 6 where the ERP did not answer for every plan; 4 where no
/// plan could be asked; 2 where there is no such bill.
fn exit_of(rows: &[PlanReach]) -> Exit {
    let any = |is: fn(&Reach) -> bool| rows.iter().any(|row| is(&row.reach));
    if any(|reach| matches!(reach, Reach::Finds | Reach::LeavesOut { .. })) {
        Exit::Ok
    } else if any(|reach| matches!(reach, Reach::Failed(_))) {
        Exit::Stopped
    } else if rows.iter().all(|row| matches!(row.reach, Reach::Refused(_))) {
        Exit::Refused
    } else {
        Exit::Usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::Refusal;
    use crate::domain::ids::PlanId;
    use crate::domain::reason::Reason;

    #[test]
    fn what_is_known_decides_the_exit_code() {
        let row = |reach| PlanReach { plan: PlanId::new("p"), name: String::new(), env: None, reach };
        let left = || Reach::LeavesOut { filter: "x".into(), status: None };
        let failed = || Reach::Failed(Reason::Legacy { said: "x".into() });
        let refused = || Reach::Refused(Refusal::NotFound(Reason::Legacy { said: "x".into() }));
        for (reaches, want) in [
            (vec![Reach::NotThere, left()], Exit::Ok),
            (vec![Reach::Finds, failed()], Exit::Ok),
            (vec![Reach::NotThere, failed(), refused()], Exit::Stopped),
            (vec![refused(), refused()], Exit::Refused),
            (vec![Reach::NotThere, refused()], Exit::Usage),
        ] {
            let rows: Vec<PlanReach> = reaches.into_iter().map(row).collect();
            assert_eq!(exit_of(&rows), want, "{rows:?}");
        }
    }
}
