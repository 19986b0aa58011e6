//! Kingdee's signatures (docs/design/wire.md#signatures): pure functions of their inputs, time passed in.
//!
//! Invariant: every output equals the official SDK's byte for byte; `tests/fixtures/kingdee_signatures.json` holds its vectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
pub(super) use skydeck_core::text::hex;

/// Bytes of an app id's secret half.
const MASK: usize = 24;

/// Key the SDK hides an app id's secret half with; its first 24 bytes are used.
const APP_ID_MASK: &[u8; MASK] = b"0054f397c6234378b09ca7d3";

/// The two halves of an app id of the form `<client id>_<32 base64 signs>`.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientKey {
    /// What goes into `X-Api-ClientID`; empty when the app id has not exactly two parts.
    pub id: String,
    /// Text that is the HMAC key of `X-Api-Signature`; empty when the second half is not 24 bytes of base64.
    pub secret: String,
}

impl ClientKey {
    /// Splits an app id as the SDK does, including what it does with a malformed one.
    pub fn of(app_id: &str) -> Self {
        Self::unmasked(app_id, APP_ID_MASK)
    }

    /// The same under a second password, which stands in the place of the SDK's own mask
    /// (docs/design/wire.md#signatures). `None` where it cannot: the SDK takes 24 ASCII characters of it.
    pub fn under(app_id: &str, second_password: &str) -> Option<Self> {
        let start = second_password.as_bytes().first_chunk::<MASK>().filter(|start| start.is_ascii())?;
        Some(Self::unmasked(app_id, &start.map(rot13)))
    }

    fn unmasked(app_id: &str, mask: &[u8; MASK]) -> Self {
        let mut parts = app_id.split('_');
        let (Some(id), Some(hidden), None) = (parts.next(), parts.next(), parts.next()) else {
            return Self { id: String::new(), secret: String::new() };
        };
        Self { id: id.to_owned(), secret: unmask(hidden, mask).unwrap_or_default() }
    }
}

/// The letter thirteen places on; what is no letter stays.
fn rot13(byte: u8) -> u8 {
    match byte {
        b'A'..=b'M' | b'a'..=b'm' => byte + 13,
        b'N'..=b'Z' | b'n'..=b'z' => byte - 13,
        _ => byte,
    }
}

fn unmask(hidden: &str, mask: &[u8; MASK]) -> Option<String> {
    if hidden.len() != 32 {
        return None;
    }
    let raw = STANDARD.decode(hidden).ok().filter(|raw| raw.len() == mask.len())?;
    let clear: Vec<u8> = raw.iter().zip(mask).map(|(a, b)| a ^ b).collect();
    Some(STANDARD.encode(clear))
}

/// The part of a URL that is signed: from the first `/` at or after index 10, the SDK's way of dropping scheme and host.
pub fn signed_path(url: &str) -> &str {
    let at = url.bytes().enumerate().skip(10).find(|(_, b)| *b == b'/').map(|(at, _)| at);
    at.and_then(|at| url.get(at..)).unwrap_or("")
}

/// `X-Api-Signature` of a POST to `url`. `timestamp` is Unix seconds as text, `nonce` any text (the SDK repeats the timestamp).
pub fn api_signature(client_secret: &str, url: &str, timestamp: &str, nonce: &str) -> String {
    let path = percent_encoded(signed_path(url));
    let message = format!("POST\n{path}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{timestamp}\n");
    STANDARD.encode(hex(&hmac_sha256(client_secret.as_bytes(), message.as_bytes())))
}

/// The identity that `X-Kd-Appdata` carries: account set, user, language, organisation.
pub fn app_data(account_set: &str, user: &str, lcid: u32, org: &str) -> String {
    format!("{account_set},{user},{lcid},{org}")
}

/// `X-Kd-Appdata`.
pub fn encoded_app_data(app_data: &str) -> String {
    STANDARD.encode(app_data)
}

/// `X-Kd-Signature`: no time in it, constant per identity.
pub fn kd_signature(app_id: &str, app_secret: &str, app_data: &str) -> String {
    STANDARD.encode(hex(&hmac_sha256(app_secret.as_bytes(), format!("{app_id}{app_data}").as_bytes())))
}

/// `sign` of `LoginBySign`: hex SHA-256 over the five strings in byte order (docs/design/wire.md#signing-in).
pub fn login_sign(account_set: &str, user: &str, app_id: &str, app_secret: &str, timestamp: &str) -> String {
    let mut parts = [account_set, user, app_id, app_secret, timestamp];
    parts.sort_unstable();
    hex(&Sha256::digest(parts.concat()))
}

/// HMAC-SHA-256 with a key of any length, prepared to one block as RFC 2104 says, so that nothing can fail.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let hashed: [u8; 32];
    let short: &[u8] = if key.len() > 64 {
        hashed = Sha256::digest(key).into();
        &hashed
    } else {
        key
    };
    let mut block = [0_u8; 64];
    for (to, from) in block.iter_mut().zip(short) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Percent-encoding of the SDK: everything but `A-Z a-z 0-9 - . _ ~`, `/` included, hex in upper case.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_hashed_first() {
        // RFC 4231 test case 6: a key of 131 bytes.
        let mac = hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(&mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn a_malformed_app_id_has_no_secret() {
        for app_id in ["", "123456", "1_2_3", "1_short", "1_dGVzdC1zZWNyZXQtMjQtYnl0ZXMtYWI="] {
            assert_eq!(ClientKey::of(app_id).secret, "", "{app_id}");
        }
    }

    #[test]
    fn the_path_starts_at_the_first_slash_from_index_ten() {
        assert_eq!(signed_path("http://127.0.0.1:1/k3cloud/X"), "/k3cloud/X");
        assert_eq!(signed_path("http://ab/k3cloud/X"), "/X", "the SDK's quirk with a host of two signs");
        assert_eq!(signed_path("http://a"), "");
    }
}
