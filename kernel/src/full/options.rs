//! The words of the command line that only this image supports.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use viommu::Features;

use crate::dma::mutation::Mutation;
use crate::dma::run::DmaRun;
use crate::suite::options::SuiteOptions;
use crate::two_cpus::options::TwoCpuOptions;
use crate::value_error::{OptionError, ValueError};

/// The options of this image.
#[derive(Debug)]
pub(crate) struct FullOptions {
    /// Operations after the boot, as written (`then=`).
    pub(crate) operations: Option<String>,
    /// What to do with a second CPU.
    pub(crate) two_cpus: TwoCpuOptions,
    /// Names of devices whose groups are explained (`explain=A,B`).
    pub(crate) explain: Vec<String>,
    /// Whether devices transfer data, and what else they do (`dma=on`, `dma=storm`).
    pub(crate) dma: Option<DmaRun>,
    /// Features of virtio-iommus that their driver does not accept (`decline=A,B`).
    pub(crate) declined: Features,
    /// A defect that the tests must notice (`mutate=`).
    pub(crate) mutation: Option<Mutation>,
    /// Number of changes of slots to wait for (`hotplug=`).
    pub(crate) slot_changes: Option<u32>,
    /// Which suites to run.
    pub(crate) suite: SuiteOptions,
    /// The number of mappings to make and remove in a measurement (`map-speed=`).
    pub(crate) map_speed: Option<u64>,
}

/// Maximum number of mappings in a measurement: some minutes.
const MAP_SPEED_LIMIT: u64 = 10_000_000;

/// Maximum number of changes of slots: each keeps a topology in memory.
const CHANGE_LIMIT: u32 = 64;

impl FullOptions {
    /// Reads `words`, whose names are known.
    ///
    /// # Errors
    ///
    /// The value of a word cannot be used. Without the word, the run would pass without what was asked of it.
    pub(crate) fn parse(words: &[String]) -> Result<Self, OptionError> {
        let mut options = Self {
            operations: None,
            two_cpus: TwoCpuOptions::new(),
            explain: Vec::new(),
            dma: None,
            declined: Features::empty(),
            mutation: None,
            slot_changes: None,
            suite: SuiteOptions::default(),
            map_speed: None,
        };
        for word in words {
            options.read(word).map_err(|why| OptionError { word: word.clone(), why })?;
        }
        Ok(options)
    }

    fn read(&mut self, word: &str) -> Result<(), ValueError> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match (name, value) {
            ("explain", names) if !names.is_empty() => {
                self.explain.extend(names.split(',').map(ToString::to_string));
            }
            ("explain", _) => return Err(ValueError::Unknown),
            ("dma", "on") => self.dma = Some(DmaRun::Transfers),
            ("dma", "storm") => self.dma = Some(DmaRun::Storm),
            ("dma", "off") => self.dma = None,
            ("dma", _) => return Err(ValueError::Unknown),
            ("decline", names) => {
                for name in names.split(',') {
                    self.declined |= Features::from_name(name).ok_or(ValueError::Unknown)?;
                }
            }
            ("mutate", word) => {
                self.mutation = Some(Mutation::from_word(word).ok_or(ValueError::Unknown)?);
            }
            ("suite" | "hazards", _) => self.suite.read(name, value)?,
            ("map-speed", number) => match number.parse() {
                Ok(pairs @ 1..=MAP_SPEED_LIMIT) => self.map_speed = Some(pairs),
                _ => return Err(ValueError::NotUpTo(MAP_SPEED_LIMIT)),
            },
            ("hotplug", number) => match number.parse() {
                Ok(changes @ 1..=CHANGE_LIMIT) => self.slot_changes = Some(changes),
                _ => return Err(ValueError::NotUpTo(CHANGE_LIMIT.into())),
            },
            ("then", list) => self.operations = Some(list.to_string()),
            _ => self.two_cpus.read(name, value)?,
        }
        Ok(())
    }
}
