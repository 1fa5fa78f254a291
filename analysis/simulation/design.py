"""What the simulation needs to know of the trial: sites, visits, instruments, reference values.

Built from the protocol and the instrument files by whoever enters the simulated trial; plain data here,
so that the model knows neither the database nor the file formats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from .parameters import Sex

ItemDimension = Literal["S", "A", "C", "M", "F", "X"]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an instrument as printed.

    dimension: S sensory, A affective, C cognitive, M mood, F function, X safety or other.
    reverse: a higher code means better. step: distance between neighbouring codes.
    """

    id: str
    minimum: int
    maximum: int
    dimension: ItemDimension
    reverse: bool = False
    step: int = 1


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument by its key (phq9, cadss23, ...) and its items in the order of the form.

    source: who fills it in. key: which instrument's rules apply; a version of its own (another recall)
    keeps the key and changes the id.
    """

    id: str
    items: tuple[Item, ...]
    source: Literal["participant", "staff"] = "participant"
    key: str = ""

    @property
    def rules(self) -> str:
        """The key whose special rules the model applies."""
        return self.key or self.id


@dataclass(frozen=True, slots=True)
class PlannedForm:
    """An instrument due at a visit; minute from the start of the infusion, on the infusion day only."""

    instrument: str
    minute: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedVisit:
    """A visit of the schedule. Days count from the infusion; earliest and latest bound the window."""

    id: str
    nominal_day: int
    earliest: int
    latest: int
    forms: tuple[PlannedForm, ...] = ()
    qst: bool = False
    vitals: bool = False
    labs: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """A site by its code and time zone (IANA name)."""

    code: str
    timezone: str = "Europe/Berlin"


@dataclass(frozen=True, slots=True)
class QstNorm:
    """One row of a QST reference table: transformed mean and SD of healthy people; ages inclusive."""

    parameter: str
    area: str
    sex: Sex
    age_low: int
    age_high: int
    scale: Literal["log10", "raw"]
    mean: float
    sd: float
    gain_sign: Literal[-1, 1]


@dataclass(frozen=True, slots=True)
class TrialDesign:
    """The trial to be simulated.

    start: the day the first site opens. visits: in order; the model treats `screening`, `baseline`,
    `infusion`, `first_day` and `guess_visit` by these ids, and asks for the diary in the week before
    `late_visits`. first_day_hours: the window of `first_day`, from the infusion's end. clock: minutes
    from the infusion's start at which vital signs are read. instruments by id. qst_norms: all rows of
    the reference table; qst_area: where QST is done. infusion_minutes, rate_per_kg (mL/h per kg) and
    rate_cap_kg give the blinded pump setting.
    """

    start: date
    sites: tuple[Site, ...]
    visits: tuple[PlannedVisit, ...]
    instruments: Mapping[str, Instrument]
    qst_norms: tuple[QstNorm, ...] = ()
    qst_area: str = "hand"
    clock: tuple[int, ...] = (-15, 0, 15, 30, 40, 60, 90, 120, 180, 240)
    infusion_minutes: int = 40
    rate_per_kg: float = 0.75
    rate_cap_kg: float = 120.0
    screening: str = "SCR"
    baseline: str = "BL"
    infusion: str = "D0"
    first_day: str = "D1"
    guess_visit: str = "W4"
    late_visits: tuple[str, ...] = ("W8", "W12")
    first_day_hours: tuple[int, int] = (18, 30)
    _visits: dict[str, PlannedVisit] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a schedule that lacks a visit the model needs, or a form without its instrument."""
        by_id = {visit.id: visit for visit in self.visits}
        needed = {self.screening, self.baseline, self.infusion, self.first_day, self.guess_visit}
        needed |= set(self.late_visits)
        if missing := sorted(needed - set(by_id)):
            raise ValueError(f"The schedule lacks the visits {missing}; name them in the design.")
        forms = {form.instrument for visit in self.visits for form in visit.forms}
        if unknown := sorted(forms - set(self.instruments)):
            raise ValueError(f"The schedule asks for {unknown}, but the design has no such instruments.")
        object.__setattr__(self, "_visits", by_id)

    def visit(self, visit_id: str) -> PlannedVisit:
        """The planned visit with this id; KeyError if the schedule has none."""
        return self._visits[visit_id]

    def norms(self, sex: Sex, age: int) -> dict[str, QstNorm]:
        """The reference rows of the QST area by parameter, for this sex and age.

        Raises LookupError when the table has no row: a neighbouring age is never used instead.
        """
        rows = {
            norm.parameter: norm
            for norm in self.qst_norms
            if norm.area == self.qst_area and norm.sex == sex and norm.age_low <= age <= norm.age_high
        }
        if not rows:
            raise LookupError(f"No QST reference rows for {self.qst_area}, {sex}, {age} years.")
        return rows
