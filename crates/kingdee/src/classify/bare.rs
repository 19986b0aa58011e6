//! Words of a server that answers without the form of an answer: `response_error:`, a bare text, a bare error object.

use serde_json::Value;

/// What a body says that is no answer to the call, as far as it is words of the server; raw.
pub(super) fn words_of(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim();
    let (marked, inner) = match text.strip_prefix("response_error:") {
        Some(inner) => (true, inner.trim()),
        None => (false, text),
    };
    let words = match serde_json::from_str::<Value>(inner) {
        Ok(Value::String(words)) => Some(words),
        Ok(Value::Object(object)) => of_object(&Value::Object(object)),
        Ok(_) => None,
        Err(_) => marked.then(|| inner.to_owned()),
    };
    words.map(|words| words.trim().to_owned()).filter(|words| !words.is_empty())
}

/// `Message` of an error object and of those inside it.
fn of_object(error: &Value) -> Option<String> {
    let mut words: Vec<&str> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let message = ["Message", "message", "ErrorMessage"].iter().find_map(|key| error.get(*key)?.as_str());
        words.extend(message.map(str::trim).filter(|message| !message.is_empty()));
        next = error.get("InnerExWrapper");
    }
    (!words.is_empty()).then(|| words.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_every_wrapping() {
        for (body, expected) in [
            (
                "response_error: 错误信息: 未将对象引用设置到对象的实例。",
                Some("错误信息: 未将对象引用设置到对象的实例。"),
            ),
            (
                r#"response_error:{"Message":"外","InnerExWrapper":{"Message":"内","InnerExWrapper":null}}"#,
                Some("外: 内"),
            ),
            (r#""登录失效""#, Some("登录失效")),
            (" response_error: \u{3000}\"登录失效 \"", Some("登录失效")),
            (r#"{"Message":" ","InnerExWrapper":{"Message":"内"}}"#, Some("内")),
            (r#"{"message":"外","InnerExWrapper":{"ErrorMessage":" 内 "}}"#, Some("外: 内")),
            (r#"{"ErrorCode":-10001,"Message":"用户未登录"}"#, Some("用户未登录")),
            ("\u{feff}{\"message\":\"x\"}", Some("x")),
            (r#"{"Message":"外","InnerExWrapper":"内"}"#, Some("外")),
            (r#"{"Result":{}}"#, None),
            ("[]", None),
            ("<html>登录失效</html>", None),
            ("response_error:", None),
            ("", None),
        ] {
            assert_eq!(words_of(body.as_bytes()).as_deref(), expected, "{body}");
        }
        assert_eq!(words_of(b"\xff"), None);
    }
}
