//! Classes of failure, as data: how to recognise one, what to advise, whether repeating can cure it.
//!
//! The built-in table is `causes.toml` beside this file; an operator's file may override or add rules.
//! Invariant: the server's own message always stands beside the class; a class never replaces it.

use serde::{Deserialize, Serialize};

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
    /// The ERP wants the bill submitted first.
    pub const NOT_SUBMITTED: &str = "not_submitted";
    /// Session lost in a login-mode environment.
    pub const SESSION: &str = "session";
    /// Wrong credentials.
    pub const CREDENTIALS: &str = "credentials";
    /// The id does not exist any more.
    pub const NOT_FOUND: &str = "not_found";
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
    /// Message contains, any of.
    #[serde(default)]
    pub contains: Vec<String>,
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
    /// What to do, Chinese.
    pub advice_zh: String,
    /// What to do, English.
    pub advice_en: String,
    /// Who acts: operator, finance, warehouse, owner, administrator.
    pub who: String,
    /// What may follow.
    pub repeat: Repeat,
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
        let hit = self.rule.iter().find(|rule| {
            (rule.msg_code.is_empty() || msg_code.is_some_and(|code| rule.msg_code.contains(&code)))
                && (rule.field.is_empty()
                    || field.is_some_and(|field| rule.field.iter().any(|f| f.eq_ignore_ascii_case(field))))
                && (rule.contains.is_empty() || rule.contains.iter().any(|part| message.contains(part.as_str())))
        });
        hit.map_or_else(|| Cause::new(known::UNCLASSIFIED), |rule| rule.cause.clone())
    }

    /// What is said about a class.
    pub fn info(&self, cause: &Cause) -> Option<&CauseInfo> {
        self.cause.iter().find(|info| info.cause == *cause)
    }

    /// What may follow; `AfterFix` for a class nobody described, the cautious choice.
    pub fn repeat(&self, cause: &Cause) -> Repeat {
        self.info(cause).map_or(Repeat::AfterFix, |info| info.repeat)
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
    fn the_built_in_table_describes_every_class_it_names() {
        let table: CauseTable = toml::from_str(BUILT_IN).unwrap();
        for rule in &table.rule {
            assert!(table.info(&rule.cause).is_some(), "{}", rule.cause);
        }
        for (code, field, message, cause) in [
            (Some(11), Some("AbstractInteractionResult"), "更新库存时出现可以忽略的异常数据，是否继续？", "stock"),
            (Some(11), None, "单据编号为“XSCKD000123”的销售出库单，单据已经审核！", "already_audited"),
            (Some(0), None, "“demo”使用业务单据：“销售订单”业务操作-“[销售订单-1-修改]”冲突，请稍候再使用。", "lock"),
            (Some(14), None, "x", "call_limit"),
            (Some(11), None, "别的", "validation"),
            (None, None, "别的", "unclassified"),
        ] {
            assert_eq!(table.classify(code, field, message).as_str(), cause, "{message}");
        }
    }
}
