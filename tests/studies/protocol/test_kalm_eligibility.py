"""KALM's criteria, each at its limit. Oracle: the table of criteria of its document, written out here."""

from __future__ import annotations

import pytest

from tests.studies.protocol.kalm import kalm

ELIGIBLE = {
    "age_years": 50,
    "pain_duration_months": 12,
    "pain_days_per_month": 30,
    "diary_entries": 7,
    "diary_mean": 6.1,
    "diary_sd": 0.9,
    "pain_class": "neuropathic",
    "analgesics_stable_days": 60,
    "consent_is_current": True,
    "consent_came_first": True,
    "screening_sbp": 130,
    "screening_dbp": 80,
    "alt_times_uln": 0.8,
    "ast_times_uln": 0.7,
    "bilirubin_times_uln": 0.6,
    "gilbert_syndrome": False,
    "egfr": 90,
    "cssrs_ideation": 0,
    "cssrs_behaviour": False,
    "madrs_item_10": 0,
    "opioid_mg_per_day": 0,
    "benzodiazepine_mg_per_day": 0,
    "weight_kg": 72.4,
    "height_cm": 170,
}


def blocking(findings, answers=None):
    """The criteria that keep a participant out, with every question answered in favour unless told."""
    given = {each.id: each.kind == "inclusion" for each in kalm().eligibility} | (answers or {})
    return {each.id for each in kalm().eligibility if not each.allows(each.holds(findings, given[each.id]))}


def test_somebody_in_whom_all_is_well_may_take_part():
    assert blocking(ELIGIBLE) == set()


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"age_years": 17}, "I1"),
        ({"age_years": 76}, "I1"),
        ({"pain_duration_months": 2.9}, "I2"),
        ({"pain_days_per_month": 14}, "I2"),
        ({"diary_entries": 4}, "I3"),
        ({"diary_mean": 3.99}, "I3"),
        ({"diary_mean": 9.01}, "I3"),
        ({"diary_sd": 2.51}, "I3"),
        ({"pain_class": "unclassified"}, "I4"),
        ({"analgesics_stable_days": 27}, "I5"),
        ({"consent_is_current": False}, "I6"),
        ({"consent_came_first": False}, "I6"),
        ({"screening_sbp": 151}, "E1"),
        ({"screening_dbp": 96}, "E1"),
        ({"alt_times_uln": 2.01}, "E2"),
        ({"ast_times_uln": 2.01}, "E2"),
        ({"bilirubin_times_uln": 1.51}, "E2"),
        ({"egfr": 29}, "E2"),
        ({"cssrs_ideation": 4}, "E3"),
        ({"cssrs_behaviour": 1.0}, "E3"),
        ({"madrs_item_10": 5}, "E3"),
        ({"opioid_mg_per_day": 91}, "E6"),
        ({"benzodiazepine_mg_per_day": 11}, "E6"),
        ({"weight_kg": 44.9}, "E7"),
        ({"weight_kg": 130.1, "height_cm": 200}, "E7"),
        ({"weight_kg": 116, "height_cm": 170}, "E7"),
    ],
)
def test_one_finding_beyond_its_limit_keeps_a_participant_out(change, criterion):
    assert blocking(ELIGIBLE | change) == {criterion}


@pytest.mark.parametrize(
    "change",
    [
        {"age_years": 18},
        {"age_years": 75},
        {"diary_entries": 5, "diary_mean": 4.0, "diary_sd": 2.5},
        {"diary_mean": 9.0},
        {"screening_sbp": 150, "screening_dbp": 95},
        {"bilirubin_times_uln": 3, "gilbert_syndrome": True},
        {"cssrs_ideation": 3, "madrs_item_10": 4},
        {"weight_kg": 115, "height_cm": 170},
    ],
)
def test_at_the_limit_a_participant_may_take_part(change):
    assert blocking(ELIGIBLE | change) == set()


@pytest.mark.parametrize("missing", sorted(set(ELIGIBLE) - {"gilbert_syndrome"}))
def test_anything_not_known_yet_blocks(missing):
    assert len(blocking({key: value for key, value in ELIGIBLE.items() if key != missing})) == 1


@pytest.mark.parametrize("criterion", [each.id for each in kalm().eligibility if each.answered])
@pytest.mark.parametrize("answer", ["against", None])
def test_a_question_answered_against_or_not_at_all_blocks(criterion, answer):
    against = kalm().criterion(criterion).kind == "exclusion"
    assert blocking(ELIGIBLE, {criterion: None if answer is None else against}) == {criterion}


def test_an_exclusion_found_once_is_met_whatever_else_is_unknown():
    assert kalm().criterion("E1").holds({"screening_sbp": 170}, None) is True
    assert kalm().criterion("I4").holds({"pain_class": "unclassified"}, None) is False


def test_every_criterion_of_the_document_is_there():
    assert [each.id for each in kalm().eligibility] == [
        *(f"I{n}" for n in range(1, 8)),
        *(f"E{n}" for n in range(1, 9)),
    ]
