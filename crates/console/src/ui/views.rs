//! Saved views: a filter with a name and, where one was given, a key.
//!
//! Invariant: a view is read anew each time it is used, so that one of something that is gone says so.

use skydeck_core::domain::suggest::nearest;

/// A saved view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// What it is called.
    pub name: String,
    /// The letter that shows it, with Alt.
    pub key: Option<char>,
    /// Its filter, as it was typed.
    pub text: String,
}

/// A name that no view has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownView {
    /// As it was written.
    pub name: String,
    /// The one that may be meant.
    pub near: Option<String>,
}

impl UnknownView {
    /// What is wrong and what to do.
    pub fn en(&self) -> String {
        match &self.near {
            Some(near) => format!("no saved view is called `{}`; did you mean `@{near}`?", self.name),
            None => format!("no saved view is called `{}`; Ctrl-S in the console's filter line saves one", self.name),
        }
    }

    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match &self.near {
            Some(near) => format!("没有名为 `{}` 的常用视图；是不是 `@{near}`？", self.name),
            None => format!("没有名为 `{}` 的常用视图；在控制台的过滤行按 Ctrl-S 保存", self.name),
        }
    }
}

/// A filter in whose beginning a view may be named: `@month-end -org:100`. The longest name that stands there is meant.
///
/// # Errors
/// When no view has the name.
pub fn with_view(text: &str, views: &[View]) -> Result<String, UnknownView> {
    let text = text.trim();
    let Some(rest) = text.strip_prefix(['@', '＠']) else { return Ok(text.to_owned()) };
    let after = |view: &View| {
        let more = rest.strip_prefix(view.name.as_str())?;
        (more.is_empty() || more.starts_with(char::is_whitespace)).then(|| more.trim().to_owned())
    };
    let mut named: Vec<(&View, String)> = views.iter().filter_map(|view| Some((view, after(view)?))).collect();
    named.sort_by_key(|(view, _)| view.name.len());
    if let Some((view, more)) = named.pop() {
        return Ok(format!("{} {more}", view.text).trim().to_owned());
    }
    let name = rest.split_whitespace().next().unwrap_or_default();
    let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
    Err(UnknownView { name: name.to_owned(), near: nearest(name, &names).map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_stands_for_its_filter_and_the_longest_name_is_meant() {
        let view = |name: &str, text: &str| View { name: name.into(), key: None, text: text.into() };
        let views = [view("月末", "日期:月末"), view("月末 关账", "原因:期间已关账"), view("b", "cause:stock")];
        for (text, want) in [
            ("cause:lock", "cause:lock"),
            ("@b", "cause:stock"),
            (" ＠b -org:100 ", "cause:stock -org:100"),
            ("@月末", "日期:月末"),
            ("@月末 关账", "原因:期间已关账"),
            ("@月末 关账 age:>1d", "原因:期间已关账 age:>1d"),
            ("@月末 age:>1d", "日期:月末 age:>1d"),
        ] {
            assert_eq!(with_view(text, &views).unwrap(), want, "{text}");
        }
        let wrong = with_view("@月初 x", &views).unwrap_err();
        assert_eq!((wrong.name.as_str(), wrong.near.as_deref()), ("月初", Some("月末")));
        assert!(with_view("@供应商对账", &views).unwrap_err().zh().contains("Ctrl-S"));
        assert!(wrong.zh().contains("`@月末`") && with_view("@c", &views).unwrap_err().en().contains("`@b`"));
        assert!(with_view("@", &[]).is_err());
    }
}
