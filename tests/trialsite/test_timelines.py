"""Courses over time by the API and on the pages: who sees whose, pooled, and nothing that tells an arm."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outcomes.models import InstrumentVersion, Response, Score
from studies.acting import Program, acting
from studies.models import Participant
from tests import factories
from tests.trialsite.busy_site import CADSS_TOTAL, BusySite

pytestmark = pytest.mark.django_db
EVERYBODY = ("coordinator", "efficacy_rater", "data_manager", "statistician", "monitor", "auditor")


def score(person: Participant, instrument: str, name: str, value: float, *, visit: str, days: int) -> None:
    """One saved score, answered so many days from today."""
    version = InstrumentVersion.objects.get(key=instrument)
    at = datetime.now(UTC) + timedelta(days=days)
    with acting(Program("test"), "set up"):
        saved = Response.objects.create(
            participant=person,
            instrument=version,
            visit=person.visits.get(code=visit),
            status="complete",
            source="staff",
            completed_at=at,
        )
        Score.objects.create(response=saved, participant=person, name=name, number=value, scoring_version="1")


@pytest.fixture
def followed(busy: BusySite) -> BusySite:
    """Seven of Berlin, infused nine days ago, with a total of the MADRS before and after."""
    busy.add(5)
    for place, person in enumerate(busy.participants):
        score(person, "madrs", "total", 20 + place, visit="BL", days=-12)
        score(person, "madrs", "total", 10 + place, visit="W1", days=-2)
    return busy


def get(busy: BusySite, who: str, path: str) -> Any:
    return busy.as_(who).get(f"/api/v1/{path}")


def lines(answer: Any) -> dict[str, Any]:
    return {line["measure"]: line for line in answer.json()["lines"]}


def test_the_timeline_of_a_participant_has_values_changes_and_what_they_mean(followed: BusySite):
    answer = get(followed, "coordinator", f"participants/{followed.first.identifier}/timeline/")
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["axis"], told["participant"]) == ("Days from the infusion", followed.first.identifier)
    assert told["infusion_on"] is not None
    mood = lines(answer)["mood"]
    assert (mood["dimension_name"], mood["sources"]) == ("mood", ["madrs.total"])
    assert mood["important_difference"]["change"] == 2
    baseline, week1 = mood["points"]
    assert (baseline["visit"], baseline["baseline"], baseline["change"]) == ("BL", True, None)
    assert week1["change"] == {
        "change": -10,
        "percent": -50,
        "improvement_sd": None,
        "responder_30": True,
        "responder_50": True,
        "responder_sd": None,
        "important": "better",
    }


def test_the_timeline_of_a_study_is_pooled_over_those_whom_the_caller_sees(followed: BusySite):
    answer = get(followed, "coordinator", "studies/KALM/timeline/")
    told = answer.json()
    assert (told["arms"], told["participants"], told["fewest"], told["site"]) == ("pooled", 7, 5, None)
    baseline, week1 = lines(answer)["mood"]["points"]
    assert (baseline["value"]["n"], baseline["value"]["mean"]) == (7, 23)
    assert (week1["change"]["mean"], week1["responder_30"], week1["better"]) == (
        -10,
        {"n": 7, "count": 7},
        {"n": 7, "count": 7},
    )
    assert get(followed, "data_manager", "studies/KALM/timeline/").json()["participants"] == 7
    assert get(followed, "data_manager", "studies/KALM/timeline/?site=EDI").json()["participants"] == 0
    assert get(followed, "outsider", "studies/KALM/timeline/").json()["participants"] == 0


def test_of_those_who_were_not_randomised_a_group_holds_nobody(followed: BusySite):
    screened = factories.Participants(followed.version, followed.people["investigator"], made=70).ready(followed.site())
    factories.with_visits(screened)
    score(screened, "madrs", "total", 60, visit="BL", days=-12)
    assert get(followed, "coordinator", "studies/KALM/timeline/").json()["participants"] == 7


@pytest.mark.parametrize("who", EVERYBODY)
def test_no_timeline_tells_side_effects_or_an_arm(followed: BusySite, who: str):
    paths = (f"participants/{followed.first.identifier}/timeline/", "studies/KALM/timeline/")
    for path in paths:
        answer = get(followed, who, path)
        assert answer.status_code == 200, (path, answer.content)
        text = answer.content.decode()
        assert "cadss" not in text
        assert "bprs" not in text
        assert str(CADSS_TOTAL) not in {str(value) for value in _numbers(json.loads(text))}
        assert not {"KET", "MDZ"} & set(text.replace('"', " ").split())


def _numbers(told: Any) -> list[Any]:
    if isinstance(told, dict):
        return [number for value in told.values() for number in _numbers(value)]
    if isinstance(told, list):
        return [number for value in told for number in _numbers(value)]
    return [told] if isinstance(told, int | float) else []


def test_what_a_caller_may_not_see_is_not_found(followed: BusySite):
    path = f"participants/{followed.first.identifier}/timeline/"
    assert get(followed, "outsider", path).status_code == 404
    assert get(followed, "coordinator", "studies/OTHER/timeline/").status_code == 404
    assert get(followed, "coordinator", "studies/KALM/timeline/?site=EDI").status_code == 404
    assert get(followed, "administrator", "studies/KALM/timeline/").status_code == 404


def test_the_participants_page_shows_the_course_with_its_numbers(followed: BusySite):
    page = followed.as_("coordinator").get(f"/admin/participants/{followed.first.identifier}/").content.decode()
    assert "Mood (MADRS)" in page
    assert '<td class="number">-10.0</td><td class="number">-50 %</td><td>≥ 50 %</td><td>better</td>' in page
    assert "Important difference: 2 points (minimal)." in page


def test_the_studys_page_shows_the_pooled_course_and_says_that_nobody_knows_an_arm(followed: BusySite):
    client = followed.as_("data_manager")
    page = client.get("/admin/study/KALM/course/?site=BER").content.decode()
    assert "7 randomised participants of BER together. No comparison by arm" in page
    assert '<td class="number">23.0 (2.2)</td>' in page
    assert "7 of 7 (100 %)" in page
    assert "-10.0 (-10.0 to -10.0)" in page
    empty = client.get("/admin/study/KALM/course/?site=EDI").content.decode()
    assert "0 randomised participants of EDI together" in empty
    assert "Nothing to draw yet: a mean needs 5 values at one time." in empty
    assert client.get("/admin/study/KALM/course/?site=XXX").status_code == 404
    assert followed.as_("coordinator").get("/admin/study/OTHER/course/").status_code == 404
