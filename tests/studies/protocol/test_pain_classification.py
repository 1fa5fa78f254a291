"""Pain class. Oracles: the published grading (Finnerup 2016, Kosek 2021) written out as tables."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.protocol.pain_classification import (
    PainFindings,
    classify,
    neuropathic_grade,
    nociplastic_grade,
    screening_queries,
)
from tests.studies.protocol.kalm import kalm

NOTHING = PainFindings(**dict.fromkeys(asdict(PainFindings()), False))
NEURO = replace(NOTHING, lesion_history=True, plausible_distribution=True, sensory_signs=True)
NPL_POSSIBLE = replace(
    NOTHING,
    pain_is_chronic=True,
    pain_is_regional=True,
    not_entirely_nociceptive=True,
    not_entirely_neuropathic=True,
    evoked_hypersensitivity=True,
)
NPL = replace(NPL_POSSIBLE, hypersensitivity_history=True, comorbidity=True)
NOCI = replace(NOTHING, tissue_damage=True)


def both(*findings):
    return PainFindings(**{name: any(asdict(each)[name] for each in findings) for name in asdict(NOTHING)})


@pytest.mark.parametrize(
    ("history", "distribution", "signs", "test", "grade"),
    [
        (True, True, True, True, "definite"),
        (True, True, True, False, "probable"),
        (True, True, False, True, "probable"),
        (True, True, False, False, "possible"),
        (True, False, True, True, "none"),
        (False, True, True, True, "none"),
    ],
)
def test_the_neuropathic_grade_rises_with_signs_and_test(history, distribution, signs, test, grade):
    found = replace(
        NOTHING,
        lesion_history=history,
        plausible_distribution=distribution,
        sensory_signs=signs,
        confirming_test=test,
    )
    assert neuropathic_grade(found) == grade


def test_the_nociplastic_grade_needs_every_part_of_its_level():
    assert nociplastic_grade(NPL) == "probable"
    for part in ("hypersensitivity_history", "comorbidity"):
        assert nociplastic_grade(replace(NPL, **{part: False})) == "possible"
    required = ("pain_is_chronic", "pain_is_regional", "not_entirely_nociceptive", "not_entirely_neuropathic")
    for part in (*required, "evoked_hypersensitivity"):
        assert nociplastic_grade(replace(NPL, **{part: False})) == "none"


@pytest.mark.parametrize(
    ("found", "pain_class", "components"),
    [
        (NEURO, "neuropathic", ("neuropathic",)),
        (NPL, "nociplastic", ("nociplastic",)),
        (NOCI, "nociceptive", ("nociceptive",)),
        (both(NEURO, NPL), "mixed", ("neuropathic", "nociplastic")),
        (both(NPL, NOCI), "mixed", ("nociplastic", "nociceptive")),
        (both(NEURO, NPL, NOCI), "mixed", ("neuropathic", "nociplastic", "nociceptive")),
        (NPL_POSSIBLE, "nociplastic", ()),
        (replace(NEURO, sensory_signs=False), "neuropathic", ()),
        (both(NPL_POSSIBLE, replace(NEURO, sensory_signs=False)), "nociplastic", ()),
        (both(NPL_POSSIBLE, NOCI), "nociceptive", ("nociceptive",)),
        (NOTHING, "unclassified", ()),
    ],
)
def test_the_class_counts_what_is_established(found, pain_class, components):
    classification = classify(found)
    assert classification.pain_class == pain_class
    assert classification.components == components


@given(st.lists(st.sampled_from([True, False, None]), min_size=12, max_size=12))
def test_a_conclusion_drawn_early_stays_whatever_is_found_later(truths):
    found = PainFindings(*truths)
    early = classify(found)
    unknown = [name for name, value in asdict(found).items() if value is None][:6]
    for later in itertools.product([True, False], repeat=len(unknown)):
        full = classify(replace(found, **dict(zip(unknown, later, strict=True))))
        for part in ("neuropathic_grade", "nociplastic_grade", "pain_class"):
            assert getattr(early, part) is None or getattr(full, part) == getattr(early, part)


def test_nothing_is_concluded_from_nothing():
    classification = classify(PainFindings())
    assert (classification.neuropathic_grade, classification.nociplastic_grade) == (None, None)
    assert classification.pain_class is None


def test_the_findings_are_those_that_the_protocol_asks_for():
    asked = {finding.key for finding in kalm().findings_on_form("pain_classification")}
    assert asked == set(asdict(NOTHING))
    assert PainFindings.of({"lesion_history": 1.0, "tissue_damage": 0, "egfr": 60}) == PainFindings(
        lesion_history=True, tissue_damage=False
    )


@pytest.mark.parametrize(
    ("found", "scores", "words"),
    [
        (NPL, {"paindetect": 19, "dn4": 3, "csi": 45}, ["painDETECT is 19"]),
        (NOCI, {"paindetect": 18, "dn4": 4, "csi": 10}, ["DN4 is 4"]),
        (NOCI, {"paindetect": 25, "dn4": 6, "csi": None}, ["painDETECT is 25", "DN4 is 6"]),
        (NEURO, {"paindetect": 12, "dn4": 3, "csi": 10}, ["painDETECT is 12 and DN4 3"]),
        (NEURO, {"paindetect": 12, "dn4": 4, "csi": 10}, []),
        (NEURO, {"paindetect": 12, "dn4": None, "csi": 10}, []),
        (NPL, {"paindetect": 10, "dn4": 1, "csi": 29}, ["CSI is 29"]),
        (both(NEURO, NPL), {"paindetect": 30, "dn4": 9, "csi": 10}, []),
        (PainFindings(), {"paindetect": 30, "dn4": 9, "csi": 10}, []),
    ],
)
def test_screening_tools_that_disagree_raise_a_query_and_decide_nothing(found, scores, words):
    queries = screening_queries(classify(found), **scores)
    assert len(queries) == len(words)
    for query, expected in zip(queries, words, strict=True):
        assert expected in query
