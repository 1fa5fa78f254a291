from collections import Counter

import pytest

from analysis.simulation.appointments import book
from analysis.simulation.safety import harms

COUNT = 1500


@pytest.fixture(scope="module")
def found(design, parameters):
    after = tuple(visit for visit in design.visits if visit.nominal_day > 0)
    booked = [book(7, i, consent_day=1.0, site=0, design=design, parameters=parameters) for i in range(COUNT)]
    return {
        arm: [
            (booked[i], harms(7, i, arm, booked=booked[i], visits=after, parameters=parameters)) for i in range(COUNT)
        ]
        for arm in ("active", "control")
    }


@pytest.mark.parametrize(
    ("term", "active", "control"),
    [("nausea", 0.28, 0.08), ("drowsiness", 0.25, 0.45), ("transient hypertension", 0.20, 0.04)],
)
def test_events_have_the_published_probabilities(found, term, active, control):
    # 1,500 people: standard errors below .013.
    for arm, expected in (("active", active), ("control", control)):
        share = sum(any(e.term == term for e in h.events) for _, h in found[arm]) / COUNT
        assert share == pytest.approx(expected, abs=0.035)


def test_grades_have_the_published_shares_and_serious_events_are_rare(found):
    events = [e for _, h in found["active"] for e in h.events]
    grades = Counter(e.grade for e in events if not e.serious)
    total = sum(grades.values())
    shares = {grade: count / total for grade, count in grades.items()}
    assert shares == pytest.approx({1: 0.65, 2: 0.30, 3: 0.05}, abs=0.04)
    assert sum(e.serious for e in events) / COUNT == pytest.approx(0.02, abs=0.011)
    assert all(e.seriousness == "hospitalisation" for e in events if e.serious)


def test_every_event_starts_at_or_after_the_infusion_and_in_order(found):
    for booked, h in found["active"]:
        starts = [e.started_at for e in h.events]
        assert starts == sorted(starts)
        assert all(start >= booked.infusion_at for start in starts)
        assert all(e.reported_at > e.started_at for e in h.events)


def test_signals_name_a_visit_at_which_they_can_be_seen(found, design):
    alt = {h.alt_visit for _, h in found["active"]} - {""}
    suicidal = {h.suicidal_visit for _, h in found["active"]} - {""}
    assert alt <= {"D1", "W1"}
    assert suicidal <= {v.id for v in design.visits if v.nominal_day > 0}
    assert alt
    assert suicidal


def test_a_severe_event_counts_from_its_start(found):
    booked, severe = next((b, h) for b, h in found["active"] if any(e.grade == 3 for e in h.events))
    first = min(e.started_at for e in severe.events if e.grade == 3)
    assert severe.severe_by(first)
    assert not severe.severe_by(booked.randomised_at)
