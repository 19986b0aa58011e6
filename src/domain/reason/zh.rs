//! The sentences of [`Reason`] in Chinese. One sentence a variant: what happened, to what, and what to do next.

use super::Reason as R;
use crate::domain::access::Role;
use crate::domain::operation::declaration;

/// A reason in Chinese.
pub(super) fn sentence(reason: &R) -> String {
    match reason {
        R::Legacy { said } => said.clone(),
        R::Breaker { cause: Some(cause), n, of } => format!("最近 {of} 张中有 {n} 张被 ERP 拒绝：{cause}"),
        R::Breaker { cause: None, n, of } => format!("最近 {of} 张中有 {n} 张被 ERP 拒绝"),
        R::BreakerUnknown { n } => format!("连续 {n} 次调用没有可用的响应"),
        R::WrongIds {} => "响应中的单据不是所调用的单据".to_owned(),
        R::Unreachable { said } | R::SignInRefused { said } | R::ReadFailed { said } | R::QueryFailed { said } => {
            said.clone()
        }
        R::SessionLost { times, minutes } => format!("{minutes} 分钟内登录会话失效 {times} 次"),
        R::PlanWide { failure } => failure.message.clone(),
        R::SuccessWithoutEffect { no } => format!("ERP 对 {no} 返回成功，但单据没有变化"),
        R::KeyNotHonoured { sent, got } => format!("ERP 把单据编为 {got}，不是所要求的 {sent}"),
        R::Canary { cause, n } => format!("首批试审中 {n} 张被拒绝：{cause}"),
        R::CanaryUnknown {} => "首批试审中有一次没有可用的响应".to_owned(),
        R::PagesOutOfOrder {} => "服务器没有按内码顺序返回各页；未写入任何内容".to_owned(),
        R::NoCounterpart { source, target, found, first } => {
            format!("环境 {source} 读到 {found} 张，环境 {target} 中没有一个编号恰好对应一张：{}", first.join("、"))
        }
        R::TooManyAcross { most } => format!("两个环境之间一次超过 {most} 张：请按日期缩小查询"),
        R::BadNumber { said } => format!("来源单据的编号有问题：{said}"),
        R::Interrupted {} => "读取单据时进程结束：请重新运行".to_owned(),
        R::TaskDied { said: Some(said) } => format!("处理单据的任务异常结束：{said}；该单据结果未知"),
        R::TaskDied { said: None } => "运行的任务异常结束：请继续该运行，并反馈服务日志".to_owned(),
        R::Disk { said } => said.clone(),
        R::Unattended { minutes, why: Some(why) } => format!("暂停后 {minutes} 分钟无人处理：{}", sentence(why)),
        R::Unattended { minutes, why: None } => format!("暂停后 {minutes} 分钟无人处理"),
        R::WrongServer { .. }
        | R::ServerUnknown { .. }
        | R::OtherAccountSet { .. }
        | R::ServerKnown { .. }
        | R::SameServer { .. } => server(reason),
        other => refusal(other),
    }
}

fn server(reason: &R) -> String {
    match reason {
        R::WrongServer { env, was, is } => format!(
            "环境 {env} 现在是 {is}，而本次运行读自 {was}：未发送任何请求。请用 `skydeck env adopt {env}` 确认新地址，或恢复原地址"
        ),
        R::ServerUnknown { env, is } => format!(
            "环境 {env} 有旧版本留下的未完成或结果未知的单据，当时没有记录服务器：请用 `skydeck env adopt {env}` 确认它们属于 {is}"
        ),
        R::OtherAccountSet { env, was, is } => {
            format!("环境 {env} 属于 {was}；{is} 是另一个数据中心（账套）：请另建一个环境")
        }
        R::ServerKnown { env, is } => format!("环境 {env} 已经属于 {is}"),
        R::SameServer { env, other } => {
            format!("环境 {env} 和 {other} 写入同一个服务器和账套：请删除其一，或设为 read_only = \"always\"")
        }
        other => refusal(other),
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "查看人",
        Role::Operator => "操作员",
        Role::Approver => "批准人",
    }
}

fn refusal(reason: &R) -> String {
    match reason {
        R::ReadOnly { env } => format!("环境 {env} 为只读：请先解锁并写明理由"),
        R::AlwaysReadOnly { env } => format!("环境 {env} 在配置中为永久只读（read_only = \"always\"）"),
        R::NotAllowed { verb, role: is, needed } => {
            format!("{verb} 需要{}权限；当前是{}（见配置 [access]）", role(*needed), role(*is))
        }
        R::SecondPerson { run, hash } => {
            format!("已记录：运行 {run} 等待另一位用户在 10 分钟内批准；单据集 {hash}")
        }
        R::Busy { plan, run } => format!("方案 {plan} 的运行 {run} 尚未结束：请先完成、继续或停止它"),
        R::NoRun { run } => format!("没有运行 {run}"),
        R::NoPlan { plan } => format!("没有方案 `{plan}`"),
        R::NoEnvironment { env } => format!("没有环境 `{env}`"),
        R::PlanNamesNoEnvironment { plan, env } => format!("方案 {plan} 指定的环境 `{env}` 没有配置"),
        R::NothingConfigured {} => "没有配置任何环境".to_owned(),
        R::SetChanged { run, is, seen } => {
            format!("运行 {run} 的单据集是 {}，不是 {}：请重新查看", is.short(), seen.short())
        }
        R::TypeCount { n } => format!("请输入单据数 {n}"),
        R::TypeEnvironment { env } => format!("请输入环境名 {env}"),
        R::NeedsReason { verb } => format!("{verb} 需要写明理由"),
        R::FlagsNeedReason {} => "忽略 ERP 提示需要写明理由".to_owned(),
        R::ScheduleApproves {} => "生产环境由人批准，不由计划任务批准".to_owned(),
        R::OtherFlags { first } => format!("{first} 批准时选择的提示不同：请选择相同的，或由 {first} 重新批准"),
        R::PlanChanged { plan, run, was, is } => format!(
            "方案 {plan} 在运行 {run} 读取之后已修改（当时 {}，现在 {}）：请停止后重新运行",
            was.short(),
            is.short()
        ),
        R::BreakerOpen { env, why } => format!("环境 {env} 的熔断已触发：{}", sentence(why)),
        R::NotAwaiting { run } => format!("运行 {run} 不在等待批准"),
        R::NotWriting { run } => format!("运行 {run} 没有在写入；可以停止它"),
        R::NotPaused { run } => format!("运行 {run} 没有暂停"),
        R::OnlyReads { run } => format!("运行 {run} 只读取，会自行继续"),
        R::Closing { run } => format!("运行 {run} 正在结束"),
        R::Closed { run } => format!("运行 {run} 已结束，不再改变"),
        R::PaceZero {} => "速率为 0 会永远等待：请改用暂停".to_owned(),
        R::EngineEnds {} => "引擎正在结束：请在下次启动后再试".to_owned(),
        other => of_plan(other),
    }
}

fn of_plan(reason: &R) -> String {
    match reason {
        R::PlanProblem { said } => said.clone(),
        R::NoEffect { plan, operation, rev: None } => {
            format!("方案 {plan} 执行 `{operation}`，但没有说明怎样看出单据已完成：请添加 {}", declaration(operation))
        }
        R::NoEffect { plan, operation, rev: Some(rev) } => format!(
            "方案 {plan} 的版本 {} 执行 `{operation}`，但没有说明怎样看出单据已完成：请用最新版本，其中须有 {}",
            rev.short(),
            declaration(operation)
        ),
        R::OtherOperation { plan, was, is } => format!(
            "方案 {plan} 现在执行 {}，而这些单据当时要执行的是 {}：请按原来的版本重试，或办结",
            is.name(),
            was.name()
        ),
        R::OperationNotAllowed { env, operation } => {
            format!("操作 `{operation}` 不在环境 {env} 的 allow_operations 中：须由环境负责人写入")
        }
        R::RevisionNotKept { plan, rev, newest } => format!(
            "方案 {plan} 的版本 {} 没有保存（该运行早于版本保存功能）：请用最新版本 {} 重试",
            rev.short(),
            newest.short()
        ),
        R::OffInProduction { plan } => {
            format!("方案 {plan} 在生产环境中运行；除非方案写明 skydeck.schedule.production，计划任务在那里关闭")
        }
        R::NoRemedy { plan } => format!("方案 {plan} 没有补偿查询（omissionRemedy）"),
        R::NotHere { plan, form, env } => format!("方案 {plan} 已不再查询环境 {env} 中的 {form}，而这些单据在那里"),
        R::FormsDiffer { plan, source, target } => {
            format!("方案 {plan} 查询 {source} 而调用 {target}：无法回查状态")
        }
        R::UnknownZone { env, zone } => {
            format!("环境 {env} 的 server_zone `{zone}` 不认识；例如写 Asia/Shanghai")
        }
        R::NothingMatches { left_out } if left_out.is_empty() => "没有符合条件的遗留单据".to_owned(),
        R::NothingMatches { left_out } => {
            let parts: Vec<String> = left_out.iter().map(|(why, n)| format!("{n} 张 {why}")).collect();
            format!("没有符合条件的遗留单据；未计入：{}", parts.join("，"))
        }
        // Every variant stands in one of the tables above; the test of both languages walks them all.
        other => format!("{other:?}"),
    }
}
