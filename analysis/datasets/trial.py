"""A trial as a look sees it: the cut under its plan, with participants, analysis sets and endpoints derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.datasets.cut_tables import Cut, open_cut
from analysis.datasets.endpoints import endpoint_records, values_from
from analysis.datasets.participants import participants, strata_of
from studies.protocol import DocumentInvalid, ProtocolDefinition, cached_definition
from studies.protocol.analysis_plan import AnalysisPlan, Endpoint

_NO_LIMIT = pd.Timestamp("2250-01-01")


@dataclass(frozen=True)
class Trial:
    """Everything derived from one cut under one plan, computed once, in the order of participants' identifiers.

    cutoff: the clinical cut-off, None where the look has none. protocol: as the cut holds it; None if its text
    cannot be read. names: of the arms, where they are not called as in the protocol.
    """

    cut: Cut
    plan: AnalysisPlan
    protocol: ProtocolDefinition | None
    cutoff: date | None
    names: Mapping[str, str] | None = None

    @property
    def until(self) -> pd.Timestamp:
        """The last day whose data count. Without a cut-off all that is in the cut counts."""
        return _NO_LIMIT if self.cutoff is None else pd.Timestamp(self.cutoff)

    @property
    def data_date(self) -> pd.Timestamp:
        """The day up to which something can be expected to be there: the cut-off, or the cut if that came first."""
        return min(pd.Timestamp(self.cut.taken_at.date()), self.until)

    @cached_property
    def people(self) -> pd.DataFrame:
        """One row per participant; see `participants`."""
        return participants(self.cut, until=self.until, infused_study=self.has_infusion)

    @property
    def has_infusion(self) -> bool:
        if self.protocol is not None:
            return self.protocol.infusion is not None
        return len(self.cut.rows("infusion", ["id"])) > 0

    @cached_property
    def strata(self) -> pd.DataFrame:
        return strata_of(self.people)

    @cached_property
    def _endpoints(self) -> dict[str, pd.DataFrame]:
        return {}

    @cached_property
    def not_finite(self) -> dict[str, int]:
        """Of the endpoints computed so far, by id: how many of their values are infinite and so count as missing."""
        return {}

    def values(self, endpoint: Endpoint) -> pd.DataFrame:
        """Participants (rows) by timepoint codes (columns, baseline first); NaN where missing."""
        if endpoint.id not in self._endpoints:
            records = endpoint_records(self.cut, self.people, endpoint, until=self.until)
            long = values_from(records, self.people, endpoint)
            self.not_finite[endpoint.id] = int((~np.isfinite(records["value"])).sum())
            codes = [endpoint.baseline.code, *(t.code for t in endpoint.timepoints)]
            wide = long.pivot_table(
                index="participant_id", columns="timepoint", values="value", dropna=False, observed=False
            )
            self._endpoints[endpoint.id] = wide.reindex(index=self.people.index, columns=codes)
        return self._endpoints[endpoint.id]

    def population(self, code: str) -> pd.Series[bool]:
        """Who is in an analysis set. Raises ValueError for one that a cut cannot derive."""
        if code not in self.people.columns:
            raise ValueError(f"Population {code} cannot be derived from a cut; RAND, FAS, PP and SAF can.")
        return self.people[code]

    def arm_labels(self) -> dict[str, str]:
        """Codes and labels of the arms in the order of the protocol; empty without one."""
        if self.names is not None:
            return dict(self.names)
        return {arm.code: arm.label for arm in self.protocol.arms} if self.protocol else {}


def load_trial(cut_dir: Path, plan: Mapping[str, Any], *, look: int | None = None) -> Trial:
    """The trial in a cut folder under a frozen plan.

    plan: the analysis section of a protocol, as JSON. look: the number of the look, which brings its clinical
    cut-off date; None or an unplanned number has no other than the cut itself.
    Raises ValueError for a plan that is not valid (pydantic's message).
    """
    cut = open_cut(cut_dir)
    parsed = AnalysisPlan.model_validate(plan)
    return Trial(cut, parsed, _protocol(cut, parsed.version), _cutoff(parsed, look))


def _cutoff(plan: AnalysisPlan, look: int | None) -> date | None:
    planned = plan.looks.planned if plan.looks else ()
    return next((each.clinical_cutoff for each in planned if each.number == look), None)


def _protocol(cut: Cut, plan_version: str) -> ProtocolDefinition | None:
    """The protocol that holds the plan, or else the last one loaded that can be read."""
    rows = cut.rows("protocolversion", ["id", "source"]).sort_values("id")
    readable = [found for text in rows["source"] if (found := _readable(text)) is not None]
    holding = [found for found in readable if found.analysis.version == plan_version]
    chosen = holding or readable
    return chosen[-1] if chosen else None


def _readable(text: str) -> ProtocolDefinition | None:
    try:
        return cached_definition(text)
    except DocumentInvalid:
        return None
