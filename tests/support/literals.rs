//! The string literals of a file of code, without those of its tests.

/// Line and text of each literal; what continues in the next line is one text. Escapes stay but for line ends and quotes.
pub fn literals(code: &str) -> Vec<(usize, String)> {
    let code: Vec<char> = code.split("#[cfg(test)]").next().unwrap_or_default().chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while let Some(&c) = code.get(at) {
        let next = code.get(at + 1).copied();
        match c {
            '\n' => line += 1,
            '/' if next == Some('/') => {
                while code.get(at + 1).is_some_and(|c| *c != '\n') {
                    at += 1;
                }
            }
            // A character, not a lifetime: it has its second sign within a few places.
            '\'' if next == Some('\\') => at += if code.get(at + 2) == Some(&'u') { 3 } else { 2 },
            '\'' if code.get(at + 2) == Some(&'\'') => at += 2,
            '"' => {
                let hashes = code[..at].iter().rev().take_while(|c| **c == '#').count();
                let raw = code[..at - hashes].last() == Some(&'r');
                let begun = line;
                let mut text = String::new();
                at += 1;
                while let Some(&c) = code.get(at) {
                    let ends = c == '"' && (!raw || code[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes);
                    match (c, code.get(at + 1)) {
                        _ if ends => break,
                        ('\\', Some('\n')) if !raw => {
                            line += 1;
                            while code.get(at + 2).is_some_and(|c| c.is_whitespace()) {
                                at += 1;
                            }
                            at += 1;
                        }
                        ('\\', Some('n')) if !raw => (text.push('\n'), at += 1).1,
                        ('\\', Some(c)) if !raw => (text.push(*c), at += 1).1,
                        (c, _) => {
                            line += usize::from(c == '\n');
                            text.push(c);
                        }
                    }
                    at += 1;
                }
                found.push((begun, text));
            }
            _ => {}
        }
        at += 1;
    }
    found
}
