"""One consistent view of the database, read as streams of Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]
from django.db import connection
from psycopg.conninfo import make_conninfo

from analysis.cuts.tables import CutTable

# Rows of a row group: the same whatever sizes the server sends, so that the same rows give the same file.
_ROW_GROUP = 200_000
_LOCK_CLASS = 7331


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of a table and those of its cells that hold a value."""

    rows: int
    cells: int


class Snapshot:
    """A repeatable-read, read-only transaction: all queries see the database at one moment."""

    def __init__(self, cursor: dbapi.Cursor) -> None:
        self._cursor = cursor
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SELECT clock_timestamp(), pg_current_snapshot()::text")
        self.at: datetime
        self.text: str
        self.at, self.text = cursor.fetchone()

    def lock(self, key: int) -> None:
        """Wait until no other worker writes the cut with this key. Held to the transaction's end."""
        # Counted because the driver knows no void.
        query = "SELECT count(*) FROM (SELECT pg_advisory_xact_lock({}, {})) l"
        self._cursor.execute(query.format(_LOCK_CLASS, int(key)))
        self._cursor.fetchall()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        self._cursor.execute(query)
        return [tuple(row) for row in self._cursor.fetchall()]

    def count(self, table: CutTable, study: int) -> Counted:
        """What the database itself counts."""
        self._cursor.execute(table.count(study))
        rows, cells = self._cursor.fetchone()
        return Counted(rows, cells)

    def write(self, table: CutTable, study: int, path: Path) -> None:
        """Stream the rows of `table` into a Parquet file, in bounded memory."""
        self._cursor.execute(table.select(study))
        schema = table.schema
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in _regrouped(self._cursor.fetch_record_batch(), schema):
                writer.write_table(batch, row_group_size=_ROW_GROUP)


@contextmanager
def snapshot() -> Iterator[Snapshot]:
    """Open a snapshot on a connection of its own, as the role of this process."""
    settings = connection.get_connection_params()
    wanted = {key: settings[key] for key in ("dbname", "user", "password", "host", "port") if settings.get(key)}
    with dbapi.connect(make_conninfo("", **wanted)) as database, database.cursor() as cursor:
        yield Snapshot(cursor)


def counted_in_file(path: Path) -> Counted:
    """What a Parquet file counts of itself."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    nulls = sum(group.column(j).statistics.null_count for group in groups for j in range(metadata.num_columns))
    return Counted(metadata.num_rows, metadata.num_rows * metadata.num_columns - nulls)


def _regrouped(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The batches, cast to `schema`, in tables of _ROW_GROUP rows; the last may be shorter."""
    kept: list[pa.Table] = []
    waiting = 0
    for batch in batches:
        kept.append(pa.Table.from_batches([batch]).cast(schema))
        waiting += batch.num_rows
        while waiting >= _ROW_GROUP:
            together = pa.concat_tables(kept)
            yield together.slice(0, _ROW_GROUP)
            kept, waiting = [together.slice(_ROW_GROUP)], waiting - _ROW_GROUP
    if waiting:
        yield pa.concat_tables(kept)
