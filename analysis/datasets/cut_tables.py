"""Reading the Parquet files of a cut folder, and days as the sites' calendars have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Filters = Sequence[tuple[str, str, Any]]


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut folder and its manifest. Files are read when asked for, and only the columns asked for."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.manifest["cut"])

    @property
    def study(self) -> str:
        return str(self.manifest["study"])

    @property
    def taken_at(self) -> datetime:
        return datetime.fromisoformat(self.manifest["taken_at"])

    def rows(self, kind: str, columns: Sequence[str], *, where: Filters | None = None) -> pd.DataFrame:
        """The rows of one record kind, numbers as numbers, times in UTC, days as timestamps at midnight.

        where: pyarrow filters, all of which must hold. Raises ValueError if the cut lacks the file or a column.
        """
        path = self.folder / f"{kind}.parquet"
        if not path.exists():
            raise ValueError(f"Cut folder {self.folder.name} has no {path.name}; take the cut anew.")
        missing = sorted(set(columns) - set(pq.read_schema(path).names))
        if missing:
            raise ValueError(f"{path.name} of cut {self.folder.name} lacks the columns {', '.join(missing)}.")
        table = pq.read_table(path, columns=list(columns), filters=list(where) if where else None)
        rows: pd.DataFrame = _plain(table).to_pandas(date_as_object=False)
        return rows


def open_cut(folder: Path) -> Cut:
    """The cut in a folder. Raises FileNotFoundError without a manifest."""
    return Cut(folder, orjson.loads((folder / "manifest.json").read_bytes()))


def local_days(moments: pd.Series[Any], zones: pd.Series[Any]) -> pd.Series[Any]:
    """The calendar day of each moment (UTC) in the time zone beside it; same index, naive midnights."""
    days = pd.Series(pd.NaT, index=moments.index, dtype="datetime64[us]")
    for zone in sorted(zones.dropna().unique()):
        here = (zones == zone) & moments.notna()
        days[here] = moments[here].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    return days


def _plain(table: pa.Table) -> pa.Table:
    """Decimals become floats: analysis computes in double precision."""
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(index, field.name, table[field.name].cast(pa.float64()))
    return table
