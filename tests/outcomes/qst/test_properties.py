"""What holds of every session, whatever was measured."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outcomes.qst import (
    PARAMETERS,
    CpmMethod,
    NotComputable,
    Reading,
    abnormal_findings,
    aggregate,
    in_unit_of_parameter,
    modulation_values,
    reading_flags,
    trial_problem,
    z_score,
)
from outcomes.qst.parameters import BASELINE_C, PINPRICKS_MN, VON_FREY_MN
from tests.outcomes.qst.oracle import PERSON, session_readings

tenths = st.integers(0, 500).map(lambda n: n / 10)
POSSIBLE: dict[str, st.SearchStrategy[float]] = {
    **dict.fromkeys(("CDT", "WDT", "TSL", "CPT", "HPT"), tenths),
    "PHS": st.sampled_from((0.0, 1.0)),
    "MDT": st.sampled_from(VON_FREY_MN),
    "MPT": st.sampled_from(PINPRICKS_MN),
    **dict.fromkeys(("MPS", "DMA", "WUR"), st.integers(0, 100).map(float)),
    "VDT": st.integers(0, 16).map(lambda n: n / 2),
    "PPT": st.integers(1, 1000).map(float),
}
# The range of each value in its unit, from what its device can show.
RANGES = {
    "CDT": (-BASELINE_C, 50 - BASELINE_C),
    "WDT": (-BASELINE_C, 50 - BASELINE_C),
    "TSL": (-50, 50),
    "PHS": (0, 3),
    "CPT": (0, 50),
    "HPT": (0, 50),
    "MDT": (VON_FREY_MN[0], VON_FREY_MN[-1]),
    "MPT": (PINPRICKS_MN[0], PINPRICKS_MN[-1]),
    "MPS": (0.1, 100.1),
    "DMA": (0.1, 100.1),
    "WUR": (0, 500),  # 100 over the least mean above 0: one rating of 1 in five
    "VDT": (0, 8),
    "PPT": (1, 1000),
}


@st.composite
def sessions(draw: st.DrawFn) -> list[Reading]:
    """All trials of a session, each anything that its device can show."""
    return [
        Reading(code, trial, draw(POSSIBLE[code]), direction)
        for code, parameter in PARAMETERS.items()
        for direction in parameter.directions
        for trial in range(1, parameter.trials + 1)
    ]


@given(sessions())
def test_every_value_stays_in_the_range_of_its_unit(readings: list[Reading]):
    for code, value in aggregate(readings).items():
        low, high = RANGES[code]
        if value.value is not None:
            assert low - 1e-9 <= value.value <= high + 1e-9, code


@given(sessions(), st.randoms(use_true_random=False))
def test_neither_the_order_of_entry_nor_of_the_repeats_changes_a_value(readings: list[Reading], chance: Random):
    shuffled = list(readings)
    chance.shuffle(shuffled)
    counts: dict[tuple[str, str], int] = {}
    renumbered = []
    for reading in shuffled:
        key = (reading.parameter, reading.direction)
        counts[key] = counts.get(key, 0) + 1
        renumbered.append(Reading(reading.parameter, counts[key], reading.value, reading.direction))
    before, after = aggregate(readings), aggregate(renumbered)
    for code, value in before.items():
        assert after[code].value == (pytest.approx(value.value, rel=1e-12) if value.value is not None else None)
        assert after[code].present == value.present


def more_sensitive(code: str, reading: Reading) -> float:
    """A reading of somebody who feels more: earlier, fainter or stronger, whichever the parameter measures."""
    assert reading.value is not None
    step = {"CDT": 0.5, "WDT": -0.5, "CPT": 3, "HPT": -3, "VDT": 0, "PPT": -60}
    if code == "TSL":
        return reading.value + (-0.5 if reading.direction == "warm" else 0.5)
    if code in ("MDT", "MPT"):
        return max(reading.value / 2, 8.0 if code == "MPT" else 0.25)
    if code == "MPS":
        return reading.value + 5
    if code == "WUR":
        return reading.value + (10 if reading.direction == "series" else 0)
    return 8.0 if code == "VDT" else reading.value + step[code]


@pytest.mark.parametrize("code", [code for code, parameter in PARAMETERS.items() if parameter.gain_sign])
def test_whoever_feels_more_has_the_higher_z_and_a_gain_is_above_0(code: str):
    plain = [r for r in session_readings() if r.parameter == code]
    keen = [Reading(code, r.trial, more_sensitive(code, r), r.direction) for r in plain]
    assert not any(trial_problem(code, r.value) for r in keen if r.value is not None)
    scores = [
        z_score(code, value, **PERSON).z for r in (plain, keen) if (value := aggregate(r)[code].value) is not None
    ]
    assert scores[1] > scores[0]
    [finding] = abnormal_findings({code: 3.0}, {})
    assert (finding.kind, finding.parameter) == ("gain", code)
    [finding] = abnormal_findings({code: -3.0}, {})
    assert finding.kind == "loss"


@given(sessions())
def test_a_z_score_exists_or_says_why_not(readings: list[Reading]):
    for code, value in aggregate(readings).items():
        if value.value is None or not PARAMETERS[code].gain_sign:
            continue
        size = -value.value if code == "CDT" else value.value
        if PARAMETERS[code].scale == "log10" and size <= 0:
            with pytest.raises(NotComputable, match="no logarithm"):
                z_score(code, value.value, **PERSON)
        else:
            assert abs(z_score(code, value.value, **PERSON).z) < 1000


@given(sessions())
def test_flags_have_names_of_their_own_and_change_nothing(readings: list[Reading]):
    values = aggregate(readings)
    flags = reading_flags(readings, values)
    assert len({flag.key for flag in flags}) == len(flags)
    assert aggregate(readings) == values


@given(st.lists(st.integers(1, 100), min_size=1, max_size=3), st.lists(st.integers(1, 100), min_size=1, max_size=3))
def test_the_sign_of_modulation_is_that_of_the_change_for_ratings_and_against_it_for_thresholds(
    before: list[int], after: list[int]
):
    readings = [Reading("CPM", n, float(v), "before") for n, v in enumerate(before, 1)]
    readings += [Reading("CPM", n, float(v), "during") for n, v in enumerate(after, 1)]
    rating, threshold = (modulation_values(readings, CpmMethod(s, "parallel")) for s in ("rating", "ppt"))
    effect, opposite = rating["cpm_effect"].value, threshold["cpm_effect"].value
    assert effect is not None
    assert opposite is not None
    assert effect == pytest.approx(-opposite)
    assert (rating["cpm_percent"].value or 0) == pytest.approx(100 * effect / (sum(before) / len(before)))


@pytest.mark.parametrize(
    ("code", "direction", "says"),
    [("CPM", "before", "no reading during conditioning"), ("TS", "", "ratings 1 and 10 are needed")],
)
def test_modulation_that_was_begun_and_not_finished_says_what_is_missing(code: str, direction: str, says: str):
    found = modulation_values([Reading(code, 1, 30.0, direction)], CpmMethod("rating", "parallel"))
    assert found
    assert {value.missing_reason for value in found.values()} == {says}


@given(st.floats(0, 50, allow_nan=False))
def test_a_temperature_in_fahrenheit_is_the_same_temperature(celsius: float):
    assert in_unit_of_parameter("HPT", celsius * 1.8 + 32, "°F") == pytest.approx(celsius, abs=1e-4)


def test_findings_come_in_the_order_of_the_protocol_with_signs_and_cautions():
    z = {"PPT": 2.87, "CDT": -2.5, "HPT": -2.2, "MDT": 2.1, "WDT": 1.96, "VDT": None}
    found = abnormal_findings(z, {"PHS": True, "DMA": False})
    assert [str(f) for f in found] == [
        "Cold hypoaesthesia (CDT, loss, z -2.50)",
        "Paradoxical heat sensation (PHS, present)",
        "Heat hypoalgesia (HPT, loss, z -2.20)",
        "Tactile hyperaesthesia (MDT, gain, z +2.10)",
        "Pressure hyperalgesia (PPT, gain, z +2.87)",
    ]
    assert [f.parameter for f in found if f.uncertain] == ["HPT", "MDT"]
