//! System calls of arm64 Linux, by the numbers of `include/uapi/asm-generic/unistd.h`: the only unsafe code.

use core::arch::asm;
use core::ffi::CStr;
use core::fmt;

const MKNOD_NO_MODE: usize = 0;
const WRITE_FILE: usize = 64;
const READ_FILE: usize = 63;
const OPEN_AT: usize = 56;
const CLOSE: usize = 57;
const GET_DIRECTORY_ENTRIES: usize = 61;
const READ_LINK_AT: usize = 78;
const MOUNT: usize = 40;
const NANOSLEEP: usize = 101;
const SYSLOG: usize = 116;
const REBOOT: usize = 142;
const CLONE: usize = 220;
const WAIT: usize = 260;
const FINIT_MODULE: usize = 273;
const EXIT_GROUP: usize = 94;

/// `AT_FDCWD`: paths are absolute here.
const WORKING_DIRECTORY: usize = -100_isize as usize;

pub(crate) const READ_ONLY: usize = 0;
pub(crate) const WRITE_ONLY: usize = 1;
pub(crate) const NON_BLOCKING: usize = 0o4000;

/// What a system call failed with (`include/uapi/asm-generic/errno.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

impl Errno {
    /// There is nothing to read yet.
    pub(crate) const AGAIN: Self = Self(11);
    /// A record was overwritten before it was read.
    pub(crate) const OVERWRITTEN: Self = Self(32);
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "errno-{}", self.0)
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChildEnd {
    Exited(i32),
    /// By a signal: the kernel kills a process that it fails in.
    Killed(i32),
}

/// An open file.
pub(crate) struct File(usize);

impl File {
    pub(crate) fn open(path: &CStr, flags: usize) -> Result<Self, Errno> {
        let arguments = [WORKING_DIRECTORY, path.as_ptr() as usize, flags, MKNOD_NO_MODE, 0];
        // SAFETY: the path is a C string, and the kernel only reads it.
        unsafe { call(OPEN_AT, arguments) }.map(Self)
    }

    /// Reads at most as many bytes as `buffer` has.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the kernel writes no more than the length that it is given.
        unsafe { call(READ_FILE, [self.0, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0]) }
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        write(self.0, bytes)
    }

    /// The next entries of a directory, as records of `linux_dirent64`; none at the end.
    pub(crate) fn entries(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the kernel writes no more than the length that it is given.
        unsafe { call(GET_DIRECTORY_ENTRIES, [self.0, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0]) }
    }

    /// Loads the module in this file.
    pub(crate) fn load_module(&self) -> Result<(), Errno> {
        // SAFETY: the parameters are an empty C string, which the kernel only reads.
        unsafe { call(FINIT_MODULE, [self.0, c"".as_ptr() as usize, 0, 0, 0]) }.map(drop)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this value's own. An error would change nothing.
        let _ = unsafe { call(CLOSE, [self.0, 0, 0, 0, 0]) };
    }
}

/// Writes to standard output: the console.
pub(crate) fn write_console(bytes: &[u8]) -> Result<usize, Errno> {
    write(1, bytes)
}

fn write(descriptor: usize, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel only reads, and no more than the length that it is given.
    unsafe { call(WRITE_FILE, [descriptor, bytes.as_ptr() as usize, bytes.len(), 0, 0]) }
}

/// Reads a symbolic link.
pub(crate) fn read_link<'a>(path: &CStr, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let arguments =
        [WORKING_DIRECTORY, path.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0];
    // SAFETY: the path is a C string; the kernel writes no more than the length that it is given.
    let length = unsafe { call(READ_LINK_AT, arguments) }?;
    Ok(&buffer[..length])
}

/// Mounts a file system that has no device.
pub(crate) fn mount(kind: &CStr, place: &CStr) -> Result<(), Errno> {
    let [kind, place] = [kind, place].map(|text| text.as_ptr() as usize);
    // SAFETY: all three texts are C strings, which the kernel only reads; there is no data.
    unsafe { call(MOUNT, [kind, place, kind, 0, 0]) }.map(drop)
}

pub(crate) fn sleep_milliseconds(milliseconds: u64) {
    let time = [milliseconds / 1000, milliseconds % 1000 * 1_000_000];
    // SAFETY: the kernel reads a `timespec`, which is these two numbers, and is given no place for the rest.
    let _ = unsafe { call(NANOSLEEP, [time.as_ptr() as usize, 0, 0, 0, 0]) };
}

/// Keeps all but emergencies off the console, so that they are not between our lines.
pub(crate) fn silence_console() {
    const CONSOLE_LEVEL: usize = 8;
    // SAFETY: this call takes a number and no memory.
    let _ = unsafe { call(SYSLOG, [CONSOLE_LEVEL, 0, 1, 0, 0]) };
}

/// A second process with a copy of this one's memory; `Some` with the child's number in this one, `None` there.
pub(crate) fn fork() -> Result<Option<usize>, Errno> {
    const SIGNAL_AT_END: usize = 17;
    // SAFETY: without CLONE_VM and without a stack, both go on with their own copy of all memory.
    let child = unsafe { call(CLONE, [SIGNAL_AT_END, 0, 0, 0, 0]) }?;
    Ok((child != 0).then_some(child))
}

/// How a child ended; none if it runs.
pub(crate) fn ended(child: usize) -> Result<Option<ChildEnd>, Errno> {
    const DO_NOT_WAIT: usize = 1;
    let mut status = 0_i32;
    // SAFETY: the kernel writes one `int`.
    let which = unsafe { call(WAIT, [child, &raw mut status as usize, DO_NOT_WAIT, 0, 0]) }?;
    let end = match status & 0x7f {
        0 => ChildEnd::Exited(status >> 8 & 0xff),
        signal => ChildEnd::Killed(signal),
    };
    Ok((which != 0).then_some(end))
}

pub(crate) fn exit(status: i32) -> ! {
    loop {
        // SAFETY: this call takes a number; it does not return.
        let _ = unsafe { call(EXIT_GROUP, [status as usize, 0, 0, 0, 0]) };
    }
}

/// Ends the machine.
pub(crate) fn power_off() -> ! {
    const MAGIC: [usize; 2] = [0xfee1_dead, 0x2812_1969];
    const POWER_OFF: usize = 0x4321_fedc;
    // SAFETY: this call takes numbers.
    let _ = unsafe { call(REBOOT, [MAGIC[0], MAGIC[1], POWER_OFF, 0, 0]) };
    exit(1)
}

/// A system call; what it returns, or the error.
///
/// # Safety
///
/// - An argument that the call takes for an address must be one that it may use so.
unsafe fn call(number: usize, arguments: [usize; 5]) -> Result<usize, Errno> {
    let [a, b, c, d, e] = arguments;
    let result: isize;
    // SAFETY: the kernel preserves all registers but x0; what it does to memory is the caller's duty.
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") a as isize => result,
            in("x1") b,
            in("x2") c,
            in("x3") d,
            in("x4") e,
            options(nostack),
        );
    }
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}
