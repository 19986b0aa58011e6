//! Login: the positional request and the server's reply (docs/design/wire.md#signing-in).

use secrecy::ExposeSecret as _;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::scalar::{Code, Loose, Truth};
use super::{WireError, text_of};
use crate::config::{ClientConfig, SignIn};
use crate::sign;

/// Longest id of a data centre that is believed: a GUID has 36 signs.
pub(crate) const LONGEST_ID: usize = 64;

/// Service and body of the login call; `None` where every call is signed and there is none. `timestamp`: Unix seconds.
pub fn login_body(config: &ClientConfig, timestamp: i64) -> Option<(&'static str, Zeroizing<Vec<u8>>)> {
    let (set, user, lcid) = (config.account_set.as_str(), config.user.as_str(), config.lcid);
    let secret = config.sign_in.secret().expose_secret();
    let (service, body) = match &config.sign_in {
        SignIn::Signed { .. } => return None,
        SignIn::Password { .. } => ("ValidateUser", serde_json::to_vec(&((set, user, secret, lcid),))),
        SignIn::AppSecret { app_id, .. } => {
            ("LoginByAppSecret", serde_json::to_vec(&((set, user, app_id, secret, lcid),)))
        }
        SignIn::AppSign { app_id, .. } => {
            let time = timestamp.to_string();
            let sign = sign::login_sign(set, user, app_id, secret, &time);
            ("LoginBySign", serde_json::to_vec(&((set, user, app_id, timestamp, sign, lcid),)))
        }
    };
    // A tuple of texts and numbers always serialises; `[[…]]` becomes `{"parameters":[…]}`.
    let list = Zeroizing::new(body.unwrap_or_default());
    let inner = list.get(1..list.len().saturating_sub(1)).unwrap_or_default();
    Some((service, Zeroizing::new([b"{\"parameters\":".as_slice(), inner, b"}"].concat())))
}

/// The server's reply to a login, as far as it is needed; key sets differ between versions.
#[derive(Debug, Deserialize)]
pub struct LoginReply {
    #[serde(rename = "LoginResultType")]
    kind: Code,
    #[serde(rename = "Message", default)]
    message: Loose,
    #[serde(rename = "MessageCode", default)]
    code: Loose,
    #[serde(rename = "KDSVCSessionId", default)]
    session: Loose,
    #[serde(rename = "IsSuccessByAPI", default)]
    by_api: Option<Truth>,
    #[serde(rename = "Context", default)]
    context: Option<Context>,
}

#[derive(Debug, Default, Deserialize)]
struct Context {
    #[serde(rename = "DBid", default)]
    account_set: Loose,
    #[serde(rename = "UserName", default)]
    user: Loose,
    #[serde(rename = "DataCenterName", default)]
    account_set_name: Loose,
    #[serde(rename = "DisplayVersion", default)]
    version: Loose,
    /// Whatever it is, it must not make the rest unreadable.
    #[serde(rename = "GDCID", default)]
    centre: serde_json::Value,
}

impl LoginReply {
    /// Reads the body of a login's answer.
    pub fn read(body: &[u8]) -> Result<Self, WireError> {
        let text = text_of(body)?;
        serde_json::from_str(text).map_err(|e| WireError::json(text, &e))
    }

    /// `LoginResultType`: 1 is success.
    pub fn kind(&self) -> Option<i64> {
        self.kind.0
    }

    /// Whether the login holds: type 1, or one of the warnings while the server itself calls it a success.
    pub fn holds(&self) -> bool {
        match self.kind.0 {
            Some(1) => self.by_api != Some(Truth(false)),
            Some(-2 | -4 | -5) => self.by_api == Some(Truth(true)),
            _ => false,
        }
    }

    /// `Message`, raw.
    pub fn message(&self) -> Option<&str> {
        said(&self.message)
    }

    /// `MessageCode`, raw.
    pub fn code(&self) -> Option<&str> {
        said(&self.code)
    }

    /// `KDSVCSessionId`.
    pub fn session(&self) -> Option<&str> {
        said(&self.session)
    }

    /// Account set id the server signed us in to.
    pub fn account_set(&self) -> Option<&str> {
        self.context.as_ref().and_then(|c| said(&c.account_set))
    }

    /// Its name.
    pub fn account_set_name(&self) -> Option<&str> {
        self.context.as_ref().and_then(|c| said(&c.account_set_name))
    }

    /// Id of the data centre, which a copy of the database under the same account set id does not share. One that says
    /// nothing (zeros, or no id at all) is none.
    pub fn centre(&self) -> Option<String> {
        let id = self.context.as_ref().and_then(|c| c.centre.as_str())?.trim().to_ascii_lowercase();
        let plain = id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (plain && id.bytes().any(|b| !matches!(b, b'0' | b'-'))).then_some(id)
    }

    /// What says which database and session this is, as it came.
    pub fn identity(&self) -> [Option<&str>; 3] {
        [self.session(), self.account_set(), self.context.as_ref().and_then(|context| context.centre.as_str())]
    }

    /// User name as the server says.
    pub fn user(&self) -> Option<&str> {
        self.context.as_ref().and_then(|c| said(&c.user))
    }

    /// Server version.
    pub fn version(&self) -> Option<&str> {
        self.context.as_ref().and_then(|c| said(&c.version))
    }
}

fn said(loose: &Loose) -> Option<&str> {
    loose.0.as_deref().filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::ids::EnvId;

    fn body(sign_in: SignIn) -> Option<(String, String)> {
        let config = ClientConfig::new(EnvId::new("t"), "https://h.invalid/", "60aa", "demo", sign_in);
        login_body(&config, 1_735_787_045).map(|(s, b)| (s.to_owned(), String::from_utf8(b.to_vec()).unwrap()))
    }

    #[test]
    fn parameters_stand_in_the_documented_order() {
        let (service, text) = body(SignIn::Password { password: "p\"w".into() }).unwrap();
        assert_eq!(
            (service.as_str(), text.as_str()),
            ("ValidateUser", r#"{"parameters":["60aa","demo","p\"w",2052]}"#)
        );
        let (service, text) = body(SignIn::AppSecret { app_id: "A".to_owned(), app_secret: "S".into() }).unwrap();
        assert_eq!(
            (service.as_str(), text.as_str()),
            ("LoginByAppSecret", r#"{"parameters":["60aa","demo","A","S",2052]}"#)
        );
        let (service, text) = body(SignIn::AppSign { app_id: "A".to_owned(), app_secret: "S".into() }).unwrap();
        assert_eq!(service, "LoginBySign");
        assert!(
            text.starts_with(r#"{"parameters":["60aa","demo","A",1735787045,""#) && text.ends_with(",2052]}"),
            "{text}"
        );
        assert!(!text.contains("\"S\""), "{text}");
        assert_eq!(body(SignIn::Signed { app_id: "A".to_owned(), app_secret: "S".into() }), None);
    }

    #[test]
    fn a_data_centre_is_told_by_its_id_or_not_at_all() {
        let told = |id: &str| {
            let json = format!(r#"{{"LoginResultType":1,"Context":{{"DBid":"60aa","GDCID":{id}}}}}"#);
            LoginReply::read(json.as_bytes()).unwrap().centre()
        };
        assert_eq!(told(r#""5A1E7C0E-0000-4000-8000-00000000000B""#).unwrap(), "5a1e7c0e-0000-4000-8000-00000000000b");
        let long = format!("\"{}\"", "a".repeat(65));
        for none in [
            "null",
            r#""""#,
            r#""  ""#,
            r#""00000000-0000-0000-0000-000000000000""#,
            r#""a b""#,
            "7",
            "{}",
            long.as_str(),
        ] {
            assert_eq!(told(none), None, "{none}");
        }
        assert_eq!(LoginReply::read(br#"{"LoginResultType":1}"#).unwrap().centre(), None);
    }

    #[test]
    fn a_cookie_or_a_session_id_alone_is_no_success() {
        for (json, holds) in [
            (r#"{"LoginResultType":1,"IsSuccessByAPI":true}"#, true),
            (r#"{"LoginResultType":"1"}"#, true),
            (r#"{"LoginResultType":1,"IsSuccessByAPI":false}"#, false),
            (r#"{"LoginResultType":0,"KDSVCSessionId":"x","IsSuccessByAPI":false}"#, false),
            (r#"{"LoginResultType":-2,"IsSuccessByAPI":true}"#, true),
            (r#"{"LoginResultType":-3,"IsSuccessByAPI":true}"#, false),
            (r#"{"LoginResultType":-5}"#, false),
            (r#"{"LoginResultType":true}"#, false),
        ] {
            assert_eq!(LoginReply::read(json.as_bytes()).unwrap().holds(), holds, "{json}");
        }
        assert!(LoginReply::read(b"{}").is_err());
    }
}
