//! What a type asks for, taken from the values as they stand.

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Visitor};

use super::items::{Item, Reader};
use super::{Misread, RAW};

impl<'de> Reader<'de> {
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
            visitor.visit_borrowed_str(self.short_text()?)
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
