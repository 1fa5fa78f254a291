"""Courses over time: one participant's, and a group's with its arms pooled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from outcomes import group_course as group_module
from outcomes.arm_revealing import revealing_of
from outcomes.course import Point, axis_of, course_of, courses_of, followed
from outcomes.group_course import FEWEST, baseline_spreads, group_course
from outcomes.measures import measures_of
from outcomes.models import InstrumentVersion, QSTSession, QSTValue, Response, Score
from studies.acting import acting
from studies.models import Infusion, Participant, ProtocolVersion, Site, Visit
from tests import factories

pytestmark = pytest.mark.django_db
DAY0 = datetime(2026, 2, 10, 9, 0, tzinfo=UTC)


@dataclass
class Trial:
    """Participants with an infusion on DAY0, whose scores a test writes down as it needs them."""

    version: ProtocolVersion
    made: factories.Participants

    def participant(self, site: Site, *, infused: bool = True) -> Participant:
        person = self.made.ready(site)
        factories.with_visits(person)
        if infused:
            with acting(factories.SETTING_UP, "set up"), transaction.atomic():
                Infusion.objects.create(
                    participant=person,
                    visit=person.visits.get(code="D0"),
                    kit_number=f"K{person.pk}",
                    weight_kg=Decimal(70),
                    planned_volume_ml=Decimal("35"),
                    planned_rate_ml_h=Decimal("52.5"),
                    started_at=DAY0,
                )
        return self.fresh(person)

    def fresh(self, person: Participant) -> Participant:
        rows = Participant.objects.select_related("site", "study", "protocol_version", "infusion")
        return rows.get(pk=person.pk)

    def score(self, person: Participant, instrument: str, name: str, value: float, *, visit: str, day: float) -> None:
        """One saved score, answered so many days after the infusion."""
        self._save(person, instrument, name, value, visit=person.visits.get(code=visit), at=DAY0 + timedelta(days=day))

    def diary(self, person: Participant, days: range, value: float) -> None:
        for day in days:
            at = DAY0 + timedelta(days=day, hours=11)
            self._save(person, "diary_daily", "average", value, day=at.date(), at=at)

    def composite(self, person: Participant, value: float, *, visit: str, day: float) -> None:
        with acting(factories.SETTING_UP, "set up"), transaction.atomic():
            session = QSTSession.objects.create(
                participant=person,
                visit=person.visits.get(code=visit),
                tested_at=DAY0 + timedelta(days=day),
                tester="Tess",
                test_area="hand",
            )
            QSTValue.objects.create(
                session=session, participant=person, area="test", parameter="composite", value=value
            )

    def _save(
        self,
        person: Participant,
        instrument: str,
        name: str,
        value: float,
        *,
        at: datetime,
        visit: Visit | None = None,
        day: date | None = None,
    ) -> None:
        version = InstrumentVersion.objects.get(key=instrument)
        about: dict[str, Any] = {"visit": visit, "day": day, "status": "complete", "source": "staff"}
        with acting(factories.SETTING_UP, "set up"), transaction.atomic():
            saved = Response.objects.create(participant=person, instrument=version, completed_at=at, **about)
            Score.objects.create(response=saved, participant=person, name=name, number=value, scoring_version="1")


@pytest.fixture
def trial(version, coordinator) -> Trial:
    return Trial(version, factories.Participants(version, coordinator))


@pytest.fixture
def person(trial, site) -> Participant:
    return trial.participant(site)


def line(points: list[Point], measure: str) -> list[tuple[str, float, float]]:
    return [(point.visit, round(point.day, 2), point.value) for point in points if point.measure == measure]


def test_the_study_is_followed_by_what_its_protocol_collects_one_measure_a_dimension(version):
    assert [(m.key, m.dimension, m.source) for m in measures_of(version)] == [
        ("pain", "S", ("diary_daily", "average")),
        ("severity", "S", ("bpi_sf", "severity")),
        ("affective", "A", ("sf_mpq_2", "affective")),
        ("cognitive", "C", ("pcs", "total")),
        ("mood", "M", ("madrs", "total")),
        ("qst", "Q", ("qst", "composite")),
    ]


def test_a_visit_without_anything_gives_an_empty_course(person):
    assert course_of(person) == []


def test_questionnaires_and_sensory_testing_stand_at_their_day_from_the_infusion(trial, person):
    trial.score(person, "madrs", "total", 20, visit="BL", day=-3)
    trial.score(person, "madrs", "total", 12, visit="D1", day=1)
    trial.score(person, "sf_mpq_2", "affective", 5, visit="BL", day=-3)
    trial.score(person, "sf_mpq_2_24h", "affective", 2, visit="D1", day=1)
    trial.composite(person, 0.8, visit="BL", day=-2)
    points = course_of(person)
    assert axis_of(person) == "Days from the infusion"
    assert line(points, "mood") == [("BL", -3, 20), ("D1", 1, 12)]
    assert line(points, "affective") == [("BL", -3, 5), ("D1", 1, 2)]
    assert line(points, "qst") == [("BL", -2, 0.8)]


def test_the_diary_enters_as_means_of_the_days_of_the_protocols_endpoint_with_as_many_as_it_asks(trial, person):
    trial.diary(person, range(-7, -3), 6.0)  # four days of the baseline week: enough
    trial.diary(person, range(-3, -1), 9.0)
    trial.diary(person, range(1, 4), 3.0)  # three days of week 1: too few
    trial.diary(person, range(8, 15), 4.0)
    trial.diary(person, range(40, 45), 1.0)  # between weeks 5 and 8 the protocol averages nothing
    assert line(course_of(person), "pain") == [("BASE", -4, 7.0), ("WK2", 11, 4.0)]


def test_the_single_rating_of_day_1_stands_among_the_weekly_means_of_pain(trial, person):
    trial.diary(person, range(-7, 0), 7.0)
    trial.score(person, "nrs_avg24", "value", 4.9, visit="D1", day=1)
    [_, day1] = [point for point in course_of(person) if point.measure == "pain"]
    assert (day1.visit, day1.value) == ("D1", 4.9)
    assert day1.change is not None
    assert (day1.change.responder_30, day1.change.responder_50, day1.change.important) == (True, False, "better")


def test_changes_are_from_the_protocols_baseline_and_not_from_screening(trial, person):
    trial.score(person, "madrs", "total", 30, visit="SCR", day=-14)
    trial.score(person, "madrs", "total", 20, visit="BL", day=-3)
    trial.score(person, "madrs", "total", 8, visit="W1", day=7)
    points = {point.visit: point for point in course_of(person) if point.measure == "mood"}
    assert [points[code].baseline for code in ("SCR", "BL", "W1")] == [False, True, False]
    assert points["SCR"].change is None
    assert points["W1"].change is not None
    assert (points["W1"].change.change, points["W1"].change.percent) == (-12, -60)


def test_where_no_endpoint_names_a_baseline_it_is_the_last_value_before_the_infusion(trial, person):
    trial.score(person, "bpi_sf", "severity", 7, visit="BL", day=-3)
    trial.score(person, "bpi_sf", "severity", 5, visit="W1", day=7)
    [before, after] = [point for point in course_of(person) if point.measure == "severity"]
    assert before.baseline
    assert after.change is not None
    assert after.change.change == -2


def test_before_the_infusion_nothing_is_compared_and_days_count_from_the_planned_one(trial, site):
    person = trial.participant(site, infused=False)
    trial.score(person, "madrs", "total", 20, visit="BL", day=-3)
    assert axis_of(person) == "Days from the first answer"
    assert line(course_of(person), "mood") == [("BL", 0, 20)]
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        Participant.objects.filter(pk=person.pk).update(planned_infusion_on=DAY0.date())
    planned = trial.fresh(person)
    assert axis_of(planned) == "Days from the planned infusion"
    [point] = course_of(planned)
    assert point.day == pytest.approx(-3 + 10 / 24)  # 9:00 UTC is 10:00 in Berlin


def test_what_the_protocol_marks_as_telling_the_arm_is_not_followed(trial, person, monkeypatch):
    trial.composite(person, 0.8, visit="BL", day=-2)
    trial.score(person, "madrs", "total", 20, visit="BL", day=-3)
    revealing = revealing_of(person)

    def marked(_: Participant) -> Any:
        return replace(
            revealing, instruments=revealing.instruments | {"madrs"}, records={*revealing.records, "qstvalue"}
        )

    monkeypatch.setattr("outcomes.course.revealing_of", marked)
    assert {"mood", "qst"} & {measure.key for measure in followed(person)} == set()
    assert course_of(person) == []


def test_courses_of_many_take_the_queries_of_one(trial, site):
    people = [trial.participant(site) for _ in range(4)]
    for person in people:
        trial.score(person, "madrs", "total", 20, visit="BL", day=-3)

    def queries(count: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert len(courses_of(people[:count])) == count
        return len(captured)

    assert queries(1) == queries(4) <= 3


# Groups -----------------------------------------------------------------------------------------------------


@pytest.fixture
def everybody(monkeypatch) -> None:
    """As if all were randomised: only the database's own function may allocate (tests/trialsite/test_timelines.py)."""
    rows = Participant.objects.select_related("site", "study", "protocol_version", "infusion").order_by("pk")
    monkeypatch.setattr(group_module, "_followed", lambda study: list(rows.filter(study=study)))


def with_mood(trial: Trial, site: Site, *values: tuple[float, float]) -> list[Participant]:
    """Participants with a MADRS total at baseline and at week 1."""
    people = []
    for baseline, later in values:
        person = trial.participant(site)
        trial.score(person, "madrs", "total", baseline, visit="BL", day=-3)
        trial.score(person, "madrs", "total", later, visit="W1", day=7)
        people.append(person)
    return people


def test_a_group_has_means_changes_and_responders_worked_by_hand(trial, site, coordinator, everybody):
    with_mood(trial, site, (20, 10), (20, 14), (20, 15), (30, 30), (30, 31))
    course = group_course(coordinator, study=site.study)
    [mood] = course.lines
    baseline, week1 = mood.points
    assert (course.participants, course.axis) == (5, "Days from the infusion")
    assert (baseline.visit, baseline.baseline, baseline.value.mean, baseline.change.n) == ("BL", True, 24, 0)
    assert (week1.day, week1.value.n, week1.value.mean) == (7, 5, 20)
    assert week1.change.mean == pytest.approx((-10 - 6 - 5 + 0 + 1) / 5)
    assert (week1.responder_30.n, week1.responder_30.count, week1.responder_50.count) == (5, 2, 1)
    assert (week1.better.count, week1.worse.count) == (3, 0)  # an important difference is 2 points


def test_fewer_than_five_values_give_their_number_and_nothing_else(trial, site, coordinator, everybody):
    with_mood(trial, site, *[(20.0, 10.0)] * (FEWEST - 1))
    [mood] = group_course(coordinator, study=site.study).lines
    for point in mood.points:
        assert (point.value.n, point.value.mean, point.value.sd, point.change.mean) == (4, None, None, None)
        assert {share.count for share in (point.responder_30, point.responder_50, point.better, point.worse)} == {None}


def test_a_group_holds_only_whom_the_caller_sees(trial, site, coordinator, everybody):
    edinburgh = site.study.sites.get(code="EDI")
    with_mood(trial, site, *[(20.0, 10.0)] * 5)
    with_mood(trial, edinburgh, *[(30.0, 30.0)] * 5)
    manager = factories.person("dana", site.study, "data_manager")
    assert group_course(coordinator, study=site.study).lines[0].points[0].value.mean == 20
    assert group_course(manager, study=site.study).lines[0].points[0].value.mean == 25
    assert group_course(manager, study=site.study, site="EDI").lines[0].points[0].value.mean == 30
    assert group_course(coordinator, study=site.study, site="EDI").participants == 0


def test_the_spread_is_of_the_baseline_of_all_sites_and_needs_ten_values(trial, site, coordinator, everybody):
    with_mood(trial, site, *[(20.0, 10.0), (24.0, 24.0)] * 4)
    assert baseline_spreads(site.study) == {}
    with_mood(trial, site.study.sites.get(code="EDI"), (20.0, 20.0), (24.0, 24.0))
    spreads = baseline_spreads(site.study)
    assert spreads == {"mood": pytest.approx((10 * 4 / 9) ** 0.5)}  # ten values, each 2 from their mean
    [mood] = group_course(coordinator, study=site.study).lines
    assert mood.spread == spreads["mood"]
    assert (mood.points[1].responder_sd.n, mood.points[1].responder_sd.count) == (8, 4)


def test_the_order_of_participants_does_not_matter(trial, site, coordinator, everybody, monkeypatch):
    people = with_mood(trial, site, (20, 10), (21, 14), (22, 15), (30, 30), (31, 31))
    one = group_course(coordinator, study=site.study)
    monkeypatch.setattr(group_module, "_followed", lambda _: people[::-1])
    other = group_course(coordinator, study=site.study)
    assert [p.value.mean for p in other.lines[0].points] == pytest.approx([p.value.mean for p in one.lines[0].points])
