//! Files that a configuration names.
//!
//! Invariant: reading one waits for nobody and ends: only an ordinary file is read (or a link to one), and only so much of it.

use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use skydeck_core::domain::system_words::chinese;

/// Largest file that a configuration names or is, bytes: far more than any bundle of authorities has.
pub const LARGEST: u64 = 4 << 20;

/// Why a file is not read.
#[derive(Debug)]
pub enum Unread {
    /// A directory, pipe, device or socket.
    NotOrdinary,
    /// More than may be read; its size, as far as it is known.
    TooLarge {
        /// Bytes.
        bytes: u64,
        /// The limit, bytes.
        most: u64,
    },
    /// The system's fault.
    Io(std::io::Error),
}

impl Unread {
    /// Whether there is no such file.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io(e) if e.kind() == std::io::ErrorKind::NotFound)
    }

    /// In words, English and Chinese.
    pub fn words(&self) -> (String, String) {
        match self {
            Self::NotOrdinary => (
                "is a pipe, a device or a directory; name an ordinary file".to_owned(),
                "是管道、设备或目录：请写普通文件".to_owned(),
            ),
            Self::TooLarge { bytes, most } => (
                format!("has {bytes} bytes, and {most} is the most that is read; name the right file"),
                format!("有 {bytes} 字节，超过上限 {most} 字节：请核对文件"),
            ),
            Self::Io(e) => (format!("cannot be read: {e}"), format!("无法读取：{}", chinese(&e.to_string()))),
        }
    }
}

/// The bytes of a file, at most so many.
///
/// # Errors
/// [`Unread`]; a pipe or device is not even opened.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unread> {
    if !std::fs::metadata(path).map_err(Unread::Io)?.is_file() {
        return Err(Unread::NotOrdinary);
    }
    // It may have become something else since: then opening it waits for nobody.
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(no_wait).open(path).map_err(Unread::Io)?;
    let meta = file.metadata().map_err(Unread::Io)?;
    if !meta.is_file() {
        return Err(Unread::NotOrdinary);
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(Unread::Io)?;
    if bytes.len() as u64 > most {
        return Err(Unread::TooLarge { bytes: meta.len().max(most.saturating_add(1)), most });
    }
    Ok(bytes)
}

/// The text of a file, at most so many bytes.
///
/// # Errors
/// As [`read`]; also where a byte is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String, Unread> {
    String::from_utf8(read(path, most)?).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Unread::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, format!("byte {at} is no UTF-8")))
    })
}
