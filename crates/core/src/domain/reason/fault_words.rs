//! What the client says of a read that failed, in Chinese: its own frame and advice translated, the words of server and system
//! quoted.
//!
//! Invariant: what is not recognised is quoted as it stands; nothing is left out.

use std::sync::LazyLock;

use super::super::cause::BUILT_IN;
use super::super::{detail_words, system_words};

/// What was tried, as faults name it.
const TRIED: [(&str, &str); 8] = [
    ("query", "查询"),
    ("status query", "状态查询"),
    ("sign-in", "登录"),
    ("sign-in probe", "登录验证"),
    ("call", "调用"),
    ("trial call", "试调用"),
    ("look by key", "按键字段查找"),
    ("form description", "字段查询"),
];

/// What to do next, as faults end with it.
pub const NEXT: &[(&str, &str)] = &[
    ("Nothing was sent; check address, network and certificate", "没有发出任何请求：请检查地址、网络和证书"),
    (
        "Choose another key for the plan, one without control characters, `;`, `--` and `/*`",
        "请为方案改用其他键字段，其值不含控制字符、`;`、`--` 和 `/*`",
    ),
    ("Reading is safe to repeat; ask for smaller pages or raise the timeout", "读取可以重复：请减小每页行数或加大超时"),
    ("Reading is safe to repeat once the server is well", "读取可以重复：请待服务器恢复"),
    ("Reading is safe to repeat", "读取可以重复"),
    ("Ask for smaller pages or fewer columns", "请减小每页行数或减少列"),
    ("Put the address it points to into the environment, if it is the right one", "若其指向的地址正确，请写入环境配置"),
    (
        "Check that the address is the K/3Cloud server's (…/k3cloud/) and no proxy or login page answers in its place",
        "请检查地址是否为 K/3Cloud 服务器（…/k3cloud/），以及是否由代理或登录页代为响应",
    ),
    (
        "Check that the address is the K/3Cloud server's (…/k3cloud/) and no proxy answers in its place",
        "请检查地址是否为 K/3Cloud 服务器（…/k3cloud/），以及是否由代理代为响应",
    ),
    ("Check the account set id (账套) of this environment", "请检查该环境的数据中心（账套）标识"),
    ("Check the path of the address; it ends with /k3cloud/ as a rule", "请检查地址的路径，通常以 /k3cloud/ 结尾"),
    ("The server asks for fewer calls; lower the environment's pace", "服务器要求减少调用：请降低该环境的速率"),
    (
        "Kingdee's gateway refused the call; check application, secret and our clock",
        "金蝶网关拒绝调用：请检查应用、密钥和本机时钟",
    ),
    (
        "Calls are signed, so this means that user, application, secret or language id is refused: check them; repeating cannot help",
        "调用带签名，因此是用户、应用、密钥或语言标识被拒绝：请检查；重复无用",
    ),
    ("Sign in again", "请重新登录"),
    (
        "Check the server and its proxy, and change the secret to one that is part of no id",
        "请检查服务器及其代理，并把密钥换成不含在任何标识中的",
    ),
    (
        "Nothing read in this call is used; change the secret to one that is part of no id or number",
        "本次读取的内容不采用；请把密钥换成不含在任何标识或单号中的",
    ),
    (
        "Check the id of the business object, and whether this user may see it",
        "请检查业务对象标识，以及该用户是否有权查看",
    ),
    (
        "Reading is safe to repeat; raise `call_timeout` in `limits` of the environment",
        "读取可以重复：请在该环境的 `limits` 中加大 `call_timeout`",
    ),
    (
        "Nothing read in this call is used; if it happens again, the server or a proxy mixes up answers",
        "本次读取的内容不采用；若再次发生，则是服务器或代理混淆了响应",
    ),
    ("No login is needed", "无需登录"),
    ("Nothing will be called there; correct the account set id", "不会在那里调用：请改正数据中心（账套）标识"),
    (
        "Nothing will be called there; a copy of the database is an environment of its own",
        "不会在那里调用：数据库的副本须另建环境",
    ),
    ("Check the server's version and its proxy", "请检查服务器版本及其代理"),
    (
        "The account is locked for a while or until an administrator unlocks it; no further login is tried",
        "该用户已被锁定，须等待或由管理员解锁；不再尝试登录",
    ),
    (
        "Correct user, password or secret; no further login is tried by itself, because repeated failures lock the account",
        "请改正用户、密码或密钥；不再自动登录，以免多次失败锁定用户",
    ),
    (
        "The password has expired or must be changed at first login: change it in the ERP",
        "密码已过期或首次登录须修改：请在 ERP 中修改",
    ),
    (
        "The server wants a dialog with this user: use an ordinary integration user",
        "服务器要求与该用户交互：请改用普通集成用户",
    ),
    ("Bind the cloud passport of this user", "请绑定该用户的云通行证"),
    ("The server must be activated", "服务器须先激活"),
    (
        "Check user, application, secret and account set; no further login is tried by itself",
        "请检查用户、应用、密钥和数据中心（账套）；不再自动登录",
    ),
    (
        "No further login is tried by itself; check the user's rights and other logins of the same user",
        "不再自动登录：请检查该用户的权限及其在别处的登录",
    ),
    (
        "Check user, application, secret and account set; nothing is called until somebody signs in again",
        "请检查用户、应用、密钥和数据中心（账套）；有人重新登录之前不再调用",
    ),
];

/// Why a read failed, where the client says it in words of its own; `{}` stands for ids and numbers.
const WHY: [(&str, &str); 11] = [
    ("the answer names no field of the form", "响应中没有该业务对象的字段"),
    ("the answer holds our own secret in place of an id", "响应在应为标识处写了我方密钥"),
    ("the answer holds no session id", "响应中没有会话标识"),
    ("the answer is that of an operation, not rows", "响应是操作的结果，不是数据行"),
    ("calls are signed here", "此处的调用带签名"),
    ("the server signed us in to account set {} instead of {}", "服务器登录到数据中心（账套）{}，而不是 {}"),
    ("the server signed us in to data centre {} instead of {}", "服务器登录到数据中心 {}，而不是 {}"),
    ("`{}` cannot be looked for: it holds what ends a filter", "`{}` 含有会结束过滤条件的字符，无法查找"),
    ("refused without a word (MsgCode {})", "拒绝，但未作说明（MsgCode {}）"),
    ("refused without a word (no MsgCode)", "拒绝，但未作说明（无 MsgCode）"),
    ("refused without a word", "拒绝，但未作说明"),
];

/// What the client says before the server's words, and behind them: a refused sign-in.
fn refused_user(why: &str) -> Option<String> {
    let (user, rest) = why.strip_prefix("the server refused user ")?.split_once(": ")?;
    let (theirs, kind) = rest.strip_suffix(')')?.rsplit_once(" (LoginResultType ")?;
    let kind = kind.replace(", code ", "，代码 ");
    Some(match theirs {
        "no message" => format!("服务器拒绝用户 {user}，未作说明（LoginResultType {kind}）"),
        theirs => format!("服务器拒绝用户 {user}：“{theirs}”（LoginResultType {kind}）"),
    })
}

/// Why a read failed: what is ours in Chinese, words of others quoted.
fn because(why: &str) -> String {
    if let Some((before, theirs)) = why.split_once("; it begins with: ") {
        return format!("{}；开头为：“{theirs}”", because(before));
    }
    let ours = || WHY.iter().find_map(|(en, zh)| detail_words::noted(why, en, zh));
    let ours = refused_user(why).or_else(ours).or_else(|| detail_words::zh(why));
    ours.unwrap_or_else(|| system_words::chinese(why))
}

/// The words of a fault for a Chinese reader; words of somebody else are quoted.
pub fn zh(said: &str) -> String {
    ours(said).unwrap_or_else(|| system_words::chinese(said))
}

/// What 0.1.0 wrote down: what is ours of it, else all of it quoted.
pub fn legacy(said: &str) -> String {
    ours(said).unwrap_or_else(|| format!("“{said}”"))
}

/// Advice of the causes that are shipped, as a fault ends with it: English with a capital, Chinese.
static ADVICE: LazyLock<Vec<(String, &str)>> = LazyLock::new(|| {
    let all = |key: &'static str| {
        BUILT_IN.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
    };
    let capital =
        |text: &str| text.split_at_checked(1).map_or_else(String::new, |(head, tail)| head.to_ascii_uppercase() + tail);
    all("advice_en").map(capital).zip(all("advice_zh")).collect()
});

/// `query at https://… failed: WHY. NEXT`, where all but WHY is ours.
fn ours(said: &str) -> Option<String> {
    let (head, tail) = said.split_once(" failed: ")?;
    let (what, server) = head.split_once(" at ")?;
    // A refused sign-in names how it was tried before.
    let what = what.rsplit(": ").next().unwrap_or(what);
    // A query names its form.
    let (what, form) =
        what.split_once(" of ").map_or((what, String::new()), |(what, form)| (what, format!(" {form} ")));
    let what = TRIED.iter().find(|(en, _)| *en == what).map(|(_, zh)| *zh)?;
    let fixed = NEXT.iter().copied();
    let advice = ADVICE.iter().map(|(en, zh)| (en.as_str(), *zh));
    let mut all = fixed.chain(advice);
    let next = all.find_map(|(en, zh)| Some((tail.strip_suffix(en)?.strip_suffix(". ")?, zh)));
    Some(match next {
        Some((why, next)) => format!("{server} 的{form}{what}失败：{}；{next}", because(why)),
        None => format!("{server} 的{form}{what}失败：{}", because(tail)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_ours_is_said_in_chinese_with_the_words_of_others_quoted() {
        let fault = "query at https://k3.example.invalid failed: error sending request: refused. Nothing was sent; check address, \
                     network and certificate";
        let said = zh(fault);
        assert_eq!(
            said,
            "https://k3.example.invalid 的查询失败：“error sending request: refused”；没有发出任何请求：请检查地址、网络和证书"
        );
        assert!(
            zh(&fault.replace("query at", "query of SAL_OUTSTOCK at")).contains(" 的 SAL_OUTSTOCK 查询失败：“error")
        );
        let signed = format!("signed headers: refused: {}", fault.replace("query at", "sign-in at"));
        assert!(zh(&signed).starts_with("https://k3.example.invalid 的登录失败：“"), "{}", zh(&signed));
    }

    #[test]
    fn why_a_read_failed_is_told_in_chinese_where_the_client_says_it_and_quoted_where_the_server_does() {
        let sign_in = |why: &str| zh(&format!("sign-in at http://x failed: {why}. Sign in again"));
        for (why, want) in [
            (
                "the server refused user li: 用户名或密码错误: 余 2 次 (LoginResultType 0, code 7)",
                "服务器拒绝用户 li：“用户名或密码错误: 余 2 次”（LoginResultType 0，代码 7）",
            ),
            (
                "the server refused user li: no message (LoginResultType none)",
                "服务器拒绝用户 li，未作说明（LoginResultType none）",
            ),
            (
                "the server signed us in to account set 60ab instead of 60aa",
                "服务器登录到数据中心（账套）60ab，而不是 60aa",
            ),
            ("no answer within 5 s", "5 秒内无响应"),
            (
                "the answer cannot be read: expected value; it begins with: <html>",
                "响应无法解析：“expected value”；开头为：“<html>”",
            ),
            ("something of the server's", "“something of the server's”"),
        ] {
            assert_eq!(sign_in(why), format!("http://x 的登录失败：{want}；请重新登录"), "{why}");
        }
        let bare = "query of F at http://x failed: refused without a word (no MsgCode). Sign in again";
        assert_eq!(zh(bare), "http://x 的 F 查询失败：拒绝，但未作说明（无 MsgCode）；请重新登录");
    }

    #[test]
    fn the_advice_of_a_cause_is_ours_too() {
        let table: crate::domain::cause::CauseTable = toml::from_str(BUILT_IN).unwrap();
        assert_eq!(ADVICE.len(), table.cause.len());
        let said = zh(
            "status query of SAL_OUTSTOCK at http://x failed: 字段不存在 (MsgCode 9). Correct the plan, retry with the new revision",
        );
        assert_eq!(said, "http://x 的 SAL_OUTSTOCK 状态查询失败：“字段不存在 (MsgCode 9)”；改方案，按新版本重试");
        assert_eq!(legacy("库存不足"), "“库存不足”");
    }

    #[test]
    fn what_is_not_recognised_is_quoted_whole() {
        for said in ["connection reset", "walk at x failed: y. Sign in again", "query failed: y. Sign in again"] {
            assert_eq!(zh(said), format!("“{said}”"));
        }
        assert_eq!(zh("query at x failed: y. Do something else"), "x 的查询失败：“y. Do something else”");
    }
}
