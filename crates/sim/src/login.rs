//! The three sign-in services and their replies (docs/design/wire.md#signing-in;
//! docs/design/wire.md#a-refused-sign-in).
//!
//! Invariant: HTTP 200 always; success is `LoginResultType` 1 with both cookies and `KDSVCSessionId`.

use serde_json::{Value as Json, json};

use super::body::Params;
use super::config::{AuthMode, WorldConfig};
use super::reply::Reply;
use super::service::Service;
use super::session::Sessions;
use super::sign;

/// Handles a sign-in.
pub fn sign_in(service: Service, params: &Params, sessions: &mut Sessions, config: &WorldConfig, now_ms: i64) -> Reply {
    let (account, name) = (params.text("acctid", 0), params.text("username", 1));
    let known = &config.credentials;
    let user = config.users.iter().position(|u| u.name.eq_ignore_ascii_case(&name));
    let open = match service {
        Service::ValidateUser => matches!(config.auth, AuthMode::Password | AuthMode::Any),
        _ => matches!(config.auth, AuthMode::Secret | AuthMode::Any),
    };
    // invented: all texts here but the app-list one; docs/design/wire.md#a-refused-sign-in has the result types and
    // the codes that are known
    if !open {
        return failed(-1, None, "不允许使用此方式登录");
    }
    if account != known.account {
        return failed(-1, None, "数据中心不存在");
    }
    if sessions.locked(&name, now_ms) {
        return failed(0, None, "密码错误次数超限，用户已被锁定，请30分钟后再试或联系系统管理员");
    }
    let (fits, code, text) = match service {
        Service::ValidateUser => (params.text("password", 2) == known.password, None, "用户名或密码错误"),
        Service::LoginByAppSecret => {
            if params.text("appid", 2) != known.app_id {
                let app = params.text("appid", 2);
                // [REAL] wording
                let text = format!("第三方应用：{app} 不允许用户{name} 登录，请联系系统管理员添加！");
                return failed(-1, None, &text);
            }
            (params.text("appsecret", 3) == known.app_secret, Some("002005000003016"), "应用密钥不匹配")
        }
        _ => {
            let (app, stamp) = (params.text("appid", 2), params.text("timestamp", 3));
            let expected = sign::login_sign(&account, &name, &app, &known.app_secret, &stamp);
            let fits = app == known.app_id && params.text("sign", 4).eq_ignore_ascii_case(&expected);
            (fits, Some("002005000003016"), "签名不匹配")
        }
    };
    let Some(position) = user.filter(|_| fits) else {
        sessions.count(&name, false, config, now_ms);
        return failed(0, code, text);
    };
    if config.users.get(position).is_some_and(|u| u.administrator) {
        return failed(-5, None, "不允许管理员用户登录");
    }
    sessions.count(&name, true, config, now_ms);
    let ids = sessions.open(Some(position), now_ms, config.idle_ms);
    let user = config.users.get(position).map_or("", |u| u.name.as_str());
    Reply::json(&welcome(&ids.kd, user, position, config))
        .with("Set-Cookie", kd_cookie(&ids.kd, true))
        .with("Set-Cookie", asp_cookie(&ids.kd))
}

/// `Set-Cookie` of the API session; with `expires`, whose comma some clients trip over, when it is new.
pub fn kd_cookie(kd: &str, fresh: bool) -> String {
    let expires = if fresh { "; expires=Thu, 28-Aug-2036 01:02:03 GMT" } else { "" };
    format!("kdservice-sessionid={kd}{expires}; path=/")
}

/// `Set-Cookie` of the web session.
pub fn asp_cookie(kd: &str) -> String {
    format!("ASP.NET_SessionId={}; path=/; HttpOnly", asp_id(kd))
}

/// The web session's id: 24 letters and digits, made from the API session's.
fn asp_id(kd: &str) -> String {
    kd.chars().filter(char::is_ascii_alphanumeric).take(24).collect()
}

fn failed(kind: i64, code: Option<&str>, text: &str) -> Reply {
    Reply::json(&json!({
        "Message": text, "MessageCode": code, "LoginResultType": kind, "Context": null, "KDSVCSessionId": null,
        "FormId": null, "RedirectFormParam": null, "FormInputObject": null, "ErrorStackTrace": null, "Lcid": 0,
        "AccessToken": null, "CustomParam": {}, "KdAccessResult": null, "IsSuccessByAPI": false,
    }))
}

fn welcome(kd: &str, user: &str, position: usize, config: &WorldConfig) -> Json {
    let zone = json!({
        "OffsetTicks": 288_000_000_000_i64, "StandardName": "(UTC+08:00)", "Id": 230, "Number": "1078_SYS",
        "CanBeUsed": true,
    });
    json!({
        "Message": null, "MessageCode": null, "LoginResultType": 1,
        "Context": {
            "UserLocale": "zh-CN", "LogLocale": "zh-CN", "DBid": config.credentials.account, "DatabaseType": 3,
            "SessionId": asp_id(kd),
            "UseLanguages": [{"LocaleId": 2052, "LocaleName": "中文(简体)", "Alias": "CN", "LicenseType": 0}],
            "UserId": 200_001 + position, "UserName": user, "CustomName": "云帆制造（演示）",
            "DisplayVersion": "9.0.553.10", "DataCenterName": "演示账套", "UserToken": kd,
            "CurrentOrganizationInfo":
                {"ID": 1, "AcctOrgType": "1", "Name": "云帆制造总部", "FunctionIds": [101, 102, 103]},
            "IsCH_ZH_AutoTrans": false, "ClientType": 32, "WeiboAuthInfo": null, "UTimeZone": zone, "STimeZone": zone,
            "GDCID": "00000000-0000-4000-8000-000000000000", "Gsid": null, "TRLevel": 1, "ProductEdition": 0,
            "DataCenterNumber": "001", "ContextResultType": 0, "TenantId": "", "IsDeployAsPublicCloud": false,
        },
        "KDSVCSessionId": kd, "FormId": null, "RedirectFormParam": null, "FormInputObject": null,
        "ErrorStackTrace": null, "Lcid": 0, "AccessToken": null, "CustomParam": {}, "KdAccessResult": null,
        "IsSuccessByAPI": true,
    })
}
