"""Analysis data sets as files: Parquet and CSV with a manifest, beside the cut they come from, written once.

The blinded ones lie beside the blinded cut and may be read at the open door; those with the arms lie in the closed
side's place and are written by the unblinded side only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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
from analysis.models import DataCut, Plan
from studies.errors import InvalidEntry

_OPEN, _UNBLINDED_ONLY = 0o555, 0o500
# A spreadsheet would run these as formulas; the Parquet file has the text as it is.
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
    final = cuts.blinded_folder(cut.name).with_name(f"{cut.name}.datasets-{plan.version}")
    return _written(final, cut, plan, number, None)


def write_unblinded(cut: DataCut) -> Path:
    """Write them with the arms allocated and received; works for the unblinded side only. Raises as above."""
    plan, number = _plan_of(cut)
    arms = cuts.arms_of(cut)
    return _written(_closed_place() / f"{cut.name}.datasets-{plan.version}", cut, plan, number, arms)


def _plan_of(cut: DataCut) -> tuple[Plan, int | None]:
    if cut.status != DataCut.Status.TAKEN:
        raise InvalidEntry(f"Cut {cut} is not taken, so nothing can be derived from it.", field="cut")
    look = cut.looks.select_related("plan").first()
    return (look.plan, look.number) if look else (plans.current_plan(cut.study), None)


def _written(final: Path, cut: DataCut, plan: Plan, number: int | None, arms: pd.Series[str] | None) -> Path:
    if not final.exists():
        trial = load_trial(cuts.blinded_folder(cut.name), orjson.loads(plan.source), look=number)
        columns = None if arms is None else as_received(trial, arms)
        tables = {"adsl": participant_level(trial, columns), "adqs": by_timepoint(trial, columns)}
        with new_folder(final, mode=_OPEN if arms is None else _UNBLINDED_ONLY) as folder:
            files = {
                name: entry for stem, frame in tables.items() for name, entry in _write(folder, stem, frame).items()
            }
            about = _about(trial, cut, plan) | {"part": "blinded" if arms is None else "unblinded"}
            write_manifest(folder, {**about, "files": files})
    cuts.verify_folder(final)
    return final


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
