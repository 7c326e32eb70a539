//! A run of the kernel, from the handover to the report, in steps that an image's main function puts together.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::ToString;

use core::fmt::Display;

use boot::Handover;
use firmware::route::{Language, Route};
use pci::EnumerationPolicy;
use probe::LinuxFirmware;
use report::{Firmware, Report, Run as RunRecord};

use crate::error::Error;
use crate::hardware::{self, Hardware};
use crate::input::described::Described;
use crate::input::description;
use crate::input::handover::{self, HandedOver};
use crate::input::memory;
use crate::input::options::Options;
use crate::log;
use crate::machine::{self, console, power};
use crate::output::unanswered::Windows;
use crate::output::{event_log, summary};
use crate::probing::Probing;

/// The data of a run.
pub struct Run {
    handover: Handover,
    /// The options on the command line.
    pub options: Options,
    /// The results so far, even if the run cannot be completed.
    pub report: Report,
    /// The address ranges of all devices' registers, for accesses that no device answers.
    windows: Windows,
}

impl Run {
    /// Makes the machine usable, reads the command line and begins the report.
    #[must_use]
    pub fn begin(handover: Handover) -> (Self, HandedOver) {
        machine::init(&handover);
        let handed_over = handover::read(&handover);
        let options = Options::parse(&handed_over.command_line);
        console::set_report_channel(options.console);

        let entry = handed_over.entry;
        let firmware = Firmware::new(entry.is_uefi(), entry.language(options.firmware) == Language::Acpi);
        let mut report = Report::new(RunRecord {
            firmware: firmware.word().to_string(),
            path: options.path.to_string(),
            cmdline: handed_over.command_line.clone(),
            exception_level: handover.entry_exception_level,
            order: options.order.as_ref().map(ToString::to_string),
            ..RunRecord::default()
        });
        let level = u64::from(handover.entry_exception_level);
        log!("iogroups {}: entered at EL{level}", env!("CARGO_PKG_VERSION"));
        report.warnings.extend(handed_over.warnings.iter().chain(&options.warnings).cloned());
        summary::add_findings(&mut report, handed_over.console_absent.as_slice());
        (Self { handover, options, report, windows: Windows::default() }, handed_over)
    }

    /// Reads the description of the machine, and gives its free memory to the heap.
    ///
    /// # Errors
    ///
    /// There is no description, or not the one that the command line selects.
    pub fn describe(&mut self, handed_over: HandedOver) -> Result<Described, Error> {
        if let Some(refused) = &self.options.refused {
            return Err(refused.clone().into());
        }
        let HandedOver { entry, given, memory, .. } = handed_over;
        let route = Route::choose(entry, self.options.route())?;
        self.report.warnings.extend(route.warning(entry).map(|warning| warning.to_string()));
        let described = description::read(route, entry, given, &self.options)?;
        summary::add_description(&mut self.report, &described.description);
        self.windows.add_description(&described.description);
        let memory = memory::add_to_heap(&self.handover, memory, &described);
        summary::add_findings(&mut self.report, &memory);
        Ok(described)
    }

    /// Finds all PCI functions and platform devices, and assigns missing addresses.
    pub fn enumerate(&mut self, described: &mut Described) -> Rc<Hardware> {
        let Options { virtual_functions, room_for_hot_plug, config_acs, path, .. } = &self.options;
        let Described { description, map, numbering, resources, .. } = described;
        let buses = EnumerationPolicy {
            numbering: *numbering,
            resources: *resources,
            virtual_functions: *virtual_functions,
            room_for_hot_plug: *room_for_hot_plug,
            ..EnumerationPolicy::default()
        };
        let hardware = hardware::enumerate(description, &**map, &buses, config_acs, *path);
        summary::add_hardware(&mut self.report, &hardware);
        self.windows.add_hardware(&hardware);
        hardware
    }

    /// Makes the steps of the probe path, one for each device and each driver.
    ///
    /// # Errors
    ///
    /// The command line names a device or a driver that does not exist.
    pub fn prepare(&self, hardware: &Rc<Hardware>, map: Box<dyn LinuxFirmware>) -> Result<Probing, Error> {
        event_log::policy(&self.options);
        Probing::new(hardware, map, &self.options)
    }

    /// Writes the report and ends the run.
    pub fn end(mut self, outcome: Result<(), impl Display>) -> ! {
        if let Err(error) = outcome {
            log!("ERROR: {error}");
            self.report.error = Some(error.to_string());
        }
        summary::add_findings(&mut self.report, &self.windows.unanswered());
        summary::close(&mut self.report);
        console::write_report(self.options.form.render(&self.report));
        power::end(self.report.exit_status())
    }
}
