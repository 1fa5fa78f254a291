"""A plan is registered only while the protocol that it belongs to is the one that the unblinded side goes by."""

from __future__ import annotations

import pytest
from django.db import transaction

from analysis.closed_store import is_registered, register_plan
from analysis.plans import freeze_plan
from studies.acting import Program, acting
from studies.models import ProtocolVersion
from studies.pinned_protocols import ProtocolChanged
from tests import factories
from tests.conftest import django_as

pytestmark = pytest.mark.django_db(transaction=True)
PERSON = Program("test")


def test_a_plan_is_not_registered_under_a_protocol_text_that_its_owner_edited():
    version = factories.kalm()
    plan = freeze_plan(PERSON, protocol_version=version)
    with django_as("unblinded"), pytest.raises(ProtocolChanged, match="is not pinned"):
        register_plan(PERSON, plan=plan)
    factories.make_list(version.study, django_as)
    with django_as("owner"), acting(PERSON, "edited"), transaction.atomic():
        ProtocolVersion.objects.update(source=version.source.replace("label: Ketamine", "label: Saline"))
    plan = version.study.plans.select_related("protocol_version").get()
    assert plan.protocol_version.source != version.source
    with django_as("unblinded"):
        with pytest.raises(ProtocolChanged, match="changed at the open side"):
            register_plan(PERSON, plan=plan)
        assert not is_registered(plan)
    with django_as("owner"), acting(PERSON, "put back"), transaction.atomic():
        ProtocolVersion.objects.update(source=version.source)
    with django_as("unblinded"):
        assert register_plan(PERSON, plan=version.study.plans.select_related("protocol_version").get())
