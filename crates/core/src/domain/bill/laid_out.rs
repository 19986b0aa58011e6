//! A body for eyes.

/// A body with one field a line: blanks between its signs, and nothing else, are added.
pub fn laid_out(body: &str) -> String {
    let (mut text, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    for c in body.chars() {
        if quoted {
            text.push(c);
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '{' | '[' => {
                depth += 1;
                text.push(c);
                text.push('\n');
                text.push_str(&"  ".repeat(depth));
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                text.push('\n');
                text.push_str(&"  ".repeat(depth));
                text.push(c);
            }
            ',' => {
                text.push_str(",\n");
                text.push_str(&"  ".repeat(depth));
            }
            ':' => text.push_str(": "),
            c => {
                quoted = c == '"';
                text.push(c);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::laid_out;

    #[test]
    fn a_body_is_laid_out_without_a_change_of_what_it_says() {
        let body = r#"{"a":"x:{,}\\","n":1.500,"l":[{"b":"\""}]}"#;
        let shown = laid_out(body);
        assert!(shown.contains("\"n\": 1.500,") && shown.contains(r#""a": "x:{,}\\","#), "{shown}");
        let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(same(&shown), same(body));
    }
}
