"""How a form was taken: partial, refused, not done, late, by proxy; by staff, from paper, by the participant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from outcomes.circumstances import correct_circumstances
from outcomes.models import Response
from outcomes.responses import ResponseEntry, correct_response, save_response
from outcomes.wording import load_wording
from studies import history
from studies.acting import Program, acting
from studies.errors import InvalidEntries, InvalidEntry, NotAllowed
from studies.models import AuditEvent
from tests import factories
from tests.outcomes.test_wording import FILE

pytestmark = pytest.mark.django_db
CLOSES = datetime(2026, 2, 8, 23, 0, tzinfo=UTC)
ITEMS = {str(n): 1.0 for n in range(1, 8)}


@pytest.fixture
def entry(participant) -> ResponseEntry:
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        participant.visits.filter(code="BL").update(opens_at=CLOSES - timedelta(days=7), closes_at=CLOSES)
    visit = participant.visits.get(code="BL")
    return ResponseEntry(participant, "gad7", ITEMS, CLOSES - timedelta(hours=3), visit=visit)


def in_history(user: Any, response: Response) -> dict[str, str]:
    """What the history of a participant tells of the saving of a form: field and value in words."""
    events = AuditEvent.objects.filter(kind="response", record=response.pk, operation="insert")
    [change] = history.in_words(user, response.participant, events)
    return {line.field: line.became for line in change.lines}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"items": {"1": 1.0}}, {"Status": "Partial"}),
        ({"items": {}, "status": "refused", "not_done_reason": "Too tired"}, {"Status": "Refused"}),
        ({"items": {}, "status": "not_done", "not_done_reason": "Form lost"}, {"Not done reason": "Form lost"}),
        ({"completed_at": CLOSES + timedelta(minutes=1)}, {"Days late": "1"}),
        ({"completed_at": CLOSES + timedelta(days=1)}, {"Days late": "1"}),
        ({"completed_at": CLOSES + timedelta(days=1, minutes=1)}, {"Days late": "2"}),
        ({"proxy": "partner"}, {"Answered by proxy": "Partner", "Source": "Entered by staff"}),
        ({"source": "paper"}, {"Source": "Transcribed from paper"}),
        ({"source": "participant"}, {"Source": "Self-completed"}),
        ({"language": "de", "wording_version": "1.0"}, {"Language": "de", "Wording version": "1.0"}),
    ],
)
def test_how_a_form_was_taken_is_kept_and_told_in_its_history(coordinator, entry, changes, told):
    saved = save_response(coordinator, entry=replace(entry, **changes))
    saved.refresh_from_db()
    words = in_history(coordinator, saved)
    assert {name: words.get(name) for name in told} == told


def test_a_form_in_time_by_the_participant_says_nothing_of_proxies_and_days_late(coordinator, entry):
    words = in_history(coordinator, save_response(coordinator, entry=entry))
    assert not {"Days late", "Answered by proxy", "Language"} & words.keys()


@pytest.mark.parametrize(("days", "late"), [(0, None), (1, None), (2, 1), (9, 8)])
def test_a_diary_day_is_in_time_until_the_next_day_is_over_at_the_site(coordinator, participant, days, late):
    # 22:30 in Berlin is 21:30 UTC.
    answered = datetime(2026, 2, 3, 21, 30, tzinfo=UTC) + timedelta(days=days)
    saved = save_response(
        coordinator,
        entry=ResponseEntry(participant, "diary_daily", {"average": 4.0}, answered, day=date(2026, 2, 3)),
    )
    assert saved.days_late == late


def test_a_form_that_was_not_done_is_not_late(coordinator, entry):
    refused = replace(entry, items={}, status="refused", not_done_reason="No", completed_at=CLOSES + timedelta(days=9))
    assert save_response(coordinator, entry=refused).days_late is None


def test_a_refused_form_may_be_answered_after_all_with_a_reason(coordinator, entry):
    saved = save_response(coordinator, entry=replace(entry, items={}, status="refused", not_done_reason="Tired"))
    corrected = correct_response(coordinator, response=saved, items=ITEMS, reason="answered in the afternoon")
    assert (corrected.status, corrected.not_done_reason) == ("complete", "")
    assert corrected.scores.get(name="total").number == 7


def test_an_item_answered_later_loses_the_reason_why_it_was_open(coordinator, entry):
    open_item = replace(entry, items=ITEMS | {"7": None}, missing={"7": "refused"})
    saved = save_response(coordinator, entry=open_item)
    assert saved.items.get(item="7").missing_reason == "refused"
    correct_response(coordinator, response=saved, items={"7": 3.0}, reason="answered after all")
    assert (saved.items.get(item="7").value, saved.items.get(item="7").missing_reason) == (3, None)


def test_what_a_participant_filled_in_alone_is_not_changed_and_what_came_from_paper_is(coordinator, entry):
    from_paper = save_response(coordinator, entry=replace(entry, source="paper"))
    correct_response(coordinator, response=from_paper, items={"1": 2.0}, reason="misread")
    alone = replace(entry, source="participant", visit=entry.participant.visits.get(code="SCR"))
    own = save_response(coordinator, entry=alone)
    with pytest.raises(InvalidEntry, match="own answers are not changed"):
        correct_response(coordinator, response=own, items={"1": 2.0}, reason="misread")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"source": "paper"}, {"Source": ("Entered by staff", "Transcribed from paper")}),
        ({"proxy": "partner"}, {"Answered by proxy": ("", "Partner")}),
        ({"language": "de"}, {"Language": ("", "de"), "Wording version": ("", "1.0")}),
        ({"language": "fr"}, {"Language": ("", "fr")}),
        (
            {"completed_at": CLOSES + timedelta(days=2)},
            {"Days late": ("", "2"), "Completed at": ("8 Feb 2026 21:00", "11 Feb 2026 00:00")},
        ),
    ],
)
def test_how_a_form_was_taken_is_corrected_with_a_reason_and_told_in_the_history(coordinator, entry, change, told):
    load_wording(factories.SETTING_UP, text=FILE, source="gad7-de.yaml")
    saved = save_response(coordinator, entry=entry)
    correct_circumstances(coordinator, response=saved, circumstances=change, reason="see the paper")
    event = AuditEvent.objects.get(kind="response", record=saved.pk, operation="update")
    [words] = history.in_words(coordinator, saved.participant, [event])
    assert words.why == "see the paper"
    assert {line.field: (line.was, line.became) for line in words.lines} == told
    assert saved.scores.get(name="total").number == 7, "the answers are as they were"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": "participant"}, "participants' door"),
        ({"source": "staff"}, "Nothing is different"),
        ({"language": "German, I think"}, "write a tag"),
        ({"completed_at": datetime(2999, 1, 1, tzinfo=UTC)}, "lies ahead"),
        ({"completed_at": datetime(2026, 2, 3, 10, 0)}, "no offset"),  # noqa: DTZ001 - that is what is refused
        ({"proxy": "neighbour"}, "is no proxy"),
    ],
)
def test_a_correction_of_how_a_form_was_taken_that_cannot_be_changes_nothing(coordinator, entry, change, said):
    saved = save_response(coordinator, entry=entry)
    with pytest.raises((InvalidEntry, InvalidEntries), match=said):
        correct_circumstances(coordinator, response=saved, circumstances=change, reason="a slip")
    assert not AuditEvent.objects.filter(kind="response", operation="update").exists()


def test_a_form_that_did_not_come_by_staff_keeps_how_it_was_taken_and_nobody_corrects_without_a_reason_or_right(
    coordinator, entry, version
):
    own = save_response(coordinator, entry=replace(entry, source="participant"))
    change = {"language": "de"}
    with pytest.raises(InvalidEntry, match="own entry is not changed"):
        correct_circumstances(coordinator, response=own, circumstances=change, reason="a slip")
    at_scr = replace(entry, visit=entry.participant.visits.get(code="SCR"))
    saved = save_response(coordinator, entry=at_scr)
    with pytest.raises(InvalidEntry, match="reason"):
        correct_circumstances(coordinator, response=saved, circumstances=change, reason=" ")
    monitor = factories.person("mona", version.study, "monitor")
    with pytest.raises(NotAllowed):
        correct_circumstances(monitor, response=saved, circumstances=change, reason="a slip")


def test_a_form_that_was_not_done_has_its_time_corrected_and_is_never_late(coordinator, entry):
    refused = replace(entry, items={}, status="refused", not_done_reason="Tired")
    saved = save_response(coordinator, entry=refused)
    later = {"completed_at": CLOSES + timedelta(days=3)}
    assert correct_circumstances(coordinator, response=saved, circumstances=later, reason="a slip").days_late is None
    with pytest.raises((InvalidEntry, InvalidEntries), match="A proxy answers"):
        correct_circumstances(coordinator, response=saved, circumstances={"proxy": "carer"}, reason="a slip")


def test_the_desk_and_programs_correct_how_a_form_was_taken(coordinator, entry, client):
    saved = save_response(coordinator, entry=entry)
    client.force_login(coordinator, backend="django.contrib.auth.backends.ModelBackend")
    person = entry.participant.identifier
    form = f"/admin/participants/{person}/visits/BL/forms/gad7/"
    address = f"/admin/participants/{person}/taken/{saved.pk}/"
    assert address in client.get(form).content.decode()
    typed = {"completed_at": "2026-02-11T08:00", "source": "paper", "proxy": "partner", "language": ""}
    assert "Reason for the change is empty" in client.post(address, typed).content.decode()
    assert client.post(address, {**typed, "reason": "kept at home"}).status_code == 302
    saved.refresh_from_db()
    assert (saved.source, saved.proxy, saved.days_late) == ("paper", "partner", 3)
    assert "3 days late" in client.get(form).content.decode()
    body = {"source": "staff", "proxy": "", "reason": "asked by telephone"}
    told = client.post(f"/api/v1/responses/{saved.pk}/circumstances/", body, content_type="application/json")
    assert (told.status_code, told.json()["source"], told.json()["days_late"]) == (200, "staff", 3)
    refused = client.post(
        f"/api/v1/responses/{saved.pk}/circumstances/", {"source": "x"}, content_type="application/json"
    )
    assert (refused.status_code, "source" in refused.content.decode()) == (400, True)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("days_late = 0", "response_late_by_a_day_or_more"),
        (
            "proxy = 'partner', status = 'refused', not_done_reason = 'x'",
            "response_by_proxy_stands_for_the_participant",
        ),
        ("proxy = 'partner', respondent = 'infusion_nurse'", "response_by_proxy_stands_for_the_participant"),
        ("wording_version = '1.0'", "response_wording_has_its_language"),
        ("status = 'refused'", "response_not_done_has_a_reason"),
        ("not_done_reason = 'tired'", "response_not_done_has_a_reason"),
    ],
)
def test_the_database_itself_refuses_circumstances_that_contradict_each_other(coordinator, entry, change, constraint):
    saved = save_response(coordinator, entry=entry)
    with acting(coordinator, "raw SQL"), pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE outcomes_response SET {change} WHERE id = %s", [saved.pk])


# On the page and by the API ----------------------------------------------------------------------------------


@pytest.fixture
def client(coordinator) -> Client:
    client = Client(headers={"accept-language": "de-CH,de;q=0.9,en;q=0.5"})
    client.force_login(coordinator, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page_of(participant: Any) -> str:
    return f"/admin/participants/{participant.identifier}/visits/BL/forms/gad7/"


def posted(**changes: str) -> dict[str, str]:
    return {f"item-{n}": "1" for n in ITEMS} | {"completed_at": "2026-02-08T20:00", "source": "staff"} | changes


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"source": "paper"}, {"source": "paper", "proxy": "", "days_late": None}),
        ({"proxy": "carer"}, {"source": "staff", "proxy": "carer"}),
        ({"completed_at": "2026-02-11T10:00"}, {"days_late": 3, "status": "complete"}),
        ({"item-7": "refused"}, {"status": "partial"}),
    ],
)
def test_a_member_of_staff_says_on_the_page_how_it_was_taken(client, entry, changes, kept):
    answer = client.post(page_of(entry.participant), posted(**changes))
    assert answer.status_code == 302
    saved = Response.objects.get()
    assert {name: getattr(saved, name) for name in kept} == kept


@pytest.mark.parametrize("whole", ["not_done", "refused"])
def test_a_whole_form_is_not_done_or_refused_on_the_page_with_its_reason(client, entry, whole):
    answers = {name: "" for name in posted() if name.startswith("item-")}
    client.post(page_of(entry.participant), posted(**answers, whole=whole, not_done_reason="Taxi came"))
    saved = Response.objects.get()
    assert (saved.status, saved.not_done_reason, saved.items.count()) == (whole, "Taxi came", 0)
    shown = client.get(page_of(entry.participant)).content.decode()
    assert f"as {saved.get_status_display().lower()}: Taxi came" in shown


def test_a_saved_form_tells_how_it_was_taken(client, entry):
    client.post(page_of(entry.participant), posted(source="paper", proxy="other", completed_at="2026-02-11T10:00"))
    shown = client.get(page_of(entry.participant)).content.decode()
    assert "transcribed from paper, answered on 11 Feb 2026 10:00 (3 days late), by somebody else in the part" in shown


def test_the_page_reads_as_the_licence_holder_worded_it_and_the_response_keeps_which(client, entry):
    load_wording(Program("holder"), text=FILE, source="gad7-de.yaml")
    shown = client.get(page_of(entry.participant)).content.decode()
    assert 'lang="de">Satz eins</span>' in shown
    assert 'lang="de">selten</span>' in shown
    assert "Bitte kreuzen Sie an." in shown
    assert '<a href="?language=labels">' in shown
    client.post(page_of(entry.participant), posted(language="de"))
    assert Response.objects.values_list("language", "wording_version").get() == ("de", "1.0")
    assert "Satz eins" in client.get(page_of(entry.participant)).content.decode()


def test_numbers_and_labels_stay_within_reach_where_a_wording_is_loaded(client, entry):
    load_wording(Program("holder"), text=FILE, source="gad7-de.yaml")
    shown = client.get(page_of(entry.participant) + "?language=labels").content.decode()
    assert "Satz eins" not in shown
    assert '<a href="?language=de">Deutsch</a>' in shown
    client.post(page_of(entry.participant), posted(language="labels"))
    assert Response.objects.values_list("language", "wording_version").get() == ("", "")


def test_the_api_takes_and_tells_how_a_form_was_taken(client, entry):
    body = {
        "participant": entry.participant.identifier,
        "visit": "BL",
        "instrument": "gad7",
        "items": ITEMS,
        "completed_at": "2026-02-11T10:00:00+01:00",
        "source": "paper",
        "proxy": "relative",
    }
    answer = client.post("/api/v1/responses/", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["source"], told["proxy"], told["days_late"]) == ("paper", "relative", 3)


def test_wording_is_in_no_answer_of_the_api(client, entry):
    load_wording(Program("holder"), text=FILE, source="gad7-de.yaml")
    client.post(page_of(entry.participant), posted(language="de"))
    for path in ("responses", "response-items", "scores"):
        assert "Satz" not in client.get(f"/api/v1/{path}/").content.decode()
