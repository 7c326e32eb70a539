//! Calls to the host that runs the machine, where it offers them.
//!
//! Without such a host the call is an undefined instruction, so whether there is one is found out first,
//! once. A call is one exception, and QEMU takes them one by one, whichever CPU they come from. The calls are the `semihosting` crate's (Semihosting for AArch32 and AArch64, Arm, 2.0).

use alloc::ffi::CString;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

use semihosting::fd::AsFd;
use semihosting::io;
use semihosting::sys::arm_compat::{ExitReason, OpenMode, sys_exit_extended, sys_flen, sys_open, sys_write0};
use semihosting::sys::read_uninit;

/// Longest file that is read: sixty times the largest device tree that the boot protocol allows.
pub(crate) const FILE_LIMIT: usize = 64 << 20;

/// Calls for one file: a host may give less than asked, and each call must make progress.
const CALL_LIMIT: usize = 1024;

static PRESENT: AtomicBool = AtomicBool::new(false);

/// Finds out whether there is a host that answers; until then, [`is_present`] says no.
pub(crate) fn probe() -> bool {
    let present = boot::guarded::semihosting_answers();
    PRESENT.store(present, Ordering::Relaxed);
    present
}

/// Whether a host answers.
pub(crate) fn is_present() -> bool {
    PRESENT.load(Ordering::Relaxed)
}

/// Why the host did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Nobody answers semihosting calls.
    #[error("the host does not answer semihosting calls")]
    NoHost,
    /// The name cannot be a file's: it contains a NUL.
    #[error("the name contains a NUL")]
    BadName,
    /// The file is longer than [`FILE_LIMIT`].
    #[error("{bytes} bytes exceed the limit of {FILE_LIMIT}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The host ended the file before all of it was read.
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
    /// The host's own error.
    #[error("host error: {0}")]
    Refused(#[from] io::Error),
}

/// Writes `text` to the host's console by one call; it goes nowhere if no host answers.
///
/// SYS_WRITE0 is what reaches the console: QEMU 7.2 leads a file opened by the console's name, `:tt`, to
/// its own standard output, past the character device that its user has chosen for the console.
pub(crate) fn write_console(text: &CStr) {
    if is_present() {
        sys_write0(text);
    }
}

/// The whole content of the host's file `name`, at most [`FILE_LIMIT`] bytes.
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
