"""Study, arms, ratio, strata, randomisation, sites: the design sections of a protocol file.

Dose and concentration stand here, with the arm: the protocol is public, only who gets which arm is not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from studies.protocol.expression import Value
from studies.protocol.section import (
    Code,
    Condition,
    Key,
    NotNegative,
    Positive,
    Section,
    Text,
    TimeZone,
    Version,
    repeated,
    spelled,
)
from studies.protocol.yaml_document import Mistake


class StudyIdentity(Section):
    """What the study is called, who answers for it, and on whose clock its deadlines run."""

    code: Annotated[str, *spelled(r"[A-Za-z][A-Za-z0-9-]{0,19}", "a study code: at most 20 letters, digits and -")]
    title: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    version: Version
    sponsor: Text
    time_zone: TimeZone
    origin: Literal["conducted", "imported"] = "conducted"
    recruitment_from: date | None = None


class Regimen(Section):
    """What the pharmacy prepares for an arm. A dose by weight or a fixed one, never both."""

    drug: Text
    dose_mg_per_kg: Positive | None = None
    cap_mg: Positive | None = None
    fixed_dose_mg: Positive | None = None
    concentration_mg_per_ml: NotNegative

    @model_validator(mode="after")
    def has_one_dose(self) -> Regimen:
        """A saline placebo has no drug in it: dose and concentration 0 are written as concentration 0."""
        doses = [dose for dose in (self.dose_mg_per_kg, self.fixed_dose_mg) if dose is not None]
        if self.concentration_mg_per_ml and len(doses) != 1:
            raise ValueError("Give either dose_mg_per_kg or fixed_dose_mg.")
        if self.cap_mg is not None and self.dose_mg_per_kg is None:
            raise ValueError("cap_mg goes with dose_mg_per_kg.")
        return self


class Arm(Section):
    """One treatment arm. `control` marks what the others are compared with."""

    code: Code
    label: Text
    control: bool = False
    regimen: Regimen | None = None


class Level(Section):
    """One level of a stratification factor, and the condition under which a participant belongs to it."""

    code: Code
    label: Text
    when: Condition | None = None


class Factor(Section):
    """One stratification factor."""

    key: Key
    label: Text
    levels: Annotated[tuple[Level, ...], Field(min_length=2)]

    def level(self, findings: Mapping[str, Value]) -> str | None:
        """The level a participant belongs to by the findings; None while they do not tell it, or tell two."""
        holding = [level.code for level in self.levels if level.when and level.when.truth(findings)]
        return holding[0] if len(holding) == 1 else None


class Strata(Section):
    """How the randomisation is stratified: by site, by factors, or by both."""

    by_site: bool = True
    factors: tuple[Factor, ...] = ()


class Randomisation(Section):
    """How the list is made. Block sizes are for the unblinded side: never shown to a site."""

    method: Literal["permuted_blocks"]
    block_sizes: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]
    rows_per_stratum: Annotated[int, Field(gt=0, le=10_000)]


class SitePlan(Section):
    """A place that enrols participants."""

    code: Code
    name: Text
    country: Annotated[str, *spelled(r"[A-Z]{2}", "a country's two letters (ISO 3166), such as DE")]
    time_zone: TimeZone
    planned_participants: Annotated[int, Field(ge=0)] = 0


def stratum_cells(strata: Strata, sites: tuple[SitePlan, ...]) -> dict[str, dict[str, str]]:
    """Every stratum: its code (BER.NEURO) and the level of site and of each factor that makes it."""
    axes = [("site", [site.code for site in sites])] if strata.by_site else []
    axes += [(factor.key, [level.code for level in factor.levels]) for factor in strata.factors]
    names = [name for name, _ in axes]
    cells = [dict(zip(names, levels, strict=True)) for levels in itertools.product(*(each for _, each in axes))]
    return {stratum_code(cell): cell for cell in cells}


def stratum_code(levels: Mapping[str, str]) -> str:
    """The code of a stratum: its levels joined by dots; ALL in a study that is not stratified."""
    return ".".join(levels.values()) or "ALL"


def ratio_in_words(ratio: Mapping[str, int]) -> str:
    """A ratio as it is read: 2:1."""
    return ":".join(str(share) for share in ratio.values())


def mistakes_in_design(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """What the design sections contradict among themselves."""
    yield from repeated("arms", sections.get("arms", ()), "code")
    yield from repeated("sites", sections.get("sites", ()), "code")
    yield from _arms_and_ratio(sections)
    yield from _blocks(sections)
    yield from _conducted_study(sections)


def _arms_and_ratio(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    arms, ratio = sections.get("arms"), sections.get("ratio")
    if arms is None:
        return
    if not any(arm.control for arm in arms):
        yield Mistake(("arms",), "No arm is the control. Mark one with control: true.")
    if ratio is None:
        return
    codes = {arm.code for arm in arms}
    for code in ratio.keys() - codes:
        yield Mistake(("ratio", code), f"'{code}' is not an arm. The arms are {', '.join(sorted(codes))}.")
    for code in sorted(codes - ratio.keys()):
        yield Mistake(("ratio",), f"The ratio does not say how many get {code}.")


def _blocks(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    ratio, randomisation = sections.get("ratio"), sections.get("randomisation")
    if ratio is None or randomisation is None:
        return
    shares = sum(ratio.values())
    for index, size in enumerate(randomisation.block_sizes):
        if size % shares:
            yield Mistake(
                ("randomisation", "block_sizes", index),
                f"Arm ratio {ratio_in_words(ratio)} cannot fill blocks of {size}. "
                f"Use block sizes that are multiples of {shares}.",
            )


def _conducted_study(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    study = sections.get("study")
    if study is None or study.origin == "imported":
        return
    for needed in ("randomisation", "consent", "eligibility"):
        if needed in sections and not sections[needed]:
            yield Mistake((needed,), f"A study conducted here needs '{needed}'.")
    strata = sections.get("strata")
    for f, factor in enumerate(strata.factors if strata else ()):
        for n, level in enumerate(factor.levels):
            if level.when is None:
                place = ("strata", "factors", f, "levels", n)
                yield Mistake(place, f"It is not said who belongs to {level.code}. Give 'when'.")


def design_warnings(
    ratio: Mapping[str, int],
    strata: Strata,
    sites: tuple[SitePlan, ...],
    randomisation: Randomisation,
    planned: int,
) -> Iterator[Mistake]:
    """What is allowed but unwise, such as more strata than N/8: blocks stay unfinished, balance is lost."""
    count = len(stratum_cells(strata, sites))
    if count > planned / 8:
        yield Mistake(
            ("strata",),
            f"{count} strata are many for {planned} participants (at most {planned // 8} are advised): "
            "blocks would stay unfinished and the arms unbalanced. Drop a factor or a level.",
        )
    planned_at_sites = sum(site.planned_participants for site in sites)
    if planned_at_sites and planned_at_sites != planned:
        yield Mistake(("sites",), f"The sites plan {planned_at_sites} participants, the study {planned}.")
    if planned % sum(ratio.values()):
        yield Mistake(
            ("planned_participants",),
            f"{planned} participants do not divide by the ratio {ratio_in_words(ratio)}.",
        )
    largest = max(site.planned_participants for site in sites) if strata.by_site else planned
    if randomisation.rows_per_stratum < largest:
        yield Mistake(
            ("randomisation", "rows_per_stratum"),
            f"A list of {randomisation.rows_per_stratum} rows may be used up: up to {largest} participants "
            "may fall into one stratum.",
        )


def planned_rate_per_kg(regimen: Regimen, minutes: int) -> Decimal | None:
    """mL/h per kg at which the regimen runs over its minutes; None when it has no dose by weight."""
    if regimen.dose_mg_per_kg is None or not regimen.concentration_mg_per_ml:
        return None
    return regimen.dose_mg_per_kg / regimen.concentration_mg_per_ml * 60 / minutes
