//! What a program asks of the C library and of others: read from the program itself, for whichever machine it is.

use std::collections::BTreeMap;

use anyhow::ensure;
use object::read::elf::FileHeader as _;
use object::{Endianness, FileKind, elf};

/// The newest C library that may be asked for: that of CentOS 7.
const NEWEST: [u32; 2] = [2, 17];

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Shared libraries.
    pub libraries: Vec<String>,
    /// Symbols by the version they have to be of, such as `GLIBC_2.17`.
    pub symbols: BTreeMap<String, Vec<String>>,
    /// Names of its own parts that it carries for a debugger: a program that was stripped has none.
    pub own_names: usize,
}

/// Numbers of a version, where it is one of the C library.
pub fn numbers(version: &str) -> Option<Vec<u32>> {
    version.strip_prefix("GLIBC_")?.split('.').map(|part| part.parse().ok()).collect()
}

impl Needs {
    /// Of a program's bytes.
    pub fn of(bytes: &[u8]) -> anyhow::Result<Self> {
        ensure!(FileKind::parse(bytes)? == FileKind::Elf64, "not a 64-bit program of Linux");
        let header = elf::FileHeader64::<Endianness>::parse(bytes)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, bytes)?;
        let own_names = sections.symbols(endian, bytes, elf::SHT_SYMTAB)?.len();
        let mut needs = Self { own_names, ..Self::default() };
        let dynamic = sections.dynamic_table(endian, bytes)?;
        for entry in dynamic.iter().filter(|entry| entry.tag == elf::DT_NEEDED) {
            needs.libraries.push(text(dynamic.string(entry)?));
        }
        let Some(versions) = sections.versions(endian, bytes)? else { return Ok(needs) };
        let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM)?;
        for (index, symbol) in symbols.enumerate() {
            if let Some(version) = versions.version(versions.version_index(endian, index))? {
                let name = text(symbols.symbol_name(endian, symbol)?);
                needs.symbols.entry(text(version.name())).or_default().push(name);
            }
        }
        needs.symbols.values_mut().for_each(|names| names.sort());
        Ok(needs)
    }

    /// Symbols that are newer than an old host has, each with its version.
    pub fn too_new(&self) -> Vec<String> {
        let newer = |version: &str| match numbers(version) {
            Some(numbers) => numbers.as_slice() > NEWEST.as_slice(),
            // Versions of libgcc and others are older than any host.
            None => version.starts_with("GLIBC_"),
        };
        let all = self.symbols.iter().filter(|(version, _)| newer(version));
        all.flat_map(|(version, names)| names.iter().map(move |name| format!("{name}@{version}"))).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
