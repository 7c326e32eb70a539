//! The initramfs: our init, the modules, and the nodes of two devices, as an archive in the `cpio` format "newc"
//! (Linux: Documentation/driver-api/early-userspace/buffer-format.rst).

use anyhow::{Context, Result};
use std::fs;

use super::modules::Module;
use crate::image;

/// The arguments of the cargo command that builds our init.
const BUILD: [&str; 8] =
    ["build", "--release", "--package", "linux-init", "--bin", "linux-init", "--target", image::TARGET];

/// Kinds of files, as bits of a mode.
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// The archive with these modules, which are loaded in this order.
///
/// # Errors
///
/// Our init does not build.
pub(super) fn build(modules: &[Module], verbose: bool) -> Result<Vec<u8>> {
    let built = image::executables(BUILD, &[], verbose).context("our init does not build")?;
    let program =
        built.iter().find(|file| file.ends_with("linux-init")).context("cargo built no linux-init")?;
    let init = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    Ok(archive(&init, modules))
}

fn archive(init: &[u8], modules: &[Module]) -> Vec<u8> {
    let mut archive = Archive::default();
    for directory in ["dev", "proc", "sys", "m"] {
        archive.add(directory, DIRECTORY, (0, 0), &[]);
    }
    archive.add("dev/console", CHARACTER_DEVICE, (5, 1), &[]);
    archive.add("dev/kmsg", CHARACTER_DEVICE, (1, 11), &[]);
    archive.add("init", PROGRAM, (0, 0), init);
    let names: String = modules.iter().map(|module| format!("{}\n", module.name)).collect();
    archive.add("modules", FILE, (0, 0), names.as_bytes());
    for module in modules {
        archive.add(&format!("m/{}", module.name), FILE, (0, 0), &module.elf);
    }
    archive.add("TRAILER!!!", 0, (0, 0), &[]);
    archive.bytes
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("a module has less than 4 GiB");
        let name_size = name.len() as u32 + 1;
        // c_ino, c_mode, c_uid, c_gid, c_nlink, c_mtime, c_filesize, c_maj, c_min, c_rmaj, c_rmin, c_namesize, c_chksum
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name_size, 0];
        self.bytes.extend(b"070701");
        self.bytes.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        self.bytes.extend(name.bytes().chain([0]));
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests;
