//! The signatures of docs/design/wire.md#signatures, as the server checks them.
//!
//! Invariant: X-Kd-Signature is computed over the Appdata bytes as received, never over a re-built text.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const XOR_KEY: &[u8] = b"0054f397c6234378b09ca7d3e5debce7";

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// base64 of the ASCII of the lower-case hex of HMAC-SHA-256.
pub fn signature(key: &str, message: &[u8]) -> String {
    // HMAC takes a key of any length, so this never fails; an empty answer would match nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(message);
    STANDARD.encode(hex(&mac.finalize().into_bytes()))
}

/// Client id and client secret hidden in an app id (docs/design/wire.md#signatures); both empty where the official
/// client would have them empty.
pub fn client_secret(app_id: &str) -> (String, String) {
    let Some((client, hidden)) = app_id.split_once('_').filter(|(_, rest)| !rest.contains('_')) else {
        return (String::new(), String::new());
    };
    let secret = match STANDARD.decode(hidden) {
        Ok(raw) if hidden.len() == 32 && raw.len() == 24 => {
            STANDARD.encode(raw.iter().zip(XOR_KEY).map(|(a, b)| a ^ b).collect::<Vec<u8>>())
        }
        _ => String::new(),
    };
    (client.to_owned(), secret)
}

/// X-Api-Signature (docs/design/wire.md#signatures). `path` is the request path without query.
pub fn api_signature(client_secret: &str, path: &str, nonce: &str, timestamp: &str) -> String {
    let message = format!("POST\n{}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{timestamp}\n", percent_encode(path));
    signature(client_secret, message.as_bytes())
}

/// X-Kd-Signature over the received Appdata (docs/design/wire.md#signatures).
pub fn kd_signature(app_secret: &str, app_id: &str, app_data: &[u8]) -> String {
    signature(app_secret, &[app_id.as_bytes(), app_data].concat())
}

/// `sign` of LoginBySign (docs/design/wire.md#signing-in): lower hex SHA-256 of the five texts in ordinal order.
pub fn login_sign(account: &str, user: &str, app_id: &str, app_secret: &str, timestamp: &str) -> String {
    let mut parts = [account, user, app_id, app_secret, timestamp];
    parts.sort_unstable();
    hex(&Sha256::digest(parts.concat()))
}

/// Everything but the unreserved characters as `%XX`, slashes too. Already encoded paths stay as they are: the request line
/// carries `%E6` where the signer encoded the character, so escapes are undone first.
fn percent_encode(path: &str) -> String {
    percent_decode(path.as_bytes(), false).iter().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Undoes `%XX`, and `+` for a blank where `plus` says so (form bodies).
pub fn percent_decode(text: &[u8], plus: bool) -> Vec<u8> {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while let Some(byte) = text.get(i) {
        match (byte, digit(text.get(i + 1)), digit(text.get(i + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                i += 3;
                continue;
            }
            (b'+', ..) if plus => out.push(b' '),
            _ => out.push(*byte),
        }
        i += 1;
    }
    out
}
