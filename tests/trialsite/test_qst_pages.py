"""The pages of quantitative sensory testing, as a coordinator and a rater meet them."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.urls import reverse

from outcomes.models import Device, QSTSession, QSTTrial
from outcomes.qst import SYNTHETIC_REFERENCE
from outcomes.qst_devices import register_device
from outcomes.qst_layout import layout
from outcomes.qst_sessions import devices_of
from studies.acting import acting
from studies.models import AuditEvent, Draft, Participant
from tests import factories
from tests.outcomes.qst.sessions import trials_of
from tests.trialsite.busy_site import CADSS_TOTAL, PRESSURE, BusySite

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def reference(settings: Any, busy: BusySite) -> None:
    """The oracle's person: a woman of 44, compared with the synthetic reference."""
    settings.QST_REFERENCE = str(SYNTHETIC_REFERENCE)
    with acting(factories.SETTING_UP, "set up"):
        Participant.objects.filter(pk=busy.first.pk).update(age_years=44)


def page_of(busy: BusySite, visit: str = "W1", name: str = "qst") -> str:
    return reverse(f"admin:{name}", args=[busy.first.identifier, visit])


def oracle_cells(area: str = "test") -> dict[str, str]:
    return {trial.field: f"{trial.value:g}" for trial in trials_of(area)}


def typed(**about: str) -> dict[str, str]:
    """A session as it would be typed: by the coordinator, at the hand."""
    return {
        "tested_at": "2026-11-20T10:00",
        "tester": "coordinator",
        "tester_masked": "yes",
        "test_area": "hand",
        **oracle_cells(),
        **about,
    }


def faults(content: str) -> list[str]:
    return re.findall(r"<li><a href=\"#item-[^\"]*\">(.*?)</a></li>", content)


CHANGED = {"comment./area_changed": "The pain is in the hand now."}


def test_the_form_follows_the_order_of_testing_with_the_control_area_first(busy: BusySite):
    shown = busy.as_("coordinator").get(page_of(busy)).content.decode()
    names = re.findall(r'name="((?:test|control)\.[^"]+)"', shown)
    assert names == [cell.name(area) for area in ("control", "test") for row in layout(area) for cell in row.cells]
    assert shown.count('inputmode="decimal"') >= len(names)


def test_what_is_typed_is_saved_with_room_device_sides_and_conditioning(busy: BusySite):
    cora = busy.as_("coordinator")
    device = Device.objects.get(site=busy.site())
    said = typed(
        room="B 12",
        room_temperature_c="21,5",
        test_side="left",
        test_body_site="dorsum of the hand",
        analgesic_last_12h="no",
        cpm_test_stimulus="ppt",
        cpm_timing="parallel",
        cpm_kind="cold_pressor",
        cpm_temperature_c="10",
        cpm_seconds="60",
        **{f"device.{device.pk}": "on", "test.CPM.before.1": "300", "test.CPM.during.1": "360"},
        **{"comment./calibration_unknown Thermode TSA-II 4711": "certificate is in the folder"},
        **CHANGED,
    )
    answer = cora.post(page_of(busy), said)
    assert answer.status_code == 302, faults(answer.content.decode())
    session = QSTSession.objects.get(participant=busy.first, visit__code="W1")
    assert (session.room, session.test_side, session.analgesic_last_12h) == ("B 12", "left", False)
    assert float(session.room_temperature_c or 0) == 21.5
    assert [use.device for use in session.device_uses.all()] == [device]
    assert session.values.get(parameter="cpm_percent").value == -20
    assert session.values.get(parameter="PPT", area="test").z == pytest.approx(2.872729, abs=5e-7)
    shown = cora.get(page_of(busy)).content.decode()
    assert "Pressure hyperalgesia" in shown
    assert "Baseline (BL)" not in shown  # the foot of the baseline has no reference row at 44 years: no z to draw


def test_a_question_stops_the_save_until_it_is_answered_beside_the_entry(busy: BusySite):
    cora = busy.as_("coordinator")
    said = typed(**{"test.CPT.trial.1": "3"}, **CHANGED)
    refused = cora.post(page_of(busy), said)
    assert refused.status_code == 422
    content = refused.content.decode()
    [message] = faults(content)
    assert message == (
        "CPT trial 1 lies 17.5 °C from the median of its trials. If it is right, say so beside it; else correct it."
    )
    assert 'name="comment.test/outlier CPT 1"' in content
    assert 'value="21.5"' in content  # what was typed is still there
    assert not QSTSession.objects.filter(visit__code="W1", participant=busy.first).exists()
    answered = said | {"comment.test/outlier CPT 1": "startled"}
    assert cora.post(page_of(busy), answered).status_code == 302
    flag = QSTSession.objects.get(participant=busy.first, visit__code="W1").flags.get(code="outlier")
    assert flag.comment == "startled"


def test_a_reading_at_the_limit_of_the_device_is_marked_censored_and_asks_nothing(busy: BusySite):
    cold = {f"test.CPT.trial.{n}": "0" for n in (1, 2, 3)}
    assert busy.as_("coordinator").post(page_of(busy), typed(**cold, **CHANGED)).status_code == 302
    trials = QSTTrial.objects.filter(session__visit__code="W1", session__participant=busy.first, parameter="CPT")
    assert set(trials.values_list("cutoff", flat=True)) == {True}


WRONG = {
    "letters": ("test.HPT.trial.1", "warm", "Heat pain threshold is &#x27;warm&#x27;; a number (°C) is expected."),
    "too hot": ("test.HPT.trial.1", "60", "Heat pain threshold is 60; allowed is 0 to 50 °C."),
    "no force of the set": ("test.MPT.ascending.1", "100", "the set of stimulators has 8, 16, 32"),
    "a thousands separator": ("test.PPT.trial.1", "1.000,5", "a number (kPa) is expected"),
    "digits of another script": ("test.HPT.trial.1", "٤٤", "a number (°C) is expected"),
    "not finite": ("test.HPT.trial.1", "inf", "a number (°C) is expected"),
    "a third of an eighth": ("test.VDT.trial.1", "7.3", "read in half steps"),
    "a hot room": (
        "room_temperature_c",
        "72",
        "Room temperature is &#x27;72&#x27;; a number from 5 to 45 °C is expected",
    ),
    "a date that is none": ("tested_at", "yesterday", "Tested on is &#x27;yesterday&#x27;"),
    "nobody": ("tester", "", "Tester is open: choose an answer."),
    "a method left out": ("test.CPM.before.1", "300", "Say which test stimulus CPM was tested with"),
    "an unknown control area": ("control.HPT.trial.1", "44", "say which area that is"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused_beside_its_field_and_stays_typed(case: str, busy: BusySite):
    name, value, message = WRONG[case]
    refused = busy.as_("coordinator").post(page_of(busy), typed(**{name: value}, **CHANGED))
    assert refused.status_code == 422
    content = refused.content.decode()
    assert any(message in fault for fault in faults(content)), faults(content)
    if value:
        assert f'value="{value}"' in content
    assert not QSTSession.objects.filter(visit__code="W1", participant=busy.first).exists()
    assert Draft.objects.filter(form=f"qst/{busy.first.pk}/W1").exists()


def test_a_parameter_that_was_not_done_keeps_its_reason(busy: BusySite):
    left_out = {name: "" for name in oracle_cells() if name.startswith("test.PPT.")}
    answer = busy.as_("coordinator").post(
        page_of(busy), typed(**left_out, **{"missing.test.PPT": "equipment"}, **CHANGED)
    )
    assert answer.status_code == 302
    session = QSTSession.objects.get(participant=busy.first, visit__code="W1")
    assert set(session.trials.filter(parameter="PPT").values_list("missing_reason", flat=True)) == {"equipment"}
    shown = busy.as_("coordinator").get(page_of(busy)).content.decode()
    assert re.search(r'name="missing\.test\.PPT">.*?<option value="equipment" selected>', shown, re.DOTALL)


def test_computing_as_one_goes_shows_what_saving_would_store_and_stores_nothing(busy: BusySite):
    cora = busy.as_("coordinator")
    seen = cora.post(page_of(busy, name="qst_compute"), typed(**{"test.HPT.trial.1": "60"})).json()
    assert seen["values"]["test.PPT"] == "180 kPa, z +2.87"
    assert seen["values"]["test.WDT"] == "5 °C from 32 °C, z −1.99"
    assert seen["values"]["test.HPT"] == "40.1 °C, z +1.30"  # of the two ramps that can be
    assert list(seen["faults"]) == ["test.HPT.trial.1"]
    assert {q["place"] for q in seen["questions"]} == {"test_area"}
    assert "Warm hypoaesthesia" in seen["computed"]
    assert not QSTSession.objects.filter(visit__code="W1", participant=busy.first).exists()
    assert busy.as_("infusion_nurse").post(page_of(busy, name="qst_compute"), typed()).status_code == 403
    assert cora.get(page_of(busy, name="qst_compute")).status_code == 405


def test_a_correction_needs_a_reason_and_changes_circumstances_and_devices_too(busy: BusySite):
    cora = busy.as_("coordinator")
    wrong, right = (
        register_device(
            busy.people["coordinator"],
            site=busy.site(),
            kind="thermode",
            name="TSA-II",
            serial=serial,
            calibrated_on=date(2026, 1, 15),
            calibration_due_on=date(2027, 1, 15),
        )
        for serial in ("5", "6")
    )
    cora.post(page_of(busy), typed(**CHANGED, **{f"device.{wrong.pk}": "on"}))
    again = typed(room="C 3", **{"test.PPT.trial.1": "200", f"device.{right.pk}": "on"}, **CHANGED)
    refused = cora.post(page_of(busy), again)
    assert refused.status_code == 422
    assert "Give the reason for the change." in refused.content.decode()
    assert cora.post(page_of(busy), again | {"reason": "wrong line"}).status_code == 302
    session = QSTSession.objects.get(participant=busy.first, visit__code="W1")
    assert session.room == "C 3"
    assert session.trials.get(parameter="PPT", trial=1).value == 200
    assert [use.device for use in devices_of(session)] == [right]
    shown = cora.get(page_of(busy)).content.decode()
    assert re.findall(r'name="device\.(\d+)" checked', shown) == [str(right.pk)]
    told = AuditEvent.objects.filter(kind="qstsession", record=session.pk, operation="update").last()
    assert told is not None
    assert (told.reason, told.new) == ("wrong line", {"room": "C 3"})
    address = f"/api/v1/qst-sessions/{session.pk}/correct/"
    body = {"devices": [wrong.pk], "room": "C 4", "reason": "it was the other after all"}
    answered = cora.post(address, body, content_type="application/json")
    assert (answered.status_code, answered.json()["room"]) == (200, "C 4")
    assert [use.device for use in devices_of(session)] == [wrong]
    refused = cora.post(address, body | {"devices": [0]}, content_type="application/json")
    assert (refused.status_code, "does not have" in refused.content.decode()) == (400, True)
    assert busy.as_("monitor").post(address, body, content_type="application/json").status_code == 403


def test_nothing_on_the_page_tells_of_the_infusion_or_of_earlier_sessions(busy: BusySite):
    for who in ("efficacy_rater", "coordinator"):
        content = busy.as_(who).get(page_of(busy)).content.decode()
        for told in (busy.first.allocation.kit_number, busy.first.allocation.randomisation_number, " ago"):
            assert told not in content
        assert not re.search(rf"\b({CADSS_TOTAL}|{PRESSURE})\b", content)
        assert 'value="44"' not in content  # the baseline's readings


def test_where_the_last_session_was_done_is_there_already(busy: BusySite):
    shown = busy.as_("coordinator").get(page_of(busy)).content.decode()
    assert re.search(r'<select name="test_area"[^>]*>.*?<option value="foot" selected>', shown, re.DOTALL)


def test_those_who_do_not_test_read_what_was_found_and_enter_nothing(busy: BusySite):
    seen = busy.as_("investigator").get(page_of(busy, "BL"))
    assert seen.status_code == 200
    assert b'<form method="post" class="card"' not in seen.content
    assert b"What it gives" in seen.content
    assert busy.as_("investigator").get(page_of(busy, "W1")).status_code == 403
    assert busy.as_("investigator").post(page_of(busy, "BL"), typed()).status_code == 403


def test_a_profile_is_drawn_twice_and_told_in_a_table(busy: BusySite):
    cora = busy.as_("coordinator")
    cora.post(page_of(busy), typed(control_area="hand", **oracle_cells("control"), **CHANGED))
    content = cora.get(page_of(busy)).content.decode()
    wide, narrow = re.findall(r"<svg class=\"plot profile (\w+)\"", content)
    assert (wide, narrow) == ("wide", "narrow")
    # 11 parameters and 2 signs of 2 areas across; without the signs down.
    assert len(re.findall(r"<path [^>]+><title>", content)) == 2 * 13 + 2 * 11
    assert re.search(r"<th scope=\"row\"><abbr title=\"Pressure pain threshold\">PPT</abbr></th>", content)
    assert content.count("▲ gain") == 2
    assert "within the range" in content  # both sides are the same


def test_devices_are_registered_calibrated_and_retired_at_the_desk(busy: BusySite):
    cora = busy.as_("coordinator")
    new = {"site": busy.site().pk, "kind": "algometer", "name": "Somedic", "serial": "77"}
    assert cora.post("/admin/qst/devices/", new).status_code == 302
    twice = cora.post("/admin/qst/devices/", new)
    assert (twice.status_code, "serial number 77 already" in twice.content.decode()) == (422, True)
    device = Device.objects.get(serial="77")
    where = f"/admin/qst/devices/{device.pk}/"
    calibration = {"calibrated_on": "2026-03-01", "calibration_due_on": "2027-03-01"}
    assert cora.post(where, calibration).status_code == 302
    assert cora.post(where, {"retire": "1", "on": "2026-04-01", "reason": ""}).status_code == 422
    assert cora.post(where, {"retire": "1", "on": "2026-04-01", "reason": "broken"}).status_code == 302
    device.refresh_from_db()
    assert (device.calibration_due_on, device.retired_on) == (date(2027, 3, 1), date(2026, 4, 1))
    cora.get("/admin/qst/devices/")  # says once what was done
    assert "Somedic 77" not in cora.get(page_of(busy)).content.decode()  # not offered any more
    assert busy.as_("infusion_nurse").post("/admin/qst/devices/", new | {"serial": "78"}).status_code == 422
    assert not Device.objects.filter(serial="78").exists()


def test_a_device_of_another_site_is_not_to_be_found(busy: BusySite):
    theirs = register_device(
        busy.people["outsider"], site=busy.site("EDI"), kind="thermode", name="TSA-II", serial="EDI-1"
    )
    assert busy.as_("coordinator").get(f"/admin/qst/devices/{theirs.pk}/").status_code == 404
    assert "EDI-1" not in busy.as_("coordinator").get("/admin/qst/devices/").content.decode()
