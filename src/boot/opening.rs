//! What opening a data directory says, in both languages.
//!
//! Invariant: a clean start is silent.

use crate::domain::language::Language;
use crate::store::journal::Torn;
use crate::store::local::Progress;
use crate::store::local::place::bytes_for_people;

/// Facts between two words about an index that is being built.
const EVERY: u64 = 10_000;

/// Says what opening does, where it is worth saying.
pub fn told(progress: &Progress, lang: Language, say: &impl Fn(&str)) {
    let pick = |en: String, zh: String| say(if lang == Language::Zh { &zh } else { &en });
    let is_due = |done: u64, of: u64| done == of || done.is_multiple_of(EVERY);
    match progress {
        Progress::TornTail(torn) => {
            let (en, zh) = cut(torn);
            pick(en, zh);
        }
        Progress::IndexDamaged { kept, why } => pick(
            format!("the index was damaged ({why}); it is kept at {} and rebuilt from the journal", kept.display()),
            format!(
                "索引已损坏（{}）；原索引保留在 {}，正从流水重建",
                crate::store::words::chinese(why),
                kept.display()
            ),
        ),
        Progress::Folding { done, of } if is_due(*done, *of) => pick(
            format!("rebuilding the index: {done} of {of} facts"),
            format!("正在重建索引：已完成 {done} / {of} 条记录"),
        ),
        Progress::Upgrading { from, to, done, of } if is_due(*done, *of) => pick(
            format!("upgrading the index from layout {from} to {to}: {done} of {of} facts"),
            format!("正在把索引从布局 {from} 升级到布局 {to}：已完成 {done} / {of} 条记录"),
        ),
        Progress::BackingUp { to, bytes } => pick(
            format!(
                "the data directory is of an earlier version: before it is raised, a backup is made at {} ({})",
                to.display(),
                bytes_for_people(*bytes)
            ),
            format!("数据目录属于较早的版本：升级前先备份到 {}（{}）", to.display(), bytes_for_people(*bytes)),
        ),
        Progress::BackupRead { facts } => {
            pick(format!("the backup is checked: {facts} facts so far"), format!("正在校验备份：已读 {facts} 条记录"));
        }
        Progress::Raised { from, to, backup } => pick(
            format!(
                "the data directory was raised from version {from} to {to}, and Skydeck 0.1.0 refuses it now; {}",
                match backup {
                    Some(at) => format!("backup: {}", at.display()),
                    None => "no backup was made".to_owned(),
                }
            ),
            format!(
                "数据目录已从版本 {from} 升级到版本 {to}，Skydeck 0.1.0 将拒绝打开它；{}",
                match backup {
                    Some(at) => format!("备份：{}", at.display()),
                    None => "未做备份".to_owned(),
                }
            ),
        ),
        Progress::NoBallast => pick(
            "no space could be set aside for a full disk: free some space".to_owned(),
            "无法为磁盘写满预留空间：请释放一些空间".to_owned(),
        ),
        Progress::Folding { .. }
        | Progress::Upgrading { .. }
        | Progress::OpeningIndex
        | Progress::ReadingJournal
        | Progress::Ready => {}
    }
}

/// What was cut off the end of the journal, and where it is.
fn cut(torn: &Torn) -> (String, String) {
    let Torn { segment, offset, bytes, kept } = torn;
    let kept = kept.display();
    (
        format!(
            "the journal's end was torn by a crash and was cut: {bytes} bytes of segment {segment} from byte {offset} on; they \
             are kept in {kept}"
        ),
        format!("流水末尾因崩溃而不完整，已截去：第 {segment} 段自第 {offset} 字节起的 {bytes} 字节，保存在 {kept}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(progress: &Progress, lang: Language) -> Vec<String> {
        let said = std::cell::RefCell::new(Vec::new());
        told(progress, lang, &|text: &str| said.borrow_mut().push(text.to_owned()));
        said.into_inner()
    }

    #[test]
    fn an_upgrade_is_said_in_both_languages_and_a_clean_start_in_none() {
        let upgrading = Progress::Upgrading { from: 1, to: 2, done: 10_000, of: 14_000_000 };
        assert!(words(&upgrading, Language::En)[0].contains("10000 of 14000000"));
        assert!(words(&upgrading, Language::Zh)[0].contains("升级到布局 2"));
        let torn = || Progress::TornTail(Torn { segment: 3, offset: 4096, bytes: 17, kept: "/d/torn-1".into() });
        let damaged = Progress::IndexDamaged { kept: "/d/sled.bad-1".into(), why: "the index does not open".into() };
        for (progress, zh) in [
            (torn(), "流水末尾因崩溃而不完整，已截去：第 3 段自第 4096 字节起的 17 字节，保存在 /d/torn-1"),
            (damaged, "索引已损坏（索引无法打开）；原索引保留在 /d/sled.bad-1，正从流水重建"),
        ] {
            assert_eq!(words(&progress, Language::Zh), [zh]);
        }
        assert!(
            words(&torn(), Language::En)[0]
                .ends_with("17 bytes of segment 3 from byte 4096 on; they are kept in /d/torn-1")
        );
        let raised = Progress::Raised { from: 1, to: 2, backup: Some("/b".into()) };
        assert!(words(&raised, Language::En)[0].contains("/b") && words(&raised, Language::Zh)[0].contains("/b"));
        for silent in [Progress::OpeningIndex, Progress::ReadingJournal, Progress::Ready] {
            assert!(words(&silent, Language::En).is_empty());
        }
        assert!(words(&Progress::Folding { done: 2_000, of: 30_000 }, Language::En).is_empty());
    }
}
