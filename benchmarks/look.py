"""A whole interim look on 10,000 participants: from the files of the cut to both reports as they are sealed.

The cut is made from the rows of a trial of 250, forty times over with keys of their own, and filled up with 20
instruments at 8 visits; it never was in a database. What is timed verifies the files, derives, fits, decides and
renders both reports; writing the sealed bytes into the database is left out.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.measuring import Line, apart

PARTICIPANTS, BASE, VISITS, INSTRUMENTS, ITEMS = 10_000, 250, 8, 20, 10
# Keys of the next copy of the base trial begin this much higher.
STEP = 10_000_000
LOOK, CUT, SIDES = 2, "BENCH-cut-1", ("open", "closed")
ABOUT = {
    "study": "KALM",
    "look": LOOK,
    "planned": True,
    "unplanned_reason": "",
    "cut": CUT,
    "cut_taken_at": "2026-11-24T08:00:00+00:00",
    "cut_manifest_sha256": "0" * 64,
    "plan_sha256": "0" * 64,
    "code_version": "bench",
}
# Tables that describe the study: there is one of each, however many participants.
_ONCE = frozenset({"study", "protocolversion", "site", "stratum", "instrumentversion", "importedfile", "device"})
_SHARED_KEYS = frozenset({"study_id", "site_id", "instrument_id", "protocol_version_id", "stratum_id", "device_id"})
_UNIQUE_TEXTS = frozenset({"identifier", "kit_number", "randomisation_number"})


def measure() -> Iterator[Line]:
    """Both sides at once, each in a process of its own, as the two workers of a site run them."""
    with tempfile.TemporaryDirectory() as folder:
        rows = _make_cut(Path(folder))
        with ThreadPoolExecutor() as pool:
            running = [pool.submit(apart, f"benchmarks.look:{side}_look", rounds=1, folder=folder) for side in SIDES]
            took = [each.result() for each in running]
    about = ", ".join(
        f"{side} {each.processor:.1f} s of processor in {each.seconds:.1f} s"
        for side, each in zip(SIDES, took, strict=True)
    )
    yield Line(
        f"a whole look on {PARTICIPANTS:,} participants x {VISITS} visits x {INSTRUMENTS} instruments",
        # What it takes with a processor for each side; the clock also counts whoever else is on the machine.
        max(each.processor for each in took),
        seconds_limit=30,
        memory_mb=max(each.mb for each in took),
        told=f"{about}; {rows:,} rows in the cut",
    )


def open_look(folder: str) -> Callable[[], list[str]]:
    """The call that makes the open report."""
    _set_up()
    from analysis.interim import open_result  # noqa: PLC0415 - needs a set-up Django

    root = Path(folder)
    plan = orjson.loads((root / "plan.json").read_bytes())
    return lambda: _sealed([root / CUT], plan, open_result(root / CUT, plan, look=LOOK))


def closed_look(folder: str) -> Callable[[], list[str]]:
    """The call that makes the closed report."""
    _set_up()
    from analysis.interim import closed_result  # noqa: PLC0415 - needs a set-up Django

    root = Path(folder)
    plan = orjson.loads((root / "plan.json").read_bytes())
    arms = pd.read_parquet(root / "arms.parquet").set_index("participant")["arm"]
    parts = [root / CUT, root / f"{CUT}.restricted"]
    return lambda: _sealed(parts, plan, closed_result(*parts, arms, plan, [], look=LOOK))


def _set_up() -> None:
    """Reports are templates, read through Django."""
    import django  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trialsite.settings")
    django.setup()


def _sealed(parts: list[Path], plan: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """Hashes of the files read and of the result with its pages."""
    from analysis.canonical import canonical_json, sha256_of, sha256_of_file  # noqa: PLC0415
    from analysis.reports import render  # noqa: PLC0415

    hashes = [sha256_of_file(path) for part in parts for path in sorted(part.iterdir())]
    result = {**values, "about": {**ABOUT, "plan_version": plan["version"]}}
    html, pdf = render(result)
    return [*hashes, *map(sha256_of, (canonical_json(result), html.encode(), pdf))]


def _make_cut(root: Path) -> int:
    """Write the cut with its restricted part, arms and plan; how many rows it has."""
    from tests.analysis.kalm_cut import kalm_trial, plan_of  # noqa: PLC0415 - needs a set-up Django

    trial = kalm_trial(BASE, start=date(2025, 9, 1))
    base, restricted = trial.write(root / "base", name=CUT)
    copies = PARTICIPANTS // BASE
    rows = 0
    for part in (base, restricted):
        target = root / part.name
        target.mkdir()
        (target / "manifest.json").write_bytes((part / "manifest.json").read_bytes())
        for path in sorted(part.glob("*.parquet")):
            table = _tiled(path.stem, pq.read_table(path), copies)
            if part == base:
                table = _filled_up(path.stem, table, pq.read_table(base / "participant.parquet"), copies)
            pq.write_table(table, target / path.name, compression="zstd")
            rows += table.num_rows
    rng = np.random.default_rng(1)
    keys = np.concatenate([trial.arms.index.to_numpy() + copy * STEP for copy in range(copies)])
    arms = pd.DataFrame({"participant": keys, "arm": np.where(rng.random(len(keys)) < 0.5, "KET", "MDZ")})
    arms.to_parquet(root / "arms.parquet")
    # The goal is one without resampling: imputation and tipping point draw hundreds of times, at any size.
    (root / "plan.json").write_bytes(orjson.dumps({**plan_of(), "sensitivity": []}))
    return rows


def _tiled(kind: str, table: pa.Table, copies: int) -> pa.Table:
    if kind in _ONCE:
        return table
    return pa.concat_tables(_copy(table, copy) for copy in range(copies))


def _copy(table: pa.Table, copy: int) -> pa.Table:
    """The same rows with keys and names of their own."""
    for place, field in enumerate(table.schema):
        name = field.name
        if name == "id" or (name.endswith("_id") and name not in _SHARED_KEYS and pa.types.is_integer(field.type)):
            column = pc.add(table[name], pa.scalar(copy * STEP, field.type))
        elif name in _UNIQUE_TEXTS:
            column = pc.binary_join_element_wise(table[name], f"{copy:02d}", "-")
        else:
            continue
        table = table.set_column(place, field, column.cast(field.type))
    return table


def _filled_up(kind: str, table: pa.Table, participants: pa.Table, copies: int) -> pa.Table:
    """Answers and scores of 20 more instruments at 8 visits, which the plan does not ask for but the files hold."""
    if kind not in ("instrumentversion", "response", "responseitem", "score"):
        return table
    first = participants["id"].to_numpy()
    people = np.concatenate([first + copy * STEP for copy in range(copies)])
    forms = np.arange(len(people) * VISITS * INSTRUMENTS, dtype=np.int64) + 1_000_000_000
    person = np.repeat(people, VISITS * INSTRUMENTS)
    instrument = np.tile(np.arange(INSTRUMENTS) + 900_000, len(people) * VISITS)
    taken = datetime(2026, 3, 2, 10, tzinfo=UTC)
    if kind == "instrumentversion":
        names = [f"bench_{number}" for number in range(INSTRUMENTS)]
        return _with(table, {"id": np.arange(INSTRUMENTS) + 900_000, "key": names, "name": names, "version": "1.0"})
    if kind == "response":
        known = {"id": forms, "participant_id": person, "instrument_id": instrument, "status": "complete"}
        return _with(table, {**known, "completed_at": taken, "entered_at": taken})
    if kind == "score":
        values = np.random.default_rng(2).normal(20, 5, len(forms))
        return _with(
            table, {"id": forms, "response_id": forms, "participant_id": person, "name": "total", "number": values}
        )
    # The items of a form are numbered 1 to 10.
    of_form = np.repeat(forms, ITEMS)
    items = pa.DictionaryArray.from_arrays(
        pa.array(np.tile(np.arange(ITEMS, dtype=np.int32), len(forms))), [str(item) for item in range(1, ITEMS + 1)]
    ).cast(pa.string())
    answers = np.random.default_rng(3).integers(0, 5, len(of_form)).astype(float)
    return _with(
        table, {"id": np.arange(len(of_form)) + 2_000_000_000, "response_id": of_form, "item": items, "value": answers}
    )


def _with(table: pa.Table, columns: dict[str, Any]) -> pa.Table:
    """The table with rows added: a value stands for all of them, a column not named is empty."""
    length = max(len(values) for values in columns.values() if not isinstance(values, str | datetime))
    arrays = []
    for field in table.schema:
        values = columns.get(field.name)
        if values is None:
            arrays.append(_empty(field, length))
        elif isinstance(values, str | datetime):
            arrays.append(pa.repeat(pa.scalar(values, field.type), length))
        else:
            made = values if isinstance(values, pa.Array) else pa.array(values)
            arrays.append(made.cast(field.type, safe=False))
    return pa.concat_tables([table, pa.table(arrays, schema=table.schema)])


def _empty(field: pa.Field, length: int) -> pa.Array:
    """No date, no number, an empty text, false: what the database would hold."""
    if pa.types.is_string(field.type):
        return pa.repeat(pa.scalar("", field.type), length)
    if pa.types.is_boolean(field.type):
        return pa.repeat(pa.scalar(False, field.type), length)
    return pa.nulls(length, field.type)
