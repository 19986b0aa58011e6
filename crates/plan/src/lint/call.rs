//! Hazards of the call side and of the policy.

use super::super::vendor::Side;
use super::{Found, Severity, place};
use skydeck_core::domain::step::Verb;

pub(super) fn look(side: &Side<'_>, found: &mut Found<'_>) {
    prompts(side, found);
    workflow(side, found);
    policy(found);
}

/// 10: prompts of the ERP that nobody would see.
fn prompts(side: &Side<'_>, found: &mut Found<'_>) {
    let target = &found.file.plan.target;
    let names: Vec<&str> = target.stripped_flags.iter().map(|f| f.0.as_str()).collect();
    let (names, ignored) = (names.join(", "), target.options.ignore_interaction == Some(true));
    if !names.is_empty() {
        found
            .add(
                10,
                Severity::Warning,
                &place(side, "InterationFlags", "request"),
                format!(
                    "{names} ignores ERP prompts (negative stock, price checks): taken out; an operator can choose it \
                     for one run, with a reason"
                ),
                format!("{names} 会忽略 ERP 提示（负库存、价格校验等）：已剔除；操作员可在单次运行中说明原因后选用"),
            )
            .mend_in_both("leave InterationFlags empty", "InterationFlags 留空");
    }
    if ignored {
        found
            .add(
                10,
                Severity::Warning,
                &place(side, "IgnoreInterationFlag", "request"),
                "IgnoreInterationFlag true lets the ERP pass over its own questions to the user",
                "IgnoreInterationFlag 为 true 时，ERP 会略过本应询问用户的提示",
            )
            .mend("\"value\": \"false\"");
    }
}

/// 11: bills whose workflow is still running.
fn workflow(side: &Side<'_>, found: &mut Found<'_>) {
    let target = &found.file.plan.target;
    if target.verb != Verb::Audit {
        return;
    }
    let at = place(side, "IsVerifyProcInst", "request");
    if target.options.verify_proc_inst == Some(false) {
        found
            .add(
                11,
                Severity::Warning,
                &at,
                "IsVerifyProcInst false audits bills whose workflow is still running, past the people who should approve",
                "IsVerifyProcInst 为 false 时，会越过尚在流转的审批流直接审核",
            )
            .mend("\"value\": \"true\"");
    } else {
        found.add(
            11,
            Severity::Info,
            &at,
            "a bill in a running workflow is refused by plain Audit (the server's default since November 2023)",
            "正在审批流中的单据会被拒绝审核（2023 年 11 月补丁起的服务器默认值）",
        );
    }
}

/// 15, 16: policies that leave more to people.
fn policy(found: &mut Found<'_>) {
    let (batch, carry_over) = (found.file.plan.policy.batch, found.file.plan.policy.carry_over);
    if batch > 1 {
        found
            .add(
                15,
                Severity::Warning,
                "skydeck.batch",
                format!("a call of {batch} bills whose answer is lost leaves {batch} bills unknown"),
                format!("一次调用 {batch} 张单据，若响应丢失，就有 {batch} 张单据结果未知"),
            )
            .mend("\"batch\": 1");
    }
    if !carry_over {
        found
            .add(
                16,
                Severity::Warning,
                "skydeck.carry_over",
                "unresolved bills of earlier runs are not taken into the next one: an operator has to retry them",
                "之前运行遗留的单据不会带入下一次运行：需要人工重试",
            )
            .mend("\"carry_over\": true");
    }
}
