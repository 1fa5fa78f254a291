"""What people of the open door read of the analysis: cuts, looks and their open reports, jobs. Nothing by arm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from analysis import cuts
from analysis.dataset_files import blinded_datasets, folder_of, read_files
from analysis.models import DataCut, Job, Look, OpenReport
from analysis.permissions import may_read_cut, may_read_open_report
from studies.models import Study
from studies.permissions import Someone, visible_studies


def visible_cuts(user: Someone) -> QuerySet[DataCut]:
    """The cuts of the studies whose whole data the person may read."""
    studies = [study for study in visible_studies(user) if may_read_cut(user, study)]
    return DataCut.objects.filter(study__in=studies).select_related("study")


def visible_looks(user: Someone) -> QuerySet[Look]:
    """The looks whose open report the person may read; without the reports themselves."""
    return Look.objects.filter(study__in=_studies(user)).select_related("study", "cut", "plan")


def visible_jobs(user: Someone) -> QuerySet[Job]:
    return Job.objects.filter(study__in=_studies(user)).select_related("study", "cut", "look")


def open_report(look: Look) -> OpenReport | None:
    """The open report of a look that the person may see, or None while there is none."""
    return OpenReport.objects.filter(look=look).first()


def cut_files(cut: DataCut) -> list[str]:
    """The files of a blinded cut that may be read: what its manifest lists, the manifest, and its data sets."""
    if cut.status != DataCut.Status.TAKEN:
        return []
    manifest = cuts.read_manifest(cuts.blinded_folder(cut.name)).manifest
    return [*sorted(manifest["files"]), cuts.MANIFEST, *blinded_datasets(cut)]


def look_datasets(look: Look) -> list[dict[str, Any]]:
    """The blinded analysis data sets of a look: name (as `cut_file` takes it), kind, rows, sha256; none before it."""
    folder = folder_of(look, unblinded=False)
    return [
        {"name": name, **read_files(folder)[path.name]}
        for name, path in blinded_datasets(look.cut).items()
        if path.parent == folder and path.name != cuts.MANIFEST
    ]


def described_files(cut: DataCut) -> list[dict[str, Any]]:
    """The files of a blinded cut, each with what its manifest says of it. Raises CutDoesNotVerify."""
    names = cut_files(cut)
    described = cuts.read_manifest(cuts.blinded_folder(cut.name)).manifest["files"] if names else {}
    described |= {name: read_files(path.parent).get(path.name, {}) for name, path in blinded_datasets(cut).items()}
    return [{"name": name, **described.get(name, {})} for name in names]


def cut_file(cut: DataCut, file: str) -> Path | None:
    """A file of a blinded cut; None for whatever its manifests do not list, so that no path climbs out."""
    if file in (datasets := blinded_datasets(cut)):
        return datasets[file]
    return cuts.blinded_folder(cut.name) / file if file in cut_files(cut) else None


def _studies(user: Someone) -> list[Study]:
    return [study for study in visible_studies(user) if may_read_open_report(user, study)]
