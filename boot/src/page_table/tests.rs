//! Tables in a pool that the test owns; addresses are those that the pool pretends to have.

extern crate std;

use std::string::ToString;
use std::vec::Vec;

use super::*;

const POOL_BASE: PhysAddr = PhysAddr(0x4030_0000);
const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

struct Pool {
    tables: Vec<Table>,
    used: AtomicUsize,
}

impl Pool {
    fn new(frames: usize) -> Self {
        let tables: Vec<Table> = (0..frames).map(|_| Table::new()).collect();
        // Unused frames may contain anything.
        for entry in tables.iter().flat_map(|table| &table.0) {
            entry.store(0xdead_beef_dead_beef, Ordering::Relaxed);
        }
        Self { tables, used: AtomicUsize::new(0) }
    }

    fn space(&self) -> AddressSpace<'_> {
        AddressSpace::new(&self.tables, POOL_BASE, &self.used, 44)
    }

    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

fn bytes(start: u64, size: u64) -> Range<PhysAddr> {
    Range::from_size(PhysAddr(start), size).unwrap()
}

fn kinds_at(space: &AddressSpace<'_>, addresses: &[u64]) -> Vec<Option<Kind>> {
    addresses.iter().map(|address| space.lookup(PhysAddr(*address))).collect()
}

#[test]
fn exactly_the_pages_that_a_range_touches_are_mapped() {
    let pool = Pool::new(8);
    let space = pool.space();
    space.map(bytes(0x0900_0ffc, 8), Kind::Device).unwrap();
    assert_eq!(
        kinds_at(&space, &[0x08ff_ffff, 0x0900_0000, 0x0900_1fff, 0x0900_2000]),
        [None, Some(Kind::Device), Some(Kind::Device), None]
    );
}

#[test]
fn large_aligned_ranges_need_few_tables() {
    let pool = Pool::new(3);
    let space = pool.space();
    // Two whole GiB, and 128 MiB of the next: root, its table, and one table of 2 MiB blocks.
    space.map(bytes(GIB, 2 * GIB + 128 * MIB), Kind::Normal).unwrap();
    assert_eq!(pool.used(), 3);
    assert_eq!(
        kinds_at(&space, &[GIB - 1, GIB, 3 * GIB + 128 * MIB - 1, 3 * GIB + 128 * MIB]),
        [None, Some(Kind::Normal), Some(Kind::Normal), None]
    );
}

#[test]
fn a_range_may_cross_every_kind_of_boundary() {
    let pool = Pool::new(16);
    let space = pool.space();
    let (start, end) = (512 * GIB - 3 * PAGE_SIZE, 513 * GIB + 2 * MIB + PAGE_SIZE);
    space.map(bytes(start, end - start), Kind::Device).unwrap();
    let inside = [start, 512 * GIB - 1, 512 * GIB, 513 * GIB, 513 * GIB + 2 * MIB, end - 1];
    assert!(inside.iter().all(|at| space.lookup(PhysAddr(*at)) == Some(Kind::Device)));
    assert_eq!(kinds_at(&space, &[start - 1, end]), [None, None]);
}

#[test]
fn mapping_the_same_again_changes_nothing() {
    let pool = Pool::new(4);
    let space = pool.space();
    space.map(bytes(0x0a00_0000, 0x200), Kind::Device).unwrap();
    let used = pool.used();
    space.map(bytes(0x0a00_0200, 0x200), Kind::Device).unwrap();
    assert_eq!(pool.used(), used);
}

#[test]
fn memory_over_the_image_leaves_its_code_constants_and_guards_alone() {
    let pool = Pool::new(8);
    let space = pool.space();
    let image = GIB + 2 * MIB;
    space.map(bytes(image, PAGE_SIZE), Kind::Code).unwrap();
    space.map(bytes(image + PAGE_SIZE, PAGE_SIZE), Kind::Constants).unwrap();
    space.map(bytes(image + 2 * PAGE_SIZE, PAGE_SIZE), Kind::Guard).unwrap();
    space.map(bytes(GIB, GIB), Kind::Normal).unwrap();
    assert_eq!(
        kinds_at(
            &space,
            &[GIB, image, image + PAGE_SIZE, image + 2 * PAGE_SIZE, image + 3 * PAGE_SIZE, 2 * GIB - 1]
        ),
        [
            Some(Kind::Normal),
            Some(Kind::Code),
            Some(Kind::Constants),
            None,
            Some(Kind::Normal),
            Some(Kind::Normal)
        ]
    );
}

#[test]
fn memory_cannot_be_mapped_as_device_registers() {
    let pool = Pool::new(8);
    let space = pool.space();
    space.map(bytes(GIB, 128 * MIB), Kind::Normal).unwrap();
    let error = space.map(bytes(GIB - PAGE_SIZE, 2 * PAGE_SIZE), Kind::Device).unwrap_err();
    assert_eq!(error, MapError::MappedOtherwise { address: PhysAddr(GIB), wanted: Kind::Device });
    space.map(bytes(0x0900_0000, PAGE_SIZE), Kind::Device).unwrap();
    let error = space.map(bytes(0x0900_0000, 4), Kind::Normal).unwrap_err();
    assert_eq!(
        error.to_string(),
        "0x9000000 cannot be mapped as memory: it is already mapped as something else"
    );
}

#[test]
fn device_registers_cannot_be_mapped_over_a_guard() {
    let pool = Pool::new(8);
    let space = pool.space();
    space.map(bytes(0, 2 * MIB), Kind::Guard).unwrap();
    assert!(space.map(bytes(0x1000, 0x1000), Kind::Device).is_err());
    assert_eq!(space.lookup(PhysAddr(0x1000)), None);
}

#[test]
fn the_last_table_is_used_and_then_the_bound_is_named() {
    let pool = Pool::new(4);
    let space = pool.space();
    space.map(bytes(GIB, PAGE_SIZE), Kind::Device).unwrap();
    assert_eq!(pool.used(), 4);
    let range = bytes(2 * GIB, PAGE_SIZE);
    assert_eq!(space.map(range, Kind::Device), Err(MapError::OutOfTables { range, limit: 4 }));
    // The earlier mappings are unchanged.
    assert_eq!(space.lookup(PhysAddr(GIB)), Some(Kind::Device));
}

#[test]
fn an_empty_pool_is_an_error() {
    let pool = Pool::new(0);
    assert!(matches!(
        pool.space().map(bytes(0, 1), Kind::Device),
        Err(MapError::OutOfTables { limit: 0, .. })
    ));
    assert_eq!(pool.space().lookup(PhysAddr(0)), None);
}

#[test]
fn the_physical_address_space_ends_where_the_cpu_reports() {
    let pool = Pool::new(8);
    let space = pool.space();
    let last_page = (1 << 44) - PAGE_SIZE;
    space.map(bytes(last_page, PAGE_SIZE), Kind::Device).unwrap();
    assert_eq!(space.lookup(PhysAddr((1 << 44) - 1)), Some(Kind::Device));
    let range = bytes(last_page, PAGE_SIZE + 1);
    let error = space.map(range, Kind::Device).unwrap_err();
    assert_eq!(error, MapError::BeyondAddressSpace { range, bits: 44 });
    let everything = Range::new(PhysAddr(0), PhysAddr(u64::MAX)).unwrap();
    assert!(space.map(everything, Kind::Device).is_err());
}

#[test]
fn a_cpu_with_52_bits_still_has_tables_for_48() {
    let pool = Pool::new(8);
    let space = AddressSpace::new(&pool.tables, POOL_BASE, &pool.used, 52);
    assert!(space.map(bytes(1 << 48, PAGE_SIZE), Kind::Device).is_err());
    space.map(bytes((1 << 48) - PAGE_SIZE, PAGE_SIZE), Kind::Device).unwrap();
}

#[test]
fn only_code_can_be_executed_and_it_cannot_be_written() {
    for kind in [Kind::Normal, Kind::Device, Kind::Constants] {
        assert_ne!(kind.attributes() & NOT_EXECUTABLE_EL1, 0, "{kind}");
    }
    assert_eq!(Kind::Code.attributes() & NOT_EXECUTABLE_EL1, 0);
    assert_ne!(Kind::Code.attributes() & READ_ONLY, 0);
    assert_ne!(Kind::Constants.attributes() & READ_ONLY, 0);
}
