"""What is to be filled in: the forms of each visit, in the order of the paper, and how far each one is.

Works on many participants at once: the number of queries does not grow with them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from outcomes.arm_revealing import revealing_of
from outcomes.models import QSTSession, Response
from outcomes.scoring import load_instrument
from studies.models import EligibilityDecision, Infusion, Participant, Visit
from studies.protocol.schedule import DueAssessment


class State(StrEnum):
    """How far a form is. The words are those of the pages."""

    NOT_DUE = "not_due"
    DUE = "due"
    OVERDUE = "overdue"
    PARTIAL = "partial"
    COMPLETE = "complete"
    NOT_DONE = "not_done"

    @property
    def word(self) -> str:
        return _WORDS[self]


_WORDS = {
    State.NOT_DUE: "Not due",
    State.DUE: "Due",
    State.OVERDUE: "Overdue",
    State.PARTIAL: "Incomplete",
    State.COMPLETE: "Complete",
    State.NOT_DONE: "Not done",
}

# Forms that have pages of their own; the others are entered elsewhere or come with later versions.
FORM_LABELS = {
    "consent": "Consent",
    "demography": "Demography",
    "medical_history": "Medical history",
    "eligibility": "Eligibility",
    "pain_classification": "Pain classification",
    "vitals": "Vital signs",
    "laboratory": "Laboratory",
    "randomisation": "Randomisation",
    "qst": "Quantitative sensory testing",
    "infusion": "Infusion",
    "adverse_events": "Adverse events",
}
# What the site finds out once, at screening; later examinations come with later versions.
ONCE = ("medical_history", "vitals", "laboratory", "pain_classification", "consent", "demography", "eligibility")
# An overdue form is one whose visit closed this long ago: entry from paper takes a moment.
GRACE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Form:
    """One form of one visit. `slug` names it in addresses of pages; `arm_revealing` ones are the infusion unit's."""

    visit: Visit
    assessment: DueAssessment
    label: str
    state: State
    arm_revealing: bool = False
    response_id: int | None = None

    @property
    def slug(self) -> str:
        parts = [self.assessment.key, self.assessment.minute, self.assessment.asked_of]
        return "~".join(str(part) for part in parts if part is not None)


def forms_of(participants: Sequence[Participant], *, now: datetime) -> list[tuple[Visit, list[Form]]]:
    """Every visit of the participants with its forms, in the order of the paper."""
    saved = _Saved(participants)
    return [(visit, _forms_of_visit(visit, saved, now)) for visit in saved.visits]


def _forms_of_visit(visit: Visit, saved: _Saved, now: datetime) -> list[Form]:
    definition = saved.participants[visit.participant_id].protocol_version.definition
    forms = (_form(visit, assessment, saved, now) for assessment in definition.due_assessments(visit.code))
    return [form for form in forms if form is not None]


class _SavedResponse(NamedTuple):
    pk: int
    status: str


class _Saved:
    """What is saved of the participants, read in a handful of queries."""

    def __init__(self, participants: Sequence[Participant]) -> None:
        keys = [p.pk for p in participants]
        self.participants = {p.pk: p for p in participants}
        self.visits = list(Visit.objects.filter(participant__in=keys).order_by("participant", "position"))
        for visit in self.visits:
            visit.participant = self.participants[visit.participant_id]
        # Thousands of responses on a page of participants: their states, not the rows as objects.
        rows = Response.objects.filter(participant__in=keys, visit__isnull=False)
        self.responses = {
            (visit, key, minute, respondent): _SavedResponse(pk, status)
            for visit, key, minute, respondent, pk, status in rows.values_list(
                "visit_id", "instrument__key", "minute", "respondent", "pk", "status"
            )
        }
        self.qst = set(QSTSession.objects.filter(participant__in=keys).values_list("visit_id", flat=True))
        self.infusions = dict(Infusion.objects.filter(participant__in=keys).values_list("visit_id", "ended_at"))
        self.decided = set(
            EligibilityDecision.objects.filter(participant__in=keys).values_list("participant_id", flat=True)
        )
        self.consented: set[int] = set(
            Participant.objects.filter(pk__in=keys, consents__isnull=False).values_list("pk", flat=True)
        )
        self.findings: dict[int, set[str]] = defaultdict(set)
        entered = Participant.objects.filter(pk__in=keys, findings__source_kind="form")
        for pk, form in entered.values_list("pk", "findings__source_field").distinct():
            self.findings[pk].add(form)


def _form(visit: Visit, assessment: DueAssessment, saved: _Saved, now: datetime) -> Form | None:
    revealing = revealing_of(saved.participants[visit.participant_id])
    if assessment.kind == "form":
        label = FORM_LABELS.get(assessment.key)
        if label is None or (assessment.key in ONCE and visit.position > 1):
            return None
        state, telling = _form_state(visit, assessment.key, saved, now), revealing.tells("form", form=assessment.key)
        return Form(visit, assessment, label, state, telling)
    instrument = load_instrument(assessment.key)
    response = saved.responses.get((visit.pk, assessment.key, assessment.minute, assessment.asked_of or ""))
    state = _response_state(response) if response else _open_state(visit, saved, now)
    return Form(
        visit,
        assessment,
        _label(instrument.name, assessment),
        state,
        revealing.tells("response", instrument=assessment.key),
        response.pk if response else None,
    )


def _label(name: str, assessment: DueAssessment) -> str:
    label = name
    if assessment.minute is not None:
        label += f", {assessment.minute} min"
    if assessment.asked_of:
        label += f" ({assessment.asked_of.replace('_', ' ')})"
    return label


def _response_state(response: _SavedResponse) -> State:
    if response.status in (Response.Status.NOT_DONE, Response.Status.REFUSED):
        return State.NOT_DONE
    return State.COMPLETE if response.status == Response.Status.COMPLETE else State.PARTIAL


def _form_state(visit: Visit, form: str, saved: _Saved, now: datetime) -> State:
    participant = saved.participants[visit.participant_id]
    done = {
        "qst": visit.pk in saved.qst,
        "infusion": saved.infusions.get(visit.pk) is not None,
        "eligibility": participant.pk in saved.decided,
        "consent": participant.pk in saved.consented,
        "demography": True,
        "randomisation": participant.status not in ("screening", "screen_failure"),
        "adverse_events": visit.status == Visit.Status.DONE,
    }.get(form, form in saved.findings[participant.pk])
    return State.COMPLETE if done else _open_state(visit, saved, now)


def _open_state(visit: Visit, saved: _Saved, now: datetime) -> State:
    participant = saved.participants[visit.participant_id]
    if visit.status == Visit.Status.MISSED:
        return State.NOT_DONE
    if participant.status in (Participant.Status.SCREEN_FAILURE, Participant.Status.WITHDRAWN):
        return State.NOT_DUE
    if visit.closes_at and visit.closes_at + GRACE < now:
        return State.OVERDUE
    if visit.status == Visit.Status.DONE or (visit.opens_at and visit.opens_at <= now):
        return State.DUE
    # Screening has no window before the infusion is planned: its forms are due from enrolment.
    return State.DUE if visit.position == 1 else State.NOT_DUE


def visit_state(visit: Visit, forms: Iterable[Form]) -> str:
    """The state of a visit for the grid and the line: done, missed, out, open, overdue, planned, never."""
    if visit.status == Visit.Status.MISSED:
        return "missed"
    states = {form.state for form in forms}
    if visit.status == Visit.Status.DONE:
        if states & {State.DUE, State.OVERDUE}:
            return "partial"
        return "out" if visit.out_of_window else "done"
    if State.OVERDUE in states:
        return "overdue"
    if visit.participant.status in (Participant.Status.SCREEN_FAILURE, Participant.Status.WITHDRAWN):
        return "never"
    return "open" if State.DUE in states else "planned"
