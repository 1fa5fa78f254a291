"""The list is made at the unblinded side, from a protocol that the open side keeps."""

from __future__ import annotations

import hashlib

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from studies.acting import acting
from studies.models import ProtocolVersion
from tests import factories
from tests.conftest import django_as

pytestmark = pytest.mark.django_db(transaction=True)


def made(capsys: pytest.CaptureFixture[str]) -> str:
    with django_as("unblinded"):
        call_command("make_list", "KALM")
    return capsys.readouterr().out


def test_who_makes_a_list_is_told_what_it_was_made_from(version: ProtocolVersion, capsys):
    told = made(capsys)
    assert "KET 1, MDZ 1, blocks of 4, 6, from protocol 1.0" in told
    assert hashlib.sha256(factories.PROTOCOLS.joinpath("kalm-1.0.yaml").read_bytes()).hexdigest() in told


def test_a_protocol_that_the_owner_of_the_database_changed_is_told_by_its_hash(version: ProtocolVersion, capsys):
    """A ratio of 9 to 1 written into it would tell nine arms of ten; the row may still claim the old hash."""
    changed = version.source.replace("ratio: 1", "ratio: 9", 1)
    with django_as("owner"), acting(factories.SETTING_UP, "forged"), transaction.atomic():
        ProtocolVersion.objects.filter(pk=version.pk).update(source=changed + "\n# forged")
    told = made(capsys)
    assert version.sha256 not in told
    assert hashlib.sha256((changed + "\n# forged").encode()).hexdigest() in told


def test_a_study_gets_one_list(version: ProtocolVersion, capsys):
    made(capsys)
    with pytest.raises(CommandError, match="already"):
        made(capsys)


def test_the_open_side_makes_no_list(version: ProtocolVersion):
    with pytest.raises(CommandError, match="unblinded side"):
        call_command("make_list", "KALM")
