//! A server's words made comparable: letter case, the Chinese script and the width of signs do not tell two sentences apart.
//!
//! Invariant: only for comparing; what people read stays word for word.

/// Traditional signs, each followed by its simplified one: those that occur in what is looked for.
const SCRIPTS: &str = "單单據据經经審审庫库負负關关賬账帳账結结權权聯联繫系係系請请錄录時时間间會会話话訊讯資资務务網网絡络衝冲數数異异\
     條条過过濾滤創创許许複复覆复啟启動动執执實实價价來来檢检額额僅仅號号檔档進进銷销購购應应發发貨货訂订戶户類类開开\
     閉闭鎖锁處处現现續续繼继臨临暫暂與与對对無无體体線线連连項项構构內内碼码編编業业逾超態态這这該该當当為为記记從从\
     產产標标準准採采倉仓儲储憑凭證证選选擇择誤误環环節节錯错設设計计憶忆憲宪轉转遞递輸输達达溝沟確确認认鍵键須须個个\
     狀状廢废凍冻則则於于臺台";

/// The words as they are compared: lower case, simplified, signs of half width.
pub fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '\u{3000}' => out.push(' '),
            '\u{ff01}'..='\u{ff5e}' => out.extend(char::from_u32(sign as u32 - 0xfee0).unwrap_or(sign).to_lowercase()),
            _ if sign.is_ascii() => out.push(sign.to_ascii_lowercase()),
            _ => out.push(simplified(sign)),
        }
    }
    // Where the other script has another word, too.
    out.replace("登入", "登录")
}

fn simplified(sign: char) -> char {
    let mut signs = SCRIPTS.chars();
    while let (Some(theirs), Some(ours)) = (signs.next(), signs.next()) {
        if theirs == sign {
            return ours;
        }
    }
    sign
}

/// The parts of folded words between signs of punctuation, without blanks and stops at their ends.
pub fn clauses(folded: &str) -> impl Iterator<Item = &str> {
    folded
        .split([',', ';', ':', '!', '?', '\n', '。', '、'])
        .map(|clause| clause.trim_matches(|sign: char| sign.is_whitespace() || matches!(sign, '.' | '"' | '\'')))
        .filter(|clause| !clause.is_empty())
}

/// Whether `text` is `pattern`, in which `*` stands for any signs. Both folded.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|head| text.strip_prefix(head)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(tail) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_case_and_width_are_folded() {
        for (text, expected) in [
            ("單據已經審核！", "单据已经审核!"),
            ("庫存不足，是否繼續？", "库存不足,是否继续?"),
            ("The Document Has Been AUDITED", "the document has been audited"),
            ("ＣＴＸ＝＝ｎｕｌｌ　", "ctx==null "),
            ("登入逾時", "登录超时"),
            ("关账", "关账"),
        ] {
            assert_eq!(folded(text), expected);
        }
        assert_eq!(SCRIPTS.chars().count() % 2, 0, "pairs");
    }

    #[test]
    fn clauses_end_at_punctuation() {
        let text = folded("单据编号为“X1.5”的单，单据已经审核！\nNot ok.");
        assert_eq!(clauses(&text).collect::<Vec<_>>(), ["单据编号为“x1.5”的单", "单据已经审核", "not ok"]);
    }

    #[test]
    fn a_star_stands_for_any_signs() {
        for (text, pattern, like) in [
            ("ab", "ab", true),
            ("abc", "ab", false),
            ("ab", "a*b", true),
            ("axxb", "a*b", true),
            ("axxbc", "a*b", false),
            ("aba", "a*b*a", true),
            ("ab", "ab*b", false),
            ("xab", "*ab", true),
            ("", "*", true),
        ] {
            assert_eq!(is_like(text, pattern), like, "{text} {pattern}");
        }
    }
}
