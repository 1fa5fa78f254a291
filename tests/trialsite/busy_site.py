"""A site in the middle of KALM, entered through the verbs: every page has something to show, every list a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.test import Client

from outcomes.instrument_versions import load_instruments
from outcomes.models import Device, Response
from outcomes.qst_devices import register_device
from outcomes.qst_sessions import ConditioningEntry, SessionEntry, TrialEntry, save_session
from outcomes.responses import ResponseEntry, correct_response, save_response, save_responses
from studies import adverse_events, infusions, intercurrent_events, readings, visits
from studies.acting import acting
from studies.models import Participant, ProtocolVersion, Role, Site, Study, User
from studies.protocol.infusion_arithmetic import Segment
from studies.randomisation_desk import randomise
from tests import factories
from tests.conftest import django_as

AT_BERLIN = (Role.COORDINATOR, Role.INVESTIGATOR, Role.INFUSION_NURSE, Role.EFFICACY_RATER)
EVERYWHERE = (Role.DATA_MANAGER, Role.MONITOR, Role.STATISTICIAN, Role.AUDITOR, Role.ADMINISTRATOR)
FORMULA = '=HYPERLINK("http://example.org","nausea")'
# Values that stand nowhere else: whoever must not see side effects must not meet them.
CADSS_TOTAL, PRESSURE = 67, 173
AT_REST = {"sbp": Decimal(120), "dbp": Decimal(75)}
CPM = {"before": 300.0, "during": 360.0}
KNOWN_VALUES = {
    "phq9": {str(n): 1.0 for n in range(1, 10)},
    "cadss23": {str(n): 3.0 for n in range(1, 23)} | {"23": 1.0},
}
AE = adverse_events.AdverseEventEntry(FORMULA, "2026-03", 2, "possible", "recovered", serious=False)


@dataclass
class BusySite:
    """Two sites of a running study; `first` is a participant of Berlin who has had the infusion."""

    version: ProtocolVersion
    people: dict[str, User] = field(default_factory=dict)
    participants: list[Participant] = field(default_factory=list)
    stranger: Participant | None = None  # of Edinburgh

    @property
    def study(self) -> Study:
        return self.version.study

    @property
    def first(self) -> Participant:
        return self.participants[0]

    def site(self, code: str = "BER") -> Site:
        return self.study.sites.get(code=code)

    def as_(self, person: str) -> Client:
        """A browser signed in as somebody, known by role; "outsider" coordinates Edinburgh."""
        client = Client()
        client.force_login(self.people[person], backend="django.contrib.auth.backends.ModelBackend")
        return client

    def add(self, count: int) -> None:
        """More participants of Berlin, each with all that the first one has."""
        made = factories.Participants(self.version, self.people["investigator"], made=len(self.participants))
        for _ in range(count):
            participant = made.ready(self.site())
            factories.with_visits(participant)
            self._conduct(participant)
            self.participants.append(participant)

    def waiting(self) -> Participant:
        """One more participant of Berlin, randomised, in the infusion unit."""
        participant = factories.Participants(self.version, self.people["investigator"], made=500).ready(self.site())
        factories.with_visits(participant)
        visits.schedule_infusion(self.people["coordinator"], participant=participant, on=datetime.now(UTC).date())
        randomise(self.people["coordinator"], participant=participant)
        return participant

    def _conduct(self, participant: Participant) -> None:
        cora, nora = self.people["coordinator"], self.people["infusion_nurse"]
        started = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=9)
        visits.schedule_infusion(cora, participant=participant, on=started.date())
        randomise(cora, participant=participant)
        kit = participant.allocation.kit_number
        before = [readings.ReadingEntry(-15, key, started, value) for key, value in AT_REST.items()]
        readings.record_readings(nora, participant=participant, readings=before)
        infusion = infusions.start_infusion(
            nora, participant=participant, weight_kg=Decimal("71.5"), started_at=started, kit_number=kit
        )
        reading = readings.ReadingEntry(15, "sbp", started, Decimal(PRESSURE))
        readings.record_readings(nora, participant=participant, readings=[reading])
        ended = started + timedelta(minutes=40)
        whole = [Segment(Decimal(0), Decimal(40), infusion.planned_rate_ml_h)]
        infusions.end_infusion(nora, infusion=infusion, ended_at=ended, segments=whole)
        self._measure(participant, started)
        adverse_events.report(cora, participant=participant, entry=AE)
        today = visits.site_day(participant, datetime.now(UTC))
        rescue = intercurrent_events.IntercurrentEventEntry("ICE-2", today, "Paracetamol 4 g", "diary")
        intercurrent_events.record(cora, participant=participant, entry=rescue)

    def _measure(self, participant: Participant, at: datetime) -> None:
        cora, nora = self.people["coordinator"], self.people["infusion_nurse"]
        of = {visit.code: visit for visit in participant.visits.all()}
        low_mood = KNOWN_VALUES["phq9"] | {"9": 1.0}  # calls the physician
        entries = [ResponseEntry(participant, "phq9", low_mood, at, visit=of[code]) for code in ("SCR", "BL")]
        entries += [
            ResponseEntry(participant, "diary_daily", {"average": 6, "worst": 8}, at, day=(at - timedelta(d)).date())
            for d in range(1, 4)
        ]
        kept = save_responses(cora, entries=entries)
        correct_response(cora, response=Response.objects.get(pk=kept[0]), items={"1": 2.0}, reason="misread")
        unit = ResponseEntry(participant, "cadss23", KNOWN_VALUES["cadss23"], at, visit=of["D0"], minute=40)
        save_response(nora, entry=unit)
        trials = [TrialEntry("test", "HPT", number, 44.0) for number in (1, 2, 3)]
        trials += [TrialEntry("test", "CPM", 1, value, direction) for direction, value in CPM.items()]
        session = SessionEntry(
            participant,
            of["BL"],
            at,
            "coordinator",
            "foot",
            trials,
            devices=list(Device.objects.filter(site=participant.site)),
            conditioning=ConditioningEntry("ppt", "parallel", "cold_pressor"),
        )
        save_session(cora, entry=session)


def make_busy_site(count: int = 2) -> BusySite:
    """KALM with `count` participants in Berlin and one, in screening, in Edinburgh."""
    load_instruments(factories.SETTING_UP)
    busy = BusySite(factories.kalm())
    factories.make_list(busy.study, django_as)
    berlin, edinburgh = busy.site("BER"), busy.site("EDI")
    for role in (*AT_BERLIN, *EVERYWHERE):
        busy.people[role] = factories.person(role, busy.study, role, berlin if role in AT_BERLIN else None)
    busy.people["outsider"] = factories.person("outsider", busy.study, Role.COORDINATOR, edinburgh)
    with acting(factories.SETTING_UP, "set up"):
        User.objects.filter(username=Role.ADMINISTRATOR).update(is_superuser=True)
    register_device(busy.people["coordinator"], site=berlin, kind="thermode", name="TSA-II", serial="4711")
    busy.add(count)
    busy.stranger = factories.Participants(busy.version, busy.people["outsider"], made=900).ready(edinburgh)
    factories.with_visits(busy.stranger)
    return busy
