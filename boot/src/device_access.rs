//! What becomes of an access to device registers that nothing answers.
//!
//! It is carried out as a bus would: a read gives all ones, a write is dropped, and the interrupted code goes on. That
//! holds for every plain load and store of the image, whoever wrote it, as `virtio-drivers` reads registers too; it
//! does not hold for memory, where a missing answer would leave the kernel's own state wrong.

use addr::PhysAddr;

use crate::exception::Exception;
use crate::load_store::LoadStore;
use crate::memory::{self, Kind};
use crate::unanswered::RECORD;

/// Bytes of an instruction.
const INSTRUCTION_SIZE: u64 = 4;

/// Whether the interrupted code can go on, and then `exception` has what it goes on with.
pub(crate) fn resume(exception: &mut Exception) -> bool {
    if !exception.is_unanswered_access()
        || memory::lookup(PhysAddr(exception.far)) != Some(Kind::Device)
        || memory::code_offset(exception.elr).is_none()
    {
        return false;
    }
    // SAFETY: The address is in the image's code, which is mapped, and the CPU has just read an instruction there.
    let instruction = unsafe { (exception.elr as *const u32).read() };
    let Some(access) = LoadStore::decode(instruction) else { return false };
    if !RECORD.add(exception.far, exception.is_write()) {
        return false;
    }
    access.answer_all_ones(&mut exception.x);
    exception.elr += INSTRUCTION_SIZE;
    true
}
