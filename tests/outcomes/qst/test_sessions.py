from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from django.utils import timezone

from outcomes.models import ConditioningStimulus, Device, DeviceUse, QSTFlag, QSTSession, QSTValue
from outcomes.qst import SYNTHETIC_REFERENCE
from outcomes.qst_corrections import correct_session
from outcomes.qst_devices import calibrate_device, register_device, retire_device
from outcomes.qst_flags import people_at_infusion
from outcomes.qst_sessions import (
    ConditioningEntry,
    TrialEntry,
    devices_of,
    entry_of,
    explain_flag,
    save_session,
)
from studies.acting import acting
from studies.errors import AlreadyDone, InvalidEntries, InvalidEntry, NotAllowed
from studies.models import AuditEvent
from tests import factories
from tests.outcomes.qst.oracle import EXPECTED
from tests.outcomes.qst.sessions import AT, cpm_trials, session_entry, trials_of

pytestmark = pytest.mark.django_db
COLD_PRESSOR = ConditioningEntry("ppt", "parallel", "cold_pressor", Decimal("10.0"), 60)


@pytest.fixture
def participant(participant, settings):
    """Covered by the synthetic reference: its rows of 40 to 49 years are the oracle's."""
    settings.QST_REFERENCE = str(SYNTHETIC_REFERENCE)
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        participant.age_years = 44
        participant.save(update_fields=["age_years"])
    return participant


@pytest.fixture
def thermode(coordinator, site) -> Device:
    return register_device(
        coordinator,
        site=site,
        kind="thermode",
        name="TSA-II",
        serial="4711",
        calibrated_on=date(2025, 1, 15),
        calibration_due_on=date(2026, 1, 15),
    )


def stored(session: QSTSession, area: str, parameter: str) -> QSTValue:
    return session.values.get(area=area, parameter=parameter)


def messages(session: QSTSession) -> set[tuple[str, str]]:
    return {(flag.area, flag.message) for flag in session.flags.filter(standing=True)}


# Values -----------------------------------------------------------------------------------------------


def test_the_stored_values_and_z_scores_are_those_of_the_handbook(coordinator, participant):
    session = save_session(coordinator, entry=session_entry(participant))
    for code, z in EXPECTED["z"].items():
        row = stored(session, "test", code)
        assert row.value == pytest.approx(EXPECTED["value"][code], abs=5e-7)
        assert row.z == pytest.approx(z, abs=5e-7)
        assert (row.reference, len(row.reference_sha256)) == ("SYNTH-1", 64)
    assert stored(session, "test", "composite").value == pytest.approx(EXPECTED["qst_composite"], abs=5e-6)
    assert stored(session, "test", "PHS").value == 1


def test_conditioned_pain_modulation_and_the_train_are_values_of_the_test_area(coordinator, participant):
    ratings = [10, 20, 25, 30, 35, 50, 45, 40, 42, 40]
    train = [TrialEntry("test", "TS", n, float(rating)) for n, rating in enumerate(ratings, 1)]
    trials = [*cpm_trials([300, 310], [360, 372]), *train]
    session = save_session(coordinator, entry=session_entry(participant, trials=trials, conditioning=COLD_PRESSOR))
    found = {row.parameter: row.value for row in session.values.filter(area="test")}
    # 305 - 366 = -61, -20 %: oracle threshold_ts. Inhibition is negative.
    assert (found["cpm_before"], found["cpm_conditioned"]) == (305, 366)
    assert (found["cpm_effect"], found["cpm_percent"]) == (-61, -20)
    assert (found["ts_last_minus_first"], found["ts_highest_minus_first"]) == (30, 40)
    assert ConditioningStimulus.objects.get(session=session).temperature_c == 10


def test_the_sides_are_compared_where_both_have_a_value(coordinator, participant):
    ppt = [TrialEntry("control", "PPT", n, 300.0) for n in (1, 2, 3)]
    entry = session_entry(participant, control_area="hand", trials=[*trials_of(), *ppt])
    session = save_session(coordinator, entry=entry)
    [row] = session.values.filter(area="side")
    assert (row.parameter, row.value) == ("PPT", pytest.approx(-0.221849, abs=1e-6))
    assert row.z == pytest.approx(1.848740, abs=1e-6)


# What is asked ----------------------------------------------------------------------------------------


def test_what_is_implausible_is_asked_and_changes_no_value(coordinator, participant, thermode):
    cpt = [TrialEntry("test", "CPT", n, value, cutoff=value == 0) for n, value in enumerate((0.0, 21.5, 20.5), 1)]
    trials = [t for t in trials_of() if t.parameter != "CPT"] + cpt
    entry = session_entry(
        participant,
        trials=trials,
        devices=[thermode],
        skin_temperature_c=Decimal("26.0"),
        duration_minutes=61,
        tester_masked=False,
        analgesic_last_12h=True,
        comments={"test/outlier CPT 1": "looked away"},
    )
    session = save_session(coordinator, entry=entry)
    assert messages(session) == {
        ("", "Skin temperature is 26 °C; it should be 28 to 36."),
        ("", "The session took 61 minutes; it should be 20 to 45."),
        ("", "The examiner knew of the treatment or the visit."),
        ("", "An analgesic was taken in the last 12 hours."),
        ("", "Thermode TSA-II 4711 was due for calibration on 15 Jan 2026."),
        ("test", "CPT trial 1 reached the device's limit: its value is censored."),
        ("test", "CPT trial 1 lies 20.5 °C from the median of its trials."),
    }
    assert session.flags.get(code="outlier").comment == "looked away"
    assert stored(session, "test", "CPT").value == 14


def test_thresholds_that_all_stand_the_wrong_way_round_are_each_asked_about(coordinator, participant):
    wrong = {"CPT": 40.0, "CDT": 35.0, "WDT": 30.0, "HPT": 20.0}
    trials = [TrialEntry("test", code, n, value) for code, value in wrong.items() for n in (1, 2, 3)]
    session = save_session(coordinator, entry=session_entry(participant, trials=trials))
    assert session.flags.filter(code="threshold_order").count() == 4


def test_another_tester_or_side_than_last_time_is_asked(coordinator, participant, version, site):
    factories.person("rita", version.study, "efficacy_rater", site)
    save_session(coordinator, entry=session_entry(participant, test_side="left"))
    later = session_entry(participant, "W1", tested_at=AT + timedelta(days=9), tester="rita", test_side="right")
    session = save_session(coordinator, entry=later)
    assert messages(session) == {
        ("", "The examiner is rita; in the last session it was cora."),
        ("", "The area is right hand; in the last session it was left hand."),
    }
    assert session.tester_membership.user.username == "rita"


def test_a_tester_who_is_none_of_the_site_is_asked(coordinator, participant):
    session = save_session(coordinator, entry=session_entry(participant, tester="somebody"))
    assert messages(session) == {("", "somebody does not belong to the site's testers.")}
    assert session.tester_membership is None


def test_a_flag_is_answered_once_with_words(coordinator, nurse, participant):
    session = save_session(coordinator, entry=session_entry(participant, duration_minutes=61))
    [flag] = session.flags.all()
    with pytest.raises(InvalidEntry, match="Say what was found"):
        explain_flag(coordinator, flag=flag, comment=" ")
    with pytest.raises(NotAllowed):
        explain_flag(nurse, flag=flag, comment="Break for coffee")
    explain_flag(coordinator, flag=flag, comment="Break for coffee")
    assert QSTFlag.objects.get(pk=flag.pk).comment == "Break for coffee"
    event = AuditEvent.objects.get(kind="qstflag", operation="update")
    assert (event.participant_id, event.new) == (participant.pk, {"comment": "Break for coffee"})


def test_a_flag_that_no_longer_holds_stays_with_its_answer(coordinator, participant):
    entry = session_entry(participant, duration_minutes=61, comments={"/session_length": "Break"})
    session = save_session(coordinator, entry=entry)
    correct_session(
        coordinator, session=session, trials=(), reason="clock misread", circumstances={"duration_minutes": 41}
    )
    [flag] = session.flags.all()
    assert (flag.standing, flag.comment) == (False, "Break")


# Corrections ------------------------------------------------------------------------------------------


def test_a_correction_computes_anew_and_keeps_what_stood_there(coordinator, participant):
    session = save_session(coordinator, entry=session_entry(participant))
    changed = [TrialEntry("test", "PPT", n, 360.0) for n in (1, 2, 3)]
    correct_session(coordinator, session=session, trials=changed, reason="wrong column")
    assert stored(session, "test", "PPT").value == 360
    assert stored(session, "test", "CDT").value == pytest.approx(-1.5)
    with pytest.raises(InvalidEntry, match="reason"):
        correct_session(coordinator, session=session, trials=changed, reason=" ")


def test_conditioned_pain_modulation_is_added_to_a_saved_session(coordinator, participant):
    session = save_session(coordinator, entry=session_entry(participant))
    correct_session(
        coordinator,
        session=session,
        trials=cpm_trials([300], [240]),
        reason="sheet found",
        conditioning=COLD_PRESSOR,
    )
    assert stored(session, "test", "cpm_effect").value == 60


def test_a_saved_session_reads_as_it_was_entered(coordinator, participant, thermode):
    entry = session_entry(participant, devices=[thermode], room="B 12", conditioning=COLD_PRESSOR)
    session = QSTSession.objects.get(pk=save_session(coordinator, entry=entry).pk)
    again = entry_of(session)
    assert replace(again, trials=()) == replace(entry, trials=())
    assert {t.key: t.value for t in again.trials} == {t.key: t.value for t in entry.trials}


# Refusals ---------------------------------------------------------------------------------------------


IMPOSSIBLE = {
    "60 degrees": (TrialEntry("test", "HPT", 1, 60.0), "Heat pain threshold is 60; allowed is 0 to 50 °C."),
    "a direction": (TrialEntry("test", "HPT", 1, 45.0, "up"), "direction is 'up'; allowed is none"),
    "a parameter": (TrialEntry("test", "QQQ", 1, 45.0), "There is no QST parameter QQQ"),
    "nothing": (TrialEntry("test", "HPT", 1, None), "Give a value, or say why there is none."),
    "a reason": (TrialEntry("test", "HPT", 1, None, missing_reason="bored"), "'bored' is no reason"),
    "trial number": (TrialEntry("test", "HPT", 99, 45.0), "allowed is 1 to 20"),
    "an area": (TrialEntry("nose", "HPT", 1, 45.0), "The area of a trial is 'nose'"),
    "control area": (TrialEntry("control", "HPT", 1, 45.0), "say which area that is"),
    "a force": (TrialEntry("test", "MPT", 1, 100.0, "ascending"), "the set of stimulators has 8, 16"),
    "CPM alone": (TrialEntry("test", "CPM", 1, 300.0, "before"), "CPM needs its method"),
    "CPM elsewhere": (TrialEntry("control", "TS", 1, 30.0), "tested at the test area only"),
    "a rating": (TrialEntry("test", "TS", 1, 130.0), "A rating is 130; allowed is 0 to 100"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_trial_that_cannot_be_is_refused_with_its_field(case, coordinator, participant):
    trial, words = IMPOSSIBLE[case]
    with pytest.raises(InvalidEntries, match=words.replace("(", r"\(")) as refused:
        save_session(coordinator, entry=session_entry(participant, trials=[trial]))
    assert refused.value.problems[0].field in (trial.field, "control_area")
    assert not QSTSession.objects.exists()


def test_a_trial_given_twice_is_refused(coordinator, participant):
    twice = [TrialEntry("test", "HPT", 1, 44.0), TrialEntry("test", "HPT", 1, 45.0)]
    with pytest.raises(InvalidEntries, match="HPT trial 1 of the test area is given 2 times"):
        save_session(coordinator, entry=session_entry(participant, trials=twice))


def test_a_second_session_of_the_same_visit_is_refused(coordinator, participant):
    save_session(coordinator, entry=session_entry(participant))
    with pytest.raises(AlreadyDone, match="visit BL has already been saved"):
        save_session(coordinator, entry=session_entry(participant))


@pytest.mark.parametrize(
    ("about", "field"),
    [
        ({"room_temperature_c": Decimal("72.0")}, "room_temperature_c"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"tested_at": timezone.now() + timedelta(days=2)}, "tested_at"),
        ({"tester": " "}, "tester"),
        ({"conditioning": ConditioningEntry("ppt", "never", "cold_pressor")}, "cpm_timing"),
        ({"conditioning": ConditioningEntry("ppt", "parallel", "cuff", seconds=9000)}, "cpm_seconds"),
        ({"conditioning": ConditioningEntry("ppt", "parallel", "heat", Decimal("77"))}, "cpm_temperature_c"),
    ],
)
def test_circumstances_that_cannot_be_are_refused_by_name(about, field, coordinator, participant):
    with pytest.raises(InvalidEntries) as refused:
        save_session(coordinator, entry=session_entry(participant, **about))
    assert [problem.field for problem in refused.value.problems] == [field]


def test_the_database_itself_refuses_a_room_of_72_degrees(coordinator, participant):
    session = save_session(coordinator, entry=session_entry(participant))
    session.room_temperature_c = Decimal("72.0")
    with pytest.raises(IntegrityError, match="qst_session_conditions_are_possible"):
        with acting(coordinator, "slip"), transaction.atomic():
            session.save()


# Devices ----------------------------------------------------------------------------------------------


def test_a_session_keeps_the_calibration_that_held_when_it_was_run(coordinator, participant, thermode):
    session = save_session(coordinator, entry=session_entry(participant, devices=[thermode]))
    calibrate_device(
        coordinator, device=thermode, calibrated_on=date(2026, 2, 10), calibration_due_on=date(2027, 2, 10)
    )
    assert DeviceUse.objects.get(session=session).calibration_due_on == date(2026, 1, 15)
    correct_session(coordinator, session=session, trials=(), reason="looked at again")
    assert session.flags.get(code="calibration_due").standing


def test_a_session_that_is_entered_late_has_the_calibration_of_its_day(coordinator, participant, site):
    """Tested on 3 February, calibrated again on the 10th, entered afterwards: the one of 2025 held."""
    device = register_device(
        coordinator,
        site=site,
        kind="algometer",
        name="Somedic",
        serial="9",
        calibrated_on=date(2025, 1, 15),
        calibration_due_on=date(2026, 1, 15),
    )
    calibrate_device(coordinator, device=device, calibrated_on=date(2026, 2, 10), calibration_due_on=date(2027, 2, 10))
    unheard = register_device(
        coordinator,
        site=site,
        kind="brushes",
        name="Set",
        serial="1",
        calibrated_on=date(2026, 2, 10),
        calibration_due_on=date(2027, 2, 10),
    )
    session = save_session(coordinator, entry=session_entry(participant, devices=[device, unheard]))
    due = {use.device.serial: use.calibration_due_on for use in session.device_uses.select_related("device")}
    assert due == {"9": date(2026, 1, 15), "1": None}
    assert {flag.code for flag in session.flags.all()} >= {"calibration_due", "calibration_unknown"}


def test_devices_of_a_saved_session_are_corrected_and_asked_about_anew(coordinator, participant, site, thermode):
    session = save_session(coordinator, entry=session_entry(participant, devices=[thermode], room="B 12"))
    assert session.flags.get(code="calibration_due").standing
    other = register_device(
        coordinator,
        site=site,
        kind="thermode",
        name="TSA-II",
        serial="4712",
        calibrated_on=date(2025, 9, 1),
        calibration_due_on=date(2026, 9, 1),
    )
    about = {"room": "B 13", "test_body_site": "back of the hand", "tester": "elsa"}
    correct_session(
        coordinator, session=session, trials=(), reason="read the label", circumstances=about, devices=[other]
    )
    assert [use.device for use in devices_of(session)] == [other]
    assert not session.flags.get(code="calibration_due").standing
    assert session.flags.get(code="examiner_unknown").standing
    assert entry_of(session).room == "B 13"
    told = AuditEvent.objects.filter(reason="read the label").values_list("kind", "operation", "old", "new")
    assert ("deviceuse", "update", {"standing": True}, {"standing": False}) in told
    assert ("deviceuse", "insert") in {(kind, operation) for kind, operation, _, _ in told}
    rooms = [(old["room"], new["room"]) for kind, _, old, new in told if kind == "qstsession" and "room" in (new or {})]
    assert rooms == [("B 12", "B 13")]
    correct_session(coordinator, session=session, trials=(), reason="it was the first after all", devices=[thermode])
    assert [use.device for use in devices_of(session)] == [thermode]
    assert session.flags.get(code="calibration_due").standing
    with pytest.raises(InvalidEntry, match="reason"):
        correct_session(coordinator, session=session, trials=(), reason=" ", devices=[])
    with pytest.raises(InvalidEntry, match="visit is not corrected here"):
        correct_session(coordinator, session=session, trials=(), reason="x", circumstances={"visit": None})


def test_another_day_of_testing_asks_for_the_calibration_of_that_day(coordinator, participant, thermode):
    session = save_session(coordinator, entry=session_entry(participant, devices=[thermode]))
    assert session.flags.get(code="calibration_due").standing
    in_time = {"tested_at": datetime(2026, 1, 14, 10, 0, tzinfo=UTC)}
    correct_session(coordinator, session=session, trials=(), reason="a month later than written", circumstances=in_time)
    assert not session.flags.get(code="calibration_due").standing


def test_a_device_of_another_site_is_refused(coordinator, participant, version, thermode):
    elsewhere = factories.person("ed", version.study, "coordinator", version.study.sites.get(code="EDI"))
    theirs = register_device(
        elsewhere, site=version.study.sites.get(code="EDI"), kind="thermode", name="TSA-II", serial="4711"
    )
    with pytest.raises(InvalidEntries, match="belongs to another site"):
        save_session(coordinator, entry=session_entry(participant, devices=[theirs]))


def test_a_device_is_registered_once_and_retired_with_a_reason(coordinator, site, thermode):
    with pytest.raises(AlreadyDone, match="4711 already"):
        register_device(coordinator, site=site, kind="thermode", name="TSA-II", serial=" 4711 ")
    with pytest.raises(InvalidEntry, match="Say why"):
        retire_device(coordinator, device=thermode, on=date(2026, 3, 1), reason="")
    assert retire_device(coordinator, device=thermode, on=date(2026, 3, 1), reason="broken").retired_on
    with pytest.raises(AlreadyDone, match="was retired on 1 Mar 2026"):
        retire_device(coordinator, device=thermode, on=date(2026, 3, 2), reason="broken")


def test_a_calibration_has_both_days_in_order(coordinator, site):
    about = {"site": site, "kind": "algometer", "name": "Somedic", "serial": "1"}
    with pytest.raises(InvalidEntry, match="Give both days"):
        register_device(coordinator, **about, calibrated_on=date(2026, 1, 1))
    with pytest.raises(InvalidEntry, match="lies before"):
        register_device(coordinator, **about, calibrated_on=date(2026, 1, 1), calibration_due_on=date(2025, 1, 1))


def test_an_infusion_nurse_neither_tests_nor_registers_devices(nurse, participant, site):
    with pytest.raises(NotAllowed):
        save_session(nurse, entry=session_entry(participant))
    with pytest.raises(NotAllowed):
        register_device(nurse, site=site, kind="algometer", name="Somedic", serial="1")


def test_a_device_and_a_flag_cannot_be_removed(coordinator, participant, thermode):
    session = save_session(coordinator, entry=session_entry(participant, devices=[thermode], duration_minutes=61))
    for rows in (Device.objects.all(), session.flags.all(), DeviceUse.objects.all()):
        with pytest.raises(ProgrammingError, match="permission denied"):
            with acting(coordinator, "tidy up"), transaction.atomic():
                rows._raw_delete(rows.db)


def test_the_database_refuses_a_flag_or_device_of_one_participant_in_a_session_of_another(
    coordinator, participant, version, site, thermode
):
    session = save_session(coordinator, entry=session_entry(participant))
    other = factories.Participants(version, coordinator, made=70).ready(site)
    rows = (
        QSTFlag(session=session, participant=other, key="x", code="x", message="x"),
        DeviceUse(session=session, participant=other, device=thermode),
        ConditioningStimulus(
            session=session, participant=other, test_stimulus="ppt", timing="parallel", kind="cold_pressor"
        ),
    )
    for row in rows:
        with pytest.raises(IntegrityError, match="of_the_participants_session|in_the_participants_session"):
            with acting(coordinator, "mixed up"), transaction.atomic():
                row.save()


def test_the_database_refuses_a_trial_of_no_area(coordinator, participant):
    session = save_session(coordinator, entry=session_entry(participant))
    with pytest.raises(IntegrityError, match="qst_trial_is_of_an_area"):
        with acting(coordinator, "slip"), transaction.atomic():
            session.trials.filter(parameter="PPT").update(area="side")


def test_who_saw_the_infusion_is_asked_about(coordinator, participant, django_user_model):
    """By the one judgement of what tells the arm: the file's flag, the protocol's marks, and the infusion itself."""
    from outcomes.responses import ResponseEntry, save_response
    from studies.models import Infusion, ProtocolVersion

    place = {"participant": participant, "visit": participant.visits.get(code="D0")}
    at = datetime(2026, 2, 2, 10, 40, tzinfo=UTC)
    both = {name: factories.person(name, participant.study, "infusion_nurse", participant.site) for name in "abc"}
    for name in both:
        factories.person(name, participant.study, "efficacy_rater", participant.site)
    items = {str(n): 0.0 for n in range(1, 24)}
    save_response(
        both["a"], entry=ResponseEntry(instrument="cadss23", items=items, completed_at=at, minute=40, **place)
    )
    with acting(both["b"], "infusion"), transaction.atomic():
        numbers = {"weight_kg": 70, "planned_volume_ml": 35, "planned_rate_ml_h": 52}
        Infusion.objects.create(kit_number="K1", started_at=at, **numbers, **place)
    assert people_at_infusion([participant]) == {(participant.pk, "a"), (participant.pk, "b")}
    session = save_session(both["a"], entry=session_entry(participant, tester="a"))
    assert ("", "The examiner entered data of this participant's infusion.") in messages(session)
    # A protocol that marks the treatment guess: who took it has been told what was felt.
    guess = {"guess": 1.0, "confidence": 5.0, "reason": 2.0}
    entry = ResponseEntry(instrument="treatment_guess", items=guess, completed_at=at, respondent="participant", **place)
    save_response(both["c"], entry=entry)
    marked = participant.protocol_version.source.replace("[cadss23, bprs_positive]", "[bprs_positive, treatment_guess]")
    participant.protocol_version = ProtocolVersion(source=marked)
    assert people_at_infusion([participant]) == {(participant.pk, name) for name in "abc"}
