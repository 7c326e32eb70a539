//! Semihosting calls to the host of the emulator, if it supports them.
//!
//! Without such a host the call is an undefined instruction, so its presence is detected once, at
//! the start. A call is one exception, and QEMU handles calls one at a time, from whichever CPU.
//! The calls are the `semihosting` crate's (Semihosting for AArch32 and AArch64, Arm, 2.0).

use alloc::ffi::CString;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

use semihosting::fd::AsFd;
use semihosting::io;
use semihosting::sys::arm_compat::{ExitReason, OpenMode, sys_exit_extended, sys_flen, sys_open, sys_write0};
use semihosting::sys::read_uninit;

/// Maximum size of a file in bytes: sixty times the largest device tree that the boot protocol
/// allows.
pub(crate) const FILE_LIMIT: usize = 64 << 20;

/// Maximum number of calls for one file: a host may return less than requested, and each call must
/// make progress.
const CALL_LIMIT: usize = 1024;

static PRESENT: AtomicBool = AtomicBool::new(false);

/// Detects whether a host answers; until then, [`is_present`] returns false.
pub(crate) fn probe() -> bool {
    let present = boot::guarded::semihosting_answers();
    PRESENT.store(present, Ordering::Relaxed);
    present
}

/// Whether a host answers.
pub(crate) fn is_present() -> bool {
    PRESENT.load(Ordering::Relaxed)
}

/// Why a call to the host failed.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No host answers semihosting calls.
    #[error("the host does not answer semihosting calls")]
    NoHost,
    /// The name is not a valid file name: it contains a NUL.
    #[error("the name contains a NUL")]
    BadName,
    /// The file is longer than `FILE_LIMIT`.
    #[error("{bytes} bytes exceed the limit of {FILE_LIMIT}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The file ended before all of it was read.
    #[error("the host stopped after {done} of {of} bytes")]
    Short {
        /// Bytes that were read.
        done: usize,
        /// Bytes that should have been.
        of: usize,
    },
    /// The heap has no room for the file.
    #[error("no memory for {bytes} bytes")]
    NoMemory {
        /// Bytes that were wanted.
        bytes: usize,
    },
    /// An error code from the host.
    #[error("host error: {0}")]
    Refused(#[from] io::Error),
}

/// Writes `text` to the host's console by one call; `text` is dropped if no host answers.
///
/// Only SYS_WRITE0 reaches the console: QEMU 7.2 connects a file with the console's name, `:tt`, to
/// its own standard output instead of the character device that its user chose for the console.
pub(crate) fn write_console(text: &CStr) {
    if is_present() {
        sys_write0(text);
    }
}

/// The whole content of the host's file `name`, at most `FILE_LIMIT` bytes.
///
/// # Errors
///
/// See [`HostError`].
pub fn read_file(name: &str) -> Result<Vec<u8>, HostError> {
    if !is_present() {
        return Err(HostError::NoHost);
    }
    let name = CString::new(name).map_err(|_| HostError::BadName)?;
    let file = sys_open(&name, OpenMode::RDONLY_BINARY)?;
    let length = sys_flen(file.as_fd())?;
    if length > FILE_LIMIT {
        return Err(HostError::TooLong { bytes: length });
    }
    let mut content = Vec::new();
    content.try_reserve_exact(length).map_err(|_| HostError::NoMemory { bytes: length })?;
    for _ in 0..CALL_LIMIT {
        let done = content.len();
        if done == length {
            return Ok(content);
        }
        let (read, _) = read_uninit(file.as_fd(), &mut content.spare_capacity_mut()[..length - done])?;
        let read = read.len();
        if read == 0 {
            break;
        }
        // SAFETY: The call has just written `read` bytes there, at most as many as it was given.
        unsafe { content.set_len(done + read) };
    }
    Err(HostError::Short { done: content.len(), of: length })
}

/// Ends the emulator with exit status `status`, if a host answers.
pub(crate) fn exit(status: u8) {
    if is_present() {
        sys_exit_extended(ExitReason::ADP_Stopped_ApplicationExit, usize::from(status));
    }
}
