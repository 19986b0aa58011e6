//! The rules of style that a machine can check, for Chinese texts and for English ones.

/// Words that another one stands for: `docs/glossary.md` has the word. What stands after a bar may follow the word.
const DROPPED_ZH: [(&str, &str); 33] = [
    ("未结", "束"),
    ("修订", ""),
    ("读回", ""),
    ("回读", ""),
    ("答复", ""),
    ("应答", ""),
    ("筛选", ""),
    ("结清", ""),
    ("收集", ""),
    ("早审", ""),
    ("早已审", ""),
    ("定格", ""),
    ("制单人", ""),
    ("冻结", ""),
    ("批次", ""),
    ("全扫", ""),
    ("全量扫描", ""),
    ("压舱", ""),
    ("事实", ""),
    ("挂起", ""),
    ("放行", ""),
    ("新取", ""),
    ("带参", ""),
    ("服务器信息", ""),
    ("状态未知", ""),
    ("他处未知", ""),
    ("单据数", "据"),
    ("审批", "流人在"),
    ("第二位", ""),
    ("答非所问", ""),
    ("您", ""),
    ("我们", ""),
    ("账套", "）"),
];

/// The same in English, in small letters and as whole words.
const DROPPED_EN: [&str; 22] = [
    "mend",
    "mends",
    "mended",
    "wave",
    "waves",
    "waved",
    "is no date",
    "is no day",
    "is no number",
    "is no age",
    "is no list",
    "is no field path",
    "put off",
    "sees to",
    "ballast",
    "unfold",
    "thaw",
    "frozen",
    "lately",
    "let finish",
    "the mark",
    "a reason is wanted",
];

fn han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Chinese without what is quoted or code, in whose place a sign stands that nothing is said of.
fn bare(text: &str) -> Vec<char> {
    let mut out = Vec::new();
    // What is quoted may quote something.
    let (mut code, mut quotes) = (false, 0);
    for c in text.chars() {
        match (c, quotes) {
            ('`', 0) => {
                code = !code;
                out.extend((!code).then_some('¤'));
            }
            _ if code => {}
            ('“', _) => quotes += 1,
            ('”', 1..) => {
                quotes -= 1;
                out.extend((quotes == 0).then_some('¤'));
            }
            (c, 0) => out.push(c),
            _ => {}
        }
    }
    out
}

/// What is wrong with the signs and blanks of a Chinese text; empty for a text without Chinese.
pub fn signs(text: &str) -> Vec<String> {
    let text = bare(text);
    let mut found = Vec::new();
    let wide = |c: char| "：；，。？！（）、".contains(c);
    for (i, pair) in text.windows(2).enumerate() {
        let [one, two] = [pair[0], pair[1]];
        let shown: String = text[i.saturating_sub(6)..text.len().min(i + 8)].iter().collect();
        let fault = match (one, two) {
            (a, ':' | ';' | ',' | '?' | '(' | ')') if han(a) => "a narrow sign after Chinese",
            (';' | ',' | '?' | '(', b) if han(b) => "a narrow sign before Chinese",
            (a, b) if han(a) && b.is_ascii_alphanumeric() || a.is_ascii_alphanumeric() && han(b) => "no blank",
            // Before a sign that parts, such as · or >, there is one.
            (a, ' ') if wide(a) && text.get(i + 2).is_some_and(|c| han(*c) || c.is_ascii_alphanumeric()) => {
                "a blank after a wide sign"
            }
            // A folded line begins under its own column.
            (' ', b) if wide(b) && text[..i].iter().rev().take_while(|c| **c != '\n').any(|c| *c != ' ') => {
                "a blank before a wide sign"
            }
            _ => continue,
        };
        found.push(format!("{fault}: {shown}"));
    }
    found
}

/// Words of a Chinese text that another one stands for.
pub fn dropped_zh(text: &str) -> Vec<String> {
    let text: String = bare(text).into_iter().collect();
    let mut found = Vec::new();
    for (word, after) in DROPPED_ZH {
        let uses = text.match_indices(word).filter(|(at, _)| {
            let next = text[at + word.len()..].chars().next();
            !next.is_some_and(|next| after.contains(next))
        });
        found.extend(uses.map(|_| word.to_owned()));
    }
    // Bills are counted in 张.
    let counted = |(at, _): &(usize, &str)| {
        let before = text[..*at].trim_end().chars().next_back().is_some_and(|c| c.is_ascii_digit() || c == '}');
        let after = text[at + "单".len()..].chars().next();
        before && !after.is_some_and(|c| "据号位元独".contains(c))
    };
    found.extend(text.match_indices("单").filter(counted).map(|_| "单 for a number of bills".to_owned()));
    found
}

/// The same of an English text.
pub fn dropped_en(text: &str) -> Vec<String> {
    let mut plain = String::from(" ");
    let mut inside = 0;
    for c in text.split('`').step_by(2).flat_map(str::chars) {
        match c {
            '{' => inside += 1,
            '}' => inside -= i32::from(inside > 0),
            c if inside == 0 => {
                plain.push(if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { ' ' })
            }
            _ => {}
        }
    }
    plain.push(' ');
    DROPPED_EN.iter().filter(|word| plain.contains(&format!(" {word} "))).map(|word| (*word).to_owned()).collect()
}
