//! Loads and stores of general-purpose registers: the register changes needed to continue after an
//! access that no device answered.
//!
//! Only the forms that a compiler generates for an access to a device's register are supported: one
//! register, or a pair, at a register with an offset, with or without write-back, ordered or not.
//! Vector registers, exclusive and atomic accesses are not supported.
//!
//! Arm ARM (DDI 0487J.a), C4.1.94, "Loads and Stores".

/// A load or a store, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadStore {
    /// The registers that a load fills; none for a store.
    loaded: [Option<Loaded>; 2],
    /// The base register and what is added to it, if the instruction changes it.
    write_back: Option<(usize, i64)>,
}

/// A register that a load fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loaded {
    /// 0 to 30, or 31 for the zero register.
    register: usize,
    /// Its value if every bit that is read is one.
    all_ones: u64,
}

/// The register number that stands for zero, or for the stack pointer in a base.
const NO_REGISTER: usize = 31;

impl LoadStore {
    /// Decodes `instruction`; `None` if the form is not supported, or if its base is the stack
    /// pointer and changes.
    pub(crate) fn decode(instruction: u32) -> Option<Self> {
        let bits = |high: u32, low: u32| instruction >> low & ((1 << (high - low + 1)) - 1);
        let register = |low: u32| bits(low + 4, low) as usize;
        let is_load = bits(22, 22) == 1;
        let size = bits(31, 30);
        // Bits 29 to 24 select the form; bit 26, vector registers, is 0 in all of these.
        match bits(29, 24) {
            // One register, unsigned offset.
            0b11_1001 => Self::single(size, bits(23, 22), register(0), None),
            0b11_1000 => {
                let base = register(5);
                let offset = i64::from((bits(20, 12) as i32) << 23 >> 23);
                let write_back = match (bits(21, 21), bits(11, 10)) {
                    // Unscaled offset, and the same without privilege.
                    (0, 0b00 | 0b10) => None,
                    // After the access, and before it.
                    (0, _) => Some((base, offset)),
                    // A register as offset.
                    (_, 0b10) => None,
                    _ => return None,
                };
                Self::single(size, bits(23, 22), register(0), write_back)
            }
            // Ordered: LDAR, LDLAR, STLR, STLLR. Bit 21 and the two unused registers distinguish
            // them from the others.
            0b00_1000 if bits(23, 23) == 1 && bits(21, 16) == 0b01_1111 && bits(14, 10) == 0b1_1111 => {
                Self::single(size, u32::from(is_load), register(0), None)
            }
            // A pair: bits 25 to 23 are the form, and bit 24 is one of them.
            0b10_1000 | 0b10_1001 => {
                let (scale, all_ones) = match size {
                    0b00 => (2, u64::from(u32::MAX)),
                    0b01 if is_load => (2, u64::MAX),
                    0b10 => (3, u64::MAX),
                    _ => return None,
                };
                let offset = i64::from((bits(21, 15) as i32) << 25 >> 25) << scale;
                let changes_base = bits(23, 23) == 1;
                let loaded = |low| is_load.then_some(Loaded { register: register(low), all_ones });
                Self {
                    loaded: [loaded(0), loaded(10)],
                    write_back: changes_base.then_some((register(5), offset)),
                }
                .checked()
            }
            _ => None,
        }
    }

    /// One register of `1 << size` bytes; `kind` is store, load, or load with its sign extended to 64 or 32 bits.
    fn single(size: u32, kind: u32, register: usize, write_back: Option<(usize, i64)>) -> Option<Self> {
        let all_ones = match (kind, size) {
            (0b00, _) => None,
            (0b01, _) => Some(u64::MAX >> (64 - (8 << size))),
            (0b10, 0..=2) => Some(u64::MAX),
            (0b11, 0..=1) => Some(u64::from(u32::MAX)),
            _ => return None,
        };
        let loaded = all_ones.map(|all_ones| Loaded { register, all_ones });
        Self { loaded: [loaded, None], write_back }.checked()
    }

    fn checked(self) -> Option<Self> {
        self.write_back.is_none_or(|(base, _)| base != NO_REGISTER).then_some(self)
    }

    /// Changes `x`, registers x0 to x30, as the instruction does when a device answers with all
    /// ones.
    pub(crate) fn answer_all_ones(&self, x: &mut [u64; 31]) {
        if let Some((base, offset)) = self.write_back {
            x[base] = x[base].wrapping_add_signed(offset);
        }
        for Loaded { register, all_ones } in self.loaded.into_iter().flatten() {
            if let Some(target) = x.get_mut(register) {
                *target = all_ones;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use super::LoadStore;

    /// The registers that `instruction` changes when every bit that it reads is one; each register
    /// contained its number before.
    fn changed(instruction: u32) -> Option<Vec<(usize, u64)>> {
        let before: [u64; 31] = core::array::from_fn(|number| number as u64);
        let mut after = before;
        LoadStore::decode(instruction)?.answer_all_ones(&mut after);
        Some((0..31).filter(|n| before[*n] != after[*n]).map(|n| (n, after[n])).collect())
    }

    const WORD: u64 = u32::MAX as u64;

    /// Words as llvm-mc 14 assembles them.
    #[test]
    fn a_load_fills_as_many_bits_as_it_reads() {
        for (instruction, register, value) in [
            (0x3940_0020, 0, 0xff),     // ldrb w0, [x1]
            (0x3940_4822, 2, 0xff),     // ldrb w2, [x1, #18]
            (0x7940_0020, 0, 0xffff),   // ldrh w0, [x1]
            (0xb940_0020, 0, WORD),     // ldr w0, [x1]
            (0xf940_0020, 0, u64::MAX), // ldr x0, [x1]
            (0xb840_3020, 0, WORD),     // ldur w0, [x1, #3]
            (0xb862_6820, 0, WORD),     // ldr w0, [x1, x2]
            (0xb862_5820, 0, WORD),     // ldr w0, [x1, w2, uxtw #2]
            (0x3980_0020, 0, u64::MAX), // ldrsb x0, [x1]
            (0x39c0_0020, 0, WORD),     // ldrsb w0, [x1]
            (0x79c0_0020, 0, WORD),     // ldrsh w0, [x1]
            (0xb980_0020, 0, u64::MAX), // ldrsw x0, [x1]
            (0x08df_fc20, 0, 0xff),     // ldarb w0, [x1]
            (0x88df_fc20, 0, WORD),     // ldar w0, [x1]
            (0xc8df_fc20, 0, u64::MAX), // ldar x0, [x1]
        ] {
            assert_eq!(changed(instruction), Some(vec![(register, value)]), "{instruction:#x}");
        }
    }

    #[test]
    fn a_store_changes_nothing_but_a_base_that_is_written_back() {
        for (instruction, change) in [
            (0x3900_0020, vec![]),                  // strb w0, [x1]
            (0xb900_0020, vec![]),                  // str w0, [x1]
            (0xf900_001f, vec![]),                  // str xzr, [x0]
            (0xb822_6820, vec![]),                  // str w0, [x1, x2]
            (0x889f_fc20, vec![]),                  // stlr w0, [x1]
            (0x2900_0820, vec![]),                  // stp w0, w2, [x1]
            (0xb800_4420, vec![(1, 5)]),            // str w0, [x1], #4
            (0xb81f_cc20, vec![(1, u64::MAX - 2)]), // str w0, [x1, #-4]!
            (0x2881_0820, vec![(1, 9)]),            // stp w0, w2, [x1], #8
        ] {
            assert_eq!(changed(instruction), Some(change), "{instruction:#x}");
        }
    }

    #[test]
    fn a_load_with_write_back_changes_both_registers() {
        assert_eq!(changed(0xb840_4420), Some(vec![(0, WORD), (1, 5)])); // ldr w0, [x1], #4
        assert_eq!(changed(0xb840_4c20), Some(vec![(0, WORD), (1, 5)])); // ldr w0, [x1, #4]!
        assert_eq!(changed(0x28c1_0820), Some(vec![(0, WORD), (1, 9), (2, WORD)])); // ldp w0, w2, [x1], #8
    }

    #[test]
    fn pairs_fill_two_registers() {
        assert_eq!(changed(0x2940_0820), Some(vec![(0, WORD), (2, WORD)])); // ldp w0, w2, [x1]
        assert_eq!(changed(0xa940_0820), Some(vec![(0, u64::MAX), (2, u64::MAX)])); // ldp x0, x2, [x1]
        assert_eq!(changed(0x6940_0820), Some(vec![(0, u64::MAX), (2, u64::MAX)])); // ldpsw x0, x2, [x1]
        assert_eq!(changed(0xb940_003f), Some(vec![])); // ldr wzr, [x1]
    }

    #[test]
    fn anything_else_is_refused() {
        for instruction in [
            0xd503_201f, // nop
            0xd65f_03c0, // ret
            0xf980_0020, // prfm pldl1keep, [x1]
            0x885f_7c20, // ldxr w0, [x1]
            0x8802_7c20, // stxr w2, w0, [x1]
            0xb8a2_0020, // ldadda w2, w0, [x1]
            0x3dc0_0020, // ldr q0, [x1]
            0xad40_0420, // ldp q0, q1, [x1]
            0x1800_0000, // ldr w0, . (literal)
            0xb840_47e0, // ldr w0, [sp], #4
            0x0000_0000,
            0xffff_ffff,
        ] {
            assert_eq!(changed(instruction), None, "{instruction:#x}");
        }
    }

    /// Decoding never panics, and every accepted instruction writes within the registers.
    #[test]
    fn every_form_can_be_answered() {
        let mut word = 1_u32;
        for _ in 0..2_000_000 {
            word ^= word << 13;
            word ^= word >> 17;
            word ^= word << 5;
            let _ = changed_only_if_known(word);
        }
    }

    fn changed_only_if_known(instruction: u32) -> Option<()> {
        LoadStore::decode(instruction)?.answer_all_ones(&mut [0; 31]);
        Some(())
    }
}
