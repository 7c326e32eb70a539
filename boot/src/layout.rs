//! Where the parts of the image are, from the linker script.

use addr::{PhysAddr, Range};

macro_rules! symbols {
    ($($(#[$doc:meta])* $name:ident = $symbol:ident;)*) => {
        mod symbol {
            unsafe extern "C" {
                $(pub(super) static $symbol: u8;)*
            }
        }
        $(
            $(#[$doc])*
            pub(crate) fn $name() -> u64 {
                (&raw const symbol::$symbol).addr() as u64
            }
        )*
    };
}

symbols! {
    image_start = image_start;
    constants_start = constants_start;
    constants_end = constants_end;
    main_guard = main_guard;
    exception_guard = exception_guard;
    nested_guard = nested_guard;
    table_pool_start = table_pool_start;
    table_pool_end = table_pool_end;
    early_heap_start = early_heap_start;
    early_heap_end = early_heap_end;
    secondary_guard = secondary_guard;
    secondary_stack_top = secondary_stack_top;
    secondary_exception_guard = secondary_exception_guard;
    secondary_exception_stack_top = secondary_exception_stack_top;
    secondary_entry = secondary_entry;
    image_end = image_end;
}

/// The addresses from `start` up to and without `end`; the linker script puts `end` behind `start`.
pub(crate) fn range(start: u64, end: u64) -> Range<PhysAddr> {
    Range::new(PhysAddr(start), PhysAddr(end - 1)).expect("the linker script orders the image's parts")
}
