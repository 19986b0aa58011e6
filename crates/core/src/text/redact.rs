//! What looks like a secret by its name is taken out of reports and logs.
//!
//! Invariant: a value behind one of the names never stays, in whatever of the usual forms it is written.

/// Names whose values never stand in a report.
const SECRET_NAMES: [&str; 9] =
    ["password", "passwd", "secret", "token", "sessionid", "session_id", "cookie", "authorization", "appsec"];

/// A text with the values of secret names, and user and password in URLs, taken out.
pub fn without_secrets(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some((name_end, value)) =
        SECRET_NAMES.iter().filter_map(|name| next_value(&lower, done, name)).min_by_key(|(_, value)| value.start)
    {
        debug_assert!(name_end <= value.start, "a value stands after its name");
        out.push_str(text.get(done..value.start).unwrap_or_default());
        out.push_str("[REDACTED]");
        done = value.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    without_userinfo(&out)
}

/// The value after the next `name = value`, `"name": "value"` or `name: value`; for headers it goes to the line's end.
fn next_value(lower: &str, from: usize, name: &str) -> Option<(usize, std::ops::Range<usize>)> {
    let mut at = from;
    loop {
        let name_end = at + lower.get(at..)?.find(name)? + name.len();
        let rest = lower.get(name_end..)?;
        let gap = rest.find(|c: char| !matches!(c, '"' | '\'' | ' ' | '_' | '\\')).unwrap_or(rest.len());
        let after = rest.get(gap..)?;
        if after.starts_with([':', '=']) {
            let value = after.get(1..)?;
            let skip = 1 + value.find(|c: char| !matches!(c, '"' | '\'' | ' ' | '\\')).unwrap_or(value.len());
            let start = name_end + gap + skip;
            let whole_line = matches!(name, "cookie" | "authorization");
            let end = lower.get(start..)?.find(|c: char| match c {
                '\n' | '\r' => true,
                '"' | '\'' | ',' | ';' | ' ' | '&' | '}' | ')' => !whole_line,
                _ => false,
            });
            let end = end.map_or(lower.len(), |n| start + n);
            if end > start {
                return Some((name_end, start..end));
            }
        }
        at = name_end;
    }
}

fn without_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let host_end = after.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'')).unwrap_or(after.len());
        rest = match after.get(..host_end).and_then(|authority| authority.rfind('@')) {
            Some(at) => after.get(at + 1..).unwrap_or_default(),
            None => after,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_keeps_no_secret() {
        for (text, want) in [
            ("password=hunter2 next", "password=[REDACTED] next"),
            (r#"{"PassWord": "hunter2","b":1}"#, r#"{"PassWord": "[REDACTED]","b":1}"#),
            ("Cookie: kdservice-sessionid=abc; a=b\nnext", "Cookie: [REDACTED]\nnext"),
            ("app_secret: x1, token='y2'", "app_secret: [REDACTED], token='[REDACTED]'"),
            ("https://user:pw@erp.invalid/k3?x", "https://erp.invalid/k3?x"),
            ("the password is wrong", "the password is wrong"),
            ("审核失败 secret=密码", "审核失败 secret=[REDACTED]"),
            // Where nothing stands nothing is taken out, and what follows is still looked at.
            ("password=", "password="),
            ("secret: ", "secret: "),
            ("token=;password=x", "token=;password=[REDACTED]"),
            // An @ behind an address is not its user's.
            ("at http://a.invalid mail me@b.invalid", "at http://a.invalid mail me@b.invalid"),
            ("http://a.invalid/x@y", "http://a.invalid/x@y"),
            (r#"["http://a.invalid","x@y"]"#, r#"["http://a.invalid","x@y"]"#),
            ("'http://a.invalid' x@y", "'http://a.invalid' x@y"),
            ("http://u:p@a.invalid then ftp://v@b.invalid/c", "http://a.invalid then ftp://b.invalid/c"),
            ("http://u:p@ss@a.invalid", "http://a.invalid"),
        ] {
            assert_eq!(without_secrets(text), want);
        }
    }

    #[test]
    fn the_value_of_every_secret_name_is_taken_out_in_every_form() {
        let names = "password passwd secret token sessionid session_id cookie authorization appsec";
        for name in names.split(' ') {
            for name in [name.to_owned(), name.to_uppercase(), format!("X-My-{name}"), format!("app_{name}")] {
                let whole_line = ["cookie", "authorization"].iter().any(|end| name.to_lowercase().ends_with(end));
                for (before, after) in [
                    ("=", ""),
                    (": ", "\nnext"),
                    (" = '", "\r\n"),
                    ("\": \"", "\"}"),
                    ("\\\": \\\"", "\" x"),
                    ("_=", " x"),
                    ("=", ", x"),
                    ("=", ";x"),
                    ("=", "&x"),
                    ("=", ")x"),
                    ("='", "'x"),
                ] {
                    let kept = if whole_line && !after.starts_with(['\n', '\r']) { "" } else { after };
                    let (text, want) =
                        (format!("{name}{before}v4lue{after}"), format!("{name}{before}[REDACTED]{kept}"));
                    assert_eq!(without_secrets(&text), want);
                }
            }
        }
    }
}
