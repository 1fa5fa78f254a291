"""The two reports of a look: the open one from the blinded cut, the closed one with the arms."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pandas as pd
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError, transaction
from django.utils import timezone

from analysis import closed_store, cuts, masking
from analysis.canonical import canonical_json, sha256_of
from analysis.closed_store import Report
from analysis.code_version import code_version
from analysis.dataset_files import hashes_of, write_blinded, write_unblinded
from analysis.models import Look, OpenReport
from analysis.plans import about_plan
from studies.acting import Program, acting
from studies.errors import TrialError

Progress = Callable[[int, int], None]
# Who keeps the details of what broke, for the closed side's people only.
Note = Callable[[str], None]
_STEPS = 4
_UNBLINDED = Program("unblinded worker")


def _unnoted(_: str) -> None:
    """Where nobody is to be told beside the result itself."""


def make_open_report(look: Look, *, progress: Progress) -> OpenReport:
    """Compute and store the open report of a look, with its data sets; what is there stays. Raises CutDoesNotVerify."""
    cuts.verify_folder(cuts.blinded_folder(look.cut.name), sha256=look.cut.manifest_sha256)
    progress(1, _STEPS)
    values = open_values(look)
    progress(2, _STEPS)
    datasets = hashes_of(write_blinded(look.cut))
    report = rendered({**values, "about": about_look(look, datasets)})
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


def open_values(look: Look) -> dict[str, Any]:
    """The open result of a look, without `about`."""
    from analysis.interim import open_result  # noqa: PLC0415 - SciPy, only where a report is made

    return open_result(cuts.blinded_folder(look.cut.name), orjson.loads(look.plan.source), look=look.number)


def make_closed_report(look: Look, *, progress: Progress, note: Note = _unnoted) -> str:
    """Compute and seal the closed report of a look under its registered plan. Returns the result's SHA-256.

    Data that break a calculation are sealed as a result that says so, with the details given to `note`: at the open
    door a look that could not be computed must look like any other. With a plan that shows the DSMB masked arms, the
    masked report is sealed as well.
    The analysis data sets with the arms are written beside, and their hashes sealed with the result.
    Raises PlanNotRegistered, CutDoesNotVerify, SealedDifferently; what the database or the disk refuse goes on.
    """
    plan = closed_store.registered_plan(look.plan)
    arms = cuts.arms_of(look.cut)
    progress(1, _STEPS)
    result, pages = computed_or_failed(
        look,
        lambda: closed_values(look, plan, arms),
        note=note,
        datasets=lambda: hashes_of(write_unblinded(look.cut)),
    )
    progress(3, _STEPS)
    with acting(_UNBLINDED, "closed report made"), transaction.atomic():
        sha256 = closed_store.seal(look, cut_manifest_sha256=look.cut.manifest_sha256, report=pages)
        Look.objects.filter(pk=look.pk).update(closed_status=Look.Status.REPORTED)
    if plan.get("dsmb_arms") == "masked" and result["kind"] == "closed":
        make_masked_report(look, note=note)
    progress(_STEPS, _STEPS)
    return sha256


def closed_values(look: Look, plan: Mapping[str, Any], arms: pd.Series[str]) -> dict[str, Any]:
    """The closed result of a look, without `about`."""
    from analysis.interim import closed_result  # noqa: PLC0415 - SciPy, only where a report is made

    name = look.cut.name
    earlier = closed_store.earlier_results(look)
    folders = cuts.blinded_folder(name), cuts.restricted_folder(name)
    levels = cuts.levels_of(look.cut)
    return closed_result(*folders, arms, plan, earlier, look=look.number, levels=levels)


def make_masked_report(look: Look, *, note: Note = _unnoted) -> str:
    """Compute and seal the report of a look with masked arms. Returns the result's SHA-256. Raises as above."""
    plan = closed_store.registered_plan(look.plan)
    arms = cuts.arms_of(look.cut)
    labels = masking.labels_of(_UNBLINDED, study=look.study, purpose=f"masked report of look {look.number}")
    _, pages = computed_or_failed(look, lambda: _masked_values(look, plan, arms, labels), note=note)
    with acting(_UNBLINDED, "masked report made"), transaction.atomic():
        return closed_store.seal_masked(look, report=pages)


def computed_or_failed(
    look: Look,
    compute: Callable[[], dict[str, Any]],
    *,
    note: Note = _unnoted,
    datasets: Callable[[], Mapping[str, str]] = dict,
) -> tuple[dict[str, Any], Report]:
    """A result with its pages; of data that break the calculation or a page, one that says why there is none.

    datasets: gives the hashes of the look's analysis data sets. A masked result has none: the hash of a file with the
    arms would tell, to who tries, which of two is A.
    What the trial's rules, the database or the machine refuse is raised: that does not depend on the arms.
    """
    try:
        values = {**compute(), "about": about_look(look, datasets())}
        return values, rendered(values)
    except (TrialError, DatabaseError, OSError, MemoryError, SoftTimeLimitExceeded):
        raise
    except Exception as error:
        note("".join(traceback.format_exception(error)))
        values = {**_failed(look, error), "about": about_look(look)}
        return values, rendered(values)


def _failed(look: Look, error: Exception) -> dict[str, Any]:
    why = f"The calculation broke off: {type(error).__name__}: {error}"
    return {"kind": "failed", "why": why, "decision": {"look": look.number, "estimable": False, "why": why}}


def _masked_values(
    look: Look, plan: Mapping[str, Any], arms: pd.Series[str], labels: Mapping[str, str]
) -> dict[str, Any]:
    from analysis.interim import masked_result  # noqa: PLC0415 - as above

    name = look.cut.name
    folders = cuts.blinded_folder(name), cuts.restricted_folder(name)
    return masked_result(*folders, arms, plan, labels, look=look.number)


def rendered(result: Mapping[str, Any]) -> Report:
    """A result in canonical bytes, with its pages."""
    from analysis.reports import render  # noqa: PLC0415 - Matplotlib, as above

    content = canonical_json(result)
    # The pages show what the sealed bytes say, not what was in memory before.
    html, pdf = render(orjson.loads(content))
    return Report(content, html.encode(), pdf)


def about_look(look: Look, datasets: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Which look, cut, plan and code a result comes from: no key of this database, no time of this run."""
    cut = cuts.read_manifest(cuts.blinded_folder(look.cut.name))
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
        **({"datasets": dict(datasets)} if datasets else {}),
    }
