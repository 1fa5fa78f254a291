"""A trial of a few participants, written row by row: every kind that a cut holds has at least one row."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from analysis.canonical import sha256_of
from outcomes.models import InstrumentVersion, QSTSession, QSTTrial, QSTValue, Response, ResponseItem, Score
from studies.acting import Program, acting
from studies.models import (
    AdverseEvent,
    Consent,
    ContactDetails,
    CriterionResult,
    Deviation,
    EligibilityDecision,
    Finding,
    Infusion,
    InfusionSegment,
    Participant,
    ProtocolVersion,
    Reading,
    SafetyAlert,
    SafetyEvent,
    Site,
    Stratum,
    Study,
    User,
    Visit,
)

# Only its arm-revealing marks and its analysis plan matter here.
KALM = settings.BASE_DIR / "studies" / "protocols" / "kalm-1.0.yaml"
MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)
CLERK = Program("test clerk")


@dataclass
class SmallTrial:
    study: Study
    protocol: ProtocolVersion
    site: Site
    physician: User
    participants: list[Participant]


def make_small_trial(unblinded: psycopg.Connection, *, code: str = "SMALL", randomised: int = 4) -> SmallTrial:
    """A study with `randomised` participants in two arms in turn, and one more in screening."""
    with acting(CLERK, "set up"), transaction.atomic():
        trial = _design(code)
    _store_list(unblinded, trial.study, rows=randomised)
    with acting(CLERK, "set up"), transaction.atomic():
        for number in range(1, randomised + 2):
            trial.participants.append(_participant(trial, number))
        for participant in trial.participants[:randomised]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM public.allocate(%s)", [participant.pk])
        if randomised:
            _infusion_day(trial.participants[0])
        for number, participant in enumerate(trial.participants):
            _measurements(participant, pain=3.0 + number)
    return trial


def _design(code: str) -> SmallTrial:
    study, text = Study.objects.create(code=code, title="A small trial"), KALM.read_text()
    protocol = ProtocolVersion.objects.create(study=study, version="1.0", source=text, sha256=sha256_of(text.encode()))
    site = Site.objects.create(study=study, code="BER", name="Berlin", country="DE", time_zone="Europe/Berlin")
    Stratum.objects.create(study=study, code="ALL", levels={})
    physician = get_user_model().objects.create(username=f"physician-{code}")
    return SmallTrial(study, protocol, site, physician, [])


def _store_list(unblinded: psycopg.Connection, study: Study, *, rows: int) -> None:
    content = [
        {
            "stratum": "ALL",
            "position": i,
            "randomisation_number": f"{study.code}-R{i:03d}",
            "kit_number": f"{study.code}-K{i * 37 % 1000:03d}",
            "arm": ("KET", "PLA")[i % 2],
        }
        for i in range(1, rows + 1)
    ]
    with unblinded.transaction():
        unblinded.execute("SELECT set_config('trialsite.actor', 'test pharmacist', true)")
        unblinded.execute("SELECT concealed.store_list(%s, 1, false, %s)", [study.pk, json.dumps(content)])
    unblinded.commit()


def _participant(trial: SmallTrial, number: int) -> Participant:
    participant = Participant.objects.create(
        study=trial.study,
        site=trial.site,
        protocol_version=trial.protocol,
        identifier=f"{trial.study.code}-{number:04d}",
        screening_number=number,
        sex="F",
        birth="1974-05",
        stratum=trial.study.strata.get(),
    )
    ContactDetails.objects.create(participant=participant, ciphertext=b"Ada Lovelace")
    Consent.objects.create(participant=participant, version="1", signed_at=MORNING, obtained_by=trial.physician)
    CriterionResult.objects.create(participant=participant, criterion="I1", result="met")
    EligibilityDecision.objects.create(
        participant=participant, included=True, decided_at=MORNING, decided_by=trial.physician
    )
    for position, code in enumerate(("V3", "W4"), start=1):
        Visit.objects.create(participant=participant, code=code, position=position, target_on=date(2026, 3, 9))
    return participant


def _infusion_day(participant: Participant) -> None:
    visit = participant.visits.get(code="V3")
    infusion = Infusion.objects.create(
        participant=participant,
        visit=visit,
        kit_number=participant.allocation.kit_number,
        weight_kg=Decimal("71.5"),
        planned_volume_ml=Decimal("50.00"),
        planned_rate_ml_h=Decimal("75.0"),
        started_at=MORNING,
        ended_at=MORNING + timedelta(minutes=40),
    )
    InfusionSegment.objects.create(participant=participant, infusion=infusion, start_min=0, end_min=40, rate_ml_h=75)
    Reading.objects.create(
        participant=participant, infusion=infusion, minute=20, parameter="sbp", taken_at=MORNING, value=162
    )
    SafetyEvent.objects.create(
        participant=participant, infusion=infusion, rule="S1", action="pause", minute=20, readings=[162]
    )
    AdverseEvent.objects.create(
        participant=participant,
        number=1,
        term="nausea",
        started_on="2026-03",
        grade=1,
        relatedness="possible",
        outcome="recovered",
    )
    Deviation.objects.create(
        participant=participant,
        kind="other",
        severity="minor",
        occurred_on=date(2026, 3, 2),
        description='late, "by" an hour\n',
    )


def instrument(key: str, *, arm_revealing: bool = False) -> InstrumentVersion:
    return InstrumentVersion.objects.get_or_create(
        key=key,
        version="1.0",
        defaults={
            "scoring_version": "1",
            "name": key,
            "arm_revealing": arm_revealing,
            "sha256": "b" * 64,
        },
    )[0]


def _measurements(participant: Participant, *, pain: float) -> None:
    visit = participant.visits.get(code="W4")
    # The instrument's file marks cadss as arm-revealing, the protocol marks bprs_positive.
    for key, revealing in (("nrs", False), ("cadss", True), ("bprs_positive", False)):
        response = Response.objects.create(
            participant=participant,
            visit=visit,
            instrument=instrument(key, arm_revealing=revealing),
            status="complete",
            source="staff",
            completed_at=MORNING,
        )
        ResponseItem.objects.create(response=response, item="1", value=pain)
        ResponseItem.objects.create(response=response, item="2", missing_reason="refused")
        score = Score.objects.create(
            response=response, participant=participant, name="total", number=pain, scoring_version="1"
        )
        for kind, record in (("response", response.pk), ("score", score.pk)):
            Finding.objects.create(
                participant=participant,
                visit=visit,
                key=f"{key}_total",
                number=pain,
                source_kind=kind,
                source_record=record,
                source_field="total",
            )
        SafetyAlert.objects.create(
            participant=participant,
            code=f"{key}_high",
            source_kind="response",
            source_record=response.pk,
            raised_at=MORNING,
            due_at=MORNING,
        )
    session = QSTSession.objects.create(
        participant=participant, visit=visit, tested_at=MORNING, tester="rater", test_area="hand"
    )
    QSTTrial.objects.create(session=session, area="test", parameter="CDT", trial=1, value=28.25)
    QSTValue.objects.create(
        session=session, participant=participant, area="test", parameter="CDT", missing_reason="no reference"
    )
