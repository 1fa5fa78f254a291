"""Readings before the infusion: entered before the start, standing in its way, and then its baseline."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from studies.acting import acting
from studies.errors import AlreadyDone, InvalidEntries, InvalidEntry
from studies.infusions import plan_of, start_infusion
from studies.models import Infusion, Participant, Reading, User
from studies.readings import ReadingEntry, correct_readings, record_readings
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def nurse(version, site) -> User:
    return factories.person("nora", version.study, "infusion_nurse", site)


def _read(nurse: User, participant: Participant, minute: int = -15, **values: int) -> list[str]:
    at = timezone.now() - timedelta(minutes=20)
    entries = [ReadingEntry(minute, key, at, Decimal(value)) for key, value in values.items()]
    return [event.rule for event in record_readings(nurse, participant=participant, readings=entries)]


def _start(nurse: User, participant: Participant) -> Infusion:
    kit = participant.allocation.kit_number
    return start_infusion(
        nurse, participant=participant, weight_kg=Decimal("70"), started_at=timezone.now(), kit_number=kit
    )


def test_readings_before_the_start_join_the_infusion_at_its_start(nurse, randomised):
    assert _read(nurse, randomised, sbp=120, dbp=70, spo2=98) == []
    assert set(Reading.objects.values_list("infusion", flat=True)) == {None}
    infusion = _start(nurse, randomised)
    assert set(Reading.objects.values_list("infusion", flat=True)) == {infusion.pk}
    # S04 of the protocol compares with the baseline: above 1.3 x 120 and 150, twice, five minutes apart.
    assert _read(nurse, randomised, 0, sbp=160, dbp=80) == []
    assert _read(nurse, randomised, 15, sbp=160, dbp=80) == ["S04"]


def test_the_infusion_does_not_start_before_its_baseline_was_read_or_said_not_done(nurse, randomised):
    with pytest.raises(InvalidEntry, match="readings at -15 min have not been entered") as refused:
        _start(nurse, randomised)
    assert refused.value.field == "readings"
    parameters = [parameter.key for parameter in plan_of(randomised).parameters]
    undone = [ReadingEntry(-15, key, timezone.now(), None, "equipment") for key in parameters]
    record_readings(nurse, participant=randomised, readings=undone)
    assert _start(nurse, randomised)


def test_a_reading_that_calls_for_a_stop_stands_in_the_way_until_it_is_corrected(nurse, randomised):
    _read(nurse, randomised, sbp=205, dbp=90)
    with pytest.raises(InvalidEntry, match=r"STOP \(S02\)"):
        _start(nurse, randomised)
    assert not Infusion.objects.exists()
    fired = correct_readings(
        nurse, participant=randomised, minute=-15, values={"sbp": Decimal(125)}, reason="cuff too small"
    )
    assert fired == []
    assert _start(nurse, randomised)


def test_nothing_from_the_clock_is_read_before_it_runs(nurse, randomised):
    with pytest.raises(InvalidEntries, match="comes after the start"):
        _read(nurse, randomised, 15, sbp=120, dbp=70)
    _read(nurse, randomised, sbp=120, dbp=70)
    with pytest.raises(AlreadyDone, match="already been saved"):
        _read(nurse, randomised, sbp=121, dbp=71)
    _start(nurse, randomised)
    _read(nurse, randomised, 15, sbp=120, dbp=70)


def test_nobody_is_read_before_randomisation(nurse, unallocated):
    with pytest.raises(InvalidEntry, match="nothing to infuse"):
        _read(nurse, unallocated, sbp=120, dbp=70)


def test_the_database_lets_only_early_readings_wait_for_their_infusion(nurse, randomised):
    _read(nurse, randomised, sbp=120, dbp=70)
    statement = "UPDATE studies_reading SET minute = %s WHERE parameter = 'sbp'"
    with acting(nurse, "plain SQL"):
        with (
            pytest.raises(IntegrityError, match="only_an_early_reading_waits"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, [0])
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [-5])
