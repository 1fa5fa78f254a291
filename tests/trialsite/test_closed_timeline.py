"""Courses by arm at the closed door: who may read them, and that each reading is on record."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.closed_courses import ArmCourse, ArmPoint
from outcomes.change import Mean
from studies.models import Study
from tests.trialsite import test_closed_door
from tests.trialsite.closed_door import ClosedDoor

look, unblinded_cut = test_closed_door.look, test_closed_door.unblinded_cut
pytestmark = pytest.mark.django_db(transaction=True)
POINT = ArmPoint("WK4", False, Mean(9, 4.0, 1.0, 3.2, 4.8), Mean(9, -2.0), Mean(9, 1.1), 0.5, 0.25, 0.75, None)
COURSE = ArmCourse("pain_week4", "Average pain", "KET", "Ketamine", 1.6, (POINT,))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the cut are stand-ins here: what is computed of them is tested in tests/analysis."""
    monkeypatch.setattr("analysis.closed_courses.load_trial", lambda *_: None)
    monkeypatch.setattr("analysis.closed_courses.cuts.arms_of", lambda _: None)
    monkeypatch.setattr("analysis.closed_courses.courses_by_arm", lambda *_: [COURSE])


def test_whoever_may_read_arms_reads_the_courses_of_a_cut_and_the_trail_says_so(
    closed_door: ClosedDoor,
    study: Study,
    unblinded_cut: str,
    computed: None,
):
    token = closed_door.token(closed_door.account(study, "unblinded_statistician"))
    answer = closed_door.get(f"/api/v1/cuts/{unblinded_cut}/timeline/", headers=token)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["study"], told["cut"]) == ("KALM", unblinded_cut)
    [line] = told["lines"]
    assert (line["arm"], line["points"][0]["change"]["mean"], line["points"][0]["worse"]) == ("KET", -2.0, None)
    assert answer["Cache-Control"] == "no-store"
    assert ("unblinded_statistician", f"cut {unblinded_cut}: courses by arm read") in closed_door.trail()


def test_a_pharmacist_reads_no_courses_and_an_unknown_cut_is_not_there(
    closed_door: ClosedDoor,
    study: Study,
    unblinded_cut: str,
):
    def get(role: str, cut: str) -> Any:
        token = closed_door.token(closed_door.account(study, role))
        return closed_door.get(f"/api/v1/cuts/{cut}/timeline/", headers=token).status_code

    assert get("pharmacist", unblinded_cut) == 403
    assert get("dsmb_member", "KALM-cut-99") == 404
    assert closed_door.get(f"/api/v1/cuts/{unblinded_cut}/timeline/").status_code == 401
