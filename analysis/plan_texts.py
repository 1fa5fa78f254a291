"""A frozen plan as people read it: as the file it could be written as, and what a version changed in words."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML

from analysis.differences import ABSENT, Difference
from analysis.models import Plan
from studies.protocol.analysis_plan import AnalysisPlan

_WIDTH = 110


def plan_file(source: str) -> str:
    """A frozen plan (canonical JSON) as a plan file: YAML with the key `analysis`, in the order of the schema.

    What has its default is left out. Reading the file gives the same plan.
    """
    plan = AnalysisPlan.model_validate_json(source)
    out = io.StringIO()
    _writer().dump({"analysis": plan.model_dump(mode="json", exclude_defaults=True)}, out)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class ChangeInWords:
    """One place that a version changed: where, and what stands there before and now; empty where nothing does."""

    where: str
    before: str
    now: str


def in_words(change: Difference) -> ChangeInWords:
    """A difference for people: looks.planned[2].information is "looks, planned 2, information"."""
    where = change.path.replace("[", " ").replace("]", "").replace(".", ", ").replace("_", " ")
    return ChangeInWords(where, _written(change.before), _written(change.after))


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of two texts side by side: sign is "+" (new), "-" (gone), " " (both) or "@" (lines left out)."""

    sign: str
    text: str


def changed_lines(before: Plan, after: Plan) -> Iterator[DiffLine]:
    """Where the plan files of two versions differ, with three lines around each place."""
    old, new = (plan_file(plan.source).splitlines() for plan in (before, after))
    for line in list(difflib.unified_diff(old, new, lineterm=""))[2:]:
        yield DiffLine("@", "…") if line.startswith("@@") else DiffLine(line[0], line[1:])


def _written(value: Any) -> str:
    if value == ABSENT:
        return ""
    if isinstance(value, dict | list):
        out = io.StringIO()
        _writer().dump(value, out)
        return out.getvalue().strip()
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _writer() -> YAML:
    # YAML 1.2, as plan files are read; version numbers keep their quotes.
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = _WIDTH
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    return yaml
