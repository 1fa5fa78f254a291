"""What people of the closed door read: sealed results, unblinded cuts, why jobs failed. Each reading is logged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from django.db.models import QuerySet

from analysis import closed_store, cuts, masking
from analysis.canonical import sha256_of
from analysis.closed_store import Report, SealedResult
from analysis.dataset_files import unblinded_datasets
from analysis.models import DataCut, Job, Look, Plan
from studies import closed_door
from studies.errors import InvalidEntry
from studies.models import ClosedAccount, Study
from studies.permissions import require


@dataclass(frozen=True, slots=True)
class UnblindedCut:
    """The unblinded counterpart of a cut, as its manifest describes it."""

    cut: DataCut
    manifest: dict[str, Any]
    manifest_sha256: str

    @property
    def files(self) -> list[str]:
        """Every file that may be read: what the manifest lists, the manifest, and the data sets with the arms."""
        return [*sorted(self.manifest["files"]), cuts.MANIFEST, *unblinded_datasets(self.cut)]


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt of a job of the unblinded side that failed, in full."""

    job: Job
    at: datetime
    detail: str


def looks(account: ClosedAccount, *, study: Study) -> QuerySet[Look]:
    """The looks of a study with their statuses; nothing of what they found. Raises NotAllowed."""
    _require_reader(account, study)
    return Look.objects.filter(study=study).select_related("cut", "plan", "study").order_by("number")


def read_result(account: ClosedAccount, *, study: Study, number: int, what: str) -> SealedResult | None:
    """The sealed report of a look, or None where nothing is sealed yet. Raises NotAllowed.

    what: the part that is handed out ("result", "report", "PDF"), for the log. Under a plan that shows the DSMB
    masked arms its members read `read_masked` instead.
    """
    _require_reader(account, study)
    look = Look.objects.select_related("plan").filter(study=study, number=number).first()
    require(look is None or not _shown_masked(account, look), "read this look with the arms named: its plan masks them")
    sealed = closed_store.sealed_result(look.pk) if look else None
    if sealed:
        closed_door.log(account, f"look {number}: {what} read")
    return sealed


def read_masked(account: ClosedAccount, *, study: Study, number: int, what: str) -> Report | None:
    """The report of a look with masked arms, or None where there is none. Raises NotAllowed."""
    _require_reader(account, study)
    look = Look.objects.filter(study=study, number=number).first()
    sealed = closed_store.masked_report(look.pk) if look else None
    if sealed:
        closed_door.log(account, f"look {number}: masked {what} read")
    return sealed


@dataclass(frozen=True, slots=True)
class Readable:
    """What a person may open of a look: the report with the arms named, the masked one, why something broke."""

    named: bool
    masked: bool
    failures: bool


def readable(account: ClosedAccount, look: Look) -> Readable:
    """What there is of a look for this person; nothing of it is read by asking."""
    return Readable(
        named=look.closed_status == Look.Status.REPORTED and not _shown_masked(account, look),
        masked=closed_store.masked_report(look.pk) is not None,
        failures=closed_door.may_read_failures(account, look.study) and _had_failures(look),
    )


def _had_failures(look: Look) -> bool:
    jobs = Job.objects.filter(cut=look.cut_id, side=Job.Side.UNBLINDED).values_list("pk", flat=True)
    return any(closed_store.details(key) for key in jobs)


def read_masking(account: ClosedAccount, *, study: Study, purpose: str) -> dict[str, str] | None:
    """Which label of the masked reports is which arm; for the unblinded statistician, with a purpose that is logged.

    None while no report is masked. Raises NotAllowed; InvalidEntry without a purpose.
    """
    require(closed_door.may_read_masking(account, study), "read which arm is A")
    if not purpose.strip():
        raise InvalidEntry("Say for what purpose the masking is read.", field="purpose")
    return masking.read_masking(account, study=study, purpose=purpose.strip())


def unblinded_cuts(account: ClosedAccount, *, study: Study) -> list[UnblindedCut]:
    """The unblinded cuts that were taken, newest first. Raises NotAllowed."""
    _require_reader_of_arms(account, study)
    return [found for cut in DataCut.objects.filter(study=study) if (found := _unblinded(cut))]


def cut_file(account: ClosedAccount, *, study: Study, cut: str, file: str) -> Path | None:
    """A file of an unblinded cut; None for whatever its manifest does not list. Raises NotAllowed."""
    _require_reader_of_arms(account, study)
    known = DataCut.objects.filter(study=study, name=cut).first()
    unblinded = _unblinded(known) if known else None
    # Only names that the manifest lists: a path that climbs out is not one of them.
    if known is None or unblinded is None or file not in unblinded.files:
        return None
    closed_door.log(account, f"cut {known.name}: {file} read")
    if file in (datasets := unblinded_datasets(known)):
        return datasets[file]
    return cuts.unblinded_folder(known.name) / file


def failures(account: ClosedAccount, *, study: Study, number: int) -> list[Failure]:
    """Why the jobs of a look failed at the unblinded side, oldest first. Raises NotAllowed."""
    require(closed_door.may_read_failures(account, study), "read why jobs failed")
    jobs = Job.objects.filter(study=study, cut__looks__number=number, side=Job.Side.UNBLINDED).order_by("pk")
    found = [Failure(job, at, detail) for job in jobs for at, detail in closed_store.details(job.pk)]
    if found:
        closed_door.log(account, f"look {number}: failures read")
    return found


def _shown_masked(account: ClosedAccount, look: Look) -> bool:
    """Whether this person sees the look with masked arms only."""
    masked = orjson.loads(look.plan.source).get("dsmb_arms") == "masked"
    return masked and closed_door.of_dsmb(account)


def _require_reader_of_arms(account: ClosedAccount, study: Study) -> None:
    """An unblinded cut names every participant's arm: not for whom a plan shows masked arms, also before its look."""
    _require_reader(account, study)
    newest = Look.objects.filter(study=study).select_related("plan").order_by("pk").last()
    masked = newest is not None and _shown_masked(account, newest)
    masked |= closed_door.of_dsmb(account) and _will_be_masked(study)
    require(not masked, "read arms: the plan masks them")


def _will_be_masked(study: Study) -> bool:
    """Whether the next look masks the arms: by the plan registered last here, else by the newest protocol."""
    registered = closed_store.registered_last(study.pk)
    # Told by the text itself: a row at the open side may say anything of it.
    for plan in Plan.objects.filter(study=study) if registered else ():
        if sha256_of(plan.source.encode()) == registered:
            return bool(orjson.loads(plan.source).get("dsmb_arms") == "masked")
    newest = study.protocol_versions.order_by("pk").last()
    return newest is not None and newest.definition.analysis.dsmb_arms == "masked"


def _require_reader(account: ClosedAccount, study: Study) -> None:
    require(closed_door.may_read_closed_results(account, study), f"read closed results of {study}")


def _unblinded(cut: DataCut) -> UnblindedCut | None:
    folder = cuts.unblinded_folder(cut.name)
    if not folder.exists():
        return None
    verified = cuts.read_manifest(folder)
    return UnblindedCut(cut, dict(verified.manifest), verified.sha256)
