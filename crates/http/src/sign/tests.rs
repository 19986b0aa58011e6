//! Signatures as the platforms publish them, computed beside by other means (`md5sum`, Python's hashlib and hmac).

use super::*;
use crate::outgoing::Outgoing;

fn holes() -> Holes<'static> {
    Holes {
        renewing: "",
        app: "demo-app",
        user: "shop1",
        secret: "s3cr3t",
        token: "tok",
        now: Ts(1_700_000_000_000),
        nonce: "n0nce",
        zone_minutes: 480,
    }
}

fn out(payload: Payload, query: &[(&str, &str)]) -> Outgoing {
    Outgoing {
        method: "POST".into(),
        path: "/router".into(),
        query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        headers: Vec::new(),
        payload,
    }
}

fn of<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

#[test]
fn presets_sign_as_their_platforms_publish() {
    let mut qimen =
        out(Payload::Json(r#"{"a":1}"#.into()), &[("method", "deliveryorder.create"), ("customerId", "c1")]);
    sign(&mut qimen, &Sign::qimen(), &holes()).unwrap();
    assert_eq!(of(&qimen.query, "timestamp"), "2023-11-15 06:13:20");
    let signed = "s3cr3tapp_keydemo-appcustomerIdc1formatjsonmethoddeliveryorder.createsign_methodmd5timestamp2023-11-15 06:13:20v2.0{\"a\":1}s3cr3t";
    assert_eq!(of(&qimen.query, "sign"), hex(&Md5::digest(signed.as_bytes())).to_ascii_uppercase());
    assert_eq!(of(&qimen.query, "sign"), QIMEN);

    let mut jst = out(Payload::Form(vec![("biz".into(), r#"[{"so_id":"7"}]"#.into())]), &[]);
    sign(&mut jst, &Sign::jushuitan(), &holes()).unwrap();
    let Payload::Form(fields) = &jst.payload else { panic!() };
    assert_eq!(of(fields, "sign"), JST);

    let mut wdt = out(Payload::Form(vec![("trade_list".into(), "订单".into())]), &[]);
    sign(&mut wdt, &Sign::wangdiantong(), &holes()).unwrap();
    let Payload::Form(fields) = &wdt.payload else { panic!() };
    assert_eq!(of(fields, "sign"), WDT);
}

const QIMEN: &str = "C28369848DF9011A76BEACE1167F8F38";
const JST: &str = "2c22c03811f1372b2fb67aec93ccff79";
const WDT: &str = "53c4a1f42c9a1385ce5f043325bdc5c8";
const SHA256: &str = "a1de5a2926cb7a058df3d02fcc595afd62ce3839f31daa779c0089dc8ae04575";
const SHA1: &str = "B8SYx9v/HAB7jpekLmJqbSNym7w=";

#[test]
fn a_signature_in_headers_is_made_of_what_the_data_say() {
    let mut by = Sign::usual(
        SignPlace::Header,
        &[("X-App-Key", "{{app}}"), ("X-Timestamp", "{{time_ms}}"), ("X-Nonce", "{{nonce}}")],
    );
    by.name = "X-Signature".into();
    (by.before, by.after) = ("{{method}}\n{{path}}\n".into(), "\n{{body}}".into());
    (by.pair, by.between, by.hash) = (Pair::Value, "\n".into(), Hash::HmacSha256);
    let mut request = out(Payload::Json("{\"t\":\"{{secret}}\"}".into()), &[]);
    sign(&mut request, &by, &holes()).unwrap();
    assert_eq!(of(&request.headers, "X-Signature"), SHA256, "what the body holds is no hole");
    (by.hash, by.digits) = (Hash::HmacSha1, Digits::Base64);
    let mut request = out(Payload::Json("{\"t\":\"{{secret}}\"}".into()), &[]);
    sign(&mut request, &by, &holes()).unwrap();
    assert_eq!(of(&request.headers, "X-Signature"), SHA1);
}

#[test]
fn the_secret_stands_in_no_parameter() {
    let by = Sign::usual(SignPlace::Query, &[("key", "{{secret}}"), ("since", "{{time-1325347200}}")]);
    let mut request = out(Payload::None, &[]);
    sign(&mut request, &by, &holes()).unwrap();
    assert_eq!((of(&request.query, "key"), of(&request.query, "since")), ("", "374652800"));
    assert!(!format!("{request:?}").contains("s3cr3t"));
}

#[test]
fn a_form_is_not_put_into_json() {
    let mut request = out(Payload::Json("{}".into()), &[]);
    assert!(sign(&mut request, &Sign::jushuitan(), &holes()).unwrap_err().contains("\"as\": \"form\""));
}
