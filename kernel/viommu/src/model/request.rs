//! What the specification requires of each request (virtio 1.2, section 5.13.6), and what it forbids the
//! driver.

use super::device::{Device, DomainState, INVAL, NOENT, OK, RANGE, UNSUPP};

impl Device {
    /// Executes a request and returns the status; `properties` is the part before the tail.
    pub(crate) fn execute(&mut self, request: &[u8], properties: &mut [u8]) -> u8 {
        let word = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap());
        let double = |at: usize| u64::from_le_bytes(request[at..at + 8].try_into().unwrap());
        let zero = |at: usize| assert!(request[at..].iter().all(|byte| *byte == 0), "reserved is 0");
        assert_eq!(request[1..4], [0; 3], "reserved is 0");
        match (request[0], request.len()) {
            (1, 20) => {
                zero(16);
                self.attach(word(4), word(8), word(12))
            }
            (2, 20) => {
                zero(12);
                self.detach(word(4), word(8))
            }
            (3, 36) => self.map(word(4), (double(8), double(16)), double(24), word(32)),
            (4, 28) => {
                zero(24);
                self.unmap(word(4), double(8), double(16))
            }
            (5, 72) => {
                assert!(self.accepted & 1 << 4 != 0, "PROBE only with the feature");
                zero(8);
                assert_eq!(
                    properties.len(),
                    u32::from_le_bytes(self.config[32..36].try_into().unwrap()) as usize
                );
                let endpoint = word(4);
                if !self.endpoints.contains(&endpoint) {
                    return NOENT;
                }
                let list = self.properties.get(&endpoint).cloned().unwrap_or_default();
                properties[..list.len()].copy_from_slice(&list);
                OK
            }
            other => panic!("no such request: {other:?}"),
        }
    }

    fn attach(&mut self, domain: u32, endpoint: u32, flags: u32) -> u8 {
        let bypass = flags & 1 != 0;
        assert!(flags & !1 == 0 && (!bypass || self.accepted & 1 << 6 != 0), "flags {flags:#x}");
        let first = u32::from_le_bytes(self.config[24..28].try_into().unwrap());
        let last = u32::from_le_bytes(self.config[28..32].try_into().unwrap());
        assert!((first..=last).contains(&domain), "domain {domain} is in {first}..={last}");
        if !self.endpoints.contains(&endpoint) {
            return NOENT;
        }
        if self.domains.get(&domain).is_some_and(|state| state.bypass != bypass) {
            return INVAL;
        }
        if self.attached.contains_key(&endpoint) {
            if self.does_not_move {
                return UNSUPP;
            }
            self.take_out(endpoint);
        }
        self.domains.entry(domain).or_insert(DomainState { bypass, ..DomainState::default() });
        self.attached.insert(endpoint, domain);
        OK
    }

    fn take_out(&mut self, endpoint: u32) {
        let domain = self.attached.remove(&endpoint).unwrap();
        if !self.attached.values().any(|other| *other == domain) {
            self.domains.remove(&domain);
        }
    }

    fn detach(&mut self, domain: u32, endpoint: u32) -> u8 {
        if !self.endpoints.contains(&endpoint) {
            return NOENT;
        }
        if self.attached.get(&endpoint) != Some(&domain) {
            return INVAL;
        }
        self.take_out(endpoint);
        OK
    }

    fn map(&mut self, domain: u32, (start, end): (u64, u64), phys: u64, flags: u32) -> u8 {
        let granule = 1u64 << self.u64_at(0).trailing_zeros();
        assert!(end > start && flags & 3 != 0 && flags & !7 == 0, "MAP {start:#x} {end:#x} {flags:#x}");
        assert!(flags & 4 == 0 || self.accepted & 1 << 5 != 0, "the MMIO flag only with the feature");
        assert!((start | phys | end.wrapping_add(1)) & (granule - 1) == 0, "MAP is aligned");
        let aperture = if self.accepted & 1 != 0 { (self.u64_at(8), self.u64_at(16)) } else { (0, u64::MAX) };
        assert!(aperture.0 <= start && end <= aperture.1, "MAP stays inside the aperture");
        let members = self.attached.iter().filter(|(_, home)| **home == domain).map(|(endpoint, _)| endpoint);
        for endpoint in members {
            for (first, last) in self.reserved.get(endpoint).into_iter().flatten() {
                assert!(end < *first || *last < start, "MAP stays clear of reserved regions");
            }
        }
        let Some(state) = self.domains.get_mut(&domain) else { return NOENT };
        if state.bypass || state.mappings.iter().any(|(first, (last, ..))| start <= *last && *first <= end) {
            return INVAL;
        }
        state.mappings.insert(start, (end, phys, flags));
        OK
    }

    fn unmap(&mut self, domain: u32, start: u64, end: u64) -> u8 {
        let Some(state) = self.domains.get_mut(&domain) else { return NOENT };
        if state.bypass {
            return INVAL;
        }
        let touched = |first: u64, last: u64| start <= last && first <= end;
        if state
            .mappings
            .iter()
            .any(|(first, (last, ..))| touched(*first, *last) && !(start <= *first && *last <= end))
        {
            return RANGE;
        }
        state.mappings.retain(|first, (last, ..)| !touched(*first, *last));
        OK
    }
}
