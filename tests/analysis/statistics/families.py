"""The boundary families by the names that gsDesign and rpact give them."""

from collections.abc import Callable

from analysis.statistics import sequential
from analysis.statistics.sequential import Family

PLAIN: dict[str, Callable[[], Family]] = {
    "OF": sequential.obrien_fleming,
    "P": sequential.pocock,
    "Pocock": sequential.pocock,
    "LDOF": sequential.lan_demets_of,
    "asOF": sequential.lan_demets_of,
    "bsOF": sequential.lan_demets_of,
    "LDPocock": sequential.lan_demets_pocock,
    "asP": sequential.lan_demets_pocock,
    "bsP": sequential.lan_demets_pocock,
}
WITH_PARAMETER: dict[str, Callable[[float], Family]] = {
    "WT": sequential.wang_tsiatis,
    "HSD": sequential.hwang_shih_decani,
    "asHSD": sequential.hwang_shih_decani,
    "bsHSD": sequential.hwang_shih_decani,
    "Power": sequential.kim_demets,
    "asKD": sequential.kim_demets,
}


def family(name: str, parameter: float | None) -> Family:
    """The family of that name; the parameter is ignored where the family has none."""
    if name in PLAIN:
        return PLAIN[name]()
    assert parameter is not None
    return WITH_PARAMETER[name](parameter)
