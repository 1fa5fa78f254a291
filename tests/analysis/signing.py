"""A plan that a statistician signed: what an ordered look needs."""

from __future__ import annotations

from django.db import transaction

from analysis import plans
from analysis.models import Plan
from studies.acting import Program, acting
from studies.models import Membership, ProtocolVersion, Role, Study, User

PASSWORD = "a long way to the sea"
TEST = Program("test")


def signed_plan(version: ProtocolVersion) -> Plan:
    """The plan of a protocol version, frozen and signed."""
    return signed(plans.freeze_plan(TEST, protocol_version=version))


def signed(plan: Plan) -> Plan:
    return plans.sign_plan(statistician(plan.study), plan=plan, password=PASSWORD)


def statistician(study: Study) -> User:
    """A statistician of the whole study, with a password."""
    with acting(TEST, "set up"), transaction.atomic():
        user = User.objects.filter(username=f"statistician-{study.code}").first()
        if user is None:
            user = User.objects.create_user(f"statistician-{study.code}", password=PASSWORD, first_name="Stella")
            Membership.objects.create(user=user, study=study, role=Role.STATISTICIAN)
    return user
