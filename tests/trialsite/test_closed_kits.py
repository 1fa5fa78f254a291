"""Kits at the closed door: what the pharmacist prepares, by the protocol's regimen, and that it is on record."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from studies.acting import Program, acting
from studies.closed_side import read_arms
from studies.models import Allocation, Finding, Participant, Study
from studies.protocols import load_protocol
from studies.randomisation_desk import randomise
from tests import factories
from tests.conftest import django_as
from tests.trialsite.closed_door import ClosedDoor

pytestmark = pytest.mark.django_db(transaction=True)
PERSON = Program("test")


@pytest.fixture
def allocations(version: Any) -> list[Allocation]:
    """Eight participants of one stratum: both arms are among them, whatever the list."""
    site = version.study.sites.get(code="BER")
    factories.make_list(version.study, django_as)
    coordinator = factories.person("cora", version.study, "coordinator", site)
    ready = factories.Participants(version, coordinator)
    return [randomise(coordinator, participant=ready.ready(site)) for _ in range(8)]


def one_of_each(study: Study, allocations: list[Allocation]) -> dict[str, Allocation]:
    with django_as("unblinded"):
        arms = read_arms(PERSON, study=study, purpose="test")
    return {arms[each.participant_id]: each for each in allocations}


# Section 3 of the protocol: 0.5 mg/kg ketamine at 1 mg/mL, at most 60 mg; 0.045 mg/kg midazolam at 0.09 mg/mL,
# at most 5.4 mg; both at 0.75 mL/h per kg over 40 min.
@pytest.mark.parametrize(
    ("arm", "weight", "drug", "dose", "volume", "rate"),
    [
        ("KET", "71.5", "racemic ketamine (base)", 35.75, 35.75, 53.6),
        ("MDZ", "71.5", "midazolam", 3.2175, 35.75, 53.6),
        ("KET", "140.0", "racemic ketamine (base)", 60, 60, 90),
        ("MDZ", "140.0", "midazolam", 5.4, 60, 90),
    ],
)
def test_a_kit_is_prepared_by_weight_up_to_the_cap_with_the_same_volume_in_both_arms(
    closed_door: ClosedDoor, study: Study, allocations: list[Allocation],
    arm: str, weight: str, drug: str, dose: float, volume: float, rate: float,
):  # fmt: skip
    kit = one_of_each(study, allocations)[arm]
    token = closed_door.token(closed_door.account(study, "pharmacist"))
    given = {"kit": kit.kit_number, "weight_kg": weight}
    with django_as("unblinded"):
        answer = closed_door.client.post("/api/v1/kits/", given, headers=token).json()
    assert answer["drug"] == drug
    assert (answer["dose_mg"], answer["volume_ml"]) == pytest.approx((dose, volume))
    assert answer["rate_ml_h"] == pytest.approx(rate, abs=0.051)
    assert (answer["capped_at_mg"] is not None) == (weight == "140.0")


def test_preparing_a_kit_is_logged_twice_and_never_with_the_arm(
    closed_door: ClosedDoor, study: Study, allocations: list[Allocation], as_role: Callable[[str], psycopg.Connection]
):
    kit = allocations[0]
    closed_door.account(study, "pharmacist")
    closed_door.sign_in("pharmacist")
    answer = closed_door.post("/kits/", {"label": kit.participant.identifier, "weight_kg": "80"})
    assert answer.status_code == 200
    assert kit.kit_number in answer.content.decode()
    assert closed_door.trail()[-1] == ("pharmacist", f"kit {kit.kit_number} prepared")
    read = as_role("unblinded").execute("SELECT * FROM audit.arm_read ORDER BY id").fetchall()[-1]
    assert "kit preparation" in read
    assert "pharmacist" in read
    assert not {"KET", "MDZ"} & {str(value) for value in read}


def test_without_a_weight_the_newest_on_record_is_taken_and_named(
    closed_door: ClosedDoor, study: Study, allocations: list[Allocation]
):
    closed_door.account(study, "pharmacist")
    closed_door.sign_in("pharmacist")
    kit = allocations[0]
    assert b"No weight is on record" in closed_door.post("/kits/", {"label": kit.kit_number}).content
    with acting(PERSON, "set up"), transaction.atomic():
        for number, record in ((80.5, 1), (82.5, 2)):
            Finding.objects.create(
                participant=kit.participant, key="weight_kg", number=number,
                source_kind="form", source_record=record, source_field="vitals",
            )  # fmt: skip
    assert b"82.5 kg, screening" in closed_door.post("/kits/", {"label": kit.kit_number}).content


@pytest.mark.parametrize(
    ("label", "weight", "said"),
    [
        ("K-nobody", "80", "is neither a kit nor a randomised participant of KALM"),
        (None, "30", "A weight of 30 kg is outside"),
        (None, "heavy", "Enter a number"),
    ],
)
def test_what_cannot_be_prepared_is_said_and_no_arm_is_read(
    closed_door: ClosedDoor, study: Study, allocations: list[Allocation], label: str | None, weight: str, said: str,
    as_role: Callable[[str], psycopg.Connection],
):  # fmt: skip
    closed_door.account(study, "pharmacist")
    closed_door.sign_in("pharmacist")
    given = {"label": label or allocations[0].kit_number, "weight_kg": weight}
    answer = closed_door.post("/kits/", given)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert as_role("unblinded").execute("SELECT count(*) FROM audit.arm_read").fetchone() == (0,)


@pytest.mark.parametrize("role", ["dsmb_member", "unblinded_statistician"])
def test_kits_are_for_the_pharmacist(closed_door: ClosedDoor, study: Study, allocations: list[Allocation], role: str):
    token = closed_door.token(closed_door.account(study, role))
    closed_door.sign_in(role)
    assert closed_door.get("/kits/").status_code == 403
    given = {"kit": allocations[0].kit_number, "weight_kg": Decimal(80)}
    with django_as("unblinded"):
        assert closed_door.client.post("/api/v1/kits/", given, headers=token).status_code == 403


def test_a_protocol_text_edited_at_the_open_side_prepares_no_kit_and_reads_no_arm(
    closed_door: ClosedDoor, study: Study, allocations: list[Allocation], as_role: Callable[[str], psycopg.Connection]
):
    closed_door.account(study, "pharmacist")
    closed_door.sign_in("pharmacist")
    given = {"label": allocations[0].kit_number, "weight_kg": "80"}
    approved = study.protocol_versions.get().source
    stronger = approved.replace("dose_mg_per_kg: 0.5", "dose_mg_per_kg: 5")
    assert stronger != approved
    for text, status, said in (
        (stronger, 422, "was changed at the open side"),
        (approved, 200, allocations[0].kit_number),
    ):
        with django_as("owner"), acting(PERSON, "edited"), transaction.atomic():
            study.protocol_versions.update(source=text)
        answer = closed_door.post("/kits/", given)
        assert (answer.status_code, said in answer.content.decode()) == (status, True)
    read = as_role("unblinded").execute("SELECT count(*) FROM audit.arm_read").fetchone()
    assert read == (1,), "the refused one read nothing"


def test_a_later_version_prepares_kits_once_its_approved_file_is_pinned(
    closed_door: ClosedDoor, study: Study, allocations: list[Allocation], tmp_path: Path
):
    closed_door.account(study, "pharmacist")
    closed_door.sign_in("pharmacist")
    text = study.protocol_versions.get().source.replace('version: "1.0"', 'version: "1.1"', 1)
    later = load_protocol(PERSON, text=text, source="kalm-1.1.yaml")
    with acting(PERSON, "re-consented"), transaction.atomic():
        Participant.objects.update(protocol_version=later)
    given = {"label": allocations[0].kit_number, "weight_kg": "80"}
    assert b"is not pinned at the unblinded side" in closed_door.post("/kits/", given).content
    (tmp_path / "kalm-1.1.yaml").write_text(text)
    with pytest.raises(CommandError, match="Only the unblinded side"):
        call_command("pin_protocol", tmp_path / "kalm-1.1.yaml")
    with django_as("unblinded"):
        call_command("pin_protocol", tmp_path / "kalm-1.1.yaml")
        (tmp_path / "kalm-1.1.yaml").write_text(text + "# edited\n")
        with pytest.raises(CommandError, match="Another text of this version has been pinned"):
            call_command("pin_protocol", tmp_path / "kalm-1.1.yaml")
    assert closed_door.post("/kits/", given).status_code == 200
