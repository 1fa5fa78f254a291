"""All records in the stock admin: read-only, in the trial's own scope, and calm where the database refuses."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.db import ProgrammingError, connection
from django.db.models import Q, QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.authtoken.models import Token

from outcomes.models import Response, Score
from outcomes.responses import ResponseEntry, save_response
from studies.models import ClosedAccount, Infusion, User, record_kinds
from studies.readings import ReadingEntry, record_readings
from tests.trialsite.busy_site import BusySite
from tests.trialsite.desk_pages import Inline

pytestmark = pytest.mark.django_db
# Who people are is on the page of the participant, for the staff of the site alone.
ELSEWHERE = {"contactdetails"}


def sign_in(user: User) -> Client:
    client = Client(raise_request_exception=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def superuser(db: None) -> User:
    return User.objects.create(username="root", is_staff=True, is_superuser=True)


def test_every_kind_of_record_has_its_list(busy: BusySite):
    registered = {model._meta.model_name for model in admin.site._registry}
    assert set(record_kinds()) - registered == ELSEWHERE


@pytest.mark.parametrize("kind", sorted(set(record_kinds()) - ELSEWHERE))
def test_a_data_manager_opens_the_list_and_a_row_and_can_change_nothing(busy: BusySite, kind: str):
    model = record_kinds()[kind]
    client = busy.as_("data_manager")
    name = f"admin:{model._meta.app_label}_{kind}"
    listed = client.get(reverse(f"{name}_changelist"))
    assert listed.status_code == 200
    for row in listed.context["cl"].result_list[:1]:
        shown = client.get(reverse(f"{name}_change", args=[row.pk]))
        assert shown.status_code == 200
        assert b'name="_save"' not in shown.content
        assert client.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
        assert client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse(f"{name}_add")).status_code == 403
    searched = client.get(reverse(f"{name}_changelist"), {"q": "KALM"})
    assert searched.status_code == 200


@pytest.mark.parametrize("kind", ["participant", "response", "qsttrial", "visit", "study"])
def test_a_superuser_without_a_role_in_the_trial_sees_nothing_of_it(busy: BusySite, superuser: User, kind: str):
    model = record_kinds()[kind]
    listed = sign_in(superuser).get(reverse(f"admin:{model._meta.app_label}_{kind}_changelist"))
    assert model._default_manager.exists()
    assert list(listed.context["cl"].result_list) == []


@pytest.fixture
def side_effects(busy: BusySite) -> BusySite:
    """The first participant also had a crisis: a safety rule fired, and an alert was raised."""
    person, nurse = busy.first, busy.people["infusion_nurse"]
    infusion = Infusion.objects.get(participant=person)
    at = infusion.started_at + timedelta(minutes=30)
    readings = [ReadingEntry(30, "sbp", at, Decimal(230)), ReadingEntry(30, "spo2", at, Decimal(80))]
    record_readings(nurse, participant=person, readings=readings)
    bprs = {str(item): 6.0 for item in (4, 11, 12, 15)}
    entry = ResponseEntry(person, "bprs_positive", bprs, at, visit=person.visits.get(code="D0"), minute=40)
    save_response(nurse, entry=entry)
    return busy


def _revealing(kind: str) -> QuerySet[Any]:
    """The keys of a kind's rows that tell an arm, found on another way than the admin's."""
    responses = Response.objects.filter(instrument__key__in=["cadss23", "bprs_positive"]).values("pk")
    model = Score if kind == "score" else record_kinds()[kind]
    conditions = {
        "response": Q(pk__in=responses),
        "responseitem": Q(response__in=responses),
        "score": Q(response__in=responses),
        "finding": Q(key__in=["cadss_total", "bprs_max_item"]),
        "safetyalert": Q(code="INFUSION_HOLD_S16"),
    }
    return model._default_manager.filter(conditions.get(kind, Q())).values("pk")


BLIND_ROLES = ["efficacy_rater", "monitor", "data_manager", "statistician", "coordinator", "auditor"]
REVEALING = ["reading", "safetyevent", "response", "responseitem", "score", "finding", "safetyalert"]


@pytest.mark.parametrize("kind", REVEALING)
def test_what_tells_the_arm_is_listed_for_the_infusion_unit_alone(side_effects: BusySite, kind: str):
    model = Score if kind == "score" else record_kinds()[kind]
    listing = reverse(f"admin:{model._meta.app_label}_{kind}_changelist")
    revealing = list(_revealing(kind).values_list("pk", flat=True))
    assert revealing, "there is something to hide"
    seen = side_effects.as_("infusion_nurse").get(listing).context["cl"].queryset
    assert seen.filter(pk__in=revealing).count() == len(revealing)
    for role in BLIND_ROLES:
        browser = side_effects.as_(role)
        assert not browser.get(listing).context["cl"].queryset.filter(pk__in=revealing).exists(), role
        # Django sends whoever asks for a row out of sight away, as if it did not exist.
        row = browser.get(reverse(f"admin:{model._meta.app_label}_{kind}_change", args=[revealing[0]]))
        assert row.status_code == 302, role


PROBES = {
    "a reading of the participant": ("studies_participant", "infusion__readings__value__gt=150"),
    "a score of the participant": ("studies_participant", "scores__number__gt=40"),
    "a finding of the participant": ("studies_participant", "findings__key=cadss_total"),
    "a safety event of the infusion": ("studies_infusion", "safety_events__rule=S1"),
    "a response of the visit": ("studies_visit", "responses__scores__number__gt=40"),
    "the concealed account": ("studies_site", "study__memberships__user__password__startswith=a"),
}


@pytest.mark.parametrize(("listing", "probe"), PROBES.values(), ids=PROBES)
def test_no_list_can_be_probed_through_a_filter_for(busy: BusySite, listing: str, probe: str):
    answer = busy.as_("data_manager").get(f"{reverse(f'admin:{listing}_changelist')}?{probe}")
    assert answer.status_code == 400


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", ["/admin/studies/closedaccount/", "/admin/studies/closedaccount/?username=dsmb"])
def test_a_superuser_who_asks_for_accounts_of_the_closed_door_gets_the_databases_own_refusal(
    superuser: User, door: str, caplog: pytest.LogCaptureFixture
):
    answer = sign_in(superuser).get(door)
    assert answer.status_code == 403
    assert "The database does not show this" in answer.content.decode()
    assert "Traceback" not in answer.content.decode()
    assert "concealed" not in answer.content.decode()
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", ["1/change/", "1/history/", "1/delete/", "?o=1", "?q=dsmb", "?password__startswith=a"])
def test_no_page_about_a_closed_account_shows_more(superuser: User, page: str):
    client = sign_in(superuser)
    for answer in (
        client.get(f"/admin/studies/closedaccount/{page}"),
        client.post(f"/admin/studies/closedaccount/{page}"),
    ):
        assert answer.status_code in (400, 403)
        assert "concealed" not in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_refusal_is_the_databases_and_not_the_pages(superuser: User):
    with pytest.raises(ProgrammingError, match="permission denied for schema concealed"):
        ClosedAccount.objects.count()


def test_somebody_without_a_session_is_sent_to_the_sign_in(db: None):
    assert Client().get("/admin/studies/reading/").status_code == 302


def test_all_records_are_listed_on_one_page_that_runs_nothing(busy: BusySite):
    page = busy.as_("data_manager").get("/admin/records/")
    assert page.status_code == 200
    assert Inline(page.content.decode()).found == []
    listed = {model["object_name"] for app in page.context["app_list"] for model in app["models"]}
    assert {"Participant", "Response", "DataCut", "Job"} <= listed
    assert "ClosedAccount" not in listed


def test_the_history_of_a_record_is_the_audit_trails(busy: BusySite):
    visit = busy.first.visits.first()
    assert visit
    answer = busy.as_("monitor").get(f"/admin/studies/visit/{visit.pk}/history/")
    assert answer.status_code == 302
    assert answer["Location"] == f"/admin/participants/{busy.first.identifier}/history/?kind=visit&record={visit.pk}"


def test_a_list_takes_no_more_queries_when_it_is_longer(busy: BusySite):
    browser = busy.as_("data_manager")

    def queries(kind: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(f"/admin/{kind}/").status_code == 200
        return len(captured)

    kinds = ("studies/visit", "studies/participant", "outcomes/response", "outcomes/qsttrial", "studies/allocation")
    before = [queries(kind) for kind in kinds]
    busy.add(2)
    assert [queries(kind) for kind in kinds] == before


@pytest.mark.parametrize("page", ["", "add/", "1/change/"])
def test_a_superuser_neither_reads_nor_makes_the_token_of_somebody_else(superuser: User, page: str):
    """With the token of a nurse he would act in her name, and see the side effects that she sees."""
    assert sign_in(superuser).get(f"/admin/authtoken/tokenproxy/{page}").status_code == 404
    assert [model for model in admin.site._registry if issubclass(model, Token | User)] == []
