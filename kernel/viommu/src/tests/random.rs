//! Random calls, on a device that breaks rules at random: driver and device never disagree.

use core::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::vec;
use std::vec::Vec;

use addr::{EndpointId, Iova, PhysAddr, Range};
use probe::{DomainHandle, DomainKind, IommuOps, Mapping, Prot, Refusal};
use proptest::prelude::*;

use super::properties::resv_mem;
use crate::identity::extents;
use crate::model::{Device, DomainState, Serve, TestViommu, live_pages, reclaim, start};

const PHYS: PhysAddr = PhysAddr(0x4000_0000);

#[derive(Clone, Debug)]
enum Call {
    Create(bool),
    Free(u32),
    Attach(u32, u32),
    Detach(u32, u32),
    Map(u32, u64, u64),
    Unmap(u32, u64, u64),
    MapAll(u32, Vec<(u64, u64)>),
    MapJoined(u32, Vec<(u64, u64)>),
    UnmapAll(u32, Vec<(u64, u64)>),
    Probe(u32),
    Break(Serve),
}

fn call() -> impl Strategy<Value = Call> {
    let domain = 0u32..5;
    let endpoint = 0u32..5;
    let list = proptest::collection::vec((0u64..12, 1u64..3), 1..6);
    // No false statuses: a driver cannot detect a device that answers OK and does nothing, or that
    // denies an endpoint that it has (INVAL, NOENT).
    let serve = prop_oneof![
        6 => prop::sample::select(vec![1u8, 2, 3, 5, 7, 8, 9]).prop_map(Serve::Status),
        3 => (0u32..6).prop_map(Serve::Done),
        3 => prop::sample::select(vec![0u32, 1, 3, 5]).prop_map(Serve::NotDone),
        1 => any::<u8>().prop_map(Serve::Scribble),
        1 => Just(Serve::Late(20)),
        1 => Just(Serve::Well),
    ];
    prop_oneof![
        3 => any::<bool>().prop_map(Call::Create),
        1 => domain.clone().prop_map(Call::Free),
        8 => (domain.clone(), endpoint.clone()).prop_map(|(d, e)| Call::Attach(d, e)),
        3 => (domain.clone(), endpoint.clone()).prop_map(|(d, e)| Call::Detach(d, e)),
        6 => (domain.clone(), 0u64..12, 1u64..4).prop_map(|(d, p, n)| Call::Map(d, p, n)),
        3 => (domain.clone(), list.clone()).prop_map(|(d, l)| Call::MapAll(d, l)),
        3 => (domain.clone(), list.clone()).prop_map(|(d, l)| Call::MapJoined(d, l)),
        3 => (domain.clone(), list).prop_map(|(d, l)| Call::UnmapAll(d, l)),
        3 => (domain, 0u64..12, 1u64..6).prop_map(|(d, p, n)| Call::Unmap(d, p, n)),
        1 => endpoint.prop_map(Call::Probe),
        5 => serve.prop_map(Call::Break),
    ]
}

/// The state expected from the interface: the domain of each endpoint, and the mapped pages.
#[derive(Default)]
struct Naive {
    home: BTreeMap<u32, u32>,
    mapped: BTreeMap<u32, BTreeSet<u64>>,
}

/// The numbers of the pages in a range.
fn numbers(range: Range<Iova>) -> core::ops::RangeInclusive<u64> {
    range.start().0 >> 12..=range.end().0 >> 12
}

/// The numbers of the pages that are mapped in the device.
fn in_device(state: &DomainState) -> BTreeSet<u64> {
    state.mappings.iter().flat_map(|(start, (end, ..))| start >> 12..=end >> 12).collect()
}

fn pages(first: u64, count: u64) -> Range<Iova> {
    Range::from_size(Iova(first << 12), count << 12).unwrap()
}

fn run(viommu: &mut TestViommu<'_>, device: &RefCell<Device>, naive: &mut Naive, call: &Call) {
    let handle = |domain: &u32| DomainHandle(*domain);
    let prot = Prot { read: true, write: true, mmio: false };
    match call {
        Call::Create(paging) => {
            let kind = if *paging { DomainKind::Paging } else { DomainKind::Identity };
            if let Ok(domain) = viommu.alloc_domain(kind) {
                naive.mapped.entry(domain.0).or_default();
            }
        }
        Call::Free(domain) => {
            let remarks = viommu.remarks().len();
            viommu.free_domain(handle(domain));
            if viommu.remarks().len() == remarks && *domain != 0 {
                naive.mapped.remove(domain);
            }
        }
        Call::Attach(domain, endpoint) => {
            let known = device.borrow().endpoints.contains(endpoint);
            if viommu.attach(handle(domain), EndpointId(*endpoint)).is_ok() {
                assert!(known, "only what the device knows is attached");
                naive.home.insert(*endpoint, *domain);
            } else if viommu.domain_of(EndpointId(*endpoint)).is_none() {
                naive.home.remove(endpoint);
            }
        }
        Call::Detach(domain, endpoint) => {
            if viommu.detach(handle(domain), EndpointId(*endpoint)).is_ok() {
                assert_eq!(naive.home.remove(endpoint), Some(*domain));
            } else if viommu.domain_of(EndpointId(*endpoint)).is_none() {
                naive.home.remove(endpoint);
            }
        }
        Call::Map(domain, first, count) => {
            let iova = pages(*first, *count);
            let result = viommu.map(handle(domain), iova, PHYS, prot);
            mapped(naive, *domain, &[(iova, result)]);
        }
        Call::MapAll(domain, list) | Call::MapJoined(domain, list) => {
            let joined = matches!(call, Call::MapJoined(..));
            let phys = |iova: &Range<Iova>| PhysAddr(PHYS.0 + if joined { iova.start().0 } else { 0 });
            let wanted: Vec<_> = list.iter().map(|(first, count)| pages(*first, *count)).collect();
            let batch: Vec<_> =
                wanted.iter().map(|iova| Mapping { iova: *iova, phys: phys(iova), prot }).collect();
            let results = if joined {
                viommu.map_joined(handle(domain), &batch)
            } else {
                viommu.map_all(handle(domain), &batch)
            };
            assert_eq!(results.len(), batch.len());
            mapped(naive, *domain, &wanted.into_iter().zip(results).collect::<Vec<_>>());
        }
        Call::Unmap(domain, first, count) => {
            let iova = pages(*first, *count);
            let result = viommu.unmap(handle(domain), iova);
            unmapped(device, naive, *domain, &[(iova, result)]);
        }
        Call::UnmapAll(domain, list) => {
            let ranges: Vec<_> = list.iter().map(|(first, count)| pages(*first, *count)).collect();
            let results = viommu.unmap_all(handle(domain), &ranges);
            assert_eq!(results.len(), ranges.len());
            unmapped(device, naive, *domain, &ranges.into_iter().zip(results).collect::<Vec<_>>());
        }
        Call::Probe(endpoint) => {
            let _ = viommu.probe_device(&[EndpointId(*endpoint)]);
        }
        Call::Break(serve) => device.borrow_mut().script.push_back(*serve),
    }
}

/// Adds the pages that were mapped: none of them was.
fn mapped(naive: &mut Naive, domain: u32, results: &[(Range<Iova>, Result<(), Refusal>)]) {
    for (iova, result) in results {
        if result.is_ok() {
            let mapped = naive.mapped.get_mut(&domain).expect("a domain that was created");
            numbers(*iova).for_each(|page| assert!(mapped.insert(page), "no overlap"));
        }
    }
}

/// Removes the pages that were unmapped: all in a range without a refusal, and in one with a refusal those
/// that the device does not have any more.
fn unmapped(
    device: &RefCell<Device>,
    naive: &mut Naive,
    domain: u32,
    results: &[(Range<Iova>, Result<(), Refusal>)],
) {
    let Some(mapped) = naive.mapped.get_mut(&domain) else { return };
    for (iova, result) in results {
        if result.is_ok() {
            mapped.retain(|page| !numbers(*iova).contains(page));
        } else if let Some(state) = device.borrow().domains.get(&domain) {
            let present = in_device(state);
            mapped.retain(|page| !numbers(*iova).contains(page) || present.contains(page));
        }
    }
}

fn agree(viommu: &TestViommu<'_>, device: &Device, naive: &Naive) {
    for endpoint in 0..5 {
        let truth = device.attached.get(&endpoint).copied();
        assert_eq!(
            viommu.domain_of(EndpointId(endpoint)).map(|domain| domain.0),
            truth,
            "endpoint {endpoint}"
        );
        assert_eq!(naive.home.get(&endpoint).copied(), truth, "endpoint {endpoint}");
    }
    for (domain, state) in device.domains.iter().filter(|(_, state)| !state.bypass) {
        assert_eq!(in_device(state), naive.mapped[domain], "domain {domain}");
    }
}

fn config() -> ProptestConfig {
    let cases = if cfg!(miri) { 3 } else { 400 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn driver_and_device_agree_after_every_call_or_the_device_is_given_up(
        calls in proptest::collection::vec(call(), 1..80),
        does_not_move: bool,
        reverses: bool,
    ) {
        let before = live_pages();
        let mut model = Device::new(&[0, 1, 2, 3]);
        model.does_not_move = does_not_move;
        model.reverses = reverses;
        // PROBE must come first: reserved regions are known before an endpoint is attached.
        model.properties.insert(3, resv_mem(0, 0x5000, 0x5fff));
        model.reserved.insert(3, [(0x5000, 0x5fff)].into());
        let device = RefCell::new(model);
        let mut viommu = start(&device).unwrap();
        viommu.probe_device(&[EndpointId(3)]).unwrap();
        let mut naive = Naive::default();
        for call in &calls {
            // A refused PROBE makes the driver forget the regions; this endpoint keeps them.
            if !matches!(call, Call::Probe(3)) {
                run(&mut viommu, &device, &mut naive, call);
            }
            if viommu.is_dead() {
                break;
            }
            agree(&viommu, &device.borrow(), &naive);
        }
        drop(viommu);
        prop_assert_eq!(live_pages(), before);
        reclaim();
    }

    #[test]
    fn identity_extents_cover_exactly_the_whole_granules_outside_of_the_holes(
        aperture in (0u64..4096, 0u64..4096),
        holes in proptest::collection::vec((0u64..4200, 0u64..300), 0..6),
        shift in 0u32..7,
        top: bool,
    ) {
        // At the bottom or at the very top of the address space.
        let base = if top { u64::MAX - 4095 } else { 0 };
        let range = |(start, length): (u64, u64)| {
            let last = base.saturating_add(start).saturating_add(length);
            Range::new(Iova(base.saturating_add(start)), Iova(last)).unwrap()
        };
        let (low, high) = (aperture.0.min(aperture.1), aperture.0.max(aperture.1));
        let aperture = range((low, high - low));
        let holes: Vec<_> = holes.into_iter().map(range).collect();
        let granule = 1u64 << shift;
        let found = extents(aperture, holes.iter().copied(), granule);
        prop_assert!(found.windows(2).all(|pair| pair[0].end() < pair[1].start()));
        for offset in (0..4096).step_by(granule as usize) {
            let cell = Range::from_size(Iova(base + offset), granule).unwrap();
            let wanted = aperture.encloses(&cell) && holes.iter().all(|hole| !hole.overlaps(&cell));
            let inside = found.iter().filter(|extent| extent.encloses(&cell)).count();
            let touched = found.iter().filter(|extent| extent.overlaps(&cell)).count();
            prop_assert_eq!((inside, touched), (usize::from(wanted), usize::from(wanted)));
        }
    }

    #[test]
    fn any_bytes_are_a_property_list_or_remarks(list in proptest::collection::vec(any::<u8>(), 0..600)) {
        let properties = crate::property::parse(&list);
        prop_assert!(properties.reserved.len() + properties.remarks.len() <= list.len() / 4 + 1);
    }
}
