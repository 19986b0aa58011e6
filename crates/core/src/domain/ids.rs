//! Identifiers. Each is its own type, so that a bill's number can never stand where its id is meant.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

/// A ULID-backed id: 26 letters for people and JSON, 16 bytes in the store.
macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Ulid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Ulid::from_string(text).map(Self).map_err(|e| format!("`{text}` is not an id: {e}"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() {
                    s.collect_str(&self.0)
                } else {
                    s.serialize_bytes(&self.0.to_bytes())
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(UlidVisitor).map(Self)
            }
        }
    };
}

struct UlidVisitor;

impl serde::de::Visitor<'_> for UlidVisitor {
    type Value = Ulid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a ULID as text or 16 bytes")
    }

    fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Ulid, E> {
        Ulid::from_string(v).map_err(E::custom)
    }

    fn visit_bytes<E: serde::de::Error>(self, v: &[u8]) -> Result<Ulid, E> {
        let bytes: [u8; 16] = v.try_into().map_err(|_| E::invalid_length(v.len(), &self))?;
        Ok(Ulid::from_bytes(bytes))
    }
}

ulid_id!(
    /// One run. Sorts by time of opening.
    RunId
);
ulid_id!(
    /// One HTTP call of a writing verb; the attempts of a batch share it.
    CallId
);
ulid_id!(
    /// One command of an operator; sending the same one twice does nothing twice.
    CommandId
);
ulid_id!(
    /// One console or verb talking to the engine; what it unlocked ends with it.
    SessionId
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// Wraps a text as this kind of id.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// Name of an environment in the configuration, e.g. `demo`.
    EnvId
);
text_id!(
    /// Name of a plan: its file name without `.json`.
    PlanId
);
text_id!(
    /// Hash of a plan's meaning (hex SHA-256), so that two revisions never share a name.
    PlanRev
);
text_id!(
    /// Kingdee business object, e.g. `SAL_OUTSTOCK`.
    FormId
);
text_id!(
    /// Name of the operation a plan executes, as it enters a [`WorkKey`]: empty for Audit and for Submit then Audit, so that
    /// what 0.1.0 stored keeps its keys; else `Submit` or the name of the operation.
    OpId
);
text_id!(
    /// Hex SHA-256 over the sorted (FID, revision) pairs of a collected set: what an approval is bound to.
    SetHash
);

impl SetHash {
    /// The eight signs shown to people.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl PlanRev {
    /// The eight signs shown to people.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

/// Kingdee's internal id of a bill (`FID`). Text, because nothing promises that it fits a float or even an
/// integer; ordered as a number when it is one, which is how the server orders it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fid(String);

impl Fid {
    /// Takes the id as the server wrote it; leading zeros of a number are dropped so that one bill has one id.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let trimmed = text.trim();
        if trimmed.is_empty() || !trimmed.bytes().all(|b| b.is_ascii_digit()) {
            return Self(trimmed.to_owned());
        }
        let digits = trimmed.trim_start_matches('0');
        Self(if digits.is_empty() { "0".to_owned() } else { digits.to_owned() })
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the id can stand in a list of ids that a call carries: ASCII letters, digits, `-` and `_`.
    pub fn is_callable(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    }

    /// Whether the id is a plain non-negative number, so that it may stand unquoted in a filter.
    pub fn is_number(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|b| b.is_ascii_digit())
    }
}

impl From<u64> for Fid {
    fn from(n: u64) -> Self {
        Self(n.to_string())
    }
}

impl fmt::Display for Fid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Fid {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_number(), other.is_number()) {
            (true, true) => self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0)),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Fid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One record in one account set: what may be touched by one call at a time. The same record under two operations has one
/// key of this kind and two of [`WorkKey`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordKey {
    /// Environment the bill lives in.
    #[serde(rename = "e")]
    pub env: EnvId,
    /// Business object.
    #[serde(rename = "f")]
    pub form: FormId,
    /// Internal id.
    #[serde(rename = "i")]
    pub fid: Fid,
}

/// What has to be done once: one operation on one record. The key of the ledger and of a bill's history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "FlatWork", into = "FlatWork")]
pub struct WorkKey {
    /// The record.
    pub record: RecordKey,
    /// The operation.
    pub op: OpId,
}

impl FormId {
    /// What records are called that are read in one environment and made into something in another: two of these may have a
    /// record of one id.
    #[must_use]
    pub fn read_in(&self, env: &EnvId) -> Self {
        Self::new(format!("{env}/{self}"))
    }

    /// The environment its records are read in, where what is made of them is made in another one.
    pub fn source_env(&self) -> Option<&str> {
        self.as_str().split_once('/').map(|(env, _)| env)
    }
}

/// A [`WorkKey`] as it is written: a [`RecordKey`] of 0.1.0 with the operation beside it, where it has a name.
#[derive(Serialize, Deserialize)]
struct FlatWork {
    #[serde(rename = "e")]
    env: EnvId,
    #[serde(rename = "f")]
    form: FormId,
    #[serde(rename = "i")]
    fid: Fid,
    #[serde(rename = "o", default, skip_serializing_if = "OpId::is_audit")]
    op: OpId,
}

impl From<FlatWork> for WorkKey {
    fn from(flat: FlatWork) -> Self {
        Self { record: RecordKey { env: flat.env, form: flat.form, fid: flat.fid }, op: flat.op }
    }
}

impl From<WorkKey> for FlatWork {
    fn from(key: WorkKey) -> Self {
        let RecordKey { env, form, fid } = key.record;
        Self { env, form, fid, op: key.op }
    }
}

/// The name in keys of reading records and calling nothing.
pub const COLLECT: &str = "Collect";

impl OpId {
    /// Audit, with or without a Submit before it: the operation whose name is empty.
    pub fn is_audit(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing is called: records are read and kept.
    pub fn collects(&self) -> bool {
        self.as_str() == COLLECT
    }

    /// The name people know it by.
    pub fn name(&self) -> &str {
        if self.is_audit() { "Audit" } else { self.as_str() }
    }
}

impl RecordKey {
    /// This record under an operation.
    pub fn under(&self, op: &OpId) -> WorkKey {
        WorkKey { record: self.clone(), op: op.clone() }
    }
}

/// Position in the journal: every fact has one, they have no holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_is_read_elsewhere_says_where() {
        let form = FormId::new("SAL_OUTSTOCK");
        let there = form.read_in(&EnvId::new("erp"));
        assert_eq!((there.as_str(), there.source_env(), form.source_env()), ("erp/SAL_OUTSTOCK", Some("erp"), None));
    }

    #[test]
    fn fids_order_as_the_server_orders_them() {
        let mut fids: Vec<Fid> = ["100", "99", "9007199254740993", "b", "a", "7"].map(Fid::new).to_vec();
        fids.sort();
        let texts: Vec<&str> = fids.iter().map(Fid::as_str).collect();
        assert_eq!(texts, ["7", "99", "100", "9007199254740993", "a", "b"]);
        assert_eq!(Fid::new("007"), Fid::new(" 7 "));
    }

    #[test]
    fn run_ids_are_text_for_people_and_bytes_for_the_store() {
        let id = RunId(Ulid::from_parts(1, 2));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<RunId>(&json).unwrap(), id);
        let packed = rmp_serde::to_vec_named(&id).unwrap();
        assert_eq!(packed.len(), 18);
        assert_eq!(rmp_serde::from_slice::<RunId>(&packed).unwrap(), id);
    }

    #[test]
    fn one_record_has_one_id_however_the_server_writes_it() {
        for (written, id, number) in [
            ("007", "7", true),
            (" 100 ", "100", true),
            ("0", "0", true),
            ("000", "0", true),
            ("", "", false),
            ("  ", "", false),
            ("07a", "07a", false),
            (" -7", "-7", false),
            ("7.0", "7.0", false),
            ("\u{ff17}", "\u{ff17}", false),
            ("9007199254740993", "9007199254740993", true),
        ] {
            let fid = Fid::new(written);
            assert_eq!((fid.as_str(), fid.is_number(), fid.to_string()), (id, number, id.to_owned()), "`{written}`");
        }
        assert_eq!(Fid::from(7), Fid::new("007"));
    }

    #[test]
    fn an_operation_is_part_of_what_is_done_once_and_not_of_the_record() {
        let record = RecordKey { env: EnvId::new("prod"), form: FormId::new("STK_TRANSFER"), fid: Fid::from(12) };
        let keys: Vec<WorkKey> = ["", "Submit", "Forbid"].map(|op| record.under(&OpId::new(op))).to_vec();
        // Audit is written as 0.1.0 wrote it.
        let written = [
            r#"{"e":"prod","f":"STK_TRANSFER","i":"12"}"#,
            r#"{"e":"prod","f":"STK_TRANSFER","i":"12","o":"Submit"}"#,
            r#"{"e":"prod","f":"STK_TRANSFER","i":"12","o":"Forbid"}"#,
        ];
        let names = [("Audit", true), ("Submit", false), ("Forbid", false)];
        for ((key, text), name) in keys.iter().zip(written).zip(names) {
            assert_eq!(serde_json::to_string(key).unwrap(), text);
            assert_eq!(serde_json::from_str::<WorkKey>(text).unwrap(), *key);
            assert_eq!((key.op.name(), key.op.is_audit()), name);
            assert_eq!(key.record, record);
        }
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    }

    #[test]
    fn hashes_are_shown_by_eight_signs_and_ids_say_what_is_wrong() {
        assert_eq!(PlanRev::new("0123456789abcdef").short(), "01234567");
        assert_eq!(SetHash::new("fedcba9876543210").short(), "fedcba98");
        assert_eq!((PlanRev::new("0123").short(), SetHash::new("").short()), ("0123", ""));
        let id = RunId(Ulid::from_parts(1, 2));
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
        assert_eq!(format!("{id:?}"), format!("RunId({id})"));
        let wrong = "no-id".parse::<RunId>().unwrap_err();
        assert!(wrong.starts_with("`no-id` is not an id: "), "{wrong}");
        // MessagePack's `bin 8` of fifteen bytes.
        let short = [&[0xc4, 15], &[0; 15][..]].concat();
        assert!(rmp_serde::from_slice::<RunId>(&short).is_err(), "fifteen bytes are no id");
    }
}
