"""Plans: frozen as text, signed by a person, changed only as a new version; the database keeps all of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import yaml
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.utils import timezone

from analysis import plans
from analysis.canonical import canonical_json, sha256_of
from analysis.looks import order_look
from analysis.models import Plan
from analysis.plan_texts import changed_lines, in_words
from analysis.plan_texts import plan_file as plan_as_file
from studies.acting import Program, acting
from studies.errors import AlreadyDone, InvalidEntry, NotAllowed
from studies.models import ProtocolVersion, Role, Study
from studies.protocol import DocumentInvalid, cached_definition
from studies.protocol.plan_file import load_plan
from tests.analysis.kalm_cut import KALM
from tests.analysis.signing import PASSWORD, signed, statistician
from tests.factories import person
from trialsite.services.connection import database_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("folders", "pushed")]
PROGRAM = Program("test")
PROTOCOLS = Path("studies/protocols")


@pytest.fixture
def version() -> ProtocolVersion:
    """KALM, with nobody in it."""
    return kalm_version()


def kalm_version() -> ProtocolVersion:
    with acting(PROGRAM, "set up"), transaction.atomic():
        study = Study.objects.create(code="SMALL", title="A small trial")
        return ProtocolVersion.objects.create(study=study, version="1.0", source=KALM, sha256="a" * 64)


@pytest.fixture
def frozen(version: ProtocolVersion) -> Plan:
    return plans.freeze_plan(PROGRAM, protocol_version=version)


def plan_file(**changes: Any) -> str:
    """KALM's plan as a file of its own, with other values at the top of it."""
    return yaml.safe_dump({"analysis": yaml.safe_load(KALM)["analysis"] | changes})


def refine(version: ProtocolVersion, **more: Any) -> Plan:
    text = plan_file(version="1.1", subgroups={"model": "primary_mmrm", "factors": ["sex"]})
    return plans.freeze_plan(PROGRAM, protocol_version=version, text=text, **more)


def test_a_plan_is_the_hash_of_its_text_and_freezing_again_changes_nothing(frozen: Plan, version: ProtocolVersion):
    assert frozen.sha256 == hashlib.sha256(frozen.source.encode()).hexdigest()
    assert plans.freeze_plan(PROGRAM, protocol_version=version) == frozen
    assert frozen.signed_at is None


def test_no_look_is_taken_under_a_plan_that_nobody_signed(frozen: Plan, version: ProtocolVersion):
    with pytest.raises(plans.PlanNotSigned, match="A statistician signs it"):
        order_look(PROGRAM, study=version.study, number=1)
    signed(frozen)
    assert order_look(PROGRAM, study=version.study, number=1).plan == frozen


def test_an_imported_study_needs_no_signature_that_came_after_its_results(frozen: Plan, version: ProtocolVersion):
    with acting(PROGRAM, "test"), transaction.atomic():
        Study.objects.update(origin="imported")
    assert order_look(PROGRAM, study=Study.objects.get(), number=1).plan == frozen


def test_a_signature_says_who_and_when_and_takes_the_password_again(frozen: Plan, version: ProtocolVersion):
    signer = statistician(version.study)
    with pytest.raises(InvalidEntry, match="password is not right"):
        plans.sign_plan(signer, plan=frozen, password="not it")
    before = timezone.now()
    plan = plans.sign_plan(signer, plan=frozen, password=PASSWORD)
    assert (plan.signed_by, plan.signed_name) == (signer.username, "Stella")
    assert plan.signed_at is not None
    assert before <= plan.signed_at <= timezone.now()
    about = plans.about_plan(plan)
    assert about["signature"] == {
        "by": signer.username,
        "name": "Stella",
        "at": plan.signed_at.isoformat(),
        "meaning": plans.SIGNATURE_MEANING,
    }
    assert about["sha256"] == plan.sha256
    with pytest.raises(AlreadyDone, match="signed by Stella before"):
        plans.sign_plan(signer, plan=plan, password=PASSWORD)


def test_who_may_only_freeze_does_not_sign(frozen: Plan, version: ProtocolVersion):
    manager = person("manager", version.study, Role.DATA_MANAGER)
    with pytest.raises(NotAllowed, match="sign the analysis plan"):
        plans.sign_plan(manager, plan=frozen, password="correct horse battery")


def test_a_changed_plan_is_a_new_version_with_a_reason_and_shows_what_changed(frozen: Plan, version: ProtocolVersion):
    signed(frozen)
    with pytest.raises(InvalidEntry, match="Say why it changes"):
        refine(version)
    changed = refine(version, reason="the DSMB asked for one subgroup only")
    about = plans.about_plan(changed)
    assert (about["version"], about["change_reason"]) == ("1.1", "the DSMB asked for one subgroup only")
    assert {change["path"]: (change["before"], change["after"]) for change in about["changes"]} == {
        "version": ("1.0", "1.1"),
        "subgroups.factors[0]": ("pain_stratum", "sex"),
        "subgroups.factors[1]": ("site", "(absent)"),
        "subgroups.factors[2]": ("sex", "(absent)"),
    }
    assert plans.about_plan(frozen)["changes"] == []
    with pytest.raises(plans.PlanNotSigned):
        order_look(PROGRAM, study=version.study, number=1)


def test_a_version_that_a_later_one_replaced_is_not_signed(frozen: Plan, version: ProtocolVersion):
    refine(version, reason="one subgroup only")
    with pytest.raises(AlreadyDone, match="Version 1.1 has taken the place"):
        signed(frozen)


def test_a_version_nobody_signed_hides_no_change_from_the_next_one(frozen: Plan, version: ProtocolVersion):
    signed(frozen)
    refine(version, reason="one subgroup only")
    with pytest.raises(InvalidEntry, match=r"Version 1.0.9 does not come after 1.1"):
        plans.freeze_plan(PROGRAM, protocol_version=version, text=plan_file(version="1.0.9"), reason="backwards")
    text = plan_file(version="1.10", safety=["adverse_events"], subgroups={"model": "primary_mmrm", "factors": ["sex"]})
    third = plans.freeze_plan(PROGRAM, protocol_version=version, text=text, reason="fewer tables")
    assert "subgroups.factors[0]" in {change.path for change in plans.changes_of(third)}


def test_what_the_looks_taken_spent_stays_in_every_later_version(frozen: Plan, version: ProtocolVersion):
    signed(frozen)
    order_look(PROGRAM, study=version.study, number=1)
    order_look(PROGRAM, study=version.study, number=0, unplanned_reason="a death")
    looks = yaml.safe_load(KALM)["analysis"]["looks"]
    planned = looks["planned"]
    fourth = {**planned[-1], "number": 4, "information": 160, "clinical_cutoff": "2028-01-01"}
    for change, refusal in (
        ({"alpha": 0.05}, r"looks.alpha was 0.025 and must stay; it is 0.05"),
        ({"spending": "lan_demets_pocock"}, r"looks.spending was 'lan_demets_of'"),
        ({"planned": [{**planned[0], "information": 50}, *planned[1:]]}, "Look 1 was taken and must stay"),
        ({"planned": [*planned, fourth], "maximum_information": 160}, "Number 4 was given to an unplanned look"),
    ):
        with pytest.raises(InvalidEntry, match=refusal):
            plans.freeze_plan(
                PROGRAM, protocol_version=version, text=plan_file(version="1.1", looks=looks | change), reason="why not"
            )
    later = [planned[0], {**planned[1], "information": 100}, *planned[2:]]
    text = plan_file(version="1.1", looks=looks | {"planned": later})
    changed = plans.freeze_plan(PROGRAM, protocol_version=version, text=text, reason="slower than thought")
    assert [str(each) for each in plans.changes_of(changed)] == [  # in the order of the canonical text
        "looks.planned[2].information: 112 became 100",
        "version: '1.0' became '1.1'",
    ]
    [moved, _] = [in_words(each) for each in plans.changes_of(changed)]
    assert (moved.where, moved.before, moved.now) == ("looks, planned 2, information", "112", "100")
    lines = [line.text.strip() for line in changed_lines(frozen, changed) if line.sign in "+-"]
    assert lines == ["version: '1.0'", "version: '1.1'", "information: 112", "information: 100"]


@pytest.mark.parametrize("name", ["kalm", "ashar2022", "vickers2004"])
def test_a_frozen_plan_is_read_as_a_file_that_gives_the_same_plan(name: str):
    protocol = cached_definition((PROTOCOLS / f"{name}-1.0.yaml").read_text())
    source = canonical_json(protocol.analysis.model_dump(mode="json")).decode()
    assert load_plan(plan_as_file(source), protocol, source="sap.yaml") == protocol.analysis


def test_another_text_under_a_frozen_version_is_refused(frozen: Plan, version: ProtocolVersion):
    with pytest.raises(plans.PlanConflict, match="new version number"):
        plans.freeze_plan(PROGRAM, protocol_version=version, text=plan_file(safety=[]))


def test_a_text_frozen_before_the_schema_grew_is_still_the_same_plan(version: ProtocolVersion):
    contents = orjson.loads(plans.plan_source(version))
    assert contents.pop("dsmb_arms") == "named"
    older = canonical_json(contents).decode()
    with acting(PROGRAM, "an earlier version of this system"), transaction.atomic():
        kept = Plan.objects.create(
            study=version.study,
            protocol_version=version,
            version="1.0",
            source=older,
            sha256=sha256_of(older.encode()),
        )
    assert plans.freeze_plan(PROGRAM, protocol_version=version) == kept
    assert Plan.objects.get().source == older


def test_a_plan_file_is_checked_against_its_protocol_with_every_line(version: ProtocolVersion):
    text = plan_file(subgroups={"model": "nothing", "factors": ["shoe_size"]})
    with pytest.raises(InvalidEntry, match="'nothing' is not a model of the plan") as refusal:
        plans.freeze_plan(PROGRAM, protocol_version=version, text=text, source="sap.yaml")
    assert "sap.yaml" in str(refusal.value)
    assert "shoe_size" in str(refusal.value)
    with pytest.raises(DocumentInvalid, match="analysis"):
        load_plan("analyses: {}", version.definition, source="sap.yaml")


@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_to_change_or_delete_a_signed_plan_for_the_owner_too():
    signed(plans.freeze_plan(PROGRAM, protocol_version=kalm_version()))
    changes = ("source = source || ' '", "version = '9'", "change_reason = 'another'", "signed_name = 'Somebody else'")
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"])) as owner:
        for statement in (*(f"UPDATE analysis_plan SET {change}" for change in changes), "DELETE FROM analysis_plan"):
            with pytest.raises(psycopg.Error, match="does not change|is kept") as refusal, owner.transaction():
                owner.execute(
                    "SELECT set_config('trialsite.actor', 'x', true), set_config('trialsite.reason', 'x', true)"
                )
                owner.execute(statement)
            assert refusal.value.sqlstate == "TS004"


def test_the_web_role_may_write_nothing_of_a_plan_but_a_signature(frozen: Plan):
    for statement in ("UPDATE analysis_plan SET source = ''", "DELETE FROM analysis_plan"):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_a_hash_that_is_not_of_its_text_is_refused_by_the_database(version: ProtocolVersion):
    with (
        pytest.raises(IntegrityError, match="plan_hash_is_of_its_text"),
        acting(PROGRAM, "test"),
        transaction.atomic(),
    ):
        Plan.objects.create(study=version.study, protocol_version=version, version="2", source="{}", sha256="0" * 64)


def test_half_a_signature_is_refused_by_the_database(frozen: Plan):
    with (
        pytest.raises(IntegrityError, match="plan_signature_is_whole"),
        acting(PROGRAM, "test"),
        transaction.atomic(),
    ):
        Plan.objects.filter(pk=frozen.pk).update(signed_by="somebody")


def test_the_command_freezes_a_file_and_signs_with_a_password(
    version: ProtocolVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    signer = statistician(version.study)
    call_command("freeze_plan", "SMALL")
    assert "Not signed" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no account nobody"):
        call_command("freeze_plan", "SMALL", "--signed-by", "nobody")
    file = tmp_path / "sap.yaml"
    file.write_text(plan_file(version="1.1"))
    monkeypatch.setenv("TRIALSITE_SIGNING_PASSWORD", "wrong")
    with pytest.raises(CommandError, match="Say why it changes"):
        call_command("freeze_plan", "SMALL", "--file", str(file))
    with pytest.raises(CommandError, match="is of one study"):
        call_command("freeze_plan", "SMALL", "OTHER", "--file", str(file))
    options = ["SMALL", "--file", str(file), "--reason", "a refinement", "--signed-by", signer.username]
    with pytest.raises(CommandError, match="password is not right"):
        call_command("freeze_plan", *options)
    monkeypatch.setenv("TRIALSITE_SIGNING_PASSWORD", PASSWORD)
    call_command("freeze_plan", *options)
    said = capsys.readouterr().out
    assert "version: '1.0' became '1.1'" in said
    assert "Signed by Stella" in said
