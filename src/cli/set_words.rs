//! What is said of a collected set, by the verbs that approve it and by previews.

use super::out::Out;
use crate::domain::run::Collected;

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
            "{} {}: {}",
            collected.absent,
            out.t(
                "bills of the source are not in the target exactly once; no call, asked again next time",
                "张在目标中查不到或不唯一，本次不处理，下次再查"
            ),
            crate::text::show(&collected.absent_first.join(" "), 1024).as_str()
        )
    })
}
