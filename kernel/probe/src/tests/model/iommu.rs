//! The model's IOMMU: it remembers what was asked of it, and refuses what a test tells it to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use addr::{EndpointId, Iova, PhysAddr, Range};

use crate::{Accepted, DomainHandle, DomainKind, IommuOps, Prot, Refusal, RefusalCause, ReservedRegion};

/// What one IOMMU has been asked, and how it answers.
#[derive(Debug, Default)]
pub(crate) struct Iommu {
    pub(crate) unknown: BTreeSet<u32>,
    pub(crate) refuse_attach: BTreeSet<u32>,
    /// Addresses at which it makes no mapping.
    pub(crate) refuse_map: BTreeSet<u64>,
    /// All addresses, if none.
    pub(crate) aperture: Option<(u64, u64)>,
    /// 4096 bytes, if none.
    pub(crate) granule: Option<u64>,
    /// It refuses every ATTACH after so many more.
    pub(crate) attaches_left: Option<u32>,
    pub(crate) no_identity: bool,
    pub(crate) no_flush_queue: bool,
    pub(crate) domains: BTreeMap<u32, DomainKind>,
    pub(crate) attached: BTreeMap<u32, u32>,
    pub(crate) mapped: Vec<(u32, Range<Iova>)>,
    pub(crate) reserved: Vec<ReservedRegion>,
    pub(crate) log: Vec<String>,
}

pub(crate) type SharedModel = Rc<RefCell<Iommu>>;

pub(super) struct Ops(pub(super) SharedModel);

fn refusal(cause: RefusalCause, endpoint: EndpointId, what: &str) -> Refusal {
    Refusal { cause, endpoint: Some(endpoint), detail: format!("{what} of endpoint {endpoint}: {cause}") }
}

impl IommuOps for Ops {
    fn probe_device(&mut self, endpoints: &[EndpointId]) -> Result<Accepted, Refusal> {
        let mut this = self.0.borrow_mut();
        this.log.push(format!("probe {endpoints:?}"));
        let mut accepted = Accepted { reserved: this.reserved.clone(), ..Accepted::default() };
        for endpoint in endpoints {
            if this.unknown.contains(&endpoint.0) {
                accepted.refused.push(refusal(RefusalCause::NoEntry, *endpoint, "PROBE"));
            } else {
                accepted.endpoints.push(*endpoint);
            }
        }
        if accepted.endpoints.is_empty() { Err(accepted.refused.remove(0)) } else { Ok(accepted) }
    }

    fn alloc_domain(&mut self, kind: DomainKind) -> Result<DomainHandle, Refusal> {
        let mut this = self.0.borrow_mut();
        if kind == DomainKind::Identity && this.no_identity {
            return Err(Refusal {
                cause: RefusalCause::Unsupported,
                endpoint: None,
                detail: "no identity domains".into(),
            });
        }
        let id = (1..).find(|id| !this.domains.contains_key(id)).expect("numbers do not end");
        this.domains.insert(id, kind);
        Ok(DomainHandle(id))
    }

    fn free_domain(&mut self, domain: DomainHandle) {
        let mut this = self.0.borrow_mut();
        assert!(this.attached.values().all(|on| *on != domain.0), "a domain in use is freed");
        this.domains.remove(&domain.0).expect("a domain is freed once");
    }

    fn attach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        let mut this = self.0.borrow_mut();
        assert!(this.domains.contains_key(&domain.0), "attached to a domain that does not exist");
        let is_out = this.attaches_left == Some(0);
        this.attaches_left = this.attaches_left.map(|left| left.saturating_sub(1));
        if is_out || this.refuse_attach.contains(&endpoint.0) {
            return Err(refusal(RefusalCause::Range, endpoint, "ATTACH"));
        }
        this.attached.insert(endpoint.0, domain.0);
        Ok(())
    }

    fn detach(&mut self, domain: DomainHandle, endpoint: EndpointId) -> Result<(), Refusal> {
        let mut this = self.0.borrow_mut();
        assert_eq!(this.attached.remove(&endpoint.0), Some(domain.0), "detached from where it was");
        Ok(())
    }

    fn map(&mut self, domain: DomainHandle, iova: Range<Iova>, _: PhysAddr, _: Prot) -> Result<(), Refusal> {
        let mut this = self.0.borrow_mut();
        if this.refuse_map.contains(&iova.start().0) {
            let detail = format!("MAP of {iova}");
            return Err(Refusal { cause: RefusalCause::NoMemory, endpoint: None, detail });
        }
        this.mapped.push((domain.0, iova));
        Ok(())
    }

    fn unmap(&mut self, domain: DomainHandle, iova: Range<Iova>) -> Result<(), Refusal> {
        self.0.borrow_mut().mapped.retain(|(on, range)| *on != domain.0 || !iova.encloses(range));
        Ok(())
    }

    fn aperture(&self) -> Range<Iova> {
        let (start, end) = self.0.borrow().aperture.unwrap_or((0, u64::MAX));
        Range::new(Iova(start), Iova(end)).expect("a model's aperture is ordered")
    }

    fn granule(&self) -> u64 {
        self.0.borrow().granule.unwrap_or(4096)
    }

    fn deferred_flush(&self) -> bool {
        !self.0.borrow().no_flush_queue
    }
}
