//! Reads MessagePack back into our types.
//!
//! Written by `rmp_serde`, which reads it too; but its reader puts every way a value could be written into the code of
//! every type (a seventh of all that was compiled for this program), where ours asks for what the type expects.
//!
//! Invariant: every byte is looked at within bounds, so no input makes it panic, and nothing is taken for what it is not.

use std::fmt;

use rmp::Marker;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Visitor};

/// Values within values, at most.
const DEPTH: u16 = 1_024;

/// Why bytes are no value of the type asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misread {
    /// They end too early.
    #[error("it ends too early")]
    Short,
    /// More follows behind the value.
    #[error("{0} bytes too many")]
    Long(usize),
    /// Another kind of value stands there.
    #[error("expected {0}, found {1}")]
    Kind(&'static str, &'static str),
    /// A text that is none.
    #[error("a text is not UTF-8")]
    Text,
    /// Values within values within values.
    #[error("more than {DEPTH} values within each other")]
    Deep,
    /// A list or map has other elements than the type takes.
    #[error("{0} elements too many")]
    Left(u32),
    /// The type's own word.
    #[error("{0}")]
    Type(String),
}

impl de::Error for Misread {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::Type(words.to_string())
    }
}

/// Name under which a type asks for a value's bytes as they stand.
const RAW: &str = "skydeck raw value";

/// The bytes of one value, not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'de>(pub &'de [u8]);

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Raw<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Raw<'de>, E> {
                Ok(Raw(bytes))
            }
        }
        d.deserialize_newtype_struct(RAW, V)
    }
}

/// Reads one value from all of `bytes`.
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Misread> {
    let mut reader = Reader { left: bytes, depth: DEPTH };
    let value = T::deserialize(&mut reader)?;
    match reader.left.len() {
        0 => Ok(value),
        n => Err(Misread::Long(n)),
    }
}

/// What stands at a place; of lists and maps the number of elements.
enum Item<'de> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Single(f32),
    Double(f64),
    Text(&'de str),
    Bytes(&'de [u8]),
    List(u32),
    Map(u32),
}

impl Item<'_> {
    #[cold]
    #[inline(never)]
    fn not(&self, expected: &'static str) -> Misread {
        let found = match self {
            Self::Nil => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Unsigned(_) | Self::Signed(_) => "a whole number",
            Self::Single(_) | Self::Double(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        };
        Misread::Kind(expected, found)
    }
}

struct Reader<'de> {
    left: &'de [u8],
    depth: u16,
}

impl<'de> Reader<'de> {
    fn bytes(&mut self, n: usize) -> Result<&'de [u8], Misread> {
        let (bytes, left) = self.left.split_at_checked(n).ok_or(Misread::Short)?;
        self.left = left;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Misread> {
        let (bytes, left) = self.left.split_first_chunk().ok_or(Misread::Short)?;
        self.left = left;
        Ok(*bytes)
    }

    /// A length of one, two or four bytes.
    fn length<const N: usize>(&mut self) -> Result<u32, Misread> {
        Ok(self.array::<N>()?.iter().fold(0, |n, byte| (n << 8) | u32::from(*byte)))
    }

    fn text(&mut self, length: u32) -> Result<Item<'de>, Misread> {
        let bytes = self.bytes(length as usize)?;
        std::str::from_utf8(bytes).map(Item::Text).map_err(|_| Misread::Text)
    }

    /// Takes what stands here.
    #[inline(never)] // or it is copied to every field of every type
    fn item(&mut self) -> Result<Item<'de>, Misread> {
        let [marker] = self.array()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Item::Nil,
            Marker::True => Item::Bool(true),
            Marker::False => Item::Bool(false),
            Marker::FixPos(n) => Item::Unsigned(n.into()),
            Marker::FixNeg(n) => Item::Signed(n.into()),
            Marker::U8 => Item::Unsigned(self.length::<1>()?.into()),
            Marker::U16 => Item::Unsigned(self.length::<2>()?.into()),
            Marker::U32 => Item::Unsigned(self.length::<4>()?.into()),
            Marker::U64 => Item::Unsigned(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Item::Signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Item::Signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Item::Signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Item::Signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Item::Single(f32::from_be_bytes(self.array()?)),
            Marker::F64 => Item::Double(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(n) => self.text(n.into())?,
            Marker::Str8 => self.length::<1>().and_then(|n| self.text(n))?,
            Marker::Str16 => self.length::<2>().and_then(|n| self.text(n))?,
            Marker::Str32 => self.length::<4>().and_then(|n| self.text(n))?,
            Marker::Bin8 => self.length::<1>().and_then(|n| self.bytes(n as usize)).map(Item::Bytes)?,
            Marker::Bin16 => self.length::<2>().and_then(|n| self.bytes(n as usize)).map(Item::Bytes)?,
            Marker::Bin32 => self.length::<4>().and_then(|n| self.bytes(n as usize)).map(Item::Bytes)?,
            Marker::FixArray(n) => Item::List(n.into()),
            Marker::Array16 => Item::List(self.length::<2>()?),
            Marker::Array32 => Item::List(self.length::<4>()?),
            Marker::FixMap(n) => Item::Map(n.into()),
            Marker::Map16 => Item::Map(self.length::<2>()?),
            Marker::Map32 => Item::Map(self.length::<4>()?),
            _ => return Err(Misread::Kind("a value", "an extension")),
        })
    }

    fn is_nil(&self) -> bool {
        self.left.first() == Some(&Marker::Null.to_u8())
    }

    fn enter(&mut self) -> Result<(), Misread> {
        self.depth = self.depth.checked_sub(1).ok_or(Misread::Deep)?;
        Ok(())
    }

    /// Passes over what stands here, however deep it is.
    fn skip(&mut self) -> Result<(), Misread> {
        let mut open = 1_u64;
        while open > 0 {
            open -= 1;
            match self.item()? {
                Item::List(n) => open += u64::from(n),
                Item::Map(n) => open += 2 * u64::from(n),
                _ => {}
            }
        }
        Ok(())
    }

    fn list<V: Visitor<'de>>(&mut self, n: u32, visitor: V) -> Result<V::Value, Misread> {
        self.enter()?;
        let mut elements = Elements { reader: self, left: n };
        let value = visitor.visit_seq(&mut elements)?;
        elements.end(value)
    }

    fn map<V: Visitor<'de>>(&mut self, n: u32, visitor: V) -> Result<V::Value, Misread> {
        self.enter()?;
        let mut elements = Elements { reader: self, left: n };
        let value = visitor.visit_map(&mut elements)?;
        elements.end(value)
    }
}

/// The elements of a list or map.
struct Elements<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: u32,
}

impl Elements<'_, '_> {
    fn end<T>(self, value: T) -> Result<T, Misread> {
        self.reader.depth += 1;
        if self.left > 0 { Err(Misread::Left(self.left)) } else { Ok(value) }
    }

    fn more(&mut self) -> bool {
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }
}

impl<'de> de::SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Misread;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misread> {
        if self.more() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        // Each element takes a byte at least: a length that is a lie reserves no memory.
        Some((self.left as usize).min(self.reader.left.len()))
    }
}

impl<'de> de::MapAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Misread;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misread> {
        if self.more() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misread> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some((self.left as usize).min(self.reader.left.len()))
    }
}

macro_rules! whole_numbers {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
            match self.item()? {
                Item::Unsigned(n) => visitor.visit_u64(n),
                Item::Signed(n) => visitor.visit_i64(n),
                other => Err(other.not("a whole number")),
            }
        }
    )*};
}

macro_rules! numbers {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
            match self.item()? {
                Item::Single(n) => visitor.visit_f32(n),
                Item::Double(n) => visitor.visit_f64(n),
                Item::Unsigned(n) => visitor.visit_u64(n),
                Item::Signed(n) => visitor.visit_i64(n),
                other => Err(other.not("a number")),
            }
        }
    )*};
}

macro_rules! texts {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
            match self.item()? {
                Item::Text(text) => visitor.visit_borrowed_str(text),
                other => Err(other.not("a text")),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Misread;

    fn is_human_readable(&self) -> bool {
        false
    }

    whole_numbers! { deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 }

    numbers! { deserialize_f32 deserialize_f64 }

    texts! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
        match self.item()? {
            Item::Nil => visitor.visit_unit(),
            Item::Bool(b) => visitor.visit_bool(b),
            Item::Unsigned(n) => visitor.visit_u64(n),
            Item::Signed(n) => visitor.visit_i64(n),
            Item::Single(n) => visitor.visit_f32(n),
            Item::Double(n) => visitor.visit_f64(n),
            Item::Text(text) => visitor.visit_borrowed_str(text),
            Item::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Item::List(n) => self.list(n, visitor),
            Item::Map(n) => self.map(n, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
        match self.item()? {
            Item::Bool(b) => visitor.visit_bool(b),
            other => Err(other.not("a truth value")),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
        match self.item()? {
            Item::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            other => Err(other.not("bytes")),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
        if self.is_nil() {
            self.item()?;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
        match self.item()? {
            // A unit struct is written as an empty list.
            Item::Nil | Item::List(0) => visitor.visit_unit(),
            other => Err(other.not("nothing")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misread> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Misread> {
        if name == RAW {
            let from = self.left;
            self.skip()?;
            let length = from.len() - self.left.len();
            return visitor.visit_borrowed_bytes(from.get(..length).ok_or(Misread::Short)?);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
        match self.item()? {
            Item::List(n) => self.list(n, visitor),
            other => Err(other.not("a list")),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misread> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Misread> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
        match self.item()? {
            Item::Map(n) => self.map(n, visitor),
            other => Err(other.not("a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misread> {
        self.deserialize_map(visitor)
    }

    /// The name alone, or a map of the one name to what belongs to it.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misread> {
        let before = self.left;
        let bare = match self.item()? {
            Item::Text(_) => {
                self.left = before;
                true
            }
            Item::Map(1) => false,
            other => return Err(other.not("a name alone or with what belongs to it")),
        };
        self.enter()?;
        let value = visitor.visit_enum(Variant { reader: &mut *self, bare })?;
        self.depth += 1;
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misread> {
        self.skip()?;
        visitor.visit_unit()
    }
}

/// One case of an enum.
struct Variant<'r, 'de> {
    reader: &'r mut Reader<'de>,
    /// Only its name is there.
    bare: bool,
}

impl<'de> Variant<'_, 'de> {
    fn content(&mut self) -> Result<&mut Reader<'de>, Misread> {
        if self.bare { Err(Misread::Kind("what belongs to a name", "the name alone")) } else { Ok(self.reader) }
    }
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Misread;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Misread> {
        Ok((seed.deserialize(&mut *self.reader)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Misread;

    fn unit_variant(self) -> Result<(), Misread> {
        if self.bare { Ok(()) } else { Deserialize::deserialize(self.reader) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, Misread> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, _: usize, visitor: V) -> Result<V::Value, Misread> {
        de::Deserializer::deserialize_seq(self.content()?, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(mut self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Misread> {
        de::Deserializer::deserialize_map(self.content()?, visitor)
    }
}

#[cfg(test)]
mod tests {
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
}
