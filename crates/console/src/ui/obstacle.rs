//! Why an action cannot be done now, and what to do instead.
//!
//! Invariant: whatever cannot be done has a reason that is said; each names the next step.

use super::config::Lang;
use super::format::fill;
use super::keymap::Action;
use super::shared::Shared;

/// What is in the way of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    NoRun,
    NothingWaits,
    CannotPauseYet,
    RunEnded,
    NoEnvironment,
    NotReadOnly,
    NothingChosen,
    NoBillHere,
    AllSelected,
    NothingSelected,
    NothingToSelect,
    NoFilter,
    NoColumns,
    FirstColumns,
    NothingListed,
    NothingToCopy,
    NoOtherRun,
    NoPlan,
    PlanUnusable,
    PlanRuns,
    PlanNeverRan,
    NothingHere,
    NothingUnfolded,
    NoRunHere,
    NotAPlan,
    NoBillOpen,
    NoCallHere,
    NothingResolved,
    NoAlarmHere,
    /// The store is being opened.
    Opening,
}

impl Obstacle {
    /// In words, with a place for the key of [`Self::helps`].
    pub fn words(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en(),
            Lang::Zh => self.zh(),
        }
    }

    fn en(self) -> &'static str {
        match self {
            Self::NoRun => "no run is in view; choose one in History ({})",
            Self::NothingWaits => "the run in view waits for no approval; Today ({}) lists what waits for somebody",
            Self::CannotPauseYet => "the run calls nothing now; what it waits for is seen in the queue ({})",
            Self::RunEnded => "the run has ended; its bills are in Results ({})",
            Self::NoEnvironment => "no environment is configured; Plans ({}) says what is missing",
            Self::NotReadOnly => "this environment is not read-only; Today ({}) lists all of them",
            Self::NothingChosen => "no bill or group is under the cursor; the ledger ({}) has what is unresolved",
            Self::NoBillHere => "no bill is under the cursor; {} opens what is",
            Self::AllSelected => "all that match are selected already; {} clears it",
            Self::NothingSelected => "nothing is selected; {} selects a bill",
            Self::NothingToSelect => "this list has no bills; {} shows another run",
            Self::NoFilter => "no filter is set; {} sets one",
            Self::NoColumns => "no bill is listed, so there are no columns; {} filters History by bills",
            Self::FirstColumns => "these are the first columns; {} shows those further right",
            Self::NothingListed => "nothing is listed; choose a run in History ({})",
            Self::NothingToCopy => "nothing is under the cursor; {} goes to the first row",
            Self::NoOtherRun => "no other run is known here; History ({}) has them all",
            Self::NoPlan => "no plan is under the cursor; Plans ({}) lists them",
            Self::PlanUnusable => "the plan's file cannot be used; correct it, then {} in Plans reads it again",
            Self::PlanRuns => "a run of this plan is open; its queue ({}) shows it, to be gone on with or stopped",
            Self::PlanNeverRan => "this plan has not run yet; {} starts it",
            Self::NothingHere => "nothing is under the cursor; {} goes back",
            Self::NothingUnfolded => "nothing is unfolded; {} unfolds",
            Self::NoRunHere => "bills are listed, not runs; {} clears the filter",
            Self::NotAPlan => "the numbers are in the rows of the plans; {} goes to the last row",
            Self::NoBillOpen => "no bill is open; {} finds one by its number",
            Self::NoCallHere => "this line has no request and response; {} shows those of all calls",
            Self::NoAlarmHere => "what this row says is certain, or no alarm; {} goes to the first row",
            Self::NothingResolved => "nothing was resolved here; {} finds a resolved bill by its number",
            Self::Opening => "the records are being opened, the top line says how far; {} shows the keys",
        }
    }

    fn zh(self) -> &'static str {
        match self {
            Self::NoRun => "当前没有运行；在历史页（{}）选择",
            Self::NothingWaits => "当前运行不在等待批准；等待处理的见今日页（{}）",
            Self::CannotPauseYet => "本次运行现在不调用；在队列页（{}）查看它在等什么",
            Self::RunEnded => "本次运行已结束；单据见结果页（{}）",
            Self::NoEnvironment => "没有配置环境；缺什么见方案页（{}）",
            Self::NotReadOnly => "此环境不是只读环境；全部环境见今日页（{}）",
            Self::NothingChosen => "光标处没有单据或分组；遗留单据见遗留页（{}）",
            Self::NoBillHere => "光标处没有单据；按 {} 打开光标处",
            Self::AllSelected => "匹配的已全部勾选；按 {} 取消",
            Self::NothingSelected => "没有勾选；按 {} 勾选单据",
            Self::NothingToSelect => "此列表没有单据；按 {} 换一次运行",
            Self::NoFilter => "没有设置过滤；按 {} 设置",
            Self::NoColumns => "没有列出单据，因此没有列；按 {} 过滤单据",
            Self::FirstColumns => "已是最左边的列；按 {} 向右",
            Self::NothingListed => "没有列出内容；在历史页（{}）选择运行",
            Self::NothingToCopy => "光标处没有内容；按 {} 到第一行",
            Self::NoOtherRun => "没有其他已知运行；全部见历史页（{}）",
            Self::NoPlan => "光标处没有方案；方案见方案页（{}）",
            Self::PlanUnusable => "方案文件不可用；改正后在方案页按 {} 重新读取",
            Self::PlanRuns => "此方案有未结束的运行；在队列页（{}）继续或停止",
            Self::PlanNeverRan => "此方案尚未运行；按 {} 执行",
            Self::NothingHere => "光标处没有可打开的内容；按 {} 返回",
            Self::NothingUnfolded => "没有展开的内容；按 {} 展开",
            Self::NoRunHere => "列出的是单据而不是运行；按 {} 清除过滤",
            Self::NotAPlan => "数字在方案各行；按 {} 到最后一行",
            Self::NoBillOpen => "没有打开单据；按 {} 按单号查找",
            Self::NoCallHere => "此行没有请求与响应；按 {} 展开全部",
            Self::NoAlarmHere => "此行不是推测的告警；按 {} 到第一行",
            Self::NothingResolved => "此处没有办结过；按 {} 按单号查找已办结的单据",
            Self::Opening => "正在打开记录，进度见第一行；按 {} 查看按键",
        }
    }

    /// The action that leads on.
    pub fn helps(self) -> Action {
        match self {
            Self::NoRun | Self::NothingListed | Self::NoOtherRun => Action::History,
            Self::NothingWaits | Self::NotReadOnly => Action::Today,
            Self::NoEnvironment | Self::NoPlan => Action::Plans,
            Self::CannotPauseYet | Self::PlanRuns => Action::Queue,
            Self::RunEnded => Action::Results,
            Self::NothingChosen => Action::Ledger,
            Self::NoBillHere | Self::NothingUnfolded => Action::Open,
            Self::AllSelected => Action::Unmark,
            Self::NothingSelected => Action::Mark,
            Self::NothingToSelect => Action::PrevRun,
            Self::NoFilter | Self::NoColumns => Action::Filter,
            Self::FirstColumns => Action::ColumnsRight,
            Self::NothingToCopy | Self::NoAlarmHere => Action::First,
            Self::PlanUnusable => Action::Reload,
            Self::PlanNeverRan => Action::Run,
            Self::NothingHere => Action::Back,
            Self::NoRunHere => Action::ClearFilter,
            Self::NotAPlan => Action::Last,
            Self::NoBillOpen | Self::NothingResolved => Action::Find,
            Self::NoCallHere => Action::Raw,
            Self::Opening => Action::Help,
        }
    }
}

impl Shared {
    /// Says what is in the way of an action, and what leads on.
    pub fn say_why(&mut self, why: Obstacle, action: Action) {
        let why = fill(why.words(self.lang), &[&self.setup.keymap.key(why.helps())]);
        let text = fill(self.t().not_now, &[self.lang.action(action).0, &why]);
        self.note(false, text);
        self.count = None;
    }
}
