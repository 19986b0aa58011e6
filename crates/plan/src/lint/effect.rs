//! Hazards of what the filter selects beside what the call leads to.
//!
//! Invariant: nothing is said of a filter that is not read with certainty (`or`, a leading `not`, a query inside, a `_function`).

use super::super::effect::written_all;
use super::super::filter_text::{self, Kind, Predicate, Token};
use super::{Found, Severity};
use skydeck_core::domain::bill::STATUS_PATH;
use skydeck_core::domain::operation::{Test, shown_by};
use skydeck_core::domain::step::Verb;

/// Codes of a bill's status.
const STATUS: [&str; 5] = ["Z", "A", "B", "C", "D"];

/// What a filter certainly asks for.
pub(super) struct Asked<'a> {
    predicates: &'a [Predicate],
    /// Brackets, `and` and comparisons alone: every predicate holds for every bill.
    certain: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn new(filter: &str, tokens: &[Token], predicates: &'a [Predicate]) -> Self {
        let function = filter.contains("_function ") || filter.contains("_findCollection ");
        let inner = tokens.iter().any(|t| matches!(&t.kind, Kind::Word(w) if w.eq_ignore_ascii_case("select")));
        let certain = !function && !inner && !filter_text::has_or(tokens) && !filter_text::has_leading_not(tokens);
        Self { predicates, certain }
    }

    /// Which of these codes the field of a selected bill can hold; `None` where the filter does not say.
    fn codes(&self, field: &str, all: &[&'static str]) -> Option<Vec<&'static str>> {
        let on: Vec<&Predicate> = self.predicates.iter().filter(|p| p.is_on(field)).collect();
        // Another value is a field's name, or a letter that is not known here.
        let known = |p: &&Predicate| p.values.iter().all(|v| all.iter().any(|code| code.eq_ignore_ascii_case(v)));
        let said = self.certain && !on.is_empty() && on.iter().all(known);
        said.then(|| all.iter().copied().filter(|code| on.iter().all(|p| p.admits(code))).collect())
    }

    /// Whether every selected bill holds one of these values in the field.
    fn holds(&self, field: &str, values: &[String]) -> bool {
        let named = |v: &String| values.iter().any(|value| value.trim().eq_ignore_ascii_case(v.trim()));
        self.certain
            && self.predicates.iter().any(|p| {
                p.is_on(field)
                    && matches!(p.op.as_str(), "=" | "in")
                    && !p.values.is_empty()
                    && p.values.iter().all(named)
            })
    }
}

/// 17, 18; whether the filter selects nothing that the call can act on.
pub(super) fn look(asked: &Asked<'_>, at: &str, found: &mut Found<'_>) -> bool {
    let plan = found.file.plan.clone();
    match &plan.target.verb {
        Verb::Audit => statuses(asked, at, found, plan.policy.submit),
        Verb::Submit => statuses(asked, at, found, true),
        Verb::Operation(name) => {
            already(asked, at, found, name);
            captions(found);
            false
        }
        Verb::Save | Verb::Send => false,
        Verb::Push => pushed(asked, at, found),
    }
}

/// 18: a filter whose statuses leave the call nothing to do.
fn statuses(asked: &Asked<'_>, at: &str, found: &mut Found<'_>, submits: bool) -> bool {
    let Some(codes) = asked.codes(STATUS_PATH, &STATUS) else { return false };
    let submit = found.file.plan.target.verb == Verb::Submit;
    let acts_on: &[&str] = match (submit, submits) {
        (true, _) => &["Z", "A", "D"],
        (false, true) => &["Z", "A", "B", "D"],
        (false, false) => &["B"],
    };
    if codes.iter().any(|code| acts_on.contains(code)) {
        return false;
    }
    let named = if codes.is_empty() { "-".to_owned() } else { codes.join(", ") };
    let (call, call_zh) = if submit { ("submit", "提交") } else { ("audit", "审核") };
    let mend = match (submit, submits) {
        (true, _) => "FDocumentStatus in ('Z','A','D')",
        (false, true) => "FDocumentStatus in ('A','B')",
        (false, false) => "FDocumentStatus='B'",
    };
    found
        .add(
            18,
            Severity::Warning,
            at,
            format!("of the statuses that the filter selects ({named}) there is none to {call}: no call would be made"),
            format!("过滤条件选出的状态（{named}）都不能{call_zh}：不会调用任何单据"),
        )
        .mend(mend);
    true
}

/// 18: a filter that selects no audited bill, and only those can be pushed.
fn pushed(asked: &Asked<'_>, at: &str, found: &mut Found<'_>) -> bool {
    let Some(codes) = asked.codes(STATUS_PATH, &STATUS) else { return false };
    if codes.contains(&"C") {
        return false;
    }
    let named = if codes.is_empty() { "-".to_owned() } else { codes.join(", ") };
    found
        .add(
            18,
            Severity::Warning,
            at,
            format!("only audited bills can be pushed, and the filter selects none ({named}): no call would take"),
            format!("只有已审核的单据才能下推，而过滤条件选不出（{named}）：调用都会被拒绝"),
        )
        .mend("FDocumentStatus='C'");
    true
}

/// 17: every bill that the filter selects is done already. A mend is known where the usual field shows it.
fn already(asked: &Asked<'_>, at: &str, found: &mut Found<'_>, name: &str) {
    let done = found.file.plan.policy.done.clone();
    let holds = |test: &Test| match test {
        Test::In(path, values) => asked.holds(path, values),
        Test::Exists | Test::Count(_) => false,
    };
    if done.is_empty() || !done.iter().all(holds) {
        return;
    }
    let shown = done.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let found = found.add(
        17,
        Severity::Warning,
        at,
        format!("every bill that the filter selects is done already by the plan's own words ({shown}): no call would be made"),
        format!("按方案自己的说明（{shown}），过滤条件选出的单据都已完成：不会调用任何单据"),
    );
    let usual =
        shown_by(name).filter(|(field, _)| done.iter().filter_map(Test::path).any(|p| p.eq_ignore_ascii_case(field)));
    if let Some((field, value)) = usual {
        found.mend(format!("{field}='{}'", if value == "B" { "A" } else { "B" }));
    }
}

/// 17: a declared status that no bill ever has, because a caption stands where the field holds a code.
fn captions(found: &mut Found<'_>) {
    for (i, test) in found.file.plan.policy.done.clone().iter().enumerate() {
        let Test::In(path, values) = test else { continue };
        let never: Vec<&str> = if path.eq_ignore_ascii_case(STATUS_PATH) {
            let known = |v: &str| STATUS.iter().any(|code| code.eq_ignore_ascii_case(v));
            values.iter().map(String::as_str).filter(|v| !known(v)).collect()
        } else if path.to_ascii_lowercase().ends_with("status") {
            values.iter().map(String::as_str).filter(|v| !v.is_ascii()).collect()
        } else {
            Vec::new()
        };
        if never.is_empty() {
            continue;
        }
        let named = never.join(", ");
        let code = if path.eq_ignore_ascii_case(STATUS_PATH) { "C" } else { "B" };
        let example = written_all(&[Test::In(path.clone(), vec![code.to_owned()])]);
        found
            .add(
                17,
                Severity::Warning,
                &format!("skydeck.done[{i}]"),
                format!("{path} holds a code, and never {named}: no bill would be seen to be done"),
                format!("{path} 存的是代码，不会是 {named}：没有单据会被看作已完成"),
            )
            .mend(format!("\"done\": {example}"));
    }
}
