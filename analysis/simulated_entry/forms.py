"""Simulated forms, diaries and QST sessions as entries of the verbs, grouped as people would enter them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from analysis.simulation import records
from outcomes import qst_sessions, responses
from outcomes.arm_revealing import revealing_of
from studies import alerts
from studies.acting import acting
from studies.models import Participant, Visit

from .people import Staff

ROLE_NAMES = {"participant": "participant", "nurse": "infusion_nurse", "rater": "efficacy_rater"}
GUESS_CODES = {"active": 1, "control": 2, "unknown": 3}
REASON_CODES = {"benefit": 1, "side_effects": 2, "nothing": 3, "other": 4}


class Entering:
    """One participant being entered: times after `until` are not entered, for they have not come yet."""

    def __init__(self, participant: Participant, staff: Staff, until: datetime) -> None:
        self.participant = participant
        self.staff = staff
        self.until = until
        self.visits: Mapping[str, Visit] = {visit.code: visit for visit in participant.visits.all()}
        for visit in self.visits.values():
            visit.participant = participant

    def forms(self, forms: Iterable[records.FormRecord], visit: str) -> None:
        """The forms of a visit, by who enters them: what tells the arm stays with the infusion nurse."""
        due = [form for form in forms if form.visit == visit and form.entered_at <= self.until]
        telling = revealing_of(self.participant).instruments
        for revealing, group in _split(due, lambda form: form.instrument in telling):
            user = self.staff.nurse if revealing else self.staff.coordinator
            entries = [self._entry(form) for form in group]
            with acting(user, entered_at=max(form.entered_at for form in group)):
                responses.save_responses(user, entries=entries)

    def acknowledge_alerts(self) -> None:
        """The physician sees every alert three hours after it was raised."""
        physician = self.staff.investigator
        for alert in self.participant.safety_alerts.filter(acknowledged_at__isnull=True):
            seen_at = alert.raised_at + timedelta(hours=3)
            if seen_at <= self.until:
                with acting(physician, entered_at=seen_at):
                    alerts.acknowledge(physician, alert=alert, action_taken="Seen the participant; no acute risk")

    def _entry(self, form: records.FormRecord) -> responses.ResponseEntry:
        return responses.ResponseEntry(
            participant=self.participant,
            instrument=form.instrument,
            visit=self.visits[form.visit],
            minute=form.minute,
            items=form.values,
            missing=form.missing,
            completed_at=form.completed_at,
            source=form.source,
        )

    def diary(self, entries: Iterable[records.DiaryRecord]) -> None:
        """The diary, week by week."""
        known = [entry for entry in entries if entry.entered_at <= self.until]
        for _, week in groupby(known, lambda entry: entry.day // 7):
            days = list(week)
            user = self.staff.coordinator
            with acting(user, entered_at=max(day.entered_at for day in days)):
                responses.save_responses(user, entries=[self._diary_entry(day) for day in days])

    def first_day_rating(self, entries: Iterable[records.DiaryRecord], visit: str) -> None:
        """Average pain of the first 24 hours, asked once at the visit: what the diary says of that day."""
        entry = next((e for e in entries if e.day == 1 and e.entered_at <= self.until), None)
        asked = self.visits[visit].started_at
        if entry is None or asked is None:
            return
        rating = responses.ResponseEntry(
            participant=self.participant,
            instrument="nrs_avg24",
            visit=self.visits[visit],
            items={"1": entry.average},
            completed_at=asked,
        )
        with acting(self.staff.coordinator, entered_at=asked):
            responses.save_responses(self.staff.coordinator, entries=[rating])

    def _diary_entry(self, entry: records.DiaryRecord) -> responses.ResponseEntry:
        names = ("average", "worst", "least", "sleep", "rescue_doses")
        return responses.ResponseEntry(
            participant=self.participant,
            instrument="diary_daily",
            day=entry.on,
            items={name: getattr(entry, name) for name in names},
            completed_at=entry.entered_at,
            source="participant",
        )

    def qst(self, sessions: Sequence[records.QstSession], visit: str) -> None:
        """Test and control area of a visit are one session."""
        areas = [s for s in sessions if s.visit == visit and s.entered_at <= self.until]
        if not areas:
            return
        test = next((s for s in areas if s.role == "test"), areas[0])
        control = next((s for s in areas if s.role == "control"), None)
        entry = qst_sessions.SessionEntry(
            participant=self.participant,
            visit=self.visits[visit],
            tested_at=test.started_at,
            tester=self.staff.rater.username,
            test_area=test.area,
            test_side=test.side,
            control_area=control.area if control else "",
            control_side=control.side if control else "",
            room_temperature_c=Decimal(str(test.room_celsius)),
            skin_temperature_c=Decimal(str(test.skin_celsius)),
            trials=[trial for session in areas for trial in _trials(session)] + _cpm_trials(test.cpm),
            conditioning=_conditioning(test.cpm),
        )
        with acting(self.staff.rater, entered_at=test.entered_at):
            qst_sessions.save_session(self.staff.rater, entry=entry)

    def guesses(self, guesses: Iterable[records.Guess], visit: str, at: datetime) -> None:
        """What participant, nurse and rater believe was given."""
        entries = [
            responses.ResponseEntry(
                participant=self.participant,
                instrument="treatment_guess",
                visit=self.visits[visit],
                minute=guess.minute,
                respondent=ROLE_NAMES[guess.who],
                items={
                    "guess": GUESS_CODES[guess.guess],
                    "confidence": guess.confidence,
                    "reason": REASON_CODES[guess.reason],
                },
                completed_at=at,
            )
            for guess in guesses
            if guess.visit == visit
        ]
        if entries and at <= self.until:
            with acting(self.staff.coordinator, entered_at=at):
                responses.save_responses(self.staff.coordinator, entries=entries)

    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.participant.site.time_zone)


def _split(
    forms: Sequence[records.FormRecord], key: Callable[[records.FormRecord], bool]
) -> Iterator[tuple[bool, list[records.FormRecord]]]:
    for value in (False, True):
        group = [form for form in forms if key(form) is value]
        if group:
            yield value, group


def _trials(session: records.QstSession) -> Iterator[qst_sessions.TrialEntry]:
    """The trials, counted anew within each direction, force or brush, as the session's form counts them."""
    counts: Counter[tuple[str, str]] = Counter()
    for trial in session.trials:
        counts[trial.parameter, trial.direction] += 1
        yield qst_sessions.TrialEntry(
            area=session.role,
            parameter=trial.parameter,
            trial=counts[trial.parameter, trial.direction],
            direction=trial.direction,
            value=trial.value,
            cutoff=trial.cutoff,
        )


def _cpm_trials(cpm: records.CpmRecord | None) -> list[qst_sessions.TrialEntry]:
    """Pressure pain thresholds before and during the cold bath."""
    readings = (("before", cpm.before), ("during", cpm.during)) if cpm else ()
    return [
        qst_sessions.TrialEntry("test", "CPM", trial, value, direction)
        for direction, values in readings
        for trial, value in enumerate(values, 1)
    ]


def _conditioning(cpm: records.CpmRecord | None) -> qst_sessions.ConditioningEntry | None:
    if cpm is None:
        return None
    bath = Decimal(str(cpm.bath_celsius))
    return qst_sessions.ConditioningEntry("ppt", "parallel", "cold_pressor", bath, cpm.bath_seconds)
