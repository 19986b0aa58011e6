//! What is said of a collected set, by the verbs that approve it and by previews.

use super::out::Out;
use crate::domain::language::Language;
use crate::domain::operation_words as names;
use crate::domain::run::{Collected, RunKind, RunRow};

/// What was collected, where, and for how many bills of it a call would be made.
pub(super) fn collected(out: &Out, row: &RunRow, set: &Collected) -> String {
    let (head, found, hash) = (&row.head, row.tally.found, set.hash.short());
    let (env, callable, verify) = (&head.env, set.callable.to_string(), head.kind == RunKind::Verify);
    // Records of other systems, and those that were handed in, have no status of the ERP's.
    let known = set.by_status.iter().filter(|(status, _)| !status.code().is_empty());
    let statuses: Vec<String> = known.map(|(s, n)| format!("{} {n}", s.told(out.lang))).collect();
    let [before, after] = if statuses.is_empty() { [""; 2] } else { out.lang.t([" (", ")"], ["（", "）"]) };
    let statuses = format!("{before}{}{after}", statuses.join(out.t(", ", "，")));
    let source = head.form.source_env();
    let said = match out.lang {
        Language::En => {
            let bills = names::bills_en(&found.to_string());
            let will =
                if verify { format!("{callable} will be read back") } else { names::will_en(&head.op, &callable) };
            let there = source.map(|_| format!(" in {env}")).unwrap_or_default();
            format!("collected in {}: {bills}{statuses}; {will}{there}; set {hash}", source.unwrap_or(env.as_str()))
        }
        Language::Zh => {
            let will = if verify { format!("回查 {callable} 张") } else { names::deed_zh(&head.op, &callable) };
            let there = source.map(|_| format!("在环境 {env} ")).unwrap_or_default();
            let source = source.unwrap_or(env.as_str());
            format!("已从环境 {source} 读取 {found} 张{statuses}，将{there}{will}，清单号 {hash}")
        }
    };
    crate::text::show(&said, 1024).into_string()
}

/// How many of the bills found are submitted before they are audited.
pub(super) fn submitted_first(out: &Out, n: u64) -> String {
    let (en, zh) = (format!("{n} of them are submitted first"), format!("其中 {n} 张先提交"));
    out.t(&en, &zh).to_owned()
}

/// What the run leaves as it is, in words.
pub(super) fn unchanged(out: &Out, collected: &Collected) -> Option<String> {
    collected.unchanged.as_ref().map(|left| {
        let words = out.t(
            "carried, unchanged: not called again; `skydeck retry` does",
            "张未变化，不再调用；需要时用 skydeck retry",
        );
        format!("{} {words}", left.bills)
    })
}

/// What the target environment does not hold, in words.
pub(super) fn absent(out: &Out, collected: &Collected) -> Option<String> {
    (collected.absent > 0).then(|| {
        format!(
            "{} {}{}{}",
            collected.absent,
            out.t(
                "bills of the source are not in the target exactly once; no call, asked again next time",
                "张在目标中查不到或不唯一，本次不处理，下次再查"
            ),
            out.t(": ", "："),
            crate::text::show(&collected.absent_first.join(" "), 1024).as_str()
        )
    })
}

/// What became of a list of bill numbers.
pub(super) fn listed(out: &Out, set: &Collected) -> Option<String> {
    let list = set.listed.as_ref()?;
    let named = |n: u64, first: &[String], en: &str, zh: &str| {
        let more = if n > first.len() as u64 { " …" } else { "" };
        let names = crate::text::show(&first.join(" "), 32 << 10).into_string();
        (n > 0).then(|| out.colon(&format!("{n} {en}"), &format!("{n} {zh}"), &format!("{names}{more}")))
    };
    let (unknown, outside) = (list.unknown, list.outside);
    let asked = list.asked.saturating_sub(unknown + outside);
    let head = match out.lang {
        Language::En => format!("of the {} numbers of the list {asked} were found", list.asked),
        Language::Zh => format!("清单中的 {} 个单号，找到 {asked} 个", list.asked),
    };
    let said = [
        named(unknown, &list.unknown_first, "not in the ERP", "个在 ERP 中不存在"),
        named(outside, &list.outside_first, "left out by the plan's filter", "个不符合方案的过滤条件"),
    ];
    Some([head].into_iter().chain(said.into_iter().flatten()).collect::<Vec<_>>().join(out.t("; ", "；")))
}

/// What a look found of what is to be made: how many of each.
pub(super) fn sights(out: &Out, set: &Collected) -> Option<String> {
    let each: Vec<String> = set.sights.iter().map(|(one, n)| format!("{} {n}", one.words(out.lang))).collect();
    let said = each.join(out.lang.t(", ", "，"));
    (!each.is_empty()).then(|| out.colon("looked for by the key", "按键字段查找", &said))
}

/// Records of which no bill can be made.
pub(super) fn unmade(out: &Out, set: &Collected) -> Option<String> {
    let words = out.lang.t("no bill can be made of them, nothing is sent", "张无法生成单据，不发送");
    (set.unmade > 0).then(|| format!("{} {words}", set.unmade))
}

/// Keys that two records share.
pub(super) fn doubles(out: &Out, set: &Collected) -> Option<String> {
    let keys = crate::text::show(&set.doubles.join(" "), 1024);
    let words = out.lang.t("two records have one key, nothing is sent for either", "多条记录生成同一编号，均不发送");
    (!set.doubles.is_empty()).then(|| out.colon(words, words, keys.as_str()))
}

/// Fields that are sent and that the form cannot be asked for.
pub(super) fn not_compared(out: &Out, set: &Collected) -> Option<String> {
    let fields = crate::text::show(&set.not_compared.join(" "), 1024);
    let words = out.lang.t(
        "not compared, the ERP cannot be asked for them; what it does not know a save passes over",
        "不作比较，ERP 无法查询这些字段；它不认识的字段在保存时会被忽略",
    );
    (!set.not_compared.is_empty()).then(|| out.colon(words, words, fields.as_str()))
}
