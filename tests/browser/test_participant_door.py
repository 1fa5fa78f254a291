"""A participant's phone: a diary week by keys alone at 360 px, the connection cut; and what assistive tools read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from time import sleep
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from axe_playwright_python.sync_playwright import Axe
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect

from outcomes.clarifications import clarify
from outcomes.compliance import compliance_of
from outcomes.models import OwnAnswer, Response
from outcomes.reminders import remind
from studies.acting import Program, acting
from studies.visits import schedule_infusion
from tests.outcomes.diary_keeper import DIARY, Keeper, make_keeper

pytestmark = pytest.mark.django_db(transaction=True)
BERLIN = ZoneInfo("Europe/Berlin")
SHELL = ("door.css", "door.js", "icon.svg")
PHONE: ViewportSize = {"width": 360, "height": 640}


@pytest.fixture
def keeper(transactional_db: None) -> Keeper:
    return make_keeper()


@dataclass
class Phone:
    """A phone at the door; what its browser complains of is kept."""

    page: Page
    door: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message: ConsoleMessage) -> None:
        # A cut connection and a refused entry are what these tests are about.
        expected = ("ERR_INTERNET_DISCONNECTED", "422", "404", "409")
        if message.type in ("error", "warning") and not any(code in message.text for code in expected):
            self.complaints.append(message.text)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def begin(self, link: str) -> None:
        """Open a link and press its button, by keys."""
        self.page.goto(link)
        self.page.get_by_role("button", name=re.compile("Beginnen|Begin")).focus()
        self.press("Enter")
        self.page.wait_for_url("**/p/form/**")

    def cut(self, *, off: bool = True) -> None:
        self.page.context.set_offline(off)

    @property
    def waiting(self) -> list[str]:
        """What is kept on the phone."""
        kept: list[str] = self.page.evaluate("Object.values(localStorage)")
        return kept


@pytest.fixture
def phone(browser: Browser, live_server: Any) -> Iterator[Phone]:
    context = browser.new_context(
        viewport=PHONE, has_touch=True, is_mobile=True, locale="de-DE", timezone_id="Europe/Berlin"
    )
    context.set_default_timeout(15_000)
    opened = Phone(context.new_page(), live_server.url)
    yield opened
    context.close()
    _until_nobody_is_at_the_database()
    assert opened.complaints == []


def _until_nobody_is_at_the_database() -> None:
    """The door's threads end when the browser has hung up: a database in use can be neither emptied nor dropped."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    for _ in range(50):
        with connection.cursor() as cursor:
            cursor.execute(others)
            if cursor.fetchone() == (0,):
                return
        sleep(0.1)


def link_in(message: Any, phone: Phone) -> str:
    found = re.search(r"(/p/\S+)", message.body)
    assert found is not None
    return phone.door + found[1]


def fill_in(phone: Phone, *values: str) -> None:
    """Answer the five questions by digits and Enter; the last one is typed."""
    for place, value in enumerate(values, start=1):
        expect(phone.page.locator("[data-progress]")).to_have_text(re.compile(rf"^{place} (von|of) 5$"))
        phone.press(*value, "Enter")
    expect(phone.page.locator("#end")).to_be_visible()


def send(phone: Phone) -> None:
    phone.press("Tab", "Enter")


def test_a_diary_week_by_keys_alone_with_the_connection_cut_in_the_middle(keeper: Keeper, phone: Phone):
    """Seven evenings from reminder to thanks: one filled in the next day, one finished without a connection."""
    first = keeper.today - timedelta(days=6)
    schedule_infusion(keeper.coordinator, participant=keeper.participant, on=first + timedelta(days=7))
    for evening in range(7):
        day = first + timedelta(days=evening)
        with time_machine.travel(datetime.combine(day, time(19, 0), BERLIN)):
            assert remind(at=timezone.now()) == 1
            if evening == 5:
                continue  # forgotten: filled in the next day, with the link of the evening before
            if evening == 6:
                phone.begin(link_in(mail.outbox[5], phone))
                fill_in(phone, "5", "7", "2", "3", "0")
                send(phone)
                phone.page.wait_for_url("**/p/done/")
            phone.begin(link_in(mail.outbox[evening], phone))
            if evening == 3:
                _without_connection(phone)
            else:
                fill_in(phone, str(evening), str(evening + 2), "1", "4", "12")
                send(phone)
            phone.page.wait_for_url("**/p/done/")
            assert phone.waiting == [], "nothing is left on the phone"
    _nothing_lost_or_doubled(keeper, first)


def _without_connection(phone: Phone) -> None:
    """Two answers with, three without; sent off without; the connection comes back, goes again, and comes back."""
    phone.press("3", "Enter", "5", "Enter")
    expect(phone.page.locator("[data-status]")).to_have_text("Gespeichert")
    phone.cut()
    phone.press("1", "Enter", "4", "Enter", "1", "2", "Enter")
    expect(phone.page.locator("[data-status]")).to_contain_text("auf diesem Gerät aufbewahrt")
    expect(phone.page.locator("#end")).to_be_visible()
    send(phone)
    expect(phone.page.locator("[data-status]")).to_contain_text("wird gesendet, sobald")
    kept = "".join(phone.waiting)
    assert '"item":"least"' in kept
    assert "KALM" not in kept
    phone.cut(off=False)


def _nothing_lost_or_doubled(keeper: Keeper, first: Any) -> None:
    saved = Response.objects.filter(day__isnull=False).order_by("day")
    assert [r.day for r in saved] == [first + timedelta(days=n) for n in range(7)]
    assert {r.status for r in saved} == {"complete"}
    averages = [r.items.get(item="average").value for r in saved]
    assert averages == [0, 1, 2, 3, 4, 5, 6]
    assert [r.items.get(item="rescue_doses").value for r in saved] == [12, 12, 12, 12, 12, 0, 12]
    assert OwnAnswer.objects.count() == 7 * len(DIARY), "each answer once"
    assert not OwnAnswer.objects.filter(device_at=None).exists()
    assert set(OwnAnswer.objects.values_list("device_offset_minutes", flat=True)) <= {60, 120}
    kept = compliance_of([keeper.participant], now=timezone.now() + timedelta(days=1))[keeper.participant.pk]
    assert (kept.due, kept.answered, kept.back_filled) == (7, 7, 1)
    _no_answer_is_added_later(saved[0])


def _no_answer_is_added_later(saved: Response) -> None:
    """In a later transaction than that which entered the form."""
    with acting(Program("editor"), "because I can"), pytest.raises(Exception, match="own answers are not changed"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('trialsite.actor', 'editor', false)")
            cursor.execute(
                "INSERT INTO outcomes_responseitem (response_id, item, value, simulated) VALUES (%s, 'mood', 1, false)",
                [saved.pk],
            )
    connection.close()


def test_a_reloaded_page_and_a_second_device_go_on_where_one_was(keeper: Keeper, phone: Phone, browser: Browser):
    phone.begin(f"{phone.door}/p/{keeper.link(keeper.invited())}/")
    phone.press("6", "Enter")
    expect(phone.page.locator("[data-status]")).to_have_text("Gespeichert")
    # Pages come through, answers do not: what waits is there again after the page was loaded anew.
    phone.page.route("**/p/answers/", lambda route: route.abort("internetdisconnected"))
    phone.press("8", "Enter")
    expect(phone.page.locator("[data-status]")).to_contain_text("aufbewahrt")
    phone.page.reload()
    expect(phone.page.locator("[data-progress]")).to_have_text("3 von 5")
    phone.page.unroute("**/p/answers/")
    expect(phone.page.locator("[data-status]")).to_have_text("Gespeichert")
    phone.page.click("details summary")
    phone.page.get_by_role("button", name="Auf einem anderen Gerät weitermachen").click()
    code = phone.page.locator(".shown-code").inner_text()
    tablet = browser.new_context(locale="de-DE").new_page()
    tablet.goto(f"{phone.door}/p/")
    tablet.fill("#code", code)
    tablet.keyboard.press("Enter")
    tablet.wait_for_url("**/p/form/**")
    assert tablet.locator("input[name=item-average][value='6']").is_checked()
    assert tablet.locator("input[name=item-worst][value='8']").is_checked()
    tablet.context.close()
    assert OwnAnswer.objects.count() == 2


KEPT = """async () => {
    const kept = [];
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
            kept.push([new URL(request.url).pathname, await (await cache.match(request)).text()]);
        }
    }
    return kept;
}"""


def test_the_form_opens_without_a_connection_and_leaves_nothing_when_it_was_sent(keeper: Keeper, phone: Phone):
    token = keeper.link(keeper.invited())
    phone.begin(f"{phone.door}/p/{token}/")
    phone.page.evaluate("navigator.serviceWorker.ready")
    phone.press("6", "Enter")
    expect(phone.page.locator("[data-status]")).to_have_text("Gespeichert")
    kept = dict(phone.page.evaluate(KEPT))
    assert set(kept) == {"/p/form/", "/p/offline/", *(f"/static/trialsite/{name}" for name in SHELL)}
    person = keeper.participant
    assert not [w for w in (token, person.identifier, person.study.code, "Lindgren") if w in "".join(kept.values())]
    phone.cut()
    phone.press("8", "Enter")
    phone.page.reload()
    # What was sent and what waits is there; one goes on at the first open question.
    expect(phone.page.locator("[data-status]")).to_contain_text("Keine Verbindung")
    expect(phone.page.locator("[data-progress]")).to_have_text("3 von 5")
    assert phone.page.locator("input[name=item-average][value='6']").is_checked()
    assert phone.page.locator("input[name=item-worst][value='8']").is_checked()
    phone.page.goto(f"{phone.door}/p/")
    expect(phone.page.locator("h1")).to_have_text("Keine Verbindung")
    phone.page.get_by_role("link", name="Weiter mit dem Formular").click()
    phone.press("1", "Enter", "4", "Enter", "0", "Enter")
    send(phone)
    expect(phone.page.locator("[data-status]")).to_contain_text("wird gesendet, sobald")
    phone.cut(off=False)
    phone.page.wait_for_url("**/p/done/")
    expect(phone.page.locator("h1")).to_contain_text("Danke")
    phone.page.wait_for_function("async () => !(await caches.keys()).length && !localStorage.length")
    assert phone.page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0
    assert [r.items.get(item="average").value for r in Response.objects.all()] == [6]
    assert OwnAnswer.objects.count() == len(DIARY)


def test_what_waits_goes_before_another_form_is_begun_and_never_into_it(keeper: Keeper, phone: Phone):
    """Yesterday's answers wait when the link of today is opened, pressed twice, in a second tab."""
    yesterday, today = keeper.invited(keeper.diary(1)), keeper.invited()
    phone.begin(f"{phone.door}/p/{keeper.link(yesterday)}/")
    phone.page.context.route("**/p/answers/", lambda route: route.abort("internetdisconnected"))
    phone.press("6", "Enter", "8", "Enter")
    expect(phone.page.locator("[data-status]")).to_contain_text("aufbewahrt")
    phone.page.context.unroute("**/p/answers/")
    tab = phone.page.context.new_page()
    tab.goto(f"{phone.door}/p/{keeper.link(today)}/")
    tab.get_by_role("button", name="Beginnen").dblclick()
    tab.wait_for_url("**/p/form/**")
    phone.page.bring_to_front()
    phone.press("9", "Enter")
    expect(phone.page.locator("[data-status]")).to_contain_text("anderes Formular")
    said = {(a.invitation_id, a.item): a.value for a in OwnAnswer.objects.all()}
    assert said == {(yesterday.pk, "average"): 6, (yesterday.pk, "worst"): 8}


def test_a_mistake_is_told_at_once_and_leads_on_when_it_is_mended(keeper: Keeper, phone: Phone):
    phone.begin(f"{phone.door}/p/{keeper.link(keeper.invited())}/?")
    phone.press("6", "Enter", "8", "Enter", "1", "Enter", "4", "Enter")
    phone.page.keyboard.type("2,5")
    phone.press("Enter")
    expect(phone.page.locator("#fault-rescue_doses")).to_contain_text("„2,5“ ist hier nicht möglich")
    expect(phone.page.locator("input[name=item-rescue_doses]")).to_be_focused()
    phone.press("Control+a")
    phone.page.keyboard.type("2,0")
    phone.press("Enter")
    expect(phone.page.locator("#end")).to_be_focused()


def test_the_door_reads_well_and_fits_in_both_languages(keeper: Keeper, phone: Phone):
    """axe finds nothing, nothing must be scrolled sideways, and every target is large enough for a thumb."""
    faults: list[str] = []
    phone.page.goto(f"{phone.door}/p/")
    faults += _faults(phone, "entrance")
    phone.page.goto(f"{phone.door}/p/unknown/")
    faults += _faults(phone, "nothing here")
    phone.page.goto(f"{phone.door}/p/{keeper.link(keeper.invited(keeper.form('phq9')))}/")
    faults += _faults(phone, "begin")
    phone.page.get_by_role("button", name="Beginnen").click()
    phone.page.wait_for_url("**/p/form/**")
    for language in ("English", "Deutsch"):
        phone.page.get_by_role("button", name=language).click()
        phone.page.goto(f"{phone.door}/p/form/?q=9")
        faults += _faults(phone, f"question, {language}")
        phone.page.goto(f"{phone.door}/p/form/?q=end")
        faults += _faults(phone, f"end, {language}")
    phone.page.click("details summary")
    phone.page.get_by_role("button", name="Alle Fragen als Liste zeigen").click()
    faults += _faults(phone, "list")
    phone.page.locator("fieldset input[value='1']").first.check()
    phone.page.get_by_role("button", name="Absenden").click()
    phone.page.wait_for_url("**/p/done/")
    faults += _faults(phone, "done")
    assert not faults, "\n".join(faults)


def test_the_sites_pages_about_it_read_well(keeper: Keeper, phone: Phone):
    """The page that makes links, and a participant's own form with a clarification, at 360 and 1280 px."""
    asked = keeper.enter(keeper.invited())
    keeper.say(asked, average=6, worst=None)
    response = keeper.send(asked).response
    assert response is not None
    clarify(keeper.coordinator, response=response, text="Meant the left knee.", item="average")
    keeper.link(keeper.invited(keeper.form("phq9")))
    desk = Client()
    desk.force_login(keeper.coordinator, backend="django.contrib.auth.backends.ModelBackend")
    cookie = {"name": "trialsite", "value": desk.cookies["trialsite"].value, "url": phone.door}
    phone.page.context.add_cookies([cookie])  # type: ignore[list-item]
    person = f"{phone.door}/admin/participants/{keeper.participant.identifier}/"
    faults: list[str] = []
    for name in ("self-completion/", "wishes/", f"own-forms/{response.pk}/"):
        phone.page.goto(person + name)
        for width in (360, 1280):
            phone.page.set_viewport_size({"width": width, "height": 900})
            faults += [fault for fault in _faults(phone, name, width) if "thumb" not in fault]
    assert not faults, "\n".join(faults)


SMALL = """() => [...document.querySelectorAll("main button, main a, main label:has(input), header button")]
    .filter((e) => e.offsetParent !== null && e.getBoundingClientRect().height < 48)
    .map((e) => e.outerHTML.slice(0, 80))"""


def _faults(phone: Phone, name: str, width: int = PHONE["width"]) -> list[str]:
    options = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]}
    found = Axe().run(phone.page, options=options).response["violations"]
    faults = [f"{name}: {fault['id']}: {fault['nodes'][0]['html'][:120]}" for fault in found]
    wide = phone.page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        faults.append(f"{name}: {wide} px wide")
    return faults + [f"{name}: too small for a thumb: {target}" for target in phone.page.evaluate(SMALL)]
