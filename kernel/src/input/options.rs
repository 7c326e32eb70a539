//! The kernel command line: its words and their meanings.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use firmware::route::{Asked, Language};
use pci::ConfigAcs;
use probe::{DomainPolicy, Path};
use report::{Console, FULL_IMAGE_WORDS, Firmware, Form};
use viommu::Features;

use crate::input::driver_choice::{DriverChoice, DriverChoiceError};
use crate::input::order::{Order, OrderError};
use crate::machine::console::Channel;

/// The options on the command line.
#[derive(Debug)]
pub struct Options {
    /// Which channel carries the report (`console=`).
    pub(crate) console: Channel,
    /// The form of the report (`report=`).
    pub(crate) form: Form,
    /// A device tree file of the host, in place of the one that was handed over (`dtb=`).
    pub(crate) device_tree_file: Option<String>,
    /// Files of the host with ACPI tables, in place of those of the same signature (`tables=A,B`).
    pub(crate) table_files: Vec<String>,
    /// The source of the description (`firmware=`).
    pub(crate) firmware: Option<Language>,
    /// Whether buses are numbered before or after the tables are read (`number=`).
    pub(crate) numbering: Moment,
    /// The probe path (`path=`).
    pub path: Path,
    /// Default domains (`iommu.passthrough=`, `iommu.strict=`).
    pub(crate) policy: DomainPolicy,
    /// Whether `iommu.passthrough=` is on the command line.
    pub(crate) passthrough_is_set: bool,
    /// Whether `iommu.strict=` is on the command line.
    pub(crate) strict_is_set: bool,
    /// The number of virtual functions of each physical function (`sriov=`).
    pub(crate) virtual_functions: u16,
    /// Whether slots with hot-plug get room for devices that come later. The full image decides this.
    pub room_for_hot_plug: bool,
    /// The user's ACS settings (`pci=config_acs=`).
    pub(crate) config_acs: ConfigAcs,
    /// An order of devices and drivers other than Linux's (`order=`).
    pub(crate) order: Option<Order>,
    /// Drivers that are left out or late, and devices with a driver of their own (`drivers=`, `driver_override=`).
    pub(crate) drivers: DriverChoice,
    /// Features of virtio-iommus that their driver does not accept. Only the full image has a word for it.
    pub declined: Features,
    /// Words that only the full image supports: those of [`FULL_IMAGE_WORDS`], with their values.
    pub full_words: Vec<String>,
    /// Words that are unknown or have no effect on this machine.
    pub(crate) warnings: Vec<String>,
    /// A word that this image does not support and that must not be ignored.
    pub(crate) refused: Option<OptionError>,
}

/// A word that the image does not support.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// A path that does not exist.
    #[error("{word}: expected one of {}", Path::ALL.map(Path::word).join(", "))]
    Path {
        /// The word.
        word: String,
    },
    /// A description language that does not exist.
    #[error("{word}: expected firmware=dt or firmware=acpi")]
    Firmware {
        /// The word.
        word: String,
    },
    /// An invalid order.
    #[error("{word}: {why}")]
    Order {
        /// The word.
        word: String,
        /// What is wrong with it.
        why: OrderError,
    },
    /// A choice of drivers that cannot be read.
    #[error("{word}: {why}")]
    Drivers {
        /// The word.
        word: String,
        /// What is wrong with it.
        why: DriverChoiceError,
    },
    /// A word that only the full image supports.
    #[error("{word}: this image is the minimal one; iogroups-full supports this word")]
    FullImage {
        /// The word.
        word: String,
    },
}

/// When buses are numbered on a machine without firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before QEMU writes its tables, as firmware does.
    BeforeTables,
    /// Afterwards: the tables then contain the earlier bus numbers, as with firmware that reads
    /// them too early.
    AfterTables,
}

impl Options {
    pub(crate) fn parse(command_line: &str) -> Self {
        let mut options = Self {
            console: Channel::Semihosting,
            form: Form::default(),
            device_tree_file: None,
            table_files: Vec::new(),
            firmware: None,
            numbering: Moment::BeforeTables,
            path: Path::default(),
            policy: DomainPolicy::default(),
            passthrough_is_set: false,
            strict_is_set: false,
            virtual_functions: 0,
            room_for_hot_plug: false,
            config_acs: ConfigAcs::default(),
            order: None,
            drivers: DriverChoice::default(),
            declined: Features::empty(),
            full_words: Vec::new(),
            warnings: Vec::new(),
            refused: None,
        };
        for word in command_line.split_ascii_whitespace() {
            options.read(word);
        }
        options
    }

    /// The options that decide the route.
    pub(crate) fn route(&self) -> Asked<'_> {
        Asked {
            language: self.firmware,
            tree_file: self.device_tree_file.as_deref(),
            table_files: !self.table_files.is_empty(),
            numbers_late: self.numbering == Moment::AfterTables,
        }
    }

    /// Rejects words that only the full image supports.
    ///
    /// # Errors
    ///
    /// There is such a word.
    pub fn refuse_full_image_words(&self) -> Result<(), OptionError> {
        let word = self.full_words.first();
        word.map_or(Ok(()), |word| Err(OptionError::FullImage { word: word.clone() }))
    }

    fn read(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match (name, value) {
            (Console::NAME, value) => match Console::from_word(value) {
                Some(Console::Semihosting) => self.console = Channel::Semihosting,
                Some(Console::Pl011) => self.console = Channel::Uart,
                None => self.warn(word, "unknown value"),
            },
            (Form::NAME, value) => match Form::from_word(value) {
                Some(form) => self.form = form,
                None => self.warn(word, "unknown value"),
            },
            (Firmware::NAME, value) => match Firmware::from_word(value) {
                Some(Firmware::Dt) => self.firmware = Some(Language::DeviceTree),
                Some(Firmware::Acpi) => self.firmware = Some(Language::Acpi),
                _ => self.refused = Some(OptionError::Firmware { word: word.to_string() }),
            },
            ("dtb", file) if !file.is_empty() => self.device_tree_file = Some(file.to_string()),
            ("tables", files) if !files.is_empty() => {
                self.table_files = files.split(',').map(ToString::to_string).collect();
            }
            ("number", "early") => self.numbering = Moment::BeforeTables,
            ("number", "late") => self.numbering = Moment::AfterTables,
            ("path", word) if Path::from_word(word).is_some() => {
                self.path = Path::from_word(word).unwrap_or_default();
            }
            ("path", _) => self.refused = Some(OptionError::Path { word: word.to_string() }),
            ("order", text) => match Order::parse(text) {
                Ok(order) => self.order = Some(order),
                Err(why) => self.refused = Some(OptionError::Order { word: word.to_string(), why }),
            },
            ("drivers", text) => {
                if let Err(why) = self.drivers.read_drivers(text) {
                    self.refused = Some(OptionError::Drivers { word: word.to_string(), why });
                }
            }
            ("driver_override", text) => {
                if let Err(why) = self.drivers.read_overrides(text) {
                    self.refused = Some(OptionError::Drivers { word: word.to_string(), why });
                }
            }
            ("iommu.passthrough" | "iommu.strict", _) => match (name, boolean(value)) {
                ("iommu.passthrough", Some(on)) => {
                    self.policy.passthrough = on;
                    self.passthrough_is_set = true;
                }
                (_, Some(on)) => {
                    self.policy.strict = on;
                    self.strict_is_set = true;
                }
                (_, None) => self.warn(word, "expected 0 or 1"),
            },
            ("sriov", number) => match number.parse() {
                Ok(number) => self.virtual_functions = number,
                Err(_) => self.warn(word, "expected a number below 65536"),
            },
            ("pci", parts) => parts.split(',').for_each(|part| self.read_pci(part)),
            (name, _) if FULL_IMAGE_WORDS.contains(&name) => self.full_words.push(word.to_string()),
            ("dtb" | "tables" | "number", _) => self.warn(word, "unknown value"),
            _ => self.warn(word, "unknown word"),
        }
    }

    /// Reads one part of `pci=`. Linux splits at commas first, so a list does not contain one.
    fn read_pci(&mut self, part: &str) {
        let word = format!("pci={part}");
        let Some(list) = part.strip_prefix("config_acs=") else {
            return self.warn(&word, "unknown word");
        };
        let (choice, unread) = ConfigAcs::parse(list);
        self.config_acs = choice;
        if let Some(why) = unread {
            self.warn("pci=config_acs=", &format!("{why}; this entry and all after it are ignored"));
        }
    }

    fn warn(&mut self, word: &str, what: &str) {
        self.warnings.push(format!("command line: {word}: {what}"));
    }
}

/// The spellings of yes and no that Linux accepts (`kstrtobool`).
fn boolean(value: &str) -> Option<bool> {
    match value.bytes().next()?.to_ascii_lowercase() {
        b'1' | b'y' | b't' => Some(true),
        b'0' | b'n' | b'f' => Some(false),
        b'o' if value.eq_ignore_ascii_case("on") => Some(true),
        b'o' if value.eq_ignore_ascii_case("off") => Some(false),
        _ => None,
    }
}
