"""The two reports of a look: the open one from the blinded cut, the closed one with the arms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from analysis import closed_store, cuts
from analysis.canonical import canonical_json, sha256_of
from analysis.closed_store import Report
from analysis.code_version import code_version
from analysis.models import Look, OpenReport
from analysis.plans import about_plan
from studies.acting import Program, acting

Progress = Callable[[int, int], None]
_STEPS = 4


def make_open_report(look: Look, *, progress: Progress) -> OpenReport:
    """Compute and store the open report of a look; one that is there stays. Raises CutDoesNotVerify."""
    from analysis.interim import open_result  # noqa: PLC0415 - SciPy, only where a report is made

    cut = cuts.verify_folder(cuts.blinded_folder(look.cut.name), sha256=look.cut.manifest_sha256)
    progress(1, _STEPS)
    values = open_result(cuts.blinded_folder(look.cut.name), orjson.loads(look.plan.source), look=look.number)
    progress(2, _STEPS)
    report = _rendered({**values, "about": _about(look, cut)})
    progress(3, _STEPS)
    with acting(Program("blinded worker"), "open report made"), transaction.atomic():
        stored, _ = OpenReport.objects.get_or_create(
            look=look,
            defaults={
                "result": report.result,
                "sha256": report.sha256,
                "html": report.html,
                "pdf": report.pdf,
                "made_at": timezone.now(),
            },
        )
        Look.objects.filter(pk=look.pk).update(status=Look.Status.REPORTED)
    progress(_STEPS, _STEPS)
    return stored


def make_closed_report(look: Look, *, progress: Progress) -> str:
    """Compute and seal the closed report of a look under its registered plan. Returns the result's SHA-256.

    Raises PlanNotRegistered, CutDoesNotVerify, SealedDifferently.
    """
    from analysis.interim import closed_result  # noqa: PLC0415 - SciPy, only where a report is made

    plan = closed_store.registered_plan(look.plan)
    arms = cuts.arms_of(look.cut)
    cut = cuts.read_manifest(cuts.blinded_folder(look.cut.name))
    progress(1, _STEPS)
    name = look.cut.name
    earlier = closed_store.earlier_results(look)
    values = closed_result(
        cuts.blinded_folder(name), cuts.restricted_folder(name), arms, plan, earlier, look=look.number
    )
    progress(2, _STEPS)
    report = _rendered({**values, "about": _about(look, cut)})
    progress(3, _STEPS)
    with acting(Program("unblinded worker"), "closed report made"), transaction.atomic():
        sha256 = closed_store.seal(look, cut_manifest_sha256=cut.sha256, report=report)
        Look.objects.filter(pk=look.pk).update(closed_status=Look.Status.REPORTED)
    progress(_STEPS, _STEPS)
    return sha256


def _rendered(result: Mapping[str, Any]) -> Report:
    from analysis.reports import render_html, render_pdf  # noqa: PLC0415 - Matplotlib, as above

    content = canonical_json(result)
    # The pages show what the sealed bytes say, not what was in memory before.
    values = orjson.loads(content)
    return Report(content, render_html(values).encode(), render_pdf(values))


def _about(look: Look, cut: cuts.Verified) -> dict[str, Any]:
    """Which look, cut, plan and code a result comes from: no key of this database, no time of this run."""
    return {
        "study": look.study.code,
        "look": look.number,
        "planned": look.planned,
        "unplanned_reason": look.unplanned_reason,
        "cut": cut.manifest["cut"],
        "cut_taken_at": cut.manifest["taken_at"],
        "cut_manifest_sha256": cut.sha256,
        "plan_version": look.plan.version,
        "plan_sha256": sha256_of(look.plan.source.encode()),
        "plan": about_plan(look.plan),
        "code_version": code_version(),
    }
