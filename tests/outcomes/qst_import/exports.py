"""Exports of a QST device for tests: the canonical CSV with the oracle's session, valid by default."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from outcomes.qst_import import LoadedDeviceMapping, load_device_mapping
from tests.outcomes.qst.oracle import session_readings

MAPPINGS = Path(__file__).resolve().parents[3] / "outcomes" / "qst_import" / "mappings"
COLUMNS = (
    *("participant", "visit", "area", "side", "parameter", "trial", "direction", "value", "unit", "cutoff"),
    *("device", "device_serial", "examiner", "timestamp"),
)
UNITS = dict.fromkeys(("CDT", "WDT", "TSL", "CPT", "HPT"), "°C") | {
    "PHS": "n",
    "MDT": "mN",
    "MPT": "mN",
    "VDT": "x/8",
    "PPT": "kPa",
}
Rows = list[dict[str, str]]


@cache
def mapping(name: str = "canonical") -> LoadedDeviceMapping:
    return load_device_mapping((MAPPINGS / f"{name}.yaml").read_text(), name=f"{name}.yaml")


def oracle_rows(participant: str, visit: str = "BL") -> Rows:
    """The oracle's session, one trial a row, as the canonical columns have it."""
    return [
        {
            "participant": participant,
            "visit": visit,
            "area": "test hand",
            "side": "left",
            "parameter": reading.parameter,
            "trial": str(reading.trial),
            "direction": reading.direction,
            "value": f"{reading.value:g}",
            "unit": UNITS.get(reading.parameter, "0-100"),
            "cutoff": "",
            "device": "TSA-II",
            "device_serial": "4711",
            "examiner": "cora",
            "timestamp": "2026-02-03T10:00:00",
        }
        for reading in session_readings()
    ]


def with_cell(rows: Rows, row: int, column: str, value: str) -> Rows:
    """The rows with one cell changed; `row` as a spreadsheet counts: the first reading is row 2."""
    changed = [dict(each) for each in rows]
    changed[row - 2][column] = value
    return changed


def as_csv(
    rows: Sequence[Mapping[str, str]],
    *,
    columns: Sequence[str] = COLUMNS,
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, delimiter=delimiter, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode(encoding)
