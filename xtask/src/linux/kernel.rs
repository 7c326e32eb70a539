//! A user's kernel: its Image, in any of its forms, and its modules.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::compression;
use super::files::{self, Files};
use super::modules::Modules;

/// Place and value of the magic number in the arm64 Image header (Linux: Documentation/arch/arm64/booting.rst).
const MAGIC_AT: usize = 56;
const MAGIC: &[u8] = b"ARM\x64";

/// Place and value of the magic number of an EFI image that unpacks itself (Linux: drivers/firmware/efi/libstub/zboot.lds);
/// place and size of the packed Image follow.
const ZBOOT_AT: usize = 4;
const ZBOOT: &[u8] = b"zimg";

/// A kernel that can be booted.
#[derive(Debug)]
pub(super) struct UserKernel {
    /// A plain arm64 Image.
    pub(super) image: Vec<u8>,
    pub(super) modules: Modules,
}

impl UserKernel {
    /// Reads a kernel, and its modules from `places`: directories and packages. Where there are none, modules are looked
    /// for in the package itself, or in the build tree that the Image lies in.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or does not have the required format.
    pub(super) fn read(file: &Path, places: &[PathBuf]) -> Result<Self> {
        let mut files = Files::default();
        let image = if file.is_dir() {
            files = Files::read(file)?;
            image_in(&files)
        } else {
            let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
            if files::is_package(&bytes) {
                files = Files::of_package(&bytes).context("the package is malformed")?;
                image_in(&files)
            } else {
                plain_image(bytes)
            }
        };
        let image = image.with_context(|| file.display().to_string())?;
        let places: Vec<PathBuf> =
            if places.is_empty() { build_tree(file).into_iter().collect() } else { places.into() };
        for place in &places {
            files.add(Files::read(place)?);
        }
        Ok(Self { image, modules: Modules::of(files) })
    }
}

/// The only kernel of a package or a directory.
fn image_in(files: &Files) -> Result<Vec<u8>> {
    let images: Vec<&str> = files.images().collect();
    match images[..] {
        [] => bail!("there is no kernel in it (vmlinuz, Image)"),
        [image] => plain_image(files.content(image)?).with_context(|| image.to_owned()),
        _ => bail!("there are several kernels in it: {}; name one", images.join(", ")),
    }
}

/// The top of the build tree that `arch/arm64/boot/Image` lies in.
fn build_tree(file: &Path) -> Option<PathBuf> {
    let file = fs::canonicalize(file).ok()?;
    let boot = file.parent().filter(|boot| boot.ends_with("arch/arm64/boot"))?;
    boot.ancestors().nth(3).map(PathBuf::from)
}

/// A plain arm64 Image, from one that may be packed.
fn plain_image(bytes: Vec<u8>) -> Result<Vec<u8>> {
    let bytes = compression::unpack(bytes)?;
    let has = |at: usize, magic: &[u8]| bytes.get(at..at + magic.len()) == Some(magic);
    if has(ZBOOT_AT, ZBOOT) {
        let number = |at: usize| -> Result<usize> {
            let bytes = bytes.get(at..at + 4).context("the zboot header is cut")?;
            Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
        };
        let (start, size) = (number(ZBOOT_AT + 4)?, number(ZBOOT_AT + 8)?);
        let packed =
            bytes.get(start..).and_then(|rest| rest.get(..size)).context("the zboot payload is cut")?;
        let image = compression::unpack(packed.to_vec()).context("the zboot payload")?;
        ensure!(image.get(MAGIC_AT..MAGIC_AT + 4) == Some(MAGIC), "the zboot payload is not an arm64 Image");
        return Ok(image);
    }
    if has(MAGIC_AT, MAGIC) {
        return Ok(bytes);
    }
    if has(0, b"\x7fELF") {
        bail!("this is an ELF file; the kernel to boot is arch/arm64/boot/Image of the same build");
    }
    if has(0x202, b"HdrS") {
        bail!("this is a kernel for x86; an arm64 one is needed");
    }
    bail!("this is not an arm64 kernel (Image, Image.gz, vmlinuz) and not a package (.deb, .rpm)")
}

#[cfg(test)]
mod tests;
