//! What is wrong with a plan that sends records to another system. English and Chinese side by side.

use super::Words;

/// What is wrong at one place of a plan that sends records to another system.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant and field is named after what the file holds there; the table says the rest"
)]
pub enum SendProblem {
    Missing { key: &'static str, example: &'static str },
    Shape { value: String, example: &'static str },
    UnknownKey { key: String, near: Option<String>, known: String },
    OnlyForSending { key: &'static str },
    NotForSending { key: &'static str },
    OtherRequest { field: String },
    Method { value: String },
    Address { value: String },
    PathShape { value: String },
    HeaderName { name: String },
    SignInHeader { name: String },
    Hole { name: String },
    NoKeyHole,
    NoPageHole,
    BodyHole { n: usize },
    AnswerPath { value: String, said: String },
    Operator { value: String },
    CheckValues { is: &'static str },
    Status { value: String },
    Number { value: String, least: u32, most: u32 },
    Span { value: String },
    OneARecord,
    TokenInList,
    GetWithBody,
}

const LOOK: &str = "\"look\": {\"method\": \"POST\", \"path\": \"/open/orders/query\", \"body\": {\"so_ids\": \"{{key}}\"}, \"rows\": \"$.data.datas\", \"key\": \"so_id\"}";
const CHECK: &str = "\"ok\": [[\"code\", \"eq\", \"0\"]]";

use SendProblem as P;

/// Makes the function of a table: `pattern => (English, what to do), (Chinese, what to do);`.
macro_rules! sentences {
    ($($pattern:pat => $en:expr, $zh:expr;)*) => {
        impl SendProblem {
            /// What is wrong and what to do.
            pub fn words(&self, zh: bool) -> Words {
                let (message, hint) = if zh {
                    match self { $($pattern => $zh,)* }
                } else {
                    match self { $($pattern => $en,)* }
                };
                Words { message, hint }
            }
        }
    };
}

fn own(text: &str) -> String {
    text.to_owned()
}

sentences! {
    P::Missing { key, example } =>
        (format!("a plan that sends records to another system needs skydeck.{key}"), own(example)),
        (format!("向其他系统发送记录的方案须写 skydeck.{key}"), own(example));
    P::Shape { value, example } =>
        (format!("{value} cannot be read here"), own(example)),
        (format!("此处无法读取 {value}"), own(example));
    P::UnknownKey { key, near, known } =>
        (
        format!("unknown key `{key}`"),
        near.as_ref().map_or_else(|| format!("known: {known}"), |near| format!("did you mean `{near}`?")),
        ),
        (
        format!("未知的键 `{key}`"),
        near.as_ref().map_or_else(|| format!("已知：{known}"), |near| format!("是不是 `{near}`？")),
        );
    P::OnlyForSending { key } =>
        (
        format!(
        "`{key}` is only for a plan that sends records to another system (a target whose api is a path)"
        ),
        own("leave it out"),
        ),
        (format!("`{key}` 只用于向其他系统发送记录的方案（目标 api 为路径）"), own("请去掉"));
    P::NotForSending { key } =>
        (format!("`{key}` is not for a plan that sends records to another system"), own("leave it out")),
        (format!("`{key}` 不用于向其他系统发送记录的方案"), own("请去掉"));
    P::OtherRequest { field } =>
        (
        format!("`{field}` stands in otherRequest, and nothing says where it goes"),
        own("put it into target.request, where the body is, or into skydeck.call.query"),
        ),
        (
        format!("`{field}` 写在 otherRequest 中，而没有说明它放在哪里"),
        own("请写入 target.request（请求体），或 skydeck.call.query"),
        );
    P::Method { value } =>
        (
        format!("`{value}` is no method that is sent here"),
        own("POST, PUT, PATCH or GET; of a call never GET"),
        ),
        (format!("此处不发送方法 `{value}`"), own("POST、PUT、PATCH 或 GET；发送时不用 GET"));
    P::Address { value } =>
        (
        format!("`{value}` is an address"),
        own("write the path alone, such as /open/orders: the address is the environment's url"),
        ),
        (format!("`{value}` 是地址"), own("只写路径，如 /open/orders：地址是环境的 url"));
    P::PathShape { value } =>
        (
        format!("`{value}` is no path"),
        own("begin with /, without ?, # and blanks: parameters go into `query`"),
        ),
        (format!("`{value}` 不是路径"), own("以 / 开头，不含 ?、# 和空格：参数写在 `query` 中"));
    P::HeaderName { name } =>
        (format!("`{name}` is no name of a header"), own("\"headers\": {\"X-Shop\": \"17\"}")),
        (format!("`{name}` 不是请求头名称"), own("\"headers\": {\"X-Shop\": \"17\"}"));
    P::SignInHeader { name } =>
        (
        format!("`{name}` says who we are"),
        own("leave it out: the environment in config.toml says how to sign in, and a plan holds no secret"),
        ),
        (format!("`{name}` 用于表明身份"), own("请去掉：登录方式写在 config.toml 的环境中，方案里不放密钥"));
    P::Hole { name } =>
        (
        format!("nothing fills the hole `{{{{{name}}}}}`"),
        own(
        "{{key}} is the value that the record is found by; {{page}} the page of a look, {{body}} the body of a call",
        ),
        ),
        (
        format!("没有内容可填入 `{{{{{name}}}}}`"),
        own("{{key}} 是找回记录所用的值；{{page}} 是查找的页码，{{body}} 是发送的请求体"),
        );
    P::NoKeyHole =>
        (own("the look asks for no record: it has neither {{key}} nor pages"), own(LOOK)),
        (own("查找没有指明记录：既无 {{key}} 也无 pages"), own(LOOK));
    P::NoPageHole =>
        (
        own("the look is read page by page, and its request has no {{page}}"),
        own("\"query\": {\"page_no\": \"{{page}}\"}"),
        ),
        (own("查找按页读取，而请求中没有 {{page}}"), own("\"query\": {\"page_no\": \"{{page}}\"}"));
    P::BodyHole { n } =>
        (
        format!("the body of the call holds the text \"{{{{body}}}}\" {n} times"),
        own("once: \"body\": {\"orders\": [\"{{body}}\"]}"),
        ),
        (
        format!("发送的 body 中文本 \"{{{{body}}}}\" 出现 {n} 次"),
        own("应为一次：\"body\": {\"orders\": [\"{{body}}\"]}"),
        );
    P::AnswerPath { value, said } =>
        (
        format!("`{value}` is no path of an answer: {said}"),
        own("a name such as so_id, names with dots, or a path of RFC 9535 such as $.data.datas"),
        ),
        (
        format!("`{value}` 不是响应中的路径：{said}"),
        own("应为 so_id 这样的名称、以点相连的名称，或 RFC 9535 路径如 $.data.datas"),
        );
    P::Operator { value } =>
        (format!("`{value}` is no test"), own("eq, in, neq, notin, exists or absent")),
        (format!("`{value}` 不是判断方式"), own("eq、in、neq、notin、exists 或 absent"));
    P::CheckValues { is } =>
        (format!("the test `{is}` has no value, or one that it does not need"), own(CHECK)),
        (format!("判断 `{is}` 缺少值，或不需要值"), own(CHECK));
    P::Status { value } =>
        (format!("{value} is no HTTP status that says: not there"), own("\"absent_status\": [404]")),
        (format!("{value} 不是表示“不存在”的 HTTP 状态"), own("\"absent_status\": [404]"));
    P::Number { value, least, most } =>
        (format!("{value} cannot stand here"), format!("a whole number from {least} to {most}")),
        (format!("{value} 不能写在这里"), format!("应为 {least} 到 {most} 的整数"));
    P::Span { value } =>
        (format!("{value} is no span of time"), own("such as \"24h\", \"90s\", \"30m\"")),
        (format!("{value} 不是时长"), own("如 \"24h\"、\"90s\"、\"30m\""));
    P::OneARecord =>
        (own("one record is sent a call: of several nobody could tell which took"), own("\"batch\": 1")),
        (own("每次调用只发送一条记录：多条时无法分辨哪些已生效"), own("\"batch\": 1"));
    P::TokenInList =>
        (
        own("the token is a field at the root of the body, and the body is a list there"),
        own("\"token\": {\"header\": \"Idempotency-Key\", \"keeps\": \"24h\"}"),
        ),
        (
        own("令牌写在请求体的根字段，而请求体的根是列表"),
        own("\"token\": {\"header\": \"Idempotency-Key\", \"keeps\": \"24h\"}"),
        );
    P::GetWithBody =>
        (own("a GET carries no body"), own("put its parameters into `query`")),
        (own("GET 不带请求体"), own("参数请写入 `query`"));
}
