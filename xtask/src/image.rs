//! The kernel's images: built by cargo, turned from ELF into the flat Image that QEMU's `-kernel` starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use serde::Deserialize;

use crate::output;

mod patch;

pub(crate) use patch::{Patch, patched};

/// Rust's name of the target.
pub(crate) const TARGET: &str = "aarch64-unknown-none";

/// The two forms of the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// For a debugger.
    pub(crate) elf: PathBuf,
    /// For QEMU.
    pub(crate) image: PathBuf,
}

/// The binaries that the kernel is built as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Binary {
    /// The kernel.
    #[default]
    Main,
    /// The kernel with everything that a minimal boot does not need.
    Full,
}

impl Binary {
    /// Its name for cargo.
    fn name(self) -> &'static str {
        match self {
            Self::Main => "iogroups",
            Self::Full => "iogroups-full",
        }
    }

    /// Flags for the compiler, which apply to all of the binary: code is generated when it is linked.
    ///
    /// The main image is smaller than 1 MiB, so that one instruction loads any address; the linker fails if it grows
    /// beyond that. Each instruction counts, because an emulator translates it in every boot.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Main => &["-Ccode-model=tiny"],
            Self::Full => &[],
        }
    }
}

/// The arguments of the cargo command that builds the kernel, but for the binary.
const BUILD: [&str; 6] = ["rustc", "--release", "--package", "kernel", "--target", TARGET];

/// A message of cargo about an artifact.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
}

/// Builds one binary and its Image; what is up to date is left alone.
///
/// # Errors
///
/// As [`build_all`].
pub(crate) fn build(binary: Binary, verbose: bool) -> Result<Kernel> {
    build_all(&BTreeSet::from([binary]), verbose)?.remove(&binary).context("no binary was built")
}

/// Builds binaries and their Images; what is up to date is left alone.
///
/// # Errors
///
/// The kernel does not compile, or an ELF cannot become an Image.
pub(crate) fn build_all(binaries: &BTreeSet<Binary>, verbose: bool) -> Result<BTreeMap<Binary, Kernel>> {
    let kernel = |binary: &Binary| {
        let executables =
            executables(arguments(*binary), binary.flags(), verbose).context("the kernel does not build")?;
        let elf = executables.iter().find(|elf| elf.ends_with(binary.name()));
        let elf = elf.with_context(|| format!("cargo built no executable {}", binary.name()))?.clone();
        Ok((*binary, Kernel { image: flat(&elf)?, elf }))
    };
    binaries.iter().map(kernel).collect()
}

/// Runs a cargo command that builds executables, with further flags for the compiler; where each of them is.
///
/// # Errors
///
/// It does not compile.
pub(crate) fn executables(
    arguments: impl IntoIterator<Item = &'static str>,
    flags: &[&str],
    verbose: bool,
) -> Result<Vec<PathBuf>> {
    let mut cargo = Command::new(output::cargo());
    cargo.args(arguments).args(["--message-format", "json-render-diagnostics"]);
    if !verbose {
        cargo.arg("--quiet");
    }
    if !flags.is_empty() {
        cargo.arg("--").args(flags);
    }
    output::announce(&cargo);
    let built = cargo
        .current_dir(output::workspace())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be started")?;
    ensure!(built.status.success(), "cargo build failed");
    Ok(String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter_map(|message| message.executable)
        .collect())
}

/// The Image of an ELF file, beside it.
fn flat(elf: &Path) -> Result<PathBuf> {
    let image = elf.with_extension("Image");
    if !is_newer(&image, elf) {
        let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
        let flat = flatten(&bytes).with_context(|| format!("{} cannot become an Image", elf.display()))?;
        fs::write(&image, flat).with_context(|| format!("cannot write {}", image.display()))?;
    }
    Ok(image)
}

/// The arguments of the cargo command that builds a binary, but for the compiler's flags.
fn arguments(binary: Binary) -> impl Iterator<Item = &'static str> {
    BUILD.into_iter().chain(["--bin", binary.name()])
}

/// What to paste to build binaries without us.
pub(crate) fn command_line(binaries: &BTreeSet<Binary>) -> String {
    let command = |binary: &Binary| {
        let flags = Some("--")
            .filter(|_| !binary.flags().is_empty())
            .into_iter()
            .chain(binary.flags().iter().copied());
        format!("cargo {}", output::shell_line(arguments(*binary).chain(flags)))
    };
    binaries.iter().map(command).collect::<Vec<_>>().join(" && ")
}

/// Where the Image of a binary will be, for a command that is only shown.
pub(crate) fn expected(binary: Binary) -> Kernel {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let elf = output::workspace().join(target).join(TARGET).join("release").join(binary.name());
    Kernel { image: elf.with_extension("Image"), elf }
}

/// An Image that does nothing but end the run with status 0, through semihosting: what is left of a
/// boot when the kernel costs nothing.
pub(crate) fn that_exits() -> Vec<u8> {
    /// Two instructions, text offset, size, flags (little-endian, 4 KiB pages, anywhere in memory).
    const HEAD: [u64; 4] = [0x1400_0010, 0, 96, 0xa]; // b +64
    /// Behind the header.
    const CODE: [u32; 4] = [
        0x1000_0081, // adr x1, +16
        0x5280_0400, // mov w0, #0x20: SYS_EXIT_EXTENDED
        0xd45e_0000, // hlt #0xf000
        0x1400_0000, // b .
    ];
    /// ADP_Stopped_ApplicationExit, and the status.
    const BLOCK: [u64; 2] = [0x20026, 0];
    let mut image: Vec<u8> = HEAD.into_iter().flat_map(u64::to_le_bytes).collect();
    image.resize(MAGIC_AT, 0);
    image.extend(MAGIC);
    image.resize(64, 0);
    image.extend(CODE.into_iter().flat_map(u32::to_le_bytes));
    image.extend(BLOCK.into_iter().flat_map(u64::to_le_bytes));
    image
}

/// Whether `file` was written after `source`.
fn is_newer(file: &Path, source: &Path) -> bool {
    let written = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    matches!((written(file), written(source)), (Some(file), Some(source)) if file > source)
}

/// Largest Image that is believed; a wrong physical address in one segment would else ask for gigabytes.
const IMAGE_LIMIT: u64 = 64 << 20;

/// Place and value of the magic number in the arm64 Image header (Linux: Documentation/arch/arm64/booting.rst).
const MAGIC_AT: usize = 56;
const MAGIC: &[u8] = b"ARM\x64";

/// Lays the loadable segments of an ELF file out as they will be in memory, from the lowest
/// physical address on. Gaps are zero; what has no bytes in the file (bss) is not in the Image.
fn flatten(elf: &[u8]) -> Result<Vec<u8>> {
    let header = FileHeader64::<Endianness>::parse(elf)?;
    let endian = header.endian()?;
    let segments: Vec<(u64, &[u8])> = header
        .program_headers(endian, elf)?
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_LOAD && segment.p_filesz(endian) > 0)
        .map(|segment| match segment.data(endian, elf) {
            Ok(bytes) => Ok((segment.p_paddr(endian), bytes)),
            Err(()) => bail!("the segment at {:#x} ends behind the file", segment.p_paddr(endian)),
        })
        .collect::<Result<_>>()?;
    let base = segments.iter().map(|(address, _)| *address).min().context("there is nothing to load")?;
    let mut flat = Vec::new();
    for (address, bytes) in segments {
        let end = (address - base).checked_add(bytes.len() as u64).filter(|end| *end <= IMAGE_LIMIT);
        let end = end.with_context(|| format!("the segment at {address:#x} is too far from {base:#x}"))?;
        let start = usize::try_from(address - base)?;
        let end = usize::try_from(end)?;
        if flat.len() < end {
            flat.resize(end, 0);
        }
        flat[start..end].copy_from_slice(bytes);
    }
    ensure!(
        flat.get(MAGIC_AT..MAGIC_AT + MAGIC.len()) == Some(MAGIC),
        "the first segment, at {base:#x}, does not begin with an arm64 Image header"
    );
    Ok(flat)
}

#[cfg(test)]
mod tests;
