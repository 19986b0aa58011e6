//! `[alerts]`: who is told when nobody watches, and how.
//!
//! Invariant: tokens and signing secrets are named by where they are kept, as those of environments are.

use std::time::Duration;

use serde::Deserialize;

use crate::domain::language::Language;

use super::environment::SecretSource;
use super::said::Said;
use super::span::Span;

/// `[alerts]` as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertsConfig {
    /// Chinese or English.
    pub language: Language,
    /// What happens within this time goes into one message.
    pub merge: Duration,
    /// The same of the same plan is not told again sooner.
    pub quiet: Duration,
    /// Unknown bills that stay so for this long are told.
    pub unknown_after: Duration,
    /// Whether it is told that more bills come than usual, that more are refused.
    pub drift: bool,
    /// Whether it is told that unresolved bills of a cause become more.
    pub growing: bool,
    /// Who is told.
    pub to: Vec<TargetConfig>,
}

/// One `[[alerts.to]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// What it is called in logs and in `alerts test`.
    pub name: String,
    /// What it is.
    pub kind: TargetKind,
    /// Address; the robots have one by default.
    pub url: Option<String>,
    /// The robot's access token or key; a webhook's bearer token.
    pub token: Option<SecretSource>,
    /// What messages are signed with.
    pub secret: Option<SecretSource>,
    /// Program and arguments; gets the message as JSON on its standard input.
    #[serde(default)]
    pub command: Vec<String>,
}

/// Kinds of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A program on this machine.
    Command,
    /// An HTTP POST of JSON.
    Webhook,
    /// 钉钉 custom robot.
    #[serde(rename = "dingtalk")]
    DingTalk,
    /// 企业微信 group robot.
    #[serde(rename = "wecom")]
    WeCom,
    /// 飞书 custom robot.
    Feishu,
}

impl TargetKind {
    /// The robot's public address (DingTalk, WeCom and Feishu open platform documentation).
    pub fn address(self) -> Option<&'static str> {
        match self {
            Self::Command | Self::Webhook => None,
            Self::DingTalk => Some("https://oapi.dingtalk.com/robot/send"),
            Self::WeCom => Some("https://qyapi.weixin.qq.com/cgi-bin/webhook/send"),
            Self::Feishu => Some("https://open.feishu.cn/open-apis/bot/v2/hook/"),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlerts {
    language: Option<Language>,
    merge: Option<Span>,
    quiet: Option<Span>,
    unknown_after: Option<Span>,
    #[serde(default)]
    drift: bool,
    #[serde(default)]
    growing: bool,
    #[serde(default)]
    to: Vec<TargetConfig>,
}

impl RawAlerts {
    pub(super) fn build(self) -> Result<AlertsConfig, Said> {
        let span = |span: Option<Span>, minutes: u64| span.map_or(Duration::from_secs(60 * minutes), |span| span.0);
        let mut names = std::collections::BTreeSet::new();
        for target in &self.to {
            let wants = |en: &str, zh: &str| {
                let at = format!("[[alerts.to]] {}", target.name);
                Err(Said::new(format!("{at}: it needs {en}"), format!("{at}：需要 {zh}")))
            };
            if !names.insert(target.name.as_str()) {
                return Err(Said::new(
                    format!("[[alerts.to]]: two are called `{}`", target.name),
                    format!("[[alerts.to]]：有两个都叫 `{}`", target.name),
                ));
            }
            match target.kind {
                TargetKind::Command if target.command.is_empty() => {
                    return wants("command = [\"program\", …]", "command = [\"程序\", …]");
                }
                TargetKind::Webhook if target.url.is_none() => return wants("url", "url"),
                TargetKind::DingTalk | TargetKind::WeCom | TargetKind::Feishu if target.token.is_none() => {
                    return wants(
                        "token = { file = \"…\" }: the part of the robot's address that is secret",
                        "token = { file = \"…\" }：机器人地址中须保密的部分",
                    );
                }
                _ => {}
            }
            if let Some(url) = &target.url
                && !url.starts_with("https://")
                && !url.starts_with("http://")
            {
                return wants("a url that begins with https://", "以 https:// 开头的 url");
            }
            let here = |url: &str| {
                ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|host| {
                    url.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
                })
            };
            if target.token.is_some()
                && target.url.as_deref().is_some_and(|url| url.starts_with("http://") && !here(url))
            {
                return wants("https: a token does not go over the network in plain", "https：token 不能明文传输");
            }
            if target.url.as_deref().is_some_and(|url| url.contains("access_token=") || url.contains("key=")) {
                let at = format!("[[alerts.to]] {}", target.name);
                return Err(Said::new(
                    format!(
                        "{at}: a token must not stand in the url; put it into a file of its own and write token = \
                         {{ file = \"…\" }}"
                    ),
                    format!("{at}：token 不能写在 url 中：请放入单独的文件，并写 token = {{ file = \"…\" }}"),
                ));
            }
        }
        Ok(AlertsConfig {
            language: self.language.unwrap_or(Language::Zh),
            merge: span(self.merge, 1),
            quiet: span(self.quiet, 30),
            unknown_after: span(self.unknown_after, 30),
            drift: self.drift,
            growing: self.growing,
            to: self.to,
        })
    }
}

impl Default for AlertsConfig {
    fn default() -> Self {
        Self {
            language: Language::Zh,
            merge: Duration::from_secs(60),
            quiet: Duration::from_secs(1800),
            unknown_after: Duration::from_secs(1800),
            drift: false,
            growing: false,
            to: Vec::new(),
        }
    }
}
