"""What the simulation hands over: plain frozen records, ready to be entered as people would enter them.

Times are aware and in UTC, days count from the infusion's start. Nothing here names an arm except
`SimulatedParticipant.arm` and `PkSample`, which belong to the unblinded side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from .parameters import Arm
from .people import Person

MissingReason = Literal["not_answered", "refused"]
GuessValue = Literal["active", "control", "unknown"]
GuesserRole = Literal["participant", "nurse", "rater"]
GuessReason = Literal["benefit", "side_effects", "nothing", "other"]


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """A visit as it went: day from infusion and start in UTC, planned ones if the visit was missed.

    forms_done, qst_done: whether questionnaires and QST, where due, took place.
    """

    id: str
    day: int
    at: datetime
    in_window: bool
    status: Literal["done", "missed"]
    forms_done: bool = True
    qst_done: bool = True


@dataclass(frozen=True, slots=True)
class FormRecord:
    """One filled-in instrument: coded values as printed, None with a reason where nothing was answered.

    An item that the form's own skip rule leaves out is in neither `values` nor `missing`.
    """

    visit: str
    instrument: str
    minute: int | None
    values: Mapping[str, int | None]
    missing: Mapping[str, MissingReason]
    source: Literal["participant", "staff"]
    completed_at: datetime
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class DiaryRecord:
    """One evening's ratings 0-10 of the past 24 h and rescue doses."""

    day: int
    on: date
    average: int
    worst: int
    least: int
    sleep: int
    rescue_doses: int
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class QstTrial:
    """One raw trial. direction: ascending or descending, warm or cold, single or series, or empty."""

    parameter: str
    trial: int
    direction: str
    value: float
    unit: str
    cutoff: bool = False


@dataclass(frozen=True, slots=True)
class CpmRecord:
    """Conditioned pain modulation by pressure pain thresholds in kPa, conditioned by a cold pressor."""

    before: tuple[float, ...]
    during: tuple[float, ...]
    bath_celsius: float
    bath_seconds: int


@dataclass(frozen=True, slots=True)
class QstSession:
    """A session's raw trials at one area."""

    visit: str
    area: str
    side: Literal["left", "right"]
    role: Literal["test", "control"]
    trials: tuple[QstTrial, ...]
    skin_celsius: float
    room_celsius: float
    examiner: str
    started_at: datetime
    entered_at: datetime
    cpm: CpmRecord | None = None


@dataclass(frozen=True, slots=True)
class Vitals:
    """Vital signs at rest; three seated blood pressures at screening, one later."""

    visit: str
    at: datetime
    sbp: tuple[int, ...]
    dbp: tuple[int, ...]
    hr: int
    spo2: int
    rr: int
    weight_kg: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Monitoring on the infusion day; minute from the infusion's start, actual not nominal."""

    nominal: int | None
    minute: int
    hr: int
    sbp: int
    dbp: int
    spo2: int
    rr: int
    moaas: int
    rass: int
    oxygen_l_min: int = 0


@dataclass(frozen=True, slots=True)
class RateSegment:
    """The pump's rate from start to end, minutes from the infusion's start; 0 is a hold."""

    start: int
    end: int
    rate_ml_h: float


@dataclass(frozen=True, slots=True)
class RuleEvent:
    """A safety rule that fired, with the minute and what was done."""

    rule: str
    minute: int
    action: Literal["ALERT", "HOLD", "STOP", "RESUME"]


@dataclass(frozen=True, slots=True)
class InfusionRecord:
    """The blinded record: volume, rate and segments, never milligrams."""

    started_at: datetime
    ended_at: datetime
    weight_kg: float
    planned_volume_ml: float
    planned_rate_ml_h: float
    pump_volume_ml: float
    segments: tuple[RateSegment, ...]
    readings: tuple[Reading, ...]
    rules: tuple[RuleEvent, ...]
    stopped_early: bool
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class Guess:
    """What somebody believes the participant received; confidence 0-10."""

    who: GuesserRole
    visit: str
    minute: int | None
    guess: GuessValue
    confidence: int
    reason: GuessReason


@dataclass(frozen=True, slots=True)
class AdverseEvent:
    """An adverse event; ended is ISO 8601 text, possibly partial, or empty while it goes on."""

    term: str
    started_at: datetime
    ended: str
    grade: int
    serious: bool
    seriousness: str
    related: Literal["not", "unlikely", "possible", "probable"]
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class LabResult:
    """One laboratory value with the laboratory's upper limit of normal (None: has none)."""

    visit: str
    test: Literal["alt", "ast", "alp", "bilirubin", "egfr"]
    value: float
    unit: str
    upper_limit: float | None


@dataclass(frozen=True, slots=True)
class IntercurrentEvent:
    """A dated event that bears on the estimand; it deletes no data."""

    kind: Literal["ICE-1", "ICE-2"]
    start_day: int
    end_day: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Who leaves: the day, why, and whether the consent itself was withdrawn."""

    day: int
    at: datetime
    reason: str
    consent_withdrawn: bool
    early_termination: VisitRecord | None


@dataclass(frozen=True, slots=True)
class PkSample:
    """Concentrations in ng/mL at an actual time; below `lloq` where flagged. Reveals the arm."""

    nominal: int
    minute: float
    ketamine: float
    norketamine: float
    hydroxynorketamine: float


@dataclass(frozen=True, slots=True)
class MedicalHistory:
    """What eligibility needs of the history, by the keys of the protocol."""

    pain_duration_months: int
    pain_days_per_month: int
    analgesics_stable_days: int
    opioid_mg_per_day: float
    benzodiazepine_mg_per_day: float
    gilbert_syndrome: bool


@dataclass(frozen=True, slots=True)
class Screening:
    """A candidate up to the decision to randomise; nothing here depends on the arm.

    answers: by criterion, whether the question put to the site was answered yes (an inclusion met, an
    exclusion present). failed: identifiers of the criteria not met, empty when eligible.
    planned_infusion_at: when the infusion starts if the candidate is randomised (at randomised_at).
    """

    person: Person
    site: str
    consented_at: datetime
    born_on: date
    history: MedicalHistory
    answers: Mapping[str, bool]
    visits: tuple[VisitRecord, ...]
    forms: tuple[FormRecord, ...]
    diary: tuple[DiaryRecord, ...]
    qst: tuple[QstSession, ...]
    vitals: tuple[Vitals, ...]
    labs: tuple[LabResult, ...]
    failed: tuple[str, ...]
    decided_at: datetime
    randomised_at: datetime | None
    planned_infusion_at: datetime

    @property
    def eligible(self) -> bool:
        """Whether every criterion is met."""
        return not self.failed


@dataclass(frozen=True, slots=True)
class Course:
    """Everything after randomisation, in one arm."""

    infusion: InfusionRecord
    visits: tuple[VisitRecord, ...]
    forms: tuple[FormRecord, ...]
    diary: tuple[DiaryRecord, ...]
    qst: tuple[QstSession, ...]
    vitals: tuple[Vitals, ...]
    labs: tuple[LabResult, ...]
    guesses: tuple[Guess, ...]
    adverse_events: tuple[AdverseEvent, ...]
    intercurrent_events: tuple[IntercurrentEvent, ...]
    withdrawal: Withdrawal | None
    pk: tuple[PkSample, ...]


@dataclass(frozen=True, slots=True)
class SimulatedParticipant:
    """A candidate and, if randomised, the arm and the course in it."""

    screening: Screening
    arm: Arm | None
    course: Course | None
