"""A participant of Berlin who keeps the diary: consent signed, infusion planned for today, an address to write to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from outcomes import door_keys
from outcomes.instrument_versions import load_instruments
from outcomes.invitations import Askable, askable, invite, make_link
from outcomes.models import DoorKey, Invitation, OwnAnswer
from outcomes.self_completion import GivenAnswer, as_participant, let_in, save_answers, submit
from studies.acting import acting
from studies.consents import sign_consent
from studies.enrolment import enrol
from studies.models import Membership, Participant, Role, Site, Study, User
from studies.visits import schedule_infusion, site_day
from tests import factories

DIARY = ("average", "worst", "least", "sleep", "rescue_doses")
EMAIL = "p.lindgren@example.org"


@dataclass
class Keeper:
    """The participant and the people of the site; `key` and `say` do what a device does."""

    participant: Participant
    people: dict[str, User] = field(default_factory=dict)

    @property
    def coordinator(self) -> User:
        return self.people[Role.COORDINATOR]

    @property
    def today(self) -> date:
        return site_day(self.participant, timezone.now())

    def diary(self, back: int = 0) -> Askable:
        """The diary of so many days ago, as it may be asked for."""
        wanted = self.today - timedelta(days=back)
        return next(form for form in askable(self.participant, now=timezone.now()) if form.day == wanted)

    def form(self, instrument: str) -> Askable:
        return next(f for f in askable(self.participant, now=timezone.now()) if f.instrument == instrument)

    def invited(self, form: Askable | None = None) -> Invitation:
        return invite(self.coordinator, participant=self.participant, form=form or self.diary())

    def link(self, invitation: Invitation) -> str:
        return make_link(self.coordinator, invitation=invitation)

    def enter(self, invitation: Invitation) -> Invitation:
        """Open the form on a device."""
        now = timezone.now()
        key = door_keys.find(DoorKey.Kind.LINK, self.link(invitation), at=now)
        assert key is not None
        assert let_in(key, at=now)
        invitation.refresh_from_db()
        return invitation

    def say(self, invitation: Invitation, at: datetime | None = None, **answers: float | None) -> list[OwnAnswer]:
        """Answer questions; None is "prefer not to answer". Names of items may begin with `q`, as in q9."""
        given = [
            GivenAnswer(uuid4(), name.removeprefix("q") if name[1:].isdigit() else name, value, reason)
            for name, value in answers.items()
            for reason in [None if value is not None else "refused"]
        ]
        now = at or timezone.now()
        return save_answers(as_participant(self.participant), invitation=invitation, given=given, at=now)

    def send(self, invitation: Invitation, at: datetime | None = None) -> Invitation:
        return submit(as_participant(self.participant), invitation=invitation, at=at or timezone.now())


def make_keeper() -> Keeper:
    """The situation, in a database that holds nothing yet."""
    load_instruments(factories.SETTING_UP)
    version = factories.kalm()
    site = version.study.sites.get(code="BER")
    at_site = (Role.COORDINATOR, Role.INVESTIGATOR, Role.EFFICACY_RATER)
    people: dict[str, User] = {role: _member(role, version.study, site) for role in at_site}
    people |= {role: _member(role, version.study, None) for role in (Role.DATA_MANAGER, Role.MONITOR)}
    cora = people[Role.COORDINATOR]
    person = enrol(cora, site=site, sex="F", birth="1974", contact={"email": EMAIL, "name": "Petra Lindgren"})
    signed_at = timezone.now() - timedelta(days=20)
    sign_consent(cora, participant=person, version="1.0", signed_at=signed_at)
    schedule_infusion(cora, participant=person, on=site_day(person, timezone.now()))
    return Keeper(person, people)


def _member(role: str, study: Study, site: Site | None) -> User:
    """Somebody with a role and an e-mail address; nobody signs in by password here, which would take a while."""
    with acting(factories.SETTING_UP, "set up"), transaction.atomic():
        user = User.objects.create(username=role, email=f"{role}@example.org", is_staff=True)
        Membership.objects.create(user=user, study=study, site=site, role=role)
    return user
