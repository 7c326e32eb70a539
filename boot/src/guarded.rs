//! Instructions that the machine may refuse, and the code around them asks whether it did.
//!
//! The exception vectors know these few instructions by their address, step over one that caused an
//! exception, and say so in a register. There is no flag that could stay set, and no other instruction
//! is ever stepped over.

use addr::PhysAddr;

/// What a guarded routine leaves in x0 and x1.
#[repr(C)]
struct Answer {
    value: u64,
    refused: u64,
}

unsafe extern "C" {
    safe fn guarded_semihosting() -> Answer;
    fn guarded_load(address: u64) -> Answer;
    fn guarded_store(address: u64, word: u32) -> Answer;
}

/// Whether a debugger or emulator answers semihosting calls; without one, `HLT` is an undefined instruction.
pub fn semihosting_answers() -> bool {
    guarded_semihosting().refused == 0
}

/// The word at `address`, or `None` where nothing is mapped or nothing answers.
///
/// # Safety
///
/// - Reading the word has no effect: `address` is not in a device's registers.
/// - `address` is a multiple of 4.
pub unsafe fn load_u32(address: PhysAddr) -> Option<u32> {
    // SAFETY: The routine touches nothing but the word, which the caller says has no effect, and returns
    // by the C calling convention also when the access is refused.
    let answer = unsafe { guarded_load(address.0) };
    (answer.refused == 0).then_some(answer.value as u32)
}

/// Whether the word at `address` holds what is written to it.
///
/// # Safety
///
/// - Nobody uses the word: it is ours, if it is memory.
/// - `address` is a multiple of 4.
pub unsafe fn holds_u32(address: PhysAddr, word: u32) -> bool {
    // SAFETY: The routine touches nothing but the word, which nobody uses, as the caller says, and returns by the C
    // calling convention also when the access is refused.
    let answer = unsafe { guarded_store(address.0, word) };
    // SAFETY: As above.
    answer.refused == 0 && unsafe { load_u32(address) } == Some(word)
}
