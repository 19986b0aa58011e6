//! Who may ask: sessions, sign-ins, the account lock, permissions.

use crate::sim_bench::{Bench, FORM, NOW, as_demo, body, message, parts, service, signed};
use serde_json::json;
use skydeck::sim::sign::login_sign;
use skydeck::sim::{AuthMode, Reply, World, WorldConfig, demo_credentials};

#[test]
fn sessions_follow_the_measured_model() {
    let c = demo_credentials();
    let query = json!({"data": {"FormId": FORM, "FieldKeys": "FID", "Limit": 1}}).to_string();
    let mut world = World::new(WorldConfig { bills: 5, ..WorldConfig::default() }, NOW);
    let mut ask = |headers: Vec<(String, String)>, now: i64| {
        world.handle(parts(&service("ExecuteBillQuery"), headers, query.clone()), now)
    };
    let id_of = |reply: &Reply| {
        let cookie = reply.header("set-cookie").expect("a cookie on every answer").to_owned();
        cookie.split([';', '=']).nth(1).unwrap().to_owned()
    };
    let lost = |reply: &Reply| body(reply)[0][0]["Result"]["ResponseStatus"]["MsgCode"] == 1;

    // Good signature, no session: executed, a new id, usable at once and without any signature.
    let first = ask(as_demo("demo"), NOW);
    assert!(body(&first)[0][0].is_i64());
    let id = id_of(&first);
    for name in ["kdservice-sessionid", "SID"] {
        assert!(body(&ask(vec![(name.to_owned(), id.clone())], NOW))[0][0].is_i64(), "{name}");
    }
    // A live session hides broken credentials.
    let mut broken = signed(&c.account, "demo", &c.app_id, "wrong", "2052");
    broken.push(("SID".to_owned(), id.clone()));
    assert!(!lost(&ask(broken.clone(), NOW)));
    // Once it has idled away they show, as a lost session; the shell id stays dead until the credentials are right.
    let later = NOW + 21 * 60_000;
    let refused = ask(broken, later);
    assert!(lost(&refused));
    let shell = id_of(&refused);
    assert!(lost(&ask(vec![("SID".to_owned(), shell.clone())], later)));
    let mut right = as_demo("demo");
    right.push(("SID".to_owned(), shell.clone()));
    let woken = ask(right, later);
    assert_eq!((lost(&woken), id_of(&woken)), (false, shell.clone()));
    assert!(!lost(&ask(vec![("SID".to_owned(), shell)], later)));
    // An unknown id with a good signature is served too, under a new id.
    let mut stranger = as_demo("demo");
    stranger.push(("kdservice-sessionid".to_owned(), "11111111-1111-4111-8111-111111111111".to_owned()));
    let served = ask(stranger, later);
    assert!(!lost(&served) && !id_of(&served).starts_with("11111111"));
    // Who is refused, and how.
    for (user, app, secret, lcid) in [
        ("nobody", c.app_id.as_str(), c.app_secret.as_str(), "2052"),
        ("demo", "123456_other", &c.app_secret, "2052"),
        ("demo", &c.app_id, "wrong", "2052"),
        ("demo", &c.app_id, &c.app_secret, "9999"),
    ] {
        assert!(lost(&ask(signed(&c.account, user, app, secret, lcid), later)), "{user} {app} {secret} {lcid}");
    }
    let wrong = ask(signed("60aa0000000009", "demo", &c.app_id, &c.app_secret, "2052"), later);
    assert_eq!((wrong.status, &*wrong.body), (500, b"Fail to verify thirty passport".as_slice()));
    assert!(lost(&ask(Vec::new(), later)));
}

#[test]
fn three_sign_ins_and_the_account_lock() {
    let c = demo_credentials();
    let stamp = "1795471200";
    let sign = login_sign(&c.account, &c.user, &c.app_id, &c.app_secret, stamp);
    let good = [
        ("ValidateUser", json!([c.account, c.user, c.password, 2052]), AuthMode::Password),
        ("LoginByAppSecret", json!([c.account, c.user, c.app_id, c.app_secret, 2052]), AuthMode::Secret),
        ("LoginBySign", json!([c.account, c.user, c.app_id, stamp, sign, "2052"]), AuthMode::Secret),
    ];
    for (name, parameters, needed) in &good {
        for auth in [AuthMode::Any, AuthMode::Password, AuthMode::Secret, AuthMode::Signed] {
            let mut world = World::new(WorldConfig { bills: 5, auth, ..WorldConfig::default() }, NOW);
            let text = json!({"parameters": parameters}).to_string();
            let reply = world.handle(parts(&service(name), Vec::new(), text), NOW);
            let json = body(&reply);
            let open = auth == AuthMode::Any || auth == *needed;
            assert_eq!(json["LoginResultType"] == 1, open, "{name} under {auth:?}: {json}");
            assert_eq!(json["IsSuccessByAPI"], open);
            assert_eq!(json["KDSVCSessionId"].is_string(), open);
            let cookies = reply.headers.iter().filter(|(n, _)| n == "Set-Cookie").count();
            assert_eq!(cookies, if open { 2 } else { 0 }, "{name}");
        }
    }
    let mut world = World::new(WorldConfig { bills: 5, ..WorldConfig::default() }, NOW);
    let mut password = |word: &str, now: i64| {
        let text = format!("acctid={}&username=demo&password={word}&lcid=2052", c.account);
        body(&world.handle(parts(&service("ValidateUser"), Vec::new(), text), now))
    };
    for _ in 0..5 {
        assert_eq!(password("wrong", NOW)["LoginResultType"], 0);
    }
    let locked = password(&c.password, NOW + 29 * 60_000);
    assert!(locked["Message"].as_str().unwrap().contains("次数超限"), "{locked}");
    assert_eq!(password(&c.password, NOW + 31 * 60_000)["LoginResultType"], 1);
    assert_eq!(world.stats().calls["ValidateUser"], 7);
}

#[test]
fn permissions_hide_rows_and_refuse_writes() {
    let mut bench = Bench::plain(60);
    let all = bench.rows("FSaleOrgId.FNumber", "", json!({}));
    let own = all.iter().filter(|r| r[0] == "100").count();
    let (id, _) = bench.submitted()[0];
    let foreign = bench.rows("FID", "FSaleOrgId.FNumber<>'100' and FDocumentStatus='B'", json!({}))[0][0].clone();
    bench.user = "demo100";
    let seen = bench.rows("FSaleOrgId.FNumber", "", json!({}));
    assert!(own > 0 && own < all.len() && seen.len() == own && seen.iter().all(|r| r[0] == "100"));
    let refused = bench.write("Audit", json!({"Ids": foreign.to_string()}));
    assert_eq!((refused["MsgCode"].clone(), message(&refused).contains("权限，请联系系统管理员")), (json!(2), true));
    bench.user = "reader";
    assert_eq!(bench.write("Audit", json!({"Ids": id.to_string()}))["MsgCode"], 2);
    bench.user = "Administrator";
    assert_eq!(bench.write("Audit", json!({"Ids": id.to_string()}))["MsgCode"], 15);
    assert!(bench.world.stats().applied.is_empty());
}
