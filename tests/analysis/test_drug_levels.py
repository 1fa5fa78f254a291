"""Drug levels in the closed result, and in no other: what is summarised, what is left out, what they go with."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from analysis import cuts
from analysis.canonical import canonical_json
from analysis.datasets import load_trial
from analysis.interim import masked_result
from analysis.interim.groups import as_treated
from analysis.interim.pharmacokinetics import pharmacokinetics
from analysis.statistics.pharmacokinetics import noncompartmental
from outcomes.concentrations.taking import take_file
from studies.acting import Program
from studies.closed_door import create_account
from tests.analysis.drug_levels import levels_of_trial
from tests.analysis.kalm_cut import KalmTrial, kalm_trial, quick_plan
from tests.conftest import django_as
from tests.outcomes.concentrations.infused import infused_trial, laboratory_csv, profile

PLAN = quick_plan()
KET = "KALM-0001"


@pytest.fixture(scope="module")
def trial() -> KalmTrial:
    made = kalm_trial(60, seed=2, effect=1.0)
    for row in made.rows["infusion"]:
        row |= {"delivered_volume_ml": 36.2, "ended_at": row["started_at"] + timedelta(minutes=40)}
    return made


@pytest.fixture(scope="module")
def cut(trial: KalmTrial, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return trial.write(tmp_path_factory.mktemp("levels"))


@pytest.fixture(scope="module")
def levels(trial: KalmTrial) -> pd.DataFrame:
    return levels_of_trial(trial)


@pytest.fixture(scope="module")
def found(trial: KalmTrial, cut: tuple[Path, Path], levels: pd.DataFrame) -> dict[str, Any]:
    return result(trial, cut, levels)


def result(trial: KalmTrial, cut: tuple[Path, Path], levels: pd.DataFrame | None) -> dict[str, Any]:
    """That part of the closed result, as it is written."""
    loaded = load_trial(cut[0], PLAN, look=1)
    whole = pharmacokinetics(loaded, as_treated(loaded, trial.arms), levels)
    written: dict[str, Any] = json.loads(canonical_json(_plain(whole)))
    return written


def _plain(value: Any) -> Any:
    from analysis.interim.numbers import plain

    return plain(value)


def one(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    [row] = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return row


def test_the_set_counts_who_has_a_quantifiable_sample_after_the_start(trial, cut, levels, found):
    treated = int((trial.arms == "KET").sum())
    rows = [(row["arm"], row["treated"], row["sampled"], row["pks"]) for row in found["population"]]
    assert rows == [("KET", treated, treated, treated), ("MDZ", 60 - treated, 0, 0)]
    silent = levels.copy()
    first, second = levels["participant_id"].unique()[:2]
    silent.loc[silent["participant_id"].eq(first), "value"] = np.nan
    before_only = silent["participant_id"].eq(second) & silent["nominal_minute"].gt(0)
    silent.loc[before_only, "value"] = np.nan
    silent.loc[silent["participant_id"].eq(second) & silent["nominal_minute"].lt(0), "value"] = 5.0
    changed = result(trial, cut, silent)
    assert one(changed["population"], arm="KET")["pks"] == treated - 2
    assert "quantifiable" in one(changed["exposures"], participant=KET, analyte="ketamine")["why"]


def test_below_the_limit_is_0_in_means_and_absent_from_geometric_ones(trial, cut, levels):
    late = levels["analyte"].eq("ketamine") & levels["nominal_minute"].eq(240)
    some = levels.copy()
    some.loc[levels.index[late][:5], "value"] = np.nan
    row = one(result(trial, cut, some)["concentrations"], analyte="ketamine", minute=240)
    values = some.loc[late, "value"]
    known = np.log(values.dropna())
    assert (row["n"], row["below"]) == (len(values), 5)
    assert row["mean"] == pytest.approx(values.fillna(0).mean())
    assert row["geometric_mean"] == pytest.approx(np.exp(known.mean()))
    assert row["geometric_cv"] == pytest.approx(100 * np.sqrt(np.exp(known.var()) - 1))


def test_exposures_are_those_of_noncompartmental_analysis_at_actual_times(levels, found):
    person = levels[levels["participant_id"].eq(levels["participant_id"].iloc[0])]
    for analyte, dose in (("ketamine", 36.2), ("norketamine", None)):
        mine = person[person["analyte"].eq(analyte)]
        hours = None if dose is None else 40 / 60
        wanted = noncompartmental(
            mine["actual_minute"] / 60, mine["value"].fillna(0), lloq=1.0, dose_mg=dose, infusion_h=hours
        )
        row = one(found["exposures"], participant=KET, analyte=analyte)
        for name in ("cmax", "tmax", "auc_last", "auc_inf", "half_life", "clearance", "mrt"):
            value = getattr(wanted, name)
            assert row[name] == (None if np.isnan(value) else pytest.approx(value, rel=1e-9)), name
    peaks = [row["cmax"] for row in found["exposures"] if row["analyte"] == "ketamine"]
    row = one(found["parameters"], analyte="ketamine", parameter="cmax")
    assert row["geometric_mean"] == pytest.approx(np.exp(np.mean(np.log(peaks))))
    assert (row["n"], row["min"], row["max"]) == (len(peaks), min(peaks), max(peaks))


def test_slopes_are_those_of_least_squares_on_the_points_that_are_drawn(found):
    [relation] = found["exposure_response"]
    assert (relation["arm"], relation["endpoint"], relation["at"]) == ("KET", "pain_week4", "WK4")
    points = pd.DataFrame(relation["points"])
    area = np.log2([each["ketamine"] for each in points["auc_last"]])
    fit = sm.OLS(points["change"], sm.add_constant(np.column_stack([area, points["baseline"]]))).fit()
    row = one(relation["single"], analyte="ketamine", measure="auc_last")
    assert (row["n"], row["estimate"]) == (len(points), pytest.approx(fit.params.iloc[1]))
    assert row["se"] == pytest.approx(fit.bse.iloc[1])
    analytes = ["ketamine", "norketamine", "hydroxynorketamine"]
    assert [each["analyte"] for each in relation["joint"]["slopes"]] == analytes
    assert {each["against"] for each in relation["joint"]["differences"]} == {"ketamine"}
    assert len(row["line"]) == 15
    assert "do not bend" in row["emax"]["why"]


def test_few_participants_have_exposures_and_no_relation(trial, cut, levels):
    few = levels[levels["participant_id"].isin(levels["participant_id"].unique()[:6])]
    found = result(trial, cut, few)
    assert len(found["exposures"]) == 18
    [relation] = found["exposure_response"]
    assert all("fewer than 10 say nothing" in row["why"] for row in (*relation["single"], relation["joint"]))


def test_what_looks_exchanged_is_told(trial, cut, levels):
    """A level under midazolam, and one before the infusion as high as after it."""
    odd = levels.copy()
    odd.loc[odd["participant_id"].eq(odd["participant_id"].iloc[0]) & odd["nominal_minute"].lt(0), "value"] = 150.0
    other = trial.arms.index[trial.arms == "MDZ"][0]
    theirs = levels[levels["participant_id"].eq(levels["participant_id"].iloc[-1])].assign(participant_id=other)
    found = result(trial, cut, pd.concat([odd, theirs], ignore_index=True))
    assert [row["arm"] for row in found["unexpected"]] == ["MDZ"]
    assert {row["participant"] for row in found["pre_dose"]} == {KET}
    row = one(found["exposures"], participant=found["unexpected"][0]["participant"], analyte="ketamine")
    assert row["clearance"] is None, "the dose is not that of the arm"


def test_hostile_samples_are_told_and_not_computed(trial, cut, levels):
    """Two samples at one time, and two before the infusion."""
    twice = levels.copy()
    first, second = levels["participant_id"].unique()[:2]
    mine = twice["participant_id"].eq(first) & twice["nominal_minute"].isin([40, 60])
    twice.loc[mine, "actual_minute"] = 41.0
    twice.loc[twice["participant_id"].eq(second) & twice["nominal_minute"].eq(15), "actual_minute"] = -1.0
    found = result(trial, cut, twice)
    told = [row["why"] for row in found["exposures"] if not row["estimable"]]
    assert len(told) == 6
    assert all("time_h" in why for why in told)


def test_without_levels_the_result_says_why(trial, cut, levels):
    assert "before drug levels" in result(trial, cut, None)["why"]
    assert "No drug level had come" in result(trial, cut, levels.iloc[:0])["why"]


def test_neither_keys_of_a_database_nor_the_order_of_rows_change_a_byte(trial, levels, found, tmp_path):
    other = kalm_trial(60, seed=2, effect=1.0, first_key=500_000)
    for row in other.rows["infusion"]:
        row |= {"delivered_volume_ml": 36.2, "ended_at": row["started_at"] + timedelta(minutes=40)}
    moved = levels.assign(participant_id=levels["participant_id"] + 499_999).iloc[::-1]
    again = result(other, other.write(tmp_path), moved)
    assert canonical_json(again) == canonical_json(found)


def test_a_masked_result_has_nothing_of_them(trial, cut):
    masked = masked_result(*cut, trial.arms, PLAN, {"KET": "A", "MDZ": "B"}, look=1)
    assert "pharmacokinetics" not in masked
    assert "norketamine" not in json.dumps(masked)


# The unblinded cut ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_unblinded_cut_holds_what_had_come_by_then_and_the_blinded_one_nothing(folders: Path, pushed: Any):
    infused = infused_trial(3)
    one, two, _ = infused.people
    worker = Program("unblinded worker")
    with django_as("unblinded"):
        by = create_account(study=infused.study, username="phil", name="Phil", role="pharmacist", password="x")
        take_file(by, study=infused.study, content=laboratory_csv(profile(one.identifier)), name="a", laboratory="L")
    cut = cuts.take(cuts.order_cut(Program("test"), study=infused.study), progress=lambda done, of: None)
    later = laboratory_csv(profile(one.identifier, {40: "250.0"}), profile(two.identifier))
    with django_as("unblinded"):
        take_file(by, study=infused.study, content=later, name="b", laboratory="L", reason="re-assayed")
        folder = cuts.take_unblinded(worker, cut=cut)
        levels = cuts.levels_of(cut)
    assert levels is not None
    assert set(levels["participant_id"]) == {one.pk}
    assert levels.loc[levels["nominal_minute"].eq(40), "value"].to_list() == [201.0]
    assert (len(levels), int(levels["value"].isna().sum())) == (7, 2)
    assert {path.stat().st_mode & 0o277 for path in [folder, *folder.iterdir()]} == {0}
    for place in (cuts.blinded_folder(cut.name), cuts.restricted_folder(cut.name)):
        assert not [file for file in place.iterdir() if b"ng/mL" in file.read_bytes() or b"201.0" in file.read_bytes()]
    (folder / "concentration.parquet").chmod(0o600)
    (folder / "concentration.parquet").write_bytes(b"PAR1")
    with django_as("unblinded"), pytest.raises(cuts.CutDoesNotVerify, match=r"concentration\.parquet is changed"):
        cuts.levels_of(cut)
