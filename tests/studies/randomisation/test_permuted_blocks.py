"""Permuted blocks: balance is exact, chance is fair, and lists can grow without changing."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Philox, default_rng
from scipy.stats import chisquare

from studies.randomisation import generate_list, permuted_blocks

PLAN = {"arms": {"KET": 1, "MDZ": 1}, "block_sizes": [4, 6], "length": 40}
STUDY = {"ratio": {"KET": 1, "MDZ": 1}, "block_sizes": [4, 6], "rows_per_stratum": 24}
SEED = 0x0123456789ABCDEF0123456789ABCDEF

seeds = st.integers(0, 2**128 - 1)
ratios = st.dictionaries(st.sampled_from(["A", "B", "C", "D"]), st.integers(1, 4), min_size=2)


@st.composite
def plans(draw):
    ratio = draw(ratios)
    multiples = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True))
    return {
        "ratio": ratio,
        "block_sizes": [multiple * sum(ratio.values()) for multiple in multiples],
        "rows_per_stratum": draw(st.integers(1, 30)),
        "strata": draw(st.lists(st.text("ABC.", min_size=1, max_size=4), min_size=1, max_size=4, unique=True)),
    }


def by_block(rows):
    blocks = defaultdict(list)
    for row in rows:
        blocks[row.stratum, row.block].append(row.arm)
    return blocks


@given(seeds, plans())
def test_every_block_holds_each_arm_exactly_as_the_ratio_says(seed, plan):
    shares = sum(plan["ratio"].values())
    for block in by_block(generate_list(seed, **plan)).values():
        assert len(block) in plan["block_sizes"]
        assert Counter(block) == {arm: share * len(block) // shares for arm, share in plan["ratio"].items()}


@given(seeds, plans())
def test_each_stratum_has_its_rows_numbered_without_gaps(seed, plan):
    rows = generate_list(seed, **plan)
    for stratum in plan["strata"]:
        own = [row for row in rows if row.stratum == stratum]
        assert [row.position for row in own] == list(range(1, len(own) + 1))
        assert plan["rows_per_stratum"] <= len(own) < plan["rows_per_stratum"] + max(plan["block_sizes"])


def test_the_same_seed_gives_the_same_sequence():
    assert permuted_blocks(default_rng(7), **PLAN) == permuted_blocks(default_rng(7), **PLAN)


@given(seeds, plans())
def test_the_same_seed_gives_the_same_list(seed, plan):
    assert generate_list(seed, **plan) == generate_list(seed, **plan)


def test_another_seed_gives_another_list():
    arms = [[row.arm for row in generate_list(seed, strata=["S"], **STUDY)] for seed in range(20)]
    assert len({tuple(each) for each in arms}) == 20


@given(seeds, plans(), st.integers(1, 30))
def test_a_longer_list_begins_with_the_shorter_one(seed, plan, more):
    short = generate_list(seed, **plan)
    long = generate_list(seed, **plan | {"rows_per_stratum": plan["rows_per_stratum"] + more})
    assert {(row.stratum, row.position): row for row in short}.items() <= {
        (row.stratum, row.position): row for row in long
    }.items()


@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 60))
def test_a_longer_sequence_begins_with_the_shorter_one(seed, length, more):
    plan = {"arms": {"A": 2, "B": 1}, "block_sizes": [3, 6]}
    short = permuted_blocks(default_rng(seed), length=length, **plan)
    assert permuted_blocks(default_rng(seed), length=length + more, **plan)[:length] == short
    assert len(short) == length


@given(seeds, plans())
def test_another_stratum_changes_no_row_of_the_others(seed, plan):
    alone = generate_list(seed, **plan)
    joined = generate_list(seed, **plan | {"strata": ["NEW", *plan["strata"]]})
    assert [row for row in joined if row.stratum != "NEW"] == alone


@given(seeds, plans())
def test_the_order_in_which_arms_are_listed_does_not_matter(seed, plan):
    backwards = dict(reversed(plan["ratio"].items()))
    assert generate_list(seed, **plan) == generate_list(seed, **plan | {"ratio": backwards})


@given(seeds, st.integers(1, 5))
def test_numbers_stay_the_same_whatever_the_arms_are(seed, share):
    # Exact independence: nothing about the arms goes into the numbers.
    one = generate_list(seed, strata=["S"], ratio={"A": 1, "B": 1}, block_sizes=[2], rows_per_stratum=12)
    sizes = [(share + 1) * 12]
    other = generate_list(seed, strata=["S"], ratio={"X": share, "Y": 1}, block_sizes=sizes, rows_per_stratum=12)
    for mine, theirs in zip(one, other, strict=False):
        assert mine.kit_number == theirs.kit_number
        assert mine.randomisation_number == theirs.randomisation_number


@settings(max_examples=20)
@given(seeds)
def test_numbers_are_unique_over_the_whole_list_and_kits_are_not_randomisation_numbers(seed):
    rows = generate_list(seed, strata=[f"S{n}" for n in range(18)], **STUDY)
    kits, randomisation = {row.kit_number for row in rows}, {row.randomisation_number for row in rows}
    assert len(kits) == len(randomisation) == len(rows)
    assert not {kit[2:] for kit in kits} & {number[2:] for number in randomisation}


def test_sorting_by_kit_number_neither_restores_the_order_nor_separates_the_arms():
    rows = generate_list(SEED, strata=["S"], **STUDY | {"rows_per_stratum": 5_000})
    rank = np.argsort(np.argsort([row.kit_number for row in rows]))
    positions = np.array([row.position for row in rows])
    arm = np.array([row.arm == "KET" for row in rows], dtype=float)
    # Correlations of independent series of 5,000 have a standard error of .014; four of them are allowed.
    assert abs(np.corrcoef(rank, positions)[0, 1]) < 0.057
    assert abs(np.corrcoef(rank, arm)[0, 1]) < 0.057


def test_every_arrangement_of_a_block_is_equally_likely():
    arms = permuted_blocks(default_rng(1), arms={"A": 1, "B": 1}, block_sizes=[4], length=4 * 6_000)
    seen = Counter("".join(arms[start : start + 4]) for start in range(0, len(arms), 4))
    assert seen.keys() == {"".join(each) for each in permutations("AABB")}
    assert chisquare(list(seen.values())).pvalue > 0.001


def test_every_block_size_is_equally_likely():
    rows = generate_list(SEED, strata=["S"], **STUDY | {"rows_per_stratum": 10_000})
    sizes = Counter(len(block) for block in by_block(rows).values())
    assert sizes.keys() == {4, 6}
    assert chisquare(list(sizes.values())).pvalue > 0.001


def test_strata_are_independent_of_each_other():
    rows = generate_list(SEED, strata=["S1", "S2"], **STUDY | {"rows_per_stratum": 5_000})
    first, second = ([row.arm == "KET" for row in rows if row.stratum == s][:5_000] for s in ("S1", "S2"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.057


def test_a_list_stays_as_it_was_first_made():
    # Pinned: a change of the generator would make lists that cannot be reproduced from their seed.
    rows = generate_list(SEED, strata=["BER.NEURO"], **STUDY)
    assert "".join(row.arm[0] for row in rows) == "MMMKKKMMKMKKKKKMMMKMMKMK"
    assert (rows[0].randomisation_number, rows[0].kit_number) == ("R-K1W3-HN1G-4", "K-XYPB-9Q1A-R")


def test_the_generator_may_be_any_of_numpys():
    arms = permuted_blocks(np.random.Generator(Philox(3)), **PLAN)
    assert Counter(arms[:4])["KET"] in {1, 2, 3}
    assert set(arms) == {"KET", "MDZ"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"arms": {"KET": 2, "MDZ": 1}},
            "Arm ratio 2:1 cannot fill blocks of 4. Use block sizes that are multiples",
        ),
        ({"arms": {"KET": 1}}, "two arms or more"),
        ({"arms": {"KET": 1, "MDZ": 0}}, "share of 1 or more"),
        ({"block_sizes": []}, "No block size"),
        ({"block_sizes": [0]}, "cannot fill blocks of 0"),
        ({"length": -1}, "length is -1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        permuted_blocks(default_rng(1), **PLAN | change)


@pytest.mark.parametrize(
    ("seed", "strata", "rows", "words"),
    [
        (2**128, ["S"], 4, "128 bits"),
        (-1, ["S"], 4, "128 bits"),
        (1, ["S", "S"], 4, "given twice"),
        (1, ["S"], 0, "at least one row"),
    ],
)
def test_a_list_that_cannot_be_is_refused(seed, strata, rows, words):
    with pytest.raises(ValueError, match=words):
        generate_list(seed, strata=strata, ratio={"A": 1, "B": 1}, block_sizes=[2], rows_per_stratum=rows)
