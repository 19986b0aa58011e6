//! Whether a refusal means "who are you?", however the server puts it.

use super::Mode;
use crate::wire::{Reason, Status};
use skydeck_core::domain::folded::{clauses, folded};

/// How a lost session was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// By MsgCode 1, or by the server's own sentence for it: under signed calls it means that the credentials are refused.
    Told,
    /// By words or another code: the server lost what it knew of us. Signing in anew tells whether it refuses us.
    Hinted,
}

/// What the server says when it lost a session, without a code.
const TOLD: &str = "会话信息已丢失";

/// `ErrorCode` of a call without a login.
const NO_LOGIN: i64 = -10001;

/// Other sentences for it, folded.
const WORDS: [&str; 19] = [
    "ctx == null",
    "ctx==null",
    "ctx is null",
    "用户未登录",
    "登录失效",
    "登录已失效",
    "登录已过期",
    "登录超时",
    "登录信息已失效",
    "会话已过期",
    "会话已失效",
    "会话失效",
    "会话超时",
    "session expired",
    "session has expired",
    "session is lost",
    "session has been lost",
    "not logged in",
    "login has expired",
];

/// The same as whole parts of a message: within a sentence they may be about somebody else.
const CLAUSES: [&str; 8] =
    ["未登录", "尚未登录", "请先登录", "请登录", "请重新登录", "session lost", "please log in", "please log in again"];

/// Whether an answer says that the session is lost. A refusal with a code of its own is one, whatever its words.
pub(super) fn loss_of(status: &Status) -> Option<Loss> {
    let words = || status.errors.iter().map(Reason::message);
    match status.msg_code() {
        Some(1) => Some(Loss::Told),
        code @ (None | Some(0 | 4)) => {
            if code != Some(4) && words().any(|said| said.contains(TOLD)) {
                return Some(Loss::Told);
            }
            let hinted = status.error_code() == Some(NO_LOGIN) || words().any(is_hint);
            hinted.then_some(Loss::Hinted)
        }
        Some(_) => (status.error_code() == Some(NO_LOGIN)).then_some(Loss::Hinted),
    }
}

/// The same of words that came without the form of an answer.
pub(super) fn loss_in(words: &str) -> Option<Loss> {
    (words.contains(TOLD) || is_hint(words)).then_some(Loss::Hinted)
}

fn is_hint(words: &str) -> bool {
    let text = folded(words);
    WORDS.iter().any(|part| text.contains(part)) || clauses(&text).any(|clause| CLAUSES.contains(&clause))
}

impl Loss {
    /// Whether it means that the credentials are refused, so that signing in again cannot help.
    pub(super) fn refuses(self, mode: Mode) -> bool {
        match (self, mode) {
            (Self::Told, Mode::Signed) => true,
            (Self::Told, Mode::Login) | (Self::Hinted, Mode::Signed | Mode::Login) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Envelope;

    fn status(code: &str, error_code: &str, message: &str) -> Status {
        let body = format!(
            r#"{{"Result":{{"ResponseStatus":{{"IsSuccess":false,"MsgCode":{code},"ErrorCode":{error_code},"Errors":[{{"Message":"x"}},{{"Message":"{message}"}}]}}}}}}"#
        );
        Envelope::read(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_lost_session_is_told_in_many_ways() {
        let (told, hinted) = (Some(Loss::Told), Some(Loss::Hinted));
        for (code, error_code, message, expected) in [
            ("1", "500", "别的", told),
            ("0", "500", "会话信息已丢失，请重新登录", told),
            ("null", "500", "会话信息已丢失，请重新登录", told),
            ("4", "500", "会话信息已丢失，请重新登录", hinted),
            ("11", "500", "会话信息已丢失，请重新登录", None),
            ("null", "500", "ctx == null", hinted),
            ("4", "500", "Value cannot be null: ctx == null", hinted),
            ("11", "500", "ctx == null", None),
            ("11", "-10001", "别的", hinted),
            ("\"\"", "\"-10001\"", "别的", hinted),
            ("null", "10001", "别的", None),
            ("0", "500", "使用者未登入：用戶未登入", hinted),
            ("0", "500", "未登录", hinted),
            ("0", "500", "制单人未登录过系统", None),
            ("0", "500", "登录超时，请重新登录", hinted),
            ("0", "500", "您的登入已過期", hinted),
            ("0", "500", "登錄已過期", hinted),
            ("0", "500", "Your Session has expired.", hinted),
            ("0", "500", "单据已经审核", None),
        ] {
            assert_eq!(loss_of(&status(code, error_code, message)), expected, "{code} {error_code} {message}");
        }
        assert_eq!(loss_in("会话信息已丢失"), hinted);
        assert_eq!(loss_in("库存不足"), None);
        assert!(Loss::Told.refuses(Mode::Signed) && !Loss::Told.refuses(Mode::Login));
        assert!(!Loss::Hinted.refuses(Mode::Signed) && !Loss::Hinted.refuses(Mode::Login));
    }
}
