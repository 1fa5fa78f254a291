"""The pages of the desk: who may open which, what stands on them for whom, how many queries they take."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from outcomes.models import Response
from studies.acting import Program, acting
from studies.models import AdverseEvent, AuditEvent, Consent, SafetyAlert
from tests import factories
from tests.trialsite.busy_site import CADSS_TOTAL, KNOWN_VALUES, PRESSURE, BusySite
from tests.trialsite.desk_pages import NOT_HERE, PAGES, Inline, Page
from trialsite.desk.urls import PAGES as ROUTES

pytestmark = pytest.mark.django_db
POLICY = {
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}


def text(answer: Any) -> str:
    content: str = answer.content.decode()
    return content


def words(answer: Any) -> set[str]:
    """The words of a page as a reader sees them, with the values of its fields."""
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", text(answer))
    typed = re.findall(r'value="([^"]*)"', page)
    return set(re.findall(r"[\w.]+", re.sub(r"<[^>]+>", " ", page))) | set(typed)


def test_every_page_of_the_desk_is_tested_here():
    assert set(PAGES) - {"index"} == {name for _, _, name in ROUTES} - NOT_HERE


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_in_few_queries_and_takes_no_more_when_there_is_more_to_show(name: str, busy: BusySite):
    page = PAGES[name]
    before = _queries(busy.as_(page.who), page, busy)
    busy.add(3)
    after = _queries(busy.as_(page.who), page, busy)
    assert (before <= page.queries, after <= before) == (True, True), (before, after)


def _queries(client: Client, page: Page, busy: BusySite) -> int:
    path = page.at(busy)
    client.get("/admin/password_change/")
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    assert answer.status_code == 200, text(answer)
    return len(captured)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_nothing_that_stands_in_it_and_loads_nothing_from_outside(name: str, busy: BusySite):
    answer = busy.as_(PAGES[name].who).get(PAGES[name].at(busy))
    assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
    assert Inline(text(answer)).found == []


def test_pages_that_refuse_are_under_the_same_policy(busy: BusySite):
    coordinator, rater = busy.as_("coordinator"), busy.as_("efficacy_rater")
    person = f"/admin/participants/{busy.first.identifier}/"
    wrong = {"item-1": "9", "completed_at": "2026-11-20T10:00"}
    for answer, status in (
        (coordinator.get("/admin/participants/KALM-BER-9999/"), 404),
        (rater.get(f"{person}contact/"), 403),
        (coordinator.post(f"{person}visits/BL/forms/bpi_sf/", wrong | {"item-8": "45"}), 422),
        (coordinator.post("/admin/participants/enrol/", {"birth": "1974"}), 422),
        (Client().get("/admin/login/"), 200),
    ):
        assert answer.status_code == status, text(answer)
        assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
        assert Inline(text(answer)).found == []


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if "{" in page.path])
def test_a_page_about_a_participant_is_not_there_for_another_site(name: str, busy: BusySite):
    path = PAGES[name].at(busy)
    assert busy.as_("outsider").get(path).status_code == 404
    if PAGES[name].path.startswith("/admin/participants/"):
        unknown = path.replace(busy.first.identifier, "KALM-BER-9999")
        assert busy.as_("outsider").get(unknown).status_code == 404


def test_another_sites_participants_are_in_no_list_and_not_found(busy: BusySite):
    outsider = busy.as_("outsider")
    for path in ("/admin/", "/admin/participants/", "/admin/safety/", "/admin/infusions/"):
        assert busy.first.identifier not in text(outsider.get(path)), path
    assert busy.stranger is not None
    assert busy.stranger.identifier in text(outsider.get("/admin/participants/"))
    for number in (busy.first.identifier, busy.first.allocation.kit_number):
        assert "Location" not in outsider.get("/admin/participants/", {"q": number})


@pytest.mark.parametrize("name", PAGES)
def test_nobody_opens_a_page_without_signing_in(name: str, busy: BusySite):
    answer = Client().get(PAGES[name].at(busy))
    assert (answer.status_code, answer["Location"].startswith("/admin/login/?next=")) == (302, True)


def test_nothing_is_changed_without_the_token_of_a_page(busy: BusySite):
    client = Client(enforce_csrf_checks=True)
    client.force_login(busy.people["coordinator"], backend="django.contrib.auth.backends.ModelBackend")
    path = f"/admin/participants/{busy.first.identifier}/consent/"
    assert client.post(path, {"version": "1.0", "signed_at": "2026-11-20T10:00"}).status_code == 403
    assert busy.first.consents.count() == 1


@pytest.mark.parametrize("who", ["efficacy_rater", "coordinator", "data_manager", "statistician", "monitor", "auditor"])
def test_who_rates_or_analyses_efficacy_meets_no_side_effect_on_any_page(who: str, busy: BusySite):
    response = Response.objects.get(participant=busy.first, instrument__key="cadss23")
    with acting(Program("test"), "side effects"):
        alert = SafetyAlert.objects.create(
            participant=busy.first,
            code="INFUSION_HOLD_S16",
            source_kind="response",
            source_record=response.pk,
            raised_at=response.completed_at,
            due_at=response.completed_at,
        )
    client = busy.as_(who)
    # The protocol names its instruments, to everybody.
    paths = [page.at(busy) for name, page in PAGES.items() if name != "protocol"]
    paths += [f"/admin/participants/{busy.first.identifier}/?visit=D0"]
    for path in paths:
        page = words(client.get(path))
        assert not page & {f"{CADSS_TOTAL}", f"{CADSS_TOTAL}.0", f"{PRESSURE}", f"{PRESSURE}.00"}, path
        assert not page & {"Dissociative", "BPRS"}, path
    person = f"/admin/participants/{busy.first.identifier}/"
    for form in ("cadss23~40", "bprs_positive~40"):
        assert client.get(f"{person}visits/D0/forms/{form}/").status_code == 403
    assert client.get(f"/admin/alerts/{alert.pk}/").status_code == 404


def test_the_infusion_unit_sees_the_side_effects_that_others_do_not(busy: BusySite):
    nurse = busy.as_("infusion_nurse")
    person = f"/admin/participants/{busy.first.identifier}/"
    assert {f"{CADSS_TOTAL}", f"{CADSS_TOTAL}.0"} & words(nurse.get(f"{person}history/"))
    assert {f"{PRESSURE}", f"{PRESSURE}.00"} & words(nurse.get(f"{person}infusion/"))
    assert "Dissociative" in words(nurse.get(f"{person}?visit=D0"))


def test_an_entry_from_outside_is_shown_as_text(busy: BusySite):
    with acting(Program("test"), "hostile"):
        AdverseEvent.objects.filter(participant=busy.first).update(term="<script>alert(1)</script>")
    for path in ("/admin/safety/", f"/admin/participants/{busy.first.identifier}/"):
        page = text(busy.as_("coordinator").get(path))
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>alert" not in page


def test_a_form_with_a_mistake_keeps_what_was_typed_and_says_what_is_wrong_beside_it(busy: BusySite):
    path = f"/admin/participants/{busy.first.identifier}/visits/BL/forms/bpi_sf/"
    typed = {"item-3": "7", "item-8": "45", "item-9a": "seven", "completed_at": "2026-11-20T10:00"}
    answer = busy.as_("coordinator").post(path, typed)
    page = text(answer)
    assert answer.status_code == 422
    assert 'id="fault-9a"' in page
    assert re.search(r'name="item-3" value="7" checked', page)
    assert not Response.objects.filter(participant=busy.first, instrument__key="bpi_sf").exists()


def test_a_form_saved_on_its_page_is_told_in_the_history_with_its_correction(busy: BusySite):
    cora = busy.as_("coordinator")
    person = f"/admin/participants/{busy.first.identifier}/"
    form = f"{person}visits/BL/forms/gad7/"
    items = {f"item-{n}": "1" for n in range(1, 8)}
    assert cora.post(form, items | {"completed_at": "2026-11-20T10:00"}).status_code == 302
    saved = Response.objects.get(participant=busy.first, instrument__key="gad7")
    assert saved.scores.get(name="total").number == 7
    assert cora.post(form, items | {"item-2": "3"}).status_code == 422
    assert cora.post(form, items | {"item-2": "3", "reason": "a smudge"}).status_code == 302
    page = re.sub(r"<[^>]+>", "", text(cora.get(f"{person}history/", {"kind": "response", "record": str(saved.pk)})))
    assert "2: 1 → 3" in page
    assert "a smudge" in page
    assert AuditEvent.objects.filter(kind="responseitem", record=saved.pk).count() == 2


def test_a_withdrawn_consent_ends_collection_on_every_form(busy: BusySite):
    cora = busy.as_("coordinator")
    person = f"/admin/participants/{busy.first.identifier}/"
    given = {"scope": "collection", "withdrawn_at": "2026-11-23T10:00", "reason": "moves away"}
    refused = cora.post(f"{person}consent/withdraw/", given | {"confirm": "KALM-BER-0000"})
    assert refused.status_code == 422
    assert not Consent.objects.filter(participant=busy.first, withdrawn_at__isnull=False).exists()
    assert cora.post(f"{person}consent/withdraw/", given | {"confirm": busy.first.identifier}).status_code == 302
    items = {f"item-{n}": "1" for n in KNOWN_VALUES["phq9"]}
    refused = cora.post(f"{person}visits/W1/forms/phq9/", items | {"completed_at": "2026-11-24T10:00"})
    assert (refused.status_code, "nothing may be collected" in text(refused)) == (422, True)


def test_a_browser_finds_an_icon_whatever_page_it_looks_at():
    answer = Client().get("/favicon.ico")
    assert (answer.status_code, answer["Location"]) == (302, "/static/trialsite/icon.svg")


def test_every_mistake_of_a_timepoint_is_told_at_once_beside_its_field(busy: BusySite):
    path = f"/admin/participants/{busy.first.identifier}/infusion/"
    typed = {"minute": "30", "sbp": "1300", "dbp": "8x", "hr": "72"}
    answer = busy.as_("infusion_nurse").post(path, typed)
    assert answer.status_code == 422
    assert {'id="fault-sbp-30"', 'id="fault-dbp-30"'} <= set(re.findall(r'id="fault-[^"]+"', text(answer)))
    assert 'href="#item-sbp-30"' in text(answer)
    assert re.search(r'name="sbp"[^>]* value="1300"', text(answer))
    assert not busy.first.infusion.readings.filter(minute=30).exists()


def test_a_reading_is_corrected_with_a_reason_and_the_rules_look_again(busy: BusySite):
    path = f"/admin/participants/{busy.first.identifier}/infusion/"
    nurse = busy.as_("infusion_nurse")
    typed = {"minute": "15", "sbp": "205"}
    assert nurse.post(path, typed).status_code == 422
    assert nurse.post(path, typed | {"reason": "misread"}).status_code == 302
    infusion = busy.first.infusion
    assert infusion.readings.get(minute=15, parameter="sbp").value == 205
    assert "S02" in infusion.safety_events.values_list("rule", flat=True)


def test_nobody_is_excluded_by_a_click_alone(busy: BusySite):
    made = factories.Participants(busy.version, busy.people["investigator"], made=700)
    person = made.ready(busy.site(), included=False)
    path = f"/admin/participants/{person.identifier}/eligibility/"
    ivy = busy.as_("investigator")
    refused = ivy.post(path, {"decide": "exclude", "reason": "moved", "confirm": "KALM-BER-0001"})
    assert refused.status_code == 422
    assert "this page is about" in text(refused)
    assert ivy.post(path, {"decide": "exclude", "reason": "moved", "confirm": person.identifier}).status_code == 302
    person.refresh_from_db()
    assert person.status == "screen_failure"


@pytest.mark.parametrize("step", ["consent", "consent/withdraw", "plan", "randomise", "leave", "adverse-events/new"])
def test_a_step_is_not_shown_to_who_may_not_take_it(busy: BusySite, step: str):
    path = f"/admin/participants/{busy.first.identifier}/{step}/"
    assert busy.as_("monitor").get(path).status_code == 403


def test_a_refused_save_is_kept_as_a_draft_that_can_be_discarded(busy: BusySite):
    cora = busy.as_("coordinator")
    person = f"/admin/participants/{busy.first.identifier}/"
    cora.post(f"{person}adverse-events/new/", {"term": "Nausea", "seriousness": ["death", "other"]})
    again = text(cora.get(f"{person}adverse-events/new/"))
    assert "It is a draft, not saved yet" in again
    assert len(re.findall(r'name="seriousness"[^>]* checked', again)) == 2
    assert cora.post(f"{person}adverse-events/new/", {"discard": "1"}).status_code == 302
    assert "Nausea" not in text(cora.get(f"{person}adverse-events/new/"))


def test_an_answer_and_a_reason_for_none_are_not_both_taken(busy: BusySite):
    path = f"/admin/participants/{busy.first.identifier}/visits/BL/forms/bpi_sf/"
    typed = {"item-8": "40", "missing-8": "refused", "completed_at": "2026-11-20T10:00"}
    answer = busy.as_("coordinator").post(path, typed)
    assert answer.status_code == 422
    assert "Keep one of the two" in text(answer)
    reason_alone = {"item-3": "refused", "completed_at": "2026-11-20T10:00"}
    assert busy.as_("coordinator").post(path, reason_alone).status_code == 302
    saved = Response.objects.get(participant=busy.first, instrument__key="bpi_sf", visit__code="BL")
    assert saved.items.get(item="3").missing_reason == "refused"


def test_readings_before_the_infusion_are_entered_on_its_page_and_let_it_start(busy: BusySite):
    person = busy.waiting()
    path, nurse = f"/admin/participants/{person.identifier}/infusion/", busy.as_("infusion_nurse")
    start = {"kit_number": person.allocation.kit_number, "weight_kg": "71.5"}
    assert "readings at -15 min have not been entered" in text(nurse.post(path, start))
    assert "Next reading: -15 min" in text(nurse.get(path))
    assert nurse.post(path, {"minute": "-15", "sbp": "121", "dbp": "76"}).status_code == 302
    assert nurse.post(path, start).status_code == 302
    assert person.infusion.readings.get(minute=-15, parameter="sbp").value == 121


def test_a_coordinator_meets_no_reading_before_the_start(busy: BusySite):
    person = busy.waiting()
    path = f"/admin/participants/{person.identifier}/infusion/"
    busy.as_("infusion_nurse").post(path, {"minute": "-15", "sbp": f"{PRESSURE}", "dbp": "76"})
    assert f"{PRESSURE}" in words(busy.as_("infusion_nurse").get(f"{path}?minute=-15"))
    assert f"{PRESSURE}" not in words(busy.as_("coordinator").get(f"{path}?minute=-15"))


def test_readings_that_are_refused_are_kept_as_a_draft_until_they_are_saved(busy: BusySite):
    path, nurse = f"/admin/participants/{busy.first.identifier}/infusion/?minute=30", busy.as_("infusion_nurse")
    assert nurse.post(path, {"minute": "30", "sbp": "900", "hr": "71"}).status_code == 422
    again = text(nurse.get(path))
    assert ('value="900"' in again, 'value="71"' in again, "It is a draft" in again) == (True, True, True)
    assert "It is a draft" not in text(nurse.get(path.replace("30", "60")))
    assert nurse.post(path, {"minute": "30", "sbp": "121", "dbp": "76", "hr": "71"}).status_code == 302
    assert "It is a draft" not in text(nurse.get(path))
    nurse.post(path.replace("30", "60"), {"minute": "60", "sbp": "900"})
    assert nurse.post(path.replace("30", "60"), {"discard": "1"}).status_code == 302
    assert "It is a draft" not in text(nurse.get(path.replace("30", "60")))


def test_the_investigator_records_a_stratum_found_wrong_and_everybody_reads_both(busy: BusySite):
    person = f"/admin/participants/{busy.first.identifier}/"
    given = {"stratum": "BER.NPL", "reason": "Lesion ruled out", "confirm": busy.first.identifier}
    assert busy.as_("coordinator").post(f"{person}stratum/", given).status_code == 403
    investigator = busy.as_("investigator")
    assert investigator.post(f"{person}stratum/", given | {"confirm": "KALM-BER-9999"}).status_code == 422
    assert investigator.post(f"{person}stratum/", given).status_code == 302
    assert "Randomised in BER.NEURO; should have been BER.NPL." in text(busy.as_("coordinator").get(person))
    assert "Lesion ruled out" in text(busy.as_("coordinator").get(f"{person}history/"))


def test_an_intercurrent_event_is_recorded_on_its_page_and_told_to_programs(busy: BusySite):
    person, coordinator = f"/admin/participants/{busy.first.identifier}/", busy.as_("coordinator")
    day = f"{busy.first.intercurrent_events.get().started_on}"
    given = {"event": "ICE-3", "description": "Esketamine spray, 56 mg", "started_on": day, "source": "medical_record"}
    page = f"{person}intercurrent-events/new/"
    refused = coordinator.post(page, given | {"started_on": "2999-01-01"})
    assert (refused.status_code, "lies in the future" in text(refused)) == (422, True)
    assert coordinator.post(page, given).status_code == 302
    assert "ICE-3: Esketamine spray, 56 mg" in text(coordinator.get(person))
    listed = coordinator.get("/api/v1/intercurrent-events/", {"event": "ICE-3"}).json()["results"]
    assert [(row["participant"], row["started_on"]) for row in listed] == [(busy.first.identifier, day)]
    path = f"{person}intercurrent-events/{listed[0]['id']}/"
    changed = given | {"description": "Esketamine spray, 84 mg", "reason": "read off the chart"}
    assert coordinator.post(path, changed).status_code == 302
    assert "read off the chart" in text(coordinator.get(f"{person}history/", {"kind": "intercurrentevent"}))


def test_a_program_records_an_intercurrent_event(busy: BusySite):
    day = f"{busy.first.intercurrent_events.get().started_on}"
    body = {"participant": busy.first.identifier, "event": "ICE-3", "started_on": day}
    body |= {"description": "Esketamine spray", "source": "other"}
    answer = busy.as_("coordinator").post("/api/v1/intercurrent-events/", body)
    assert (answer.status_code, answer.json()["event"]) == (201, "ICE-3")
    again = busy.as_("coordinator").post("/api/v1/intercurrent-events/", body)
    assert (again.status_code, "recorded with this first day already" in again.json()["detail"]) == (409, True)
    assert busy.as_("efficacy_rater").post("/api/v1/intercurrent-events/", body).status_code == 403
