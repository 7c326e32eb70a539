//! The cost of 4,096 functions: accesses to config space, and calls of the core to others. Counted, not timed.

extern crate std;

use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::eprintln;
use std::rc::Rc;
use std::string::{String, ToString};
use std::vec::Vec;

use addr::{EndpointId, Iova, PhysAddr, Range, RequesterId};
use probe::{
    Accepted, BindError, Core, DmaClaim, DomainHandle, DomainKind, Driver, FirmwareMap, FwNode, Grouping,
    InputIds, IommuOps, MapError, NewDevice, Prot, Provides, Reference, Refusal, Translation, Unit,
    Untranslated,
};

use super::model::{Model, On, virt_root};
use crate::{EnumerationPolicy, FunctionKind, PciBus, Topology, enable_acs, enumerate_with};

/// The nodes of the host bridge and of the IOMMU, which is function 00:00.0.
const HOST_BRIDGE: FwNode = FwNode(1);
const IOMMU: FwNode = FwNode(2);

/// The number of calls of bus, map and IOMMU.
#[derive(Clone, Default)]
struct Count(Rc<Cell<usize>>);

impl Count {
    fn one<T>(&self, answer: T) -> T {
        self.0.set(self.0.get() + 1);
        answer
    }
}

struct CountedBus(PciBus, Count);

impl probe::Bus for CountedBus {
    fn name(&self) -> &'static str {
        "pci"
    }

    fn input_ids(&self, unit: Unit) -> InputIds {
        self.1.one(self.0.input_ids(unit))
    }

    fn firmware_parent(&self, unit: Unit) -> Option<FwNode> {
        self.1.one(self.0.firmware_parent(unit))
    }

    fn grouping(&self, unit: Unit) -> Grouping {
        self.1.one(self.0.grouping(unit))
    }

    fn is_untrusted(&self, unit: Unit) -> bool {
        self.1.one(self.0.is_untrusted(unit))
    }
}

/// A map from every requester ID except the IOMMU's to the endpoint with the same number.
struct CountedMap(Count);

impl FirmwareMap for CountedMap {
    fn translate(&self, _: FwNode, ids: &InputIds) -> Result<Translation, MapError> {
        let InputIds::Requesters(ids) = ids else { panic!("PCI has requester IDs") };
        if ids.contains(&RequesterId(0)) {
            return self.0.one(Ok(Translation::Nowhere(Untranslated::NotInMap)));
        }
        let reference = |RequesterId(id): &RequesterId| Reference {
            iommu: IOMMU,
            endpoint: EndpointId((*id).into()),
            input: Some(RequesterId(*id)),
            source: "model",
        };
        self.0.one(Ok(Translation::Endpoints(ids.iter().map(reference).collect())))
    }

    fn name(&self, node: FwNode) -> String {
        node.0.to_string()
    }
}

struct CountedIommu(Count, u32);

impl IommuOps for CountedIommu {
    fn probe_device(&mut self, endpoints: &[EndpointId]) -> Result<Accepted, Refusal> {
        self.0.one(Ok(Accepted { endpoints: endpoints.to_vec(), ..Accepted::default() }))
    }

    fn alloc_domain(&mut self, _: DomainKind) -> Result<DomainHandle, Refusal> {
        self.1 += 1;
        self.0.one(Ok(DomainHandle(self.1)))
    }

    fn free_domain(&mut self, _: DomainHandle) {}

    fn attach(&mut self, _: DomainHandle, _: EndpointId) -> Result<(), Refusal> {
        self.0.one(Ok(()))
    }

    fn detach(&mut self, _: DomainHandle, _: EndpointId) -> Result<(), Refusal> {
        self.0.one(Ok(()))
    }

    fn map(&mut self, _: DomainHandle, _: Range<Iova>, _: PhysAddr, _: Prot) -> Result<(), Refusal> {
        self.0.one(Ok(()))
    }

    fn unmap(&mut self, _: DomainHandle, _: Range<Iova>) -> Result<(), Refusal> {
        self.0.one(Ok(()))
    }

    fn deferred_flush(&self) -> bool {
        true
    }

    fn aperture(&self) -> Range<Iova> {
        Range::new(Iova(0), Iova(u64::MAX)).expect("0 is not above the last address")
    }

    fn granule(&self) -> u64 {
        0x1000
    }
}

/// A driver for the IOMMU, or for everything else.
struct CountedDriver(Count, bool);

impl Driver<Unit> for CountedDriver {
    fn name(&self) -> &'static str {
        if self.1 { "iommu" } else { "client" }
    }

    fn matches(&self, unit: &Unit) -> bool {
        self.0.one((unit.0 == 0) == self.1)
    }

    fn bind(&mut self, _: &Unit, _: DmaClaim) -> Result<Provides, BindError> {
        let ops = || Rc::new(RefCell::new(CountedIommu(self.0.clone(), 0)));
        self.0.one(Ok(if self.1 { Provides::Iommu(ops()) } else { Provides::Nothing }))
    }
}

/// The numbers of functions, accesses to config space, and calls of the core.
fn cost(model: &mut Model, policy: &EnumerationPolicy) -> [usize; 3] {
    let mut topology = enumerate_with(model, &[virt_root()], policy);
    enable_acs(model, &mut topology);
    let functions = topology.functions().len();
    [functions, model.reads.get() + model.writes, asked(topology)]
}

/// The driver of the IOMMU comes last: all devices are added and wait, and one replay groups them.
fn asked(topology: Topology) -> usize {
    let count = Count::default();
    let mut core = Core::fixed(probe::DomainPolicy::default(), Box::new(CountedMap(count.clone())));
    let names: Vec<String> =
        topology.functions().iter().map(|function| function.address.to_string()).collect();
    let groups = topology.isolation_classes().into_iter().enumerate();
    let groups = groups.filter(|(index, class)| class.leader.place() == *index).count();
    let bus = PciBus::new(topology, Vec::from([HOST_BRIDGE]));
    let bus = core.add_bus(Box::new(CountedBus(bus, count.clone())));
    for (index, name) in names.into_iter().enumerate() {
        let unit = Unit(index as u32);
        let node = (index == 0).then_some(IOMMU);
        core.add_device(bus, NewDevice { unit, name, node, enabled: true, handle: unit });
    }
    for is_iommu in [false, true] {
        core.register_driver(Box::new(CountedDriver(count.clone(), is_iommu)));
    }
    core.settle();
    // All except the IOMMU.
    assert_eq!(core.groups().count(), groups - 1);
    assert!(core.devices().filter(|device| device.driver().is_some()).count() == core.devices().count());
    count.0.get() + core.take_events().len()
}

/// `count` root ports with 256 functions behind each.
fn machine(count: u8, fill: impl Fn(&mut Model, usize)) -> Model {
    let mut model = Model::virt();
    for number in 0..count {
        let port = model.root_port(On::Root(0), 1 + number);
        fill(&mut model, port);
    }
    model
}

/// A bridge with a full conventional bus: a single group.
fn conventional(model: &mut Model, port: usize) {
    let bridge = model.bridge(On::Behind(port), 0, 0, FunctionKind::PcieToPciBridge);
    for place in 0..=255u8 {
        model.device(On::Behind(bridge), place >> 3, place & 7, FunctionKind::Conventional);
    }
}

/// A device with a chain of 256 ARI functions, eight in each group.
fn chain(model: &mut Model, port: usize) {
    model.cards[port].can_forward_ari();
    for place in 0..=255u8 {
        let card = model.device(On::Behind(port), place >> 3, place & 7, FunctionKind::Endpoint);
        model.cards[card].ari(place.wrapping_add(1));
    }
}

/// A function with 255 virtual functions.
fn physical(model: &mut Model, port: usize) {
    let card = model.device(On::Behind(port), 0, 0, FunctionKind::Endpoint);
    model.physical(card, 255, 1, 1);
}

#[test]
fn cost_of_4096_functions_grows_linearly() {
    for (name, fill, virtual_functions) in [
        ("conventional", &conventional as &dyn Fn(&mut Model, usize), 0),
        ("ARI", &chain, 0),
        ("virtual", &physical, 255),
    ] {
        let policy = EnumerationPolicy { virtual_functions, ..EnumerationPolicy::default() };
        let [few, many] = [4, 16].map(|count| {
            let [functions, accesses, asked] = cost(&mut machine(count, fill), &policy);
            let each = [accesses, asked].map(|cost| cost as f64 / functions as f64);
            eprintln!(
                "{name}: {functions} functions, {accesses} accesses to config space, {asked} questions and events of \
                 the core ({:.1} and {:.1} a function)",
                each[0], each[1]
            );
            assert!(functions > 256 * usize::from(count));
            each
        });
        for (few, many) in few.into_iter().zip(many) {
            assert!(many < 1.1 * few, "{name}: {few:.1} a function, then {many:.1}");
        }
    }
}
