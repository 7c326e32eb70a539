//! What a topology requires of QEMU: stated in its `needs`, or derived from its arguments.

use std::fmt;

use serde::Deserialize;

use crate::qemu::Machine;

/// QEMU's type of the machine that every boot uses; its properties are the options of `-M virt`.
pub(crate) const MACHINE_TYPE: &str = "virt-machine";

/// Something that not every QEMU has. Written as `TYPE`, `TYPE.PROPERTY`, `machine.OPTION`, `qemu >= 8.2` or
/// `qemu < 11`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Requirement {
    /// A type of device, or another type of QEMU's object model.
    Type(String),
    /// A property of a type: what `-device TYPE,PROPERTY=` sets.
    Property(String, String),
    /// This version, or a newer one.
    AtLeast(Release),
    /// A version that comes before this one.
    Before(Release),
}

/// A release of QEMU, with the number of its bug fixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    /// 0 where a requirement does not say.
    pub(crate) micro: u32,
}

/// Keys of a device's argument that are not properties of the device.
const NOT_PROPERTIES: [&str; 3] = ["driver", "id", "bus"];
/// Options of `-M` that choose other things than properties of the machine.
const NOT_OF_THE_MACHINE: [&str; 2] = ["accel", "type"];

impl Requirement {
    /// Everything that a machine's arguments name: options of `-M`, the CPU, types of devices and of other
    /// objects, and their properties. What cannot be read here is left for QEMU to refuse.
    pub(crate) fn of_machine(machine: &Machine) -> Vec<Self> {
        let options = machine.options.iter().flat_map(|options| options.split(','));
        let options = options.filter_map(|option| Some(option.split_once('=')?.0));
        let options = options.filter(|name| !NOT_OF_THE_MACHINE.contains(name));
        let mut needs: Vec<Self> = options.map(Self::machine_option).collect();
        needs.extend(machine.cpu.iter().map(|cpu| {
            let model = cpu.split(',').next().unwrap_or_default();
            Self::Type(format!("{model}-arm-cpu"))
        }));
        for (name, value) in machine.devices.iter().zip(machine.devices.iter().skip(1)) {
            match name.as_str() {
                "-device" | "-object" => needs.extend(Self::of_object(value)),
                "-global" => needs.extend(Self::of_global(value)),
                _ => (),
            }
        }
        needs
    }

    /// The type and the properties of an argument of `-device` or `-object`.
    fn of_object(argument: &str) -> Vec<Self> {
        // The JSON form has properties of other forms than names and values.
        if argument.starts_with('{') {
            return Vec::new();
        }
        let mut words = argument.split(',');
        let first = words.next().unwrap_or_default();
        let name = first.strip_prefix("driver=").or(first.strip_prefix("qom-type=")).unwrap_or(first);
        let properties = words.filter_map(|word| Some(word.split_once('=')?.0));
        // An element of an array is not listed as a property, its length is.
        let properties = properties.filter(|name| !NOT_PROPERTIES.contains(name) && !name.contains('['));
        let properties = properties.map(|property| Self::Property(name.into(), property.into()));
        std::iter::once(Self::Type(name.into())).chain(properties).collect()
    }

    /// The property of an argument of `-global`.
    fn of_global(argument: &str) -> Option<Self> {
        let (name, property) = argument.split_once('=')?.0.split_once('.')?;
        Some(Self::Property(name.into(), property.into()))
    }

    fn machine_option(name: &str) -> Self {
        // QEMU takes both spellings (system/vl.c, `keyval_dashify`).
        Self::Property(MACHINE_TYPE.into(), name.replace('_', "-"))
    }

    /// The type that QEMU must be asked about, if any.
    pub(crate) fn type_name(&self) -> Option<&str> {
        match self {
            Self::Type(name) | Self::Property(name, _) => Some(name),
            Self::AtLeast(_) | Self::Before(_) => None,
        }
    }
}

impl TryFrom<String> for Requirement {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let malformed = || {
            format!("{text:?}: expected TYPE, TYPE.PROPERTY, machine.OPTION, `qemu >= 8.2` or `qemu < 11`")
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["qemu", ">=", release] => Ok(Self::AtLeast(Release::parse(release).ok_or_else(malformed)?)),
            ["qemu", "<", release] => Ok(Self::Before(Release::parse(release).ok_or_else(malformed)?)),
            [name] => match name.split_once('.') {
                Some(("", _) | (_, "")) => Err(malformed()),
                Some(("machine", option)) => Ok(Self::machine_option(option)),
                Some((name, property)) => Ok(Self::Property(name.into(), property.into())),
                None => Ok(Self::Type(name.into())),
            },
            _ => Err(malformed()),
        }
    }
}

impl Release {
    /// `8`, `8.2`, `8.2.1`
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '.').map(|number| number.parse().ok());
        let major = numbers.next()??;
        let [minor, micro] = [numbers.next(), numbers.next()].map(|number| number.unwrap_or(Some(0)));
        Some(Self { major, minor: minor?, micro: micro? })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.micro > 0 { write!(f, ".{}", self.micro) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Requirement, String> {
        Requirement::try_from(text.to_owned())
    }

    fn property(name: &str, property: &str) -> Requirement {
        Requirement::Property(name.into(), property.into())
    }

    #[test]
    fn each_form_is_read_and_others_are_refused() {
        assert_eq!(parse("igb"), Ok(Requirement::Type("igb".into())));
        assert_eq!(parse("nvme.atomic.dn"), Ok(property("nvme", "atomic.dn")));
        assert_eq!(
            parse("machine.default_bus_bypass_iommu"),
            Ok(property(MACHINE_TYPE, "default-bus-bypass-iommu"))
        );
        assert_eq!(parse("qemu >= 8.2"), Ok(Requirement::AtLeast(Release { major: 8, minor: 2, micro: 0 })));
        let with_fixes = Release { major: 8, minor: 2, micro: 13 };
        assert_eq!(parse("qemu >= 8.2.13"), Ok(Requirement::AtLeast(with_fixes)));
        assert_eq!(parse("qemu < 11"), Ok(Requirement::Before(Release { major: 11, minor: 0, micro: 0 })));
        for text in ["", "qemu", "qemu = 8", "qemu >= new", ".x", "x.", "a b"] {
            let is_type = text == "qemu";
            assert_eq!(parse(text).is_ok(), is_type, "{text}");
        }
    }

    #[test]
    fn arguments_name_what_the_machine_needs() {
        let words = "-device igb,id=n,bus=rp1,mac=1,ports[0]=n2 -object iommufd,id=f -accel tcg,thread=multi \
                     -global virtio-mmio.force-legacy=false -device driver=edu";
        let machine = Machine {
            options: vec!["gic-version=3,highmem_ecam=off".into(), "accel=tcg".into()],
            cpu: Some("max,pauth=off".into()),
            devices: words.split_whitespace().map(String::from).collect(),
            ..Machine::default()
        };
        let named = |name: &str| Requirement::Type(name.into());
        assert_eq!(
            Requirement::of_machine(&machine),
            [
                property(MACHINE_TYPE, "gic-version"),
                property(MACHINE_TYPE, "highmem-ecam"),
                named("max-arm-cpu"),
                named("igb"),
                property("igb", "mac"),
                named("iommufd"),
                property("virtio-mmio", "force-legacy"),
                named("edu"),
            ]
        );
    }
}
