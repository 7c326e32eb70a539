//! The first process of a Linux that is asked for its IOMMU groups.
//!
//! It loads modules in the order of a file, enables virtual functions, waits until devices and groups no longer
//! change, asks for devices to be plugged in and out, prints what sysfs contains, and powers the machine off. There is no shell and no C library beside it: all
//! that it needs of the kernel is a dozen system calls.
//!
//! Every line that it prints begins with `@@ ` and a keyword; `cargo xtask linux` reads them.

#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod command_line;
mod console;
mod hot_plug;
mod kernel_log;
mod modules;
mod path;
mod settle;
#[expect(unsafe_code, reason = "the entry point")]
mod start;
mod sysfs;
#[expect(unsafe_code, reason = "system calls")]
mod system;
mod virtual_functions;
mod watched;

use console::Console;

/// Called with an empty stack, once; it does not return.
extern "C" fn main() -> ! {
    let mut console = Console::new();
    console.line(format_args!("init"));
    prepare(&mut console);
    modules::load(&mut console);
    virtual_functions::enable(&mut console);
    settle::wait(&mut console);
    hot_plug::follow(&mut console);
    system::silence_console();
    console.line(format_args!("begin"));
    sysfs::print(&mut console);
    kernel_log::print(&mut console);
    console.line(format_args!("end"));
    console.flush();
    system::power_off()
}

/// Mounts what is read later.
fn prepare(console: &mut Console) {
    for (kind, place) in [(c"proc", c"/proc"), (c"sysfs", c"/sys")] {
        if let Err(error) = system::mount(kind, place) {
            console.line(format_args!("mount-failed {} {error}", place.to_str().unwrap_or_default()));
        }
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut console = Console::new();
    console.line(format_args!("init-panics {}", info.message()));
    console.flush();
    system::exit(101)
}
