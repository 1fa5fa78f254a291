"""Analysis data sets: what their rows say, and that every row leads back to the rows of the cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.datasets import Trial, as_received, by_timepoint, load_trial, participant_level
from analysis.datasets.labels import label_of
from tests.analysis.kalm_cut import KalmTrial, kalm_trial, plan_of

PLAN = plan_of()


@pytest.fixture(scope="module")
def rows() -> KalmTrial:
    return kalm_trial(24, seed=3)


@pytest.fixture(scope="module")
def trial(rows: KalmTrial, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    for number, kind in enumerate(rows.rows.values()):
        for place, row in enumerate(kind):
            row["change_no"] = 1000 * number + place
    cut, _ = rows.write(tmp_path_factory.mktemp("tables"))
    return load_trial(cut, PLAN, look=1)


@pytest.fixture(scope="module")
def adqs(trial: Trial) -> pd.DataFrame:
    return by_timepoint(trial)


def by_key(rows: KalmTrial, kind: str) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in rows.rows[kind]}


def test_there_is_one_row_a_participant_with_every_population_as_yes_or_no(trial: Trial):
    adsl = participant_level(trial)
    assert adsl["USUBJID"].is_unique
    assert len(adsl) == len(trial.people)
    for flag, code in (("ITTFL", "RAND"), ("MITTFL", "FAS"), ("PPROTFL", "PP"), ("SAFFL", "SAF")):
        assert adsl[flag].eq("Y").tolist() == trial.people[code].tolist()
    # Whoever is per protocol was treated, and whoever was treated is in the full set.
    assert not (adsl["PPROTFL"].eq("Y") & adsl["SAFFL"].eq("N")).any()
    assert not (adsl["SAFFL"].eq("Y") & adsl["MITTFL"].eq("N")).any()
    assert not {"TRT01P", "TRT01A"} & set(adsl.columns)


def test_a_participants_row_names_its_sources_with_their_change_numbers(trial: Trial, rows: KalmTrial):
    adsl = participant_level(trial)
    participants, allocations = by_key(rows, "participant"), rows.rows["allocation"]
    by_participant = {row["participant_id"]: row for row in allocations}
    for row in adsl.to_dict("records"):
        source = participants[row["SRCSEQ"]]
        assert (row["SRCDOM"], row["SUBJID"], row["SRCCHG"]) == (
            "participant",
            source["identifier"],
            source["change_no"],
        )
        if row["ITTFL"] == "Y":
            assert row["ALLOCCHG"] == by_participant[row["SRCSEQ"]]["change_no"]


def test_every_value_is_the_mean_of_the_source_rows_it_names(adqs: pd.DataFrame, rows: KalmTrial):
    tables = {"responseitem": ("value", by_key(rows, "responseitem")), "score": ("number", by_key(rows, "score"))}
    tables["qstvalue"] = ("z", by_key(rows, "qstvalue"))
    checked = 0
    for row in adqs.dropna(subset=["AVAL"]).to_dict("records"):
        column, source = tables[row["SRCDOM"]]
        keys = [int(key) for key in row["SRCSEQ"].split(";")]
        assert [source[key]["change_no"] for key in keys] == [int(number) for number in row["SRCCHG"].split(";")]
        assert row["AVAL"] == pytest.approx(sum(source[key][column] for key in keys) / len(keys))
        assert row["NSRC"] == len(keys)
        checked += 1
    assert checked > 1000


def test_change_is_value_minus_baseline_and_the_baseline_row_has_none(adqs: pd.DataFrame):
    known = adqs.dropna(subset=["AVAL", "BASE"])
    after, at = known[known["ABLFL"] != "Y"], known[known["ABLFL"] == "Y"]
    assert (after["CHG"] - (after["AVAL"] - after["BASE"])).abs().max() < 1e-12
    assert at["CHG"].isna().all()
    assert at["AVAL"].eq(at["BASE"]).all()


def test_too_few_diary_days_leave_the_row_without_a_value(adqs: pd.DataFrame):
    weeks = adqs[adqs["PARAMCD"] == "pain_week4"]
    assert weeks.loc[weeks["NSRC"] < 4, "AVAL"].isna().all()
    assert weeks.loc[weeks["NSRC"] >= 4, "AVAL"].notna().all()
    assert weeks.loc[weeks["NSRC"] > 1, "DTYPE"].eq("AVERAGE").all()


def test_values_are_those_that_the_looks_analyse(adqs: pd.DataFrame, trial: Trial):
    endpoint = trial.plan.primary_endpoint
    wide = adqs[adqs["PARAMCD"] == endpoint.id].pivot_table(index="USUBJID", columns="AVISIT", values="AVAL")
    expected = trial.values(endpoint).set_axis("KALM-" + trial.people["identifier"].astype(str))
    for code in ("BASE", "WK4"):
        pd.testing.assert_series_equal(
            wide[code].dropna().sort_index(), expected[code].dropna().sort_index(), check_names=False
        )


def test_nothing_after_the_clinical_cutoff_is_in_them(adqs: pd.DataFrame, trial: Trial):
    assert adqs["ADT"].max() <= trial.until


def test_the_arms_come_in_only_where_they_are_given(trial: Trial, rows: KalmTrial):
    arms = as_received(trial, rows.arms)
    adsl, adqs = participant_level(trial, arms), by_timepoint(trial, arms)
    assert adsl.loc[adsl["ITTFL"] == "Y", "TRT01P"].isin(["KET", "MDZ"]).all()
    assert adsl.loc[adsl["SAFFL"] == "N", "TRT01A"].isna().all()
    assert set(adqs["TRT01P"].dropna()) == {"KET", "MDZ"}


def test_a_kit_of_somebody_else_shows_as_the_arm_received(tmp_path: Path):
    mixed = kalm_trial(16, seed=4)
    ket, mdz = (int(mixed.arms.index[mixed.arms == code][0]) for code in ("KET", "MDZ"))
    kits = {row["participant_id"]: row["kit_number"] for row in mixed.rows["allocation"]}
    next(row for row in mixed.rows["infusion"] if row["participant_id"] == ket)["kit_number"] = kits[mdz]
    cut, _ = mixed.write(tmp_path)
    arms = as_received(load_trial(cut, PLAN, look=1), mixed.arms)
    assert (arms.loc[ket, "TRT01P"], arms.loc[ket, "TRT01A"]) == ("KET", "MDZ")


def test_every_column_has_a_label(trial: Trial, rows: KalmTrial, adqs: pd.DataFrame):
    columns = [*participant_level(trial, as_received(trial, rows.arms)).columns, *adqs.columns]
    assert all(label_of(column) for column in columns)
    assert label_of("STR_PAIN_STRATUM") == "Stratum at randomisation: pain stratum"


def test_a_trial_without_anybody_gives_tables_without_rows(tmp_path: Path):
    empty = kalm_trial(8, seed=4)
    nothing = KalmTrial({k: empty.rows[k] for k in ("protocolversion", "site")}, {}, empty.arms)
    cut, _ = nothing.write(tmp_path)
    trial = load_trial(cut, PLAN, look=1)
    assert participant_level(trial).empty
    assert by_timepoint(trial).empty
