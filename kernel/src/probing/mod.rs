//! Drives the core: adds devices and registers drivers, in order.

mod devices;
mod driver_choice;
mod hot_plug;
mod live_domain;
mod pending;
mod step;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::mem;

use probe::{BusId, Core, Driver, LinuxFirmware};
use report::Report;

use self::devices::Devices;
pub use self::hot_plug::{ClassChange, Removed};
pub use self::live_domain::LiveDomain;
use self::pending::PendingSteps;
pub use self::step::BootStep;
use crate::drivers::{self, Claims, Iommus};
use crate::error::Error;
use crate::hardware::{Handle, Hardware};
use crate::input::options::Options;
use crate::log;
use crate::output::event_log::{self, Watch};
use crate::output::summary;

/// A machine that is being probed: the core, and the remaining steps.
pub struct Probing {
    /// The core.
    pub core: Core<Handle>,
    /// The hardware for the drivers.
    pub hardware: Rc<Hardware>,
    /// The bound IOMMUs.
    pub iommus: Iommus,
    /// The claims of the bound drivers.
    pub claims: Claims,
    pci: BusId,
    steps: Vec<BootStep>,
    /// Steps that follow when all others have been taken and the core is at rest.
    virtual_functions: Vec<BootStep>,
    pending: PendingSteps,
    /// Whether the invariants are checked after each step, as if the core were at rest.
    settles_after_each_step: bool,
    watch: Option<Watch>,
}

impl Probing {
    /// All devices and drivers, as steps in the order from `options`.
    ///
    /// # Errors
    ///
    /// The options name a device or a driver that does not exist.
    pub(crate) fn new(
        hardware: &Rc<Hardware>,
        map: Box<dyn LinuxFirmware>,
        options: &Options,
    ) -> Result<Self, Error> {
        let (iommus, claims) = (Iommus::default(), Claims::default());
        let (mut core, devices) = devices::machine(hardware, map, options);
        let Devices { pci, first: mut steps, mut virtual_functions } = devices;
        let mut add = |driver| steps.push(BootStep::Register(driver));
        drivers::all(hardware, &iommus, &claims, options.path, options.declined, &mut add);
        driver_choice::apply(&options.drivers, &mut steps, &mut core)?;
        if let Some(order) = &options.order {
            steps.append(&mut virtual_functions);
            steps = order.arrange(steps, BootStep::name)?;
            log!("order: {}", step::names(&steps));
        }
        Ok(Self {
            core,
            hardware: hardware.clone(),
            iommus,
            claims,
            pci,
            steps,
            virtual_functions,
            pending: PendingSteps::new(hardware, &options.drivers.late),
            settles_after_each_step: options.order.is_some(),
            watch: None,
        })
    }

    /// Adds a driver that is registered after all others.
    pub fn add_driver(&mut self, driver: Box<dyn Driver<Handle>>) {
        self.steps.push(BootStep::Register(driver));
    }

    /// From now on, `watch` sees each event; none ends it.
    pub fn watch(&mut self, watch: Option<Watch>) {
        self.watch = watch;
    }

    /// Takes all steps that do not wait for others; after each step, does everything that is
    /// queued.
    pub fn take_steps(&mut self, report: &mut Report) {
        for step in mem::take(&mut self.steps) {
            self.take(step, report);
            if self.settles_after_each_step {
                self.core.settle();
            }
        }
    }

    /// The steps that do not wait for others, for the caller to take.
    pub fn ready_steps(&mut self) -> Vec<BootStep> {
        let (pending, core) = (&mut self.pending, &self.core);
        mem::take(&mut self.steps).into_iter().filter_map(|step| pending.pass(step, core)).collect()
    }

    /// Brings the core to rest, and then takes the steps that follow: virtual functions, late
    /// drivers.
    pub fn take_late_steps(&mut self, report: &mut Report) {
        self.settle(report);
        for step in mem::take(&mut self.virtual_functions) {
            self.take(step, report);
        }
        self.settle(report);
        self.core.expire_deferrals();
        self.settle(report);
        for step in self.pending.drivers() {
            step.take(&mut self.core);
            self.settle(report);
        }
    }

    /// Adds the result to the report.
    pub fn add_result(&self, report: &mut Report) {
        summary::add_core(report, &self.core, &self.hardware, &self.iommus);
    }

    /// Adds the result to the report and ends the run.
    pub fn finish(self, report: &mut Report) {
        self.add_result(report);
        // The run is over. Taking everything down in order, which resets every device, would only cost time.
        mem::forget(self);
    }

    fn take(&mut self, step: BootStep, report: &mut Report) {
        if let Some(step) = self.pending.pass(step, &self.core) {
            step.take(&mut self.core);
        }
        self.run(report);
    }

    /// Does everything that is queued, and adds the functions of host bridges that it has bound.
    fn run(&mut self, report: &mut Report) {
        loop {
            event_log::run(&mut self.core, &self.hardware, &mut report.warnings, &mut self.watch);
            let functions = self.pending.functions(&self.core);
            if functions.is_empty() {
                return;
            }
            for step in functions {
                step.take(&mut self.core);
            }
        }
    }

    /// Does everything that is queued, and checks the invariants that hold at rest.
    pub fn settle(&mut self, report: &mut Report) {
        self.run(report);
        self.core.settle();
    }
}
