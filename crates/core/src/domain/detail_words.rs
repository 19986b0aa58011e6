//! What our own client notes about a call without a usable response, in Chinese. Facts hold it in English.
//!
//! Invariant: only what is ours is translated; words of the server or the system stay as they were said, in quotation marks.

use super::system_words;

/// English and Chinese, with a place for each number, bill or address.
const NOTES: [(&str, &str); 24] = [
    ("no answer within {} s", "{} 秒内无响应"),
    ("the answer is larger than {} bytes", "响应超过 {} 字节"),
    ("the server answered {} and points to {}", "服务器返回 {}，指向 {}"),
    ("the answer is a text that begins with 401", "响应是以 401 开头的文本"),
    ("the answer is that of a query", "响应是查询的结果"),
    ("the answer names bill {}, which was not asked", "响应提到未请求的单据 {}"),
    ("the session is lost, yet there are successes", "响应说会话失效，却又有成功的单据"),
    ("the answer counts the bill as done under another number", "响应以另一编号把该单据计为成功"),
    ("the answer counts the bill both among the successes and among the errors", "响应把该单据同时计为成功和失败"),
    ("the answer refuses without naming a bill or a reason", "响应拒绝，但未写明单据和原因"),
    ("the answer does not name this bill", "响应未提及该单据"),
    ("not sent: the permission is for environment {}, this is {}", "未发送：许可属于环境 {}，这里是 {}"),
    ("not sent: `{}` cannot stand in a list of ids", "未发送：`{}` 不能写入内码列表"),
    ("not sent: the process stood still for {} ms", "未发送：进程停顿了 {} 毫秒"),
    ("not sent: what is to be made is kept no longer", "未发送：待生成的内容已不再保留"),
    ("not sent: the store did not hear of this machine for too long", "未发送：本机过久未向存储报到"),
    (
        "not sent: this environment takes records that a plan sends, and nothing else",
        "未发送：该环境只接收方案发送的记录",
    ),
    (
        "not sent: records go to environments of kind http, and this is none",
        "未发送：记录只能发往 kind 为 http 的环境，该环境不是",
    ),
    ("not sent: one record is sent a call", "未发送：每次调用只发送一条记录"),
    ("not sent: no record was given", "未发送：没有给出记录"),
    ("not sent: no bill was given", "未发送：没有给出单据"),
    (
        "not sent: the system's clock is {} s ahead of ours, and its signatures allow {} s: set the machine's clock",
        "未发送：对方系统的时钟比本机快 {} 秒，而签名只允许相差 {} 秒：请校准本机时钟",
    ),
    (
        "not sent: what is to be made cannot be read, or is not one for each bill",
        "未发送：待生成的内容无法读取，或与单据不是一一对应",
    ),
    // Whatever else keeps it back stands in quotation marks.
    ("not sent", "未发送"),
];

/// Why an answer cannot be read, as our clients say it.
const UNREADABLE: [(&str, &str); 8] = [
    ("empty", "内容为空"),
    ("not UTF-8 at byte {}", "第 {} 字节处不是 UTF-8"),
    ("a web page, not JSON", "是网页，不是 JSON"),
    ("`response_error:` in place of an answer", "只有 `response_error:`，没有响应内容"),
    ("the JSON is cut short (line {}, column {})", "JSON 不完整（第 {} 行第 {} 列）"),
    ("not JSON (line {}, column {})", "不是 JSON（第 {} 行第 {} 列）"),
    ("JSON of another shape (line {}, column {})", "JSON 的结构不符（第 {} 行第 {} 列）"),
    ("nothing, or several, at {}", "{} 处没有值，或有多个"),
];

/// The note in Chinese; `None` for words that are somebody else's.
pub fn zh(said: &str) -> Option<String> {
    if let Some(why) = said.strip_prefix("the answer cannot be read: ") {
        let known = UNREADABLE.iter().find_map(|(en, zh)| noted(why, en, zh));
        return Some(format!("响应无法解析：{}", known.unwrap_or_else(|| format!("“{why}”"))));
    }
    NOTES.iter().find_map(|(en, zh)| noted(said, en, zh))
}

/// The same of what went wrong on the way, where no word is the server's; what nobody knows is quoted.
pub fn of_the_way(said: &str) -> String {
    zh(said).unwrap_or_else(|| system_words::chinese(said))
}

/// A note, and what the server said beside it.
pub(super) fn noted(said: &str, en: &str, zh: &str) -> Option<String> {
    let (mut rest, mut out) = (said, String::new());
    let mut of_zh = zh.split("{}");
    let mut pieces = en.split("{}").peekable();
    rest = rest.strip_prefix(pieces.next()?)?;
    out.push_str(of_zh.next()?);
    while let Some(piece) = pieces.next() {
        let last = piece.is_empty() && pieces.peek().is_none();
        let at = if last { rest.find(": ").unwrap_or(rest.len()) } else { rest.find(piece)? };
        let (value, behind) = rest.split_at_checked(at)?;
        out.push_str(value);
        out.push_str(of_zh.next()?);
        rest = behind.strip_prefix(piece)?;
    }
    match rest.strip_prefix(": ") {
        Some(theirs) => Some(format!("{out}：“{theirs}”")),
        None => rest.is_empty().then_some(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_chinese_and_what_is_the_servers_is_quoted() {
        for (said, zh) in [
            ("no answer within 60 s", Some("60 秒内无响应")),
            (
                "the server answered 302 and points to https://x.invalid/a",
                Some("服务器返回 302，指向 https://x.invalid/a"),
            ),
            ("the answer does not name this bill: 库存不足", Some("响应未提及该单据：“库存不足”")),
            ("the answer cannot be read: expected value at line 1", Some("响应无法解析：“expected value at line 1”")),
            ("the answer cannot be read: empty", Some("响应无法解析：内容为空")),
            (
                "the answer cannot be read: a web page, not JSON: 请登录",
                Some("响应无法解析：是网页，不是 JSON：“请登录”"),
            ),
            (
                "the answer cannot be read: the JSON is cut short (line 1, column 44)",
                Some("响应无法解析：JSON 不完整（第 1 行第 44 列）"),
            ),
            (
                "the answer cannot be read: nothing, or several, at $.data.id",
                Some("响应无法解析：$.data.id 处没有值，或有多个"),
            ),
            ("not sent: `a,b` cannot stand in a list of ids", Some("未发送：`a,b` 不能写入内码列表")),
            ("the answer names bill 7, which was not asked", Some("响应提到未请求的单据 7")),
            ("the answer does not name this bill, it seems", None),
            ("HTTP 502: bad gateway", None),
            ("库存不足", None),
        ] {
            assert_eq!(super::zh(said).as_deref(), zh, "{said}");
        }
        assert_eq!(of_the_way("connection reset (os error 104)"), "连接被重置（系统错误 104）");
        assert_eq!(of_the_way("no answer within 60 s"), "60 秒内无响应");
        assert_eq!(of_the_way("something else"), "“something else”");
    }
}
