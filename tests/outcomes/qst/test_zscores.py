"""z-scores, profiles, sides and the composite. Oracle: tests/data/oracles/domain_arithmetic.json."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.qst import (
    COMPOSITE,
    COMPOSITE_SENSITIVITY,
    PARAMETERS,
    NoReferenceRow,
    NotComputable,
    composite,
    profile,
    side_difference,
    standardised_change,
    z_score,
)
from tests.outcomes.qst.oracle import CASE, EXPECTED, PERSON, value_of

Z = EXPECTED["z"]


@pytest.fixture(scope="module")
def scores():
    return {code: z_score(code, value_of(code), **PERSON) for code in Z}


@pytest.mark.parametrize("code", Z)
def test_the_worked_session_gives_the_z_scores_of_the_oracle(scores, code):
    assert scores[code].z == pytest.approx(Z[code], abs=1e-6)


@pytest.mark.parametrize("code", EXPECTED["transformed"])
def test_values_are_judged_on_the_scale_of_the_oracle(code):
    assert PARAMETERS[code].transformed(value_of(code)) == pytest.approx(EXPECTED["transformed"][code], abs=1e-6)


@pytest.mark.parametrize("code", Z)
def test_the_synthetic_reference_holds_the_rows_of_the_oracle(code):
    row = PERSON["reference"].row(code, area="hand", sex="F", age=44)
    told = {"scale": row.scale, "mean": row.mean, "sd": row.sd, "gain_sign": row.gain_sign}
    assert told == CASE["reference"][code]


def test_gain_and_loss_beyond_1_96_are_abnormal_and_nothing_else(scores):
    found = {kind: [c for c, s in scores.items() if s.abnormal == kind] for kind in ("gain", "loss")}
    assert found == {"gain": EXPECTED["abnormal_gain"], "loss": EXPECTED["abnormal_loss"]}


def test_a_z_score_names_the_table_it_comes_from(scores):
    assert scores["PPT"].ref_id == "SYNTH-1"
    assert scores["PPT"].checksum == PERSON["reference"].checksum


MORE_SENSITIVE = {  # what a more sensitive person shows: one test per sign
    "CDT": (-1.5, -0.5),  # feels a smaller cooling
    "WDT": (5.0, 2.0),
    "TSL": (5.0, 2.0),
    "CPT": (12.0, 22.0),  # cold hurts already at a warmer temperature
    "HPT": (45.0, 40.0),
    "MDT": (4.0, 0.5),
    "MPT": (64.0, 16.0),
    "MPS": (1.0, 8.0),
    "WUR": (2.0, 4.0),
    "VDT": (6.0, 8.0),  # feels fainter vibration, a higher eighth
    "PPT": (400.0, 180.0),
}


@pytest.mark.parametrize("code", MORE_SENSITIVE)
def test_more_sensitive_is_a_higher_z(code):
    less, more = MORE_SENSITIVE[code]
    assert z_score(code, more, **PERSON).z > z_score(code, less, **PERSON).z
    assert standardised_change(code, less, more, baseline_sd=0.5) > 0


@pytest.mark.parametrize("other", [{"age": 17}, {"age": 80}, {"area": "knee"}, {"sex": "X"}], ids=str)
def test_no_other_age_sex_or_area_is_taken_when_the_table_lacks_the_persons(other):
    with pytest.raises(NoReferenceRow, match="SYNTH-1 has no row for HPT"):
        z_score("HPT", 44.0, **{**PERSON, **other})


@pytest.mark.parametrize("other", [{"age": 39}, {"age": 50}, {"sex": "M"}, {"area": "foot"}], ids=str)
def test_age_sex_and_area_each_decide_on_the_row(other):
    assert z_score("PPT", 300.0, **{**PERSON, **other}).z != z_score("PPT", 300.0, **PERSON).z


@pytest.mark.parametrize(("code", "value"), [("PPT", 0.0), ("WDT", 0.0), ("WDT", -1.0), ("CDT", 0.0), ("CDT", 0.5)])
def test_there_is_no_z_of_a_value_without_logarithm(code, value):
    with pytest.raises(NotComputable, match="no logarithm"):
        z_score(code, value, **PERSON)


@pytest.mark.parametrize("code", ["PHS", "DMA"])
def test_signs_that_healthy_people_do_not_show_have_no_z(code):
    with pytest.raises(NotComputable, match=f"{code} has no z-score"):
        z_score(code, 1.0, **PERSON)


@pytest.mark.parametrize(
    ("z", "allodynia", "code"),
    [
        ({}, False, "L0G0"),
        ({"CDT": -2.0}, False, "L1G0"),
        ({"VDT": -2.0}, False, "L2G0"),
        ({"WDT": -2.0, "MDT": -2.0}, False, "L3G0"),
        ({"CPT": 2.0}, False, "L0G1"),
        ({"PPT": 2.0}, False, "L0G2"),
        ({}, True, "L0G2"),
        ({"HPT": 2.0, "MPS": 2.0, "CDT": -2.0}, False, "L1G3"),
        ({"HPT": -2.0, "CDT": 2.0, "TSL": -3.0}, False, "L0G0"),  # no loss or gain in the sense of the profile
        ({"CDT": -1.96, "PPT": 1.96}, False, "L0G0"),
    ],
)
def test_a_profile_tells_thermal_and_mechanical_loss_and_gain(z, allodynia, code):
    assert profile(dict.fromkeys(Z, 0.0) | z, allodynia=allodynia).code == code


def test_a_profile_says_what_could_not_be_judged():
    assert profile({"CDT": -3.0}, allodynia=None).missing == (
        "WDT", "MDT", "VDT", "HPT", "CPT", "MPT", "MPS", "DMA", "WUR", "PPT",
    )  # fmt: skip


def test_the_composite_is_that_of_the_oracle(scores):
    z = {code: score.z for code, score in scores.items()}
    assert list(COMPOSITE) == CASE.get("composite_parameters", list(COMPOSITE))
    assert composite(z) == pytest.approx(EXPECTED["qst_composite"], abs=1e-5)


def test_the_composite_needs_four_of_six():
    z: dict[str, float | None] = {"CPT": 1.0, "HPT": 2.0, "MPT": 3.0, "MPS": 4.0, "WUR": None}
    assert composite(z) == 2.5
    assert composite({**z, "MPS": None}) is None


def test_the_small_composite_is_of_pressure_wind_up_and_pinprick():
    assert composite({"PPT": 1.0, "WUR": 2.0, "MPS": 6.0, "CPT": 99.0}, COMPOSITE_SENSITIVITY) == 3.0


def test_sides_differ_when_the_difference_leaves_that_of_healthy_people():
    # log10(180) - log10(300) = -.2218, beyond 1.96 x .06; z: .2218/.12 = 1.849 more sensitive at the test side.
    found = side_difference("PPT", 180.0, 300.0, **PERSON)
    assert found.difference == pytest.approx(-0.221849, abs=1e-6)
    assert found.dz == pytest.approx(1.848740, abs=1e-5)
    assert found.abnormal is True
    assert side_difference("PPT", 280.0, 300.0, **PERSON).abnormal is False


@given(st.floats(0.2, 900), st.floats(0.2, 900))
def test_the_side_difference_is_the_difference_of_the_z_scores(test, control):
    found = side_difference("PPT", test, control, **PERSON)
    z = z_score("PPT", test, **PERSON).z - z_score("PPT", control, **PERSON).z
    assert found.dz == pytest.approx(z, abs=1e-9)
