"""What must always be so, the database keeps: each is tried in plain SQL, as `app`, allowed and refused alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from outcomes.models import InstrumentVersion, QSTSession, QSTValue, Response, Score
from studies.acting import acting, verb
from studies.closed_door import create_account
from studies.errors import Contradiction
from studies.models import (
    Deviation,
    Finding,
    Infusion,
    InfusionSegment,
    Membership,
    Participant,
    Reading,
    SafetyAlert,
    Study,
    User,
    Visit,
)
from studies.protocols import load_protocol
from tests import factories
from tests.conftest import django_as

pytestmark = pytest.mark.django_db
AT = datetime(2026, 6, 1, 9, tzinfo=UTC)


@pytest.fixture
def two(participants, site) -> Iterator[tuple[Participant, Participant]]:
    """Two participants of a site with their visits; the first has one record of every kind."""
    mine, other = participants.ready(site), participants.ready(site)
    for each in (mine, other):
        factories.with_visits(each)
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        _record_everything(mine)
        _infusion(other)
        _response(other, InstrumentVersion.objects.get())
        _session(other)
        yield mine, other


def _record_everything(participant: Participant) -> None:
    infusion = _infusion(participant)
    InfusionSegment.objects.create(
        participant=participant, infusion=infusion, start_min=0, end_min=40, rate_ml_h=Decimal("54.3")
    )
    Reading.objects.create(participant=participant, infusion=infusion, minute=15, parameter="hr", taken_at=AT, value=70)
    instrument = InstrumentVersion.objects.create(key="nrs", version="1", scoring_version="1", name="NRS", sha256="0")
    response = _response(participant, instrument)
    Score.objects.create(participant=participant, response=response, name="total", number=3, scoring_version="1")
    session = _session(participant)
    QSTValue.objects.create(participant=participant, session=session, area="test", parameter="HPT", value=44)
    Deviation.objects.create(
        participant=participant, kind="other", severity="minor", occurred_on=AT.date(), description="late"
    )
    Finding.objects.create(
        participant=participant, key="weight_kg", number=70, source_kind="form", source_record=1, source_field="vitals"
    )
    SafetyAlert.objects.create(
        participant=participant, code="C", source_kind="response", source_record=1, raised_at=AT, due_at=AT
    )


def _infusion(participant: Participant) -> Infusion:
    return Infusion.objects.create(
        participant=participant,
        visit=participant.visits.get(code="D0"),
        kit_number="K",
        weight_kg=70,
        planned_volume_ml=35,
        planned_rate_ml_h=Decimal("52.5"),
        started_at=AT,
    )


def _response(participant: Participant, instrument: InstrumentVersion) -> Response:
    return Response.objects.create(
        participant=participant,
        visit=participant.visits.get(code="BL"),
        instrument=instrument,
        status="complete",
        source="staff",
        completed_at=AT,
    )


def _session(participant: Participant) -> QSTSession:
    visit = participant.visits.get(code="BL")
    return QSTSession.objects.create(participant=participant, visit=visit, tested_at=AT, tester="t", test_area="foot")


# The statement, the row it names (of whichever participant), and the constraint that refuses another's.
OF_ONE_PARTICIPANT = {
    "a response": ("outcomes_response SET visit_id", "visit", "response_at_a_visit"),
    "a QST session": ("outcomes_qstsession SET visit_id", "visit", "qst_session_at_a_visit"),
    "an infusion": ("studies_infusion SET visit_id", "visit", "infusion_at_a_visit"),
    "a deviation": ("studies_deviation SET visit_id", "visit", "deviation_at_a_visit"),
    "a finding": ("studies_finding SET visit_id", "visit", "finding_at_a_visit"),
    "a reading": ("studies_reading SET infusion_id", "infusion", "reading_of_the_participants"),
    "a segment": ("studies_infusionsegment SET infusion_id", "infusion", "segment_of_the_participants"),
    "a score": ("outcomes_score SET response_id", "response", "score_of_the_participants"),
    "a QST value": ("outcomes_qstvalue SET session_id", "session", "qst_value_of_the_participants"),
}


def _named(participant: Participant, what: str) -> int:
    if what == "visit":
        return participant.visits.get(code="W1").pk
    if what == "infusion":
        return participant.infusion.pk
    return (participant.responses if what == "response" else participant.qst_sessions).get().pk


def _run(statement: str, values: list[Any]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount > 0, statement


@pytest.mark.parametrize(("change", "what", "constraint"), OF_ONE_PARTICIPANT.values(), ids=OF_ONE_PARTICIPANT)
def test_a_record_names_only_what_belongs_to_its_participant(two, change: str, what: str, constraint: str):
    mine, other = two
    statement = f"UPDATE {change} = %s WHERE participant_id = %s"
    _run(statement, [_named(mine, what), mine.pk])
    with pytest.raises(IntegrityError, match=constraint):
        _run(statement, [_named(other, what), mine.pk])


def test_a_safety_event_is_of_its_participants_infusion(two):
    mine, other = two
    statement = (
        "INSERT INTO studies_safetyevent (participant_id, infusion_id, rule, action, minute, readings)"
        " VALUES (%s, %s, 'S01', 'HOLD', 15, '[]')"
    )
    _run(statement, [mine.pk, _named(mine, "infusion")])
    with pytest.raises(IntegrityError, match="safety_event_of_the_participants"):
        _run(statement, [mine.pk, _named(other, "infusion")])


def test_a_visit_does_not_move_to_another_participant_with_what_hangs_on_it(two):
    mine, other = two
    with pytest.raises(IntegrityError, match="at_a_visit_of_the_participant"):
        _run(
            "UPDATE studies_visit SET participant_id = %s, position = 90, code = 'X' WHERE participant_id = %s"
            " AND code = 'BL'",
            [other.pk, mine.pk],
        )


@pytest.fixture
def elsewhere(version) -> Study:
    """A second study with sites, strata and a protocol of its own."""
    text = version.source.replace("code: KALM", "code: OTHER", 1)
    return load_protocol(factories.SETTING_UP, text=text, source="other.yaml").study


@pytest.mark.parametrize("column", ["site", "stratum", "protocol_version"])
def test_a_participants_site_stratum_and_protocol_are_of_the_study(two, elsewhere, column: str):
    rows = {"site": "sites", "stratum": "strata", "protocol_version": "protocol_versions"}[column]
    statement = f"UPDATE studies_participant SET {column}_id = %s WHERE id = %s"
    _run(statement, [getattr(two[0].study, rows).last().pk, two[0].pk])
    with pytest.raises(IntegrityError, match="of_the_study"):
        _run(statement, [getattr(elsewhere, rows).last().pk, two[0].pk])


def test_a_role_is_held_at_a_site_of_its_study(coordinator, version, elsewhere):
    statement = "UPDATE studies_membership SET site_id = %s WHERE id = %s"
    member = Membership.objects.get(user=coordinator)
    with acting(factories.SETTING_UP, "moved"):
        _run(statement, [version.study.sites.get(code="EDI").pk, member.pk])
        with pytest.raises(IntegrityError, match="membership_at_a_site_of_the_study"):
            _run(statement, [elsewhere.sites.get(code="EDI").pk, member.pk])


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ("status = 'withdrawn', ended_on = '2026-06-01', end_reason = 'moved'", "status = 'withdrawn'"),
        ("status = 'screen_failure', ended_on = '2026-06-01'", "status = 'screen_failure'"),
        ("status = 'randomised'", "status = 'randomised', ended_on = '2026-06-01'"),
        ("status = 'screening'", "status = 'screening', end_reason = 'moved'"),
    ],
)
def test_a_participation_that_ended_has_its_day_and_no_other_has_one(two, allowed: str, refused: str):
    _run(f"UPDATE studies_participant SET {allowed} WHERE id = %s", [two[0].pk])
    with pytest.raises(IntegrityError, match="a_participation_that_ended_has_its_day"):
        _run(f"UPDATE studies_participant SET {refused} WHERE id = %s", [two[1].pk])


def test_a_completed_participation_has_its_day_but_for_an_imported_one(two):
    statement = "UPDATE studies_participant SET status = 'completed' WHERE id = %s"
    with pytest.raises(DatabaseError, match="has its last day"):
        _run(statement, [two[0].pk])
    _run("UPDATE studies_study SET origin = 'imported' WHERE id = %s", [two[0].study_id])
    _run(statement, [two[0].pk])


def test_an_alert_is_acknowledged_by_somebody_at_a_time_with_what_was_done(two):
    whole = "acknowledged_at = now(), acknowledged_by = 'ivan', action_taken = 'called'"
    parts = whole.split(", ")
    for missing in parts:
        some = ", ".join(part for part in parts if part != missing)
        with pytest.raises(IntegrityError, match="acknowledgement_time_name_and_action_together"):
            _run(f"UPDATE studies_safetyalert SET {some}", [])
    _run(f"UPDATE studies_safetyalert SET {whole}", [])


@pytest.mark.parametrize("status", ["planned", "missed"])
def test_a_visit_that_did_not_take_place_has_no_start(two, status: str):
    reason = "ill" if status == "missed" else ""
    statement = "UPDATE studies_visit SET status = %s, missed_reason = %s, started_at = {} WHERE id = %s"
    visit = two[0].visits.get(code="W2").pk
    _run(statement.format("NULL"), [status, reason, visit])
    with pytest.raises(IntegrityError, match="only_a_visit_that_took_place_has_a_start"):
        _run(statement.format("now()"), [status, reason, visit])


def test_a_participant_has_a_visit_once(two):
    statement = (
        "INSERT INTO studies_visit (participant_id, code, position, status, missed_reason, out_of_window)"
        " VALUES (%s, %s, %s, 'planned', '', false)"
    )
    _run(statement, [two[0].pk, "UNS", 91])
    with pytest.raises(IntegrityError, match="visit_code_once"):
        _run(statement, [two[0].pk, "UNS", 92])


@verb(because="moved to another visit")
def _move(user: User, *, response: Response, visit: Visit) -> None:
    response.visit = visit
    response.save(update_fields=["visit"])


def test_whoever_meets_a_constraint_in_a_verb_is_told_in_a_sentence(two, coordinator):
    mine, other = two
    response = Response.objects.get(participant=mine)
    with pytest.raises(Contradiction, match="belongs to another participant") as refused:
        _move(coordinator, response=response, visit=other.visits.get(code="SCR"))
    assert refused.value.code == "conflict"
    _move(coordinator, response=response, visit=mine.visits.get(code="SCR"))
    assert Response.objects.get(participant=mine).visit.code == "SCR"


def test_a_user_name_stays_with_its_person(coordinator):
    statement = "UPDATE studies_user SET {} WHERE id = %s"
    for change in ("username = 'mallory'", "username = upper(username)", "id = id + 1000"):
        with pytest.raises(DatabaseError, match="never changed"):
            _run(statement.format(change), [coordinator.pk])
    _run(statement.format("first_name = 'Cora', username = 'cora'"), [coordinator.pk])


def test_two_people_cannot_swap_their_names(coordinator, investigator):
    with pytest.raises(DatabaseError, match="never changed"):
        _run("UPDATE studies_user SET username = CASE username WHEN 'cora' THEN 'ivan' ELSE 'cora' END", [])


def test_an_account_is_made_and_its_password_changed_as_ever(version):
    person = factories.person("petra", version.study, "monitor")
    person.set_password("another long sentence")
    person.save()
    assert User.objects.get(username="petra").check_password("another long sentence")


@pytest.mark.django_db(transaction=True)
def test_nobody_renames_an_account_of_the_closed_door(version, as_role):
    with django_as("unblinded"):
        create_account(study=version.study, username="dana", name="Dana", role="dsmb_member", password="a sentence")
        create_account(study=version.study, username="dana", name="Dana D", role="dsmb_member", password="another one")
    with as_role("unblinded") as unblinded:
        assert unblinded.execute("SELECT name FROM concealed.account").fetchall() == [("Dana D",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            unblinded.execute("UPDATE concealed.account SET username = 'mallory'")
