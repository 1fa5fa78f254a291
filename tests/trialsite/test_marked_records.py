"""What a protocol marks among records of any kind is the infusion unit's in lists, rows, filters, pages and the API."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib import admin
from django.db.models import Model

from outcomes.models import QSTSession
from outcomes.responses import ResponseEntry, save_response
from studies.acting import acting
from studies.models import (
    AdverseEvent,
    AuditEvent,
    Deviation,
    Infusion,
    Participant,
    ProtocolVersion,
    SafetyAlert,
    record_kinds,
)
from studies.protocol import DocumentInvalid, load
from studies.readings import ReadingEntry, record_readings
from tests import factories
from tests.trialsite.busy_site import BusySite
from trialsite.desk.history import PER_PAGE

pytestmark = pytest.mark.django_db
UNIT, OTHERS = ("infusion_nurse", "investigator"), ("coordinator", "efficacy_rater", "statistician", "auditor")
RECORDS = ("deviation", "intercurrentevent", "infusionsegment", "qstsession", "stratumcorrection")
FIELDS = (
    "infusion.delivered_percent",
    "adverseevent.term",
    "adverseevent.serious",
    "responseitem.value",
    "score.number",
)
# Kinds of which whole rows are marked: themselves, and what is a part of them.
KEPT_ROWS = {
    "intercurrent-events": "intercurrentevent",
    "deviations": "deviation",
    "qst-sessions": "qstsession",
    "qst-trials": "qsttrial",
    "qst-values": "qstvalue",
    "qst-conditioning": "conditioningstimulus",
}


def marked_source(busy: BusySite, *, records: tuple[str, ...] = RECORDS, fields: tuple[str, ...] = FIELDS) -> str:
    source = busy.version.source.replace("records: [reading, safetyevent]", f"records: [{', '.join(records)}]", 1)
    fields_line = f"fields: [{', '.join(fields)}]"
    source = source.replace("fields: [concomitantmedication.rescue_midazolam]", fields_line, 1)
    assert fields_line in source
    return source


@pytest.fixture
def marked(busy: BusySite) -> BusySite:
    """Everybody under a protocol that marks RECORDS and FIELDS; the first has a deviation too."""
    with acting(factories.SETTING_UP, "marked"):
        version = ProtocolVersion.objects.create(
            study=busy.study, version="1.1", source=marked_source(busy), sha256="0"
        )
        Participant.objects.filter(study=busy.study).update(protocol_version=version)
        Deviation.objects.create(
            participant=busy.first, kind="other", severity="minor", occurred_on="2026-06-01", description="Hypertensive"
        )
    return busy


@pytest.mark.parametrize(("path", "kind"), KEPT_ROWS.items())
def test_marked_rows_are_listed_and_opened_for_the_infusion_unit_alone(marked: BusySite, path: str, kind: str):
    model: type[Model] = record_kinds()[kind] if kind in record_kinds() else _model(kind)
    row = model._default_manager.order_by("pk").first()
    assert row
    for who in (*OTHERS, *UNIT):
        browser, sees = marked.as_(who), who in UNIT
        assert bool(browser.get(f"/api/v1/{path}/").json()["results"]) is sees
        assert bool(browser.get(f"/api/v1/{path}/?format=csv").content.decode().splitlines()[1:]) is sees
        assert browser.get(f"/api/v1/{path}/{row.pk}/").status_code == (200 if sees else 404)
        bare = f"/admin/{model._meta.app_label}/{kind}/"
        assert browser.get(bare).context["cl"].queryset.exists() is sees
        assert browser.get(f"{bare}{row.pk}/change/").status_code == (200 if sees else 302)


def _model(kind: str) -> type[Model]:
    return next(model for model in admin.site._registry if model._meta.model_name == kind)


FIELD_CASES = [
    ("infusions", Infusion, "delivered_percent", "delivered_percent__gt=1"),
    ("adverse-events", AdverseEvent, "term", "term__startswith=="),
    ("adverse-events", AdverseEvent, "serious", "serious=0"),
]


@pytest.mark.parametrize(("path", "model", "field", "probe"), FIELD_CASES)
def test_a_marked_value_is_shown_and_asked_for_by_the_infusion_unit_alone(
    marked: BusySite, path: str, model: type[Model], field: str, probe: str
):
    bare = f"/admin/studies/{model._meta.model_name}/"
    row = model._default_manager.order_by("pk")[0]
    for who in (*OTHERS, *UNIT):
        browser, sees = marked.as_(who), who in UNIT
        listed = browser.get(f"/api/v1/{path}/").json()["results"]
        assert listed
        assert all((each[field] is not None) is sees for each in listed)
        assert (browser.get(f"/api/v1/{path}/{row.pk}/").json()[field] is not None) is sees
        assert sees or field not in browser.get(bare).context["cl"].list_display
        assert (f'field-{field}"' in browser.get(f"{bare}{row.pk}/change/").content.decode()) is sees
        # Django sends whoever asks by a field that is not there away, with ?e=1.
        assert browser.get(f"{bare}?{probe}").status_code == (200 if sees else 400)


def test_a_kept_value_finds_no_row_of_the_api_and_stands_in_no_csv(marked: BusySite):
    """serious=false would tell which events are serious by those that it leaves out."""
    blind, nurse = marked.as_("statistician"), marked.as_("infusion_nurse")
    assert blind.get("/api/v1/adverse-events/?serious=false").json()["results"] == []
    assert nurse.get("/api/v1/adverse-events/?serious=false").json()["results"]
    term = "HYPERLINK"
    assert term not in blind.get("/api/v1/adverse-events/?format=csv").content.decode()
    assert term in nurse.get("/api/v1/adverse-events/?format=csv").content.decode()


def test_no_page_of_the_desk_shows_what_is_marked(marked: BusySite):
    person = f"/admin/participants/{marked.first.identifier}/"
    secret = re.compile(r"HYPERLINK|Paracetamol 4|Hypertensive|100(\.0+)? % (given|of plan)|Conditioned")
    event = marked.first.intercurrent_events.get()
    pages = (person, f"{person}history/", f"{person}infusion/", "/admin/safety/", "/admin/infusions/")
    for who in (*OTHERS, *UNIT):
        browser, told = marked.as_(who), set()
        for path in pages:
            told |= {found[0] for found in secret.finditer(browser.get(path).content.decode())}
        assert bool(told) is (who in UNIT), (who, told)
    forms = {
        f"{person}adverse-events/1/": (403, 200),
        f"{person}intercurrent-events/{event.pk}/": (403, 200),
        f"{person}visits/BL/qst/": (403, 200),
    }
    for path, statuses in forms.items():
        assert tuple(marked.as_(who).get(path).status_code for who in ("coordinator", "investigator")) == statuses
    assert not QSTSession.objects.filter(participant=marked.first, visit__code="W1").exists()
    assert marked.as_("coordinator").get(f"{person}visits/W1/qst/").status_code == 200


def test_the_history_keeps_an_answer_and_the_reason_why_it_was_changed(marked: BusySite):
    """The value of an answer stands in the trail under the name of the answer, and a reason may quote it."""
    person = f"/admin/participants/{marked.first.identifier}/history/"
    events = AuditEvent.objects.filter(participant=marked.first, kind="responseitem")
    assert events.filter(reason="misread").exists()
    asked = {"kind": "response", "record": str(events.filter(reason="misread")[0].record)}
    for who, sees in (("coordinator", False), ("infusion_nurse", True)):
        page = marked.as_(who).get(person, asked).content.decode()
        assert ("misread" in page) is sees
        assert ("kept at the infusion unit" in page) is not sees


def test_the_history_has_no_line_page_or_count_that_tells_of_a_crisis(busy: BusySite):
    """A page with 49 lines of 50 said that a safety rule had fired."""
    person, nurse = busy.first, busy.people["infusion_nurse"]

    def counted(who: str) -> tuple[int, int]:
        page = busy.as_(who).get(f"/admin/participants/{person.identifier}/history/").context
        return page["found"].paginator.count, len(page["changes"])

    begun = AuditEvent.objects.latest("pk").pk
    before = {who: counted(who) for who in ("efficacy_rater", "coordinator", "infusion_nurse")}
    at = Infusion.objects.get(participant=person).started_at + timedelta(minutes=30)
    readings = [ReadingEntry(30, "sbp", at, Decimal(230)), ReadingEntry(30, "spo2", at, Decimal(80))]
    record_readings(nurse, participant=person, readings=readings)
    bprs = {str(item): 6.0 for item in (4, 11, 12, 15)}
    crisis = ResponseEntry(person, "bprs_positive", bprs, at, visit=person.visits.get(code="D0"), minute=40)
    told = SafetyAlert.objects.count()
    save_response(nurse, entry=crisis)
    assert person.infusion.safety_events.exists()
    assert SafetyAlert.objects.count() > told
    after = {who: counted(who) for who in before}
    # The form of the crisis is one that everybody knows of; its answers are kept.
    of_form = AuditEvent.objects.filter(pk__gt=begun, kind__in=("response", "responseitem", "finding")).count()
    for who in ("efficacy_rater", "coordinator"):
        assert after[who][0] - before[who][0] == of_form > 0, who
        assert after[who][1] == min(after[who][0], PER_PAGE), who
    assert after["infusion_nurse"][0] - before["infusion_nurse"][0] > of_form


@pytest.mark.parametrize(
    ("records", "fields", "at_fault"),
    [
        (("visit",), (), "visit"),
        (("infusion",), (), "infusion"),
        ((), ("participant.status",), "participant.status"),
        ((), ("infusion.started_at",), "infusion.started_at"),
    ],
)
def test_a_protocol_cannot_mark_what_every_page_goes_by(
    busy: BusySite, records: tuple[str, ...], fields: tuple[str, ...], at_fault: str
):
    with pytest.raises(DocumentInvalid, match=f"Every page goes by '{at_fault}'"):
        load(marked_source(busy, records=records, fields=fields), source="test")
