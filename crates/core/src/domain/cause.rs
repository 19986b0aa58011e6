//! Classes of failure, as data: how to recognise one, what to advise, whether repeating can cure it.
//!
//! The built-in table is `causes.toml` beside this file; an operator's file may override or add rules.
//! Invariant: the server's own message always stands beside the class; a class never replaces it.

use serde::{Deserialize, Serialize};

use super::bill::Failure;
use super::bounds;
use super::folded::{clauses, folded, is_like};
use super::step::Step;

/// Name of a class, e.g. `stock`. Open, because operators may add their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cause(pub String);

impl Cause {
    /// Wraps a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names the engine itself needs to know.
pub mod known {
    /// No rule matched.
    pub const UNCLASSIFIED: &str = "unclassified";
    /// The connection could not be made; nothing was sent.
    pub const NOT_CONNECTED: &str = "not_connected";
    /// Read back unchanged after the one automatic repeat: the ERP did not apply our call.
    pub const NOT_APPLIED: &str = "not_applied";
    /// The ERP says the bill is audited already.
    pub const ALREADY_AUDITED: &str = "already_audited";
    /// The ERP says the bill is done already, and a look says that it is not.
    pub const SAYS_DONE: &str = "says_done";
    /// A question of the ERP that nobody was there to answer.
    pub const INTERACTION: &str = "interaction";
    /// A rule of the ERP that no other class is about.
    pub const VALIDATION: &str = "validation";
    /// Not refused: our submit took, or another one did, and the bill waits for its audit.
    pub const SUBMITTED: &str = "submitted";
    /// Not refused: our call made the bill, and the next step follows.
    pub const SAVED: &str = "saved";
    /// What is to be made could not be: nothing was sent.
    pub const MAPPING: &str = "mapping";
    /// The period of its date is closed.
    pub const PERIOD: &str = "period";
    /// Two records would be made under one key: nothing was sent for either.
    pub const SAME_KEY: &str = "same_key";
    /// What was sent is kept no longer, so that nothing can be compared with it: nothing was sent.
    pub const BODY_GONE: &str = "body_gone";
    /// The ERP wants the bill submitted first.
    pub const NOT_SUBMITTED: &str = "not_submitted";
    /// Session lost in a login-mode environment.
    pub const SESSION: &str = "session";
    /// Wrong credentials.
    pub const CREDENTIALS: &str = "credentials";
    /// The id does not exist any more.
    pub const NOT_FOUND: &str = "not_found";
    /// The bill's id holds signs that a list of ids cannot carry; nothing was sent.
    pub const ODD_ID: &str = "odd_id";
    /// The plan asks for something the form does not have.
    pub const PARAMETER: &str = "parameter";
}

/// What may follow a failure of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Back off (bounded) and repeat by itself.
    Delayed,
    /// Read the status first, then decide; the effect is open.
    VerifyFirst,
    /// Repeating helps only after somebody mended something.
    AfterFix,
    /// Repeat the members of the batch one by one.
    Singly,
    /// Never by itself; all bills of the plan would fail: stop the plan.
    StopPlan,
    /// Nothing to do: it is done.
    Done,
}

/// One rule of the table. Every given condition must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseRule {
    /// The class this rule leads to.
    pub cause: Cause,
    /// `MsgCode`s, any of.
    #[serde(default)]
    pub msg_code: Vec<i64>,
    /// `FieldName` equals (case ignored), any of.
    #[serde(default)]
    pub field: Vec<String>,
    /// Message contains, any of. Letter case, script (simplified or traditional) and width do not matter.
    #[serde(default)]
    pub contains: Vec<String>,
    /// A part of the message between signs of punctuation is one of these as a whole; `*` stands for any signs.
    #[serde(default)]
    pub clause: Vec<String>,
    /// Message contains none of these.
    #[serde(default)]
    pub unless: Vec<String>,
    /// The interaction flag that answers what the ERP asks with these words, where it is known; `None`: no flag does, or
    /// nobody has told.
    #[serde(default)]
    pub flag: Option<String>,
}

impl CauseRule {
    fn holds(&self, msg_code: Option<i64>, field: Option<&str>, said: &str) -> bool {
        let has = |part: &String| said.contains(&folded(part));
        let is = |pattern: &String| clauses(said).any(|clause| is_like(clause, &folded(pattern)));
        let worded = self.contains.is_empty() && self.clause.is_empty();
        (self.msg_code.is_empty() || msg_code.is_some_and(|code| self.msg_code.contains(&code)))
            && (self.field.is_empty()
                || field.is_some_and(|field| self.field.iter().any(|f| f.eq_ignore_ascii_case(field))))
            && (worded || self.contains.iter().any(has) || self.clause.iter().any(is))
            && !self.unless.iter().any(has)
    }
}

/// Words that may say of the bill that it is audited, or of another document: only a look tells which.
const HINTS: [&str; 8] = [
    "已审核",
    "已经审核",
    "已被审核",
    "重复审核",
    "been audited",
    "already audited",
    "been approved",
    "already approved",
];

/// Whether a refusal may mean that its bill is audited already.
pub fn hints_at_done(message: &str) -> bool {
    let text = folded(message);
    HINTS.iter().any(|hint| text.contains(hint))
}

/// What may follow the words that it was done before, where the call did it and something after that went wrong.
const WENT_WRONG: [&str; 5] = ["失败", "异常", "出错", "fail", "error"];

/// How the ERP refuses an operation that has been done before: the end of its sentence.
const OPERATED: [&str; 11] = [
    "已关闭",
    "已经关闭",
    "已禁用",
    "已经禁用",
    "没有被禁用",
    "已启用",
    "已经启用",
    "already closed",
    "already forbidden",
    "already disabled",
    "already enabled",
];

/// Whether a refusal says that what a step asks for had been done before the call. One that tells of something that went wrong
/// after it was done says no such thing.
pub fn says_done_before(step: Step, cause: &Cause, message: &str) -> bool {
    let text = folded(message);
    match step {
        Step::Submit | Step::Audit => {
            let ends = HINTS.iter().filter_map(|hint| text.rfind(hint).map(|at| at + hint.len()));
            let rest = ends.max().and_then(|end| text.get(end..)).unwrap_or_default();
            cause.as_str() == known::ALREADY_AUDITED && !WENT_WRONG.iter().any(|words| rest.contains(words))
        }
        Step::Operate | Step::Save | Step::Push | Step::Send => {
            let last = clauses(&text).last().unwrap_or_default();
            OPERATED.iter().any(|words| last.ends_with(words)) && !last.contains("期间") && !last.contains("period")
        }
        Step::Fetch | Step::Verify => false,
    }
}

/// What is said about a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseInfo {
    /// The class.
    pub cause: Cause,
    /// Short label, Chinese.
    pub zh: String,
    /// Short label, English.
    pub en: String,
    /// Labels that it had before: filters that people kept still take them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub was: Vec<String>,
    /// What to do, Chinese.
    pub advice_zh: String,
    /// What to do, English.
    pub advice_en: String,
    /// Who acts: operator, finance, warehouse, owner, administrator.
    pub who: String,
    /// What may follow.
    pub repeat: Repeat,
    /// It lies in the ERP around the bills, not in the single bill: what cures it for one cures it for all.
    #[serde(default)]
    pub environment: bool,
    /// The ERP says so before it changes anything: the bill was not touched, and needs no look to be told as failed.
    #[serde(default)]
    pub before_write: bool,
}

/// The table: rules in order, first match wins, and what is said about each class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseTable {
    /// Classes.
    #[serde(default)]
    pub cause: Vec<CauseInfo>,
    /// Rules in order.
    #[serde(default)]
    pub rule: Vec<CauseRule>,
}

impl CauseTable {
    /// The class of an error, [`known::UNCLASSIFIED`] when no rule matches.
    pub fn classify(&self, msg_code: Option<i64>, field: Option<&str>, message: &str) -> Cause {
        self.first(msg_code, field, message, |_| true)
    }

    /// The class of an error that a look contradicts where it says that there is nothing to do: that of its other words,
    /// [`known::SAYS_DONE`] where they tell nothing more.
    pub fn classify_undone(&self, msg_code: Option<i64>, field: Option<&str>, message: &str) -> Cause {
        let cause = self.first(msg_code, field, message, |cause| self.repeat(cause) != Repeat::Done);
        let vague = matches!(cause.as_str(), known::UNCLASSIFIED | known::VALIDATION);
        if vague { Cause::new(known::SAYS_DONE) } else { cause }
    }

    fn first(
        &self,
        msg_code: Option<i64>,
        field: Option<&str>,
        message: &str,
        takes: impl Fn(&Cause) -> bool,
    ) -> Cause {
        let said = folded(bounds::head(message, bounds::JUDGED));
        let hit = self.rule.iter().find(|rule| takes(&rule.cause) && rule.holds(msg_code, field, &said));
        hit.map_or_else(|| Cause::new(known::UNCLASSIFIED), |rule| rule.cause.clone())
    }

    /// The interaction flag that would let a refusal pass, by the first rule of its class that holds.
    pub fn flag(&self, failure: &Failure) -> Option<&str> {
        let said = folded(bounds::head(&failure.message, bounds::JUDGED));
        let holds = |rule: &&CauseRule| {
            rule.cause == failure.cause && rule.holds(failure.msg_code, failure.field.as_deref(), &said)
        };
        self.rule.iter().find(holds)?.flag.as_deref()
    }

    /// What is said about a class.
    pub fn info(&self, cause: &Cause) -> Option<&CauseInfo> {
        self.cause.iter().find(|info| info.cause == *cause)
    }

    /// What is said about a class of a bill that failed: never that there is nothing to do, as facts of earlier versions have
    /// it.
    pub fn info_failed(&self, cause: &Cause) -> Option<&CauseInfo> {
        match self.info(cause) {
            Some(info) if info.repeat == Repeat::Done => self.info(&Cause::new(known::SAYS_DONE)).or(Some(info)),
            info => info,
        }
    }

    /// What may follow; `AfterFix` for a class nobody described, the cautious choice.
    pub fn repeat(&self, cause: &Cause) -> Repeat {
        self.info(cause).map_or(Repeat::AfterFix, |info| info.repeat)
    }

    /// Whether a bill that was refused so, and did not change since, is certain to be refused again. A call without effect may
    /// have one next time, a prompt may be answered when the set is approved, and what lies in the environment may be gone.
    pub fn refuses_again(&self, cause: &Cause) -> bool {
        let open = [known::NOT_APPLIED, known::INTERACTION].contains(&cause.as_str());
        self.repeat(cause) == Repeat::AfterFix && !open && !self.of_environment(cause)
    }

    /// Whether a class lies in the environment rather than in the bill.
    pub fn of_environment(&self, cause: &Cause) -> bool {
        self.info(cause).is_some_and(|info| info.environment)
    }

    /// Whether a refusal of this class proves that nothing was changed.
    pub fn proves_untouched(&self, cause: &Cause) -> bool {
        self.info(cause).is_some_and(|info| info.before_write)
    }

    /// This table with an operator's on top: their rules come first, their descriptions replace ours.
    #[must_use]
    pub fn overridden_by(mut self, other: Self) -> Self {
        self.cause.retain(|info| !other.cause.iter().any(|o| o.cause == info.cause));
        self.cause.extend(other.cause);
        let mut rule = other.rule;
        rule.append(&mut self.rule);
        self.rule = rule;
        self
    }
}

/// The built-in table, as it is shipped.
pub const BUILT_IN: &str = include_str!("causes.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_flag_that_answers_it_where_its_words_tell() {
        let built_in: CauseTable = toml::from_str(BUILT_IN).unwrap();
        let prompt = Some("AbstractInteractionResult");
        let flag = |table: &CauseTable, field: Option<&str>, message: &str| {
            let cause = table.classify(Some(11), field, message);
            let failure =
                Failure { cause, msg_code: Some(11), field: field.map(str::to_owned), message: message.to_owned() };
            table.flag(&failure).map(str::to_owned)
        };
        for (field, message, want) in [
            (prompt, "更新库存时出现可以忽略的异常数据，是否继续？", Some("STK_InvCheckResult")),
            (prompt, "更新庫存時出現可以忽略的異常數據", Some("STK_InvCheckResult")),
            (prompt, "存在记录不符合价格来源检查控制条件，是否继续？", Some("SAL_CHECKPRICESOURCEFB")),
            (prompt, "第1行分录价格低于最低限价", Some("SAL_DOWNPRICECHECK")),
            (prompt, "客户信用检查不通过，是否继续？", None),
            // No prompt: nothing waves it through.
            (None, "物料1.01库存不足，不允许出现负库存！", None),
            (None, "单据所属会计期间已关账", None),
        ] {
            assert_eq!(flag(&built_in, field, message).as_deref(), want, "{message}");
        }
        let own = "[[rule]]\ncause = 'interaction'\ncontains = ['信用检查']\nflag = 'OWN_CREDIT'";
        let own = built_in.overridden_by(toml::from_str(own).unwrap());
        assert_eq!(flag(&own, prompt, "客户信用检查不通过，是否继续？").as_deref(), Some("OWN_CREDIT"));
    }

    #[test]
    fn the_built_in_table_describes_every_class_it_names() {
        let table: CauseTable = toml::from_str(BUILT_IN).unwrap();
        for rule in &table.rule {
            assert!(table.info(&rule.cause).is_some(), "{}", rule.cause);
        }
        let prompt = Some("AbstractInteractionResult");
        for (code, field, message, cause) in [
            (Some(11), prompt, "更新库存时出现可以忽略的异常数据，是否继续？", "stock"),
            (Some(11), None, "物料1.01 即時庫存不足，不允許出現負庫存！", "stock"),
            (Some(11), None, "Insufficient inventory for item 1.01", "stock"),
            (Some(11), prompt, "客户信用检查不通过：超出信用额度，是否继续？", "interaction"),
            (Some(11), prompt, "第1行分录价格低于最低限价", "interaction"),
            (Some(11), None, "存在记录不符合价格来源检查控制条件", "interaction"),
            (Some(11), None, "超過信用額度，是否繼續？", "interaction"),
            (Some(11), None, "Credit limit exceeded. Do you want to continue?", "interaction"),
            (Some(11), None, "单据编号为“XSCKD000123”的销售出库单，单据已经审核！", "already_audited"),
            (Some(11), None, "單據編號為“XSCKD000123”的銷售出庫單，單據已經審核！", "already_audited"),
            (Some(11), None, "单据编号为“XSCKD000123”的销售出库单已审核", "already_audited"),
            (Some(11), None, "The document has already been audited.", "already_audited"),
            (Some(11), None, "不能重复审核", "already_audited"),
            (Some(11), None, "关联的销售发票已审核，不允许执行该操作！", "validation"),
            (Some(11), None, "The related invoice has been audited.", "validation"),
            (Some(11), None, "只有审核中和已审核的数据才允许关闭！", "validation"),
            (Some(11), None, "发货通知单未审核，不允许审核！", "validation"),
            (Some(11), None, "单据日期小于等于库存组织的最后关账日期，不允许审核！", "period"),
            (Some(11), None, "當前期間已結帳", "period"),
            (Some(11), None, "The accounting period has been closed", "period"),
            (Some(11), None, "价目表有效期间不包含单据日期", "validation"),
            (Some(11), None, "信用期间已超过，结账方式为现结", "validation"),
            (Some(11), None, "只有暂存、创建和重新审核的数据才允许提交！", "wrong_status"),
            (Some(11), None, "单据已提交，不能重复提交", "wrong_status"),
            (Some(11), None, "请先提交审核!", "not_submitted"),
            (Some(11), None, "已启动工作流，请通过工作流审批！", "workflow"),
            (Some(2), None, "您没有负库存审核的权限", "permission"),
            (Some(7), None, "期间许可已关账", "licence"),
            (Some(1), None, "x", "session"),
            (Some(13), None, "单据已审核", "lock"),
            (Some(0), None, "“demo”使用业务单据：“销售订单”业务操作-“[销售订单-1-修改]”冲突，请稍候再使用。", "lock"),
            (Some(14), None, "x", "call_limit"),
            (Some(15), None, "x", "login_forbidden"),
            (Some(4), None, "Transaction was deadlocked", "database"),
            (Some(11), None, "事务被死锁", "database"),
            (None, Some("FStockId"), "字段“仓库”是必填项", "validation"),
            (None, None, "Field Warehouse is required", "validation"),
            (Some(11), None, "别的", "validation"),
            (None, None, "别的", "unclassified"),
        ] {
            assert_eq!(table.classify(code, field, message).as_str(), cause, "{message}");
        }
    }

    #[test]
    fn a_failed_bill_is_never_told_that_there_is_nothing_to_do() {
        let table: CauseTable = toml::from_str(BUILT_IN).unwrap();
        let undone = |message| table.classify_undone(Some(11), None, message);
        assert_eq!(undone("单据已审核").as_str(), known::SAYS_DONE);
        assert_eq!(undone("单据已审核，所在期间已关账").as_str(), "period");
        for info in &table.cause {
            let is_done = info.repeat == Repeat::Done;
            let told = if is_done { known::SAYS_DONE } else { info.cause.as_str() };
            assert_eq!(table.info_failed(&info.cause).unwrap().cause.as_str(), told);
        }
        let done = Cause::new(known::ALREADY_AUDITED);
        let alone = CauseTable { cause: table.info(&done).cloned().into_iter().collect(), rule: Vec::new() };
        assert_eq!(alone.info_failed(&done), table.info(&done), "nothing else is described");
        assert_eq!(table.info_failed(&Cause::new("theirs")), None);
        assert!(hints_at_done("關聯的發票已審核") && hints_at_done("has been Approved") && !hints_at_done("未审核"));
    }

    #[test]
    fn a_class_that_nobody_described_is_taken_cautiously() {
        let table: CauseTable = toml::from_str(BUILT_IN).unwrap();
        let theirs = Cause::new("theirs");
        assert_eq!((table.repeat(&theirs), table.of_environment(&theirs)), (Repeat::AfterFix, false));
        let stock = Cause::new("stock");
        assert_eq!((table.repeat(&stock), table.of_environment(&stock)), (Repeat::AfterFix, true));
        let lock = Cause::new("lock");
        assert_eq!((table.repeat(&lock), table.of_environment(&lock)), (Repeat::Delayed, false));
    }

    #[test]
    fn rules_of_the_operator_come_first_and_descriptions_replace_ours() {
        let info = |cause: &str, en: &str| CauseInfo {
            cause: Cause::new(cause),
            zh: String::new(),
            en: en.to_owned(),
            was: Vec::new(),
            advice_zh: String::new(),
            advice_en: String::new(),
            who: String::new(),
            repeat: Repeat::Delayed,
            environment: false,
            before_write: false,
        };
        let rule = |cause: &str, contains: &str| CauseRule {
            cause: Cause::new(cause),
            msg_code: Vec::new(),
            field: Vec::new(),
            contains: vec![contains.to_owned()],
            clause: Vec::new(),
            unless: Vec::new(),
            flag: None,
        };
        let ours = CauseTable {
            cause: vec![info("a", "ours"), info("b", "ours")],
            rule: vec![rule("a", "x"), rule("b", "y")],
        };
        let theirs = CauseTable { cause: vec![info("b", "theirs"), info("c", "theirs")], rule: vec![rule("c", "x")] };
        let both = CauseTable {
            cause: vec![info("a", "ours"), info("b", "theirs"), info("c", "theirs")],
            rule: vec![rule("c", "x"), rule("a", "x"), rule("b", "y")],
        };
        assert_eq!(ours.overridden_by(theirs), both);
        assert_eq!([both.classify(None, None, "X").as_str(), both.classify(None, None, "y").as_str()], ["c", "b"]);
    }

    #[test]
    fn every_condition_of_a_rule_must_hold() {
        let table: CauseTable = toml::from_str(
            "[[rule]]\ncause = 'a'\nmsg_code = [3]\nfield = ['F', 'H']\ncontains = ['x', 'y']\nunless = ['z']\n\
             [[rule]]\ncause = 'b'\ncontains = ['only']\nclause = ['the * one']\n\
             [[rule]]\ncause = 'c'\nclause = ['alone']\n\
             [[rule]]\ncause = 'd'\nmsg_code = [5, 6]\n",
        )
        .unwrap();
        for (code, field, message, cause) in [
            (Some(3), Some("f"), "aYb", "a"),
            (Some(3), Some("h"), "aYb", "a"),
            (Some(4), Some("f"), "aYb", "unclassified"),
            (Some(4), Some("f"), "so, Alone!", "c"),
            (Some(4), Some("f"), "so alone", "unclassified"),
            (Some(6), None, "", "d"),
            (None, Some("f"), "aYb", "unclassified"),
            (Some(3), None, "aYb", "unclassified"),
            (Some(3), Some("G"), "aYb", "unclassified"),
            (Some(3), Some("F"), "b", "unclassified"),
            (Some(3), Some("F"), "xZ", "unclassified"),
            (None, None, "not ONLY", "b"),
            (None, None, "well, the other one!", "b"),
            (None, None, "well the other one", "unclassified"),
        ] {
            assert_eq!(table.classify(code, field, message).as_str(), cause, "{message}");
        }
    }
}
