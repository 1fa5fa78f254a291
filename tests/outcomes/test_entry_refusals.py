"""What cannot be entered: by the page, by the API and by the verb, each with its sentence, and nothing half saved."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from outcomes.models import Response
from outcomes.responses import ResponseEntry, save_response
from outcomes.scoring import load_instrument
from studies.acting import acting
from studies.errors import InvalidEntries
from studies.models import Draft
from tests import factories
from tests.trialsite.desk_pages import Inline
from trialsite.desk.response_values import values_of

pytestmark = pytest.mark.django_db
AT = "2026-02-03T10:00"
GOOD = {str(n): 1 for n in range(1, 10)} | {"9": 0}
TOMORROW = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page_of(participant: Any, instrument: str = "phq9") -> str:
    return f"/admin/participants/{participant.identifier}/visits/BL/forms/{instrument}/"


def posted(changes: dict[str, Any]) -> dict[str, Any]:
    """A form that can be saved, but for the changes."""
    items = {f"item-{name}": str(value) for name, value in GOOD.items()}
    return items | {"completed_at": AT, "source": "staff"} | changes


# By the page ------------------------------------------------------------------------------------------------

CHECK = "Check the value, or choose Not done."
BY_PAGE = [
    ({"item-1": "4"}, "1", f"Interest is 4; allowed is 0 to 3 (whole numbers). {CHECK}"),
    ({"item-1": "-1"}, "1", f"Interest is -1; allowed is 0 to 3 (whole numbers). {CHECK}"),
    ({"item-1": "1,5"}, "1", f"Interest is 1.5; allowed is 0 to 3 (whole numbers). {CHECK}"),
    ({"item-1": "zwei"}, "1", f"Interest is &#x27;zwei&#x27;; a number from 0 to 3 is expected. {CHECK}"),
    ({"item-1": "1e1"}, "1", f"Interest is &#x27;1e1&#x27;; a number from 0 to 3 is expected. {CHECK}"),
    ({"item-1": "1_0"}, "1", f"Interest is &#x27;1_0&#x27;; a number from 0 to 3 is expected. {CHECK}"),
    ({"item-1": "٣"}, "1", f"Interest is &#x27;٣&#x27;; a number from 0 to 3 is expected. {CHECK}"),
    ({"item-1": "nan"}, "1", f"Interest is &#x27;nan&#x27;; a number from 0 to 3 is expected. {CHECK}"),
    ({"item-1": "=1+1"}, "1", f"Interest is &#x27;=1+1&#x27;; a number from 0 to 3 is expected. {CHECK}"),
    ({"item-1": ["1", "2"]}, "1", "Interest was sent 2 times (1, 2). Choose one answer and save again."),
    (
        {"item-1": "2", "missing-1": "refused"},
        "1",
        "Interest is &#x27;2&#x27; and marked as refused. Keep one of the two.",
    ),
    ({"item-1": "", "missing-1": "lazy"}, "1", "&#x27;lazy&#x27; is no reason for an open item; choose one of"),
    ({"item-77": "1"}, "77", "Patient Health Questionnaire 9 has no item 77. Load the page anew and enter it again."),
    ({"completed_at": ""}, "completed_at", "Answered on is empty: fill it in."),
    ({"completed_at": "2026-13-01T10:00"}, "completed_at", "a date and time such as 2026-11-24 14:05 is expected"),
    ({"completed_at": "2026-02-03"}, "completed_at", "Answered on is &#x27;2026-02-03&#x27;; a date and time such as"),
    ({"completed_at": "Feb 2026"}, "completed_at", "Answered on is &#x27;Feb 2026&#x27;; a date and time such as"),
    (
        {"completed_at": "2026-03-29T02:30"},
        "completed_at",
        "02:30 on 29 Mar 2026 does not exist: the clock of Europe/Berlin went forward.",
    ),
    ({"completed_at": TOMORROW}, "completed_at", "lies ahead; it is"),
    ({"completed_at": "0206-02-03T10:00"}, "completed_at", "lies more than a year before the visit&#x27;s window"),
    ({"whole": "not_done"}, "not_done_reason", "There are answers, and the whole form is marked as not done."),
    ({"not_done_reason": "Tired"}, "not_done_reason", "There is a reason why the form was not done, and it is not"),
    ({"whole": "lost", "not_done_reason": "x"}, "status", "A form is not said to be &#x27;lost&#x27;: that follows"),
    ({"source": "participant"}, "source", "Say how it was taken: with the participant, or from paper."),
    ({"proxy": "neighbour"}, "proxy", "&#x27;neighbour&#x27; is no proxy; choose one of partner, relative, carer"),
]


@pytest.mark.parametrize(("changes", "field", "says"), BY_PAGE)
def test_the_page_refuses_beside_the_entry_keeps_what_was_typed_and_saves_nothing(
    coordinator, participant, changes, field, says
):
    with_window(participant)
    answer = signed_in(coordinator).post(page_of(participant), posted(changes))
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert says in shown
    assert answer.context["errors"].keys() == {field}
    for name, value in changes.items():
        if isinstance(value, str) and value and name in ("item-1", "completed_at", "not_done_reason"):
            assert f'value="{value}"' in shown, "what was typed is still there"
    assert not Response.objects.exists()
    assert Draft.objects.get().content["item-2"] == "1"
    assert Inline(shown).found == []


def with_window(participant: Any) -> None:
    """The window of the baseline visit, so that a mistyped year is seen."""
    with acting(factories.SETTING_UP, "set up"):
        participant.visits.filter(code="BL").update(
            opens_at=datetime(2026, 2, 1, tzinfo=UTC), closes_at=datetime(2026, 2, 8, tzinfo=UTC)
        )


def test_the_page_tells_all_that_is_wrong_at_once(coordinator, participant):
    wrong = {"item-1": "9", "item-2": "x", "item-3": "1,5", "completed_at": "yesterday"}
    answer = signed_in(coordinator).post(page_of(participant), posted(wrong))
    assert answer.context["errors"].keys() == {"1", "2", "3", "completed_at"}
    assert [entry.typed for entry in answer.context["entries"][:3]] == ["9", "x", "1,5"]


def test_a_decimal_comma_is_understood_where_fractions_are_allowed(coordinator, participant):
    vas = load_instrument("vas100")
    assert values_of({"item-1": "42,5"}, vas) == ({"1": 42.5}, {}, [])


# By the API -------------------------------------------------------------------------------------------------

ALLOWED = "(whole numbers). " + CHECK
BY_API: list[tuple[dict[str, Any], str, str]] = [
    ({"items": {"1": 4}}, "1", f"Interest is 4; allowed is 0 to 3 {ALLOWED}"),
    ({"items": {"1": "2"}}, "1", f"Interest is '2'; a number is needed, 0 to 3 {ALLOWED}"),
    ({"items": {"1": "2,5"}}, "1", f"Interest is '2,5'; a number is needed, 0 to 3 {ALLOWED}"),
    ({"items": {"1": True}}, "1", f"Interest is True; a number is needed, 0 to 3 {ALLOWED}"),
    ({"items": {"1": [1]}}, "1", f"Interest is [1]; a number is needed, 0 to 3 {ALLOWED}"),
    ({"items": {"1": 10**400}}, "1", f"Interest is inf; allowed is 0 to 3 {ALLOWED}"),
    ({"items": {"77": 1}}, "77", "Patient Health Questionnaire 9 has no item 77; its items are 1, 2, 3"),
    ({"missing": {"77": "refused"}}, "77", "Patient Health Questionnaire 9 has no item 77; its items are 1, 2, 3"),
    ({"missing": {"1": "refused"}}, "1", "Interest is 1 and has a reason why it is open (refused). Keep one of the"),
    ({"items": {"1": None}, "missing": {"1": "lazy"}}, "1", "'lazy' is no reason for an open item; choose one of"),
    ({"items": [1, 2]}, "items", "This is list; an object of coded values by item is expected."),
    ({"completed_at": "2026-02-03T10:00"}, "completed_at", "2026-02-03T10:00:00 has no offset from UTC. Write it"),
    ({"completed_at": "2026-02"}, "completed_at", "This is no date and time. Write it such as"),
    ({"completed_at": "2026-02-30T10:00Z"}, "completed_at", "This is no date and time. Write it such as"),
    ({"completed_at": "2999-02-03T10:00Z"}, "completed_at", "3 Feb 2999 10:00 lies ahead; it is"),
    ({"instrument": "phq8"}, "instrument", "There is no instrument 'phq8'."),
    ({"visit": None, "day": "2026-02"}, "day", "Date has wrong format."),
    ({"visit": None, "day": "2999-01-01"}, "day", "1 Jan 2999 lies ahead: enter it when it is over."),
    ({"visit": None}, "visit", "Name either the visit or the diary day that the form belongs to."),
    ({"day": "2026-02-03"}, "visit", "Name either the visit or the diary day that the form belongs to."),
    ({"minute": 99999}, "minute", "Minute 99999 from the start of the infusion is outside -1440 to 1440. Check it."),
    ({"respondent": "neighbour"}, "respondent", '"neighbour" is not a valid choice.'),
    ({"source": "participant"}, "source", '"participant" is not a valid choice.'),
    ({"proxy": "relative", "respondent": "infusion_nurse"}, "proxy", "A proxy answers a participant's form that was"),
    ({"instrument": "madrs", "items": {}, "proxy": "carer"}, "proxy", "is rated by a clinician: nobody answers it in"),
    ({"status": "not_done", "not_done_reason": "x"}, "not_done_reason", "There are answers, and the whole form is"),
    ({"status": "refused", "items": {}}, "not_done_reason", "Say why the form was not done."),
    ({"status": "complete"}, "status", '"complete" is not a valid choice.'),
    ({"not_done_reason": "x"}, "not_done_reason", "There is a reason why the form was not done, and it is not marked"),
    (
        {"status": "refused", "items": {}, "not_done_reason": "x" * 201},
        "not_done_reason",
        "The reason has 201 letters; 200 are allowed.",
    ),
]


def sent(client: Client, participant: Any, **changes: Any) -> Any:
    """Enter the form by the API, but for the changes; items are changed one by one, None takes a name away."""
    body = {"participant": participant.identifier, "visit": "BL", "instrument": "phq9", "completed_at": f"{AT}Z"}
    body |= {"items": GOOD} | changes
    if isinstance(changes.get("items"), dict) and changes["items"]:
        body["items"] = GOOD | changes["items"]
    text = json.dumps({name: value for name, value in body.items() if value is not None})
    return client.post("/api/v1/responses/", text, content_type="application/json")


@pytest.mark.parametrize(("changes", "field", "says"), BY_API)
def test_the_api_refuses_by_field_and_saves_nothing(coordinator, participant, changes, field, says):
    answer = sent(signed_in(coordinator), participant, **changes)
    assert answer.status_code == 400, answer.content
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert says in error["message"]
    assert not Response.objects.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"items": {"1": 1, "1": 2}}', "1 is given twice. Give each once."),
        ('{"items": {"1": NaN}}', "NaN is no number of JSON. Leave the answer out, or write null."),
        ('{"items": {"1": 1}', "This JSON cannot be read"),
    ],
)
def test_json_in_which_an_answer_is_not_one_answer_is_refused(coordinator, participant, text, says):
    answer = signed_in(coordinator).post("/api/v1/responses/", text, content_type="application/json")
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def test_an_unknown_visit_and_an_unknown_participant_are_not_found(coordinator, participant):
    client = signed_in(coordinator)
    assert sent(client, participant, visit="W99").status_code == 404
    assert client.get(f"/admin/participants/{participant.identifier}/visits/W99/forms/phq9/").status_code == 404
    assert client.get("/admin/participants/KALM-BER-9999/visits/BL/forms/phq9/").status_code == 404


# By the verb ------------------------------------------------------------------------------------------------


@pytest.fixture
def entry(participant) -> ResponseEntry:
    items = {name: float(value) for name, value in GOOD.items()}
    at = datetime(2026, 2, 3, 10, tzinfo=UTC)
    return ResponseEntry(participant, "phq9", items, at, visit=participant.visits.get(code="BL"))


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"completed_at": datetime(2026, 2, 3, 10)}, "completed_at", "3 Feb 2026 10:00 has no offset from UTC."),  # noqa: DTZ001
        ({"source": "fax"}, "source", "'fax' is no source; choose one of staff, paper, participant, device, import."),
        ({"source": "participant", "proxy": "relative"}, "proxy", "on the site's own page or on paper"),
        ({"status": "refused", "items": {}, "not_done_reason": "  "}, "not_done_reason", "Say why the form was not"),
        ({"items": {"1": float("nan")}}, "1", "Interest is nan; allowed is 0 to 3"),
    ],
)
def test_the_verb_refuses_by_field_and_saves_nothing(coordinator, entry, changes, field, says):
    with pytest.raises(InvalidEntries) as refused:
        save_response(coordinator, entry=replace(entry, **changes))
    [problem] = refused.value.problems
    assert (problem.field, says in problem.message) == (field, True), problem.message
    assert not Response.objects.exists()


def test_a_visit_of_another_participant_is_refused(version, site, coordinator, entry):
    other = factories.Participants(version, coordinator, made=5).ready(site)
    factories.with_visits(other)
    with pytest.raises(InvalidEntries, match="This visit is not one of KALM-BER-T0001"):
        save_response(coordinator, entry=replace(entry, visit=other.visits.get(code="BL")))


def test_a_form_refused_at_its_last_row_leaves_nothing_behind(coordinator, entry, monkeypatch):
    """Alerts are the last that is written: broken there, no response, item, score or line in the trail is left."""

    def refuses(*_: Any, **__: Any) -> None:
        raise RuntimeError("the last step is broken")

    monkeypatch.setattr("outcomes.responses.alerts.raise_alerts", refuses)
    before = _rows()
    with pytest.raises(RuntimeError, match="the last step is broken"):
        save_response(coordinator, entry=replace(entry, items={**entry.items, "9": 3.0}))
    assert _rows() == before


def _rows() -> list[int]:
    tables = ("outcomes_response", "outcomes_responseitem", "outcomes_score", "studies_finding", "audit.event")
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables))
        return list(cursor.fetchone())
