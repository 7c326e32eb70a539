//! Which description of the machine is read: decided here and nowhere else, from what the image was given when it was
//! entered and from what the command line asks for.

/// How the image was entered, and what description it was given there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// By the Linux boot protocol: a device tree in x0, and no firmware.
    LinuxBoot,
    /// By UEFI firmware, with a device tree in the EFI configuration table.
    UefiTree,
    /// By UEFI firmware, with ACPI tables in the EFI configuration table.
    UefiTables,
    /// By UEFI firmware, with neither.
    UefiNothing,
}

/// The two languages of descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A device tree.
    DeviceTree,
    /// ACPI tables.
    Acpi,
}

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked<'a> {
    /// A language (`firmware=`).
    pub language: Option<Language>,
    /// A device tree in a file of the host (`dtb=`).
    pub tree_file: Option<&'a str>,
    /// ACPI tables in files of the host (`tables=`).
    pub table_files: bool,
    /// Bus numbers only after the tables are loaded (`number=late`).
    pub numbers_late: bool,
}

/// Which description is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// A device tree.
    Tree(TreeFrom<'a>),
    /// ACPI tables that QEMU offers through fw_cfg, loaded without firmware; the tree is for what firmware would do.
    FwCfgTables(TreeFrom<'a>),
    /// ACPI tables of UEFI firmware.
    UefiTables,
}

/// Where a device tree comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeFrom<'a> {
    /// It was given at entry.
    Entry,
    /// This file of the host takes the place of what was given at entry.
    HostFile(&'a str),
}

/// What was asked for is not there, or does not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Table files, and no tables that they could be added to.
    #[error("tables=: the machine is described by a device tree")]
    TablesBesideTree,
    /// Late numbers where something else has numbered the buses, or nothing depends on when.
    #[error("number=late: only firmware=acpi takes tables, and could take them too early")]
    LateWithoutTables,
    /// A device tree was asked for, and UEFI firmware gave tables.
    #[error("firmware=dt: the EFI firmware has handed over ACPI tables")]
    NoTreeFromUefi,
    /// Tables were asked for, and UEFI firmware gave a device tree.
    #[error("firmware=acpi: the EFI firmware has handed over a device tree")]
    NoTablesFromUefi,
    /// Tables were asked for, and a device tree in their place.
    #[error("firmware=acpi: dtb= replaces the tables by a device tree")]
    TreeForTables,
    /// UEFI firmware gave nothing.
    #[error("the EFI configuration table has neither a device tree nor ACPI 2.0 tables")]
    NothingFromUefi,
}

impl Entry {
    /// Whether firmware has numbered the buses and placed the BARs.
    #[must_use]
    pub fn is_uefi(self) -> bool {
        self != Self::LinuxBoot
    }

    /// The language of the description that the image was given, or that it was asked to take where there was no
    /// firmware.
    #[must_use]
    pub fn language(self, asked: Option<Language>) -> Language {
        match self {
            Self::LinuxBoot => asked.unwrap_or(Language::DeviceTree),
            Self::UefiTree | Self::UefiNothing => Language::DeviceTree,
            Self::UefiTables => Language::Acpi,
        }
    }
}

impl<'a> Route<'a> {
    /// The route for what was given at `entry` and what was `asked` for.
    ///
    /// # Errors
    ///
    /// See [`RouteError`].
    pub fn choose(entry: Entry, asked: Asked<'a>) -> Result<Self, RouteError> {
        use Language::{Acpi, DeviceTree};
        let tree = asked.tree_file.map_or(TreeFrom::Entry, TreeFrom::HostFile);
        let route = match (entry, asked.language, tree) {
            (Entry::LinuxBoot, Some(Acpi), _) => Self::FwCfgTables(tree),
            (Entry::UefiTree, Some(Acpi), _) => return Err(RouteError::NoTablesFromUefi),
            (Entry::UefiTables | Entry::UefiNothing, Some(Acpi), TreeFrom::HostFile(_)) => {
                return Err(RouteError::TreeForTables);
            }
            (_, _, TreeFrom::HostFile(_)) => Self::Tree(tree),
            (Entry::LinuxBoot | Entry::UefiTree, _, TreeFrom::Entry) => Self::Tree(tree),
            (Entry::UefiTables, Some(DeviceTree), TreeFrom::Entry) => return Err(RouteError::NoTreeFromUefi),
            (Entry::UefiTables, _, TreeFrom::Entry) => Self::UefiTables,
            (Entry::UefiNothing, _, TreeFrom::Entry) => return Err(RouteError::NothingFromUefi),
        };
        if asked.table_files && matches!(route, Self::Tree(_)) {
            return Err(RouteError::TablesBesideTree);
        }
        if asked.numbers_late && !matches!(route, Self::FwCfgTables(_)) {
            return Err(RouteError::LateWithoutTables);
        }
        Ok(route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: Option<Language> = Some(Language::DeviceTree);
    const ACPI: Option<Language> = Some(Language::Acpi);

    const FILE: Option<&str> = Some("tree.dtb");

    fn route(
        entry: Entry,
        language: Option<Language>,
        tree_file: Option<&str>,
    ) -> Result<Route<'_>, RouteError> {
        Route::choose(entry, Asked { language, tree_file, ..Asked::default() })
    }

    #[test]
    fn what_was_given_is_read_unless_something_else_was_asked_for() {
        use Entry::{LinuxBoot, UefiNothing, UefiTables, UefiTree};
        let host = TreeFrom::HostFile("tree.dtb");
        let given = TreeFrom::Entry;
        for (entry, language, tree_file, expected) in [
            (LinuxBoot, None, None, Ok(Route::Tree(given))),
            (LinuxBoot, DT, None, Ok(Route::Tree(given))),
            (LinuxBoot, ACPI, None, Ok(Route::FwCfgTables(given))),
            (LinuxBoot, None, FILE, Ok(Route::Tree(host))),
            (LinuxBoot, ACPI, FILE, Ok(Route::FwCfgTables(host))),
            (UefiTree, None, None, Ok(Route::Tree(given))),
            (UefiTree, DT, FILE, Ok(Route::Tree(host))),
            (UefiTree, ACPI, None, Err(RouteError::NoTablesFromUefi)),
            (UefiTree, ACPI, FILE, Err(RouteError::NoTablesFromUefi)),
            (UefiTables, None, None, Ok(Route::UefiTables)),
            (UefiTables, ACPI, None, Ok(Route::UefiTables)),
            (UefiTables, DT, None, Err(RouteError::NoTreeFromUefi)),
            (UefiTables, None, FILE, Ok(Route::Tree(host))),
            (UefiTables, DT, FILE, Ok(Route::Tree(host))),
            (UefiTables, ACPI, FILE, Err(RouteError::TreeForTables)),
            (UefiNothing, None, None, Err(RouteError::NothingFromUefi)),
            (UefiNothing, ACPI, None, Err(RouteError::NothingFromUefi)),
            (UefiNothing, None, FILE, Ok(Route::Tree(host))),
        ] {
            assert_eq!(route(entry, language, tree_file), expected, "{entry:?} {language:?} {tree_file:?}");
        }
    }

    #[test]
    fn table_files_need_tables() {
        let asked = Asked { table_files: true, ..Asked::default() };
        assert_eq!(Route::choose(Entry::UefiTables, asked), Ok(Route::UefiTables));
        assert_eq!(Route::choose(Entry::LinuxBoot, asked), Err(RouteError::TablesBesideTree));
        // The tree takes the place of the tables, and the files would be passed over.
        let asked = Asked { tree_file: FILE, ..asked };
        assert_eq!(Route::choose(Entry::UefiTables, asked), Err(RouteError::TablesBesideTree));
        let asked = Asked { language: ACPI, ..asked };
        assert_eq!(
            Route::choose(Entry::LinuxBoot, asked),
            Ok(Route::FwCfgTables(TreeFrom::HostFile("tree.dtb")))
        );
    }

    #[test]
    fn buses_are_numbered_late_only_where_no_firmware_has_numbered_them() {
        let asked = Asked { numbers_late: true, ..Asked::default() };
        assert_eq!(Route::choose(Entry::LinuxBoot, asked), Err(RouteError::LateWithoutTables));
        assert_eq!(Route::choose(Entry::UefiTables, asked), Err(RouteError::LateWithoutTables));
        let asked = Asked { language: ACPI, ..asked };
        assert!(Route::choose(Entry::LinuxBoot, asked).is_ok());
    }

    #[test]
    fn a_tree_of_the_host_does_not_change_what_the_firmware_gave() {
        assert_eq!(Entry::UefiTables.language(None), Language::Acpi);
        assert_eq!(Entry::UefiTree.language(None), Language::DeviceTree);
        assert_eq!(Entry::LinuxBoot.language(None), Language::DeviceTree);
        assert_eq!(Entry::LinuxBoot.language(ACPI), Language::Acpi);
    }
}
