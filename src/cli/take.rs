//! `take PLAN`: records from standard input, handed in for a plan. Whoever ran it knows by its exit code that they are kept.
//!
//! Invariant: the text is read as a whole before anything is kept, and 0 is answered only when every record of it is durable.

use std::io::{IsTerminal as _, Read as _};

use super::args::{Approval, TakeArgs};
use super::context::Context;
use super::drive::Driver;
use super::out::Out;
use crate::domain::command::Command;
use crate::domain::handed_in::{MOST_ORDER, MOST_RECORDS};
use crate::domain::ids::PlanId;
use crate::exit::{Exit, Stop};
use crate::plan::record::{self, Bad, MOST_BYTES, MOST_TEXT, Read};

/// Hands records in.
pub(super) async fn take(context: &Context, args: &TakeArgs) -> Result<Exit, Stop> {
    let out = context.out();
    let records = records(&out)?;
    let plan = PlanId::new(args.plan.clone());
    // Nothing is asked of any server: no secret is needed.
    let booted = context.boot(Vec::new(), false).await?;
    let driver = context.driver(&booted, Approval::default());
    let kept = hand_in(&driver, &plan, records).await;
    super::output::after(kept, booted.end(None).await, out.lang)
}

/// The records of standard input.
fn records(out: &Out) -> Result<Vec<Read>, Stop> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(out.usage(
            "no records: give them on standard input, as JSON, `skydeck take PLAN < orders.jsonl`",
            "没有记录：请从标准输入提供 JSON，例如 `skydeck take 方案 < orders.jsonl`",
        ));
    }
    let mut bytes = Vec::new();
    stdin.lock().take(MOST_TEXT as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST_TEXT {
        let most = MOST_TEXT >> 20;
        return Err(out.usage(
            &format!("standard input has more than {most} MiB: hand it in by several"),
            &format!("标准输入超过 {most} MiB：请分几次提交"),
        ));
    }
    let records = record::read(&bytes).map_err(|bad| {
        let (en, zh) = words(&bad);
        out.usage(&format!("standard input {en}; nothing was kept"), &format!("标准输入{zh}；一条也未保存"))
    })?;
    if records.is_empty() {
        return Err(out.usage("standard input holds no record", "标准输入中没有记录"));
    }
    Ok(records)
}

/// What is wrong with the text, in English and in Chinese.
fn words(bad: &Bad) -> (String, String) {
    match bad {
        Bad::NotUtf8 { line, byte } => (
            format!("line {line}: is no UTF-8 (byte {byte})"),
            format!("第 {line} 行：不是 UTF-8 编码（第 {byte} 字节）"),
        ),
        Bad::NotJson { line, said } => {
            (format!("line {line}: is no JSON: {said}"), format!("第 {line} 行：不是 JSON：“{said}”"))
        }
        Bad::NotAnObject { line } => (
            format!("line {line}: is no record: write each as a JSON object"),
            format!("第 {line} 行：不是记录：每条记录应为一个 JSON 对象"),
        ),
        Bad::TooLong { line, bytes } => (
            format!("line {line}: a record of {bytes} bytes, and one has {MOST_BYTES} at most"),
            format!("第 {line} 行：该记录有 {bytes} 字节，每条最多 {MOST_BYTES} 字节"),
        ),
    }
}

/// Gives the orders, each with as many records as one takes.
async fn hand_in(driver: &Driver, plan: &PlanId, records: Vec<Read>) -> Result<Exit, Stop> {
    let (all, mut new, mut done) = (records.len(), 0, 0);
    let mut rest = records.into_iter().map(|record| record.text).peekable();
    while rest.peek().is_some() {
        let (mut part, mut bytes) = (Vec::new(), 0);
        while let Some(next) = rest.next_if(|next| part.len() < MOST_RECORDS && bytes + next.len() <= MOST_ORDER) {
            bytes += next.len();
            part.push(next);
        }
        let n = part.len();
        let order = Command::Take { plan: plan.clone(), records: part, first: done as u64 + 1 };
        match driver.order(order).await {
            Ok((_, kept)) => new += kept,
            Err(stop) if done > 0 => {
                // What was kept stays kept: handing the same in again keeps it once.
                driver.out.note(driver.out.t(
                    &format!("skydeck: the first {done} records were kept"),
                    &format!("skydeck：前 {done} 条记录已保存"),
                ));
                return Err(stop);
            }
            Err(stop) => return Err(stop),
        }
        done += n;
    }
    let known = done as u64 - new;
    if driver.out.json {
        let line = serde_json::json!({"type": "taken", "plan": plan, "records": all, "new": new, "known": known});
        driver.out.object(&line)?;
    } else {
        driver.out.line(driver.out.t(
            &format!("{new} records kept for {plan}, {known} known already"),
            &format!("方案 {plan} 已保存 {new} 条记录，另有 {known} 条此前已有"),
        ))?;
    }
    Ok(Exit::Ok)
}
