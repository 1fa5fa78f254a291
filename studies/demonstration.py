"""The people of a demonstration: one for every role, at both doors, all with one password that everybody may know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from studies.acting import Program, acting
from studies.closed_door import create_account
from studies.errors import NotAllowed
from studies.models import ClosedAccount, Installation, Membership, Role, Site, Study, User

PASSWORD = "calm river in winter"  # noqa: S105 - documented, and refused outside demonstrations
PROGRAM = Program("demo_accounts")
Closed = ClosedAccount.Role


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody of the open door. `site`: index among the study's sites; None is the whole study."""

    username: str
    name: str
    role: Role
    site: int | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """What a visitor needs to sign in as somebody, and what that somebody is."""

    username: str
    role: str
    where: str


CONDUCTED = (
    DemoPerson("coordinator", "Cora Lindqvist", Role.COORDINATOR, 0),
    DemoPerson("investigator", "Ivo Brandt", Role.INVESTIGATOR, 0),
    DemoPerson("nurse", "Nadia Okafor", Role.INFUSION_NURSE, 0),
    DemoPerson("rater", "Rafael Costa", Role.EFFICACY_RATER, 0),
    DemoPerson("coordinator2", "Catriona Muir", Role.COORDINATOR, 1),
    DemoPerson("datamanager", "Dana Whitfield", Role.DATA_MANAGER),
    DemoPerson("monitor", "Miro Janssen", Role.MONITOR),
    DemoPerson("statistician", "Stella Moreau", Role.STATISTICIAN),
    DemoPerson("auditor", "Aino Virtanen", Role.AUDITOR),
    DemoPerson("administrator", "Adam Novak", Role.ADMINISTRATOR),
)
# A finished trial is read and analysed; nobody enters anything.
ANALYSTS = frozenset({Role.DATA_MANAGER, Role.STATISTICIAN, Role.AUDITOR})
CLOSED = (
    ("dsmb", "Dorothea Falk", Closed.DSMB_MEMBER),
    ("chair", "Charles Adeyemi", Closed.DSMB_CHAIR),
    ("unblinded", "Umberto Serra", Closed.UNBLINDED_STATISTICIAN),
    ("pharmacist", "Philippa Grant", Closed.PHARMACIST),
)


def require_demonstration() -> None:
    """Raises NotAllowed where the database was not made as a demonstration."""
    if not Installation.objects.filter(demonstration=True).exists():
        raise NotAllowed("This database is not a demonstration: accounts with a known password stay out of it.")


def make_open_accounts(studies: Iterable[Study]) -> list[Login]:
    """Make the people of the open door, where they are missing, with their roles in each study."""
    require_demonstration()
    logins = []
    with acting(PROGRAM, "people of a demonstration"), transaction.atomic():
        for study in studies:
            sites = list(study.sites.order_by("pk"))
            logins += [_member(person, study, _place(person, sites)) for person in _people_of(study, sites)]
    return logins


def make_closed_accounts(studies: Iterable[Study]) -> list[Login]:
    """Make the accounts of the closed door, each for one study; those of a finished trial only read."""
    require_demonstration()
    logins = []
    for study in studies:
        conducted = study.origin == Study.Origin.CONDUCTED
        for username, name, role in CLOSED:
            if conducted or role not in (Closed.PHARMACIST, Closed.DSMB_CHAIR):
                own = username if conducted else f"{username}.{study.code.lower()}"
                account = create_account(study=study, username=own, name=name, role=role, password=PASSWORD)
                logins.append(Login(own, account.get_role_display(), study.code))
    return logins


def block_of(door: str, logins: list[Login]) -> str:
    """The logins of a door as aligned lines, one for each user name."""
    rows: dict[tuple[str, str], list[str]] = {}
    for each in logins:
        rows.setdefault((each.username, each.role), []).append(each.where)
    name, role = (max(len(key[place]) for key in rows) for place in (0, 1))
    lines = [f"    {key[0]:<{name}}   {key[1]:<{role}}   {'; '.join(where)}" for key, where in rows.items()]
    return "\n".join([f"  {door} door, password for all: {PASSWORD}", *lines])


def _people_of(study: Study, sites: list[Site]) -> list[DemoPerson]:
    if study.origin == Study.Origin.IMPORTED:
        return [person for person in CONDUCTED if person.role in ANALYSTS]
    return [person for person in CONDUCTED if person.site is None or person.site < len(sites)]


def _place(person: DemoPerson, sites: list[Site]) -> Site | None:
    return None if person.site is None else sites[person.site]


def _member(person: DemoPerson, study: Study, site: Site | None) -> Login:
    first, _, last = person.name.partition(" ")
    administers = person.role == Role.ADMINISTRATOR
    user, new = User.objects.get_or_create(
        username=person.username,
        defaults={
            "first_name": first,
            "last_name": last,
            "email": f"{person.username}@example.org",
            "is_staff": True,
            "is_superuser": administers,
        },
    )
    if new:
        user.set_password(PASSWORD)
        user.save()
    Membership.objects.get_or_create(user=user, study=study, site=site, role=person.role)
    return Login(person.username, person.role.label, f"{study.code}, {site.name if site else 'all sites'}")
