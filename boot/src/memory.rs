//! The map in use: made once for the image, extended after firmware's description has been read.

use core::arch::asm;
use core::sync::atomic::AtomicUsize;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{ID_AA64MMFR0_EL1, Readable, TTBR0_EL1, Writeable};
use addr::{PhysAddr, Range};
use sync::TicketLock;

use crate::page_table::{AddressSpace, PAGE_SIZE, Table};
use crate::{cpu, layout};

pub use crate::page_table::{Kind, MapError};

/// The lowest addresses stay unmapped, so that a null pointer with an offset is caught too.
const NULL_GUARD: u64 = 2 << 20;

/// Tag of the final map's entries in the TLB; the first map's is 0.
pub(crate) const FINAL_ASID: u64 = 1;

/// Frames of the pool in use. It belongs to the pool that the linker script lays out.
static USED_TABLES: AtomicUsize = AtomicUsize::new(0);

/// Held while the map is extended: one CPU at a time takes frames and sets entries.
static EXTENDING: TicketLock = TicketLock::new();

/// Extends the identity map by every page that `range` touches.
///
/// Mapping a page again in the same way does nothing. RAM may be mapped over the image; the image
/// keeps its own access rights.
///
/// # Errors
///
/// See [`MapError`]; pages mapped before the failure stay mapped.
pub fn map(range: Range<PhysAddr>, kind: Kind) -> Result<(), MapError> {
    let turn = EXTENDING.acquire(cpu::relax);
    let result = address_space().map(range, kind);
    drop(turn);
    // The walker sees the new entries before any access that follows.
    barrier::dsb(barrier::ISHST);
    barrier::isb(barrier::SY);
    result
}

/// What `address` is mapped as; `None` if an access would fail.
#[must_use]
pub fn lookup(address: PhysAddr) -> Option<Kind> {
    address_space().lookup(address)
}

/// The stack that has overflowed if an access to `address` failed, by name.
#[must_use]
pub fn overflowed_stack(address: u64) -> Option<&'static str> {
    [
        (layout::main_guard(), "main stack"),
        (layout::exception_guard(), "exception stack"),
        (layout::nested_guard(), "nested exception stack"),
        (layout::secondary_guard(), "main stack of CPU 1"),
        (layout::secondary_exception_guard(), "exception stack of CPU 1"),
    ]
    .into_iter()
    .find_map(|(guard, name)| (guard..guard + PAGE_SIZE).contains(&address).then_some(name))
}

/// Offset of `address` in the image, if it is in the image's code: the corresponding address in the
/// image's ELF file.
#[must_use]
pub fn code_offset(address: u64) -> Option<u64> {
    let code = layout::range(layout::image_start(), layout::constants_start());
    code.contains(PhysAddr(address)).then(|| address - code.start().0)
}

/// Maps the stacks of a second CPU, each with a guard below it.
///
/// # Errors
///
/// The bound on page tables is reached.
pub(crate) fn map_secondary_stacks() -> Result<(), MapError> {
    for (guard_start, stack_top) in [
        (layout::secondary_guard(), layout::secondary_stack_top()),
        (layout::secondary_exception_guard(), layout::secondary_exception_stack_top()),
    ] {
        let (guard, kind) = guard(guard_start);
        map(guard, kind)?;
        map(layout::range(guard_start + PAGE_SIZE, stack_top), Kind::Normal)?;
    }
    Ok(())
}

/// The page from `start` on, which stays unmapped.
fn guard(start: u64) -> (Range<PhysAddr>, Kind) {
    (layout::range(start, start + PAGE_SIZE), Kind::Guard)
}

/// Replaces the head's map of a few large blocks by the final one.
pub(crate) fn install_final_map() {
    let parts = [
        (layout::range(0, NULL_GUARD), Kind::Guard),
        (layout::range(layout::image_start(), layout::constants_start()), Kind::Code),
        (layout::range(layout::constants_start(), layout::constants_end()), Kind::Constants),
        guard(layout::main_guard()),
        guard(layout::exception_guard()),
        guard(layout::nested_guard()),
        (layout::range(layout::constants_end(), layout::early_heap_end()), Kind::Normal),
    ];
    for (range, kind) in parts {
        if let Err(error) = address_space().map(range, kind) {
            panic!("the image cannot be mapped: {error}");
        }
    }
    barrier::dsb(barrier::ISHST);
    TTBR0_EL1.write(TTBR0_EL1::ASID.val(FINAL_ASID) + TTBR0_EL1::BADDR.val(layout::table_pool_start() >> 1));
    barrier::isb(barrier::SY);
    // SAFETY: Drops translations only; the final map contains all code and data in use.
    unsafe { asm!("tlbi vmalle1", "dsb nsh", "isb", options(nostack)) };
}

fn address_space() -> AddressSpace<'static> {
    let start = layout::table_pool_start();
    let frames = (layout::table_pool_end() - start) / PAGE_SIZE;
    // SAFETY: The linker script sets this memory aside for tables, aligned to a page. It is mapped, and used
    // through this pool alone; any bytes are a valid table of atomics.
    let pool = unsafe { core::slice::from_raw_parts(start as usize as *const Table, frames as usize) };
    AddressSpace::new(pool, PhysAddr(start), &USED_TABLES, physical_address_bits())
}

/// The highest address that this CPU and the map support.
#[must_use]
pub fn last_address() -> PhysAddr {
    PhysAddr((1 << physical_address_bits()) - 1)
}

/// Bits of a physical address on this CPU, at most the 48 that the tables can hold.
fn physical_address_bits() -> u32 {
    match ID_AA64MMFR0_EL1.read(ID_AA64MMFR0_EL1::PARange) {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        _ => 48,
    }
}
