//! English that stands in what a Chinese session is shown.

/// Names and words of formats that are written in Latin letters in Chinese, too.
const NAMES: [&str; 6] = ["skydeck", "json", "k", "cloud", "markdown", "toml"];

/// Runs of at least three English words; what stands in backticks is code.
pub fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let prose = text.split('`').step_by(2);
    for part in prose.flat_map(str::lines) {
        let mut run: Vec<&str> = Vec::new();
        let ends = |run: &mut Vec<&str>, found: &mut Vec<String>| {
            if run.len() >= 3 && !run.iter().any(|word| NAMES.contains(&word.to_lowercase().as_str())) {
                found.push(run.join(" "));
            }
            run.clear();
        };
        for token in part.split(' ') {
            let opens = token.starts_with(['(', '“', '"']);
            if opens {
                ends(&mut run, &mut found);
            }
            let word =
                token.trim_matches(|c: char| matches!(c, ',' | '.' | ':' | ';' | '(' | ')' | '“' | '”' | '"' | '\''));
            let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic() || c == '\'');
            // A sentence ends where a wide sign does, and a name in capitals is one.
            if is_word && !(word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase())) {
                run.push(word);
            } else {
                // `你好 the store cannot`, `cannot write：……`: letters beside Han are words, too.
                let (head, tail) = (
                    token.split(|c: char| !c.is_ascii_alphabetic()).next(),
                    token.rsplit(|c: char| !c.is_ascii_alphabetic()).next(),
                );
                if token.chars().any(|c| c > '\u{2fff}') {
                    run.extend(head.filter(|head| !head.is_empty()));
                    ends(&mut run, &mut found);
                    run.extend(tail.filter(|tail| !tail.is_empty()));
                } else {
                    ends(&mut run, &mut found);
                }
            }
        }
        ends(&mut run, &mut found);
    }
    found
}
