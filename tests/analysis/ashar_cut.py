"""The Ashar 2022 trial as a cut: its CSV rows as an imported study holds them, without dates and without items."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from studies.protocol import load
from tests.analysis.cut_folders import write_cut, write_restricted

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "studies" / "protocols" / "ashar2022-1.0.yaml").read_text()
TABLE = ROOT / "tests" / "data" / "trials" / "ashar2022_outcomes_demographics.csv"
IMPORTED = datetime(2026, 11, 1, tzinfo=UTC)
ARMS = {1: "PRT", 2: "PLACEBO", 3: "USUAL_CARE"}
# The oracle's name of an outcome (a column of the file) -> instrument and score in the protocol.
OUTCOMES = {
    "pain_avg": ("nrs_avg_week", "value"),
    "bpi_intensity": ("bpi_sf", "severity"),
    "bpi_interference": ("bpi_sf", "interference"),
    "odi": ("odi", "total"),
    "promis_dep": ("promis_depression", "total"),
    "promis_anger": ("promis_anger", "total"),
    "promis_anxiety": ("promis_anxiety", "total"),
    "promis_sleep": ("promis_sleep", "total"),
    "panas_pa": ("panas_sf", "positive"),
    "panas_na": ("panas_sf", "negative"),
    "pcs": ("pcs", "total"),
    "tsk11": ("tsk11", "total"),
    "sopa_emo": ("sopa_emotion", "total"),
}


def ashar_cut(folder: Path, *, first_key: int = 1) -> tuple[Path, Path, pd.Series[Any]]:
    """The blinded part, the restricted part and the arms. first_key: where database keys begin."""
    table = pd.read_csv(TABLE, na_values=["<undefined>"])
    table = table[(table["is_patient"] == 1) & table["group"].notna()]
    rows: dict[str, list[dict[str, Any]]] = {
        "protocolversion": [{"id": first_key, "version": "1.0", "source": PROTOCOL}],
        "site": [
            {
                "id": first_key,
                "code": "BOULDER",
                "name": "Boulder",
                "time_zone": "America/Denver",
                "planned_participants": 151,
            }
        ],
    }
    instruments = sorted({instrument for instrument, _ in OUTCOMES.values()})
    keys = {instrument: first_key + place for place, instrument in enumerate(instruments)}
    rows["instrumentversion"] = [{"id": key, "key": name, "name": name} for name, key in keys.items()]
    arms = {}
    for place, (identifier, visits) in enumerate(table.groupby("id")):
        key = first_key + place
        arms[key] = ARMS[int(visits["group"].iloc[0])]
        _participant(rows, key, int(str(identifier)), visits)
        for _, visit in visits.iterrows():
            _visit(rows, key, visit, keys, first_key)
    protocol = load(PROTOCOL, source="test")
    cut = write_cut(folder / "ASHAR2022-cut-1", rows, protocol)
    restricted = write_restricted(folder / "ASHAR2022-cut-1.restricted", {}, protocol)
    return cut, restricted, pd.Series(arms, name="arm")


def _participant(rows: dict[str, list[dict[str, Any]]], key: int, identifier: int, visits: pd.DataFrame) -> None:
    first = visits.iloc[0]
    rows.setdefault("participant", []).append(
        {
            "id": key,
            "identifier": f"ASHAR-{identifier:04d}",
            "site_id": rows["site"][0]["id"],
            "status": "completed" if len(visits) == 2 else "randomised",
            "sex": {1: "M", 2: "F"}[int(first["gender"])],
            "age_years": int(first["age"]),
        }
    )
    rows.setdefault("allocation", []).append(
        {"id": key, "participant_id": key, "strata": '{"site": "BOULDER"}', "allocated_at": IMPORTED}
    )


def _visit(
    rows: dict[str, list[dict[str, Any]]], key: int, visit: pd.Series[Any], keys: dict[str, int], first_key: int
) -> None:
    time = int(visit["time"])
    visit_key = key * 10 + time
    rows.setdefault("visit", []).append(
        {"id": visit_key, "participant_id": key, "code": f"T{time}", "position": time, "status": "done"}
    )
    responses = rows.setdefault("response", [])
    for instrument, instrument_key in keys.items():
        scores = {name: visit[column] for column, (of, name) in OUTCOMES.items() if of == instrument}
        if all(pd.isna(value) for value in scores.values()):
            continue
        response = first_key + len(responses)
        responses.append(
            {
                "id": response,
                "participant_id": key,
                "visit_id": visit_key,
                "instrument_id": instrument_key,
                "status": "complete",
                "source": "import",
                "completed_at": IMPORTED,
                "entered_at": IMPORTED,
            }
        )
        for name, value in scores.items():
            known = not pd.isna(value)
            rows.setdefault("score", []).append(
                {
                    "id": response * 10 + len(name),
                    "response_id": response,
                    "participant_id": key,
                    "name": name,
                    "number": float(value) if known else None,
                    "missing_reason": None if known else "not in source",
                    "imported": True,
                }
            )
