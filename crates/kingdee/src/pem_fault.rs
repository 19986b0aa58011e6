//! Why a file with certificates cannot be used, in both languages.

use skydeck_core::domain::system_words::chinese;

/// Why a certificate file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PemFault {
    /// It is not read; in both languages.
    Unread(String, String),
    /// No certificate stands in it.
    Empty,
    /// The key is not one, or belongs to another certificate.
    Key,
    /// What the parser of certificates says.
    Parser(String),
}

impl PemFault {
    /// Why, in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Unread(_, zh) => zh.clone(),
            Self::Empty => "其中没有证书：应含 PEM 段 `BEGIN CERTIFICATE`".to_owned(),
            Self::Key => "client_key 不是 PEM 格式的私钥（`BEGIN PRIVATE KEY`），或不属于此证书".to_owned(),
            Self::Parser(why) => format!("无法解析证书：{}", chinese(why)),
        }
    }
}

impl std::fmt::Display for PemFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unread(en, _) | Self::Parser(en) => f.write_str(en),
            Self::Empty => f.write_str("no certificate in it; it must hold PEM blocks `BEGIN CERTIFICATE`"),
            Self::Key => f.write_str(
                "its client_key is no private key in PEM (`BEGIN PRIVATE KEY`), or not the one of this certificate",
            ),
        }
    }
}
