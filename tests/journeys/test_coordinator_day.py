"""A coordinator's day at the desk: from the list of what is due to a complete visit, following the pages' own links."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from outcomes.models import QSTSession, Response
from studies.demonstration import PASSWORD as DEMO_PASSWORD
from studies.models import AuditEvent, Deviation, Visit
from tests.journeys import journey
from tests.journeys.forms import Form, forms_of
from tests.trialsite.busy_site import BusySite, make_busy_site

pytestmark = pytest.mark.django_db(transaction=True)
VISIT = "W1"  # nine days after the infusion: its window has just closed
MOST_FORMS = 20


@pytest.fixture
def busy(transactional_db: None) -> BusySite:
    return make_busy_site(count=1)


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return str(answer.content.decode())


def links(text: str, *, within: str) -> list[str]:
    """The addresses in a page that begin with `within`, from the top."""
    found = [html.unescape(address) for address in re.findall(r'href="([^"]+)"', text)]
    return list(dict.fromkeys(address for address in found if address.startswith(within)))


def send(client: Client, path: str, form: Form, **typed: str) -> Any:
    answer = client.post(html.unescape(form.action) or path, {**form.fields, **typed})
    assert answer.status_code == 302, answer.content.decode()
    return answer


def due_forms(text: str) -> list[str]:
    """The forms of the open visit that are due, in the order of the paper."""
    rows = re.findall(r"<li><a href=\"([^\"]+)\">(?:(?!</li>).)*?class=\"word is-(\w+)\"", text, re.DOTALL)
    return [html.unescape(address) for address, state in rows if state in ("due", "overdue")]


def answers(path: str, text: str) -> tuple[Form, dict[str, str]]:
    """A form of a visit, and a believable answer to each of its items: the first choice, or the lowest number."""
    form = next(f for f in forms_of(text) if any(name.startswith(("item-", "test.")) for name in f.names))
    if path.endswith("/qst/"):
        return form, {"test_area": "foot", "tester": "coordinator", "tester_masked": "yes"} | {
            name: "44" for name in form.names if name.startswith("test.HPT")
        }
    typed = {name: values[0] for name, values in form.choices.items() if name.startswith("item-")}
    lowest = dict(re.findall(r'name="(item-[^"]+)"[^>]*>\s*<span class="unit">(\S+) to', text))
    return form, lowest | typed


def test_a_coordinator_takes_a_visit_from_due_to_complete(busy: BusySite):
    cora = busy.as_("coordinator")
    person = f"/admin/participants/{busy.first.identifier}/"
    assert f"{person}?visit={VISIT}" in links(page(cora, "/admin/"), within=person)

    shown = page(cora, f"{person}?visit={VISIT}")
    start = next(form for form in forms_of(shown) if form.action.endswith(f"visits/{VISIT}/start/"))
    send(cora, person, start)
    assert Visit.objects.get(participant=busy.first, code=VISIT).status == "done"
    assert Deviation.objects.filter(participant=busy.first, visit__code=VISIT, severity="minor").exists()

    entered: list[str] = []
    while (due := due_forms(page(cora, f"{person}?visit={VISIT}"))) and len(entered) < MOST_FORMS:
        form, typed = answers(due[0], page(cora, due[0]))
        send(cora, due[0], form, **typed)
        entered.append(due[0])
    assert due == []
    # Nine questionnaires and a QST session, each entered once, in the order of the paper.
    assert len(entered) == len(set(entered))
    assert [address.split("/")[-2] for address in entered][:3] == ["bpi_sf", "sf_mpq_2", "promis29_v21"]
    saved = Response.objects.filter(participant=busy.first, visit__code=VISIT)
    assert saved.count() == len(entered) - 1
    assert QSTSession.objects.filter(participant=busy.first, visit__code=VISIT).count() == 1
    assert set(saved.values_list("entered_by", flat=True)) == {"coordinator"}

    assert f"{person}?visit={VISIT}" not in links(page(cora, "/admin/"), within=person)
    told = AuditEvent.objects.filter(participant=busy.first, actor="coordinator", kind="responseitem")
    assert set(saved.values_list("pk", flat=True)) <= set(told.values_list("record", flat=True))


def test_save_and_next_leads_through_the_forms_of_a_visit(busy: BusySite):
    cora = busy.as_("coordinator")
    path = f"/admin/participants/{busy.first.identifier}/visits/{VISIT}/forms/bpi_sf/"
    form, typed = answers(path, page(cora, path))
    following = send(cora, path, form, **typed, next="1")
    assert following["Location"].endswith(f"/visits/{VISIT}/forms/sf_mpq_2/")
    assert "visits/W1/forms/bpi_sf/" in page(cora, f"/admin/participants/{busy.first.identifier}/?visit={VISIT}")


def test_a_missed_visit_is_no_longer_due(busy: BusySite):
    cora = busy.as_("coordinator")
    person = f"/admin/participants/{busy.first.identifier}/"
    path = f"{person}visits/{VISIT}/missed/"
    form = next(f for f in forms_of(page(cora, path)) if "reason" in f.names)
    send(cora, path, form, reason="Did not come, could not be reached")
    shown = page(cora, f"{person}?visit={VISIT}")
    assert "Did not come, could not be reached" in shown
    assert due_forms(shown) == []
    assert f"{person}?visit={VISIT}" not in links(page(cora, "/admin/"), within=person)


def test_the_smoke_run_knows_the_password_of_the_demonstration():
    assert journey.PASSWORD == DEMO_PASSWORD
