"""People and their roles: who may work where. For the system administrator."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone

from studies.acting import verb
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import Membership, Role, Site, Study, User
from studies.permissions import administered_studies, may_administer, require


@verb(because="account made")
def make_account(user: User, *, study: Study, username: str, name: str, password: str, email: str = "") -> User:
    """Make an account of the open door, without any role yet. Raises NotAllowed, InvalidEntry, AlreadyDone.

    email: where alerts are sent; without one they stand on Today only.
    """
    require(may_administer(user, study), "make accounts")
    if User.objects.filter(username__iexact=username).exists():
        raise AlreadyDone(f"There is an account {username} already; user names are never used again.")
    try:
        validate_password(password)
    except ValidationError as error:
        raise InvalidEntry(" ".join(error.messages), field="password") from error
    if email:
        _refuse_bad_address(email)
    first, _, last = name.strip().partition(" ")
    names = {"first_name": first, "last_name": last}
    return User.objects.create_user(username, email=email, password=password, is_staff=True, **names)


@verb(because="e-mail address given")
def give_address(user: User, *, person: User, email: str) -> User:
    """Say where somebody's alerts are sent. Raises NotAllowed, InvalidEntry.

    Addresses are no record of the trial: they are not in the audit trail.
    """
    own = Membership.objects.filter(user=person, study__in=administered_studies(user), ended_at__isnull=True)
    require(own.exists(), "give this person an e-mail address")
    _refuse_bad_address(email)
    person.email = email
    person.save(update_fields=["email"])
    return person


def _refuse_bad_address(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        raise InvalidEntry(f"{email!r} is no e-mail address. Write it as name@example.org.", field="email") from error


@verb(because="role given")
def give_role(user: User, *, person: User, study: Study, site: Site | None, role: str) -> Membership:
    """Give a person a role at one site, or (site None) at all of them. Raises NotAllowed, InvalidEntry, AlreadyDone.

    Nobody gives one to himself: whoever administers sees no data, and would by one line.
    """
    require(may_administer(user, study), "give roles")
    require(person != user, "give a role to yourself: somebody else who administers does")
    if role not in Role.values:
        raise InvalidEntry(f"There is no role {role}.", field="role")
    if site is not None and site.study_id != study.pk:
        raise InvalidEntry(f"{site} does not belong to {study}.", field="site")
    if Membership.objects.filter(user=person, study=study, site=site, role=role, ended_at__isnull=True).exists():
        raise AlreadyDone(f"{person.username} holds this role there already.")
    return Membership.objects.create(user=person, study=study, site=site, role=role)


@verb(because="role ended")
def end_role(user: User, *, membership: Membership, reason: str) -> Membership:
    """End a role. What the person did stays, under their name. Raises NotAllowed, InvalidEntry, AlreadyDone."""
    require(may_administer(user, membership.study), "end roles")
    if not reason.strip():
        raise InvalidEntry("Say why the role ends.", field="reason")
    if membership.ended_at:
        raise AlreadyDone("This role has ended already.")
    membership.ended_at = timezone.now()
    membership.save(update_fields=["ended_at"])
    return membership
