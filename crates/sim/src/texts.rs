//! The server's words. Each function says where its text comes from (docs/simulator.md#what-is-invented--虚构部分 has the marks);
//! texts no source gives are marked `// invented:`.
//!
//! Invariant: sourced texts stand here word for word as public sources print them (docs/design/wire.md#messages).

use super::reply::Refusal;

/// MsgCode 1 [REAL].
pub const SESSION_LOST: &str = "会话信息已丢失，请重新登录";
/// Wrong account set, plain text [REAL].
pub const WRONG_ACCOUNT: &str = "Fail to verify thirty passport";

/// `元数据中标识为…的字段不存在`, MsgCode 9 [REAL].
pub fn no_field(name: &str) -> Refusal {
    Refusal::new(9, format!("元数据中标识为{name}的字段不存在"))
}

/// Unknown form, MsgCode 4 [REAL].
pub fn no_form(name: &str) -> Refusal {
    Refusal::new(4, format!("标识为“{name}”的业务对象不存在，或者被删除"))
}

/// Malformed filter or order, MsgCode 4. The first words are [REAL], the rest of the real text is unknown.
pub fn bad_filter(detail: &str) -> Refusal {
    // invented: everything after the first two words
    Refusal::new(4, format!("GetRealExpress error: {detail}"))
}

/// Empty FieldKeys, MsgCode 8 [REAL].
pub fn no_field_keys() -> Refusal {
    Refusal::new(8, "data 数据包中的参数 FieldKeys 的值不能为空")
}

/// Fields of two lists of entries in one query.
pub fn two_lists() -> Refusal {
    // invented: the real server joins them; the simulator does not
    Refusal::new(4, "模拟器不支持在一次查询中使用两个单据体的字段")
}

/// A number that is there already, MsgCode 11 [REAL].
pub fn not_unique(key: &str, number: &str) -> Refusal {
    Refusal::of(key, 11, format!("违反字段唯一性要求：编码唯一。[{number}]在当前系统中已经被使用。"))
}

/// A required field that is empty; the words `字段“…”是必填项` are [REAL].
pub fn required(key: &str, name: &str, line: Option<(&str, usize)>) -> Refusal {
    // invented: how a line of an entry is named before them
    let place = line.map(|(entity, seq)| format!("单据体“{entity}”第{seq}行")).unwrap_or_default();
    Refusal::of(key, 11, format!("{place}字段“{name}”是必填项"))
}

/// A bill without lines.
pub fn no_lines(key: &str, name: &str) -> Refusal {
    // invented: the text
    Refusal::of(key, 11, format!("单据体“{name}”是必填项，至少要有一行"))
}

/// Base data there is not [REAL words of an unknown number], MsgCode 9.
pub fn no_base(key: &str, name: &str, number: &str) -> Refusal {
    // invented: the field's name before the sourced words
    Refusal::of(key, 9, format!("字段“{name}”：编码值[\"{number}\"]不存在"))
}

/// A value that the field cannot hold.
pub fn bad_value(key: &str, name: &str, value: &str) -> Refusal {
    // invented: text and code
    let shown: String = value.chars().take(60).collect();
    Refusal::of(key, 4, format!("字段“{name}”的值“{shown}”格式不正确"))
}

/// An entry id that the bill has not.
pub fn no_line(id: i64) -> Refusal {
    // invented: text and code
    Refusal::new(10, format!("分录内码[{id}]不存在"))
}

/// The same packet again, with `ValidateRepeatJson`.
pub fn repeated() -> Refusal {
    // invented: text and code
    Refusal::new(11, "请求数据包重复，请勿重复提交")
}

/// More models than a call may have.
pub fn too_many_models(most: usize) -> Refusal {
    // invented: text and code
    Refusal::new(8, format!("一次最多保存{most}张单据"))
}

/// More lines than a bill may have.
pub fn too_many_lines(most: usize) -> Refusal {
    // invented: text and code
    Refusal::new(8, format!("单据体最多允许{most}行"))
}

/// No room for more bills.
pub fn full() -> Refusal {
    // invented: the text
    Refusal::new(6, "数据库空间不足，无法保存")
}

/// Nothing is left to push; the words `累计关联数量已达订单数量` are [CLIENT].
pub fn used_up(number: &str, form: &str) -> Refusal {
    // invented: the frame around the sourced words, and the code
    Refusal::new(11, format!("单据编号为“{number}”的{form}，累计关联数量已达订单数量，无法下推"))
}

/// A conversion rule there is not, or not from this form.
pub fn no_rule(id: &str) -> Refusal {
    // invented: text and code
    Refusal::new(9, format!("单据转换规则“{id}”不存在或未启用"))
}

/// Neither a rule nor the usual one asked for.
pub fn no_rule_given() -> Refusal {
    // invented: the text; that one of them has to be given is the vendor's
    Refusal::new(8, "未启用默认转换规则时，转换规则内码（RuleId）必录")
}

/// The usual rule, but to which form?
pub fn no_target_given() -> Refusal {
    // invented: the text; that it has to be given is the vendor's
    Refusal::new(8, "启用默认转换规则时，目标单据（TargetFormId）必录")
}

/// Neither ids nor numbers [REAL text], MsgCode 8 [INF].
pub fn nothing_given() -> Refusal {
    Refusal::new(8, "编码值或内码值必须传其一")
}

/// Nothing asked exists, MsgCode 9 [REAL].
pub fn no_number(number: &str) -> Refusal {
    Refusal::new(9, format!("编码值[\"{number}\"]不存在"))
}

/// The same for ids.
pub fn no_id(id: &str) -> Refusal {
    // invented: modelled on the text for numbers
    Refusal::new(9, format!("内码值[\"{id}\"]不存在"))
}

/// Already audited, MsgCode 11 [REAL].
pub fn already_audited(number: &str, form: &str) -> Refusal {
    Refusal::new(11, format!("单据编号为“{number}”的{form}，单据已经审核！"))
}

/// Audit of a bill that is not submitted [CLIENT text], MsgCode 11 plausible. It names no bill.
pub fn not_submitted() -> Refusal {
    Refusal::new(11, "请先提交审核!")
}

/// Submit in a wrong status [REAL text], MsgCode 11 [INF].
pub fn not_submittable(number: &str, form: &str) -> Refusal {
    Refusal::new(11, format!("单据编号为“{number}”的{form}，只有暂存、创建和重新审核的数据才允许提交！"))
}

/// Closed already.
pub fn already_closed(number: &str, form: &str) -> Refusal {
    // invented: the text, modelled on that of Audit
    Refusal::new(11, format!("单据编号为“{number}”的{form}，单据已经关闭！"))
}

/// Forbidden already.
pub fn already_forbidden(number: &str, form: &str) -> Refusal {
    // invented: the text, modelled on that of Audit
    Refusal::new(11, format!("单据编号为“{number}”的{form}，数据已经禁用！"))
}

/// Not forbidden.
pub fn already_enabled(number: &str, form: &str) -> Refusal {
    // invented: the text, modelled on that of Audit
    Refusal::new(11, format!("单据编号为“{number}”的{form}，数据没有被禁用！"))
}

/// An operation that the form has not.
pub fn no_operation() -> Refusal {
    // invented: the text; MsgCode 3 is "operation id empty"
    Refusal::new(3, "操作编码不存在")
}

/// Interaction needed, MsgCode 11 [REAL]. The reply does not name the flag that would let it pass
/// (docs/design/wire.md#prompts).
pub fn interaction() -> Refusal {
    Refusal::of("AbstractInteractionResult", 11, "更新库存时出现可以忽略的异常数据，是否继续？")
}

/// Edit lock [REAL text]. MsgCode 0 was recorded although the table says 13.
pub fn locked(user: &str, form: &str) -> Refusal {
    Refusal::new(0, format!("“{user}”使用业务单据：“{form}”业务操作-“[{form}-单据-修改]”冲突，请稍候再使用。"))
}

/// No permission, MsgCode 2 [CLIENT fixture]: the part between `没有` and `权限` is ours.
pub fn no_permission(form: &str, verb: &str) -> Refusal {
    // invented: what stands before 权限
    Refusal::new(2, format!("您没有{form}的{verb}权限，请联系系统管理员"))
}

/// Somebody changed the bill since it was loaded; the words `已被其他用户修改` are [CLIENT].
pub fn stale(number: &str, form: &str) -> Refusal {
    // invented: the frame around the sourced words
    Refusal::new(11, format!("单据编号为“{number}”的{form}已被其他用户修改，请刷新后再操作！"))
}

/// Closed period.
pub fn closed_period(number: &str, form: &str, day: &str) -> Refusal {
    // invented: no source gives the text (docs/design/wire.md#messages); it names bill, date and the closing
    Refusal::new(11, format!("单据编号为“{number}”的{form}，单据日期{day}所在期间库存已关账，不允许操作！"))
}

/// Stock shortage that no flag lets pass.
pub fn shortage(number: &str, form: &str) -> Refusal {
    // invented: no source gives the text
    Refusal::new(11, format!("单据编号为“{number}”的{form}，即时库存不足，不允许出现负库存！"))
}

/// Credit limit.
pub fn credit(number: &str, form: &str) -> Refusal {
    // invented: no source gives the text
    Refusal::new(12, format!("单据编号为“{number}”的{form}，客户信用额度超标，不允许审核！"))
}

/// A workflow owns the bill.
pub fn workflow(number: &str, form: &str) -> Refusal {
    // invented: no source gives the text
    Refusal::new(12, format!("单据编号为“{number}”的{form}，存在运行中的工作流实例，请在工作流中审批！"))
}

/// UnAudit, CancelAssign, Delete or BillClose in a wrong status.
pub fn wrong_status(number: &str, form: &str, rule: &str) -> Refusal {
    // invented: modelled on the text of Submit
    Refusal::new(11, format!("单据编号为“{number}”的{form}，{rule}！"))
}

/// Duplicate ids in one call; a client reports an error, not its words (docs/design/wire.md#what-a-call-carries).
pub fn duplicate(what: &str) -> Refusal {
    // invented: text and code
    Refusal::new(8, format!("传入的编码值或内码值[\"{what}\"]重复"))
}

/// Call limit, MsgCode 14.
pub fn call_limit() -> Refusal {
    // invented: only the code is documented
    Refusal::new(14, "接口调用次数超过限制，请稍候再试")
}

/// A request the simulator cannot read.
pub fn bad_parameter(detail: &str) -> Refusal {
    // invented: the real text is unknown
    Refusal::new(8, format!("参数错误：{detail}"))
}
