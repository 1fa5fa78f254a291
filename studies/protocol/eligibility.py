"""Consent versions, findings and eligibility criteria: who may take part, and on what that is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from studies.protocol.expression import FindingType, Value
from studies.protocol.forms import FormKind, RecordField
from studies.protocol.pain_classification import PainClassification, PainFindings
from studies.protocol.section import Condition, Key, Section, Text, Version, repeated, spelled
from studies.protocol.yaml_document import Mistake

ConsentScope = Literal["data", "infusion", "blood_samples"]


class ConsentVersion(Section):
    """One version of the consent form: from when it is in force, and what may be done under it."""

    version: Version
    in_force_from: date
    in_force_from_at_site: dict[str, date] = {}
    scope: Annotated[tuple[ConsentScope, ...], Field(min_length=1)]

    def starts_at(self, site: str | None) -> date:
        """The day from which a site uses this version (an ethics committee may be later than the sponsor)."""
        return self.in_force_from_at_site.get(site or "", self.in_force_from)


class DiarySummary(Section):
    """A summary of one diary item over days counted from the infusion."""

    statistic: Literal["mean", "sd", "count"]
    days: tuple[int, int]


class Finding(Section):
    """A named fact on which criteria, rules and strata are judged, and its one source.

    `form`: the site enters it there. `instrument`: an item or a score of a questionnaire, or
    a summary of diary days. `record`: what the trial keeps anyway (participant.age_years). `derived`: worked
    out from other findings. `visits`: only what is found at these visits counts; without it, any.
    """

    key: Key
    label: Text
    type: FindingType
    unit: str = ""
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    form: FormKind | None = None
    record: RecordField | None = None
    derived: Literal["pain_classification"] | None = None
    instrument: Key | None = None
    item: str | None = None
    score: str | None = None
    diary: DiarySummary | None = None
    visits: tuple[str, ...] = ()

    @model_validator(mode="after")
    def has_one_source(self) -> Finding:
        """A fact from two places would have two values."""
        sources = (self.form, self.record, self.derived, self.instrument)
        if sum(source is not None for source in sources) != 1:
            raise ValueError("Say where it comes from: exactly one of form, record, derived, instrument.")
        if (self.instrument is not None) != ((self.item is None) != (self.score is None)):
            raise ValueError("A finding from an instrument names either its item or its score.")
        return self


class Criterion(Section):
    """One criterion of eligibility, as the protocol words it.

    `expression` is judged from findings, `answered` is a question to the investigator. With both, an
    inclusion criterion holds when both do, an exclusion criterion when either does.
    """

    id: Annotated[str, *spelled(r"[A-Z][0-9]{1,3}", "a criterion's number, such as I1 or E1")]
    kind: Literal["inclusion", "exclusion"]
    text: Text
    form: FormKind
    expression: Condition | None = None
    answered: Text | None = None

    @model_validator(mode="after")
    def can_be_judged(self) -> Criterion:
        """A criterion that nothing can settle would block everybody."""
        if self.expression is None and self.answered is None:
            raise ValueError("Give an expression over findings, or a question under 'answered', or both.")
        return self

    def holds(self, findings: Mapping[str, Value], answer: bool | None) -> bool | None:
        """Whether the criterion is met: True, False, None for not yet known.

        findings: by key; answer: the investigator's, where the criterion asks for one.
        """
        judged = [self.expression.truth(findings)] if self.expression else []
        judged += [answer] if self.answered else []
        settles = self.kind == "exclusion"
        if settles in judged:
            return settles
        return None if None in judged else not settles

    def allows(self, holds: bool | None) -> bool:
        """Whether a participant may be randomised as far as this criterion goes. Unknown blocks."""
        return holds is (self.kind == "inclusion")


def consent_in_force(versions: tuple[ConsentVersion, ...], on: date, site: str | None) -> ConsentVersion | None:
    """The version that a participant signs on a day at a site: the latest that has started there."""
    started = [version for version in versions if version.starts_at(site) <= on]
    return max(started, key=lambda version: version.starts_at(site), default=None)


def mistakes_in_eligibility(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """Names given twice, consent versions out of order, and conditions over findings that do not exist."""
    yield from repeated("findings", sections.get("findings", ()), "key")
    yield from repeated("eligibility", sections.get("eligibility", ()), "id")
    yield from repeated("consent", sections.get("consent", ()), "version")
    yield from _consent_order(sections.get("consent", ()))
    if "findings" in sections:
        yield from _conditions(sections)
    yield from _consent_sites(sections)
    yield from _derived(sections.get("findings", ()))


def finding_types(findings: tuple[Finding, ...]) -> dict[str, FindingType]:
    """The type of each finding, for checking conditions."""
    return {finding.key: finding.type for finding in findings}


def _consent_order(versions: tuple[ConsentVersion, ...]) -> Iterator[Mistake]:
    for index, (earlier, later) in enumerate(pairwise(versions), start=1):
        if later.in_force_from <= earlier.in_force_from:
            yield Mistake(
                ("consent", index, "in_force_from"),
                f"Version {later.version} starts on {later.in_force_from}, not after {earlier.version} "
                f"({earlier.in_force_from}). List versions in the order they came into force.",
            )


def _consent_sites(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    known = {site.code for site in sections.get("sites", ())}
    for index, version in enumerate(sections.get("consent", ()) if known else ()):
        for site in sorted(version.in_force_from_at_site.keys() - known):
            yield Mistake(("consent", index, "in_force_from_at_site", site), f"'{site}' is not a site.")


def _derived(findings: tuple[Finding, ...]) -> Iterator[Mistake]:
    """A conclusion that nothing gives, or whose premises nobody is asked for, would stay unknown for ever."""
    conclusions = {field.name for field in fields(PainClassification)}
    missing = {field.name for field in fields(PainFindings)} - {finding.key for finding in findings}
    for index, finding in enumerate(findings):
        if finding.derived and finding.key not in conclusions:
            allowed = ", ".join(sorted(conclusions))
            yield Mistake(("findings", index, "key"), f"The pain classification gives {allowed} only.")
        elif finding.derived and missing:
            premises = ", ".join(sorted(missing))
            yield Mistake(("findings", index), f"'{finding.key}' follows from findings that are missing: {premises}.")


def _conditions(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    types = finding_types(sections["findings"])
    for index, criterion in enumerate(sections.get("eligibility", ())):
        for message in criterion.expression.mistakes(types) if criterion.expression else ():
            yield Mistake(("eligibility", index, "expression"), message)
    strata = sections.get("strata")
    for f, factor in enumerate(strata.factors if strata else ()):
        for n, level in enumerate(factor.levels):
            for message in level.when.mistakes(types) if level.when else ():
                yield Mistake(("strata", "factors", f, "levels", n, "when"), message)
