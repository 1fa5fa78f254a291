"""How far a value lies from that of healthy people: z-scores, profiles, sides, the composite.

Every z is signed so that above 0 is a gain of function (more sensitive) and below 0 a loss.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from outcomes.qst.parameters import parameter_of
from outcomes.qst.reference import Reference

ABNORMAL_Z = 1.96
# The sensory dimension: mean z of these at the test area (more is more sensitive), and a smaller set to check it.
COMPOSITE = ("CPT", "HPT", "MPT", "MPS", "WUR", "PPT")
COMPOSITE_SENSITIVITY = ("PPT", "WUR", "MPS")

Finding = Literal["gain", "loss"]


@dataclass(frozen=True, slots=True)
class ZScore:
    """A z-score with the table it comes from. abnormal: gain or loss beyond 1.96, else None."""

    z: float
    abnormal: Finding | None
    ref_id: str
    checksum: str


def z_score(parameter: str, value: float, *, reference: Reference, area: str, sex: str, age: int) -> ZScore:
    """The z-score of a parameter's value: sign x (t(value) - mean) / SD, t the parameter's scale.

    value: in the parameter's unit, as `aggregate` gives it (CDT negative). age: whole years. Raises NoReferenceRow
    when the table does not cover the person; NotComputable for a parameter without z or a logarithm of 0 or less.
    Reference: Rolke 2006, Pain 123:231-243; Magerl 2010, Pain 151:598-605.
    """
    known = parameter_of(parameter)
    transformed = known.transformed(value)
    row = reference.row(parameter, area=area, sex=sex, age=age)
    z = known.gain_sign * (transformed - row.mean) / row.sd
    return ZScore(z, finding_of(z), reference.ref_id, reference.checksum)


def finding_of(z: float) -> Finding | None:
    """Gain or loss where a z-score lies beyond 1.96, else None."""
    if abs(z) <= ABNORMAL_Z:
        return None
    return "gain" if z > 0 else "loss"


@dataclass(frozen=True, slots=True)
class Profile:
    """Somatosensory loss L0-L3 and gain G0-G3: 0 none, 1 thermal, 2 mechanical, 3 both.

    missing: parameters that could not be judged and count as normal here.
    """

    loss: int
    gain: int
    missing: tuple[str, ...]

    @property
    def code(self) -> str:
        """As it is written, L1G2 for instance."""
        return f"L{self.loss}G{self.gain}"


_LOSS = (("CDT", "WDT"), ("MDT", "VDT"))
_GAIN = (("HPT", "CPT"), ("MPT", "MPS", "DMA", "WUR", "PPT"))


def profile(z: Mapping[str, float | None], *, allodynia: bool | None) -> Profile:
    """The profile from z-scores per parameter and the presence of dynamic mechanical allodynia.

    Reference: Maier 2010, Pain 150:439-450.
    """
    known = {code: value for code, value in z.items() if value is not None}
    lost = {code for code, value in known.items() if finding_of(value) == "loss"}
    gained = {code for code, value in known.items() if finding_of(value) == "gain"} | ({"DMA"} if allodynia else set())
    judged = known.keys() | ({"DMA"} if allodynia is not None else set())
    missing = tuple(code for pair in (_LOSS, _GAIN) for group in pair for code in group if code not in judged)
    return Profile(_level(lost, _LOSS), _level(gained, _GAIN), missing)


def _level(found: Collection[str], kinds: tuple[tuple[str, ...], tuple[str, ...]]) -> int:
    thermal, mechanical = (any(code in found for code in kind) for kind in kinds)
    return int(thermal) + 2 * int(mechanical)


@dataclass(frozen=True, slots=True)
class SideDifference:
    """Test minus control area.

    difference: in the transformed scale; dz: of the z-scores, above 0 where the test area is more sensitive;
    abnormal: beyond 1.96 SD of healthy people's differences, None where the table does not hold that SD.
    """

    difference: float
    dz: float
    abnormal: bool | None


def side_difference(
    parameter: str, test: float, control: float, *, reference: Reference, area: str, sex: str, age: int
) -> SideDifference:
    """Compare the test area with the control area of the same kind. Raises as `z_score` does."""
    known = parameter_of(parameter)
    row = reference.row(parameter, area=area, sex=sex, age=age)
    difference = known.transformed(test) - known.transformed(control)
    dz = known.gain_sign * difference / row.sd
    return SideDifference(difference, dz, side_is_abnormal(difference, row.side_diff_sd))


def side_is_abnormal(difference: float, side_diff_sd: float | None) -> bool | None:
    """Whether a difference of the sides, transformed, lies beyond 1.96 SD of those of healthy people; None: unknown."""
    return None if side_diff_sd is None else abs(difference) > ABNORMAL_Z * side_diff_sd


def composite(z: Mapping[str, float | None], parameters: tuple[str, ...] = COMPOSITE) -> float | None:
    """The mean z of the parameters named, when at least two thirds of them are there (4 of 6); else None.

    Higher is more sensitive; improvement is a fall.
    """
    known = [value for code in parameters if (value := z.get(code)) is not None]
    return fmean(known) if 3 * len(known) >= 2 * len(parameters) else None


def standardised_change(parameter: str, before: float, after: float, *, baseline_sd: float) -> float:
    """A change within the trial, which needs no reference: sign x (t(after) - t(before)) / baseline SD.

    baseline_sd: pooled over the arms at baseline, in the transformed scale. Above 0 is more sensitive. Not a z-score.
    Raises NotComputable as `z_score` does.
    """
    known = parameter_of(parameter)
    return known.gain_sign * (known.transformed(after) - known.transformed(before)) / baseline_sd
