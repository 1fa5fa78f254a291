"""The group-sequential design that a plan's looks ask for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from analysis.statistics import sequential
from studies.protocol.planned_looks import Looks

_FAMILIES: dict[str, Callable[[], sequential.Family]] = {
    "lan_demets_of": sequential.lan_demets_of,
    "lan_demets_pocock": sequential.lan_demets_pocock,
}
_WITH_PARAMETER: dict[str, Callable[[float], sequential.Family]] = {
    "hwang_shih_decani": sequential.hwang_shih_decani,
    "kim_demets": sequential.kim_demets,
}


@lru_cache(maxsize=16)
def planned_design(looks: Looks) -> sequential.Design:
    """The design at the looks as they are planned."""
    return sequential.design(
        looks.fractions(),
        alpha=looks.alpha,
        beta=1 - looks.power,
        sides=looks.sides,
        efficacy=family_of(looks),
    )


def family_of(looks: Looks) -> sequential.Family:
    """The spending function of the plan's looks."""
    if looks.spending in _WITH_PARAMETER:
        return _WITH_PARAMETER[looks.spending](float(looks.spending_parameter or 0))
    return family_named(looks.spending)


def family_named(name: str) -> sequential.Family:
    """A spending function without a parameter. Raises KeyError."""
    return _FAMILIES[name]()
