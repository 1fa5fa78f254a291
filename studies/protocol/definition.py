"""A protocol version as one value: what conduct, measurement and analysis need to know about the study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from studies.protocol.analysis_plan import AnalysisPlan
from studies.protocol.analysis_references import mistakes_in_analysis
from studies.protocol.arm_revealing import ArmRevealing, mistakes_in_arm_revealing
from studies.protocol.design import (
    Arm,
    Randomisation,
    SitePlan,
    Strata,
    StudyIdentity,
    design_warnings,
    mistakes_in_design,
    stratum_cells,
)
from studies.protocol.eligibility import (
    ConsentVersion,
    Criterion,
    Finding,
    consent_in_force,
    mistakes_in_eligibility,
)
from studies.protocol.expression import Value
from studies.protocol.forms import BLOOD_SAMPLES
from studies.protocol.infusion import (
    Alert,
    DischargeCriterion,
    InfusionPlan,
    SafetyRule,
    mistakes_in_infusion,
)
from studies.protocol.schedule import Diary, DueAssessment, VisitPlan, mistakes_in_schedule
from studies.protocol.section import Code, Section, named
from studies.protocol.windows import Window
from studies.protocol.yaml_document import DocumentInvalid, Mistake, Mistakes, Problem, load_document, locate


class ProtocolDefinition(Section):
    """One version of a protocol. Complete and without contradictions, or it is not made."""

    study: StudyIdentity
    arms: Annotated[tuple[Arm, ...], Field(min_length=2)]
    ratio: dict[Code, Annotated[int, Field(gt=0)]]
    planned_participants: Annotated[int, Field(gt=0)]
    strata: Strata
    randomisation: Randomisation | None = None
    sites: Annotated[tuple[SitePlan, ...], Field(min_length=1)]
    consent: tuple[ConsentVersion, ...] = ()
    findings: tuple[Finding, ...] = ()
    eligibility: tuple[Criterion, ...] = ()
    visits: Annotated[tuple[VisitPlan, ...], Field(min_length=1)]
    diary: Diary | None = None
    infusion: InfusionPlan | None = None
    safety_rules: tuple[SafetyRule, ...] = ()
    discharge: tuple[DischargeCriterion, ...] = ()
    alerts: tuple[Alert, ...] = ()
    arm_revealing: ArmRevealing = ArmRevealing()
    analysis: AnalysisPlan

    @model_validator(mode="after")
    def sections_agree(self) -> ProtocolDefinition:
        """Nothing that one section names is missing from another."""
        mistakes = list(self.mistakes_between({name: getattr(self, name) for name in type(self).model_fields}))
        if mistakes:
            raise Mistakes(mistakes)
        return self

    @classmethod
    def mistakes_between(cls, sections: Mapping[str, Any]) -> Iterator[Mistake]:
        """Contradictions between the sections given; one that could not be read is left out."""
        yield from mistakes_in_design(sections)
        yield from mistakes_in_eligibility(sections)
        yield from mistakes_in_schedule(sections)
        yield from mistakes_in_infusion(sections)
        yield from mistakes_in_arm_revealing(sections)
        yield from mistakes_in_analysis(sections)

    def canonical_json(self) -> str:
        """The content without comments and layout, keys sorted: equal text means equal protocol."""
        content = self.model_dump(mode="json")
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    @cached_property
    def sha256(self) -> str:
        """The hash of the canonical content, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    @property
    def arm_codes(self) -> tuple[str, ...]:
        """The codes of the arms, in the order of the protocol."""
        return tuple(arm.code for arm in self.arms)

    def arm(self, code: str) -> Arm:
        """The arm of this code. Raises KeyError."""
        return named(self.arms, "code", code)

    def site(self, code: str) -> SitePlan:
        """The site of this code. Raises KeyError."""
        return named(self.sites, "code", code)

    def visit(self, code: str) -> VisitPlan:
        """The visit of this id. Raises KeyError."""
        return named(self.visits, "id", code)

    def criterion(self, code: str) -> Criterion:
        """The criterion of this id. Raises KeyError."""
        return named(self.eligibility, "id", code)

    def finding(self, key: str) -> Finding:
        """The finding of this key. Raises KeyError."""
        return named(self.findings, "key", key)

    def findings_on_form(self, form: str) -> tuple[Finding, ...]:
        """The findings that the site enters on a form, in the order of the protocol."""
        return tuple(finding for finding in self.findings if finding.form == form)

    def findings_of_instrument(self, instrument: str) -> tuple[Finding, ...]:
        """The findings that answers to an instrument give."""
        return tuple(finding for finding in self.findings if finding.instrument == instrument)

    def window(self, visit: str, day0: date | None, infusion_end: datetime | None, zone: ZoneInfo | str) -> Window:
        """When a visit may take place for one participant, in UTC.

        visit: its id; day0: the calendar day, at the site, on which the infusion started (until then, the day
        it is planned for); infusion_end: when it ended, with a time zone; zone: the site's time zone.
        Raises KeyError for an unknown visit, ValueError for a moment without a time zone.
        """
        site_zone = zone if isinstance(zone, ZoneInfo) else ZoneInfo(zone)
        return self.visit(visit).window(day0, infusion_end, site_zone)

    def due_assessments(self, visit: str) -> list[DueAssessment]:
        """What is to be done at a visit, in the order of the paper. Raises KeyError."""
        return self.visit(visit).due()

    def strata_levels(self) -> dict[str, dict[str, str]]:
        """Every stratum: its code, such as BER.NEURO, and the level of each factor that makes it."""
        return stratum_cells(self.strata, self.sites)

    def stratum_levels_of(self, site: str, findings: Mapping[str, Value]) -> dict[str, str] | None:
        """The levels that put a participant into a stratum; None while a finding for it is not known."""
        levels = {"site": self.site(site).code} if self.strata.by_site else {}
        for factor in self.strata.factors:
            level = factor.level(findings)
            if level is None:
                return None
            levels[factor.key] = level
        return levels

    def consent_in_force(self, on: date, site: str | None = None) -> ConsentVersion | None:
        """The consent version that is signed on a day at a site; None before the first."""
        return consent_in_force(self.consent, on, site)

    def may_collect(self, consent_version: str, assessment: str) -> bool:
        """Whether a consent version covers a form or instrument. Raises KeyError for an unknown version."""
        scope = named(self.consent, "version", consent_version).scope
        if assessment in BLOOD_SAMPLES:
            return "blood_samples" in scope
        return ("infusion" if assessment == "infusion" else "data") in scope


def load(text: str, *, source: str) -> ProtocolDefinition:
    """Read a protocol file. Raises DocumentInvalid with every mistake, its path and its line."""
    try:
        return cached_definition(text)
    except DocumentInvalid as error:
        raise DocumentInvalid(source, error.problems) from None


@lru_cache(maxsize=16)
def cached_definition(text: str) -> ProtocolDefinition:
    """A protocol by its text, read once in a process: it never changes, and reading takes a while."""
    return load_document(text, ProtocolDefinition, source="stored protocol")


def check(definition: ProtocolDefinition, text: str = "", *, source: str = "") -> list[Problem]:
    """Warnings: what a protocol may do but should not. Each has its line if the text is given, else 0."""
    if definition.randomisation is None:
        return []
    found = list(
        design_warnings(
            definition.ratio,
            definition.strata,
            definition.sites,
            definition.randomisation,
            definition.planned_participants,
        )
    )
    if text:
        return locate(text, found, source=source)
    return [Problem(".".join(map(str, mistake.location)), 0, mistake.message) for mistake in found]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of protocol files, for editors and for other programs."""
    return ProtocolDefinition.model_json_schema()
