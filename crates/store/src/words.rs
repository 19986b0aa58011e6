//! What the store says of directories, journal and index, in Chinese.
//!
//! Invariant: a sentence of ours has a row here, names and numbers stay as they are, words of the system are translated or
//! quoted; what has no row is quoted whole.

use skydeck_core::domain::system_words;

/// English and Chinese; `{}` stands for what is put in, in the same order in both. The longer of two that fit stands first.
const TEXTS: &[(&str, &str)] = &[
    // Frames of other sentences.
    ("data directory {}: {}", "数据目录 {}：{}"),
    ("{}; nothing was changed", "{}；未作任何更改"),
    ("{}; nothing was restored", "{}；未恢复任何内容"),
    ("{} would not be the same; nothing was pruned", "{} 会与清除前不同；未清除任何内容"),
    ("{}: the disk is full: free some space, nothing was changed", "{}：磁盘已满：请腾出空间；未作任何更改"),
    (
        "{}: check the owner and mode (`skydeck self check` tells what else denies it), nothing was changed",
        "{}：请检查属主和权限（其他原因见 `skydeck self check`）；未作任何更改",
    ),
    (
        "{}: a limit on the size of files (`ulimit -f`) is in the way: raise it, nothing was changed",
        "{}：受文件大小限制（`ulimit -f`）：请调高；未作任何更改",
    ),
    (
        "{}: name a directory that can be written (`--data DIR`, or XDG_STATE_HOME), nothing was changed",
        "{}：请指定可写的目录（`--data 目录`，或 XDG_STATE_HOME）；未作任何更改",
    ),
    (
        "{}: the disk does not answer as it should (`dmesg` tells more), nothing was changed",
        "{}：磁盘异常（详见 `dmesg`）；未作任何更改",
    ),
    // The directory.
    ("cannot be created: {}", "无法创建：{}"),
    ("cannot be looked at: {}", "无法查看：{}"),
    ("it is a symbolic link; name the directory itself", "是符号链接：请直接写明该目录"),
    ("it belongs to user id {}, not to {}; use your own", "属于用户 {}，而不是 {}：请使用自己的目录"),
    ("others may use it (mode {}); say `chmod 700 {}`", "其他用户可以使用（权限 {}）：请执行 `chmod 700 {}`"),
    (
        "it lies on a network file system, where locks cannot be trusted; use a local disk",
        "位于网络文件系统，文件锁不可靠：请使用本地磁盘",
    ),
    ("there is no store here", "此处没有数据"),
    ("somebody used the data directory meanwhile", "其间有人使用了该数据目录"),
    ("{} is there and not empty: name one that is not there yet", "{} 已存在且不为空：请写尚不存在的目录"),
    ("{} is no directory: this is no backup", "{} 不是目录：不是备份"),
    ("it is no directory", "不是目录"),
    ("{} is no directory", "{} 不是目录"),
    ("a symbolic link stands there, not a file: move it away", "该处是符号链接，不是文件：请移走"),
    ("a pipe or a socket stands there, not a file: move it away", "该处是管道或套接字，不是文件：请移走"),
    (
        "a pipe, a device or a directory stands there, not a file: move it away",
        "该处是管道、设备或目录，不是文件：请移走",
    ),
    ("it is longer than {} bytes", "超过 {} 字节"),
    ("the writer cannot start: {}", "写入线程无法启动：{}"),
    (
        "its facts were moved to {} and go on there: look only, or name the database in `[store] url`",
        "其记录已迁移到 {}，并在那里继续：此处只能查看，或在 `[store] url` 中写明该数据库",
    ),
    // Upgrades.
    (
        "it is of version {}, and this needs version {}: {} raises it, after a backup",
        "为版本 {}，本程序需要版本 {}：{} 会先备份再升级",
    ),
    (
        "it is of version {}, and this is for version {}: {} raises it, after a backup, and builds the index anew",
        "为版本 {}，此命令用于版本 {}：{} 会先备份再升级，并重建索引",
    ),
    (
        "it is of version {}, and only {} are free on its disk; raising it to version {} needs at least {}: free some space. \
         Nothing was changed",
        "为版本 {}，其磁盘只剩 {}；升级到版本 {} 至少需要 {}：请腾出空间。未作任何更改",
    ),
    (
        "it is of version {}; before it is raised to version {} a backup is made, which needs {} at {}, where {} are free; {}",
        "为版本 {}；升级到版本 {} 之前先备份，需要 {}，位置 {}，该处剩余 {}；{}",
    ),
    ("the backup before the upgrade could not be made: {}; {}", "升级前的备份未能完成：{}；{}"),
    (
        "nothing was changed. Free some space, or have the backup made on another disk with {}, or go on without one with {}",
        "未作任何更改。请腾出空间，或用 {} 备份到其他磁盘，或用 {} 不备份继续",
    ),
    (
        "the disk is full while the index is built anew ({}): free some space, then start again, and it goes on from there; no \
         fact is lost",
        "重建索引时磁盘已满（{}）：请腾出空间后重新启动，会从中断处继续；没有记录丢失",
    ),
    (
        "the new index cannot take its place ({}): free some space, then start again, and it goes on from there",
        "新索引无法就位（{}）：请腾出空间后重新启动，会从中断处继续",
    ),
    (
        "the new index cannot take its place ({}): start again, and it goes on from there",
        "新索引无法就位（{}）：请重新启动，会从中断处继续",
    ),
    // Index.
    ("the new index cannot take its place: {}", "新索引无法就位：{}"),
    ("the new index cannot be made: {}", "无法建立新索引：{}"),
    ("the new index does not open", "新索引无法打开"),
    ("the old index cannot be removed: {}", "无法删除旧索引：{}"),
    ("the index cannot be opened: {}", "索引无法打开：{}"),
    (
        "the index cannot be made durable, the disk is full ({}): free some space, then start again; no fact is lost",
        "磁盘已满，索引无法落盘（{}）：请腾出空间后重新启动；没有记录丢失",
    ),
    ("the index cannot be made durable: {}", "索引无法落盘：{}"),
    ("the index cannot be made: {}", "无法建立索引：{}"),
    ("the index does not open", "索引无法打开"),
    ("the damaged index cannot be put aside: {}", "无法移开已损坏的索引：{}"),
    ("the index is damaged: {}; rebuild it first", "索引已损坏：{}；请先重建"),
    ("the index is of an earlier layout; the next start upgrades it", "索引为旧版结构：下次启动时升级"),
    ("a scratch index cannot be made: {}", "无法建立临时索引：{}"),
    ("a scratch index cannot be made", "无法建立临时索引"),
    ("a picture of it to look at cannot be made: {}", "无法生成供查看的副本：{}"),
    ("the index: {}; reopen to have it rebuilt", "索引：{}；重新打开后会重建"),
    ("the index: {}", "索引：{}"),
    ("it holds something else than an index", "其中不是索引"),
    ("a block of the index does not read; reopen to have it rebuilt", "索引中有一块无法读取：重新打开后会重建"),
    ("the index's layout is no number", "索引的结构编号不是数字"),
    ("a stored value does not decode: {}", "存储的值无法解码：{}"),
    ("a stored value has version {}, known is {}", "存储的值为版本 {}，本程序只认 {}"),
    ("a stored value is empty", "存储的值为空"),
    ("cannot encode a value: {}", "值无法编码：{}"),
    ("run {} is lost", "索引中缺少运行 {}"),
    ("run {} has no state in the index", "索引中没有运行 {} 的状态"),
    ("a run has no head in the index", "索引中有运行缺少首部"),
    ("run number {} has no head", "第 {} 号运行缺少首部"),
    ("its cursor belongs to another list; start from the beginning", "游标属于另一列表：请从头开始"),
    // Backups.
    ("it was pruned, but a backup stayed behind in {}: {}", "已清除，但有一份备份留在 {}：{}"),
    ("a copy of {} cannot be made: {}", "无法复制 {}：{}"),
    ("{}; this is no backup, or one that was never finished", "{}；不是备份，或备份未完成"),
    (
        "it is of form {}, and this program knows up to {}: use the newer program",
        "格式为 {}，本程序只支持到 {}：请使用较新的程序",
    ),
    ("`{}` is no name of a file in a backup", "`{}` 不是备份中的文件名"),
    ("it names `{}` twice", "重复列出 `{}`"),
    ("it names no version and no journal: this is no backup", "未列出版本和流水：不是备份"),
    ("{}: {} bytes with another hash than when the backup was made", "{}：{} 字节，散列值与备份时不同"),
    (
        "{} tells of {} facts up to {} and {} lines of the action log, and the backup holds {} up to {} and {}",
        "{} 写明 {} 条记录（到 {}）和 {} 行操作日志，备份中却是 {} 条（到 {}）和 {} 行",
    ),
    // The journal.
    ("segment {}, offset {}, fact {}: {}", "第 {} 段，偏移 {}，记录 {}：{}"),
    ("segment {}: it is missing", "第 {} 段缺失"),
    ("segment {}: it does not continue the segment before it", "第 {} 段与前一段不衔接"),
    ("it does not continue the segment before it", "与前一段不衔接"),
    ("the segment is missing", "该段缺失"),
    ("its header is cut", "段首不完整"),
    ("the checksum of its header does not fit", "段首校验和不符"),
    ("it is no segment of this version", "不是本版本的流水段"),
    ("it says it is segment {}", "段首写的是第 {} 段"),
    ("it ends within a frame", "在一帧之中结束"),
    ("no frame begins here", "此处不是帧的开头"),
    ("the checksum does not fit", "校验和不符"),
    ("a frame of fact {} stands here", "此处是记录 {} 的帧"),
    ("the chain is broken: something before it was changed", "校验链断开：此前的内容被改动过"),
    ("the facts do not decode", "记录无法解码"),
    ("facts do not decode", "记录无法解码"),
    ("it is too short to be sealed", "太短，不是已封存的段"),
    ("it does not end as a sealed segment does", "结尾不是已封存的段"),
    ("its table has no sense", "其目录无意义"),
    ("the checksum of its table does not fit", "其目录的校验和不符"),
    ("the checksum of a sealed block does not fit", "已封存的块校验和不符"),
    ("a sealed block does not open", "已封存的块无法解开"),
    ("a sealed block ends within a frame", "已封存的块在一帧之中结束"),
    ("it holds other facts than its table says", "所含记录与其目录不符"),
    (
        "the journal ends here, but facts up to {} were stored: a segment was cut or removed",
        "流水到此为止，但已存到记录 {}：有段被截短或删除",
    ),
    ("the journal ends at fact {}, but facts up to {} were stored", "流水止于记录 {}，但已存到记录 {}"),
    ("{} facts were to be folded, {} were read", "应读 {} 条记录，实读 {} 条"),
    ("fact {} is not in the journal", "流水中没有记录 {}"),
    // Writing.
    ("the action log is closed", "操作日志已关闭"),
    ("facts were added faster than the runs could be read: ask again", "新记录写入过快，来不及读取运行：请重试"),
    ("the action log: {}", "操作日志：{}"),
    ("action log: {}", "操作日志：{}"),
    ("the journal: {}", "流水：{}"),
    ("the export: {}", "导出：{}"),
    ("it is closed", "已关闭"),
    ("the writer ended; reopen the store", "写入线程已结束：请重新打开"),
    ("the reading task ended: {}", "读取任务已结束：{}"),
    ("the writer has ended", "写入线程已结束"),
    ("only {} KiB are free on the disk", "磁盘只剩 {} KiB"),
    (
        "{}; outcomes are still stored, new work is not taken: free some space, then reopen",
        "{}；仍会记下结果，不接受新的工作：请腾出空间后重新打开",
    ),
    ("stopped", "已停止"),
    ("one append of {} bytes; split it", "一次写入 {} 字节：请分开"),
    ("fact {} would stand at {}", "记录 {} 会写到 {} 的位置"),
    ("a counter of the ledger would fall below zero", "遗留清单的计数会小于零"),
    ("the ledger's groups", "遗留清单的分组"),
    ("the open runs", "未结束的运行"),
    ("the sum of a run", "运行的合计"),
];

/// The pieces that stand for `{}`, where a text is made by a template.
fn pieces<'a>(template: &str, said: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = template.split("{}");
    let mut rest = said.strip_prefix(literals.next().unwrap_or_default())?;
    let literals: Vec<&str> = literals.collect();
    let mut pieces = Vec::with_capacity(literals.len());
    for (i, literal) in literals.iter().enumerate() {
        // What ends the text ends it; what stands within it ends the piece at its first place.
        let at = if i + 1 == literals.len() { rest.strip_suffix(literal).map(str::len) } else { rest.find(literal) }?;
        let (piece, after) = rest.split_at_checked(at)?;
        pieces.push(piece);
        rest = after.get(literal.len()..)?;
    }
    rest.is_empty().then_some(pieces)
}

/// A sentence of the store in Chinese.
pub fn chinese(said: &str) -> String {
    translated(said).unwrap_or_else(|| system_words::chinese(said))
}

fn translated(said: &str) -> Option<String> {
    TEXTS.iter().find_map(|(en, zh)| {
        let pieces = pieces(en, said)?;
        let mut parts = zh.split("{}");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for (piece, part) in pieces.into_iter().zip(parts) {
            out.push_str(&put_in(piece));
            out.push_str(part);
        }
        Some(out)
    })
}

/// What is put into a sentence: another one, words of the system, or a name as it is.
fn put_in(piece: &str) -> String {
    translated(piece).unwrap_or_else(|| match piece.split_once(": ").filter(|_| piece.contains("(os error ")) {
        // A file, and what the system says of it.
        Some((file, why)) if !file.contains(' ') => format!("{file}：{}", system_words::chinese(why)),
        _ if piece.contains("(os error ") => system_words::chinese(piece),
        _ => piece.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_translated_within_one_another() {
        for (en, zh) in [
            (
                "data directory /d: others may use it (mode 0755); say `chmod 700 /d`",
                "数据目录 /d：其他用户可以使用（权限 0755）：请执行 `chmod 700 /d`",
            ),
            (
                "data directory /d: owner.lock: Permission denied (os error 13): check the owner and mode \
                 (`skydeck self check` tells what else denies it), nothing was changed",
                "数据目录 /d：owner.lock：权限不足（系统错误 13）：请检查属主和权限（其他原因见 `skydeck self check`）；\
                 未作任何更改",
            ),
            (
                "data directory /d: owner.log: Read-only file system (os error 30): name a directory that can be written \
                 (`--data DIR`, or XDG_STATE_HOME), nothing was changed",
                "数据目录 /d：owner.log：文件系统只读（系统错误 30）：请指定可写的目录（`--data 目录`，或 XDG_STATE_HOME）；\
                 未作任何更改",
            ),
            (
                "segment 00000001, offset 60, fact 3: the checksum does not fit; nothing was restored",
                "第 00000001 段，偏移 60，记录 3：校验和不符；未恢复任何内容",
            ),
            (
                "only 900 KiB are free on the disk; outcomes are still stored, new work is not taken: free some space, then \
                 reopen",
                "磁盘只剩 900 KiB；仍会记下结果，不接受新的工作：请腾出空间后重新打开",
            ),
            ("something nobody wrote a row for", "“something nobody wrote a row for”"),
        ] {
            assert_eq!(chinese(en), zh);
        }
    }

    #[test]
    fn both_languages_have_the_same_places_to_fill() {
        for (en, zh) in TEXTS {
            assert_eq!(en.matches("{}").count(), zh.matches("{}").count(), "{en}");
        }
    }
}
