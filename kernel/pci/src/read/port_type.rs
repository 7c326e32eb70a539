//! Port types that are impossible at their position.

use addr::PciAddress;

use crate::findings::Findings;
use crate::function::kind::FunctionKind;
use crate::read::scanned::BridgeAbove;

/// The type as which a function with type `claimed` below `above` is treated, and whether its type is impossible.
///
/// A downstream port below a port that already leads to a link is treated as an upstream port. An upstream port below
/// an upstream port is a downstream port by the specification. Linux up to 7.3.4 agrees, but writes the type into the
/// wrong bits (`set_pcie_port_type`), so that it is grouped as an upstream port; so it is here.
pub(crate) fn port_type(
    claimed: FunctionKind,
    above: Option<BridgeAbove>,
    address: PciAddress,
    findings: &mut Findings,
) -> (FunctionKind, bool) {
    let Some(above) = above else { return (claimed, false) };
    let kind = match claimed {
        FunctionKind::DownstreamPort if above.kind.leads_to_a_link() => FunctionKind::UpstreamPort,
        FunctionKind::UpstreamPort if above.kind == FunctionKind::UpstreamPort => FunctionKind::UpstreamPort,
        _ => return (claimed, false),
    };
    findings.impossible_port(address, claimed, above.kind);
    (kind, true)
}
