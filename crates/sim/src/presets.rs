//! Faults under one word: `none`, `demo`, `storm`.
//!
//! Invariant: a preset strikes the same calls of the same seed in every later version: rules are added behind the others.

use super::faults::{FaultPlan, Kind, Rule, When};

/// How a system calls what presets strike.
pub struct Verbs {
    /// The one that the demo's mishaps are about.
    pub main: &'static str,
    /// What moves a record there is.
    pub moves: &'static [&'static str],
    /// What of these somebody else takes back.
    pub undone: &'static [&'static str],
    /// What makes a record.
    pub makes: &'static [&'static str],
    /// Whether answers with bytes that are no UTF-8 are among the mishaps.
    pub bytes: bool,
}

/// The verbs of Kingdee.
const KINGDEE: Verbs = Verbs {
    main: "Audit",
    moves: &["Submit", "Audit", "ExecuteOperation"],
    undone: &["Audit", "ExecuteOperation"],
    makes: &["Save", "BatchSave", "Draft", "Push"],
    bytes: false,
};

impl FaultPlan {
    /// A preset by name: `none`, `demo`, `storm`.
    pub fn preset(name: &str) -> Option<Self> {
        Self::preset_for(name, &KINGDEE)
    }

    /// The same for a system that calls its verbs otherwise.
    pub(crate) fn preset_for(name: &str, verbs: &Verbs) -> Option<Self> {
        match name {
            "none" => Some(Self::default()),
            "demo" => Some(Self::demo(verbs)),
            "storm" => Some(Self::storm(verbs)),
            _ => None,
        }
    }

    /// A few mishaps an operator should see once: two lost answers, one reset before, one call limit.
    fn demo(verbs: &Verbs) -> Self {
        let main = |kind, when| Rule::new(kind, when).on(&[verbs.main]);
        let mut rules = vec![
            main(Kind::Reset, When::After).times(1),
            main(Kind::Truncate, When::After).times(1),
            main(Kind::Reset, When::Before).times(1),
            main(Kind::Limit, When::Before).times(1),
        ];
        for (rule, skip) in rules.iter_mut().zip([25, 60, 90, 120]) {
            rule.skip = skip;
        }
        Self { rules }
    }

    /// Every kind but [`Kind::Hollow`], which stops a run for good, together about one call in ten; sign-ins are left alone, or nothing would ever begin.
    fn storm(verbs: &Verbs) -> Self {
        use Kind as K;
        use When::{After, Before};
        let all = [
            Rule::new(K::Delay, Before).ms(400),
            Rule::new(K::Delay, After).ms(800),
            Rule::new(K::Reset, Before),
            Rule::new(K::Reset, After),
            Rule { at: 20, ..Rule::new(K::Truncate, After) },
            Rule { at: 1, ..Rule::new(K::Truncate, Before) },
            Rule::new(K::NoLength, After),
            Rule::new(K::Twice, After),
            Rule { at: 16, ..Rule::new(K::SlowBody, After).ms(5) },
            Rule { status: 200, ..Rule::new(K::Html, Before) },
            Rule { status: 502, ..Rule::new(K::Html, After) },
            Rule { status: 500, ..Rule::new(K::Status, After) },
            Rule { status: 503, seconds: 1, ..Rule::new(K::Status, Before) },
            Rule { status: 429, seconds: 1, ..Rule::new(K::Status, Before) },
            Rule::new(K::ResponseError, After),
            Rule::new(K::Empty, After),
            Rule::new(K::Empty, Before),
            Rule::new(K::Garbage, After),
            Rule::new(K::Redirect, Before),
            Rule { mb: 20, ..Rule::new(K::GzipBomb, After) },
            Rule { mb: 20, ..Rule::new(K::Huge, After) },
            Rule::new(K::SessionLost, Before),
            Rule::new(K::SessionExpiry, Before),
            Rule { seconds: 2, ..Rule::new(K::Lock, Before) }.on(verbs.moves),
            Rule::new(K::Unaudit, After).on(verbs.undone),
            Rule::new(K::Stale, Before).on(verbs.moves),
            Rule::new(K::ClockSkew, Before).ms(1500),
            Rule::new(K::Limit, Before),
            Rule {
                code: 6,
                text: "事务(进程 ID 61)与另一个进程被死锁在锁资源上".to_owned(),
                ..Rule::new(K::Error, Before)
            },
            Rule { code: 4, ..Rule::new(K::Error, After) },
            Rule::new(K::Gateway, Before),
            Rule::new(K::Partial, Before).on(verbs.moves),
            Rule::new(K::OtherBill, After).on(verbs.moves),
            Rule::new(K::StaleAnswer, After),
        ];
        let rate = 0.1 / all.len() as f64;
        let of_saves = [
            Rule::new(K::Late, Before).ms(3_000),
            Rule::new(K::WrongIndex, After),
            Rule::new(K::OtherNumber, After),
            Rule::new(K::OtherBill, After),
            Rule::new(K::Partial, Before),
            Rule::new(K::Stale, Before),
            Rule::new(K::Unaudit, After),
        ];
        let bytes = verbs.bytes.then(|| Rule::new(K::NotUtf8, After));
        let rules = all
            .into_iter()
            // Behind the others, which strike as they did before there were these.
            .chain(of_saves.into_iter().map(|rule| rule.on(verbs.makes)))
            .chain(bytes)
            .map(|rule| {
                let rule = rule.rate(rate);
                if rule.on.is_empty() { rule.on(&["read", "write"]) } else { rule }
            })
            .collect();
        Self { rules }
    }
}
