//! The command line of an image that firmware starts without load options, for example from a
//! removable disk: a text file in the root directory of the volume that contains the image.

use uefi::proto::media::file::{File, FileAttribute, FileHandle, FileMode};
use uefi::proto::media::fs::SimpleFileSystem;
use uefi::{CStr16, Handle, boot};

use super::limits::{COMMAND_FILE, COMMAND_FILE_LIMIT};

/// Reads the file on `volume` to the start of `place`; returns the number of bytes read and whether
/// the file is longer.
///
/// `None` if there is no file system or no such file, or if it cannot be read: an image can be
/// started without any of them.
pub(super) fn read(volume: Handle, place: &mut [u8; COMMAND_FILE_LIMIT]) -> Option<(usize, bool)> {
    let mut path = [0; COMMAND_FILE.len() + 1];
    let path = CStr16::from_str_with_buf(COMMAND_FILE, &mut path).ok()?;
    let mut volume = boot::open_protocol_exclusive::<SimpleFileSystem>(volume).ok()?;
    let mut root = volume.open_volume().ok()?;
    let file = root.open(path, FileMode::Read, FileAttribute::empty()).ok()?;
    let mut file = FileHandle::into_regular_file(file)?;
    let bytes = file.read(place).ok()?;
    let is_cut = file.read(&mut [0]).is_ok_and(|more| more > 0);
    Some((bytes, is_cut))
}
