"""Pain class from bedside findings: the findings are entered, the conclusion never is.

Neuropathic grade: Finnerup et al. 2016, Pain 157:1599. Nociplastic grade: Kosek et al. 2021, Pain 162:2629.
Questionnaires never decide: where they disagree with the class, a query is raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, Self

from studies.protocol.expression import Value

NeuropathicGrade = Literal["none", "possible", "probable", "definite"]
NociplasticGrade = Literal["none", "possible", "probable"]
PainClass = Literal["neuropathic", "nociplastic", "nociceptive", "mixed", "unclassified"]
Component = Literal["neuropathic", "nociplastic", "nociceptive"]


@dataclass(frozen=True, slots=True)
class PainFindings:
    """What was found, each True, False or None for not yet known. Named as the protocol's findings are."""

    lesion_history: bool | None = None
    plausible_distribution: bool | None = None
    sensory_signs: bool | None = None
    confirming_test: bool | None = None
    pain_is_chronic: bool | None = None
    pain_is_regional: bool | None = None
    not_entirely_nociceptive: bool | None = None
    not_entirely_neuropathic: bool | None = None
    hypersensitivity_history: bool | None = None
    comorbidity: bool | None = None
    evoked_hypersensitivity: bool | None = None
    tissue_damage: bool | None = None

    @classmethod
    def of(cls, values: Mapping[str, Value]) -> Self:
        """From findings by key; a yes or no may come as 1 or 0, an absent one is unknown."""
        known = {field.name: values.get(field.name) for field in fields(cls)}
        return cls(**{name: None if value is None else bool(value) for name, value in known.items()})


@dataclass(frozen=True, slots=True)
class PainClassification:
    """The conclusion. None where what is known does not settle it yet."""

    neuropathic_grade: NeuropathicGrade | None
    nociplastic_grade: NociplasticGrade | None
    nociceptive: bool | None
    pain_class: PainClass | None
    components: tuple[Component, ...]


def classify(findings: PainFindings) -> PainClassification:
    """The grades and the class of a participant's pain.

    The class counts what is established: neuropathic at least probable, nociplastic probable, nociceptive.
    One is the class, two or more are `mixed` with their components; with none, a possible nociplastic, then a
    possible neuropathic grade decides; else the pain is unclassified, and not eligible.
    """
    neuropathic, nociplastic = neuropathic_grade(findings), nociplastic_grade(findings)
    nociceptive = findings.tissue_damage
    if neuropathic is None or nociplastic is None or nociceptive is None:
        return PainClassification(neuropathic, nociplastic, nociceptive, None, ())
    established: dict[Component, bool] = {
        "neuropathic": neuropathic in {"probable", "definite"},
        "nociplastic": nociplastic == "probable",
        "nociceptive": nociceptive,
    }
    components = tuple(name for name, holds in established.items() if holds)
    pain_class = _class(components, neuropathic, nociplastic)
    return PainClassification(neuropathic, nociplastic, nociceptive, pain_class, components)


def neuropathic_grade(found: PainFindings) -> NeuropathicGrade | None:
    """None, possible, probable or definite; None (the value) where that is not known yet.

    Possible: history and plausible distribution. Probable: and sensory signs, or a confirming test without
    signs. Definite: signs and test. A definite grade does not prove the cause of the pain.
    """
    possible = _all(found.lesion_history, found.plausible_distribution)
    if possible is not True:
        return None if possible is None else "none"
    signs, test = found.sensory_signs, found.confirming_test
    if signs is None or test is None:
        return None
    if signs and test:
        return "definite"
    return "probable" if signs or test else "possible"


def nociplastic_grade(found: PainFindings) -> NociplasticGrade | None:
    """None, possible or probable; None (the value) where that is not known yet.

    Possible: chronic, regional, not entirely nociceptive or neuropathic, with evoked hypersensitivity.
    Probable: and a history of hypersensitivity, and comorbidity.
    """
    possible = _all(
        found.pain_is_chronic,
        found.pain_is_regional,
        found.not_entirely_nociceptive,
        found.not_entirely_neuropathic,
        found.evoked_hypersensitivity,
    )
    if possible is not True:
        return None if possible is None else "none"
    probable = _all(found.hypersensitivity_history, found.comorbidity)
    if probable is None:
        return None
    return "probable" if probable else "possible"


def screening_queries(
    classification: PainClassification, *, paindetect: float | None, dn4: float | None, csi: float | None
) -> list[str]:
    """Where screening questionnaires disagree with the class; sentences for a query.

    paindetect: -1 to 38, dn4: 0 to 10, csi: 0 to 100; None where not known. Cut-offs: Freynhagen 2006,
    Bouhassira 2005, Neblett 2017; a language version may need others.
    """
    if classification.pain_class is None:
        return []
    neuropathic = classification.pain_class == "neuropathic" or "neuropathic" in classification.components
    queries = []
    if not neuropathic and paindetect is not None and paindetect >= 19:
        queries.append(f"painDETECT is {paindetect:g} (19 or more), but the class has no neuropathic part.")
    if not neuropathic and dn4 is not None and dn4 >= 4:
        queries.append(f"DN4 is {dn4:g} (4 or more), but the class has no neuropathic part.")
    low = paindetect is not None and paindetect <= 12 and dn4 is not None and dn4 < 4
    if classification.pain_class == "neuropathic" and low:
        queries.append(f"painDETECT is {paindetect:g} and DN4 {dn4:g}, but the class is neuropathic.")
    if classification.pain_class == "nociplastic" and csi is not None and csi < 30:
        queries.append(f"CSI is {csi:g} (below 30), but the class is nociplastic.")
    return queries


def _class(
    components: tuple[Component, ...], neuropathic: NeuropathicGrade, nociplastic: NociplasticGrade
) -> PainClass:
    if len(components) > 1:
        return "mixed"
    if components:
        return components[0]
    if nociplastic == "possible":
        return "nociplastic"
    return "neuropathic" if neuropathic == "possible" else "unclassified"


def _all(*truths: bool | None) -> bool | None:
    """Kleene's and: one False settles it, else anything unknown leaves it open."""
    if False in truths:
        return False
    return None if None in truths else True
