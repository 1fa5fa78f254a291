"""The staff that a simulated trial is entered by: one of each role at every site."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from studies.acting import Program, acting
from studies.models import Membership, Role, Site, User


@dataclass(frozen=True, slots=True)
class Staff:
    """Who enters what at one site."""

    coordinator: User
    investigator: User
    nurse: User
    rater: User


def staff_of(site: Site) -> Staff:
    """The site's simulated staff, made where they are missing. Nobody can sign in as one of them."""
    with acting(Program("simulate_trial"), "staff of a simulated site"), transaction.atomic():
        people = [
            _person(site, role)
            for role in (Role.COORDINATOR, Role.INVESTIGATOR, Role.INFUSION_NURSE, Role.EFFICACY_RATER)
        ]
    return Staff(*people)


def _person(site: Site, role: Role) -> User:
    username = f"{site.code.lower()}.{role.value.replace('_', '.')}"
    user, new = User.objects.get_or_create(
        username=username, defaults={"first_name": role.label, "last_name": site.name, "is_staff": True}
    )
    if new:
        user.set_unusable_password()
        user.save()
    Membership.objects.get_or_create(user=user, study_id=site.study_id, site=site, role=role)
    return user
