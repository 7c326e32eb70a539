//! Port types that cannot be true where they are claimed.

use addr::PciAddress;

use crate::findings::Findings;
use crate::function::kind::FunctionKind;
use crate::read::scanned::BridgeAbove;

/// What a function that claims to be `claimed` acts as, and whether the claim cannot be true below `above`.
///
/// A downstream port below a port that already leads to a link acts as an upstream port. An upstream port below
/// an upstream port acts as a downstream port by the specification; Linux up to 7.3.4 says so too, and then goes
/// on as if it isolated: it writes the type into bits that are not the type's (`set_pcie_port_type`). Its answer
/// is that of the claim, which is kept here.
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
