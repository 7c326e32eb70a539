//! The UEFI firmware image: where it may be.
//!
//! Distributions put it into different places and under different names; QEMU's own copy, where its
//! package has one, is among its data files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where packages put EDK2 for QEMU's aarch64 machines; the first one found is used.
const PLACES: [&str; 7] = [
    "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd",
    "/usr/share/edk2/aarch64/QEMU_EFI.fd",
    "/usr/share/AAVMF/QEMU_EFI.fd",
    "/usr/share/AAVMF/AAVMF_CODE.fd",
    "/usr/share/edk2-armvirt/aarch64/QEMU_EFI.fd",
    "/usr/share/edk2/aarch64/QEMU_CODE.fd",
    "/usr/share/qemu/qemu-uefi-aarch64.bin",
];

/// The name among QEMU's own data files.
const OF_QEMU: &str = "edk2-aarch64-code.fd";

/// The image, if there is one; `qemu` is asked for its data files only if no package has it.
pub(crate) fn find(qemu: &str) -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).chain(data_files(qemu)).find(|file| file.is_file())
}

/// The image, or where it is expected, for a command that is only shown.
pub(crate) fn expected(qemu: &str) -> PathBuf {
    find(qemu).unwrap_or_else(|| PLACES[0].into())
}

/// Where this QEMU would have its own copy.
fn data_files(qemu: &str) -> impl Iterator<Item = PathBuf> {
    // Asked when it is reached, and that is never on most machines.
    std::iter::once_with(move || directories(qemu)).flatten().map(|place| place.join(OF_QEMU))
}

/// The directories in which QEMU looks for data files; none if it does not say.
pub(crate) fn directories(qemu: impl AsRef<Path>) -> Vec<PathBuf> {
    let asked = Command::new(qemu.as_ref()).args(["-L", "help"]).stdin(Stdio::null()).output();
    let Ok(asked) = asked else { return Vec::new() };
    let said = String::from_utf8_lossy(&asked.stdout);
    said.lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect()
}
