"""Writes cut folders as the blinded worker does, from plain rows: same kinds, columns and types, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.cuts.tables import CutTable, blinded_tables, restricted_tables
from studies.protocol import ProtocolDefinition
from studies.protocol.arm_revealing import Revealing

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
TAKEN = datetime(2026, 11, 24, 8, tzinfo=UTC)


def write_cut(folder: Path, rows: Rows, protocol: ProtocolDefinition, *, taken_at: datetime = TAKEN) -> Path:
    """The blinded part of a cut; kinds that are not given are empty tables with their columns."""
    return _write(folder, rows, blinded_tables(Revealing.of([protocol])), protocol.study.code, taken_at)


def write_restricted(folder: Path, rows: Rows, protocol: ProtocolDefinition, *, taken_at: datetime = TAKEN) -> Path:
    """The arm-revealing rest."""
    return _write(folder, rows, restricted_tables(Revealing.of([protocol])), protocol.study.code, taken_at)


def _write(folder: Path, rows: Rows, tables: list[CutTable], study: str, taken_at: datetime) -> Path:
    folder.mkdir(parents=True)
    unknown = set(rows) - {table.kind for table in tables}
    assert not unknown, f"No such kinds in this part of a cut: {unknown}"
    for table in tables:
        pq.write_table(_table(rows.get(table.kind, ()), table), folder / table.file)
    manifest = {
        "format": 1,
        "cut": folder.name,
        "study": study,
        "taken_at": taken_at.isoformat(),
        "protocol_versions": [],
        "code_version": "0.1.0+test",
        "files": {},
    }
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))
    return folder


def _table(rows: Sequence[Mapping[str, Any]], table: CutTable) -> pa.Table:
    schema = table.schema
    stray = {name for row in rows for name in row} - set(schema.names)
    assert not stray, f"{table.kind} has no columns {stray}"
    columns = [[_value(row.get(field.name), field) for row in rows] for field in schema]
    return pa.table(
        [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def _value(value: Any, field: pa.Field) -> Any:
    """What the database would hold where a test names nothing: an empty text, false, no date."""
    if value is None and pa.types.is_boolean(field.type):
        return False
    if value is not None and pa.types.is_decimal(field.type):
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-field.type.scale))
    return value
