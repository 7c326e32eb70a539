//! Many PCI functions, as arguments of QEMU.

/// Slots of bus 0 that carry root ports, eight in each: the host bridge has slot 0, the IOMMU slot 1.
const PORT_SLOTS: usize = 30;

/// Functions in one slot (PCI Express Base Specification, 2.2.4.1).
const FUNCTIONS_PER_SLOT: usize = 8;

/// Functions behind bus 0 that a machine can have: each root port is one, and has eight behind it.
pub(crate) const MOST: usize = PORT_SLOTS * FUNCTIONS_PER_SLOT * (1 + FUNCTIONS_PER_SLOT);

/// The arguments of QEMU that make this many functions: root ports on bus 0, each with eight functions behind it.
///
/// `pvpanic-pci` is the function that costs QEMU least. On QEMU 7.2, 512 `virtio-rng-pci` take minutes, and then QEMU
/// aborts because it has no more sections of memory.
pub(super) fn devices(functions: usize) -> Vec<String> {
    let of_port = |port: usize| {
        let (slot, function) = (2 + port / FUNCTIONS_PER_SLOT, port % FUNCTIONS_PER_SLOT);
        let root_port =
            format!("pcie-root-port,id=port{port},chassis={port},addr={slot:x}.{function},multifunction=on");
        let behind = move |function| format!("pvpanic-pci,bus=port{port},addr=0.{function},multifunction=on");
        std::iter::once(root_port).chain((0..FUNCTIONS_PER_SLOT).map(behind))
    };
    let made = (0..).flat_map(of_port).take(functions);
    made.flat_map(|device| ["-device".into(), device]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_as_many_functions_as_were_asked_for() {
        for functions in [1, 9, 10, 32, MOST] {
            assert_eq!(devices(functions).len(), 2 * functions);
        }
        let last = devices(MOST).pop().unwrap();
        assert_eq!(last, "pvpanic-pci,bus=port239,addr=0.7,multifunction=on");
    }
}
