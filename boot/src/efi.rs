//! The image as an EFI application: what is taken from the firmware before it is left.
//!
//! `boot_efi_application` runs on the firmware's map, stack and exception vectors. It finds the
//! machine's descriptions in the configuration tables, copies the load options and the command line
//! file, and exits boot services. Then the head takes the machine over as on any other entry, and
//! `handed_over` turns the firmware's memory map into one list.
//!
//! The kernel has no console of its own until boot services are exited. Before that, `abandon`
//! prints a panic on the firmware's console, and the firmware reports exceptions.

#[cfg(target_os = "none")]
mod command_file;
mod limits;
mod memory_map;

pub use limits::{COMMAND_FILE, COMMAND_FILE_LIMIT, LOAD_OPTIONS_LIMIT, MEMORY_RANGE_LIMIT};
pub use memory_map::{MemoryRange, MemoryUse};

/// The data that EFI firmware hands over in addition to the description of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Efi {
    /// The load options as UTF-16 units, at most [`LOAD_OPTIONS_LIMIT`]. They may be anything.
    pub load_options: &'static [u16],
    /// Length of the load options in bytes, before truncation.
    pub load_options_bytes: usize,
    /// The content of [`COMMAND_FILE`], if the file exists.
    pub command_file: Option<CommandFile>,
    /// Ranges of RAM that did not fit into [`MEMORY_RANGE_LIMIT`], all of them above those that did.
    pub memory_left_out: usize,
    memory: &'static [memory_map::Entry],
}

/// The content of [`COMMAND_FILE`], which may be anything.
#[derive(Clone, Copy, Debug)]
pub struct CommandFile {
    /// Its first bytes, at most [`COMMAND_FILE_LIMIT`].
    pub bytes: &'static [u8],
    /// Whether the file is longer.
    pub is_cut: bool,
}

impl Efi {
    /// RAM by the firmware's memory map: sorted by start, and no free range overlaps another.
    pub fn memory(&self) -> impl Iterator<Item = MemoryRange> {
        self.memory.iter().filter_map(memory_map::Entry::range)
    }
}

#[cfg(target_os = "none")]
pub(crate) use application::handed_over;
#[cfg(target_os = "none")]
pub use application::{abandon, is_in_boot_services};

#[cfg(target_os = "none")]
mod application {
    use core::cell::UnsafeCell;
    use core::ffi::c_void;
    use core::fmt::{self, Write};
    use core::sync::atomic::{AtomicBool, Ordering};

    use addr::{PhysAddr, Range};
    use uefi::mem::memory_map::{MemoryMap, MemoryMapMut, MemoryMapOwned};
    use uefi::proto::loaded_image::LoadedImage;
    use uefi::runtime::{self, ResetType};
    use uefi::table::cfg::ConfigTableEntry;
    use uefi::{Guid, Handle, Status, boot, guid, system};

    use super::memory_map::{self, Entry};
    use super::{COMMAND_FILE_LIMIT, CommandFile, Efi, LOAD_OPTIONS_LIMIT, MEMORY_RANGE_LIMIT, command_file};
    use crate::memory::{self, Kind};

    /// EFI_DTB_TABLE_GUID: a device tree blob (UEFI 2.10, section 4.6.1.3).
    const DEVICE_TREE_GUID: Guid = guid!("b1b621d5-f19c-41a5-830b-d9152c69aae0");

    /// Addresses in the configuration tables, unchecked.
    #[derive(Clone, Copy)]
    pub(crate) struct Tables {
        pub(crate) device_tree: Option<PhysAddr>,
        pub(crate) acpi_rsdp: Option<PhysAddr>,
    }

    /// Data that is kept after boot services are exited.
    struct Taken {
        tables: Tables,
        load_options: [u16; LOAD_OPTIONS_LIMIT],
        load_options_bytes: usize,
        command_file: [u8; COMMAND_FILE_LIMIT],
        /// The bytes that were read, and whether the file is longer.
        command_file_read: Option<(usize, bool)>,
        map: Option<FinalMap>,
        memory: [Entry; MEMORY_RANGE_LIMIT],
    }

    /// The memory map at the moment when boot services were exited.
    struct FinalMap {
        map: MemoryMapOwned,
        /// Its address in the firmware's memory.
        place: Range<PhysAddr>,
    }

    struct TakenCell(UnsafeCell<Taken>);

    // SAFETY: Only one CPU runs until the kernel starts another one. Before that the two functions that use it
    // run one after the other, once each.
    unsafe impl Sync for TakenCell {}

    static TAKEN: TakenCell = TakenCell(UnsafeCell::new(Taken {
        tables: Tables { device_tree: None, acpi_rsdp: None },
        load_options: [0; LOAD_OPTIONS_LIMIT],
        load_options_bytes: 0,
        command_file: [0; COMMAND_FILE_LIMIT],
        command_file_read: None,
        map: None,
        memory: [Entry::NONE; MEMORY_RANGE_LIMIT],
    }));

    static IN_BOOT_SERVICES: AtomicBool = AtomicBool::new(false);

    /// Whether the firmware still owns the machine.
    #[must_use]
    pub fn is_in_boot_services() -> bool {
        IN_BOOT_SERVICES.load(Ordering::Relaxed)
    }

    /// Prints `why` on the firmware's console and powers the machine off.
    ///
    /// Must be called while [`is_in_boot_services`]. A second call, for example from a panic in
    /// this function, prints nothing.
    pub fn abandon(why: fmt::Arguments<'_>) -> ! {
        static SPOKEN: AtomicBool = AtomicBool::new(false);
        if !SPOKEN.swap(true, Ordering::Relaxed) {
            // There is no other channel, so a failure of this one cannot be reported either.
            let _ = system::with_stdout(|console| writeln!(console, "{why}"));
        }
        runtime::reset(ResetType::SHUTDOWN, Status::ABORTED, None)
    }

    /// Called by the head, once, with the arguments of an EFI entry point. When it returns, boot
    /// services have been exited; it always returns 0.
    ///
    /// It reports no failure to the firmware. Missing data shows up in the kernel's report. If the
    /// firmware refuses to exit boot services twice, the `uefi` crate resets the machine (UEFI
    /// 2.10, section 7.4.6: the second attempt reads the map and its key again).
    #[unsafe(no_mangle)]
    extern "C" fn boot_efi_application(image: Handle, table: *const c_void) -> u64 {
        // SAFETY: The firmware gives its system table to the entry point.
        unsafe { uefi::table::set_system_table(table.cast()) };
        // SAFETY: And the handle of this image.
        unsafe { boot::set_image_handle(image) };
        IN_BOOT_SERVICES.store(true, Ordering::Relaxed);
        // SAFETY: No other code uses it before boot services are exited.
        let taken = unsafe { &mut *TAKEN.0.get() };
        taken.tables = system::with_config_table(addresses);
        if let Ok(loaded) = boot::open_protocol_exclusive::<LoadedImage>(image) {
            let bytes = loaded.load_options_as_bytes().unwrap_or_default();
            taken.load_options_bytes = bytes.len();
            for (unit, bytes) in taken.load_options.iter_mut().zip(bytes.chunks_exact(2)) {
                *unit = u16::from_le_bytes([bytes[0], bytes[1]]);
            }
            let volume = loaded.device();
            taken.command_file_read =
                volume.and_then(|volume| command_file::read(volume, &mut taken.command_file));
        }
        // If the firmware does not exit boot services, this is the last output.
        let _ = system::with_stdout(|console| writeln!(console, "iogroups: leaving EFI boot services"));
        // SAFETY: No protocol is open any more, and nothing points into the firmware's memory but the
        // device tree and the ACPI tables, which are found again by their addresses.
        let map = unsafe { boot::exit_boot_services(None) };
        IN_BOOT_SERVICES.store(false, Ordering::Relaxed);
        let buffer = map.buffer();
        let place = Range::from_size(PhysAddr(buffer.as_ptr().addr() as u64), buffer.len() as u64);
        taken.map = place.map(|place| FinalMap { map, place });
        0
    }

    /// The descriptions of the machine that the configuration tables refer to; the kernel chooses one.
    fn addresses(tables: &[ConfigTableEntry]) -> Tables {
        let find = |guid| {
            let table = tables.iter().find(|table| table.guid == guid)?;
            Some(PhysAddr(table.address.addr() as u64))
        };
        Tables { device_tree: find(DEVICE_TREE_GUID), acpi_rsdp: find(ConfigTableEntry::ACPI2_GUID) }
    }

    /// The data that was taken from the firmware. Must be called once, after boot services have
    /// been exited.
    pub(crate) fn handed_over() -> (Tables, Efi) {
        // SAFETY: The application is over, and this is called once.
        let taken: &'static mut Taken = unsafe { &mut *TAKEN.0.get() };
        let mut listed = memory_map::Listed::default();
        if let Some(FinalMap { map, place }) = &mut taken.map {
            if let Err(error) = memory::map(*place, Kind::Normal) {
                panic!("the firmware's memory map cannot be mapped: {error}");
            }
            map.sort();
            listed = memory_map::list(map.entries(), &mut taken.memory);
        }
        // Dropping it would return its memory to firmware that no longer runs.
        core::mem::forget(taken.map.take());
        let units = (taken.load_options_bytes / 2).min(LOAD_OPTIONS_LIMIT);
        let command_file = taken
            .command_file_read
            .map(|(bytes, is_cut)| CommandFile { bytes: &taken.command_file[..bytes], is_cut });
        let efi = Efi {
            command_file,
            load_options: &taken.load_options[..units],
            load_options_bytes: taken.load_options_bytes,
            memory: &taken.memory[..listed.count],
            memory_left_out: listed.left_out,
        };
        (taken.tables, efi)
    }
}
