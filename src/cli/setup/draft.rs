//! An environment that is being described: what is known of it, and the lines of the configuration that say so.
//!
//! Invariant: what is tried is what is written, read from the same lines; the secret is never among them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use toml::Value;

use crate::config::{Config, ConfigError, EnvironmentConfig, SecretSource, SignInKind};
use crate::erp::config::Address;
use crate::exit::{Exit, Stop};

/// Where secrets that are typed are kept, beside the configuration.
pub const CREDENTIALS: &str = "credentials.d";

/// Longest name of an environment, characters.
const LONGEST_NAME: usize = 32;

/// Ways of signing in, by their names in the configuration, each with what it asks for.
pub const WAYS: [(SignInKind, &str); 4] = [
    (SignInKind::Signed, "signed"),
    (SignInKind::AppSecret, "app_secret"),
    (SignInKind::AppSign, "app_sign"),
    (SignInKind::Password, "password"),
];

/// The name of a way in the configuration.
pub fn word(way: SignInKind) -> &'static str {
    WAYS.iter().find(|(known, _)| *known == way).map_or("signed", |(_, word)| word)
}

/// One thing that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The environment's name.
    Name,
    /// The server's address.
    Url,
    /// The data centre.
    AccountSet,
    /// The ERP user.
    User,
    /// How to sign in.
    SignIn,
    /// The application.
    AppId,
    /// Its secret, or the user's password.
    Secret,
}

/// Where the secret comes from.
#[derive(Clone, Debug)]
pub enum Kept {
    /// It was typed, and goes into a file of ours.
    Typed(SecretString),
    /// It stands somewhere already.
    There(SecretSource),
}

/// What is known so far.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Name.
    pub name: Option<String>,
    /// Address.
    pub url: Option<String>,
    /// Data centre (account set).
    pub account_set: Option<String>,
    /// ERP user.
    pub user: Option<String>,
    /// How to sign in.
    pub sign_in: Option<SignInKind>,
    /// Application.
    pub app_id: Option<String>,
    /// Secret.
    pub secret: Option<Kept>,
    /// It is production.
    pub production: bool,
    /// `http://` to another machine is allowed.
    pub allow_plain_http: bool,
}

impl Draft {
    /// What is still to be said, in the order in which it is asked for.
    pub fn missing(&self) -> Vec<Part> {
        let app = self.sign_in.is_none_or(|way| way != SignInKind::Password);
        [
            (Part::Name, self.name.is_none()),
            (Part::Url, self.url.is_none()),
            (Part::AccountSet, self.account_set.is_none()),
            (Part::User, self.user.is_none()),
            (Part::SignIn, self.sign_in.is_none()),
            (Part::AppId, app && self.app_id.is_none()),
            (Part::Secret, self.secret.is_none()),
        ]
        .into_iter()
        .filter_map(|(part, missing)| missing.then_some(part))
        .collect()
    }

    /// What a server is asked with: two that are equal get equal answers.
    pub fn identity(&self) -> Vec<String> {
        let secret = match &self.secret {
            Some(Kept::Typed(secret)) => secret.expose_secret().to_owned(),
            Some(Kept::There(source)) => format!("{source:?}"),
            None => String::new(),
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            text(&self.url),
            text(&self.account_set),
            text(&self.user),
            format!("{:?}", self.sign_in),
            text(&self.app_id),
            secret,
        ]
    }

    /// The file that a typed secret goes to, relative to the configuration.
    pub fn secret_file(&self) -> PathBuf {
        Path::new(CREDENTIALS).join(self.name.as_deref().unwrap_or_default())
    }

    /// The environment's table.
    pub fn table(&self) -> String {
        let quoted = |text: &Option<String>| Value::String(text.clone().unwrap_or_default()).to_string();
        let name = self.name.as_deref().unwrap_or_default();
        let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        let key = if bare { name.to_owned() } else { Value::String(name.to_owned()).to_string() };
        let mut text = format!("[environment.{key}]\n");
        let mut line = |key: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} = {value}");
        };
        line("url", quoted(&self.url));
        line("account_set", quoted(&self.account_set));
        line("user", quoted(&self.user));
        let way = self.sign_in.unwrap_or(SignInKind::Signed);
        line("sign_in", format!("\"{}\"", word(way)));
        if way != SignInKind::Password {
            line("app_id", quoted(&self.app_id));
        }
        line("secret", self.source());
        if self.allow_plain_http {
            line("allow_plain_http", "true".to_owned());
        }
        if self.production {
            line("production", "true".to_owned());
        }
        text
    }

    /// Where the secret is, as the configuration says it.
    fn source(&self) -> String {
        let quoted = |text: &str| Value::String(text.to_owned()).to_string();
        let file = |path: &Path| format!("{{ file = {} }}", quoted(&path.display().to_string()));
        match &self.secret {
            Some(Kept::There(SecretSource::File(path))) => file(path),
            Some(Kept::There(SecretSource::Command(argv))) => {
                let argv: Vec<String> = argv.iter().map(|arg| quoted(arg)).collect();
                format!("{{ command = [{}] }}", argv.join(", "))
            }
            Some(Kept::There(SecretSource::Prompt)) => "{ prompt = true }".to_owned(),
            Some(Kept::Typed(_)) | None => file(&self.secret_file()),
        }
    }

    /// The environment as its table says it.
    ///
    /// # Errors
    /// The table does not stand.
    pub fn environment(&self, file: &Path) -> Result<EnvironmentConfig, Stop> {
        let config = Config::parse(file, &self.table()).map_err(|e| unfit(&e))?;
        config.environments.into_iter().next().ok_or_else(Stop::odd_answer)
    }

    /// The text of the configuration with this environment in it. The one that was the default stays so.
    ///
    /// # Errors
    /// The environment is there already, or the file is written in a way that takes no further table.
    pub fn added_to(&self, file: &Path, before: &str) -> Result<String, Stop> {
        let old = Config::parse(file, before).map_err(|e| unfit(&e))?;
        let name = self.name.as_deref().unwrap_or_default();
        if old.environments.iter().any(|env| env.environment.id.as_str() == name) {
            return Err(Stop::both(
                Exit::Usage,
                format!("{} has an environment {name} already: choose another name", file.display()),
                format!("{} 中已有环境 {name}：请换一个名称", file.display()),
            ));
        }
        let mut text = before.trim_end().to_owned();
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&self.table());
        let first = old.environments.first().map(|env| env.environment.id.to_string());
        let new = Config::parse(file, &text).map_err(|_| self.by_hand(file))?;
        if let Some(first) = first
            && new.environments.first().is_some_and(|env| env.environment.id.as_str() != first)
        {
            text = format!("default_environment = {}\n{text}", Value::String(first));
        }
        let new = Config::parse(file, &text).map_err(|_| self.by_hand(file))?;
        let kept = new.environments.iter().filter(|env| env.environment.id.as_str() != name);
        if !kept.eq(old.environments.iter()) {
            return Err(self.by_hand(file));
        }
        Ok(text)
    }

    fn by_hand(&self, file: &Path) -> Stop {
        let (file, table) = (file.display(), self.table());
        Stop::both(
            Exit::Usage,
            format!("{file} is written in a way that takes no further environment: add this to it by hand\n{table}"),
            format!("{file} 的写法无法追加环境：请手工加入以下内容\n{table}"),
        )
    }
}

fn unfit(error: &ConfigError) -> Stop {
    Stop::both(Exit::Usage, error.to_string(), error.in_chinese())
}

/// Whether a text can be an environment's name; what is wrong with it otherwise, in both languages.
///
/// # Errors
/// It cannot.
pub fn named(name: &str) -> Result<(), (String, String)> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    if name.chars().all(fits) && name.starts_with(char::is_alphanumeric) && name.chars().count() <= LONGEST_NAME {
        return Ok(());
    }
    Err((
        format!("`{name}` cannot be a name: letters, digits, - and _, at most {LONGEST_NAME}; test, prod"),
        format!("`{name}` 不能作为名称：只用字母、数字、- 和 _，最多 {LONGEST_NAME} 个字符，如 test、prod"),
    ))
}

/// What is wrong with an address, and whether only that it is not encrypted.
pub struct Unfit {
    /// In English.
    pub en: String,
    /// In Chinese.
    pub zh: String,
    /// It is well otherwise.
    pub is_plain: bool,
}

/// Whether an address can be used.
///
/// # Errors
/// What is wrong with it.
pub fn addressed(url: &str, allow_plain_http: bool) -> Result<(), Unfit> {
    Address::parse(url, allow_plain_http).map(drop).map_err(|e| Unfit {
        en: e.to_string(),
        zh: e.zh(),
        is_plain: matches!(e, crate::erp::config::ConfigError::PlainHttp(_)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &str) -> Draft {
        Draft {
            name: Some(name.to_owned()),
            url: Some("https://k3.example.invalid/k3cloud/".to_owned()),
            account_set: Some("60aa0000000009".to_owned()),
            user: Some("集成 \"a\" \\ b".to_owned()),
            sign_in: Some(SignInKind::AppSign),
            app_id: Some("123_x".to_owned()),
            secret: Some(Kept::Typed(SecretString::from("hunter2"))),
            production: true,
            allow_plain_http: false,
        }
    }

    #[test]
    fn what_is_described_is_read_back_and_holds_no_secret() {
        for name in ["test", "生产", "a_b-9"] {
            let draft = draft(name);
            let text = draft.added_to(Path::new("c.toml"), "").unwrap();
            assert!(!text.contains("hunter2"), "{text}");
            let read = Config::parse(Path::new("c.toml"), &text).unwrap();
            let env = &read.environments[0];
            assert_eq!(env, &draft.environment(Path::new("c.toml")).unwrap());
            assert_eq!((env.environment.id.as_str(), env.environment.user.as_str()), (name, "集成 \"a\" \\ b"));
            assert!(env.environment.production && env.environment.read_only);
            assert_eq!(env.secret, Some(SecretSource::File(Path::new("credentials.d").join(name))));
        }
    }

    #[test]
    fn what_was_there_stays_and_the_default_does_not_change() {
        let old = "# mine\n[console]\nlanguage = \"zh\"\n\n[environment.test] # kept\nurl = \"http://127.0.0.1:9/k3cloud/\"\n\
                   account_set = \"1\"\nuser = \"demo\"\nsign_in = \"password\"\nsecret = { prompt = true }";
        let text = draft("archive").added_to(Path::new("c.toml"), old).unwrap();
        assert!(text.contains(old), "{text}");
        let read = Config::parse(Path::new("c.toml"), &text).unwrap();
        let names: Vec<_> = read.environments.iter().map(|e| e.environment.id.as_str()).collect();
        assert_eq!(names, ["test", "archive"], "{text}");
        let text = draft("zz").added_to(Path::new("c.toml"), old).unwrap();
        assert!(text.starts_with("# mine"), "nothing is added where nothing changes: {text}");
        assert!(draft("test").added_to(Path::new("c.toml"), old).is_err());
        let inline = "environment = { test = { url = \"https://x.invalid/\", account_set = \"1\", user = \"d\", \
                      sign_in = \"password\", secret = { prompt = true } } }";
        let stop = draft("prod").added_to(Path::new("c.toml"), inline).unwrap_err();
        assert!(stop.message.contains("by hand") && stop.message.contains("[environment.prod]"), "{}", stop.message);
    }

    #[test]
    fn names_are_those_that_files_and_tables_take() {
        for good in ["test", "生产", "a-b_c", "9"] {
            assert!(named(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "../x", "a.b", "-a", "a\u{202e}b", "a\"b", &"x".repeat(33)] {
            assert!(named(bad).is_err(), "{bad:?}");
        }
    }
}
