//! What stands in the bytes: one value after the other, whatever type is asked for.

use rmp::Marker;

use super::Misread;

/// What stands at a place; of lists and maps the number of elements.
pub(super) enum Item<'de> {
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
    pub fn not(&self, expected: &'static str) -> Misread {
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

pub(super) struct Reader<'de> {
    pub left: &'de [u8],
    /// Values that may yet stand within each other here.
    pub depth: u16,
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

    /// Takes a text: nearly all are short, and stand right behind one byte.
    #[inline(never)]
    pub fn short_text(&mut self) -> Result<&'de str, Misread> {
        if let Some((marker @ 0xa0..=0xbf, rest)) = self.left.split_first() {
            let (bytes, left) = rest.split_at_checked(usize::from(marker & 31)).ok_or(Misread::Short)?;
            self.left = left;
            return std::str::from_utf8(bytes).map_err(|_| Misread::Text);
        }
        match self.item()? {
            Item::Text(text) => Ok(text),
            other => Err(other.not("a text")),
        }
    }

    /// Takes what stands here.
    #[inline(never)] // or it is copied to every field of every type
    pub fn item(&mut self) -> Result<Item<'de>, Misread> {
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

    pub fn is_nil(&self) -> bool {
        self.left.first() == Some(&Marker::Null.to_u8())
    }

    pub fn enter(&mut self) -> Result<(), Misread> {
        self.depth = self.depth.checked_sub(1).ok_or(Misread::Deep)?;
        Ok(())
    }

    /// Passes over what stands here, however deep it is.
    pub fn skip(&mut self) -> Result<(), Misread> {
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
}
