"""Analysis data sets as files: Parquet and CSV with a manifest, beside the cut they come from, written once.

Every look writes them, and its results hold their hashes; of a cut without a look they are written by command. The
blinded ones lie beside the blinded cut and may be read at the open door; those with the arms lie in the closed side's
place and are written by the unblinded side only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from django.conf import settings

from analysis import cuts, plans
from analysis.code_version import code_version
from analysis.cuts.folders import new_folder
from analysis.cuts.manifest import file_entry, write_manifest
from analysis.cuts.snapshot import Counted
from analysis.datasets import Trial, as_received, by_timepoint, load_trial, participant_level
from analysis.datasets.labels import label_of
from analysis.models import DataCut, Look, Plan
from studies.errors import InvalidEntry

_OPEN, _UNBLINDED_ONLY = 0o555, 0o500
# A spreadsheet would run these as formulas; the Parquet file has the text as it is.
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)*")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def blinded_datasets(cut: DataCut) -> dict[str, Path]:
    """The files of the blinded data sets of a cut, by the name under which they are handed out."""
    return _files_below(cuts.blinded_folder(cut.name).parent, f"{cut.name}.datasets-")


def unblinded_datasets(cut: DataCut) -> dict[str, Path]:
    """The same of those with the arms."""
    return _files_below(_closed_place(), f"{cut.name}.datasets-")


def write_blinded(cut: DataCut) -> Path:
    """Write the data sets of a cut without the arms, under its look's plan or else the study's. Safe to repeat.

    Raises InvalidEntry for a cut that is not taken, CutDoesNotVerify.
    """
    plan, number = _plan_of(cut)
    cuts.verify_folder(cuts.blinded_folder(cut.name), sha256=cut.manifest_sha256)
    return _written(cut, plan, number, None)


def write_unblinded(cut: DataCut) -> Path:
    """Write them with the arms allocated and received; works for the unblinded side only. Raises as above."""
    plan, number = _plan_of(cut)
    arms = cuts.arms_of(cut)
    return _written(cut, plan, number, arms)


def hashes_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every data set in a folder, as its manifest says, by the file's name."""
    return {name: entry["sha256"] for name, entry in sorted(read_files(folder).items())}


def read_files(folder: Path) -> dict[str, Any]:
    """What the manifest of a folder of data sets says of each file. Raises CutDoesNotVerify."""
    files: dict[str, Any] = cuts.read_manifest(folder).manifest["files"]
    return files


def folder_of(look: Look, *, unblinded: bool) -> Path:
    """Where the data sets of a look lie, whether or not they were written."""
    return _folder(look.cut, look.plan, look.number, unblinded=unblinded)


@contextmanager
def written_for_comparison(look: Look, arms: pd.Series[str] | None = None) -> Iterator[Path]:
    """The data sets of a look written anew, in a folder that is gone when the block ends.

    With arms it lies in the closed side's place. Raises CutDoesNotVerify.
    """
    place = Path(settings.CUTS_DIR if arms is None else settings.CLOSED_DIR)
    with TemporaryDirectory(prefix=".compared-", dir=place) as name:
        _fill(Path(name), look.cut, look.plan, look.number, arms)
        yield Path(name)


def _plan_of(cut: DataCut) -> tuple[Plan, int | None]:
    if cut.status != DataCut.Status.TAKEN:
        raise InvalidEntry(f"Cut {cut} is not taken, so nothing can be derived from it.", field="cut")
    look = cut.looks.select_related("plan").first()
    return (look.plan, look.number) if look else (plans.current_plan(cut.study), None)


def _folder(cut: DataCut, plan: Plan, number: int | None, *, unblinded: bool) -> Path:
    """A look brings its clinical cut-off: what was written of its cut before the look is another thing.

    Raises InvalidEntry for a plan whose version is no plain part of a name.
    """
    # The version as the row has it, which the open side wrote: one that climbs would choose where the arms are written.
    if not _VERSION.fullmatch(plan.version):
        raise InvalidEntry(f"{plan.version!r} is not a plan's version: numbers and points, such as 1.0.", field="plan")
    name = f"{cut.name}.datasets-{plan.version}" + (f"-look-{number}" if number else "")
    return (_closed_place() if unblinded else cuts.blinded_folder(cut.name).parent) / name


def _written(cut: DataCut, plan: Plan, number: int | None, arms: pd.Series[str] | None) -> Path:
    final = _folder(cut, plan, number, unblinded=arms is not None)
    if not final.exists():
        with new_folder(final, mode=_OPEN if arms is None else _UNBLINDED_ONLY) as folder:
            _fill(folder, cut, plan, number, arms)
    cuts.verify_folder(final)
    return final


def _fill(folder: Path, cut: DataCut, plan: Plan, number: int | None, arms: pd.Series[str] | None) -> None:
    trial = load_trial(cuts.blinded_folder(cut.name), orjson.loads(plan.source), look=number)
    columns = None if arms is None else as_received(trial, arms)
    tables = {"adsl": participant_level(trial, columns), "adqs": by_timepoint(trial, columns)}
    files = {name: entry for stem, frame in tables.items() for name, entry in _write(folder, stem, frame).items()}
    about = _about(trial, cut, plan) | {"part": "blinded" if arms is None else "unblinded", "look": number}
    write_manifest(folder, {**about, "files": files})


def _about(trial: Trial, cut: DataCut, plan: Plan) -> dict[str, Any]:
    return {
        "format": 1,
        "study": trial.cut.study,
        "cut": cut.name,
        "cut_manifest_sha256": cut.manifest_sha256,
        "plan_version": plan.version,
        "plan_sha256": plan.sha256,
        "clinical_cutoff": trial.cutoff.isoformat() if trial.cutoff else None,
        "code_version": code_version(),
        "csv": "In CSV a text that begins like a formula has an apostrophe before it; Parquet has it as it is.",
    }


def _write(folder: Path, stem: str, frame: pd.DataFrame) -> dict[str, Any]:
    """One table in both formats; what the manifest says of each."""
    table = _table(frame)
    pq.write_table(table, folder / f"{stem}.parquet", compression="zstd")
    pyarrow.csv.write_csv(_table(_without_formulas(frame)), folder / f"{stem}.csv")
    columns = [{"name": field.name, "type": str(field.type), "label": label_of(field.name)} for field in table.schema]
    counted = Counted(table.num_rows, sum(len(column) - column.null_count for column in table.columns))
    return {
        name: {"kind": stem, **file_entry(folder / name, counted, columns)}
        for name in (f"{stem}.parquet", f"{stem}.csv")
    }


def _table(frame: pd.DataFrame) -> pa.Table:
    """Days as days, texts as texts, also in a table without rows; nothing of pandas in the file."""
    days = frame.select_dtypes("datetime").columns
    fields = []
    for name, kind in frame.dtypes.items():
        if name in days:
            fields.append(pa.field(str(name), pa.date32()))
        elif pd.api.types.is_integer_dtype(kind):
            fields.append(pa.field(str(name), pa.int64()))
        elif pd.api.types.is_float_dtype(kind):
            fields.append(pa.field(str(name), pa.float64()))
        else:
            fields.append(pa.field(str(name), pa.string()))
    return pa.Table.from_pandas(frame, schema=pa.schema(fields), preserve_index=False).replace_schema_metadata()


def _without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    texts = [name for name, kind in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    safe: Mapping[Any, Any] = {
        name: frame[name].map(
            lambda value: f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
        )
        for name in texts
    }
    return frame.assign(**safe)


def _files_below(place: Path, prefix: str) -> dict[str, Path]:
    """Files of every folder of this cut's data sets, named for the plan's version and the file."""
    found = {}
    for folder in sorted(place.glob(f"{prefix}*")) if place.exists() else ():
        version = folder.name.removeprefix(prefix)
        files = [*sorted(cuts.read_manifest(folder).manifest["files"]), cuts.MANIFEST]
        found.update({f"analysis-{version}-{file}": folder / file for file in files})
    return found


def _closed_place() -> Path:
    return Path(settings.CLOSED_DIR) / "datasets"
