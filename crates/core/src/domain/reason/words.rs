//! The sentences of [`Reason`], English and Chinese side by side: what happened, to what, and what to do next.
//!
//! Invariant: both languages are made from one table without a wildcard, so a new variant compiles only once it has both
//! sentences, and both say the same arguments.

use std::borrow::Cow;

use super::{BadRecord, LeftOut, Reason, fault_words};
use crate::domain::action_words;
use crate::domain::cause::Cause;
use crate::domain::ids::PlanId;
use crate::domain::language::Language;
use crate::domain::operation::declaration;

/// What people call a cause.
pub(super) type Label<'a> = &'a dyn Fn(&Cause) -> String;

/// Makes the two functions of the table: `pattern => English, Chinese;`, with a name for the labels of causes.
macro_rules! sentences {
    (|$label:ident| $($pattern:pat => $en:expr, $zh:expr;)*) => {
        /// A reason in English.
        pub(super) fn en(reason: &Reason, $label: Label<'_>) -> String {
            let said: Cow<'_, str> = match reason { $($pattern => $en.into(),)* };
            said.into_owned()
        }

        /// A reason in Chinese.
        pub(super) fn zh(reason: &Reason, $label: Label<'_>) -> String {
            let said: Cow<'_, str> = match reason { $($pattern => $zh.into(),)* };
            said.into_owned()
        }
    };
}

/// What the store says, in Chinese; facts of before have it in English alone.
fn of_disk(said: &str, zh: Option<&str>) -> String {
    zh.map_or_else(|| format!("流水无法读写：“{said}”"), str::to_owned)
}

/// What is said in both languages; English stands in quotation marks where there is no Chinese.
fn of_both<'a>(said: &'a str, zh: Option<&'a str>, in_chinese: bool) -> Cow<'a, str> {
    match (in_chinese, zh) {
        (false, _) => said.into(),
        (true, Some(zh)) => zh.into(),
        (true, None) => format!("“{said}”").into(),
    }
}

/// What a record that is handed in is not.
pub(super) fn bad_record(why: &BadRecord, zh: bool) -> String {
    match (why, zh) {
        (BadRecord::NotAnObject, false) => "it is not one JSON object".to_owned(),
        (BadRecord::NotAnObject, true) => "不是一个 JSON 对象".to_owned(),
        (BadRecord::TooLong(most), false) => format!("it is longer than {most} bytes"),
        (BadRecord::TooLong(most), true) => format!("超过 {most} 字节"),
        (BadRecord::NoId(field), false) => {
            format!("its id is missing: the plan takes it from the field `{field}`, which must be a text or a number")
        }
        (BadRecord::NoId(field), true) => format!("没有标识：方案取自字段 `{field}`，应为文本或数字"),
        (BadRecord::BadId(most), false) => {
            format!("its id is longer than {most} characters, or has control characters")
        }
        (BadRecord::BadId(most), true) => format!("标识超过 {most} 个字符，或含控制字符"),
        (BadRecord::TwoLists { one, other }, false) => {
            format!("the plan reads from two lists of it, `{one}` and `{other}`, whose lines do not belong together")
        }
        (BadRecord::TwoLists { one, other }, true) => {
            format!("方案同时读取两个列表 `{one}` 和 `{other}`，其行之间没有对应关系")
        }
    }
}

use Reason as R;

sentences! { |label|
    // What 0.1.0 wrote.
    R::Legacy { said } => said.as_str(), fault_words::legacy(said);

    // Why a run stopped, paused or could not collect.
    R::Breaker { cause: Some(cause), n, of } =>
        format!("{n} of the last {of} bills were refused: {}", label(cause)),
        format!("最近 {of} 张中有 {n} 张被拒绝：{}", label(cause));
    R::Breaker { cause: None, n, of } =>
        format!("{n} of the last {of} bills were refused"),
        format!("最近 {of} 张中有 {n} 张被拒绝");
    R::BreakerUnknown { n } =>
        format!("{n} calls in a row without a usable answer"),
        format!("连续 {n} 次调用没有可用的响应");
    R::WrongIds {} => "an answer named bills that were not asked", "响应提到的不是所调用的单据";
    R::Unreachable { said } =>
        format!("the server cannot be reached: {said}"),
        format!("服务器不可达：{}", fault_words::zh(said));
    R::SignInRefused { said } =>
        format!("the sign-in was refused: {said}"),
        format!("登录被拒绝：{}", fault_words::zh(said));
    R::SessionLost { times, minutes } =>
        format!("the session was lost {times} times in {minutes} minutes"),
        format!("{minutes} 分钟内登录会话失效 {times} 次");
    R::ReadFailed { said } =>
        format!("bills could not be read: {said}"),
        format!("无法读取单据：{}", fault_words::zh(said));
    R::PlanWide { failure } =>
        format!("the other bills would be refused, too ({}): {}", label(&failure.cause), failure.message),
        format!("其余单据同样会被拒绝（{}）：“{}”", label(&failure.cause), failure.message);
    R::SuccessWithoutEffect { no } =>
        format!("success was answered for {no}, and nothing changed"),
        format!("{no}：返回成功，但单据没有变化");
    R::KeyNotHonoured { sent, got } =>
        format!("the ERP numbered the bill {got}, not {sent} as asked: let the form keep numbers that are sent, or choose another key; then resolve the bill in the ledger"),
        format!("ERP 把单据编为 {got}，不是所要求的 {sent}：请让单据保留所发编号，或改用其他键字段，再在遗留清单中办结该单据");
    R::OtherSystem { env, sends: true } =>
        format!("the plan sends records to another system, and environment {env} is one of Kingdee's: name an environment of kind http in skydeck.target_env"),
        format!("方案向其他系统发送记录，而环境 {env} 是金蝶环境：请在 skydeck.target_env 写 kind 为 http 的环境");
    R::OtherSystem { env, sends: false } =>
        format!("the plan calls an operation of Kingdee's, and environment {env} is of kind http: name one of Kingdee's in skydeck.target_env"),
        format!("方案调用金蝶的操作，而环境 {env} 的 kind 为 http：请在 skydeck.target_env 写金蝶环境");
    R::OtherSource { env, lists: true } =>
        format!("the plan reads a list over HTTP, and environment {env} is one of Kingdee's: name an environment of kind http in skydeck.env"),
        format!("方案通过 HTTP 读取列表，而环境 {env} 是金蝶环境：请在 skydeck.env 写 kind 为 http 的环境");
    R::OtherSource { env, lists: false } =>
        format!("the plan asks for bills of Kingdee's, and environment {env} is of kind http: name one of Kingdee's in skydeck.env"),
        format!("方案查询金蝶单据，而环境 {env} 的 kind 为 http：请在 skydeck.env 写金蝶环境");
    R::LookProvesNothing { env, form, key: None } =>
        format!("environment {env} shows no bill of {form} at all, so that one that is not found may be there all the same: check the user's rights, or name a bill that is there in skydeck.probe"),
        format!("环境 {env} 读不到任何 {form} 单据，无法判断单据是否已存在：请检查用户权限，或在 skydeck.probe 写一张已有单据的编号");
    R::LookProvesNothing { env, form, key: Some(key) } =>
        format!("environment {env} does not show bill {key} of {form}, which the plan says is there: check the user's rights and skydeck.probe"),
        format!("环境 {env} 读不到方案所写的 {form} 单据 {key}：请检查用户权限和 skydeck.probe");
    R::Canary { cause, n } =>
        format!("among the first bills, {n} were refused: {}", label(cause)),
        format!("首批试审中 {n} 张被拒绝：{}", label(cause));
    R::CanaryUnknown {} => "no usable answer among the first bills", "首批试审中有一次没有可用的响应";
    R::QueryFailed { said } =>
        format!("the query had no usable answer: {said}"),
        format!("查询没有可用的响应：{}", fault_words::zh(said));
    R::QueryRefused { failure } =>
        format!("the query was refused ({}): {}", label(&failure.cause), failure.message),
        format!("查询被拒绝（{}）：{}", label(&failure.cause), fault_words::zh(&failure.message));
    R::PagesOutOfOrder {} =>
        "the server answers pages out of order of the id; nothing was written",
        "服务器没有按内码顺序返回各页；未写入任何内容";
    R::ListNotWhole { why } =>
        format!("the list was not read whole, and nothing was written: {}", why.said(false)),
        format!("列表未能完整读取，未写入任何内容：{}", why.said(true));
    R::NoCounterpart { source, target, found, first } =>
        format!(
            "environment {source} found {found} bills, and {target} holds none of these numbers exactly once: {}",
            first.join(", ")
        ),
        format!("环境 {source} 读到 {found} 张，环境 {target} 中没有一个编号恰好对应一张：{}", first.join("、"));
    R::TooManyAcross { most } =>
        format!("more than {most} bills between two environments in one run; cut the query by date"),
        format!("两个环境之间一次超过 {most} 张：请按日期缩小查询");
    R::BadNumber { said, zh } =>
        format!("a bill number of the source: {}", of_both(said, zh.as_deref(), false)),
        format!("来源单据的编号有问题：{}", of_both(said, zh.as_deref(), true));
    R::Interrupted {} =>
        "interrupted while collecting: the process ended; start it again",
        "读取单据时进程结束：请重新运行";
    R::TaskDied { said: Some(said) } =>
        format!("a bill's task died: {said}; its bill is unknown"),
        format!("处理单据的任务异常结束，该单据结果未知：“{said}”");
    R::TaskDied { said: None } =>
        "the run's task died: report the service log",
        "运行的任务异常结束：请反馈服务日志";
    R::Disk { said, zh } => of_both(said, zh.as_deref(), false), of_disk(said, zh.as_deref());
    R::Unattended { minutes, why: Some(why) } =>
        format!("paused and left alone for {minutes} minutes: {}", en(why, label)),
        format!("暂停后 {minutes} 分钟无人处理：{}", zh(why, label));
    R::Unattended { minutes, why: None } =>
        format!("paused and left alone for {minutes} minutes"),
        format!("暂停后 {minutes} 分钟无人处理");

    // The server the work belongs to.
    R::WrongServer { env, was, is } =>
        format!(
            "environment {env} is {is} now, and its records are on {was}: nothing was sent. Adopt the new address with \
             `skydeck env adopt {env} --reason …`, or put the old one back"
        ),
        format!(
            "环境 {env} 现在是 {is}，而其单据在 {was}：未发送任何请求。请用 `skydeck env adopt {env} --reason …` 确认新地址，或恢复原地址"
        );
    R::ServerUnknown { env, is } =>
        format!(
            "bills of environment {env} are open or unknown from before servers were noted: say with `skydeck env adopt \
             {env} --reason …` that they belong to {is}"
        ),
        format!(
            "环境 {env} 有旧版本留下的未完成或结果未知的单据，当时没有记录服务器：请用 `skydeck env adopt {env} --reason …` 确认它们属于 {is}"
        );
    R::OtherAccountSet { env, was, is } =>
        format!(
            "environment {env} belongs to {}; {} is another data centre (account set): make it an environment of its own",
            was.beside(is),
            is.beside(was)
        ),
        format!("环境 {env} 属于 {}；{} 是另一个数据中心（账套）：请另建一个环境", was.beside(is), is.beside(was));
    R::ServerKnown { env, is } =>
        format!("environment {env} is bound to {is} already"),
        format!("环境 {env} 已经属于 {is}");
    R::SameServer { env, other } =>
        format!(
            "environments {env} and {other} write to one server and data centre (account set): remove one, or give it \
             read_only = \"always\""
        ),
        format!("环境 {env} 和 {other} 写入同一个服务器和数据中心（账套）：请删除其一，或设为 `read_only = \"always\"`");

    // Who may order what, and when.
    R::ReadOnly { env } =>
        format!("environment {env} is read-only: unlock it first, with a reason"),
        format!("环境 {env} 为只读：请先解锁并写明理由");
    R::AlwaysReadOnly { env } =>
        format!("environment {env} is read-only by its configuration (read_only = \"always\")"),
        format!("环境 {env} 在配置中为永久只读（`read_only = \"always\"`）");
    R::NotAllowed { verb, role, needed } =>
        format!("not allowed: {verb} needs the role {needed}, yours is {role} (see [access] in the configuration)"),
        format!("{}需要{}权限；当前是{}（见配置 `[access]`）", verb_zh(verb), needed.zh(), role.zh());
    R::SecondPerson { run, hash } =>
        format!("noted: run {run} waits for a second approver, another user, within 10 minutes; set {hash}"),
        format!("已批准一次：运行 {run} 还需另一批准人在 10 分钟内批准，清单号 {hash}");
    R::Busy { plan, run } =>
        format!("plan {plan} has an unfinished run {run}: resume or stop it first"),
        format!("方案 {plan} 的运行 {run} 尚未结束：请先继续或停止它");
    R::NoRun { run } => format!("there is no run {run}"), format!("没有运行 {run}");
    R::NoPlan { plan } => format!("there is no plan `{plan}`"), format!("没有方案 `{plan}`");
    R::NoEnvironment { env } => format!("there is no environment `{env}`"), format!("没有环境 `{env}`");
    R::PlanNamesNoEnvironment { plan, env } =>
        format!("plan {plan} names environment `{env}`, which is not configured"),
        format!("方案 {plan} 指定的环境 `{env}` 没有配置");
    R::NothingConfigured {} => "no environment is configured", "没有配置任何环境";
    R::SetChanged { run, is, seen } =>
        format!("the set of run {run} has the hash {}, not {}: look at it again", is.short(), seen.short()),
        format!("运行 {run} 的清单号是 {}，不是 {}：请重新查看", is.short(), seen.short());
    R::TypeCount { n } => format!("type the number of bills, {n}"), format!("请输入单据张数 {n}");
    R::TypeEnvironment { env } => format!("type the environment's name, {env}"), format!("请输入环境名 {env}");
    R::NeedsReason { verb } =>
        format!("{verb} needs a written reason"),
        format!("{}需要写明理由", verb_zh(verb));
    R::FlagsNeedReason {} =>
        "flags that ignore an ERP rule need a written reason",
        "忽略 ERP 提示需要写明理由";
    R::ScheduleApproves {} =>
        "in production a person approves, never the schedule",
        "生产环境由人批准，定时运行不能自行批准";
    R::OtherFlags { first } =>
        format!("{first} approved other flags: approve the same ones, or let {first} approve anew"),
        format!("{first} 批准时选择的提示不同：请选择相同的，或由 {first} 重新批准");
    R::PlanChanged { plan, run, was, is } =>
        format!(
            "plan {plan} changed since run {run} was collected (then {}, now {}): stop it and start again",
            was.short(),
            is.short()
        ),
        format!(
            "方案 {plan} 在运行 {run} 读取之后已修改（当时版本 {}，现在 {}）：请停止后重新运行",
            was.short(),
            is.short()
        );
    R::BreakerOpen { env, why } =>
        format!("the breaker of {env} is tripped: {}", en(why, label)),
        format!("环境 {env} 的熔断已触发：{}", zh(why, label));
    R::NotAwaiting { run } =>
        format!("run {run} does not wait for an approval"),
        format!("运行 {run} 不处于待批准状态");
    R::NotWriting { run } =>
        format!("run {run} is not writing; it can be stopped"),
        format!("运行 {run} 没有在写入；可以停止它");
    R::NotPaused { run } => format!("run {run} is not paused"), format!("运行 {run} 没有暂停");
    R::OnlyReads { run } =>
        format!("run {run} only reads and continues by itself"),
        format!("运行 {run} 只读取，会自行继续");
    R::Closing { run } => format!("run {run} is being closed"), format!("运行 {run} 正在结束");
    R::Closed { run } =>
        format!("run {run} is closed; a closed run never changes"),
        format!("运行 {run} 已结束，不再改变");
    R::PaceZero {} => "a pace of 0 would wait for ever: pause the run instead",
        "速率为 0 会永远等待：请改用暂停";
    R::PaceBeyond { per_minute, concurrency } => format!("nothing keeps such a pace: at most {per_minute} calls a minute, {concurrency} in flight"),
        format!("没有服务器能达到此速率：每分钟最多 {per_minute} 次，同时最多 {concurrency} 次");
    R::EngineEnds {} => "the engine is ending: give the order again after the next start",
        "引擎正在结束：请在下次启动后再试";
    R::WritesElsewhere { host } => format!("{host} writes to this store, and here is only looked: give the order there, or end its engine first (`skydeck serve --end`)"),
        format!("{host} 正在写入该存储，此处只能查看：请在该主机上执行，或先结束其引擎（`skydeck serve --end`）");
    R::RunElsewhere { run, host: None } => format!("run {run} is in another machine's hands, or about to be: look at it, and give the order again"),
        format!("运行 {run} 在其他主机手中，或即将被接手：请查看后再试");
    R::RunElsewhere { run, host: Some(host) } => format!("run {run} is in the hands of {host}: give the order there"),
        format!("运行 {run} 由 {host} 执行：请在该主机上操作");
    R::OrderNotTaken { run, host } => format!("{host} has run {run} and did not take the order: it was taken back, nothing is done. `skydeck store hosts` says whether {host} is heard of"),
        format!("运行 {run} 由 {host} 执行，但它没有接收该指令：指令已撤回，未执行任何操作。可用 `skydeck store hosts` 查看 {host} 是否在线");
    R::OrderUnanswered { run, host } => format!("{host} took the order about run {run}, and what became of it is not known yet: look at the run before you give it again"),
        format!("{host} 已接收运行 {run} 的指令，结果尚不清楚：请先查看该运行再决定是否重试");
    R::OlderProgram { host } => format!("the program on {host} is older and does not know this order: give it there, or upgrade {host}"),
        format!("{host} 上的程序较旧，不认识该指令：请在该主机上操作，或升级该主机");
    R::OnHost { host, why } => format!("on {host}: {}", en(why, label)),
        format!("{host}：{}", zh(why, label));
    R::UnknownPerson { who } => format!("{who} and the other approver are on different machines, and the store does not know who they are: an administrator names both, `skydeck store person NAME --login HOST:UID`"),
        format!("{} 与另一批准人在不同主机上，存储中没有登记各是谁：请管理员为两人登记，`skydeck store person 姓名 --login 主机:UID`", who.said(Language::Zh));
    R::NoHost { host } => format!("no machine with the number {host} writes to this store now: `skydeck store hosts` lists them"),
        format!("目前没有编号为 {host} 的主机写入该存储：`skydeck store hosts` 可列出");
    R::OwnHost {} => "this is the machine itself: end its engine in the place of that (`skydeck serve --end`)",
        "这就是本机：请改为结束其引擎（`skydeck serve --end`）";
    R::StartedElsewhere { plan } => format!("another machine has started what was due of {plan}"),
        format!("{plan} 的本次定时已由其他主机启动");

    // What a plan lacks.
    R::PlanProblem { said, zh } =>
        of_both(said, zh.as_deref(), false),
        format!("方案不能使用：{}", of_both(said, zh.as_deref(), true));
    R::NoDate { given } =>
        format!("`{given}` is not a date; expected 2026-11-01 or \"2026-11-01 08:00:00\""),
        format!("`{given}` 不是日期：请写 2026-11-01 或 \"2026-11-01 08:00:00\"");
    R::NothingToEndBy { plan } =>
        format!("plan {plan} compares no date with LAST_SYNC_TIME: there is nothing to end a range by; leave --until out"),
        format!("方案 {plan} 没有与 LAST_SYNC_TIME 比较的日期，无法限定截止时间：请去掉 --until");
    R::RangeEndsFirst {} =>
        "the range ends before it begins: --until comes after --since",
        "截止时间早于开始时间：--until 应晚于 --since";
    R::NoEffect { plan, operation, rev: None } =>
        format!(
            "plan {plan} executes `{operation}` and does not say how a bill shows that it is done: add `{}`",
            declaration(operation)
        ),
        format!("方案 {plan} 执行 `{operation}`，但没有说明怎样看出单据已完成：请添加 `{}`", declaration(operation));
    R::NoEffect { plan, operation, rev: Some(rev) } =>
        format!(
            "revision {} of plan {plan} executes `{operation}` and does not say how a bill shows that it is done: use the \
             newest revision, which must hold `{}`",
            rev.short(),
            declaration(operation)
        ),
        format!(
            "方案 {plan} 的版本 {} 执行 `{operation}`，但没有说明怎样看出单据已完成：请用最新版本，其中须有 `{}`",
            rev.short(),
            declaration(operation)
        );
    R::OtherOperation { plan, was, is } =>
        format!(
            "plan {plan} executes {} now, and these bills were to get {}: retry them under their original revision, or \
             resolve them",
            is.name(),
            was.name()
        ),
        format!(
            "方案 {plan} 现在执行 {}，而这些单据当时要执行的是 {}：请按原来的版本重试，或办结",
            is.name(),
            was.name()
        );
    R::OperationNotAllowed { env, operation } =>
        format!(
            "operation `{operation}` is not in allow_operations of environment {env}: whoever is responsible for it must add it"
        ),
        format!("操作 `{operation}` 不在环境 {env} 的 `allow_operations` 中：须由环境负责人写入");
    R::RevisionNotKept { plan, rev, newest } =>
        format!(
            "revision {} of plan {plan} is not kept here (its run is older than the keeping of revisions): retry with the \
             newest, {}",
            rev.short(),
            newest.short()
        ),
        format!(
            "方案 {plan} 的版本 {} 没有保存（该运行早于版本保存功能）：请用最新版本 {} 重试",
            rev.short(),
            newest.short()
        );
    R::OffInProduction { plan } =>
        format!(
            "plan {plan} runs in production, where a schedule is off unless the plan says skydeck.schedule.production"
        ),
        format!("方案 {plan} 在生产环境中运行；除非方案写明 `skydeck.schedule.production`，定时在那里关闭");
    R::NumbersNone {} => "the list has no bill number in it: one a line, or separated by commas or blanks".to_owned(), "清单中没有单号：请每行一个，或以逗号、空格分隔".to_owned();
    R::NumbersTable { cells } =>
        format!("{cells} cells in one line: give the column of the bill numbers alone"),
        format!("一行中有 {cells} 格：请只给单号那一列");
    R::NumbersTooLarge { bytes, most } =>
        format!("the list has {bytes} bytes, and {most} is the most that is taken: split it"),
        format!("清单有 {bytes} 字节，上限为 {most} 字节：请分成几份");
    R::NumberTooLong { no, n, most } =>
        format!("the bill number {no}… has {n} characters; at most {most} can be asked for"),
        format!("单号 {no}… 有 {n} 个字符，最多可查询 {most} 个");
    R::NumberSign { no } =>
        format!("the bill number “{no}” cannot be asked for: it is empty or holds a quotation mark, `;`, `--`, `/*` or a control character"),
        format!("单号“{no}”无法查询：为空，或含有引号、`;`、`--`、`/*` 或控制字符");
    R::LookupCircle { plans } =>
        format!("{} look in one another's records: a look-up needs a plan that only collects (skydeck.collect)", plans.iter().map(PlanId::as_str).collect::<Vec<_>>().join(" → ")),
        format!("{} 相互查找：被查找的方案应为只读取的方案（skydeck.collect）", plans.iter().map(PlanId::as_str).collect::<Vec<_>>().join(" → "));
    R::LookupUnknown { plan, other, near } => {
            let near = near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("{plan} looks in {other}, which is neither one of its mapping tables nor a plan of the plan directory{near}")
        }, {
            let near = near.as_ref().map(|near| format!("；是不是 {near}？")).unwrap_or_default();
            format!("{plan} 要在 {other} 中查找，而它既不是该方案的对照表，也不是方案目录中的方案{near}")
        };
    R::LookupCalls { plan, other } =>
        format!("{plan} looks in {other}, whose runs leave records out because they call something: look in a plan that only collects (skydeck.collect)"),
        format!("{plan} 要在 {other} 中查找，而该方案会调用操作，其运行不留存全部记录：请在只读取的方案（skydeck.collect）中查找");
    R::LookupNotRead { plan, other } =>
        format!("{plan} looks in {other}, of which no full read is kept: run it first, `skydeck run {other} --sweep`"),
        format!("{plan} 要在 {other} 中查找，而该方案没有留存的全量读取：请先运行 `skydeck run {other} --sweep`");
    R::LookupColumn { plan, other, column } =>
        format!("{plan} looks in {other} for {column}, which its last reads do not have: add the column and run it, `skydeck run {other} --sweep`"),
        format!("{plan} 要在 {other} 中查找 {column}，而其最近的读取没有该列：请加上该列并运行 `skydeck run {other} --sweep`");
    R::LookupTooMany { plan, other, most } =>
        format!("{plan} looks in {other}, which keeps more than {most} records: narrow its filter"),
        format!("{plan} 要在 {other} 中查找，而该方案留存的记录超过 {most} 条：请收窄其过滤条件");
    R::NoRemedy { plan } =>
        format!("plan {plan} has no omissionRemedy"),
        format!("方案 {plan} 没有补偿查询（omissionRemedy）");
    R::NotHere { plan, form, env } =>
        format!("plan {plan} no longer queries {form} in environment {env}, where these bills are"),
        format!("方案 {plan} 已不再查询环境 {env} 中的 {form}，而这些单据在那里");
    R::FormsDiffer { plan, source, target } =>
        format!("plan {plan} queries {source} and calls {target}: status could not be read back"),
        format!("方案 {plan} 查询 {source} 而调用 {target}：无法回查状态");
    R::UnknownZone { env, zone } =>
        format!("environment {env} has the unknown server_zone `{zone}`; write e.g. Asia/Shanghai"),
        format!("环境 {env} 的 server_zone `{zone}` 不认识；例如写 Asia/Shanghai");
    R::LogDisagrees { fault, more } =>
        format!(
            "{}{}: no run starts before a person has looked (`skydeck log verify`) and accepted it (`skydeck log accept \
             --reason …`)",
            fault.en(),
            if *more > 0 { format!(", and {more} more") } else { String::new() }
        ),
        format!(
            "{}{}：请先查看（`skydeck log verify`），由有权批准的人接受（`skydeck log accept --reason …`）后才能启动运行",
            fault.zh(),
            if *more > 0 { format!("，另有 {more} 处") } else { String::new() }
        );
    R::LogAgrees {} => "the action log and the journal agree", "操作日志与流水一致，无需接受";
    R::TextTooLong { most } =>
        format!("a name, number or reason of the order is longer than {most} characters: shorten it"),
        format!("指令中的名称、编号或理由超过 {most} 个字符：请缩短");
    R::ListTooLong { most, n } =>
        format!("a list of the order has {n} entries, and one order takes {most}: give several orders"),
        format!("指令中的列表有 {n} 项，一次最多 {most} 项：请分几次下达");
    R::HandedInTooMuch { records, bytes } =>
        format!("one order takes {records} records of {bytes} bytes together: hand them in by several"),
        format!("一次最多接收 {records} 条记录、共 {bytes} 字节：请分几次提交");
    R::TakesNothing { plan } =>
        format!("plan {plan} asks for its records itself: only a plan with `skydeck.take` is handed any"),
        format!("方案 {plan} 自行查询数据：只有写有 `skydeck.take` 的方案才接收记录");
    R::HandedInBad { nth, why } =>
        format!("record {nth}: {}; none of this order was kept", bad_record(why, false)),
        format!("第 {nth} 条记录：{}；本次一条也未保存", bad_record(why, true));
    R::NotResolved {} =>
        "none of these bills is resolved: there is no entry to put back",
        "所指单据均未办结，没有可撤销的办结";
    R::NoSuchAlarm { plan } =>
        format!("nothing stands out of plan {plan} that could be no alarm: somebody said so before, or it is as usual again"),
        format!("方案 {plan} 当前没有可标为误报的推测：可能已有人标记，或已恢复平常");
    R::NothingMatches { left_out } =>
        match left_out.as_slice() {
            [] => "no unresolved bill matches".to_owned(),
            some => format!("no unresolved bill matches; left out: {}", counted(some, ", ", |why, n| format!("{n} {}", left_en(why)))),
        },
        match left_out.as_slice() {
            [] => "没有符合条件的遗留单据".to_owned(),
            some => format!("没有符合条件的遗留单据；未计入：{}", counted(some, "；", |why, n| format!("{n} 张{}", left_zh(why)))),
        };
}

fn counted(left: &[(LeftOut, u64)], between: &str, one: impl Fn(LeftOut, u64) -> String) -> String {
    left.iter().map(|(why, n)| one(*why, *n)).collect::<Vec<_>>().join(between)
}

/// Why entries were left out, in English, after their number.
pub(super) fn left_en(why: LeftOut) -> &'static str {
    match why {
        LeftOut::ResolvedMeanwhile => "resolved meanwhile",
        LeftOut::Quarantined => "quarantined",
        LeftOut::TooMany => "beyond what one run takes",
        LeftOut::NotUnknown => "neither unknown nor failed",
        LeftOut::RunUnknown => "of a run that is not known",
        LeftOut::OtherRevision => "of another revision of the same plan: retry them after this run",
        LeftOut::PlanBusy => "of a plan that is busy or cannot be used",
        LeftOut::OtherServer => "of an environment whose server is another one now",
    }
}

/// The same in Chinese.
pub(super) fn left_zh(why: LeftOut) -> &'static str {
    match why {
        LeftOut::ResolvedMeanwhile => "其间已有结果",
        LeftOut::Quarantined => "已隔离",
        LeftOut::TooMany => "超过一次运行的上限",
        LeftOut::NotUnknown => "既非结果未知也非失败",
        LeftOut::RunUnknown => "所属运行不明",
        LeftOut::OtherRevision => "属于同一方案的另一版本，请在本次运行之后重试",
        LeftOut::PlanBusy => "所属方案正在运行或不能使用",
        LeftOut::OtherServer => "所属环境的服务器已改变",
    }
}

/// An order's verb; one that is not known stands as it is.
fn verb_zh(verb: &str) -> String {
    action_words::verb(verb).map_or_else(|| format!("`{verb}` "), |verb| verb.zh.to_owned())
}
