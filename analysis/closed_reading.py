"""What people of the closed door read: sealed results, unblinded cuts, why jobs failed. Each reading is logged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from analysis import closed_store, cuts
from analysis.closed_store import SealedResult
from analysis.models import DataCut, Job, Look
from studies import closed_door
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
        """Every file that may be read: what the manifest lists, and the manifest."""
        return [*sorted(self.manifest["files"]), cuts.MANIFEST]


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt of a job of the unblinded side that failed, in full."""

    job: Job
    at: datetime
    detail: str


def looks(account: ClosedAccount, *, study: Study) -> QuerySet[Look]:
    """The looks of a study with their statuses; nothing of what they found. Raises NotAllowed."""
    _require_reader(account, study)
    return Look.objects.filter(study=study).select_related("cut", "plan").order_by("number")


def read_result(account: ClosedAccount, *, study: Study, number: int, what: str) -> SealedResult | None:
    """The sealed report of a look, or None where nothing is sealed yet. Raises NotAllowed.

    what: the part that is handed out ("result", "report", "PDF"), for the log.
    """
    _require_reader(account, study)
    look = Look.objects.filter(study=study, number=number).first()
    sealed = closed_store.sealed_result(look.pk) if look else None
    if sealed:
        closed_door.log(account, f"look {number}: {what} read")
    return sealed


def unblinded_cuts(account: ClosedAccount, *, study: Study) -> list[UnblindedCut]:
    """The unblinded cuts that were taken, newest first. Raises NotAllowed."""
    _require_reader(account, study)
    return [found for cut in DataCut.objects.filter(study=study) if (found := _unblinded(cut))]


def cut_file(account: ClosedAccount, *, study: Study, cut: str, file: str) -> Path | None:
    """A file of an unblinded cut; None for whatever its manifest does not list. Raises NotAllowed."""
    _require_reader(account, study)
    known = DataCut.objects.filter(study=study, name=cut).first()
    unblinded = _unblinded(known) if known else None
    # Only names that the manifest lists: a path that climbs out is not one of them.
    if known is None or unblinded is None or file not in unblinded.files:
        return None
    closed_door.log(account, f"cut {known.name}: {file} read")
    return cuts.unblinded_folder(known.name) / file


def failures(account: ClosedAccount, *, study: Study, number: int) -> list[Failure]:
    """Why the jobs of a look failed at the unblinded side, oldest first. Raises NotAllowed."""
    require(closed_door.may_read_failures(account, study), "read why jobs failed")
    jobs = Job.objects.filter(study=study, cut__looks__number=number, side=Job.Side.UNBLINDED).order_by("pk")
    found = [Failure(job, at, detail) for job in jobs for at, detail in closed_store.details(job.pk)]
    if found:
        closed_door.log(account, f"look {number}: failures read")
    return found


def _require_reader(account: ClosedAccount, study: Study) -> None:
    require(closed_door.may_read_closed_results(account, study), f"read closed results of {study}")


def _unblinded(cut: DataCut) -> UnblindedCut | None:
    folder = cuts.unblinded_folder(cut.name)
    if not folder.exists():
        return None
    verified = cuts.read_manifest(folder)
    return UnblindedCut(cut, dict(verified.manifest), verified.sha256)
