"""Participants of KALM whose infusion has run, in opposite arms, and files that a laboratory could send of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from studies.acting import acting
from studies.closed_side import read_arms
from studies.models import Infusion, Participant, Study, Visit
from tests import factories
from tests.conftest import django_as

HEADER = "participant,analyte,nominal_minute,actual_minute,concentration,unit,lloq"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
# Three exponential terms would do as well: a rise over 40 minutes, a peak, a fall with a half-life of 2.5 h.
PROFILE = {-15: "BLQ", 15: "95.2", 40: "201.0", 60: "140.5", 120: "88.1", 240: "50.4", 1440: "<1.0"}


@dataclass(frozen=True)
class InfusedTrial:
    study: Study
    people: list[Participant]
    arms: Mapping[int, str]

    def in_arm(self, arm: str) -> list[Participant]:
        return [each for each in self.people if self.arms[each.pk] == arm]


def infused_trial(number: int = 4) -> InfusedTrial:
    """So many participants of one stratum, randomised from a list and infused."""
    version = factories.kalm()
    factories.make_list(version.study, django_as)
    site = version.study.sites.get(code="BER")
    made = factories.Participants(version, factories.person("ivan", version.study, "investigator", site))
    people = [made.ready(site) for _ in range(number)]
    for participant in people:
        factories.with_visits(participant)
        with acting(factories.SETTING_UP, "set up"), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM public.allocate(%s)", [participant.pk])
            _infuse(participant)
    with django_as("unblinded"):
        arms = read_arms(factories.SETTING_UP, study=version.study, purpose="set up")
    return InfusedTrial(version.study, people, arms)


def _infuse(participant: Participant) -> None:
    Infusion.objects.create(
        participant=participant,
        visit=Visit.objects.get(participant=participant, code="D0"),
        kit_number=participant.allocation.kit_number,
        weight_kg=Decimal("72.4"),
        planned_volume_ml=Decimal("36.2"),
        planned_rate_ml_h=Decimal("54.3"),
        started_at=START,
        ended_at=START + timedelta(minutes=40),
        delivered_volume_ml=Decimal("36.2"),
        delivered_percent=Decimal(100),
    )


def profile(
    identifier: str, levels: Mapping[int, str] = PROFILE, *, analyte: str = "ketamine", unit: str = "ng/mL"
) -> list[str]:
    """The lines of one participant and analyte, each sample a minute late."""
    return [
        f"{identifier},{analyte},{nominal},{nominal + 1 if nominal > 0 else nominal},{level},{unit},1.0"
        for nominal, level in levels.items()
    ]


def laboratory_csv(*profiles: Sequence[str], header: str = HEADER) -> bytes:
    return ("\n".join([header, *(line for lines in profiles for line in lines)]) + "\n").encode()
