"""Vickers 2004 from its published rows: imported, cut, and analysed by covariance as its plan says.

The oracle is R 4.2.2, lm and emmeans, on the same file (tests/data/PROVENANCE.md); tolerance 1e-8 relative.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from django.conf import settings

from analysis.statistics import ancova
from tests.journeys.imported_trials import Analysed, analysed
from tests.outcomes.imports.trial_files import vickers

CASES = {
    case["id"]: case
    for case in json.loads((settings.BASE_DIR / "tests" / "data" / "oracles" / "ancova.json").read_text())["cases"]
}
CLOSE = 1e-8
NAMES = {
    "estimate": "estimate",
    "se": "SE",
    "df": "df",
    "statistic": "t.ratio",
    "lower": "lower.CL",
    "upper": "upper.CL",
}


@pytest.fixture(scope="module")
def look(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[Analysed]:
    with analysed(vickers(), "vickers2004-1.0.yaml", tmp_path_factory.mktemp("vickers"), django_db_blocker) as found:
        yield found


def test_the_randomised_are_those_of_the_paper(look):
    # BMJ 2004;328:744: 401 patients, 205 to acupuncture and 196 to no acupuncture.
    assert look.open["enrolment"]["randomised"] == 401
    assert look.arms.value_counts().to_dict() == {"ACUPUNCTURE": 205, "CONTROL": 196}


@pytest.mark.parametrize(("model", "case"), [("ancova_12m", "an-p001"), ("ancova_3m", "an-p003")])
def test_the_headache_score_adjusted_for_baseline(look, model, case):
    found, expected = look.model(model), CASES[case]
    assert (found["observations"], found["residual_sd"]) == (
        expected["n"],
        pytest.approx(expected["residual_sd"], rel=CLOSE),
    )
    [effect], [difference] = found["effects"], expected["differences"]
    for ours, theirs in NAMES.items():
        assert effect[ours] == pytest.approx(difference[theirs], rel=CLOSE), ours
    assert effect["p"] == pytest.approx(difference["p.value"], rel=1e-7)


@pytest.mark.parametrize(("model", "case"), [("ancova_12m", "an-p001"), ("ancova_3m", "an-p003")])
def test_the_adjusted_means_of_both_arms(look, model, case):
    found = {row["arm"]: row["estimate"] for row in look.model(model)["ls_means"]}
    expected = {row["arm"].upper(): row["emmean"] for row in CASES[case]["lsmeans"]}
    assert found == pytest.approx(expected, rel=CLOSE)


def test_the_difference_at_12_months_with_the_papers_covariates(look):
    """The covariates beside baseline are facts of the import too; a plan cannot name them, so they are taken here."""
    fit = ancova.fit(
        _at_12_months(look),
        response="pk5",
        arm="arm",
        reference="CONTROL",
        covariates=("pk1", "age", "sex", "migraine", "chronicity"),
    )
    [found] = fit.contrasts().rename(columns={"t": "statistic"}).to_dict("records")
    [expected] = CASES["an-p002"]["differences"]
    for ours, theirs in NAMES.items():
        assert found[ours] == pytest.approx(expected[theirs], rel=CLOSE), ours
    # Printed: 4.6 (95 % CI 2.2 to 7.0); the paper adjusts for the size of practices as well.
    assert [round(-found[name], 1) for name in ("estimate", "upper", "lower")] == [4.6, 2.2, 7.1]


def _at_12_months(look: Analysed) -> pd.DataFrame:
    people = look.cut.rows("participant", ["id", "sex", "age_years"]).set_index("id")
    values = _values(look)
    return pd.DataFrame(
        {
            "pk5": values["severity", "M12"],
            "pk1": values["severity", "BASE"],
            "age": people["age_years"].astype(float),
            "sex": people["sex"],
            "migraine": values["migraine", "BASE"].map({0.0: "no", 1.0: "yes"}),
            "chronicity": values["years", "BASE"],
            "arm": look.arms,
        }
    )


def _values(look: Analysed) -> pd.DataFrame:
    """Every score of the cut: participants by (score, visit)."""
    scores = look.cut.rows("score", ["response_id", "name", "number"])
    responses = look.cut.rows("response", ["id", "participant_id", "visit_id"]).set_index("id")
    visits = look.cut.rows("visit", ["id", "code"]).set_index("id")["code"]
    rows = scores.join(responses, on="response_id").assign(visit=lambda each: each["visit_id"].map(visits))
    return rows.pivot_table(index="participant_id", columns=["name", "visit"], values="number")


def test_who_kept_no_diary_missed_the_visit(look):
    rows = {row["visit"]: (row["done"], row["missed"]) for row in look.open["data_quality"]["visits"]}
    assert rows == {"BASE": (401, 0), "M3": (326, 75), "M12": (301, 100)}


def test_headache_days_of_a_missing_diary_are_no_zeros(look):
    # The column adds up to 3736.73 days: 9.3 a patient with its false zeros, 12.4 a diary that was kept.
    cells = [look.cell("days_12m", arm, "M12") for arm in ("ACUPUNCTURE", "CONTROL")]
    assert sum(cell["n"] for cell in cells) == 301
    assert sum(cell["n"] * cell["mean"] for cell in cells) / 301 == pytest.approx(3736.73 / 301, rel=CLOSE)


def test_facts_that_came_as_items_are_scored_here_and_diaries_are_not(look):
    scores = look.cut.rows("score", ["name", "imported"])
    assert scores.groupby("name")["imported"].agg(["min", "max"]).to_dict("index") == {
        "days": {"min": True, "max": True},
        "migraine": {"min": False, "max": False},
        "severity": {"min": True, "max": True},
        "years": {"min": False, "max": False},
    }
