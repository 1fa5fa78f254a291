"""Blinding indices against simulation and their poles; the reference numbers are in tests/validation."""

from math import isnan

import numpy as np
import pytest

from analysis.statistics import blinding


def test_the_standard_error_of_james_is_that_of_resampled_trials():
    # Simulation: 4,000 multinomial trials; their spread is within 5 % of the delta method.
    counts = np.array([[46, 12], [3, 30], [7, 14]])
    rng = np.random.default_rng(11)
    draws = rng.multinomial(counts.sum(), counts.ravel() / counts.sum(), size=4000).reshape(-1, 3, 2)
    spread = np.std([blinding.james(draw).estimate for draw in draws])
    assert blinding.james(counts).se == pytest.approx(spread, rel=0.05)


def test_the_poles_of_both_indices():
    everybody_knows = [[40, 0], [0, 40], [0, 0]]
    assert blinding.james(everybody_knows).estimate == 0
    assert blinding.bang(everybody_knows).treatment.estimate == 1
    nobody_knows = blinding.james([[0, 0], [0, 0], [5, 7]])
    assert (nobody_knows.estimate, nobody_knows.se) == (1, 0)
    assert isnan(blinding.bang([[0, 0], [0, 0], [5, 7]]).treatment.p or 0)
    one_arm_names_itself = blinding.james([[3, 0], [0, 0], [7, 10]])
    assert one_arm_names_itself.estimate == pytest.approx(0.85)
    assert one_arm_names_itself.se > 0


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        ([[1, 2], [3, 4]], "counts has shape"),
        ([[1, 2], [3, 4], [5, -1]], "no counts"),
        ([[1, 2], [3, 4], [5, 0.5]], "no counts"),
        ([[1, 0], [3, 0], [5, 0]], "arm without anybody"),
    ],
)
def test_impossible_counts_are_refused(counts, complaint):
    for index in (blinding.james, blinding.bang):
        with pytest.raises(ValueError, match=complaint):
            index(counts)


def test_an_impossible_level_is_refused():
    with pytest.raises(ValueError, match="level is 0"):
        blinding.bang([[1, 2], [3, 4], [5, 6]], level=0)
