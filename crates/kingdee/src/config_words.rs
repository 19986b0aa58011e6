//! What is wrong with a setting of the client, in Chinese.

use skydeck_core::domain::system_words::chinese;

use super::address::ConfigError;

impl ConfigError {
    /// What, and what would be right.
    pub fn zh(&self) -> String {
        match self {
            Self::NotUrl(_) => "地址不是有效的 URL：请写成 https://erp.example.invalid/k3cloud/ 的形式".to_owned(),
            Self::Scheme(scheme) => format!("地址以 {scheme}:// 开头：只能用 https:// 和 http://"),
            Self::Userinfo => "地址中含用户名或密码：请去掉；密钥另有来源，不写在地址中".to_owned(),
            Self::Query => "地址中含 `?` 或 `#`：应以服务器路径结尾，如 /k3cloud/".to_owned(),
            Self::PlainHttp(to) => format!(
                "到 {to} 用 http:// 会在网络上明文传输凭据和单据：请用 https://，或在此环境中设 allow_plain_http = true"
            ),
            Self::Proxy(_) => {
                "代理地址无效：请写成 http://proxy.example.invalid:3128 的形式，用户名和密码写在 proxy_user 和 \
                               proxy_secret"
                    .to_owned()
            }
            Self::Timeouts { connect, call } => format!(
                "limits.connect_timeout（{connect:?}）须小于 limits.call_timeout（{call:?}）：只有连接失败才能证明没有发出请求"
            ),
            Self::Pem { key, path, reason } => format!("{key} {path}：{}", reason.zh()),
            Self::SecondPassword => {
                "second_password：前 24 个字符用于签名，须为 ASCII；现在不足，或含其他字符".to_owned()
            }
            Self::Client(why) => format!("无法建立 HTTP 客户端：{}", chinese(why)),
        }
    }
}
