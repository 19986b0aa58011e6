//! The machines that packages are made for.

use clap::ValueEnum;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// x86_64 with the glibc of CentOS 7 or any later one: the first choice.
    #[value(name = "x86_64-gnu")]
    X86Gnu,
    /// x86_64, static: users of LDAP or SSSD are not found by it, and it takes twice the memory.
    #[value(name = "x86_64-musl")]
    X86Musl,
    /// aarch64 (Kunpeng, Phytium) with glibc 2.17 or any later one.
    #[value(name = "aarch64-gnu")]
    ArmGnu,
}

impl Target {
    /// All of them, the first choice first.
    pub const ALL: [Self; 3] = [Self::X86Gnu, Self::X86Musl, Self::ArmGnu];

    /// As the compiler names it.
    pub fn triple(self) -> &'static str {
        match self {
            Self::X86Gnu => "x86_64-unknown-linux-gnu",
            Self::X86Musl => "x86_64-unknown-linux-musl",
            Self::ArmGnu => "aarch64-unknown-linux-gnu",
        }
    }

    /// As the linker is told, with the oldest C library that will do.
    pub fn for_zig(self) -> String {
        if self.is_static() { self.triple().to_owned() } else { format!("{}.2.17", self.triple()) }
    }

    /// Whether it takes nothing of the host's.
    pub fn is_static(self) -> bool {
        self == Self::X86Musl
    }

    /// In names of archives.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86Gnu => "x86_64-linux-glibc2.17",
            Self::X86Musl => "x86_64-linux-static",
            Self::ArmGnu => "aarch64-linux-glibc2.17",
        }
    }

    /// As packages name it; a static program is handed out as an archive alone.
    pub fn package_arch(self) -> Option<&'static str> {
        match self {
            Self::X86Gnu => Some("amd64"),
            Self::ArmGnu => Some("arm64"),
            Self::X86Musl => None,
        }
    }
}
