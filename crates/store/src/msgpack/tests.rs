//! Beside the reader that comes with the writer: the same values, and no panic whatever the bytes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;

use super::*;
use skydeck_core::domain::bill::Failure;
use skydeck_core::domain::cause::Cause;
use skydeck_core::domain::ids::EnvId;
use skydeck_core::domain::reason::Reason;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Case {
    Bare,
    One(Option<String>),
    Two(i64, Box<Self>),
    Named { texts: Vec<String>, flag: bool },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Zoo {
    small: u8,
    wide: u64,
    signed: i64,
    fraction: f64,
    single: f32,
    letter: char,
    text: String,
    maybe: Option<Wrapped>,
    unit: (),
    nothing: Nothing,
    pair: (i8, String),
    map: BTreeMap<String, u16>,
    answer: Result<bool, String>,
    cases: Vec<Case>,
    json: serde_json::Value,
    #[serde(default)]
    absent: Option<u8>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Older {}

fn case() -> impl Strategy<Value = Case> {
    let leaf = prop_oneof![
        Just(Case::Bare),
        proptest::option::of(".{0,40}").prop_map(Case::One),
        (proptest::collection::vec(".{0,9}", 0..20), any::<bool>())
            .prop_map(|(texts, flag)| Case::Named { texts, flag }),
    ];
    leaf.prop_recursive(4, 8, 1, |inner| (any::<i64>(), inner).prop_map(|(n, case)| Case::Two(n, Box::new(case))))
}

fn zoo() -> impl Strategy<Value = Zoo> {
    let numbers = (any::<u8>(), any::<u64>(), any::<i64>(), -1e300..1e300_f64, -1e30..1e30_f32, any::<char>());
    let texts = (".{0,300}", proptest::option::of(any::<u32>()), any::<i8>(), ".{0,40}");
    let many = (
        proptest::collection::btree_map(".{0,5}", any::<u16>(), 0..20),
        proptest::result::maybe_ok(any::<bool>(), ".{0,5}"),
        proptest::collection::vec(case(), 0..4),
        any::<i32>(),
    );
    (numbers, texts, many).prop_map(|(numbers, texts, many)| {
        let (small, wide, signed, fraction, single, letter) = numbers;
        let (text, maybe, first, second) = texts;
        let (map, answer, cases, n) = many;
        let json = serde_json::json!({"n": n, "list": [null, true, text], "f": 0.5});
        let (maybe, pair) = (maybe.map(Wrapped), (first, second));
        let (unit, nothing, absent) = ((), Nothing, None);
        Zoo {
            small,
            wide,
            signed,
            fraction,
            single,
            letter,
            text,
            maybe,
            unit,
            nothing,
            pair,
            map,
            answer,
            cases,
            json,
            absent,
        }
    })
}

proptest! {
    #[test]
    fn reads_what_was_written_as_the_writers_own_reader_does(zoo in zoo()) {
        let bytes = rmp_serde::to_vec_named(&zoo).unwrap();
        prop_assert_eq!(&read::<Zoo>(&bytes).unwrap(), &zoo);
        prop_assert_eq!(&rmp_serde::from_slice::<Zoo>(&bytes).unwrap(), &zoo);
        // A reader that knows none of the fields passes over all of them.
        prop_assert_eq!(read::<Older>(&bytes), Ok(Older {}));
    }

    #[test]
    fn damage_is_an_error_or_another_value_and_never_a_panic(zoo in zoo(), cut in any::<prop::sample::Index>(), flip in any::<(prop::sample::Index, u8)>()) {
        let mut bytes = rmp_serde::to_vec_named(&zoo).unwrap();
        bytes.push(0);
        prop_assert!(read::<Zoo>(&bytes).is_err());
        bytes.pop();
        let cut = cut.index(bytes.len());
        prop_assert!(read::<Zoo>(bytes.get(..cut).unwrap()).is_err());
        let at = flip.0.index(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= flip.1;
        }
        let _ = read::<Zoo>(&bytes);
    }

    #[test]
    fn noise_is_no_value(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(read::<Zoo>(&bytes).is_err());
        let _ = read::<serde_json::Value>(&bytes);
        let _ = read::<de::IgnoredAny>(&bytes);
    }
}

#[test]
fn a_reason_keeps_its_arguments_and_a_sentence_of_before_is_one_too() {
    let failure = Failure { cause: Cause::new("stock"), msg_code: Some(11), field: None, message: "原话".into() };
    let reasons = [
        Reason::Legacy { said: "interrupted while collecting".into() },
        Reason::CanaryUnknown {},
        Reason::Breaker { cause: None, n: 9, of: 20 },
        Reason::PlanWide { failure },
        Reason::NoCounterpart {
            source: EnvId::new("prod"),
            target: EnvId::new("test"),
            found: 2,
            first: vec!["A1".into()],
        },
        Reason::Unattended { minutes: 30, why: Some(Box::new(Reason::CanaryUnknown {})) },
    ];
    for reason in reasons {
        assert_eq!(read::<Reason>(&rmp_serde::to_vec_named(&reason).unwrap()).unwrap(), reason);
    }
    let tomorrow = rmp_serde::to_vec_named(&serde_json::json!({"k": "of_tomorrow"})).unwrap();
    assert!(read::<Reason>(&tomorrow).is_err());
}

#[test]
fn a_wrong_kind_is_told() {
    let words = |bytes: &[u8]| read::<Wrapped>(bytes).unwrap_err().to_string();
    assert_eq!(words(&[0xa1, b'x']), "expected a whole number, found a text");
    assert_eq!(words(&[]), "it ends too early");
    assert_eq!(words(&[1, 1]), "1 bytes too many");
    assert_eq!(words(&[0xd4, 1, 1]), "expected a value, found an extension");
    assert_eq!(read::<String>(&[0xa1, 0xff]).unwrap_err(), Misread::Text);
    assert_eq!(
        read::<Case>(&[0xa3, b'O', b'n', b'e']).unwrap_err().to_string(),
        "expected what belongs to a name, found the name alone"
    );
    assert_eq!(read::<(u8,)>(&[0x92, 1, 2]).unwrap_err(), Misread::Left(1));
}

#[test]
fn a_length_that_is_a_lie_reserves_nothing_and_depth_has_an_end() {
    assert_eq!(read::<Vec<u64>>(&[0xdd, 0xff, 0xff, 0xff, 0xff]).unwrap_err(), Misread::Short);
    let deep = vec![0x91; 100_000];
    assert_eq!(read::<serde_json::Value>(&deep).unwrap_err(), Misread::Deep);
    assert_eq!(read::<de::IgnoredAny>(&deep).unwrap_err(), Misread::Short);
}
