from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from analysis.simulation.appointments import book, follow_up, is_in_window, waiting_days
from analysis.simulation.design import PlannedForm, Site
from analysis.simulation.people import draw_person


@pytest.fixture(scope="module")
def people(parameters):
    return [draw_person(2, i, parameters, sites=6) for i in range(3000)]


def shares(values):
    counts = Counter(values)
    return {key: count / sum(counts.values()) for key, count in counts.items()}


def test_people_have_the_published_sites_sexes_and_pain_classes(people):
    # 3,000 people: standard errors below .01.
    expected = {"neuropathic": 0.35, "nociplastic": 0.30, "nociceptive": 0.15, "mixed": 0.20}
    assert shares(p.pain_class for p in people) == pytest.approx(expected, abs=0.03)
    sites = dict(enumerate([0.25, 0.20, 0.20, 0.15, 0.10, 0.10]))
    assert shares(p.site for p in people) == pytest.approx(sites, abs=0.03)
    assert np.mean([p.sex == "F" for p in people]) == pytest.approx(0.60, abs=0.03)


def test_age_and_weight_are_truncated_normal(people):
    ages = np.array([p.age for p in people])
    assert (ages.min(), ages.max()) == (18, 75)
    assert ages.mean() == pytest.approx(49.7, abs=1)
    weights = np.array([p.weight_kg for p in people])
    assert 45 <= weights.min() < weights.max() <= 130


def test_mixed_pain_goes_to_the_stratum_of_its_neuropathic_or_nociplastic_part(people):
    for p in people:
        assert (p.stratum == "NEURO") == ("neuropathic" in p.parts)
        assert (len(p.parts) == 2) == (p.pain_class == "mixed")
        assert p.findings.lesion_history == ("neuropathic" in p.parts)
        assert p.findings.evoked_hypersensitivity == ("nociplastic" in p.parts)
        assert p.findings.tissue_damage == ("nociceptive" in p.parts)


def test_more_sites_than_the_model_has_shares_for_are_refused(parameters):
    with pytest.raises(ValueError, match="has 7 sites; the model serves 1 to 6"):
        draw_person(2, 0, parameters, sites=7)


def test_recruitment_is_a_poisson_process_with_the_monthly_rate(parameters):
    waits = np.array([waiting_days(2, i, parameters) for i in range(3000)])
    assert waits.mean() == pytest.approx(365.25 / 12 / 16, rel=0.06)
    assert waits.std() == pytest.approx(waits.mean(), rel=0.08)


@pytest.fixture(scope="module")
def booked(design, parameters):
    return [book(2, i, consent_day=i / 2, site=i % 6, design=design, parameters=parameters) for i in range(400)]


def test_consent_baseline_and_infusion_are_on_weekdays_within_the_screening_period(booked):
    for one in booked:
        assert 8 <= -one.screening_day <= 28
        assert -7 <= one.baseline_day <= -1
        days = [one.infusion_date + timedelta(days=d) for d in (0, one.baseline_day, one.screening_day)]
        assert all(day.weekday() < 5 for day in days)
        assert one.consented_at < one.screened_at < one.baseline_at < one.randomised_at < one.infusion_at


def test_local_hours_stay_the_same_when_the_clocks_change(design, parameters):
    changed = replace(design, start=date(2025, 3, 10), sites=(Site("01", "Europe/Berlin"),) * 6)
    one = book(2, 0, consent_day=0.0, site=0, design=changed, parameters=parameters)
    for day in range(40):
        assert one.local(day, 9.5).astimezone(one.zone).hour == 9


def test_follow_up_visits_are_on_weekdays_and_near_their_target(booked, design, parameters):
    rng = np.random.default_rng(3)
    off = []
    for one in booked:
        for name in ("W1", "W4", "W12"):
            visit = design.visit(name)
            at = follow_up(rng.random(2), visit, one, parameters.conduct)
            assert at.astimezone(one.zone).weekday() < 5
            off.append((one.day_of(at) - visit.nominal_day) / (visit.latest - visit.nominal_day))
            assert is_in_window(visit, at, one) == (abs(off[-1]) <= 1)
    assert np.max(np.abs(off)) <= 2
    assert 0.90 < np.mean(np.abs(off) <= 1) < 0.995


def test_a_design_without_a_visit_the_model_needs_is_refused(design):
    without = tuple(visit for visit in design.visits if visit.id != "W8")
    with pytest.raises(ValueError, match=r"lacks the visits \['W8'\]"):
        replace(design, visits=without)


def test_a_form_without_its_instrument_is_refused(design):
    visits = (*design.visits[:-1], replace(design.visits[-1], forms=(PlannedForm("rand36"),)))
    with pytest.raises(ValueError, match=r"asks for \['rand36'\]"):
        replace(design, visits=visits)


def test_a_person_outside_the_reference_table_has_no_norms(design):
    with pytest.raises(LookupError, match="hand, F, 80"):
        design.norms("F", 80)
