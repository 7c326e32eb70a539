//! Which description of the machine is read: decided here and nowhere else, from what the image was given when it was
//! entered and from what the command line asks for.

use core::fmt;

/// How the image was entered, and with which descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageEntry {
    /// By the Linux boot protocol: a device tree in x0, and no firmware.
    LinuxBoot,
    /// By UEFI firmware.
    Uefi {
        /// The EFI configuration tables contain a device tree.
        tree: bool,
        /// They contain ACPI tables.
        tables: bool,
    },
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

/// Something about a route that the user may not expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteWarning<'a> {
    /// A device tree in this file replaces the ACPI tables of UEFI firmware.
    TreeReplacesTables(&'a str),
}

impl ImageEntry {
    /// Whether firmware has numbered the buses and placed the BARs.
    #[must_use]
    pub fn is_uefi(self) -> bool {
        self != Self::LinuxBoot
    }

    /// The language of the description that the image was given; if there are both, or no firmware, the one that was
    /// asked for.
    #[must_use]
    pub fn language(self, asked: Option<Language>) -> Language {
        match self {
            Self::Uefi { tree: false, tables: true } => Language::Acpi,
            Self::Uefi { tables: false, .. } => Language::DeviceTree,
            Self::LinuxBoot | Self::Uefi { tree: true, tables: true } => {
                asked.unwrap_or(Language::DeviceTree)
            }
        }
    }
}

impl<'a> Route<'a> {
    /// The route for what was given at `entry` and what was `asked` for. UEFI firmware that gives both a tree and tables
    /// has the tree from its user, so that is the default.
    ///
    /// # Errors
    ///
    /// See [`RouteError`].
    pub fn choose(entry: ImageEntry, asked: Asked<'a>) -> Result<Self, RouteError> {
        use Language::{Acpi, DeviceTree};
        let source = asked.tree_file.map_or(TreeFrom::Entry, TreeFrom::HostFile);
        let route = match (entry, asked.language, source) {
            (ImageEntry::LinuxBoot, Some(Acpi), _) => Self::FwCfgTables(source),
            (ImageEntry::LinuxBoot, _, _) => Self::Tree(source),
            (ImageEntry::Uefi { tree: true, tables: false }, Some(Acpi), _) => {
                return Err(RouteError::NoTablesFromUefi);
            }
            (_, Some(Acpi), TreeFrom::HostFile(_)) => return Err(RouteError::TreeForTables),
            (_, _, TreeFrom::HostFile(_)) => Self::Tree(source),
            (ImageEntry::Uefi { tree: true, .. }, Some(DeviceTree) | None, _) => Self::Tree(source),
            (ImageEntry::Uefi { tables: true, .. }, Some(Acpi) | None, _) => Self::UefiTables,
            (ImageEntry::Uefi { tables: true, .. }, Some(DeviceTree), _) => {
                return Err(RouteError::NoTreeFromUefi);
            }
            (ImageEntry::Uefi { tree: false, tables: false }, _, _) => {
                return Err(RouteError::NothingFromUefi);
            }
        };
        if asked.table_files && matches!(route, Self::Tree(_)) {
            return Err(RouteError::TablesBesideTree);
        }
        if asked.numbers_late && !matches!(route, Self::FwCfgTables(_)) {
            return Err(RouteError::LateWithoutTables);
        }
        Ok(route)
    }

    /// What the user may not expect of the route.
    #[must_use]
    pub fn warning(self, entry: ImageEntry) -> Option<RouteWarning<'a>> {
        match (self, entry) {
            (Self::Tree(TreeFrom::HostFile(file)), ImageEntry::Uefi { tree: false, tables: true }) => {
                Some(RouteWarning::TreeReplacesTables(file))
            }
            _ => None,
        }
    }
}

impl fmt::Display for RouteWarning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TreeReplacesTables(file) => {
                write!(f, "dtb={file}: this device tree replaces the ACPI tables of the EFI firmware")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: Option<Language> = Some(Language::DeviceTree);
    const ACPI: Option<Language> = Some(Language::Acpi);

    const FILE: Option<&str> = Some("tree.dtb");

    const UEFI_TREE: ImageEntry = ImageEntry::Uefi { tree: true, tables: false };
    const UEFI_TABLES: ImageEntry = ImageEntry::Uefi { tree: false, tables: true };
    const UEFI_BOTH: ImageEntry = ImageEntry::Uefi { tree: true, tables: true };
    const UEFI_NOTHING: ImageEntry = ImageEntry::Uefi { tree: false, tables: false };

    fn route(
        entry: ImageEntry,
        language: Option<Language>,
        tree_file: Option<&str>,
    ) -> Result<Route<'_>, RouteError> {
        Route::choose(entry, Asked { language, tree_file, ..Asked::default() })
    }

    #[test]
    fn what_was_given_is_read_unless_something_else_was_asked_for() {
        use ImageEntry::LinuxBoot;
        let host = TreeFrom::HostFile("tree.dtb");
        let given = TreeFrom::Entry;
        for (entry, language, tree_file, expected) in [
            (LinuxBoot, None, None, Ok(Route::Tree(given))),
            (LinuxBoot, DT, None, Ok(Route::Tree(given))),
            (LinuxBoot, ACPI, None, Ok(Route::FwCfgTables(given))),
            (LinuxBoot, None, FILE, Ok(Route::Tree(host))),
            (LinuxBoot, ACPI, FILE, Ok(Route::FwCfgTables(host))),
            (UEFI_TREE, None, None, Ok(Route::Tree(given))),
            (UEFI_TREE, DT, FILE, Ok(Route::Tree(host))),
            (UEFI_TREE, ACPI, None, Err(RouteError::NoTablesFromUefi)),
            (UEFI_TREE, ACPI, FILE, Err(RouteError::NoTablesFromUefi)),
            (UEFI_TABLES, None, None, Ok(Route::UefiTables)),
            (UEFI_TABLES, ACPI, None, Ok(Route::UefiTables)),
            (UEFI_TABLES, DT, None, Err(RouteError::NoTreeFromUefi)),
            (UEFI_TABLES, None, FILE, Ok(Route::Tree(host))),
            (UEFI_TABLES, DT, FILE, Ok(Route::Tree(host))),
            (UEFI_TABLES, ACPI, FILE, Err(RouteError::TreeForTables)),
            (UEFI_BOTH, None, None, Ok(Route::Tree(given))),
            (UEFI_BOTH, DT, None, Ok(Route::Tree(given))),
            (UEFI_BOTH, ACPI, None, Ok(Route::UefiTables)),
            (UEFI_BOTH, None, FILE, Ok(Route::Tree(host))),
            (UEFI_BOTH, ACPI, FILE, Err(RouteError::TreeForTables)),
            (UEFI_NOTHING, DT, None, Err(RouteError::NothingFromUefi)),
            (UEFI_NOTHING, None, None, Err(RouteError::NothingFromUefi)),
            (UEFI_NOTHING, ACPI, None, Err(RouteError::NothingFromUefi)),
            (UEFI_NOTHING, None, FILE, Ok(Route::Tree(host))),
        ] {
            assert_eq!(route(entry, language, tree_file), expected, "{entry:?} {language:?} {tree_file:?}");
        }
    }

    #[test]
    fn table_files_need_tables() {
        let asked = Asked { table_files: true, ..Asked::default() };
        assert_eq!(Route::choose(UEFI_TABLES, asked), Ok(Route::UefiTables));
        assert_eq!(Route::choose(ImageEntry::LinuxBoot, asked), Err(RouteError::TablesBesideTree));
        // The tree takes the place of the tables, and the files would be passed over.
        let asked = Asked { tree_file: FILE, ..asked };
        assert_eq!(Route::choose(UEFI_TABLES, asked), Err(RouteError::TablesBesideTree));
        let asked = Asked { language: ACPI, ..asked };
        assert_eq!(
            Route::choose(ImageEntry::LinuxBoot, asked),
            Ok(Route::FwCfgTables(TreeFrom::HostFile("tree.dtb")))
        );
    }

    #[test]
    fn buses_are_numbered_late_only_where_no_firmware_has_numbered_them() {
        let asked = Asked { numbers_late: true, ..Asked::default() };
        assert_eq!(Route::choose(ImageEntry::LinuxBoot, asked), Err(RouteError::LateWithoutTables));
        assert_eq!(Route::choose(UEFI_TABLES, asked), Err(RouteError::LateWithoutTables));
        let asked = Asked { language: ACPI, ..asked };
        assert!(Route::choose(ImageEntry::LinuxBoot, asked).is_ok());
    }

    #[test]
    fn a_tree_of_the_host_does_not_change_what_the_firmware_gave() {
        assert_eq!(UEFI_TABLES.language(None), Language::Acpi);
        assert_eq!(UEFI_TREE.language(None), Language::DeviceTree);
        assert_eq!(UEFI_BOTH.language(None), Language::DeviceTree);
        assert_eq!(UEFI_BOTH.language(ACPI), Language::Acpi);
        assert_eq!(ImageEntry::LinuxBoot.language(None), Language::DeviceTree);
        assert_eq!(ImageEntry::LinuxBoot.language(ACPI), Language::Acpi);
    }
    #[test]
    fn only_a_tree_in_the_place_of_tables_needs_a_warning() {
        let host = Route::Tree(TreeFrom::HostFile("tree.dtb"));
        assert_eq!(host.warning(UEFI_TABLES), Some(RouteWarning::TreeReplacesTables("tree.dtb")));
        assert_eq!(host.warning(UEFI_TREE), None);
        assert_eq!(Route::UefiTables.warning(UEFI_TABLES), None);
    }
}
