"""Analysis sets and derived endpoints from the rows of a cut."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.datasets import load_trial, local_days
from tests.analysis.kalm_cut import KalmTrial, kalm_trial, plan_of

PLAN = plan_of()


@pytest.fixture
def small() -> KalmTrial:
    return kalm_trial(16, seed=3)


def first(trial: KalmTrial, kind: str, participant: int) -> dict[str, Any]:
    return next(row for row in trial.rows[kind] if row.get("participant_id", row["id"]) == participant)


def diary_of(trial: KalmTrial, participant: int) -> list[tuple[dict[str, Any], int]]:
    """The diary rows of one participant, each with its day from the infusion."""
    day0 = first(trial, "infusion", participant)["started_at"].date()
    rows = [r for r in trial.rows["response"] if r["participant_id"] == participant and r.get("day")]
    return [(row, (row["day"] - day0).days) for row in rows]


def keep_diary(trial: KalmTrial, participant: int, keep: dict[int, float]) -> None:
    """Leave only these diary days of one participant, with these average pains."""
    kept = {row["id"]: keep[day] for row, day in diary_of(trial, participant) if day in keep}
    assert len(kept) == len(keep), "the simulated diary lacks one of these days"
    gone = {row["id"] for row, _ in diary_of(trial, participant)} - set(kept)
    trial.rows["response"] = [row for row in trial.rows["response"] if row["id"] not in gone]
    for item in trial.rows["responseitem"]:
        if item["response_id"] in kept and item["item"] == "average":
            item["value"] = kept[item["response_id"]]


def days_there(trial: KalmTrial, participant: int) -> list[int]:
    return sorted(day for _, day in diary_of(trial, participant))


def values(trial: KalmTrial, folder: Path, *, look: int | None = None) -> tuple[Any, pd.DataFrame]:
    cut, _ = trial.write(folder)
    loaded = load_trial(cut, PLAN, look=look)
    return loaded, loaded.values(loaded.plan.primary_endpoint)


def test_a_diary_mean_is_over_days_22_to_28_counted_from_the_infusion(small, tmp_path):
    person = int(small.arms.index[0])
    chosen = [day for day in days_there(small, person) if 21 <= day <= 29]
    assert {21, 29} <= set(chosen), "a day on either side of the week is needed to show that it does not count"
    keep_diary(small, person, {day: float(day) if 22 <= day <= 28 else 0.0 for day in chosen})
    _, found = values(small, tmp_path)
    assert found.loc[person, "WK4"] == np.mean([day for day in chosen if 22 <= day <= 28])


def test_a_day_answered_under_two_versions_of_the_diary_counts_once_with_its_later_answer(small, tmp_path):
    person = int(small.arms.index[0])
    week = [day for day in days_there(small, person) if 22 <= day <= 28][:4]
    keep_diary(small, person, dict.fromkeys(week, 5.0))
    old = next(row for row, day in diary_of(small, person) if day == week[0])
    small.rows["instrumentversion"].append({"id": 9_000_000, "key": "diary_daily", "version": "2.0", "name": "Diary"})
    later = {"id": 9_000_001, "instrument_id": 9_000_000, "completed_at": old["completed_at"] + timedelta(hours=1)}
    small.rows["response"].append({**old, **later})
    small.rows["responseitem"].append({"id": 9_000_002, "response_id": 9_000_001, "item": "average", "value": 1.0})
    _, found = values(small, tmp_path)
    assert found.loc[person, "WK4"] == (1 + 3 * 5) / 4


@pytest.mark.parametrize(("entries", "there"), [(3, False), (4, True)])
def test_a_week_needs_four_entries(small, tmp_path, entries, there):
    person = int(small.arms.index[0])
    week = [day for day in days_there(small, person) if 22 <= day <= 28][:entries]
    keep_diary(small, person, dict.fromkeys(week, 5.0))
    _, found = values(small, tmp_path)
    assert bool(found["WK4"].notna()[person]) is there


def test_the_day_of_the_infusion_is_the_sites_calendar_day():
    # 23:30 UTC is the next morning in Perth and still the evening before in Toronto.
    moments = pd.Series(pd.to_datetime(["2026-03-02T23:30Z", "2026-03-03T03:00Z"], utc=True))
    zones = pd.Series(["Australia/Perth", "America/Toronto"])
    assert list(local_days(moments, zones).dt.date) == [date(2026, 3, 3), date(2026, 3, 2)]


def test_nothing_after_the_clinical_cut_off_counts(tmp_path):
    trial = kalm_trial(16, seed=3, start=date(2026, 5, 10))
    loaded, found = values(trial, tmp_path, look=1)
    whole = load_trial(tmp_path / "KALM-cut-1", PLAN)
    later = whole.people["infusion_on"] > pd.Timestamp("2026-05-31")
    assert 0 < later.sum() < len(later)
    assert not loaded.people[["RAND", "FAS", "SAF"]].reindex(later.index[later]).fillna(value=False).any(axis=None)
    assert whole.values(whole.plan.primary_endpoint)["WK4"].notna().any()
    assert found["WK4"].isna().all()


def test_an_unplanned_look_has_no_cut_off_but_the_cut(small, tmp_path):
    loaded, _ = values(small, tmp_path, look=4)
    assert loaded.cutoff is None
    assert loaded.data_date == pd.Timestamp("2026-11-24")


def test_the_full_analysis_set_leaves_out_who_was_never_infused_and_has_no_later_data(small, tmp_path):
    never, later = (int(key) for key in small.arms.index[:2])
    small.rows["infusion"] = [r for r in small.rows["infusion"] if r["participant_id"] not in (never, later)]
    after = first(small, "allocation", never)["allocated_at"]
    small.rows["response"] = [
        row for row in small.rows["response"] if row["participant_id"] != never or row["completed_at"] <= after
    ]
    loaded, _ = values(small, tmp_path)
    assert loaded.people.loc[never, ["RAND", "FAS", "SAF"]].to_list() == [True, False, False]
    assert loaded.people.loc[later, ["RAND", "FAS", "SAF"]].to_list() == [True, True, False]


@pytest.mark.parametrize(("percent", "within"), [(79.99, False), (80.0, True)])
def test_per_protocol_needs_four_fifths_of_the_infusion(small, tmp_path, percent, within):
    person = int(small.arms.index[0])
    small.rows["deviation"] = []
    first(small, "infusion", person)["delivered_percent"] = percent
    loaded, _ = values(small, tmp_path)
    assert bool(loaded.people.loc[person, "PP"]) is within
    assert bool(loaded.people.loc[person, "FAS"])


@pytest.mark.parametrize(("severity", "within"), [("minor", True), ("major", False)])
def test_a_major_deviation_excludes_from_per_protocol(small, tmp_path, severity, within):
    person = int(small.arms.index[0])
    first(small, "infusion", person)["delivered_percent"] = 100
    row = {"id": 1, "participant_id": person, "kind": "other", "severity": severity, "occurred_on": date(2026, 1, 2)}
    small.rows["deviation"] = [row]
    loaded, _ = values(small, tmp_path)
    assert bool(loaded.people.loc[person, "PP"]) is within


def test_a_population_that_a_cut_cannot_derive_says_which_it_can(small, tmp_path):
    loaded, _ = values(small, tmp_path)
    with pytest.raises(ValueError, match="PKS cannot be derived from a cut; RAND, FAS, PP and SAF can"):
        loaded.population("PKS")


def test_of_two_forms_at_one_visit_the_one_completed_last_counts(small, tmp_path):
    person = int(small.arms.index[0])
    visit = next(r for r in small.rows["visit"] if r["participant_id"] == person and r["code"] == "W1")
    old = next(r for r in small.rows["response"] if r.get("visit_id") == visit["id"])
    key = next(r["key"] for r in small.rows["instrumentversion"] if r["id"] == old["instrument_id"])
    assert key == "sf_mpq_2"
    small.rows["response"].append({**old, "id": 9_000_001, "completed_at": old["completed_at"] + timedelta(hours=1)})
    small.rows["score"].append(
        {"id": 9_000_002, "response_id": 9_000_001, "participant_id": person, "name": "affective", "number": 0.125}
    )
    cut, _ = small.write(tmp_path)
    loaded = load_trial(cut, PLAN)
    assert loaded.values(loaded.plan.endpoint("affective_week4")).loc[person, "W1"] == 0.125


def test_sensory_testing_counts_its_z_in_the_test_area(small, tmp_path):
    person = int(small.arms.index[0])
    visit = next(r for r in small.rows["visit"] if r["participant_id"] == person and r["code"] == "W1")
    small.rows["qstsession"] = [
        {"id": 5, "participant_id": person, "visit_id": visit["id"], "tested_at": visit["started_at"]}
    ]
    small.rows["qstvalue"] = [
        {"id": 1, "session_id": 5, "participant_id": person, "area": "test", "parameter": "composite", "z": -0.75},
        {"id": 2, "session_id": 5, "participant_id": person, "area": "control", "parameter": "composite", "z": 2.0},
    ]
    cut, _ = small.write(tmp_path)
    loaded = load_trial(cut, PLAN)
    assert loaded.values(loaded.plan.endpoint("qst_week4")).loc[person, "W1"] == -0.75


def test_participants_stand_in_the_order_of_their_identifiers_whatever_their_keys(tmp_path):
    trial = kalm_trial(12, seed=5)
    small = trial.rows["participant"]
    small[0]["identifier"], small[1]["identifier"] = small[1]["identifier"], small[0]["identifier"]
    loaded, found = values(trial, tmp_path)
    assert loaded.people["identifier"].is_monotonic_increasing
    assert list(found.index) == list(loaded.people.index)


def test_a_cut_without_a_file_says_so(small, tmp_path):
    cut, _ = small.write(tmp_path)
    (cut / "infusion.parquet").unlink()
    with pytest.raises(ValueError, match=r"has no infusion\.parquet; take the cut anew"):
        _ = load_trial(cut, PLAN).people


@settings(max_examples=200, deadline=None)
@given(
    moment=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(["Europe/Berlin", "America/Toronto", "Australia/Perth"]),
)
def test_a_local_day_is_the_one_that_the_standard_library_says(moment, zone):
    [found] = local_days(pd.Series(pd.to_datetime([moment], utc=True)), pd.Series([zone]))
    assert found.date() == moment.astimezone(ZoneInfo(zone)).date()
