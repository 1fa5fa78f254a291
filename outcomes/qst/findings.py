"""Abnormal findings in the words of the field: which sense is lost or gained, and how far that can be relied on.

Terms: Rolke 2006, Pain 123:231-243; Maier 2010, Pain 150:439-450.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from outcomes.qst.parameters import PARAMETERS
from outcomes.qst.zscores import finding_of

Kind = Literal["gain", "loss", "sign"]

_LOSS = {
    "CDT": "Cold hypoaesthesia",
    "WDT": "Warm hypoaesthesia",
    "TSL": "Thermal hypoaesthesia",
    "CPT": "Cold hypoalgesia",
    "HPT": "Heat hypoalgesia",
    "MDT": "Tactile hypoaesthesia",
    "MPT": "Pinprick hypoalgesia",
    "MPS": "Mechanical hypoalgesia",
    "WUR": "Reduced wind-up",
    "VDT": "Pallhypaesthesia",
    "PPT": "Pressure hypoalgesia",
}
_GAIN = {
    "CDT": "Cold hyperaesthesia",
    "WDT": "Warm hyperaesthesia",
    "TSL": "Thermal hyperaesthesia",
    "CPT": "Cold hyperalgesia",
    "HPT": "Heat hyperalgesia",
    "MDT": "Tactile hyperaesthesia",
    "MPT": "Pinprick hyperalgesia",
    "MPS": "Mechanical hyperalgesia",
    "WUR": "Increased wind-up",
    "VDT": "Pallhyperaesthesia",
    "PPT": "Pressure hyperalgesia",
}
_SIGNS = {"PHS": "Paradoxical heat sensation", "DMA": "Dynamic mechanical allodynia"}
# The range of healthy people reaches the limits of the method here (Rolke 2006, abstract).
_HARDLY = frozenset({("HPT", "loss"), ("CPT", "loss"), ("MDT", "gain")})


@dataclass(frozen=True, slots=True)
class AbnormalFinding:
    """One abnormal parameter. kind: gain or loss beyond 1.96 SD, or a sign that healthy people do not show.

    uncertain: the protocol can hardly show this finding, since healthy people reach the limits of the method.
    """

    parameter: str
    kind: Kind
    words: str
    z: float | None
    uncertain: bool = False

    def __str__(self) -> str:
        if self.z is None:
            return f"{self.words} ({self.parameter}, present)"
        return f"{self.words} ({self.parameter}, {self.kind}, z {self.z:+.2f})"


def abnormal_findings(z: Mapping[str, float | None], present: Mapping[str, bool | None]) -> list[AbnormalFinding]:
    """All abnormal findings of one area, in the order of the protocol.

    z: by parameter, None where there is none; present: for PHS and DMA, whether the sign was there.
    """
    return [finding for code in PARAMETERS for finding in _of(code, z.get(code), present.get(code))]


def _of(code: str, z: float | None, present: bool | None) -> Iterator[AbnormalFinding]:
    if code in _SIGNS:
        if present:
            yield AbnormalFinding(code, "sign", _SIGNS[code], None)
        return
    kind = None if z is None else finding_of(z)
    if kind is not None:
        words = _GAIN[code] if kind == "gain" else _LOSS[code]
        yield AbnormalFinding(code, kind, words, z, (code, kind) in _HARDLY)
