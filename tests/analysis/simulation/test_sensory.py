"""Raw QST trials against an aggregation written out here, and against the oracle's reference."""

from statistics import geometric_mean, mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.simulation.parameters import load_parameters
from analysis.simulation.sensory import PARAMETERS, conditioned, intended_z, trials, values_of

from .kalm import SYNTH_1, norms

NORMS = {norm.parameter: norm for norm in norms() if norm.sex == "F"}
LAW = load_parameters().qst
# The devices' steps leave this much: ten doubling forces a twentieth of a doubling (.015 log10, over an SD
# of .35), three half steps a sixth of an eighth, 35 whole ratings about .035 log10, trains a rating each.
TOLERANCE = {"MDT": 0.045, "MPT": 0.045, "MPS": 0.12, "WUR": 0.12, "VDT": 0.14}


def by_direction(raw, parameter, direction):
    return [t.value for t in raw if t.parameter == parameter and t.direction == direction]


def aggregate(raw):
    """Rolke 2006: means of thresholds, geometric means of turning points and ratings, ratio of means."""
    values = {name: [t.value for t in raw if t.parameter == name] for name in PARAMETERS}
    warm, cold = by_direction(raw, "TSL", "warm"), by_direction(raw, "TSL", "cold")
    single, series = by_direction(raw, "WUR", "single"), by_direction(raw, "WUR", "series")
    return {
        "CDT": 32 - mean(values["CDT"]),
        "WDT": mean(values["WDT"]) - 32,
        "TSL": mean(warm) - mean(cold),
        "CPT": mean(values["CPT"]),
        "HPT": mean(values["HPT"]),
        "MDT": geometric_mean(values["MDT"]),
        "MPT": geometric_mean(values["MPT"]),
        "MPS": geometric_mean([rating + 0.1 for rating in values["MPS"]]),
        "WUR": mean(series) / mean(single),
        "VDT": mean(values["VDT"]),
        "PPT": mean(values["PPT"]),
    }


def z_of(values):
    found = {}
    for name, value in values.items():
        scale, centre, sd, sign = SYNTH_1[name]
        found[name] = sign * ((np.log10(value) if scale == "log10" else value) - centre) / sd
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(-1.4, 1.4))
def test_trials_aggregate_back_to_the_intended_values(seed, level):
    rng = np.random.default_rng(seed)
    intended = intended_z(np.full(4, level), 0.5 * rng.standard_normal(11), LAW, control=False)
    value = values_of(intended, NORMS)
    expected, found = z_of(value), z_of(aggregate(trials(value, "NEURO", rng, LAW)))
    for name in PARAMETERS:
        assert found[name] == pytest.approx(expected[name], abs=TOLERANCE.get(name, 0.02)), name


def test_values_inside_the_devices_range_are_the_intended_z():
    z = dict.fromkeys(PARAMETERS, 0.4)
    assert z_of(values_of(z, NORMS)) == pytest.approx(z)


def test_the_aggregation_used_here_and_the_reference_agree_with_the_worked_session(truth):
    expected = truth["qst"]["expected"]
    for name, (scale, centre, sd, sign) in SYNTH_1.items():
        row = truth["qst"]["reference"][name]
        assert (scale, centre, sd, sign) == (row["scale"], row["mean"], row["sd"], row["gain_sign"])
    absolute = {name: abs(expected["value"][name]) for name in PARAMETERS}
    assert z_of(absolute) == pytest.approx({name: expected["z"][name] for name in PARAMETERS}, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(-6, 6))
def test_even_extreme_people_stay_within_the_devices_and_in_the_possible_order(seed, level):
    rng = np.random.default_rng(seed)
    raw = trials(values_of(dict.fromkeys(PARAMETERS, level), NORMS), "NEURO", rng, LAW)
    values = aggregate(raw)
    assert values["CPT"] < 32 - values["CDT"] < 32 < 32 + values["WDT"] < values["HPT"] + 0.01
    for t in raw:
        low, high = {"C": (0, 50), "n": (0, 1), "mN": (0.25, 512), "kPa": (1, 1000), "x/8": (0, 8)}.get(
            t.unit, (0, 100)
        )
        assert low <= t.value <= high
        assert t.cutoff == ((t.unit == "C" and t.value in (0, 50)) or (t.unit == "kPa" and t.value >= 1000))


def test_a_session_has_the_repeats_of_the_protocol():
    raw = trials(values_of(dict.fromkeys(PARAMETERS, 0.0), NORMS), "NOCI", np.random.default_rng(1), LAW)
    counts = {name: sum(t.parameter == name for t in raw) for name in (*PARAMETERS, "PHS", "DMA")}
    thrice = dict.fromkeys(("CDT", "WDT", "CPT", "HPT", "VDT", "PPT", "PHS"), 3)
    assert counts == thrice | {"TSL": 6, "MDT": 10, "MPT": 10, "MPS": 35, "WUR": 10, "DMA": 15}


def test_forces_are_those_of_the_device_and_vibration_is_read_in_half_steps():
    raw = trials(values_of(dict.fromkeys(PARAMETERS, 0.7), NORMS), "NOCI", np.random.default_rng(1), LAW)
    forces = {t.value for t in raw if t.parameter == "MPT"}
    assert forces <= {8, 16, 32, 64, 128, 256, 512}
    assert all(float(2 * t.value).is_integer() for t in raw if t.parameter == "VDT")


def test_more_sensitive_people_have_higher_z_in_every_parameter():
    low = intended_z(np.full(4, -1.0), np.zeros(11), LAW, control=False)
    high = intended_z(np.full(4, 1.0), np.zeros(11), LAW, control=False)
    assert all(high[name] - low[name] == pytest.approx(2 * 0.9 * 0.75) for name in PARAMETERS)


def test_conditioning_mostly_raises_the_pressure_pain_threshold():
    records = [conditioned(400.0, np.random.default_rng(seed), LAW) for seed in range(200)]
    inhibited = [mean(record.during) > mean(record.before) for record in records]
    assert 0.7 < mean(inhibited) < 0.95
