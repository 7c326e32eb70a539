//! Instructions that may cause an exception, with a result that shows whether they did.
//!
//! The exception vectors recognise these few instructions by their address, skip one that caused an
//! exception, and set a register to report it. There is no flag that could stay set, and no other
//! instruction is ever skipped.

use addr::PhysAddr;

/// What a guarded routine leaves in x0 and x1.
#[repr(C)]
struct GuardedAccess {
    value: u64,
    refused: u64,
}

unsafe extern "C" {
    safe fn guarded_semihosting() -> GuardedAccess;
    fn guarded_load(address: u64) -> GuardedAccess;
    fn guarded_store(address: u64, word: u32) -> GuardedAccess;
}

/// Whether a debugger or emulator answers semihosting calls; without one, `HLT` is an undefined instruction.
pub fn semihosting_answers() -> bool {
    guarded_semihosting().refused == 0
}

/// The word at `address`, or `None` if it is not mapped or no device answers.
///
/// # Safety
///
/// - Reading the word has no effect: `address` is not in a device's registers.
/// - `address` is a multiple of 4.
pub unsafe fn load_u32(address: PhysAddr) -> Option<u32> {
    // SAFETY: The routine reads only the word, which has no effect by the caller's duty, and
    // returns by the C calling convention also when the access is refused.
    let answer = unsafe { guarded_load(address.0) };
    (answer.refused == 0).then_some(answer.value as u32)
}

/// Whether the word at `address` keeps a value that is written to it.
///
/// # Safety
///
/// - No other code or device uses the word; if it is memory, the caller owns it.
/// - `address` is a multiple of 4.
pub unsafe fn holds_u32(address: PhysAddr, word: u32) -> bool {
    // SAFETY: The routine accesses only the word, which nothing else uses by the caller's duty, and
    // returns by the C calling convention also when the access is refused.
    let answer = unsafe { guarded_store(address.0, word) };
    // SAFETY: As above.
    answer.refused == 0 && unsafe { load_u32(address) } == Some(word)
}
